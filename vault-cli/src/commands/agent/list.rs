//! `medvault agent list`.

use clap::Args;

use super::{agent_json, opens, state};
use crate::commands::grant::find;
use crate::context::Context;
use crate::error::{Exit, Result};
use crate::output::{DIM, GOOD, WARN};
use crate::table::Table;
use crate::{show, time};
use vault_app::Ids;

/// List agents, and what they have reported; asks none of them
#[derive(Args)]
pub struct List {
    /// Only those of this grant
    #[arg(value_name = "GRANT")]
    grant: Option<String>,
}

/// Runs the command.
pub fn run(context: &Context, args: &List) -> Result<Exit> {
    let mut vault = context.vault()?;
    let only = args.grant.as_deref();
    let only = only.map(|text| find(&mut vault, text)).transpose()?;
    let grants = vault.grants()?;
    let ids = Ids::new(grants.iter().map(|grant| grant.id));
    let wanted = |id| only.as_ref().is_none_or(|(grant, _)| grant.id == id);
    let agents: Vec<_> = grants
        .iter()
        .filter(|grant| wanted(grant.id))
        .flat_map(|grant| {
            let agents = grant.agreement.iter().flat_map(|info| &info.agents);
            agents.map(|agent| (grant.id, agent))
        })
        .collect();
    if context.out.json {
        let lines = agents.iter().map(|(grant, agent)| agent_json(grant, agent));
        context.out.json_lines(lines)?;
        return Ok(Exit::Ok);
    }
    let now = time::now();
    let mut table = Table::new(&["agent", "grant", "allowed", "reported", "until", "state"]);
    for (grant, agent) in &agents {
        let state = state(agent, now);
        let style = match state {
            "active" => GOOD,
            "closed" => DIM,
            _ => WARN,
        };
        table.row(vec![
            (agent.name.clone(), None),
            (ids.short(grant), None),
            (opens(agent.opens), None),
            (agent.reported.to_string(), None),
            (time::minute(agent.until), None),
            (state.to_owned(), Some(style)),
        ]);
    }
    context.out.print(&table.render())?;
    context.out.note(match agents.len() {
        0 => "no agents".to_owned(),
        n => show::count(n as u64, "agent"),
    });
    Ok(Exit::Ok)
}
