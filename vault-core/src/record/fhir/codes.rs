//! What a resource is about, in the codes of terminologies.
//!
//! Taken from the element that names the resource, whatever the release calls it; never from a
//! result's value. A record of diagnoses without a name of its own (a claim, a family history) is
//! about those diagnoses.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fields::Fields;
use crate::record::{Code, Kind, MAX_CODES};

/// Most codings of one resource that are looked at.
const MAX_CODINGS: usize = 64;

/// Deepest element that codings are looked for in, counted from the field.
const MAX_LEVELS: usize = 6;

/// Fields with the codes of what a resource is about. The first group that has any counts.
fn code_fields(kind: &str) -> &'static [&'static [&'static str]] {
    match kind {
        "AllergyIntolerance" => &[&["code"], &["substance"], &["reaction"]],
        "Composition" | "DocumentReference" | "DocumentManifest" => &[&["type"]],
        "Encounter" => &[&["type"], &["serviceType"], &["class"]],
        "CarePlan" | "CareTeam" => &[&["category"]],
        "Goal" => &[&["description"]],
        "FamilyMemberHistory" => &[&["condition"], &["relationship"]],
        "ImagingStudy" => &[
            &["procedureCode", "procedure", "code", "modality"],
            &["modalityList"],
            &["series"],
        ],
        "ImmunizationRecommendation" => &[&["recommendation"]],
        "Claim" | "ExplanationOfBenefit" => &[&["diagnosis"], &["type"]],
        "Patient" | "Practitioner" | "Person" | "RelatedPerson" => &[],
        _ => &[
            &["code"],
            &["vaccineCode"],
            &[
                "medicationCodeableConcept",
                "medicationReference",
                "medication",
            ],
            &["type"],
        ],
    }
}

/// At most [`MAX_CODES`]; those of systems that everybody knows come before others.
pub(super) fn codes(kind: &Kind, fields: &Fields<'_, '_>) -> BTreeSet<Code> {
    let mut found = Vec::new();
    for group in code_fields(kind.as_str()) {
        for value in group.iter().filter_map(|key| fields.get(key)) {
            collect(&value, fields, MAX_LEVELS, &mut found);
        }
        if !found.is_empty() {
            break;
        }
    }
    found.sort_by_key(|code: &Code| !code.is_well_known());
    let mut codes = BTreeSet::new();
    for code in found {
        if codes.len() == MAX_CODES {
            break;
        }
        codes.insert(code);
    }
    codes
}

/// Where the codings of an element stand, if they do not stand in itself.
const INSIDE: &[&str] = &[
    "coding",
    "concept",
    "code",
    "substance",
    "modality",
    "vaccineCode",
    "diagnosisCodeableConcept",
];

/// The codings in a Coding, CodeableConcept, CodeableReference, in the contained resource that a
/// Reference points to, in an element that has one of these, or a list of them.
fn collect(value: &Value, fields: &Fields<'_, '_>, levels: usize, found: &mut Vec<Code>) {
    let Some(levels) = levels.checked_sub(1).filter(|_| found.len() < MAX_CODINGS) else {
        return;
    };
    match value {
        Value::Array(items) => {
            for item in items.iter().take(MAX_CODINGS) {
                collect(item, fields, levels, found);
            }
        }
        Value::Object(object) => {
            if let Some(code) = object.get("code").and_then(Value::as_str) {
                let system = object.get("system").and_then(Value::as_str);
                // a code without its system says nothing to anybody else
                if system.is_some_and(|system| !system.trim().is_empty()) {
                    found.extend(Code::from_coding(system, code));
                }
                return;
            }
            if let Some(resource) = fields.contained(value) {
                if let Some(code) = resource.get("code") {
                    collect(code, fields, levels, found);
                }
                return;
            }
            for inner in INSIDE.iter().filter_map(|key| object.get(*key)) {
                collect(inner, fields, levels, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::record::summary;

    fn codes(rest: &str) -> Vec<String> {
        let meta = summary(&format!(r#"{{"resourceType":{rest}}}"#)).unwrap();
        meta.codes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn of_every_element_that_names_a_resource() {
        for (rest, expected) in [
            (
                r#""Observation","code":{"coding":[{"system":"http://loinc.org","code":"4548-4"},
                    {"system":"urn:oid:1.2.3","code":"HbA1c"}]},
                    "valueCodeableConcept":{"coding":[{"system":"http://snomed.info/sct","code":"1"}]}"#,
                &["1.2.3|HbA1c", "loinc|4548-4"][..],
            ),
            (
                r#""Immunization","vaccineCode":{"coding":{"system":"http://hl7.org/fhir/sid/cvx","code":"140"}}"#,
                &["cvx|140"],
            ),
            (
                r#""Immunization","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"140"}]}"#,
                &["cvx|140"],
            ),
            (
                r#""MedicationRequest","medicationCodeableConcept":{"coding":[
                    {"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"314076"}]}"#,
                &["rxnorm|314076"],
            ),
            (
                r##""MedicationOrder","medicationReference":{"reference":"#m"},"contained":[{"id":"m",
                    "code":{"coding":[{"system":"http://www.whocc.no/atc","code":"C09AA03"}]}}]"##,
                &["atc|C09AA03"],
            ),
            (
                r##""MedicationRequest","medication":{"reference":{"reference":"#m"}},"contained":[{"id":"m",
                    "code":{"coding":[{"system":"http://www.whocc.no/atc","code":"C09AA03"}]}}]"##,
                &["atc|C09AA03"],
            ),
            (
                r#""MedicationRequest","medication":{"concept":{"coding":[
                    {"system":"http://www.whocc.no/atc","code":"C09AA03"}]}}"#,
                &["atc|C09AA03"],
            ),
            (
                r#""AllergyIntolerance","substance":{"coding":[{"system":"http://snomed.info/sct","code":"91936005"}]}"#,
                &["snomed|91936005"],
            ),
            (
                r#""AllergyIntolerance","reaction":[{"substance":{"coding":[
                    {"system":"http://snomed.info/sct","code":"91936005"}]},
                    "manifestation":[{"coding":[{"system":"http://snomed.info/sct","code":"39579001"}]}]}]"#,
                &["snomed|91936005"],
            ),
            (
                r#""DocumentReference","type":{"coding":[{"system":"http://loinc.org","code":"18842-5"}]},
                    "category":[{"coding":[{"system":"http://loinc.org","code":"11488-4"}]}]"#,
                &["loinc|18842-5"],
            ),
            (
                r#""Encounter","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},
                    "type":[{"coding":[{"system":"http://snomed.info/sct","code":"185349003"}]}]"#,
                &["snomed|185349003"],
            ),
            (
                r#""FamilyMemberHistory","condition":[{"code":{"coding":[
                    {"system":"http://hl7.org/fhir/sid/icd-10","code":"C50"}]}}]"#,
                &["icd10|C50"],
            ),
            (
                r#""ImagingStudy","modality":[{"system":"http://dicom.nema.org/resources/ontology/DCM","code":"CT"}],
                    "procedureCode":[{"coding":[{"system":"http://loinc.org","code":"24627-2"}]}]"#,
                &["dcm|CT", "loinc|24627-2"],
            ),
            (
                r#""Claim","diagnosis":[{"diagnosisCodeableConcept":{"coding":[
                    {"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"J45.909"}]}}]"#,
                &["icd10cm|J45.909"],
            ),
            (r#""Condition","code":{"text":"Asthma"}"#, &[]),
            (
                r#""Condition","code":{"coding":[{"code":"195967001"}]}"#,
                &[],
            ),
            (
                r#""Condition","code":{"coding":[{"system":"http://x.example","code":7},9,[]]}"#,
                &[],
            ),
            (
                r#""Patient","type":{"coding":[{"system":"http://x.example","code":"a"}]}"#,
                &[],
            ),
        ] {
            assert_eq!(codes(rest), expected, "{rest}");
        }
    }

    #[test]
    fn few_and_the_known_ones_first() {
        let local: Vec<String> = (0..90)
            .map(|n| format!(r#"{{"system":"http://a.example","code":"{n}"}}"#))
            .collect();
        let many = format!(
            r#""Condition","code":{{"coding":[{},{{"system":"http://snomed.info/sct","code":"73211009"}}]}}"#,
            local[..40].join(",")
        );
        let kept = codes(&many);
        assert_eq!(kept.len(), 6);
        assert!(kept.contains(&"snomed|73211009".to_owned()));
        assert_eq!(
            codes(&format!(r#""Condition","code":[{}]"#, local.join(","))).len(),
            6
        );
    }
}
