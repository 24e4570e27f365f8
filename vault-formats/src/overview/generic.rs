//! The page of any other type: whatever is words, dates, quantities or references.

use serde_json::Value;

use super::page::{Page, spaced, spelled};
use super::read::{base_name, items, words};

/// Deepest nesting that is followed.
const MAX_DEPTH: usize = 5;
/// Most lines of one record.
const MAX_LINES: usize = 300;
/// Technical members that say nothing to a person.
const SKIPPED: &[&str] = &[
    "resourceType",
    "id",
    "meta",
    "text",
    "contained",
    "extension",
    "modifierExtension",
    "implicitRules",
    "language",
    "identifier",
    "url",
    "linkId",
    "note",
    "notes",
    "comment",
    "comments",
];

pub(super) fn generic(page: &mut Page<'_>) {
    let root = page.root;
    members(page, root, "", 0);
    let empty = page.is_empty();
    page.narrative(if empty { "Text" } else { "In words" }, root);
}

fn members(page: &mut Page<'_>, holder: &Value, within: &str, depth: usize) {
    let Some(object) = holder.as_object() else {
        return;
    };
    let mut nested = Vec::new();
    for key in object.keys() {
        if SKIPPED.contains(&key.as_str()) || key.starts_with('_') || page.len() > MAX_LINES {
            continue;
        }
        let mut texts = Vec::new();
        for item in items(holder, key) {
            match shown(page.root, item) {
                Some(text) => texts.push(text),
                None if item.is_object() && depth < MAX_DEPTH => nested.push((key, item)),
                None => {}
            }
        }
        let label = match within {
            "" => spelled(base_name(key)),
            within => format!("{within}, {}", spelled(base_name(key)).to_lowercase()),
        };
        page.field(&label, Some(texts.join("; ")));
    }
    for (key, item) in nested {
        members(page, item, &spelled(base_name(key)), depth + 1);
    }
}

/// A value in words; codes such as `in-progress` and references by their name.
fn shown(root: &Value, item: &Value) -> Option<String> {
    if item.get("extension").is_some() && item.as_object().is_some_and(|o| o.len() == 1) {
        return None;
    }
    // a backbone element is no data type, also where it holds a text or a code of its own
    let nested = |value: &Value| {
        value.is_object()
            || value
                .as_array()
                .is_some_and(|list| list.iter().any(Value::is_object))
    };
    let typed = [
        "coding",
        "reference",
        "concept",
        "numerator",
        "low",
        "high",
        "repeat",
        "value",
        "identifier",
    ];
    let backbone = item.as_object().is_some_and(|o| {
        o.iter()
            .any(|(key, v)| nested(v) && key != "extension" && !typed.contains(&key.as_str()))
    });
    if backbone {
        return None;
    }
    words(root, item).map(|text| spaced(&text))
}
