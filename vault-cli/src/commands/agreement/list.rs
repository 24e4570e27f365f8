//! `medvault agreement list`.

use clap::Args;
use serde_json::json;
use vault_core::{BlockSource, Device, FollowError, Following, GrantView, HeldTerms};

use super::words;
use crate::commands::{grant::scope_words, inbox};
use crate::context::Context;
use crate::error::{Exit, Result};
use crate::output::{DIM, GOOD, WARN};
use crate::table::Table;
use crate::{show, time};
use vault_app::Ids;

/// List agreements that were offered to you, and how they stand as far as is known here
#[derive(Args)]
pub struct List {}

/// Runs the command. Nobody is asked.
pub fn run(context: &Context) -> Result<Exit> {
    let (home, device, inbox) = inbox::open(context)?;
    let all = super::all(&inbox);
    let cache = home.cache()?;
    let now = time::now();
    let standing =
        |following: &Following, held: &HeldTerms| standing(following, held, &device, &*cache, now);
    if context.out.json {
        context.out.json_lines(all.iter().map(|(following, held)| {
            let mut value = words::terms_json(&held.terms);
            value["from"] = json!(following.name());
            value["status"] = json!(standing(following, held));
            value["accepted"] = json!(held.accepted.map(time::rfc3339));
            value["terms_sha256"] = json!(show::hex(held.digest.as_bytes()));
            value
        }))?;
        return Ok(Exit::Ok);
    }
    let ids = Ids::new(all.iter().map(|(_, held)| held.grant));
    let mut table = Table::new(&["id", "from", "status", "ends", "limits", "what"]);
    for (following, held) in &all {
        let status = standing(following, held);
        let style = match status {
            "in force" => GOOD,
            "offered" => WARN,
            _ => DIM,
        };
        let ends = held.terms.expires.map_or_else(|| "-".to_owned(), time::day);
        table.row(vec![
            (ids.short(held.grant), None),
            (show::line(following.name()), None),
            (status.to_owned(), Some(style)),
            (ends, None),
            (words::limits(&held.terms), None),
            (show::line(&scope_words(&held.terms.scope)), None),
        ]);
    }
    context.out.print(&table.render())?;
    if all.is_empty() {
        context
            .out
            .note("no agreement was offered to you: `medvault inbox accept TICKET`");
    }
    Ok(Exit::Ok)
}

/// How an agreement stands, in a word, as the head seen last has it.
pub fn standing(
    following: &Following,
    held: &HeldTerms,
    device: &Device,
    cache: &dyn BlockSource,
    now: u64,
) -> &'static str {
    if held.terms.has_expired(now) {
        return "expired";
    }
    if held.accepted.is_none() {
        return "offered";
    }
    let views: Result<Vec<GrantView>, FollowError> = following.grants(device, cache, now);
    match views {
        Ok(views) if views.iter().any(|view| view.grant == held.grant) => "in force",
        Ok(_) | Err(FollowError::NothingShared) => "accepted, not in force",
        Err(_) => "accepted",
    }
}
