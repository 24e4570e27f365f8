//! The inner parts of resources, in the shape of R4.

use serde_json::{Map, Value, json};

use super::r4::{Converted, concept, link, shape};
use super::r4_clinical::{dose, performer, protocol, reaction};
use super::r4_elements::Holds;

/// Puts the parts of a resource into the shape of R4; a part that cannot be is left out.
pub(super) fn fix(out: &mut Converted) {
    let resource = Value::Object(out.resource.clone());
    let lost = &mut out.lost;
    let parts = &mut out.resource;
    each(parts, lost, "note", note);
    each(parts, lost, "name", human_name);
    each(parts, lost, "dosage", |part| dose(&resource, part));
    each(parts, lost, "dosageInstruction", |part| {
        dose(&resource, part)
    });
    each(parts, lost, "reaction", |part| reaction(&resource, part));
    each(parts, lost, "component", component);
    each(parts, lost, "referenceRange", reference_range);
    each(parts, lost, "performer", |part| performer(&resource, part));
    each(parts, lost, "protocolApplied", protocol);
    each(parts, lost, "contact", contact);
    let only = |allowed: &'static [&'static str], needed: &'static str| {
        move |part: Map<String, Value>| only(part, allowed, needed)
    };
    each(
        parts,
        lost,
        "stage",
        only(&["summary", "assessment", "type"], ""),
    );
    each(parts, lost, "evidence", evidence);
    each(
        parts,
        lost,
        "activity",
        only(
            &[
                "outcomeCodeableConcept",
                "outcomeReference",
                "progress",
                "reference",
                "detail",
            ],
            "",
        ),
    );
    each(parts, lost, "media", only(&["comment", "link"], "link"));
    each(
        parts,
        lost,
        "focalDevice",
        only(&["action", "manipulated"], "manipulated"),
    );
    each(
        parts,
        lost,
        "communication",
        only(&["language", "preferred", "coding", "text"], ""),
    );
    each(parts, lost, "ingredient", ingredient);
    each(
        parts,
        lost,
        "batch",
        only(&["lotNumber", "expirationDate"], ""),
    );
    each(
        parts,
        lost,
        "udiCarrier",
        only(
            &[
                "deviceIdentifier",
                "issuer",
                "jurisdiction",
                "carrierAIDC",
                "carrierHRF",
                "entryType",
            ],
            "",
        ),
    );
    each(parts, lost, "deviceName", device_name);
    let supply = &[
        "initialFill",
        "dispenseInterval",
        "validityPeriod",
        "numberOfRepeatsAllowed",
        "quantity",
        "expectedSupplyDuration",
        "performer",
    ];
    each(parts, lost, "dispenseRequest", only(supply, ""));
    each(parts, lost, "substitution", substitution);
    each(
        parts,
        lost,
        "qualification",
        only(&["identifier", "code", "period", "issuer"], "code"),
    );
}

/// Applies a conversion to an element, or to each item of one that is a list of objects.
fn each(
    resource: &mut Map<String, Value>,
    lost: &mut Vec<String>,
    key: &str,
    mut convert: impl FnMut(Map<String, Value>) -> Option<Value>,
) {
    let Some(value) = resource.remove(key) else {
        return;
    };
    let mut convert = |value: Value| match value {
        Value::Object(object) => convert(object),
        other => Some(other),
    };
    let (kept, complete) = match value {
        Value::Array(items) => {
            let before = items.len();
            let items: Vec<Value> = items.into_iter().filter_map(convert).collect();
            let complete = items.len() == before;
            ((!items.is_empty()).then_some(Value::Array(items)), complete)
        }
        one => {
            let one = convert(one);
            let complete = one.is_some();
            (one, complete)
        }
    };
    if let Some(kept) = kept {
        resource.insert(key.to_owned(), kept);
    }
    if !complete {
        lost.push(key.to_owned());
    }
}

/// Keeps these members; `None` when the one that is needed is not there.
pub(super) fn only(mut part: Map<String, Value>, allowed: &[&str], needed: &str) -> Option<Value> {
    let common = ["id", "extension", "modifierExtension"];
    part.retain(|key, value| {
        let plain = key.strip_prefix('_').unwrap_or(key);
        !value.is_null() && (allowed.contains(&plain) || common.contains(&plain))
    });
    let there = needed.is_empty() || part.contains_key(needed);
    (there && !part.is_empty()).then_some(Value::Object(part))
}

/// Moves a value to another name.
pub(super) fn moved(part: &mut Map<String, Value>, old: &str, new: &str) {
    if !part.contains_key(new)
        && let Some(value) = part.remove(old)
    {
        part.insert(new.to_owned(), value);
    }
}

/// Puts a member into its shape, as a list or alone, or leaves it out.
pub(super) fn shaped(part: &mut Map<String, Value>, key: &str, holds: Holds, many: bool) {
    let Some(value) = part.remove(key) else {
        return;
    };
    let items = match value {
        Value::Array(items) => items,
        one => vec![one],
    };
    let mut items: Vec<Value> = items
        .into_iter()
        .filter_map(|item| shape(holds, item))
        .collect();
    if items.is_empty() {
        return;
    }
    let value = if many {
        Value::Array(items)
    } else {
        items.swap_remove(0)
    };
    part.insert(key.to_owned(), value);
}

fn note(part: Map<String, Value>) -> Option<Value> {
    only(
        part,
        &["authorReference", "authorString", "time", "text"],
        "text",
    )
}

/// A name; DSTU2 has several family names in a list.
fn human_name(mut part: Map<String, Value>) -> Option<Value> {
    if let Some(Value::Array(words)) = part.get("family") {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        let family = words.join(" ");
        part.insert("family".into(), json!(family));
    }
    (!part.is_empty()).then_some(Value::Object(part))
}

fn component(mut part: Map<String, Value>) -> Option<Value> {
    shaped(&mut part, "interpretation", Holds::Concept, true);
    shaped(&mut part, "code", Holds::Concept, false);
    if let Some(Value::Array(ranges)) = part.remove("referenceRange") {
        let ranges: Vec<Value> = ranges
            .into_iter()
            .filter_map(|range| match range {
                Value::Object(range) => reference_range(range),
                _ => None,
            })
            .collect();
        if !ranges.is_empty() {
            part.insert("referenceRange".into(), Value::Array(ranges));
        }
    }
    const VALUES: &[&str] = &[
        "code",
        "valueQuantity",
        "valueCodeableConcept",
        "valueString",
        "valueBoolean",
        "valueInteger",
        "valueRange",
        "valueRatio",
        "valueSampledData",
        "valueTime",
        "valueDateTime",
        "valuePeriod",
        "dataAbsentReason",
        "interpretation",
        "referenceRange",
    ];
    only(part, VALUES, "code")
}

fn reference_range(mut part: Map<String, Value>) -> Option<Value> {
    moved(&mut part, "meaning", "type");
    shaped(&mut part, "type", Holds::Concept, false);
    shaped(&mut part, "appliesTo", Holds::Concept, true);
    only(
        part,
        &["low", "high", "type", "appliesTo", "age", "text"],
        "",
    )
}

fn contact(mut part: Map<String, Value>) -> Option<Value> {
    if let Some(Value::Object(name)) = part.remove("name")
        && let Some(name) = human_name(name)
    {
        part.insert("name".into(), name);
    }
    (!part.is_empty()).then_some(Value::Object(part))
}

fn evidence(mut part: Map<String, Value>) -> Option<Value> {
    shaped(&mut part, "code", Holds::Concept, true);
    shaped(&mut part, "detail", Holds::Link, true);
    only(part, &["code", "detail"], "")
}

fn ingredient(mut part: Map<String, Value>) -> Option<Value> {
    match part.remove("item") {
        Some(Value::Object(item)) if item.contains_key("concept") => {
            part.insert("itemCodeableConcept".into(), concept(item)?);
        }
        Some(Value::Object(item)) => {
            part.insert("itemReference".into(), link(item)?);
        }
        _ => {}
    }
    let named = part.contains_key("itemCodeableConcept") || part.contains_key("itemReference");
    moved(&mut part, "amount", "strength");
    moved(&mut part, "strengthRatio", "strength");
    only(
        part,
        &[
            "itemCodeableConcept",
            "itemReference",
            "isActive",
            "strength",
        ],
        "",
    )
    .filter(|_| named)
}

fn device_name(mut part: Map<String, Value>) -> Option<Value> {
    moved(&mut part, "value", "name");
    if !part.contains_key("type") {
        part.insert("type".into(), json!("other"));
    }
    only(part, &["name", "type"], "name")
}

fn substitution(mut part: Map<String, Value>) -> Option<Value> {
    if part.get("allowed").is_some_and(Value::is_boolean) {
        moved(&mut part, "allowed", "allowedBoolean");
    }
    let said = part.contains_key("allowedBoolean") || part.contains_key("allowedCodeableConcept");
    only(
        part,
        &["allowedBoolean", "allowedCodeableConcept", "reason"],
        "",
    )
    .filter(|_| said)
}
