//! `medvault agreement proofs`: what was given out to this person, provable to anyone.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use vault_core::{Act, Asked, KeptProof, Proofs, ProofsError};

use crate::commands::inbox;
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::table::Table;
use crate::{files, show, time};

/// List the proofs of keys that were given out to you, or write them to files
///
/// Each shows that a request of yours was answered, and that this stands in the log of whoever
/// answered. Anyone can check one with the vault's id alone.
#[derive(Args)]
pub struct ProofsArgs {
    /// Only for this person's records
    #[arg(long, value_name = "NAME")]
    from: Option<String>,

    /// Write each into this folder, as NAME.tlog-proof; those that are there are left alone
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
}

/// A proof that holds, and what it proves.
struct Proved {
    kept: KeptProof,
    asked: Asked,
    index: u64,
    time: u64,
    from: String,
}

/// Runs the command.
pub fn run(context: &Context, args: &ProofsArgs) -> Result<Exit> {
    let (home, device, inbox) = inbox::open(context)?;
    let wanted = args
        .from
        .as_deref()
        .map(|name| inbox.find(name))
        .transpose()?;
    let wanted = wanted.map(vault_core::Following::vault);
    let proofs = Proofs::open(home, &device);
    let mut all = Vec::new();
    for name in proofs.names()? {
        let kept = match proofs.read(&name) {
            Ok(Some(kept)) => kept,
            Ok(None) => continue, // gone meanwhile
            Err(error @ ProofsError::Storage(_)) => return Err(error.into()),
            Err(error) => {
                context.out.warn(error);
                continue;
            }
        };
        if wanted.is_some_and(|vault| vault != kept.vault) {
            continue;
        }
        // of an agent's log the agent's own id counts
        let proven = kept.proof.verify(&kept.proof.claimed_vault())?;
        let Act::Released(asked) = proven.entry.act else {
            context
                .out
                .warn(format!("proof {name} is about something else"));
            continue;
        };
        let from = inbox.find(&kept.vault.to_string());
        let from = from.map_or_else(|_| kept.vault.to_string(), |f| f.name().to_owned());
        all.push(Proved {
            asked,
            index: proven.entry.index,
            time: proven.entry.time,
            from,
            kept,
        });
    }
    all.sort_by_key(|proved| (proved.time, proved.index));
    if let Some(folder) = &args.export {
        export(context, folder, &all)?;
    }
    if context.out.json {
        context.out.json_lines(all.iter().map(proof_json))?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["when", "from", "entry", "versions", "proof"]);
    for proved in &all {
        table.row(vec![
            (time::minute(proved.time), None),
            (show::line(&proved.from), None),
            (proved.index.to_string(), None),
            (proved.asked.versions.len().to_string(), None),
            (proved.kept.name.clone(), None),
        ]);
    }
    context.out.print(&table.render())?;
    context.out.note(show::count(all.len() as u64, "proof"));
    Ok(Exit::Ok)
}

fn export(context: &Context, folder: &PathBuf, all: &[Proved]) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::file(folder, &error))?;
    let mut written = 0;
    for proved in all {
        let path = folder.join(format!("{}.tlog-proof", proved.kept.name));
        if path.symlink_metadata().is_ok() {
            continue;
        }
        files::write_bytes(&path, false, proved.kept.proof.to_text()?.as_bytes())?;
        written += 1;
    }
    let count = show::count(written, "proof");
    context
        .out
        .note(format!("{count} written to {}", folder.display()));
    Ok(())
}

fn proof_json(proved: &Proved) -> Value {
    let Proved { kept, asked, .. } = proved;
    json!({
        "proof": kept.name,
        "from": proved.from,
        "vault": kept.vault.to_string(),
        "log": kept.proof.claimed_vault().to_string(),
        "entry": proved.index,
        "time": time::rfc3339(proved.time),
        "grant": asked.grant.to_string(),
        "purpose": asked.purpose,
        "versions": asked.versions.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "request_sha256": show::hex(asked.request.as_bytes()),
    })
}
