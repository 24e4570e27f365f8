//! `medvault identity`: one's own card, and the passphrase.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use qrcode::QrCode;
use qrcode::render::unicode;
use serde_json::json;
use vault_core::{Card, DEFAULT_WORK_FACTOR, VaultId};

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::output::{BOLD, paint};
use crate::{files, passphrase};

/// Before a vault id in a QR code.
pub const QR_PREFIX: &str = "medvault-verify:";

/// Show your contact card, change your passphrase
#[derive(Subcommand)]
pub enum Identity {
    Show(Show),
    Passphrase(Passphrase),
}

/// Show your contact card and its fingerprint words
///
/// Give the card to whoever shall share with you or read what you share, and compare the words with
/// them in person or by phone. Needs no passphrase.
#[derive(Args)]
pub struct Show {
    /// Show a QR code to verify this identity by
    #[arg(long, conflicts_with = "card")]
    qr: bool,

    /// Write the card to this file; `-` prints the card and nothing else
    #[arg(long, value_name = "FILE|-")]
    card: Option<PathBuf>,

    /// Replace the file if it is there
    #[arg(long, requires = "card")]
    force: bool,
}

/// Change the passphrase
#[derive(Args)]
pub struct Passphrase {
    /// Read the new passphrase from the first line of this file
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,

    /// Cost of guessing the passphrase: scrypt with N = 2^FACTOR, 128 MiB of memory at 17
    #[arg(long, value_name = "FACTOR", default_value_t = DEFAULT_WORK_FACTOR)]
    #[arg(value_parser = clap::value_parser!(u8).range(10..=22))]
    work_factor: u8,
}

/// Runs the command.
pub fn run(context: &Context, command: Identity) -> Result<Exit> {
    match command {
        Identity::Show(args) => show(context, &args),
        Identity::Passphrase(args) => change(context, &args),
    }
}

fn show(context: &Context, args: &Show) -> Result<Exit> {
    let home = context.home()?;
    let text = home.read_card()?.ok_or_else(|| {
        Error::new(
            Exit::Home,
            "home-incomplete",
            "the contact card of this home is missing",
        )
        .hint("`medvault doctor` says more")
    })?;
    let card = Card::from_text(&text)?;
    match &args.card {
        Some(path) if files::is_dash(path) => {
            context.out.print(&format!("{}\n", text.trim()))?;
            return Ok(Exit::Ok);
        }
        Some(path) => {
            files::write_bytes(path, args.force, format!("{}\n", text.trim()).as_bytes())?;
            context
                .out
                .note(format!("card written to {}", path.display()));
        }
        None => {}
    }
    if context.out.json {
        context.out.json(&json!({
            "name": card.name(), "vault": card.vault().to_string(),
            "owner": card.owner().to_string(), "fingerprint": card.fingerprint(),
            "verify": format!("{QR_PREFIX}{}", card.vault()), "card": text.trim(),
        }))?;
        return Ok(Exit::Ok);
    }
    let mut shown = format!(
        "{}\n\n  vault        {}\n",
        paint(BOLD, card.name()),
        card.vault()
    );
    shown.push_str(&format!(
        "  fingerprint  {}\n",
        words_in_lines(&card.fingerprint(), 15)
    ));
    if args.qr {
        shown.push_str(&format!("\n{}\n", qr(&card.vault())?));
    } else if args.card.is_none() {
        shown.push_str(&format!("\n{}\n", text.trim()));
    }
    context.out.print(&shown)?;
    Ok(Exit::Ok)
}

/// Fingerprint words, six on a line; further lines are indented.
pub fn words_in_lines(words: &str, indent: usize) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    let lines: Vec<String> = words.chunks(6).map(|line| line.join(" ")).collect();
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

fn qr(vault: &VaultId) -> Result<String> {
    let text = format!("{QR_PREFIX}{vault}");
    let code = QrCode::new(text).map_err(|e| Error::new(Exit::Failure, "qr", e))?;
    let mut image = code.render::<unicode::Dense1x2>();
    Ok(image.quiet_zone(true).build())
}

fn change(context: &Context, args: &Passphrase) -> Result<Exit> {
    let home = context.home()?;
    let device = context.unlock(&home)?;
    let fresh = passphrase::fresh_from(&context.global, args.new_passphrase_file.as_deref())?;
    vault_app::change_passphrase(&home, &device, &fresh, args.work_factor)?;
    if context.out.json {
        context.out.json(&json!({"changed": true}))?;
    } else {
        context.out.print("the passphrase is changed\n")?;
        context
            .out
            .note("Copies of the old identity file still open with the old passphrase.");
    }
    Ok(Exit::Ok)
}
