//! Addresses inside a document: what a resource is called there, and references led to it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use vault_core::RecordId;

use crate::overview::target;

/// What stands in place of a reference that leads out of the document and says nothing itself.
const OUTSIDE: &str = "not part of this document";
/// Deepest nesting that is followed; deeper resources cannot be read in the first place.
const MAX_DEPTH: usize = 130;

/// A UUID that follows from a record and what it is for.
///
/// Source: RFC 9562, version 8: the first bits of a SHA-256.
pub(super) fn uuid_of(purpose: &str, record: RecordId) -> String {
    uuid(purpose, record.as_bytes())
}

/// [`uuid_of`] any bytes.
pub(super) fn uuid(purpose: &str, bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"medvault uuid\0");
    hash.update(purpose);
    hash.update([0]);
    hash.update(bytes);
    let mut text = String::with_capacity(36);
    for (at, byte) in hash.finalize().into_iter().take(16).enumerate() {
        let byte = match at {
            6 => 0x80 | (byte & 0x0f),
            8 => 0x80 | (byte & 0x3f),
            _ => byte,
        };
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// [`uuid_of`] as a URN.
pub(super) fn urn_of(purpose: &str, record: RecordId) -> String {
    format!("urn:uuid:{}", uuid_of(purpose, record))
}

/// Every target that a resource refers to.
pub(super) fn targets(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(value, &mut found, 0);
    found
}

fn collect(value: &Value, found: &mut Vec<String>, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::Array(items) => items
            .iter()
            .for_each(|item| collect(item, found, depth + 1)),
        Value::Object(object) => {
            let reference = object.get("reference").and_then(Value::as_str);
            found.extend(reference.and_then(target));
            object
                .values()
                .for_each(|item| collect(item, found, depth + 1));
        }
        _ => {}
    }
}

/// Leads every reference of a resource to its place in the document. `to` has the place of every
/// target that is there. A reference that leads elsewhere keeps its display or its identifier only.
pub(super) fn rewrite(resource: &mut Map<String, Value>, to: &BTreeMap<String, String>) {
    let contained = resource.get("contained").and_then(Value::as_array);
    let contained: Vec<String> = contained
        .into_iter()
        .flatten()
        .filter_map(|inner| inner.get("id").and_then(Value::as_str).map(str::to_owned))
        .collect();
    for value in resource.values_mut() {
        walk(value, to, &contained, 0);
    }
    // what is optional in all of these types and says nothing any more
    for key in OPTIONAL {
        let empty = match resource.get_mut(*key) {
            Some(Value::Array(items)) => {
                items.retain(|item| !is_outside(item));
                items.is_empty()
            }
            Some(one) => is_outside(one),
            None => false,
        };
        if empty {
            resource.remove(*key);
        }
    }
}

/// Elements that hold references, alone or in a list, and may be absent.
const OPTIONAL: &[&str] = &[
    "encounter",
    "context",
    "basedOn",
    "partOf",
    "derivedFrom",
    "hasMember",
    "result",
    "reasonReference",
    "specimen",
    "supportingInformation",
    "supportingInfo",
    "eventHistory",
    "insurance",
    "priorPrescription",
    "detectedIssue",
    "imagingStudy",
    "location",
    "focus",
    "goal",
    "careTeam",
    "replaces",
    "managingOrganization",
    "generalPractitioner",
    "asserter",
    "recorder",
    "author",
    "contributor",
    "requester",
    "informationSource",
    "manufacturer",
    "addresses",
    "report",
    "complicationDetail",
    "resultsInterpreter",
    "performer",
    "definition",
    "owner",
    "parent",
    "healthcareService",
    "endpoint",
    "organization",
    "practitioner",
    "source",
    "reportedReference",
    "usedReference",
];

fn is_outside(value: &Value) -> bool {
    value.as_object().is_some_and(|object| {
        object.len() == 1 && object.get("display").and_then(Value::as_str) == Some(OUTSIDE)
    })
}

fn walk(value: &mut Value, to: &BTreeMap<String, String>, contained: &[String], depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::Array(items) => {
            for item in items {
                walk(item, to, contained, depth + 1);
            }
        }
        Value::Object(object) => {
            if let Some(reference) = object.get("reference").and_then(Value::as_str) {
                let inside = reference.strip_prefix('#');
                let found = target(reference).and_then(|target| to.get(&target));
                if let Some(place) = found {
                    let place = json!(place);
                    object.insert("reference".into(), place);
                } else if !inside.is_some_and(|id| contained.iter().any(|known| known == id)) {
                    object.remove("reference");
                    object.remove("_reference");
                    object.remove("type");
                    if !object.contains_key("display") && !object.contains_key("identifier") {
                        object.insert("display".into(), json!(OUTSIDE));
                    }
                }
            }
            for item in object.values_mut() {
                walk(item, to, contained, depth + 1);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_well_formed_and_follow_from_the_record() {
        let uuid = uuid_of("x", RecordId::from_bytes([1; 16]));
        assert_eq!(uuid, uuid_of("x", RecordId::from_bytes([1; 16])));
        assert_ne!(uuid, uuid_of("y", RecordId::from_bytes([1; 16])));
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.get(14..15), Some("8"));
        assert!(matches!(uuid.get(19..20), Some("8" | "9" | "a" | "b")));
    }

    #[test]
    fn references_lead_into_the_document_or_keep_their_words() {
        let to = BTreeMap::from([
            ("Practitioner/7".to_owned(), "urn:uuid:p".to_owned()),
            ("urn:uuid:abc".to_owned(), "urn:uuid:q".to_owned()),
        ]);
        let mut resource = json!({
            "contained": [{"resourceType": "Basic", "id": "c"}],
            "encounter": {"reference": "Encounter/1"},
            "performer": [{"reference": "http://h/fhir/Practitioner/7/_history/2", "display": "Dr Lind"}, {"reference": "Practitioner/8"}],
            "asserter": {"reference": "urn:uuid:ABC"},
            "subject": {"reference": "Group/1", "display": "A group"},
            "part": [{"actor": {"reference": "Device/5", "type": "Device"}}, {"actor": {"reference": "#c"}}, {"actor": {"reference": "#d"}}],
        });
        rewrite(resource.as_object_mut().unwrap(), &to);
        let outside = json!({"actor": {"display": OUTSIDE}});
        assert_eq!(
            resource,
            json!({
                "contained": [{"resourceType": "Basic", "id": "c"}],
                "performer": [{"reference": "urn:uuid:p", "display": "Dr Lind"}],
                "asserter": {"reference": "urn:uuid:q"},
                "subject": {"display": "A group"},
                "part": [outside, {"actor": {"reference": "#c"}}, outside],
            })
        );
    }
}
