//! Terms in words, for both sides of an agreement.

use serde_json::{Value, json};
use vault_core::{Condition, Delivery, Terms};

use crate::commands::grant::{extent_words, scope_json, scope_words};
use crate::show;
use crate::time;

/// The terms line by line: a name, and what it says. The agents who may be
/// let answer are shown by `agreement show`, beside those who are.
pub fn lines(terms: &Terms, now: u64) -> Vec<(&'static str, String)> {
    let mut lines = vec![("what", show::line(&scope_words(&terms.scope)))];
    lines.push(("extent", extent_words(terms.extent).to_owned()));
    let why = terms.purpose.as_ref().map(show::purpose);
    lines.push(("purpose", why.unwrap_or_else(|| "any".to_owned())));
    lines.push(("made", time::minute(terms.created)));
    for condition in terms.conditions.iter() {
        lines.push(condition_words(&condition, now));
    }
    lines.push((
        "ends",
        match terms.expires {
            Some(end) => format!("{} ({})", time::minute(end), time::left(now, end)),
            None => "not by itself".to_owned(),
        },
    ));
    if terms.delivery == Delivery::OnRequest {
        if terms.conditions.opens().is_none() {
            lines.push(("opens", "as many as are asked for".to_owned()));
        }
        let deposit = match terms.may_deposit {
            true => "results may be sent back",
            false => "no results may be sent back",
        };
        lines.push(("deposit", deposit.to_owned()));
    }
    lines
}

fn condition_words(condition: &Condition, now: u64) -> (&'static str, String) {
    match condition {
        Condition::From(from) if *from > now => ("begins", time::minute(*from)),
        Condition::From(from) => ("begins", format!("{} (has begun)", time::minute(*from))),
        Condition::Opens(count) => ("opens", format!("at most {count} in all")),
        Condition::OpensPerDay(count) => {
            ("opens a day", format!("at most {count} within 24 hours"))
        }
        Condition::Unknown(name) => (
            "UNKNOWN",
            format!(
                "`{}`: this program does not know this condition, so no key is given out",
                show::line(name)
            ),
        ),
    }
}

/// Limits in few words, for lists.
pub fn limits(terms: &Terms) -> String {
    let words = terms.conditions.iter().map(|condition| match condition {
        Condition::From(from) => format!("from {}", time::day(from)),
        Condition::Opens(count) => show::count(count, "open"),
        Condition::OpensPerDay(count) => format!("{count} a day"),
        Condition::Unknown(name) => format!("unknown: {}", show::line(&name)),
    });
    let words: Vec<String> = words.collect();
    match words.is_empty() {
        true => "-".to_owned(),
        false => words.join(", "),
    }
}

/// The terms for programs, with full ids.
pub fn terms_json(terms: &Terms) -> Value {
    let mut value = json!({
        "vault": terms.vault.to_string(),
        "grant": terms.grant.to_string(),
        "delivery": terms.delivery,
        "extent": terms.extent,
        "purpose": terms.purpose,
        "created": time::rfc3339(terms.created),
        "expires": terms.expires.map(time::rfc3339),
        "scope": scope_json(&terms.scope),
    });
    conditions_into(terms, &mut value);
    value
}

/// What only an agreement on request has.
pub fn conditions_into(terms: &Terms, value: &mut Value) {
    let mut unknown = Vec::new();
    for condition in terms.conditions.iter() {
        match condition {
            Condition::From(from) => value["starts"] = json!(time::rfc3339(from)),
            Condition::Opens(count) => value["max_opens"] = json!(count),
            Condition::OpensPerDay(count) => value["max_opens_per_day"] = json!(count),
            Condition::Unknown(name) => unknown.push(name),
        }
    }
    value["unknown_conditions"] = json!(unknown);
    value["may_deposit"] = json!(terms.may_deposit);
    let agents: Vec<String> = terms.agents.iter().map(ToString::to_string).collect();
    value["agents"] = json!(agents);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_is_not_known_is_named_and_nothing_moves_the_terminal() {
        let (name, value) = condition_words(&Condition::Unknown("wea\u{1b}ther".into()), 0);
        assert_eq!(name, "UNKNOWN");
        assert!(value.starts_with("`wea\u{fffd}ther`"), "{value}");
        assert!(value.contains("no key is given out"), "{value}");
    }

    #[test]
    fn conditions_have_words() {
        let words = |condition| condition_words(&condition, 100);
        assert_eq!(words(Condition::Opens(3)).1, "at most 3 in all");
        assert_eq!(
            words(Condition::OpensPerDay(2)).1,
            "at most 2 within 24 hours"
        );
        assert!(words(Condition::From(99)).1.ends_with("(has begun)"));
        assert!(!words(Condition::From(101)).1.contains("begun"));
    }
}
