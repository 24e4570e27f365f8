//! `medvault status`: how the vault stands.

use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};
use vault_core::GrantStatus;

use crate::context::Context;
use crate::error::{Exit, Result};
use crate::output::{BOLD, WARN, paint};
use crate::{show, time};

/// Show how the vault stands
#[derive(Args)]
pub struct Status {}

/// Runs the command.
pub fn run(context: &Context) -> Result<Exit> {
    let (home, mut vault) = context.home_and_vault()?;
    let records = vault.records()?;
    let contacts = vault.contacts()?;
    let grants = vault.grants()?;
    let stats = vault.stats();
    let content: u64 = records.iter().map(|entry| entry.len).sum();
    let active = grants
        .iter()
        .filter(|g| g.status == GrantStatus::Active)
        .count();
    let verified = contacts.iter().filter(|c| c.verified.is_some()).count();
    let pending = vault.pending_rekeys()?;
    let head = vault.head();
    let serving = vault_app::ask_running_node(home.root());
    if context.out.json {
        context.out.json(&json!({
            "node": serving,
            "home": home.root(), "vault": vault.id().to_string(), "name": vault.name(),
            "records": records.len(), "versions": stats.versions, "content_bytes": content,
            "contacts": contacts.len(), "contacts_verified": verified,
            "grants": stats.grants, "grants_active": active,
            "rekeys_pending": pending.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "log_entries": stats.log_entries, "head_seq": head.seq(),
            "log_root": head.checkpoint().root.to_string(),
        }))?;
        return Ok(Exit::Ok);
    }
    let mut text = format!("{}\n\n", paint(BOLD, vault.name()));
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<10}{value}");
    };
    line("home", home.root().display().to_string());
    line("vault", vault.id().to_string());
    line(
        "records",
        format!(
            "{} in {}, {}",
            records.len(),
            show::count(stats.versions as u64, "version"),
            show::bytes(content)
        ),
    );
    line(
        "contacts",
        format!("{}, {verified} verified", contacts.len()),
    );
    line(
        "grants",
        format!("{active} active, {} ended", grants.len() - active),
    );
    line("log", format!("{} entries", stats.log_entries));
    line("head", format!("number {}", head.seq()));
    line("node", node_line(serving.as_ref()));
    for (name, value) in serving.iter().flat_map(node_details) {
        line(name, value);
    }
    if !pending.is_empty() {
        let what = format!(
            "{} not finished",
            show::count(pending.len() as u64, "re-key")
        );
        line(
            "",
            paint(WARN, format!("{what}: `medvault revoke --resume`")),
        );
    }
    let soon = grants.iter().filter(|g| g.status == GrantStatus::Active);
    let soon = soon
        .filter_map(|grant| Some((grant.terms.expires?, grant)))
        .min_by_key(|(e, _)| *e);
    if let Some((end, grant)) = soon {
        let left = time::left(time::now(), end);
        line(
            "next end",
            format!(
                "{}, {left} ({})",
                time::minute(end),
                grant.readers.join(", ")
            ),
        );
    }
    context.out.print(&text)?;
    Ok(Exit::Ok)
}

fn node_line(serving: Option<&Value>) -> String {
    let Some(node) = serving else {
        return "not running (`medvault serve`)".to_owned();
    };
    let number = |name: &str| node[name].as_u64().unwrap_or(0);
    let private = if node["private"] == true {
        " to readers only"
    } else {
        ""
    };
    format!(
        "serving{private}, process {}, up {}, {} connected",
        number("pid"),
        time::lasting(number("seconds")),
        show::count(number("peers"), "peer"),
    )
}

/// What else a running node says, line by line.
fn node_details(node: &Value) -> Vec<(&'static str, String)> {
    let number = |name: &str| node[name].as_u64().unwrap_or(0);
    let given = format!(
        "{}, {} ({} over iroh), {} refused",
        show::count(number("heads_sent"), "head"),
        show::count(number("blocks_sent"), "block"),
        number("blocks_sent_iroh"),
        number("refused"),
    );
    let mut lines = vec![("given out", given)];
    let access = |name: &str| node["access"][name].as_u64().unwrap_or(0);
    if node["access"]["halted"] == true {
        let what = "NO KEY is given out: the log was put back (`medvault doctor`)";
        lines.push(("requests", paint(WARN, what)));
    } else if node["access"].is_object() {
        let counts = ["released", "denied", "refused"];
        let counts = counts.map(|name| format!("{} {name}", access(name)));
        lines.push(("requests", counts.join(", ")));
    }
    if let Some(connected) = node["relay_connected"].as_bool() {
        let state = if connected {
            "connected"
        } else {
            "not connected"
        };
        lines.push(("relay", state.to_owned()));
    }
    for publisher in node["publishers"].as_array().into_iter().flatten() {
        let text = |name: &str| publisher[name].as_str().unwrap_or("-").to_owned();
        let head = publisher["head"].as_u64();
        let state = match (head, publisher["error"].as_str()) {
            (_, Some(error)) => format!("failed ({error}), again at {}", text("next")),
            (Some(head), None) => format!("head {head}, again at {}", text("next")),
            (None, None) => "not yet".to_owned(),
        };
        lines.push(("published", format!("{}: {state}", text("name"))));
    }
    lines
}
