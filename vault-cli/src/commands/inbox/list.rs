//! `medvault inbox list`.

use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::error::{Exit, Result};
use crate::table::Table;
use crate::time;

/// List who shares with you, and how fresh it is
#[derive(Args)]
pub struct List {}

/// Runs the command.
pub fn run(context: &Context) -> Result<Exit> {
    let (_, _, inbox) = super::open(context)?;
    if context.out.json {
        context.out.json_lines(inbox.list().iter().map(|f| {
            json!({
                "name": f.name(), "patient": f.patient(), "vault": f.vault().to_string(),
                "owner": f.owner().to_string(), "head": f.seq(),
                "accepted": time::rfc3339(f.accepted()), "synced": f.synced().map(time::rfc3339),
                "log_size": f.checkpoint().0, "log_root": f.checkpoint().1.to_string(),
            })
        }))?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["name", "patient", "head", "synced", "vault"]);
    for f in inbox.list() {
        let synced = f.synced().map_or_else(|| "never".to_owned(), time::minute);
        let vault: String = f.vault().to_string().chars().take(12).collect();
        table.row(vec![
            (f.name().to_owned(), None),
            (f.patient().to_owned(), None),
            (f.seq().to_string(), None),
            (synced, None),
            (vault, None),
        ]);
    }
    context.out.print(&table.render())?;
    if inbox.list().is_empty() {
        context
            .out
            .note("nothing is shared with you yet: `medvault inbox accept TICKET`");
    }
    Ok(Exit::Ok)
}
