//! `medvault head`: the one signed statement by which others find the newest of this vault.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use vault_app::{Places, publish_name};
use vault_core::Vault;
use vault_http::client::BaseUrl;

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::{files, time};

/// The vault's newest head, and the name under which it is found
#[derive(Subcommand)]
pub enum HeadCommand {
    Show(Show),
    Export(Export),
    Publish(Publish),
}

/// Show the newest head and the vault's name in IPNS
#[derive(Args)]
pub struct Show {}

/// Write the newest head to a file
///
/// Somebody with a ticket can take it with `medvault inbox sync --head FILE`. It says nothing about
/// what is in the vault.
#[derive(Args)]
pub struct Export {
    /// Where to write; `-` for standard output
    #[arg(value_name = "FILE|-")]
    file: PathBuf,

    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

/// Say under the vault's name where the newest head is
///
/// A running `medvault serve` does this by itself, for every new head and twice a day, at the
/// servers of the setting `ipfs.routing`.
#[derive(Args)]
pub struct Publish {
    /// Hand the record to this delegated routing server too; may be repeated
    #[arg(long = "routing", value_name = "URL", value_parser = BaseUrl::parse)]
    routing: Vec<BaseUrl>,
}

/// Runs the command.
pub fn run(context: &Context, command: HeadCommand) -> Result<Exit> {
    match command {
        HeadCommand::Show(_) => show(context),
        HeadCommand::Export(args) => export(context, &args),
        HeadCommand::Publish(args) => publish(context, &args),
    }
}

fn show(context: &Context) -> Result<Exit> {
    let vault = context.vault()?;
    let (head, name) = (vault.head(), vault.device().ipns_name());
    if context.out.json {
        context.out.json(&describe(&vault))?;
        return Ok(Exit::Ok);
    }
    context.out.print(&format!(
        "name   {name}\nhead   {}\nseq    {}\nfrom   {}\nuntil  {}\n",
        head.block().cid(),
        head.seq(),
        time::minute(head.time()),
        time::minute(head.valid_until()),
    ))?;
    Ok(Exit::Ok)
}

fn describe(vault: &Vault) -> serde_json::Value {
    let (head, name) = (vault.head(), vault.device().ipns_name());
    json!({
        "vault": vault.id().to_string(), "name": name.to_string(), "peer_id": name.to_peer_id(),
        "cid": head.block().cid().to_string(), "pins": head.pins().to_string(),
        "seq": head.seq(), "time": time::rfc3339(head.time()),
        "valid_until": time::rfc3339(head.valid_until()),
    })
}

fn export(context: &Context, args: &Export) -> Result<Exit> {
    let vault = context.vault()?;
    let bytes = vault.head().block().data();
    if files::is_dash(&args.file) {
        let mut out = std::io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()?;
        return Ok(Exit::Ok);
    }
    files::write_bytes(&args.file, args.force, bytes)?;
    match context.out.json {
        true => context.out.json(&describe(&vault))?,
        false => context.out.note(format!(
            "head {} is in {}",
            vault.head().seq(),
            args.file.display()
        )),
    }
    Ok(Exit::Ok)
}

fn publish(context: &Context, args: &Publish) -> Result<Exit> {
    let (app, vault) = context.app_and_vault()?;
    let mut places = app.places(Vec::new(), Vec::new())?;
    places
        .routing
        .extend(Places::at(Vec::new(), args.routing.clone())?.routing);
    if places.routing.is_empty() {
        return Err(Error::usage("no routing server is set").hint(
            "name one with `--routing URL`, or for good with `medvault config set ipfs.routing URL`",
        ));
    }
    let said = publish_name(&places.routing, vault.device(), vault.head());
    let all = said.len();
    let mut failed = Vec::new();
    for (place, answer) in said {
        let error = answer.err();
        if context.out.json {
            context.out.json(&json!({
                "place": place.to_string(), "published": error.is_none(),
                "error": error.as_ref().map(|error| &error.message),
                "name": vault.device().ipns_name().to_string(), "seq": vault.head().seq(),
                "cid": vault.head().block().cid().to_string(),
            }))?;
        } else if error.is_none() {
            let seq = vault.head().seq();
            context.out.note(format!("head {seq} published at {place}"));
        }
        if let Some(error) = error {
            context.out.warn(format!("{place}: {}", error.message));
            failed.push(error);
        }
    }
    let failures = failed.len();
    match failed.pop() {
        Some(error) if failures == all => Err(error),
        Some(_) => Ok(Exit::Partial),
        None => Ok(Exit::Ok),
    }
}
