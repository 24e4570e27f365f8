//! The shared sample data, where it is there. Every expected value was read off the files.

use std::path::PathBuf;

use serde_json::json;
use vault_core::Category;

use super::tests::{NOW, all, date_of, kinds, labels_of};
use super::*;

/// What is made of a file.
fn shared(name: &str) -> Option<Understood> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");
    let root = std::env::var("MEDVAULT_SAMPLE_DATA").unwrap_or_else(|_| default.to_owned());
    let path = PathBuf::from(root).join("data/hl7v2").join(name);
    let Ok(bytes) = std::fs::read(path) else {
        println!("skipped: no sample data");
        return None;
    };
    assert!(looks_like(&bytes));
    Some(understand(&bytes, name, NOW).unwrap())
}

#[test]
fn shared_laboratory_report() {
    let Some(read) = shared("LAB-ORU-1.hl7") else {
        return;
    };
    assert_eq!(
        kinds(&read),
        "2 DiagnosticReport, 10 Observation, 1 Patient"
    );
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    assert_eq!(read.about[0].shown(), "DONALD D DUCK (1924-10-10)");
    assert_eq!(date_of(&read), "2014-10-06T06:27:00+07:00");
    let codes: Vec<_> = read.meta.codes.iter().map(|c| c.as_str()).collect();
    assert_eq!(codes, ["loinc|24317-0", "loinc|26464-8"]);
    let results = all(&read, "Observation");
    let values: Vec<_> = results
        .iter()
        .map(|r| r["valueQuantity"]["value"].to_string())
        .collect();
    assert_eq!(values.join(" "), "null 4.06 null 40.1 221 72 2 20 6 0");
    let status: Vec<_> = results
        .iter()
        .map(|r| r["status"].as_str().unwrap())
        .collect();
    let p = "preliminary";
    assert_eq!(
        status,
        ["registered", p, "registered", p, "final", p, p, p, p, p]
    );
    assert_eq!(results[1]["valueQuantity"]["unit"], "tera.l-1");
    let reports = all(&read, "DiagnosticReport");
    let counts: Vec<_> = reports
        .iter()
        .map(|r| r["result"].as_array().unwrap().len())
        .collect();
    assert_eq!(counts, [5, 5]);
    // the second has nothing in OBR-25
    assert_eq!(
        (&reports[0]["status"], &reports[1]["status"]),
        (&json!("final"), &json!("unknown"))
    );
    assert_eq!(reports[0]["effectiveDateTime"], "2014-10-06T05:35:00+07:00");
}

#[test]
fn shared_culture() {
    let Some(read) = shared("ORU-R01-01.hl7") else {
        return;
    };
    assert_eq!(
        kinds(&read),
        "1 DiagnosticReport, 1 DocumentReference, 4 Observation, 1 Patient"
    );
    assert_eq!(labels_of(&read), "R VIP");
    assert_eq!(read.problems.len(), 1);
    assert_eq!(read.problems[0].at, "message 1, segment 11 (OBX)");
    assert_eq!(date_of(&read), "2002-02-15T07:30+02:15");
    let results = all(&read, "Observation");
    assert_eq!(
        results[1]["valueCodeableConcept"]["coding"][0]["code"],
        "27268008"
    );
    assert_eq!(results[1]["referenceRange"][0]["low"]["value"], json!(70));
    assert_eq!(results[1]["effectiveDateTime"], "2012-03-01");
    // a pending result has no value, whatever stands there
    assert_eq!(results[3]["status"], "registered");
    assert_eq!(results[3].get("component"), None);
    assert_eq!(
        results[3]["dataAbsentReason"]["coding"][0]["code"],
        "temp-unknown"
    );
    assert_eq!(
        all(&read, "DiagnosticReport")[0]["result"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn shared_vaccination() {
    let Some(read) = shared("IZ_1_1.1_Admin_Child_Max_Message.hl7") else {
        return;
    };
    assert_eq!(kinds(&read), "1 Immunization, 1 Patient");
    assert_eq!(
        (date_of(&read), read.meta.title.as_str()),
        ("2012-08-14", "Immunizations")
    );
    assert!(read.problems.is_empty());
    assert!(read.meta.labels.is_empty());
    let given = &all(&read, "Immunization")[0];
    let (system, code) = ("http://hl7.org/fhir/sid/cvx", "140");
    assert_eq!(given["vaccineCode"]["coding"][0]["system"], system);
    assert_eq!(given["vaccineCode"]["coding"][0]["code"], code);
    assert_eq!(given["lotNumber"], "Z0860BB");
    assert_eq!(given["expirationDate"], "2012-11-04");
    assert_eq!(given["doseQuantity"]["code"], "mL");
    assert_eq!(given["programEligibility"][0]["coding"][0]["code"], "V05");
    assert_eq!(given["education"][0]["publicationDate"], "2012-07-02");
    assert_eq!(given["education"][0]["presentationDate"], "2012-08-14");
}

#[test]
fn shared_document() {
    let Some(read) = shared("MDM-T02-01.hl7") else {
        return;
    };
    assert_eq!(kinds(&read), "1 DocumentReference, 1 Patient");
    assert_eq!(
        read.meta.title,
        "Document: Diagnostic imaging; TransthoracicEcho"
    );
    assert_eq!(date_of(&read), "2008-01-31T15:55+02:15");
    // the file in it is empty
    assert_eq!(read.problems.len(), 1);
    let document = &all(&read, "DocumentReference")[0];
    assert_eq!(document["date"], "2008-01-31T16:00:00+02:15");
    assert_eq!(document["author"][0]["display"], "IvanDoctorovich");
}

#[test]
fn shared_admission_and_merge() {
    let Some(read) = shared("ADT-A01-02.hl7") else {
        return;
    };
    assert_eq!(kinds(&read), "1 Encounter, 1 Patient");
    assert_eq!(
        (read.meta.category, read.meta.title.as_str()),
        (Category::Identity, "Admission (A01)")
    );
    assert_eq!(labels_of(&read), "VIP");
    assert_eq!(date_of(&read), "2015-02-08T11:34:19+01:10");
    assert_eq!(read.about[0].born.as_ref().unwrap().as_str(), "1988-08-18");
    let Some(read) = shared("ADT-A40-01.hl7") else {
        return;
    };
    assert_eq!(kinds(&read), "1 Patient");
    assert_eq!(all(&read, "Patient")[0]["identifier"][0]["value"], "12345");
    assert_eq!(read.problems.len(), 1);
    assert!(read.problems[0].what.contains("merges"));
}

#[test]
fn shared_prescriptions() {
    let Some(read) = shared("RDE-O11-02.hl7") else {
        return;
    };
    assert_eq!(kinds(&read), "4 MedicationRequest, 1 Patient");
    assert_eq!(
        (read.meta.category, labels_of(&read).as_str()),
        (Category::Medication, "VIP")
    );
    assert_eq!(date_of(&read), "2019-11-04T06:27:26+02:15");
    let requests = all(&read, "MedicationRequest");
    let intents: Vec<_> = requests
        .iter()
        .map(|r| r["intent"].as_str().unwrap())
        .collect();
    assert_eq!(
        intents,
        [
            "original-order",
            "filler-order",
            "original-order",
            "filler-order"
        ]
    );
    let dose = |at: usize| {
        let dose = &requests[at]["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"];
        format!("{} {}", dose["value"], dose["unit"].as_str().unwrap())
    };
    assert_eq!(
        [dose(0), dose(1), dose(2), dose(3)],
        ["2 caps", "5 mg/hr", "5 caps", "8 mg/hr"]
    );
    assert_eq!(
        requests[0]["medicationCodeableConcept"]["coding"][0]["code"],
        "00047040230"
    );
    assert_eq!(
        requests[2]["medicationCodeableConcept"]["coding"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}
