//! How a grant on request stands, on the patient's side.

use serde_json::{Value, json};
use vault_core::{AgentInfo, AgreementInfo, GrantInfo};

use crate::commands::agreement::words;
use crate::{show, time};

/// How it stands, line by line: a name, and what it says.
pub fn lines(
    grant: &GrantInfo,
    agreement: &AgreementInfo,
    now: u64,
) -> Vec<(&'static str, String)> {
    let on_request = "on request: each key is asked for, and logged before it leaves";
    let mut lines = vec![("delivery", on_request.to_owned())];
    // what every grant has is shown with the grant
    let conditions = words::lines(&grant.terms, now);
    let own = ["begins", "opens", "opens a day", "deposit", "UNKNOWN"];
    lines.extend(
        conditions
            .into_iter()
            .filter(|(name, _)| own.contains(name)),
    );
    let left = match grant.terms.conditions.opens() {
        Some(limit) => format!(", {} left", limit.saturating_sub(agreement.opens)),
        None => String::new(),
    };
    lines.push((
        "given",
        format!("{}{left}", show::count(agreement.opens, "open")),
    ));
    for (name, time) in &agreement.accepted {
        lines.push(("agreed", format!("{name}, {}", time::minute(*time))));
    }
    for name in &agreement.offered {
        lines.push(("offered", format!("{name} has not agreed yet")));
    }
    lines.extend(
        agreement
            .agents
            .iter()
            .map(|agent| ("agent", agent_words(agent))),
    );
    lines
}

fn agent_words(agent: &AgentInfo) -> String {
    let limit = match agent.opens {
        Some(opens) => format!(" of {opens}"),
        None => String::new(),
    };
    let state = match (agent.withdrawn, agent.closed) {
        (_, true) => "gives no more".to_owned(),
        (true, false) => format!(
            "withdrawn, has NOT confirmed that it gives no more; its certificate ends {}",
            time::minute(agent.until)
        ),
        (false, false) => format!("answers until {}", time::minute(agent.until)),
    };
    let reported = show::count(agent.reported, "open");
    format!("{}: {state}, reported {reported}{limit}", agent.name)
}

/// The same for programs.
pub fn to_json(grant: &GrantInfo, agreement: &AgreementInfo) -> Value {
    let limit = grant.terms.conditions.opens();
    let mut value = json!({
        "offered": agreement.offered,
        "accepted": agreement.accepted.iter()
            .map(|(name, time)| json!({"reader": name, "time": time::rfc3339(*time)}))
            .collect::<Vec<_>>(),
        "opens": agreement.opens,
        "opens_left": limit.map(|limit| limit.saturating_sub(agreement.opens)),
        "answering": agreement.agents.iter().map(|agent| json!({
            "agent": agent.name, "owner": agent.owner.to_string(), "opens": agent.opens,
            "reported": agent.reported, "until": time::rfc3339(agent.until),
            "withdrawn": agent.withdrawn, "closed": agent.closed,
        })).collect::<Vec<_>>(),
    });
    words::conditions_into(&grant.terms, &mut value);
    value
}
