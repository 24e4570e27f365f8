//! `medvault agent sync`.

use clap::Args;
use serde_json::json;
use vault_app::agents::{self, Heard};

use super::{agent_json, opens, state};
use crate::commands::grant::find;
use crate::context::Context;
use crate::error::{Exit, Result};
use crate::table::Table;
use crate::time;
use vault_app::Ids;

/// Fetch from agents what they did, into your own audit log
///
/// Also tells those whose part is over to give no more.
#[derive(Args)]
pub struct Sync {
    /// Only those of this grant
    #[arg(value_name = "GRANT")]
    grant: Option<String>,
}

/// Runs the command.
pub fn run(context: &Context, args: &Sync) -> Result<Exit> {
    let mut vault = context.vault()?;
    let only = args.grant.as_deref();
    let only = only.map(|text| find(&mut vault, text)).transpose()?;
    let mut heard = agents::sync(&mut vault, only.as_ref().map(|(grant, _)| &grant.id))?;
    if context.out.json {
        context.out.json_lines(heard.iter().map(heard_json))?;
    } else {
        let ids = Ids::new(vault.grants()?.iter().map(|grant| grant.id));
        context.out.print(&table(&heard, &ids).render())?;
    }
    if heard.is_empty() {
        context.out.note("no agent has anything left to report");
    }
    let failed = heard.iter().filter(|one| one.error.is_some()).count();
    if failed == heard.len()
        && let Some(error) = heard.pop().and_then(|one| one.error)
    {
        return Err(error);
    }
    for one in &heard {
        if let Some(error) = &one.error {
            context
                .out
                .warn(format!("{}: {}", one.agent.name, error.message));
        }
    }
    Ok(if failed > 0 { Exit::Partial } else { Exit::Ok })
}

fn table(heard: &[Heard], ids: &Ids) -> Table {
    let now = time::now();
    let columns = [
        "agent", "grant", "requests", "opens", "in all", "left", "state",
    ];
    let mut table = Table::new(&columns);
    for one in heard.iter().filter(|one| one.error.is_none()) {
        table.plain([
            one.agent.name.clone(),
            ids.short(one.grant),
            one.requests.to_string(),
            one.opens.to_string(),
            one.agent.reported.to_string(),
            opens(agents::left(&one.agent)),
            state(&one.agent, now).to_owned(),
        ]);
    }
    table
}

fn heard_json(heard: &Heard) -> serde_json::Value {
    let mut value = agent_json(&heard.grant, &heard.agent);
    value["requests"] = json!(heard.requests);
    value["opens"] = json!(heard.opens);
    value["error"] = json!(heard.error.as_ref().map(|error| error.code));
    value
}
