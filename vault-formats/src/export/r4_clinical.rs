//! Doses, reactions and doers, whose shape changed most between the releases, in the shape of R4.

use serde_json::{Map, Value, json};

use super::r4::link;
use super::r4_elements::Holds;
use super::r4_parts::{moved, only, shaped};
use crate::overview::dosage;

/// A Dosage of R4 as it is; of any other, what it says in words.
pub(super) fn dose(resource: &Value, part: Map<String, Value>) -> Option<Value> {
    const R4: &[&str] = &[
        "id",
        "extension",
        "modifierExtension",
        "sequence",
        "text",
        "additionalInstruction",
        "patientInstruction",
        "timing",
        "asNeededBoolean",
        "asNeededCodeableConcept",
        "site",
        "route",
        "method",
        "doseAndRate",
        "maxDosePerPeriod",
        "maxDosePerAdministration",
        "maxDosePerLifetime",
    ];
    let part = Value::Object(part);
    let object = part.as_object()?;
    let known = object
        .keys()
        .all(|key| R4.contains(&key.strip_prefix('_').unwrap_or(key)));
    let list = |key: &str| object.get(key).is_none_or(Value::is_array);
    let one = |key: &str| object.get(key).is_none_or(Value::is_object);
    let text = |key: &str| object.get(key).is_none_or(Value::is_string);
    let repeat = object.get("timing").and_then(|timing| timing.get("repeat"));
    let old_timing = repeat.is_some_and(|repeat| {
        let of_r4 = |key: &String| {
            key.starts_with("bounds")
                || matches!(
                    key.as_str(),
                    "count"
                        | "countMax"
                        | "duration"
                        | "durationMax"
                        | "durationUnit"
                        | "frequency"
                        | "frequencyMax"
                        | "period"
                        | "periodMax"
                        | "periodUnit"
                        | "dayOfWeek"
                        | "timeOfDay"
                        | "when"
                        | "offset"
                        | "id"
                        | "extension"
                )
        };
        let lists = ["dayOfWeek", "timeOfDay", "when"];
        !repeat
            .as_object()
            .is_some_and(|repeat| repeat.keys().all(of_r4))
            || lists
                .iter()
                .any(|key| repeat.get(key).is_some_and(|value| !value.is_array()))
    });
    let shapes = list("additionalInstruction")
        && list("doseAndRate")
        && ["timing", "site", "route", "method", "maxDosePerPeriod"]
            .into_iter()
            .all(one)
        && ["text", "patientInstruction"].into_iter().all(text);
    if known && shapes && !old_timing {
        return Some(part);
    }
    dosage(resource, &part).map(|text| json!({ "text": text }))
}

/// What happened in an allergy, or after an immunization.
pub(super) fn reaction(resource: &Value, mut part: Map<String, Value>) -> Option<Value> {
    if resource.get("vaccineCode").is_some() {
        if let Some(Value::Object(what)) = part.remove("manifestation")
            && let Some(Value::Object(inner)) = what.get("reference")
        {
            part.insert("detail".into(), Value::Object(inner.clone()));
        }
        return only(part, &["date", "detail", "reported"], "");
    }
    shaped(&mut part, "manifestation", Holds::Concept, true);
    shaped(&mut part, "note", Holds::Object, true);
    shaped(&mut part, "onset", Holds::Date, false);
    if !part.contains_key("manifestation") {
        let text = part
            .get("description")
            .filter(|text| text.is_string())?
            .clone();
        part.insert("manifestation".into(), json!([{ "text": text }]));
    }
    only(
        part,
        &[
            "substance",
            "manifestation",
            "description",
            "onset",
            "severity",
            "exposureRoute",
            "note",
        ],
        "manifestation",
    )
}

/// Who did it: a part with an actor for what was done to a person, else a reference.
pub(super) fn performer(resource: &Value, mut part: Map<String, Value>) -> Option<Value> {
    let kind = resource.get("resourceType").and_then(Value::as_str);
    if !matches!(kind, Some("Immunization" | "Procedure")) {
        return link(part);
    }
    if !part.contains_key("actor") {
        return link(part).map(|actor| json!({ "actor": actor }));
    }
    moved(&mut part, "role", "function");
    shaped(&mut part, "function", Holds::Concept, false);
    shaped(&mut part, "actor", Holds::Link, false);
    only(part, &["function", "actor", "onBehalfOf"], "actor")
}

/// Which dose of which series; R4 requires a number.
pub(super) fn protocol(mut part: Map<String, Value>) -> Option<Value> {
    for (old, base) in [
        ("doseNumber", "doseNumber"),
        ("doseSequence", "doseNumber"),
        ("seriesDoses", "seriesDoses"),
    ] {
        match part.remove(old) {
            Some(number @ Value::Number(_)) => part.insert(format!("{base}PositiveInt"), number),
            Some(text @ Value::String(_)) => part.insert(format!("{base}String"), text),
            _ => None,
        };
    }
    shaped(&mut part, "targetDisease", Holds::Concept, true);
    let numbered =
        part.contains_key("doseNumberPositiveInt") || part.contains_key("doseNumberString");
    let members = [
        "series",
        "authority",
        "targetDisease",
        "doseNumberPositiveInt",
        "doseNumberString",
        "seriesDosesPositiveInt",
        "seriesDosesString",
    ];
    only(part, &members, "").filter(|_| numbered)
}
