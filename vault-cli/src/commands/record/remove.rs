//! `medvault record remove`.

use clap::Args;
use serde_json::json;
use vault_core::RecordId;

use crate::context::Context;
use crate::error::{Exit, Result};
use crate::show;
use vault_app::Ids;

/// Remove records with all their versions, here and from every grant
///
/// What was derived from a record goes with it. What readers have fetched before, they keep.
#[derive(Args)]
pub struct Remove {
    /// The records, by their ids or the beginnings of them
    #[arg(required = true, value_name = "RECORD")]
    records: Vec<String>,

    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Remove) -> Result<Exit> {
    let mut vault = context.vault()?;
    let all = vault.records()?;
    let ids = Ids::new(all.iter().map(|entry| entry.record));
    let mut wanted: Vec<RecordId> = Vec::new();
    for text in &args.records {
        let id = ids.find(text, "record", "record list")?;
        if !wanted.contains(&id) {
            wanted.push(id);
        }
    }
    // what has lost its original proves nothing
    let derived = all.iter().filter(|entry| {
        let origin = entry.meta.origin.as_ref();
        origin.is_some_and(|origin| wanted.contains(origin)) && !wanted.contains(&entry.record)
    });
    let derived: Vec<RecordId> = derived.map(|entry| entry.record).collect();
    wanted.extend(derived);
    let count = show::count(wanted.len() as u64, "record");
    if !args.yes {
        let concerned: Vec<_> = all.iter().filter(|e| wanted.contains(&e.record)).collect();
        context
            .out
            .note(show::entry_table(concerned, &ids).trim_end());
    }
    context.consent(args.yes, &format!("Remove {count} for good?"))?;
    vault.remove_records(&wanted)?;
    if context.out.json {
        let removed: Vec<_> = wanted.iter().map(RecordId::to_string).collect();
        context.out.json(&json!({"removed": removed}))?;
    } else {
        context.out.print(&format!("{count} removed\n"))?;
    }
    Ok(Exit::Ok)
}
