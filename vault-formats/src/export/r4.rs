//! Resources of any release of FHIR as valid R4, for the types that a patient summary is made of.
//!
//! What has another name or shape in another release is converted where the meaning is certainly the
//! same; what R4 has no place for is left out and reported; a resource that lacks what R4 requires is
//! refused. Numbers keep their digits.

use serde_json::{Map, Value, json};
use vault_core::ClinicalDate;

use super::r4_elements::{COMMON, Element, Holds, Type, of};
use super::r4_narrative::is_safe_narrative;
use super::{r4_old, r4_parts};

/// Most resources that are taken out of one.
const MAX_CONTAINED: usize = 100;

/// A resource of R4 and what was lost on the way.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Converted {
    pub(super) resource: Map<String, Value>,
    /// Elements that R4 has no place for, by name.
    pub(super) lost: Vec<String>,
}

/// The resource as R4.
///
/// # Errors
/// What it lacks, for people.
pub(super) fn to_r4(resource: &Value) -> Result<Converted, String> {
    let source = resource.as_object().ok_or("no resource")?;
    let mut source = source.clone();
    let contained = source.remove("contained");
    r4_old::rename(&mut source);
    let name = source.get("resourceType").and_then(Value::as_str);
    let kind = name
        .and_then(of)
        .ok_or("a type that a summary has no place for")?;
    let mut out = Converted::default();
    let mut inner = Vec::new();
    for resource in contained
        .as_ref()
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .take(MAX_CONTAINED)
    {
        // one level is all there may be, and what is no R4 is found by nobody
        let id = resource
            .get("id")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let mut plain = resource.clone();
        if let Some(object) = plain.as_object_mut() {
            object.remove("contained");
        }
        if let (Some(id), Ok(mut converted)) = (id, to_r4(&plain)) {
            converted.resource.insert("id".into(), json!(id));
            converted.resource.remove("text");
            inner.push(Value::Object(converted.resource));
        }
    }
    if !inner.is_empty() {
        out.resource.insert("contained".into(), Value::Array(inner));
    }
    elements(kind, source, &mut out);
    out.resource.insert("resourceType".into(), json!(kind.name));
    one_choice(&mut out);
    r4_parts::fix(&mut out);
    for required in kind.required {
        let choice = matches!(*required, "medication" | "occurrence");
        let there = out
            .resource
            .keys()
            .any(|key| key == required || (choice && key.starts_with(required)));
        if !there {
            return Err(format!("no {required}, which R4 requires"));
        }
    }
    Ok(out)
}

/// Elements that may have one of several types, of which only one may be there.
const CHOICES: &[&str] = &[
    "medication",
    "value",
    "effective",
    "onset",
    "abatement",
    "performed",
    "occurrence",
    "timing",
    "deceased",
    "multipleBirth",
    "reported",
];

/// Keeps one of the types of a choice element: the concept before a reference to it.
fn one_choice(out: &mut Converted) {
    for base in CHOICES {
        let is_one = |key: &&String| {
            let rest = key.strip_prefix(base);
            rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
        };
        let more: Vec<String> = out
            .resource
            .keys()
            .filter(is_one)
            .skip(1)
            .cloned()
            .collect();
        for key in more {
            out.resource.remove(&key);
            out.lost.push(key);
        }
    }
}

/// Keeps the elements that R4 has, in the shape that it has them.
fn elements(kind: &Type, source: Map<String, Value>, out: &mut Converted) {
    let mut siblings = Vec::new();
    for (key, value) in source {
        match key.as_str() {
            "resourceType" | "id" | "implicitRules" | "link" | "photo" => {}
            "meta" => security(&value, &mut out.resource),
            "language" if value.is_string() => {
                out.resource.insert(key, value);
            }
            "text" => {
                if is_safe_narrative(&value) {
                    out.resource.insert(key, value);
                }
            }
            common if COMMON.contains(&common) => {
                let many = Element {
                    name: "",
                    holds: Holds::Object,
                    many: true,
                };
                insert(out, &many, key, value);
            }
            name => match name.strip_prefix('_') {
                Some(name) if kind.elements.iter().any(|e| e.name == name && !e.many) => {
                    if value.is_object() {
                        siblings.push((key, value));
                    }
                }
                _ => match kind.elements.iter().find(|element| element.name == name) {
                    Some(element) => insert(out, element, key, value),
                    None => out.lost.push(key),
                },
            },
        }
    }
    // extensions of primitive elements, such as the reason why a date is missing
    out.resource.extend(siblings);
}

fn insert(out: &mut Converted, element: &Element, key: String, value: Value) {
    let shaped = match (element.many, value) {
        (_, Value::Null) => return,
        (true, Value::Array(items)) => {
            let before = items.len();
            let items: Vec<Value> = items
                .into_iter()
                .filter_map(|item| shape(element.holds, item))
                .collect();
            if items.len() < before {
                out.lost.push(key.clone());
            }
            if items.is_empty() {
                return;
            }
            Some(Value::Array(items))
        }
        (true, one) => shape(element.holds, one).map(|one| json!([one])),
        (false, Value::Array(mut items)) if items.len() == 1 => {
            items.pop().and_then(|one| shape(element.holds, one))
        }
        (false, Value::Array(_)) => None,
        (false, one) => shape(element.holds, one),
    };
    match shaped.and_then(|value| typed(&key, value)) {
        Some(value) => {
            out.resource.insert(key, value);
        }
        None => out.lost.push(key),
    }
}

/// A value in the shape that an element has, if it can be.
pub(super) fn shape(holds: Holds, value: Value) -> Option<Value> {
    match (holds, value) {
        (Holds::Text, Value::String(text)) => {
            (!text.trim().is_empty()).then_some(Value::String(text))
        }
        (Holds::Date, Value::String(text)) => date(&text).map(Value::String),
        (Holds::Flag, value @ Value::Bool(_)) | (Holds::Number, value @ Value::Number(_)) => {
            Some(value)
        }
        (Holds::Concept, Value::String(text)) => Some(json!({ "text": text })),
        (Holds::Concept, Value::Object(object)) => concept(object),
        (Holds::Link, Value::Object(object)) => link(object),
        (Holds::Object, Value::Object(object)) => {
            (!object.is_empty()).then_some(Value::Object(object))
        }
        _ => None,
    }
}

/// A value as its element wants it, beyond its shape: days without a time, instants with one,
/// quantities that are numbers, periods between dates.
fn typed(key: &str, mut value: Value) -> Option<Value> {
    match (key, &mut value) {
        ("birthDate" | "expirationDate", Value::String(text)) => {
            text.truncate(10);
        }
        ("issued" | "effectiveInstant", Value::String(text)) if text.len() <= 10 => return None,
        (_, Value::Object(object)) if key.ends_with("Quantity") || key.ends_with("Age") => {
            let string = |key: &str| object.get(key).is_none_or(Value::is_string);
            let number = object.get("value").is_none_or(Value::is_number);
            if !number
                || !["unit", "system", "code", "comparator"]
                    .into_iter()
                    .all(string)
            {
                return None;
            }
        }
        (_, Value::Object(object)) if key.ends_with("eriod") => {
            for bound in ["start", "end"] {
                if let Some(Value::String(text)) = object.remove(bound)
                    && let Some(text) = date(&text)
                {
                    object.insert(bound.into(), Value::String(text));
                }
            }
            if object.is_empty() {
                return None;
            }
        }
        _ => {}
    }
    Some(value)
}

/// A CodeableConcept; a Coding or what R5 wraps one in becomes one.
pub(super) fn concept(mut object: Map<String, Value>) -> Option<Value> {
    if let Some(Value::Object(inner)) = object.remove("concept") {
        return concept(inner);
    }
    let is_coding = object.get("code").is_some_and(Value::is_string);
    if is_coding && !object.contains_key("coding") {
        return Some(json!({ "coding": [object] }));
    }
    object.retain(|key, value| match key.as_str() {
        "coding" => value.is_array(),
        "text" => value.is_string(),
        "extension" => value.is_array(),
        "_text" => value.is_object(),
        _ => false,
    });
    (!object.is_empty()).then_some(Value::Object(object))
}

/// A Reference; that inside a CodeableReference of R5 or a performer of STU3 is taken out.
pub(super) fn link(mut object: Map<String, Value>) -> Option<Value> {
    for key in ["reference", "actor"] {
        if let Some(Value::Object(inner)) = object.get_mut(key) {
            return link(std::mem::take(inner));
        }
    }
    object.retain(|key, value| match key.as_str() {
        "reference" | "type" | "display" => value.is_string(),
        "identifier" => value.is_object(),
        "extension" => value.is_array(),
        _ => false,
    });
    (!object.is_empty()).then_some(Value::Object(object))
}

/// A date as R4 writes it. DSTU2 may leave out seconds, which R4 wants to be zero then.
fn date(text: &str) -> Option<String> {
    ClinicalDate::new(text).ok()?;
    let seconds = text.get(16..17) == Some(":");
    match (text.get(..16), text.get(16..)) {
        (Some(minute), Some(offset)) if !seconds => Some(format!("{minute}:00{offset}")),
        _ => Some(text.to_owned()),
    }
}

/// Keeps the security labels, and no claim to a profile.
fn security(meta: &Value, out: &mut Map<String, Value>) {
    let labels = meta.get("security").filter(|labels| {
        labels
            .as_array()
            .is_some_and(|labels| !labels.is_empty() && labels.iter().all(Value::is_object))
    });
    if let Some(labels) = labels {
        out.insert("meta".into(), json!({ "security": labels }));
    }
}

#[cfg(test)]
#[path = "r4_tests.rs"]
mod tests;
