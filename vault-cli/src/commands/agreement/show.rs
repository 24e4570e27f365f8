//! `medvault agreement show`.

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;
use vault_core::{Following, GrantView, HeldTerms, PublicKey};

use super::{list, words};
use crate::commands::inbox;
use crate::context::Context;
use crate::error::{Exit, Result};
use crate::output::{BOLD, paint};
use crate::{show, time};

/// Show an agreement: everything that its terms say
#[derive(Args)]
pub struct Show {
    /// The agreement, by its id or the beginning of it
    #[arg(value_name = "GRANT")]
    grant: String,
}

/// Runs the command. Nobody is asked.
pub fn run(context: &Context, args: &Show) -> Result<Exit> {
    let (home, device, inbox) = inbox::open(context)?;
    let (following, held) = super::find(&inbox, &args.grant)?;
    let (cache, now) = (home.cache()?, time::now());
    let status = list::standing(&following, &held, &device, &*cache, now);
    let views = following.grants(&device, &*cache, now).unwrap_or_default();
    let view = views.into_iter().find(|view| view.grant == held.grant);
    if context.out.json {
        let mut value = words::terms_json(&held.terms);
        value["from"] = json!(following.name());
        value["owner"] = json!(following.owner().to_string());
        value["status"] = json!(status);
        value["accepted"] = json!(held.accepted.map(time::rfc3339));
        value["terms_sha256"] = json!(show::hex(held.digest.as_bytes()));
        value["records"] = json!(view.as_ref().map(|view| view.entries.len()));
        let certified = view.iter().filter_map(|view| view.agreement.as_ref());
        let certified = certified.flat_map(|agreement| &agreement.agents);
        value["certified_agents"] = certified
            .map(|agent| {
                json!({
                    "owner": agent.agent.owner().to_string(),
                    "until": time::rfc3339(agent.until), "opens": agent.opens,
                })
            })
            .collect();
        context.out.json(&value)?;
        return Ok(Exit::Ok);
    }
    let text = text(&following, &held, status, view.as_ref(), now);
    context.out.print(&text)?;
    Ok(Exit::Ok)
}

/// The agreement as a person reads it.
pub fn text(
    following: &Following,
    held: &HeldTerms,
    status: &str,
    view: Option<&GrantView>,
    now: u64,
) -> String {
    let mut text = format!("{} {}\n\n", paint(BOLD, "agreement"), held.grant);
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<12}{value}");
    };
    line("with", show::line(following.name()));
    line("status", status.to_owned());
    if let Some(accepted) = held.accepted {
        line("signed", time::minute(accepted));
    }
    for (name, value) in words::lines(&held.terms, now) {
        line(name, value);
    }
    let agreement = view.and_then(|view| view.agreement.as_ref());
    for owner in &held.terms.agents {
        let certified = agreement.and_then(|agreement| {
            let mut agents = agreement.agents.iter();
            agents.find(|agent| agent.agent.owner() == owner)
        });
        let how = match certified {
            Some(agent) => format!("answers until {}", time::minute(agent.until)),
            None => "may be let answer".to_owned(),
        };
        line("agent", format!("{}: {how}", short(owner)));
    }
    if let Some(view) = view {
        line("records", show::count(view.entries.len() as u64, "version"));
    }
    line("digest", show::hex(held.digest.as_bytes()));
    text.push_str(
        "\n  Each record that you open is asked for, and stands in the patient's audit log. It works\n  \
         while the patient's `medvault serve`, or an agent of theirs, runs.\n",
    );
    text
}

fn short(owner: &PublicKey) -> String {
    owner.to_string().chars().take(12).collect()
}
