//! What a receipt says, in plain words and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};
use vault_core::{Receipt, RevokeLevel, Vault, VersionId};

use crate::commands::grant::person;
use crate::error::Result;
use crate::output::{BOLD, paint};
use crate::{show, time};

/// A receipt in plain words.
pub fn receipt_words(vault: &Vault, receipt: &Receipt) -> String {
    let who: Vec<_> = receipt
        .readers
        .iter()
        .map(|owner| person(vault, owner))
        .collect();
    let mut text = format!("{} for grant {}\n\n", paint(BOLD, "Receipt"), receipt.grant);
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<20}{value}");
    };
    line("shut out", who.join(", "));
    line("when", time::minute(receipt.time));
    line(
        "level",
        match receipt.level {
            RevokeLevel::Stop => "R1 stop: no future record, version or key".to_owned(),
            RevokeLevel::Rekey => "R2 re-key: sealed again, old blocks deleted".to_owned(),
        },
    );
    for (name, value) in opens(receipt) {
        line(name, value);
    }
    line("sealed again", show::count(receipt.rekeyed, "version"));
    for agent in &receipt.agents {
        let name = format!("agent {}", person(vault, &agent.agent));
        let until = time::minute(agent.until);
        line(
            &name,
            match agent.closed {
                true => "confirmed that it gives no more".to_owned(),
                false => format!("NOT confirmed; its certificate ends {until}"),
            },
        );
    }
    for pinner in &receipt.pinners {
        let deleted = format!("{} deleted", show::count(pinner.deleted, "block"));
        let ack = if pinner.acknowledged {
            "confirmed"
        } else {
            "NOT confirmed"
        };
        line(&pinner.name, format!("{deleted}, {ack}"));
    }
    line("log entry", receipt.log_index.to_string());
    text.push_str("\n  Nobody can recall what was fetched before.\n");
    text
}

/// What became of the keys.
fn opens(receipt: &Receipt) -> Vec<(&'static str, String)> {
    let versions = |count| show::count(count, "version");
    let Some(opened) = receipt.opened else {
        let unknown = "unknown: the keys were carried, so reads cannot be seen";
        return vec![
            ("had opened", unknown.to_owned()),
            ("could have opened", versions(receipt.could_have_opened)),
            ("never delivered", versions(receipt.never_delivered)),
        ];
    };
    let mut lines = vec![("opened", versions(opened))];
    let unsure = receipt.could_have_opened.saturating_sub(opened);
    if unsure > 0 {
        let why = "agents have not said what they gave out";
        lines.push(("may have opened", format!("{}: {why}", versions(unsure))));
    }
    let never = versions(receipt.never_delivered);
    lines.push((
        "never delivered",
        match receipt.never_delivered {
            0 => never,
            1 => format!("{never} (R3): it stays closed for good"),
            _ => format!("{never} (R3): these stay closed for good"),
        },
    ));
    lines
}

/// The versions that were opened, by title where the vault still has them.
pub fn titles(vault: &mut Vault, receipt: &Receipt) -> Result<String> {
    let wanted = &receipt.opened_versions;
    if wanted.is_empty() {
        return Ok(String::new());
    }
    let known = vault.find_versions(|entry| wanted.contains(&entry.version))?;
    let mut text = "\n  Opened:\n".to_owned();
    let name = |version: &VersionId| {
        let entry = known.iter().find(|entry| entry.version == *version);
        entry.map_or_else(
            || version.to_string(),
            |entry| show::line(&entry.meta.title),
        )
    };
    for version in wanted {
        let _ = writeln!(text, "    {}", name(version));
    }
    let more = (receipt.opened.unwrap_or(0)).saturating_sub(wanted.len() as u64);
    if more > 0 {
        let _ = writeln!(text, "    and {more} more, which the audit log has");
    }
    Ok(text)
}

/// A receipt as JSON.
pub fn receipt_json(vault: &Vault, receipt: &Receipt) -> Value {
    json!({
        "grant": receipt.grant.to_string(),
        "vault": receipt.vault.to_string(),
        "readers": receipt.readers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "reader_names": receipt.readers.iter().map(|o| person(vault, o)).collect::<Vec<_>>(),
        "time": time::rfc3339(receipt.time),
        "level": receipt.level,
        "opened": receipt.opened,
        "opened_versions": receipt.opened_versions.iter()
            .map(ToString::to_string).collect::<Vec<_>>(),
        "could_have_opened": receipt.could_have_opened,
        "never_delivered": receipt.never_delivered,
        "rekeyed": receipt.rekeyed,
        "agents": receipt.agents.iter().map(|agent| json!({
            "agent": person(vault, &agent.agent), "owner": agent.agent.to_string(),
            "closed": agent.closed, "until": time::rfc3339(agent.until),
        })).collect::<Vec<_>>(),
        "index_sha256": show::hex(receipt.index.as_bytes()),
        "pinners": receipt.pinners,
        "log_index": receipt.log_index,
        "note": "nobody can recall what was fetched before",
    })
}
