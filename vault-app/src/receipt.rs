//! What a receipt says, in plain words.

use std::fmt::Write as _;

use vault_core::{PublicKey, Receipt, RevokeLevel, Vault};

use crate::time;
use crate::words::count;

/// Whoever has this owner key: the name of the contact, else the beginning of the key.
pub fn person(vault: &Vault, owner: &PublicKey) -> String {
    match vault.contact_name(owner) {
        Some(name) => name.to_owned(),
        None => owner.to_string().chars().take(12).collect(),
    }
}

/// A receipt in plain words, several lines. The first is a heading.
pub fn receipt_words(vault: &Vault, receipt: &Receipt) -> String {
    let who: Vec<_> = receipt
        .readers
        .iter()
        .map(|owner| person(vault, owner))
        .collect();
    let mut text = format!("Receipt for grant {}\n\n", receipt.grant);
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
    line("sealed again", count(receipt.rekeyed, "version"));
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
        let deleted = format!("{} deleted", count(pinner.deleted, "block"));
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
    let versions = |number| count(number, "version");
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
