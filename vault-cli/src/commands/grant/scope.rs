//! A scope in words, and for programs.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};
use vault_core::{Extent, Label, Scope};

use crate::show;

/// Whether later records join, in words.
pub const fn extent_words(extent: Extent) -> &'static str {
    match extent {
        Extent::Standing => "standing: later records that fit join",
        Extent::Snapshot => "snapshot: only what was there",
    }
}

/// A scope in few words.
pub fn scope_words(scope: &Scope) -> String {
    let mut parts = Vec::new();
    if scope.all {
        parts.push("everything".to_owned());
    }
    parts.extend(scope.categories.iter().map(ToString::to_string));
    parts.extend(scope.kinds.iter().map(|kind| kind.as_str().to_owned()));
    if !scope.records.is_empty() {
        parts.push(show::count(scope.records.len() as u64, "named record"));
    }
    let mut text = parts.join(", ");
    if let Some(since) = &scope.since {
        let _ = write!(text, " since {}", since.as_str());
    }
    if let Some(until) = &scope.until {
        let _ = write!(text, " until {}", until.as_str());
    }
    for label in &scope.with_labels {
        let _ = write!(text, " with {}", label.as_str());
    }
    for label in &scope.without_labels {
        let _ = write!(text, " without {}", label.as_str());
    }
    text
}

/// A scope for programs.
pub fn scope_json(scope: &Scope) -> Value {
    let labels = |labels: &BTreeSet<Label>| -> Vec<String> {
        let text = |label: &Label| label.as_str().to_owned();
        labels.iter().map(text).collect()
    };
    json!({
        "all": scope.all,
        "records": scope.records.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "kinds": scope.kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(),
        "categories": scope.categories.iter().map(|c| c.as_str()).collect::<Vec<_>>(),
        "since": scope.since.as_ref().map(|date| date.as_str()),
        "until": scope.until.as_ref().map(|date| date.as_str()),
        "with_labels": labels(&scope.with_labels),
        "without_labels": labels(&scope.without_labels),
    })
}
