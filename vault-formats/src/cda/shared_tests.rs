//! Tests against sample documents of others; what they hold was counted with another program.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::testing::{json, of_kind};
use super::understand;
use crate::{Moment, Understood};

fn sample(name: &str) -> Option<Understood> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");
    let folder =
        std::env::var_os("MEDVAULT_SAMPLE_DATA").map_or_else(|| default.into(), PathBuf::from);
    let Ok(bytes) = std::fs::read(folder.join("data/ccda").join(name)) else {
        println!("skipped: no sample data");
        return None;
    };
    Some(understand(&bytes, name, Moment(1_790_000_000)).expect("a clinical document"))
}

fn counts(understood: &Understood) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for derived in &understood.derived {
        *counts.entry(derived.meta.kind.as_str()).or_default() += 1;
    }
    counts
}

#[test]
fn an_ambulatory_summary() {
    let Some(found) = sample("170.314B2_Amb_CCD.xml") else {
        return;
    };
    let expected = [
        ("AllergyIntolerance", 2),
        ("Condition", 3),
        ("DiagnosticReport", 1),
        ("Encounter", 1),
        ("Immunization", 1),
        ("MedicationRequest", 1),
        ("Observation", 8),
        ("Patient", 1),
        ("Provenance", 1),
    ];
    assert_eq!(counts(&found), expected.into());
    assert_eq!(
        found.meta.date.as_ref().unwrap().as_str(),
        "2013-01-30T08:00:51-05:00"
    );
    assert_eq!(found.about[0].shown(), "Adam Everyman (1962-10-22)");
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    // a null code with a translation, its words in the narrative
    let codeine = &of_kind(&found, "AllergyIntolerance")[1];
    assert_eq!(codeine["code"]["text"], "Codeine");
    assert_eq!(codeine["code"]["coding"][0]["code"], "261000");
    assert!(found.derived.iter().all(|d| d.meta.is_sensitive()));
}

#[test]
fn a_full_chart() {
    let Some(found) = sample("CCD_1.xml") else {
        return;
    };
    let expected = [
        ("AllergyIntolerance", 2),
        ("Condition", 4),
        ("DiagnosticReport", 2),
        ("Encounter", 1),
        ("Immunization", 5),
        ("MedicationStatement", 2),
        ("Observation", 17),
        ("Patient", 1),
        ("Procedure", 4),
        ("Provenance", 1),
    ];
    assert_eq!(counts(&found), expected.into());
    let not_done = of_kind(&found, "Immunization");
    let not_done: Vec<bool> = not_done.iter().map(|i| i["status"] == "not-done").collect();
    assert_eq!(not_done, [false, true, false, true, false]);
    let values: Vec<String> = of_kind(&found, "Observation")
        .iter()
        .filter(|o| o["category"][0]["coding"][0]["code"] == "laboratory")
        .map(|o| {
            format!(
                "{} {}",
                o["valueQuantity"]["value"], o["valueQuantity"]["code"]
            )
        })
        .collect();
    assert_eq!(
        values,
        [
            r#"13.2 "g/dL""#,
            r#"6.7 "10*9/L""#,
            r#"123 "10*9/L""#,
            r#"35.3 "%""#,
            r#"4.21 "10*12/L""#,
            "null null"
        ]
    );
    let states: Vec<_> = of_kind(&found, "Procedure")
        .iter()
        .map(|p| p["status"].clone())
        .collect();
    assert_eq!(states, ["completed", "completed", "stopped", "completed"]);
}

#[test]
fn no_known_allergies() {
    let Some(found) = sample("CCD_2.xml") else {
        return;
    };
    let expected = [
        ("AllergyIntolerance", 1),
        ("DiagnosticReport", 1),
        ("Observation", 11),
        ("Patient", 1),
        ("Procedure", 3),
        ("Provenance", 1),
    ];
    assert_eq!(counts(&found), expected.into());
    let allergy = &of_kind(&found, "AllergyIntolerance")[0];
    assert_eq!(allergy["code"]["coding"][0]["code"], "716186003");
}

#[test]
fn an_embedded_file() {
    let Some(found) = sample("CDA_with_Embedded_PDF.xml") else {
        return;
    };
    let kinds: Vec<_> = found.derived.iter().map(|d| d.meta.kind.as_str()).collect();
    assert_eq!(kinds, ["Patient", "Document", "Provenance"]);
    let pdf = &found.derived[1];
    assert_eq!(pdf.meta.media_type, "application/pdf");
    assert!(pdf.content.starts_with(b"%PDF-1.4"));
    assert!(pdf.content.trim_ascii_end().ends_with(b"%%EOF"));
    assert_eq!(pdf.meta.title, "Personal Advance Care Document, 2014-07-31");
    assert_eq!(json(&found.derived[0])["birthDate"], "1930-09-11");
}
