//! `medvault deposit`: send records into somebody's vault.

mod recipient;
mod way;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use vault_app::adding::{Input, Unread, feed};
use vault_app::{DepositShelf, Intake, Recipient};
use vault_core::{BlockStore as _, CarStore, DepositMaker, Outgoing, VaultError};
use vault_formats::Report;

use super::record::add::{Bar, tell_remarks};
use super::record::input::collect;
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::{progress, show, time};
use recipient::consent;
use way::Way;

/// Send records into somebody's vault, without being able to read it
///
/// Files are taken in as `medvault record add` takes them, sealed for the other vault and signed by
/// you. They wait there until the patient accepts or declines them. You cannot read back what you
/// sent, nor list what is there.
#[derive(Args)]
pub struct Deposit {
    /// Files, folders, or `-` for standard input
    #[arg(value_name = "FILE|DIR|-", required_unless_present = "withdraw")]
    paths: Vec<PathBuf>,

    /// Whose vault: a name in your inbox, or a contact
    #[arg(long, value_name = "NAME", required_unless_present = "withdraw")]
    to: Option<String>,

    /// One line to the patient
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,

    /// Write the deposit into a file instead, to be handed over by other means; `-` for standard
    /// output
    #[arg(short, long, visible_alias = "out", value_name = "FILE.car|-")]
    #[arg(conflicts_with = "ticket")]
    output: Option<PathBuf>,

    /// Replace the file if it is there
    #[arg(long, requires = "output")]
    force: bool,

    /// Offer the deposit from your own node and print a ticket for the patient
    #[arg(long)]
    ticket: bool,

    /// Show what would be sent and send nothing
    #[arg(long)]
    dry_run: bool,

    /// File name to keep for standard input
    #[arg(long, value_name = "NAME", default_value = "stdin")]
    name: String,

    /// Keep each file whole, as one document, also where it could be read
    #[arg(long)]
    as_document: bool,

    /// Keys of the issuers of SMART Health Cards, a JWK set in a file; may be repeated [default: the
    /// setting import.issuer_keys]
    #[arg(long, value_name = "FILE")]
    issuer_keys: Vec<PathBuf>,

    /// Send to a contact whom nobody has verified
    #[arg(long)]
    yes: bool,

    /// Delete what earlier deposits with `--ticket` still offer from your node
    #[arg(long, conflicts_with_all = ["paths", "to", "message", "output", "ticket", "dry_run"])]
    withdraw: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Deposit) -> Result<Exit> {
    if args.withdraw {
        return withdraw(context);
    }
    let mut unread = Vec::new();
    let mut inputs = collect(&args.paths, &args.name, &mut unread)?;
    let (app, mut vault) = context.app_and_vault()?;
    let name = args.to.as_deref().unwrap_or_default();
    let to = Recipient::find(app.home(), &mut vault, name)?;
    let way = Way::of(args, &to)?;
    if !args.dry_run {
        consent(context, &to, args.yes)?;
    }
    let intake = Intake::for_other(&app, &args.issuer_keys, &to.person)?;
    let folder = tempfile::tempdir()?;
    let store = CarStore::open(folder.path())?;
    let mut maker = DepositMaker::new(vault.device(), to.target.clone(), &store, time::now());
    let report = fill(
        context,
        args,
        (&intake, vault.name()),
        &mut inputs,
        &mut maker,
    )?;
    tell_remarks(context.out, &report, &unread);
    let refused = report.total().refused + unread.len() as u64;
    if report.total().added == 0 {
        return nothing(context, args, &report, &unread);
    }
    let made = maker.finish(args.message.as_deref())?;
    let mut value = as_json(args, &to, &made, &report, &unread);
    let words = format!(
        "deposit {} for {}: {}, {}",
        made.deposit,
        to.name,
        show::count(made.records as u64, "record"),
        show::bytes(made.bytes),
    );
    if args.dry_run {
        match context.out.json {
            true => context.out.json(&value)?,
            false => context
                .out
                .print(&format!("{words}. Nothing was sent.\n"))?,
        }
    } else {
        let sent = way.send(&app, &vault, &to, &made, &store)?;
        sent.tell(context, &mut value, &words)?;
    }
    Ok(match refused {
        0 => Exit::Ok,
        _ => Exit::Partial,
    })
}

/// Takes the files in.
fn fill(
    context: &Context,
    args: &Deposit,
    (intake, sender): (&Intake, &str),
    inputs: &mut [Input<'_>],
    maker: &mut DepositMaker<'_>,
) -> Result<Report> {
    let mut door = intake.door();
    door.as_documents = args.as_document;
    let bar = progress::bytes(context.out, inputs.iter().map(Input::len).sum());
    let report = feed(
        door,
        &mut DepositShelf::new(maker, sender),
        inputs,
        &Bar(&bar),
    );
    bar.finish_and_clear();
    report
}

fn nothing(context: &Context, args: &Deposit, report: &Report, unread: &[Unread]) -> Result<Exit> {
    if context.out.json {
        let mut value = remarks_json(report, unread);
        value["dry_run"] = args.dry_run.into();
        value["added"] = 0.into();
        context.out.json(&value)?;
        return Ok(Exit::Failure);
    }
    Err(Error::new(
        Exit::Failure,
        "nothing-to-deposit",
        "there is nothing to deposit",
    ))
}

fn remarks_json(report: &Report, unread: &[Unread]) -> Value {
    let unread = unread
        .iter()
        .map(|unread| json!({"file": unread.file, "at": null, "why": unread.why}));
    let refused = report
        .refused
        .iter()
        .map(|remark| json!({"file": remark.file, "at": remark.at, "why": remark.what}));
    json!({"refused": unread.chain(refused).collect::<Vec<_>>()})
}

fn as_json(
    args: &Deposit,
    to: &Recipient,
    made: &Outgoing,
    report: &Report,
    unread: &[Unread],
) -> Value {
    let total = report.total();
    let mut value = remarks_json(report, unread);
    value["dry_run"] = args.dry_run.into();
    value["deposit"] = made.deposit.to_string().into();
    value["to"] = to.name.clone().into();
    value["vault"] = made.vault.to_string().into();
    value["added"] = total.added.into();
    value["derived"] = total.derived.into();
    value["records"] = made.records.into();
    value["bytes"] = made.bytes.into();
    value["sha256"] = show::hex(made.digest.as_bytes()).into();
    value
}

fn withdraw(context: &Context) -> Result<Exit> {
    let store = context.home()?.outgoing()?;
    let all = store.list().map_err(VaultError::from)?;
    let count = store.remove(&all).map_err(VaultError::from)? as u64;
    match context.out.json {
        true => context.out.json(&json!({"withdrawn_blocks": count}))?,
        false => context.out.print(&format!(
            "{} no longer offered\n",
            show::count(count, "block")
        ))?,
    }
    Ok(Exit::Ok)
}
