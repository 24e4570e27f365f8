//! `medvault agent`: those who answer requests for keys on your behalf.

mod add;
mod address;
mod list;
mod remove;
mod sync;

use clap::Subcommand;
use serde_json::{Value, json};
use vault_app::agents;
use vault_core::{AgentInfo, GrantId};

use crate::context::Context;
use crate::error::{Exit, Result};
use crate::time;

/// Let others answer requests for keys while your device sleeps
///
/// An agent is a contact with a medvault home of its own, such as a home server or a relative. It
/// answers under one grant, gives no more opens than you allow it, writes each into its own log, and
/// reports to you.
#[derive(Subcommand)]
pub enum Agent {
    Address(address::Address),
    Add(add::Add),
    List(list::List),
    Sync(sync::Sync),
    Remove(remove::Remove),
}

/// Runs the command.
pub fn run(context: &Context, command: Agent) -> Result<Exit> {
    match command {
        Agent::Address(_) => address::run(context),
        Agent::Add(args) => add::run(context, &args),
        Agent::List(args) => list::run(context, &args),
        Agent::Sync(args) => sync::run(context, &args),
        Agent::Remove(args) => remove::run(context, &args),
    }
}

/// How an agent stands, in a word.
fn state(agent: &AgentInfo, now: u64) -> &'static str {
    match agent {
        _ if agent.closed => "closed",
        _ if agent.withdrawn => "withdrawn, not confirmed",
        _ if agent.until <= now => "ended",
        _ => "active",
    }
}

/// A number of opens, or no limit of its own.
fn opens(count: Option<u64>) -> String {
    count.map_or_else(|| "as agreed".to_owned(), |count| count.to_string())
}

/// An agent as JSON.
fn agent_json(grant: &GrantId, agent: &AgentInfo) -> Value {
    json!({
        "grant": grant.to_string(),
        "agent": agent.name,
        "owner": agent.owner.to_string(),
        "state": state(agent, time::now()),
        "opens_allowed": agent.opens,
        "opens_reported": agent.reported,
        "opens_left": agents::left(agent),
        "until": time::rfc3339(agent.until),
        "withdrawn": agent.withdrawn,
        "closed": agent.closed,
    })
}
