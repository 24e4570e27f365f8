use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use super::*;

const PATIENT: &str = include_str!("../../../samples/fhir-xml/patient.xml");
const PATIENT_JSON: &str = include_str!("../../../samples/fhir-xml/patient.json");
const BUNDLE: &str = include_str!("../../../samples/fhir-xml/bundle.xml");

pub(super) fn understood(text: &str) -> Understood {
    understand(text.as_bytes(), "a.xml", Moment(0)).unwrap()
}

pub(super) fn contents(understood: &Understood) -> Vec<Value> {
    let parse = |derived: &crate::Derived| serde_json::from_slice(&derived.content).unwrap();
    understood.derived.iter().map(parse).collect()
}

fn labels(meta: &RecordMeta) -> Vec<&str> {
    meta.labels.iter().map(Label::as_str).collect()
}

pub(super) fn problems(understood: &Understood) -> Vec<String> {
    understood
        .problems
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_patient_in_json_as_written_by_hand() {
    let patient = understood(PATIENT);
    assert_eq!(problems(&patient), [""; 0]);
    let expected: Value = serde_json::from_str(PATIENT_JSON).unwrap();
    let contents = contents(&patient);
    assert_eq!(contents.len(), 2);
    assert_eq!(contents[0], expected);
    assert_eq!(
        contents[1]["target"],
        json!([{"reference": "Patient/mira"}])
    );
    let meta = &patient.meta;
    assert_eq!(meta.kind.as_str(), "Document");
    assert_eq!(meta.media_type, "application/fhir+xml");
    assert_eq!(meta.category, Category::Identity);
    assert_eq!(
        (meta.title.as_str(), labels(meta)),
        ("Mira Lind", vec!["R"])
    );
    assert_eq!(meta.source_id, None);
    let names: Vec<_> = patient.about.iter().map(Person::shown).collect();
    assert_eq!(names, ["Mira Lind (1980-05-06)"]);
    assert_eq!(
        patient.derived[0].meta.source_id.as_deref(),
        Some("Patient/mira")
    );
}

#[test]
fn a_bundle_with_prefixes_and_a_bundle_in_it() {
    let bundle = understood(BUNDLE);
    assert_eq!(problems(&bundle), [""; 0]);
    assert_eq!(bundle.meta.title, "Patient record (2 resources)");
    assert_eq!(bundle.meta.date, "2025-01-02".parse().ok());
    assert_eq!(bundle.meta.category, Category::Other);
    assert_eq!(labels(&bundle.meta), ["PSY"]);
    let mut contents = contents(&bundle);
    assert_eq!(contents.len(), 3);
    let id = contents[0].as_object_mut().unwrap().remove("id").unwrap();
    assert_eq!(id.as_str().unwrap().len(), 32);
    assert_eq!(
        contents[0],
        serde_json::from_str::<Value>(
            r#"{
                "resourceType": "Observation",
                "text": {
                    "status": "generated",
                    "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><b>Glucose</b></div>"
                },
                "status": "final",
                "category": [{"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                    "code": "laboratory"
                }]}],
                "code": {"coding": [{
                    "system": "http://loinc.org",
                    "code": "15074-8",
                    "display": "Glucose",
                    "userSelected": false
                }]},
                "effectiveDateTime": "2024-03-09",
                "valueQuantity": {"value": 6.30, "unit": "mmol/L"},
                "referenceRange": [{"low": {"value": 3.1}}]
            }"#
        )
        .unwrap()
    );
    assert_eq!(
        contents[1],
        serde_json::from_str::<Value>(
            r#"{
                "resourceType": "MedicationRequest",
                "id": "m1",
                "status": "active",
                "intent": "order",
                "medicationCodeableConcept": {"text": "Metformin 500\nmg"},
                "subject": {"reference": "Patient/elsewhere"},
                "authoredOn": "2025-01-02",
                "dosageInstruction": [{
                    "sequence": 1,
                    "timing": {
                        "event": ["2025-01-03"],
                        "repeat": {
                            "frequency": 2, "period": 1.0, "periodUnit": "d", "when": ["MORN"]
                        }
                    },
                    "doseAndRate": [{"doseQuantity": {"value": 0.50}}]
                }]
            }"#
        )
        .unwrap()
    );
    for derived in &bundle.derived {
        assert_eq!(labels(&derived.meta), ["PSY"]);
    }
    let targets = contents[2]["target"].as_array().unwrap();
    assert_eq!(targets[1]["reference"], "MedicationRequest/m1");
}

#[test]
fn other_files_are_left_alone() {
    for other in [
        "",
        "text",
        "{\"resourceType\":\"Patient\"}",
        "<Patient/>",
        "<Patient xmlns='http://example.org'/>",
        "<p:Patient xmlns='http://hl7.org/fhir'/>",
        "<ClinicalDocument xmlns='urn:hl7-org:v3'/>",
        "<patient xmlns='http://hl7.org/fhir'/>",
        "<Patient xmlns='http://hl7.org/fhir",
        "x<Patient xmlns='http://hl7.org/fhir'/>",
    ] {
        assert!(!looks_like(other.as_bytes()), "{other}");
        assert!(understand(other.as_bytes(), "", Moment(0)).is_none());
    }
    assert!(looks_like(
        b"\xef\xbb\xbf<Patient xmlns='http://hl7.org/fhir'>"
    ));
    assert!(looks_like(&BUNDLE.as_bytes()[..200]));
}

#[test]
fn what_cannot_be_read_is_kept_and_labelled() {
    let open = "<Patient xmlns='http://hl7.org/fhir'>";
    let nested = format!("{open}{}", "<extension url='a'>".repeat(200));
    let many = format!("{open}{}</Patient>", "<id value='a'/>".repeat(200_001));
    let wide: String = (0..65).map(|n| format!(" a{n}='1'")).collect();
    for (text, what) in [
        (open.to_owned(), "not well-formed XML"),
        (
            format!("{open}<active value='true'></Patient>"),
            "not well-formed XML",
        ),
        (
            format!("{open}</Patient>{open}</Patient>"),
            "not well-formed XML",
        ),
        (format!("{open}</Patient>more"), "not well-formed XML"),
        (
            format!("{open}<id value='&who;'/></Patient>"),
            "not well-formed XML",
        ),
        (
            format!("{open}<q:id value='a'/></Patient>"),
            "not well-formed XML",
        ),
        (
            format!("{open}<id value='a' value='b'/></Patient>"),
            "not well-formed XML",
        ),
        (
            format!("<!DOCTYPE Patient [<!ENTITY who 'x'>]>{open}</Patient>"),
            "XML with a document type declaration is not read",
        ),
        (nested, "nested more than 127 levels deep"),
        (many, "a resource of more than 200000 elements"),
        (
            format!("{open}<id{wide}/></Patient>"),
            "an element with too many attributes or namespaces",
        ),
    ] {
        let broken = understood(&text);
        assert_eq!(problems(&broken), [format!("file: {what}")]);
        assert!(broken.derived.is_empty());
        assert_eq!(labels(&broken.meta), ["UNCLEAR"]);
        assert_eq!(broken.meta.title, "a.xml");
    }
    let latin = b"<Patient xmlns='http://hl7.org/fhir'><id value='\xe9'/></Patient>";
    let latin = understand(latin, "a.xml", Moment(0)).unwrap();
    assert_eq!(problems(&latin), ["file: the text is not UTF-8"]);
}

#[test]
fn a_resource_too_deep_for_json_is_the_only_one_left_out() {
    // an extension is a list and an object
    let deep = format!(
        "{}{}",
        "<extension url='a'>".repeat(70),
        "</extension>".repeat(70)
    );
    let entry = |inside: &str| format!("<entry><resource><Flag>{inside}</Flag></resource></entry>");
    let entries = entry("<id value='a'/>") + &entry(&deep) + &entry("");
    let bundle = understood(&format!(
        "<Bundle xmlns='http://hl7.org/fhir'>{entries}</Bundle>"
    ));
    let what = "resource 2: nested more than 127 levels deep";
    assert_eq!(problems(&bundle), [what]);
    assert_eq!(bundle.derived.len(), 3);
    assert_eq!(labels(&bundle.meta), ["UNCLEAR"]);
}

#[test]
fn a_large_bundle_is_read_in_time_and_a_larger_one_refused() {
    let bundle = |count: usize| {
        let entry = "<entry><resource><Flag><status value='active'/></Flag></resource></entry>";
        format!(
            "<Bundle xmlns='http://hl7.org/fhir'>{}</Bundle>",
            entry.repeat(count)
        )
    };
    assert_eq!(understood(&bundle(3000)).derived.len(), 3001);
    let refused = understood(&bundle(MAX_RESOURCES + 1));
    assert_eq!(
        problems(&refused),
        ["file: more resources than one file may hold"]
    );
    assert!(refused.derived.is_empty());
}

#[test]
fn never_panics() {
    for sample in [PATIENT, BUNDLE] {
        let bytes = sample.as_bytes();
        for end in 0..bytes.len() {
            let _ = understand(&bytes[..end], "", Moment(0));
        }
        for at in 0..bytes.len() {
            for flip in [0x01, 0x10, 0x80] {
                let mut bytes = bytes.to_vec();
                bytes[at] ^= flip;
                let _ = understand(&bytes, "", Moment(0));
            }
        }
    }
}

pub(super) fn sample_data(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("MEDVAULT_SAMPLE_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")),
        PathBuf::from,
    );
    let path = folder.join("data").join(path);
    if !path.exists() {
        println!("skipped: no sample data");
        return None;
    }
    Some(path)
}

#[test]
fn the_dstu2_sample() {
    let Some(path) = sample_data("fhir-old/patient-1032702.fhir-bundle.xml") else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    let record = understood(&text);
    assert_eq!(problems(&record), [""; 0]);
    let contents = contents(&record);
    // counted with another XML parser
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for resource in &contents {
        *kinds
            .entry(resource["resourceType"].as_str().unwrap())
            .or_default() += 1;
    }
    assert_eq!(
        kinds,
        BTreeMap::from([
            ("Condition", 5),
            ("Immunization", 4),
            ("List", 1),
            ("MedicationOrder", 1),
            ("Observation", 1),
            ("Patient", 1),
            ("Provenance", 1)
        ])
    );
    let names: Vec<_> = record.about.iter().map(Person::shown).collect();
    assert_eq!(names, ["Amy V. Shaw (2010-11-11)"]);
    let order = &contents[1];
    assert_eq!(order["id"], "smart-MedicationOrder-101");
    let coding = &order["medicationCodeableConcept"]["coding"][0];
    assert_eq!(coding["code"], "582620");
    let dose = &order["dosageInstruction"][0];
    assert_eq!(dose["doseQuantity"]["value"], json!(10));
    assert_eq!(dose["timing"]["repeat"]["frequency"], json!(2));
    assert_eq!(order["dispenseRequest"]["numberOfRepeatsAllowed"], json!(1));
}
