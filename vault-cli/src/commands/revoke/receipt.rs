//! What a receipt says, in plain words and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};
use vault_core::{Receipt, Vault, VersionId};

use crate::commands::grant::person;
use crate::error::Result;
use crate::output::{BOLD, paint};
use crate::{show, time};

/// A receipt in plain words.
pub fn receipt_words(vault: &Vault, receipt: &Receipt) -> String {
    let heading = paint(BOLD, "Receipt");
    vault_app::receipt_words(vault, receipt).replacen("Receipt", &heading, 1)
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
