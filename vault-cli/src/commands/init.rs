//! `medvault init`: a new identity and an empty vault, or an old vault from its words.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use vault_app::{Places, copy_vault};
use vault_core::{
    BlockStore, DEFAULT_WORK_FACTOR, Device, Home, RecoveryWords, Vault, encrypt_with_passphrase,
};
use vault_http::client::BaseUrl;
use zeroize::Zeroizing;

use crate::car;
use crate::context::{Context, declined};
use crate::error::{Error, Exit, Result};
use crate::files;
use crate::output::{BOLD, paint};
use crate::passphrase;

/// Make a new vault, or rebuild one from its recovery words
///
/// Shows 24 recovery words once. Whoever has them and a copy of the blocks has the vault: write
/// them on paper. The passphrase protects the identity file on this device only.
#[derive(Args)]
pub struct Init {
    /// Your name, as the people you share with will see it
    #[arg(long, value_name = "NAME", conflicts_with = "recover")]
    name: Option<String>,

    /// Write the recovery words to this new file, readable by you only, instead of showing them
    #[arg(long, value_name = "FILE", conflicts_with = "recover")]
    words_out: Option<PathBuf>,

    /// Rebuild a vault from its recovery words and a copy of its blocks, or from gateways
    #[arg(long)]
    recover: bool,

    /// Read the recovery words from this file, `-` for standard input
    #[arg(long, value_name = "FILE", requires = "recover")]
    words_file: Option<PathBuf>,

    /// A backup or other CAR files, or folders with them, such as `blocks` of the old home; `-` for
    /// standard input. Not needed with `--ipfs` when Kubo has the blocks
    #[arg(long, value_name = "DIR|CAR|-", num_args = 1.., requires = "recover")]
    blocks: Vec<PathBuf>,

    /// Find the vault by its name and fetch it from this trustless gateway; may be repeated
    #[arg(long, value_name = "URL", requires = "recover", value_parser = BaseUrl::parse)]
    gateway: Vec<BaseUrl>,

    /// Look for the vault's name at this delegated routing server too; may be repeated
    #[arg(long, value_name = "URL", requires = "gateway", value_parser = BaseUrl::parse)]
    routing: Vec<BaseUrl>,

    /// Cost of guessing the passphrase: scrypt with N = 2^FACTOR, 128 MiB of memory at 17
    #[arg(long, value_name = "FACTOR", default_value_t = DEFAULT_WORK_FACTOR)]
    #[arg(value_parser = clap::value_parser!(u8).range(10..=22))]
    work_factor: u8,
}

/// Runs the command.
pub fn run(context: &Context, args: Init) -> Result<Exit> {
    let path = context.home_path()?;
    vault_app::refuse_existing_home(&path)?;
    let vault = match args.recover {
        true => recover(context, &args, &path)?,
        false => create(context, &args, &path)?,
    };
    if context.out.json {
        context.out.json(&json!({
            "home": path, "vault": vault.id().to_string(), "name": vault.name(),
            "records": vault.stats().versions,
        }))?;
        return Ok(Exit::Ok);
    }
    context
        .out
        .note(format!("Your vault is ready in {}", path.display()));
    if !args.recover {
        context
            .out
            .note("Next: `medvault record add FILE|FOLDER` puts your records in.");
    }
    context.out.print(&format!("vault {}\n", vault.id()))?;
    Ok(Exit::Ok)
}

fn create(context: &Context, args: &Init, path: &Path) -> Result<Vault> {
    let name = match &args.name {
        Some(name) => name.clone(),
        None => ask_name(context)?,
    };
    let words = RecoveryWords::generate();
    // a name that cannot be used is told before anybody is asked for more
    Device::for_new_vault(&words, crate::time::now()).card(&name)?;
    let passphrase = passphrase::fresh(&context.global)?;
    match &args.words_out {
        Some(file) => {
            let text = Zeroizing::new(format!("{}\n", words.reveal().as_str()));
            files::write_bytes(file, false, text.as_bytes())?;
        }
        None => show_words(context, &words)?,
    }
    let seal = |_: &Home, identity: &[u8]| {
        Ok(encrypt_with_passphrase(
            identity,
            &passphrase,
            args.work_factor,
        )?)
    };
    match vault_app::create_home(path, &name, &words, &context.options(), &seal) {
        Ok((home, device)) => context.app(home)?.vault(&device),
        Err(error) => {
            if let Some(file) = &args.words_out {
                let _ = std::fs::remove_file(file);
            }
            Err(error)
        }
    }
}

fn ask_name(context: &Context) -> Result<String> {
    let user = std::env::var("USER")
        .ok()
        .filter(|user| !user.trim().is_empty());
    let default = user.unwrap_or_else(|| "Me".to_owned());
    if !context.can_ask() {
        return Ok(default);
    }
    let question = format!("Your name, as others will see it [{default}]: ");
    Ok(context.ask(&question)?.unwrap_or(default))
}

/// Shows the words once, and has two of them typed again where somebody can.
fn show_words(context: &Context, words: &RecoveryWords) -> Result<()> {
    let text = words.reveal();
    let list: Vec<&str> = text.split(' ').collect();
    let out = context.out;
    out.say(paint(
        BOLD,
        "Your 24 recovery words. Write them on paper, in this order:",
    ));
    out.say("");
    for row in 0..6 {
        let cells = (0..4).map(|column| {
            let at = column * 6 + row;
            Zeroizing::new(format!("{:>4}. {:<10}", at + 1, list[at]))
        });
        let line = cells.fold(Zeroizing::new(String::new()), |mut line, cell| {
            line.push_str(&cell);
            line
        });
        out.say(line.trim_end());
    }
    out.say("");
    out.say("They are shown this once. They open everything, and nothing replaces them.");
    if !context.can_ask() {
        return Ok(());
    }
    let mut random = [0u8; 2];
    getrandom::fill(&mut random).map_err(|e| std::io::Error::other(e.to_string()))?;
    let first = usize::from(random[0]) % 12;
    let second = 12 + usize::from(random[1]) % 12;
    for at in [first, second] {
        let question = format!("Word {}: ", at + 1);
        let mut tries = 0;
        while context
            .ask(&question)?
            .map(|word| word.to_lowercase())
            .as_deref()
            != Some(list[at])
        {
            tries += 1;
            if tries == 3 {
                return Err(declined().hint("run `medvault init` again; it draws new words"));
            }
            out.say("That is not the word on the paper.");
        }
    }
    Ok(())
}

/// Brings the blocks of the old vault, from files and from gateways.
fn copy_blocks(
    context: &Context,
    args: &Init,
    words: &RecoveryWords,
    store: &Arc<dyn BlockStore>,
) -> Result<()> {
    if !args.blocks.is_empty() {
        let copied = car::copy(&args.blocks, &**store)?;
        context.out.note(format!("{copied} blocks copied"));
    }
    if !args.gateway.is_empty() {
        let places = Places::at(args.gateway.clone(), args.routing.clone())?;
        let fetched = copy_vault(&places, &words.ipns_name(), store)?;
        context.out.note(format!("{fetched} blocks fetched"));
    }
    Ok(())
}

fn recover(context: &Context, args: &Init, path: &Path) -> Result<Vault> {
    let words_from_input = args.words_file.as_deref().is_some_and(files::is_dash);
    if words_from_input && args.blocks.iter().any(|path| files::is_dash(path)) {
        return Err(Error::usage(
            "words and blocks cannot both come from standard input",
        ));
    }
    let elsewhere = !args.gateway.is_empty() || context.global.ipfs.is_some();
    if args.blocks.is_empty() && !elsewhere {
        return Err(
            Error::usage("a copy of the blocks is needed beside the words").hint(
                "give it with `--blocks DIR|CAR`, or name a gateway with `--gateway URL`, or \
                       the Kubo that has it with `--ipfs URL`",
            ),
        );
    }
    let text = Zeroizing::new(match &args.words_file {
        Some(file) => files::read_text(file, 4096)?,
        None if context.can_ask() => context.ask("The 24 recovery words: ")?.unwrap_or_default(),
        None => {
            return Err(
                Error::usage("the recovery words are needed and nobody can be asked")
                    .hint("use --words-file FILE"),
            );
        }
    });
    let words = RecoveryWords::parse(&text)?;
    let passphrase = passphrase::fresh(&context.global)?;
    let seal = |_: &Home, identity: &[u8]| {
        Ok(encrypt_with_passphrase(
            identity,
            &passphrase,
            args.work_factor,
        )?)
    };
    let copy = |store: &Arc<dyn BlockStore>| copy_blocks(context, args, &words, store);
    let (home, device) = vault_app::recover_home(path, &words, &context.options(), &seal, &copy)?;
    let mut vault = context.app(home)?.vault(&device)?;
    let report = vault.verify_blocks(false)?;
    if !report.missing.is_empty() {
        context.out.warn(format!(
            "{} of {} blocks are missing from the copy: `medvault doctor --deep` shows what they held",
            report.missing.len(),
            report.blocks,
        ));
    }
    let name = vault.name().to_owned();
    let versions = vault.stats().versions;
    context.out.note(format!(
        "The vault of {name} is back, with {versions} record versions."
    ));
    context
        .out
        .note("Devices that signed for it before no longer do.");
    Ok(vault)
}
