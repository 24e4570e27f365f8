//! One line for people about a resource.

use serde_json::Value;

use super::fields::Fields;
use super::standing::standing;
use crate::record::{Kind, clean_title};

/// Fields that name a resource, the best first.
fn title_fields(kind: &str) -> &'static [&'static str] {
    match kind {
        "Patient" | "Practitioner" | "Person" | "RelatedPerson" => &["name"],
        "AllergyIntolerance" => &["code", "substance", "reaction"],
        "Composition" => &["title", "type"],
        "DocumentReference" | "DocumentManifest" => &["type", "description", "content"],
        "CarePlan" => &["title", "category", "description"],
        "Encounter" => &["type", "serviceType", "class"],
        "FamilyMemberHistory" => &["relationship", "name"],
        "Device" => &["deviceName", "displayName", "name", "type"],
        "ImagingStudy" => &["description", "procedureCode", "code", "modality", "series"],
        "Coverage" => &["type", "payor", "insurer", "kind"],
        "PractitionerRole" => &["code", "specialty", "practitioner"],
        _ => &[
            "code",
            "vaccineCode",
            "medicationCodeableConcept",
            "medicationReference",
            "medication",
            "title",
            "name",
            "type",
            "description",
            "topic",
            "category",
        ],
    }
}

/// The first words that name the resource, or its type, after what keeps it from being a fact.
pub(super) fn title(kind: &Kind, fields: &Fields<'_, '_>) -> String {
    let found = title_fields(kind.as_str()).iter().find_map(|key| {
        let value = fields.get(key)?;
        let text = match fields.contained(&value) {
            Some(resource) => resource.get("code").and_then(words),
            None => words(&value),
        };
        text.map(|text| clean_title(&text))
            .filter(|text| !text.is_empty())
    });
    let title = found.unwrap_or_else(|| kind.to_string());
    match standing(kind, fields) {
        Some(before) if !title.starts_with(before) => clean_title(&format!("{before}{title}")),
        _ => title,
    }
}

/// The words for people in a string, Coding, CodeableConcept, CodeableReference, Reference,
/// HumanName, attachment or list of these.
pub(super) fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Array(items) => items.iter().find_map(words),
        Value::Object(object) => {
            let text = |key: &str| object.get(key).and_then(words);
            let first_display = || {
                object
                    .get("coding")
                    .and_then(Value::as_array)?
                    .iter()
                    .find_map(|coding| coding.get("display").and_then(words))
            };
            text("text")
                .or_else(|| text("display"))
                .or_else(|| human_name(value))
                .or_else(first_display)
                .or_else(|| OTHER_WORDS.iter().find_map(|key| text(key)))
        }
        _ => None,
    }
}

/// Where else the words of an element may stand, the best first.
const OTHER_WORDS: &[&str] = &[
    "coding",
    "concept",
    "name",
    "value",
    "substance",
    "attachment",
    "title",
    "modality",
    "code",
];

fn human_name(value: &Value) -> Option<String> {
    let all = |key: &str| -> Vec<String> {
        match value.get(key) {
            Some(Value::Array(items)) => items.iter().filter_map(words).collect(),
            Some(one) => words(one).into_iter().collect(),
            None => Vec::new(),
        }
    };
    let mut parts = all("given");
    parts.extend(all("family"));
    (!parts.is_empty()).then(|| parts.join(" "))
}

#[cfg(test)]
mod tests {
    use crate::record::summary;

    #[test]
    fn titles_for_people() {
        for (rest, expected) in [
            (
                r#""Patient","name":[{"given":["Ann","Q"],"family":"Lee"}]"#,
                "Ann Q Lee",
            ),
            (
                r#""Patient","name":[{"given":["Ann"],"family":["van","Lee"]}]"#,
                "Ann van Lee",
            ),
            (
                r#""Condition","code":{"text":"Asthma","coding":[{"display":"x"}]}"#,
                "Asthma",
            ),
            (
                r#""Condition","code":{"coding":[{"code":"195967001"}]}"#,
                "195967001",
            ),
            (
                r##""MedicationRequest","medicationReference":{"reference":"#m"},
                    "contained":[{"id":"m","code":{"text":"Aspirin"}}]"##,
                "Aspirin",
            ),
            (
                r##""MedicationRequest","medication":{"reference":{"reference":"#m"}},
                    "contained":[{"id":"m","code":{"text":"Aspirin"}}]"##,
                "Aspirin",
            ),
            (
                r#""MedicationRequest","medication":{"concept":{"text":"Aspirin"}}"#,
                "Aspirin",
            ),
            (
                r#""Immunization","vaccineCode":{"coding":[{"display":"Flu"}]}"#,
                "Flu",
            ),
            (
                r#""Organization","name":"Lab \u001b[31mNorth""#,
                "Lab [31mNorth",
            ),
            (r#""Provenance","code":{"text":"  "}"#, "Provenance"),
            (r#""Provenance","code":{"text":"\ud800"}"#, "Provenance"),
        ] {
            let text = format!(r#"{{"resourceType":{rest}}}"#);
            assert_eq!(summary(&text).unwrap().title, expected, "{text}");
        }
    }
}
