//! Reading the header summary out of one FHIR resource in JSON, of any release.
//!
//! Lenient on purpose: a field that is missing, odd or of another release's shape is passed over.
//! Sources: FHIR DSTU2, STU3, R4, R4B and R5, the resource definitions.

use std::collections::BTreeSet;

use serde_json::Value;

use super::json::{Members, elements, too_deep};
use super::meta::{clean_field, clean_title};
use super::{Category, ClinicalDate, Kind, Label, RecordMeta, label};

/// Media type of a FHIR resource in JSON. Source: FHIR R4, section "Resource formats".
pub const FHIR_JSON: &str = "application/fhir+json";

/// Why a piece of JSON is not a FHIR resource that can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FhirError {
    /// Not a JSON object.
    #[error("not a JSON object")]
    NotAnObject,
    /// No `resourceType`.
    #[error("a resource without resourceType")]
    NoResourceType,
    /// `resourceType` is not the name of a type.
    #[error("resourceType is not the name of a resource type")]
    BadResourceType,
    /// Nested deeper than 127 levels.
    #[error("nested more than 127 levels deep")]
    TooDeep,
}

/// The summary of one resource. `text` is the JSON of that resource alone.
///
/// # Errors
/// [`FhirError`] when it is no resource, or one that other readers could not open.
pub fn summary(text: &str) -> Result<RecordMeta, FhirError> {
    let members = Members::parse(text).map_err(|_| FhirError::NotAnObject)?;
    summary_of(text, &members)
}

/// [`summary`] of a resource that is already taken apart.
pub(super) fn summary_of(text: &str, members: &Members<'_>) -> Result<RecordMeta, FhirError> {
    if !members.has("resourceType") {
        return Err(FhirError::NoResourceType);
    }
    let kind = members
        .text("resourceType")
        .and_then(|name| Kind::new(&name).ok())
        .ok_or(FhirError::BadResourceType)?;
    if too_deep(text) {
        return Err(FhirError::TooDeep);
    }
    let source_id = members
        .text("id")
        .map(|id| clean_field(&format!("{kind}/{id}")));
    Ok(RecordMeta {
        category: category(&kind, members),
        date: date(members),
        title: title(&kind, members),
        labels: labels(members),
        media_type: FHIR_JSON.to_owned(),
        source_id,
        kind,
        ..RecordMeta::default()
    })
}

fn value(members: &Members<'_>, key: &str) -> Option<Value> {
    serde_json::from_str(members.get(key)?).ok()
}

/// Where the time of a resource stands: when it happened comes before when it was written down.
const DATES: &[&str] = &[
    "effectiveDateTime",
    "effectivePeriod",
    "effectiveInstant",
    "effectiveTiming",
    "effectiveTimeDateTime",
    "effectiveTimePeriod",
    "onsetDateTime",
    "onsetPeriod",
    "onset",
    "performedDateTime",
    "performedPeriod",
    "occurrenceDateTime",
    "occurrencePeriod",
    "occurrenceTiming",
    "occurenceDateTime",
    "occurencePeriod",
    "occurredDateTime",
    "occurredPeriod",
    "identifiedDateTime",
    "identifiedPeriod",
    "whenHandedOver",
    "whenPrepared",
    "collection",
    "started",
    "start",
    "sent",
    "authoredOn",
    "dateWritten",
    "recordedDate",
    "assertedDate",
    "dateRecorded",
    "dateAsserted",
    "dateTime",
    "issued",
    "actualPeriod",
    "period",
    "context",
    "servicedDate",
    "servicedPeriod",
    "billablePeriod",
    "startDate",
    "statusDate",
    "date",
    "authored",
    "created",
    "recorded",
    "receivedTime",
];

fn date(members: &Members<'_>) -> Option<ClinicalDate> {
    DATES
        .iter()
        .find_map(|key| value(members, key).and_then(|value| date_in(&value)))
}

/// The date in a `dateTime`, Period, Timing, or one of the few elements that hold one.
fn date_in(value: &Value) -> Option<ClinicalDate> {
    match value {
        Value::String(text) => ClinicalDate::new(text).ok(),
        Value::Array(items) => items.iter().find_map(date_in),
        Value::Object(object) => [
            "start",
            "event",
            "collectedDateTime",
            "collectedPeriod",
            "period",
            "end",
        ]
        .iter()
        .find_map(|key| object.get(*key).and_then(date_in)),
        _ => None,
    }
}

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

fn title(kind: &Kind, members: &Members<'_>) -> String {
    let found = title_fields(kind.as_str()).iter().find_map(|key| {
        let value = value(members, key)?;
        let text = match contained(members, &value) {
            Some(resource) => resource.get("code").and_then(words),
            None => words(&value),
        };
        text.map(|text| clean_title(&text))
            .filter(|text| !text.is_empty())
    });
    found.unwrap_or_else(|| kind.to_string())
}

/// The contained resource that a reference like `#med1` points to.
fn contained(members: &Members<'_>, value: &Value) -> Option<Value> {
    let reference = value.get("reference")?;
    let reference = reference.get("reference").unwrap_or(reference);
    let id = reference.as_str()?.strip_prefix('#')?;
    let Value::Array(contained) = self::value(members, "contained")? else {
        return None;
    };
    contained
        .into_iter()
        .find(|resource| resource.get("id").and_then(Value::as_str) == Some(id))
}

/// The words for people in a string, Coding, CodeableConcept, CodeableReference, Reference,
/// HumanName, attachment or list of these.
fn words(value: &Value) -> Option<String> {
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

fn category(kind: &Kind, members: &Members<'_>) -> Category {
    match kind.as_str() {
        "Observation" | "DiagnosticReport" => by_tags(members).unwrap_or(Category::Other),
        "Specimen" => Category::Lab,
        "Medication"
        | "MedicationRequest"
        | "MedicationOrder"
        | "MedicationPrescription"
        | "MedicationStatement"
        | "MedicationUsage"
        | "MedicationDispense"
        | "MedicationAdministration" => Category::Medication,
        "Immunization" | "ImmunizationRecommendation" | "ImmunizationEvaluation" => {
            Category::Immunization
        }
        "Condition" => Category::Condition,
        "AllergyIntolerance" => Category::Allergy,
        "Procedure" | "ProcedureRequest" | "ServiceRequest" => Category::Procedure,
        "ImagingStudy"
        | "ImagingSelection"
        | "ImagingObjectSelection"
        | "ImagingManifest"
        | "Media" => Category::Imaging,
        "DocumentReference" | "DocumentManifest" | "Composition" | "ClinicalImpression" => {
            Category::Note
        }
        "Coverage"
        | "Claim"
        | "ClaimResponse"
        | "ExplanationOfBenefit"
        | "InsurancePlan"
        | "CoverageEligibilityRequest"
        | "CoverageEligibilityResponse"
        | "EligibilityRequest"
        | "EligibilityResponse" => Category::Coverage,
        "Patient" | "Person" | "RelatedPerson" => Category::Identity,
        _ => Category::Other,
    }
}

/// The category that an Observation's or report's own `category` codes say.
fn by_tags(members: &Members<'_>) -> Option<Category> {
    let mut found: Vec<Category> = Vec::new();
    let concepts = match value(members, "category")? {
        Value::Array(concepts) => concepts,
        one => vec![one],
    };
    for concept in &concepts {
        let codings = concept.get("coding").and_then(Value::as_array);
        let codes = codings.into_iter().flatten().map(|c| c.get("code"));
        for code in codes.chain([concept.get("text")]).flatten() {
            found.extend(code.as_str().and_then(tag));
        }
    }
    // a report may be filed under several; the most telling wins
    [
        Category::Imaging,
        Category::Lab,
        Category::Vitals,
        Category::Procedure,
        Category::Note,
    ]
    .into_iter()
    .find(|category| found.contains(category))
}

/// Observation category codes, HL7 v2 table 0074 (diagnostic service sections), and the LOINC codes
/// that US Core uses for reports.
fn tag(code: &str) -> Option<Category> {
    let category = match code.to_ascii_lowercase().as_str() {
        "laboratory" | "lab" | "hm" | "ch" | "mb" | "sp" | "cg" | "ge" | "pat" | "blb" | "bg"
        | "cp" | "imm" | "mcb" | "myc" | "par" | "sr" | "tx" | "vr" | "lp7839-6" | "lp29693-6"
        | "26436-6" => Category::Lab,
        "vital-signs" | "vital-sign" | "vital signs" | "vitals" => Category::Vitals,
        "imaging" | "radiology" | "rad" | "rx" | "rus" | "ct" | "nmr" | "nms" | "mri" | "cus"
        | "ous" | "vus" | "xrc" | "lp29684-5" | "18748-4" => Category::Imaging,
        "procedure" => Category::Procedure,
        // notes: history and physical, evaluation and plan, progress, consultation, discharge
        "34117-2" | "51847-2" | "11506-3" | "11488-4" | "18842-5" | "28570-0" | "clinical-note" => {
            Category::Note
        }
        _ => return None,
    };
    Some(category)
}

/// Every label of a resource: of its own `meta`, of what it contains, and the fields of documents.
fn labels(members: &Members<'_>) -> BTreeSet<Label> {
    let mut labels = BTreeSet::new();
    add_labels(members, &mut labels);
    for contained in members.all("contained").filter_map(elements).flatten() {
        if let Ok(contained) = Members::parse(contained) {
            add_labels(&contained, &mut labels);
        }
    }
    labels
}

fn add_labels(members: &Members<'_>, labels: &mut BTreeSet<Label>) {
    for meta in members.all("meta").filter_map(|m| Members::parse(m).ok()) {
        for security in meta.all("security") {
            add_codings(security, labels);
        }
    }
    // DocumentReference.securityLabel: CodeableConcepts; Composition.confidentiality: a code
    for concepts in members.all("securityLabel") {
        for concept in elements(concepts).unwrap_or_else(|| vec![concepts]) {
            let concept = Members::parse(concept).ok();
            match concept.as_ref().and_then(|c| c.get("coding")) {
                Some(codings) => add_codings(codings, labels),
                None => labels.extend([Label::unclear()]),
            }
        }
    }
    if let Some(code) = members.text("confidentiality") {
        labels.extend(label::from_coding(None, Some(&code)));
    }
}

fn add_codings(codings: &str, labels: &mut BTreeSet<Label>) {
    let coding = |coding: &Value| {
        let text = |key: &str| coding.get(key).and_then(Value::as_str);
        label::from_coding(text("system"), text("code"))
    };
    match serde_json::from_str(codings) {
        Ok(Value::Array(codings)) => labels.extend(codings.iter().filter_map(coding)),
        Ok(Value::Null) => {}
        Ok(one) => labels.extend(coding(&one)),
        Err(_) => labels.extend([Label::unclear()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> RecordMeta {
        summary(text).unwrap()
    }

    fn with(rest: &str) -> RecordMeta {
        of(&format!(r#"{{"resourceType":"X",{rest}}}"#))
    }

    #[test]
    fn a_laboratory_result() {
        let meta = of(
            r#"{"resourceType":"Observation","id":"123","status":"final",
            "meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]},
            "category":[{"coding":[{"code":"laboratory"}]}],
            "code":{"coding":[{"system":"http://loinc.org","code":"718-7","display":"Haemoglobin"}]},
            "effectiveDateTime":"2024-03-01T08:00:00Z","issued":"2024-03-02T08:00:00Z"}"#,
        );
        assert_eq!(meta.kind.as_str(), "Observation");
        assert_eq!(meta.category, Category::Lab);
        assert_eq!(meta.date.unwrap().as_str(), "2024-03-01T08:00:00Z");
        assert_eq!(meta.title, "Haemoglobin");
        assert_eq!(meta.labels, [Label::new("HIV").unwrap()].into());
        assert_eq!(meta.media_type, FHIR_JSON);
        assert_eq!(meta.source_id.as_deref(), Some("Observation/123"));
    }

    #[test]
    fn categories_by_type_and_by_tag() {
        use Category::*;
        for (rest, expected) in [
            (
                r#""Observation","category":{"coding":[{"code":"vital-signs"}]}"#,
                Vitals,
            ),
            (r#""Observation","category":[{"text":"Laboratory"}]"#, Lab),
            (
                r#""Observation","category":[{"coding":[{"code":"survey"}]}]"#,
                Other,
            ),
            (r#""Observation""#, Other),
            (
                r#""DiagnosticReport","category":[{"coding":[{"code":"LAB"}]}]"#,
                Lab,
            ),
            (
                r#""DiagnosticReport","category":[{"coding":[{"code":"LP29684-5"}]}]"#,
                Imaging,
            ),
            (
                r#""DiagnosticReport","category":[{"coding":[{"code":"34117-2"}]}]"#,
                Note,
            ),
            (r#""MedicationOrder""#, Medication),
            (r#""Immunization""#, Immunization),
            (r#""ExplanationOfBenefit""#, Coverage),
            (r#""Patient""#, Identity),
            (r#""Somethingnew""#, Other),
        ] {
            let text = format!(r#"{{"resourceType":{rest}}}"#);
            assert_eq!(of(&text).category, expected, "{text}");
        }
    }

    #[test]
    fn dates_of_every_shape() {
        for (rest, expected) in [
            (
                r#""effectivePeriod":{"end":"2024","start":"2023-01"}"#,
                Some("2023-01"),
            ),
            (
                r#""onset":"as a child","recordedDate":"2020""#,
                Some("2020"),
            ),
            (
                r#""effectiveDateTime":7,"issued":"2020-01-02""#,
                Some("2020-01-02"),
            ),
            (
                r#""collection":{"collectedDateTime":"2021-05"}"#,
                Some("2021-05"),
            ),
            (
                r#""context":{"period":{"start":"2019"}},"date":"2020""#,
                Some("2019"),
            ),
            (r#""birthDate":"1950-01-01""#, None),
        ] {
            let date = with(rest).date;
            assert_eq!(date.as_ref().map(ClinicalDate::as_str), expected, "{rest}");
        }
    }

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
            assert_eq!(of(&text).title, expected, "{text}");
        }
    }

    #[test]
    fn no_label_slips_through() {
        let labels = |rest: &str| -> Vec<String> {
            with(rest).labels.iter().map(Label::to_string).collect()
        };
        let system = r#""system":"http://terminology.hl7.org/CodeSystem/v3-ActCode""#;
        let psy = format!(r#"{{"security":[{{{system},"code":"PSY"}}]}}"#);
        assert_eq!(labels(&format!(r#""meta":{psy},"meta":{{}}"#)), ["PSY"]);
        assert_eq!(
            labels(&format!(r#""contained":[{{"meta":{psy}}}]"#)),
            ["PSY"]
        );
        assert_eq!(
            labels(r#""meta":{"security":[{"code":"R"},7]}"#),
            ["R", "UNCLEAR"]
        );
        assert_eq!(labels(r#""meta":{"security":{"code":"V"}}"#), ["V"]);
        assert_eq!(labels(r#""meta":{"security":"\ud800"}"#), ["UNCLEAR"]);
        assert_eq!(
            labels(r#""securityLabel":[{"coding":[{"code":"R"}]},{"text":"keep"}]"#),
            ["R", "UNCLEAR"]
        );
        assert_eq!(labels(r#""confidentiality":"N""#), ["N"]);
        assert!(labels(r#""meta":{"security":[]}"#).is_empty());
    }

    #[test]
    fn what_is_no_resource_says_so() {
        assert_eq!(summary("[]"), Err(FhirError::NotAnObject));
        assert_eq!(summary("{}"), Err(FhirError::NoResourceType));
        let odd = r#"{"resourceType":"Pat ient"}"#;
        assert_eq!(summary(odd), Err(FhirError::BadResourceType));
    }

    #[test]
    fn odd_fields_never_fail() {
        let odd = r#"{"resourceType":"Observation","id":7,"meta":5,"category":9,"code":[[]],
            "effectiveDateTime":{"a":[]},"contained":{},"securityLabel":[]}"#;
        let meta = of(odd);
        assert_eq!(meta.title, "Observation");
        assert_eq!(meta.source_id, None);
    }
}
