//! `medvault audit`: what happened, and whether the record of it holds.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use vault_core::{Act, AuditEntry, GrantId, PublicKey, RevokeLevel, Vault};

use super::grant::person;
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::ids::Ids;
use crate::output::{GOOD, paint};
use crate::table::Table;
use crate::{show, time};

/// Read and verify the audit log
#[derive(Subcommand)]
pub enum Audit {
    Log(Log),
    Verify(Verify),
}

/// Show what happened, oldest first
#[derive(Args)]
pub struct Log {
    /// Only what concerns this contact
    #[arg(long, value_name = "NAME")]
    contact: Option<String>,

    /// Not before: a day or a moment (RFC 3339)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// Not after: a day or a moment (RFC 3339)
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    /// Only this act, such as granted or revoked; may be repeated
    #[arg(long, value_name = "ACT")]
    act: Vec<String>,
}

/// Recompute the whole log from the blocks and name the first bad entry
#[derive(Args)]
pub struct Verify {}

/// Runs the command.
pub fn run(context: &Context, command: Audit) -> Result<Exit> {
    match command {
        Audit::Log(args) => log(context, &args),
        Audit::Verify(_) => verify(context),
    }
}

fn log(context: &Context, args: &Log) -> Result<Exit> {
    let since = args.since.as_deref().map(time::parse_start).transpose()?;
    let until = args.until.as_deref().map(time::parse_until).transpose()?;
    let mut vault = context.vault()?;
    vault.contacts()?;
    let contact = match &args.contact {
        Some(name) => Some(*vault.contact(name)?.card.owner()),
        None => None,
    };
    let entries = vault.audit_log()?;
    let of_contact = contact.map(|owner| grants_of(&entries, &owner));
    let wanted = |entry: &&AuditEntry| {
        since.is_none_or(|since| entry.time >= since)
            && until.is_none_or(|until| entry.time < until)
            && (args.act.is_empty() || args.act.iter().any(|act| act == entry.act.name()))
            && contact
                .as_ref()
                .zip(of_contact.as_ref())
                .is_none_or(|(owner, grants)| {
                    concerns(&entry.act, owner)
                        || grant_of(&entry.act).is_some_and(|g| grants.contains(g))
                })
    };
    let shown: Vec<&AuditEntry> = entries.iter().filter(wanted).collect();
    if context.out.json {
        context
            .out
            .json_lines(shown.iter().map(|entry| entry_json(&vault, entry)))?;
        return Ok(Exit::Ok);
    }
    let grants = Ids::new(vault.grants()?.iter().map(|grant| grant.id));
    let mut table = Table::new(&["no", "when", "act", "what"]);
    for entry in &shown {
        table.plain([
            entry.index.to_string(),
            time::minute(entry.time),
            entry.act.name().to_owned(),
            words(&vault, &entry.act, &grants),
        ]);
    }
    context.out.print(&table.render())?;
    context
        .out
        .note(format!("{} of {} entries", shown.len(), entries.len()));
    Ok(Exit::Ok)
}

fn verify(context: &Context) -> Result<Exit> {
    let mut vault = context.vault()?;
    let report = vault.verify_audit()?;
    if context.out.json {
        let bad = report
            .bad
            .as_ref()
            .map(|bad| json!({"index": bad.index, "what": bad.what}));
        context.out.json(&json!({
            "entries": report.size, "root": report.root.to_string(),
            "verified": report.bad.is_none(), "bad": bad,
        }))?;
    }
    if let Some(bad) = report.bad {
        let what = format!(
            "entry {} of the audit log does not hold: {}",
            bad.index, bad.what
        );
        return Err(Error::new(Exit::Integrity, "bad-log", what).hint(
            "do not trust the log from this entry on; compare with an older copy of the home",
        ));
    }
    if !context.out.json {
        let holds = paint(GOOD, "the audit log holds");
        let count = report.size;
        context
            .out
            .print(&format!("{holds}: {count} entries\nroot {}\n", report.root))?;
    }
    Ok(Exit::Ok)
}

/// The grants that a contact ever had a part in.
fn grants_of(entries: &[AuditEntry], owner: &PublicKey) -> Vec<GrantId> {
    let granted = entries.iter().filter_map(|entry| match &entry.act {
        Act::Granted { grant, readers, .. } if readers.contains(owner) => Some(*grant),
        _ => None,
    });
    granted.collect()
}

fn grant_of(act: &Act) -> Option<&GrantId> {
    match act {
        Act::Joined { grant, .. }
        | Act::Expired { grant }
        | Act::Rekeyed { grant, .. }
        | Act::Receipt { grant, .. } => Some(grant),
        _ => None,
    }
}

fn concerns(act: &Act, owner: &PublicKey) -> bool {
    match act {
        Act::ContactAdded { contact, .. } | Act::ContactVerified { contact } => contact == owner,
        Act::Granted { readers, .. } | Act::Revoked { readers, .. } => readers.contains(owner),
        _ => false,
    }
}

/// An act in words.
fn words(vault: &Vault, act: &Act, grants: &Ids) -> String {
    let people = |owners: &[PublicKey]| {
        let names: Vec<_> = owners.iter().map(|owner| person(vault, owner)).collect();
        names.join(", ")
    };
    match act {
        Act::VaultCreated { .. } => "the vault was made".to_owned(),
        Act::VaultRecovered { from_seq, .. } => {
            format!("rebuilt from the recovery words, at head {from_seq}")
        }
        Act::ContactAdded { name, .. } => format!("card of {name}"),
        Act::ContactVerified { contact } => format!("fingerprint of {}", person(vault, contact)),
        Act::Published { count, .. } => show::count(*count, "version"),
        Act::Removed { records } => show::count(records.len() as u64, "record"),
        Act::Granted {
            grant,
            readers,
            count,
            ..
        } => {
            let what = show::count(*count, "version");
            format!(
                "{what} to {}, grant {}",
                people(readers),
                grants.short(grant)
            )
        }
        Act::Joined { grant, count } => {
            format!(
                "{} joined grant {}",
                show::count(*count, "version"),
                grants.short(grant)
            )
        }
        Act::Revoked {
            grant,
            readers,
            level,
        } => {
            let level = match level {
                RevokeLevel::Stop => "stop",
                RevokeLevel::Rekey => "re-key",
            };
            format!(
                "grant {} from {}, {level}",
                grants.short(grant),
                people(readers)
            )
        }
        Act::Expired { grant } => format!("grant {}", grants.short(grant)),
        Act::Rekeyed { grant, count, done } => {
            let state = if *done { "done" } else { "not done yet" };
            let what = show::count(*count, "version");
            format!("{what} of grant {}, {state}", grants.short(grant))
        }
        Act::Receipt { grant, .. } => format!("for grant {}", grants.short(grant)),
        Act::Pinned { service, endpoint } => format!("{service} keeps a copy, {endpoint}"),
        Act::Unpinned { service, confirmed } => match confirmed {
            true => format!("{service} keeps no copy any more"),
            false => format!("{service} is not used any more, and did not confirm"),
        },
        Act::PinVerified {
            service,
            sampled,
            missing,
            ..
        } => format!(
            "{service}: {missing} of {} missing",
            show::count(*sampled, "block")
        ),
    }
}

fn entry_json(vault: &Vault, entry: &AuditEntry) -> Value {
    let keys =
        |owners: &[PublicKey]| -> Vec<String> { owners.iter().map(ToString::to_string).collect() };
    let names = |owners: &[PublicKey]| -> Vec<String> {
        owners.iter().map(|owner| person(vault, owner)).collect()
    };
    let mut value = match &entry.act {
        Act::VaultCreated { serial } => json!({"serial": serial}),
        Act::VaultRecovered { serial, from_seq } => json!({"serial": serial, "from_seq": from_seq}),
        Act::ContactAdded { contact, name } => {
            json!({"contact": contact.to_string(), "name": name})
        }
        Act::ContactVerified { contact } => {
            json!({"contact": contact.to_string(), "name": person(vault, contact)})
        }
        Act::Published { count, versions } => {
            json!({"count": count, "versions_sha256": show::hex(versions.as_bytes())})
        }
        Act::Removed { records } => {
            json!({"records": records.iter().map(ToString::to_string).collect::<Vec<_>>()})
        }
        Act::Granted {
            grant,
            readers,
            terms,
            count,
        } => json!({
            "grant": grant.to_string(), "readers": keys(readers), "reader_names": names(readers),
            "terms_sha256": show::hex(terms.as_bytes()), "count": count,
        }),
        Act::Joined { grant, count } => json!({"grant": grant.to_string(), "count": count}),
        Act::Revoked {
            grant,
            readers,
            level,
        } => json!({
            "grant": grant.to_string(), "readers": keys(readers), "reader_names": names(readers),
            "level": level,
        }),
        Act::Expired { grant } => json!({"grant": grant.to_string()}),
        Act::Rekeyed { grant, count, done } => {
            json!({"grant": grant.to_string(), "count": count, "done": done})
        }
        Act::Receipt { grant, receipt } => {
            json!({"grant": grant.to_string(), "receipt_sha256": show::hex(receipt.as_bytes())})
        }
        Act::Pinned { service, endpoint } => json!({"service": service, "endpoint": endpoint}),
        Act::Unpinned { service, confirmed } => {
            json!({"service": service, "confirmed": confirmed})
        }
        Act::PinVerified {
            service,
            sampled,
            missing,
            canaries,
            confidence,
        } => json!({
            "service": service, "sampled": sampled, "missing": missing, "canaries": canaries,
            "confidence_per_mille": confidence,
        }),
    };
    value["index"] = json!(entry.index);
    value["time"] = json!(time::rfc3339(entry.time));
    value["device"] = json!(entry.device.to_string());
    value["act"] = json!(entry.act.name());
    value
}
