//! `medvault grant`: what was given to whom.

mod agreement;
mod export;
mod scope;

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
pub use vault_app::person;
use vault_core::{GrantId, GrantInfo, GrantStatus, Vault};

use super::revoke::receipt_json;
use crate::context::Context;
use crate::error::{Exit, Result};
use crate::output::{BOLD, DIM, GOOD, WARN, paint};
use crate::table::Table;
use crate::{show, time};
use vault_app::Ids;

pub use scope::{extent_words, scope_json, scope_words};

/// List and show grants, print their tickets again, write them to files
#[derive(Subcommand)]
pub enum Grant {
    List(List),
    Show(Show),
    Ticket(Ticket),
    Export(export::Export),
}

/// List grants
#[derive(Args)]
pub struct List {
    /// Only those that are in force
    #[arg(long)]
    active: bool,
}

/// Show a grant: its terms, and every record in it
#[derive(Args)]
pub struct Show {
    /// The grant, by its id or the beginning of it
    #[arg(value_name = "GRANT")]
    grant: String,
}

/// Print fresh tickets for a grant
///
/// Do this when your node has a new address, or a reader has lost the ticket.
#[derive(Args)]
pub struct Ticket {
    /// The grant, by its id or the beginning of it
    #[arg(value_name = "GRANT")]
    grant: String,
}

/// Runs the command.
pub fn run(context: &Context, command: Grant) -> Result<Exit> {
    match command {
        Grant::List(args) => list(context, &args),
        Grant::Show(args) => show(context, &args),
        Grant::Ticket(args) => ticket(context, &args),
        Grant::Export(args) => export::run(context, &args),
    }
}

/// The grant that `text` begins, and all ids, to shorten by.
pub fn find(vault: &mut Vault, text: &str) -> Result<(GrantInfo, Ids)> {
    let grants = vault.grants()?;
    let ids = Ids::new(grants.iter().map(|grant| grant.id));
    let id: GrantId = ids.find(text, "grant", "grant list")?;
    let found = grants.into_iter().find(|grant| grant.id == id);
    Ok((found.ok_or(vault_core::VaultError::NoGrant(id))?, ids))
}

fn list(context: &Context, args: &List) -> Result<Exit> {
    let mut vault = context.vault()?;
    let grants = vault.grants()?;
    let ids = Ids::new(grants.iter().map(|grant| grant.id));
    let now = time::now();
    let shown: Vec<&GrantInfo> = grants
        .iter()
        .filter(|grant| !args.active || status(grant, now) == "active")
        .collect();
    if context.out.json {
        let lines: Vec<_> = shown
            .iter()
            .map(|grant| grant_json(&vault, grant, now))
            .collect();
        context.out.json_lines(lines)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["id", "status", "made", "ends", "records", "readers", "what"]);
    for grant in &shown {
        let status = status(grant, now);
        let style = match status {
            "active" => GOOD,
            "re-keying" | "offered" => WARN,
            _ => DIM,
        };
        table.row(vec![
            (ids.short(grant.id), None),
            (status.to_owned(), Some(style)),
            (time::day(grant.terms.created), None),
            (
                grant
                    .terms
                    .expires
                    .map_or_else(|| "-".to_owned(), time::day),
                None,
            ),
            (grant.versions.to_string(), None),
            (people(&vault, grant), None),
            (scope_words(&grant.terms.scope), None),
        ]);
    }
    context.out.print(&table.render())?;
    context.out.note(match shown.len() {
        0 => "no grants".to_owned(),
        n => show::count(n as u64, "grant"),
    });
    Ok(Exit::Ok)
}

fn show(context: &Context, args: &Show) -> Result<Exit> {
    let mut vault = context.vault()?;
    let (grant, _) = find(&mut vault, &args.grant)?;
    let now = time::now();
    let entries = vault.grant_entries(&grant.id)?;
    if context.out.json {
        let mut value = grant_json(&vault, &grant, now);
        value["entries"] = entries.iter().map(show::entry_json).collect();
        context.out.json(&value)?;
        return Ok(Exit::Ok);
    }
    let terms = &grant.terms;
    let mut text = format!("{} {}\n\n", paint(BOLD, "grant"), grant.id);
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<10}{value}");
    };
    line("status", status(&grant, now).to_owned());
    line("readers", people(&vault, &grant));
    line("what", scope_words(&terms.scope));
    line("extent", extent_words(terms.extent).to_owned());
    if let Some(purpose) = &terms.purpose {
        line("purpose", purpose.to_string());
    }
    line("made", time::minute(terms.created));
    if let Some(end) = terms.expires {
        line(
            "ends",
            format!("{} ({})", time::minute(end), time::left(now, end)),
        );
    }
    if let Some(ended) = grant.ended {
        line("ended", time::minute(ended));
    }
    match &grant.agreement {
        None => line(
            "delivery",
            "carried: works while you are offline; reads cannot be seen".to_owned(),
        ),
        Some(agreement) => {
            for (name, value) in agreement::lines(&grant, agreement, now) {
                line(name, value);
            }
        }
    }
    text.push('\n');
    let ids = Ids::new(entries.iter().map(|entry| entry.record));
    text.push_str(&show::entry_table(&entries, &ids));
    for receipt in &grant.receipts {
        text.push('\n');
        text.push_str(&super::revoke::receipt_words(&vault, receipt));
    }
    context.out.print(&text)?;
    Ok(Exit::Ok)
}

fn ticket(context: &Context, args: &Ticket) -> Result<Exit> {
    let (home, mut vault) = context.home_and_vault()?;
    let (grant, _) = find(&mut vault, &args.grant)?;
    let tickets = vault.tickets(&grant.id, &vault_app::node_address(&home, &vault)?)?;
    if context.out.json {
        context.out.json_lines(tickets.iter().map(|(reader, ticket)| {
            json!({"grant": grant.id.to_string(), "reader": reader, "ticket": ticket})
        }))?;
        return Ok(Exit::Ok);
    }
    for (reader, ticket) in &tickets {
        if tickets.len() > 1 {
            context.out.note(format!("Ticket for {reader}:"));
        }
        context.out.print(&format!("{ticket}\n"))?;
    }
    Ok(Exit::Ok)
}

/// How a grant stands at `now`, in a word.
fn status(grant: &GrantInfo, now: u64) -> &'static str {
    match grant.status {
        _ if grant.rekey_pending => "re-keying",
        GrantStatus::Active if grant.terms.has_expired(now) => "expired",
        GrantStatus::Active if is_offered(grant) => "offered",
        GrantStatus::Active => "active",
        GrantStatus::Revoked => "revoked",
        GrantStatus::Expired => "expired",
    }
}

/// Nobody has agreed to it yet.
fn is_offered(grant: &GrantInfo) -> bool {
    grant.agreement.is_some() && grant.readers.is_empty()
}

/// The readers by name; those that have not agreed with a question mark, those that were
/// shut out after a minus sign.
fn people(vault: &Vault, grant: &GrantInfo) -> String {
    let former = grant
        .former
        .iter()
        .map(|owner| format!("-{}", person(vault, owner)));
    let offered = grant.agreement.iter().flat_map(|a| &a.offered);
    let offered = offered.map(|name| format!("{name} (?)"));
    let readers = grant.readers.iter().cloned();
    let all: Vec<String> = readers.chain(offered).chain(former).collect();
    all.join(", ")
}

fn grant_json(vault: &Vault, grant: &GrantInfo, now: u64) -> Value {
    let terms = &grant.terms;
    json!({
        "grant": grant.id.to_string(),
        "status": status(grant, now),
        "readers": grant.readers,
        "former": grant.former.iter().map(|owner| person(vault, owner)).collect::<Vec<_>>(),
        "extent": terms.extent,
        "purpose": terms.purpose,
        "created": time::rfc3339(terms.created),
        "expires": terms.expires.map(time::rfc3339),
        "ended": grant.ended.map(time::rfc3339),
        "versions": grant.versions,
        "rekey_pending": grant.rekey_pending,
        "scope": scope_json(&terms.scope),
        "delivery": terms.delivery,
        "agreement": grant.agreement.as_ref().map(|a| agreement::to_json(grant, a)),
        "receipts": grant.receipts.iter().map(|r| receipt_json(vault, r)).collect::<Vec<_>>(),
    })
}
