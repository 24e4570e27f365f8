//! `medvault agent remove`.

use clap::Args;
use serde_json::json;
use vault_app::agents;
use vault_core::{AgentInfo, VaultError};

use super::agent_json;
use crate::commands::grant::find;
use crate::context::Context;
use crate::error::{Exit, Result};
use crate::{show, time};

/// Let a contact answer no more
///
/// The agent is told first, and its last report is taken. When it cannot be reached it is withdrawn
/// all the same: it ends when it sees your next head, at the latest when its time is over, and `agent
/// sync` settles what it gave. What it could read, it still can.
#[derive(Args)]
pub struct Remove {
    /// The contact
    #[arg(value_name = "CONTACT")]
    contact: String,

    /// The grant, by its id or the beginning of it
    #[arg(value_name = "GRANT")]
    grant: String,

    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,

    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Remove) -> Result<Exit> {
    let mut vault = context.vault()?;
    let (grant, _) = find(&mut vault, &args.grant)?;
    let contact = vault.contact(&args.contact)?;
    let owner = *contact.card.owner();
    let agents = grant.agreement.iter().flat_map(|info| &info.agents);
    let mut agents = agents.filter(|agent| agent.owner == owner && !agent.withdrawn);
    let agent = agents.next().ok_or(VaultError::NotAnAgent(grant.id))?;
    if args.dry_run {
        match context.out.json {
            true => {
                let mut value = agent_json(&grant.id, agent);
                value["dry_run"] = json!(true);
                context.out.json(&value)?;
            }
            false => context.out.print(&format!(
                "{} would be told to answer no more under grant {}, and withdrawn. Nothing was \
                 changed.\n",
                agent.name, grant.id
            ))?,
        }
        return Ok(Exit::Ok);
    }
    let question = format!("Let {} answer no more?", agent.name);
    context.consent(args.yes, &question)?;
    // what the agent may go by when it hears nothing: heads until now
    let lease = agents::lease(&vault, agent);
    let heard = agents::close(&context.warn(), &mut vault, &|info, agent| {
        info.id == grant.id && agent.owner == owner
    })?;
    vault.remove_agent(&grant.id, &contact.id.to_string())?;
    let now = vault.grants()?.into_iter().find(|info| info.id == grant.id);
    let now = now.and_then(|info| info.agreement).map(|info| info.agents);
    let mut now = now.unwrap_or_default().into_iter();
    let agent = now.find(|agent| agent.owner == owner);
    let agent = agent.ok_or(VaultError::NotAnAgent(grant.id))?;
    let requests = heard.iter().map(|one| one.requests).sum::<usize>();
    if context.out.json {
        let mut value = agent_json(&grant.id, &agent);
        value["requests"] = json!(requests);
        value["may_give_until"] = json!((!agent.closed).then(|| time::rfc3339(lease)));
        context.out.json(&value)?;
    }
    if agent.closed {
        context.out.note(format!(
            "{} has confirmed that it gives no more; it gave {} in all.",
            agent.name,
            show::count(agent.reported, "open")
        ));
        return Ok(Exit::Ok);
    }
    context.out.warn(unconfirmed(&agent, lease));
    Ok(Exit::Partial)
}

/// What an agent that did not hear of its end may still do.
fn unconfirmed(agent: &AgentInfo, lease: u64) -> String {
    let opens = match agents::left(agent) {
        Some(count) => format!("up to {}", show::count(count, "open")),
        None => "as many opens as agreed".to_owned(),
    };
    format!(
        "{} is withdrawn and does not know it: until it sees your next head it may still give \
         {opens}, at the latest until {}. `medvault agent sync` settles it later",
        agent.name,
        time::minute(lease)
    )
}
