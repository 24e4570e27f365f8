//! Whole files: own samples, and damaged ones.

use serde_json::{Value, json};
use vault_core::Category;

use super::*;

pub(super) const NOW: Moment = Moment(1_790_000_000);

const SAMPLES: &[(&str, &[u8])] = &[
    ("batch", include_bytes!("../../samples/hl7v2/batch.hl7")),
    ("latin1", include_bytes!("../../samples/hl7v2/latin1.hl7")),
    (
        "null-values",
        include_bytes!("../../samples/hl7v2/null-values.hl7"),
    ),
    ("order", include_bytes!("../../samples/hl7v2/order.hl7")),
    (
        "own-delimiters",
        include_bytes!("../../samples/hl7v2/own-delimiters.hl7"),
    ),
    (
        "prescription",
        include_bytes!("../../samples/hl7v2/prescription.hl7"),
    ),
    ("results", include_bytes!("../../samples/hl7v2/results.hl7")),
    (
        "two-patients",
        include_bytes!("../../samples/hl7v2/two-patients.hl7"),
    ),
    (
        "vaccinations",
        include_bytes!("../../samples/hl7v2/vaccinations.mllp"),
    ),
];

fn sample(name: &str) -> Understood {
    let (_, bytes) = SAMPLES.iter().find(|(other, _)| *other == name).unwrap();
    understand(bytes, name, NOW).unwrap()
}

/// The resources of one kind.
pub(super) fn all(understood: &Understood, kind: &str) -> Vec<Value> {
    let derived = understood.derived.iter();
    derived
        .filter(|d| d.meta.kind.as_str() == kind)
        .map(|d| serde_json::from_slice(&d.content).unwrap())
        .collect()
}

/// How many resources of which kinds, in the order of the alphabet, without the Provenance.
pub(super) fn kinds(understood: &Understood) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for derived in &understood.derived {
        *counts.entry(derived.meta.kind.as_str()).or_insert(0) += 1;
    }
    assert!(counts.remove("Provenance") == Some(1) || understood.derived.is_empty());
    let counts: Vec<_> = counts.iter().map(|(k, n)| format!("{n} {k}")).collect();
    counts.join(", ")
}

pub(super) fn labels_of(understood: &Understood) -> String {
    let labels: Vec<_> = understood.meta.labels.iter().map(Label::as_str).collect();
    labels.join(" ")
}

pub(super) fn date_of(understood: &Understood) -> &str {
    understood
        .meta
        .date
        .as_ref()
        .map_or("", |date| date.as_str())
}

#[test]
fn results_of_every_kind() {
    let read = sample("results");
    assert_eq!(
        kinds(&read),
        "1 DiagnosticReport, 1 Document, 8 Observation, 1 Patient"
    );
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    assert_eq!(read.meta.title, "Lab results: CBC panel");
    assert_eq!(
        (read.meta.category, date_of(&read)),
        (Category::Lab, "2024-03-09")
    );
    let results = all(&read, "Observation");
    assert_eq!(
        results[0]["valueQuantity"].to_string(),
        r#"{"code":"g/dl","system":"http://unitsofmeasure.org","unit":"g/dl","value":13.50}"#
    );
    assert_eq!(results[0]["effectiveDateTime"], "2024-03-09T07:30:00+01:00");
    assert_eq!(
        results[0]["referenceRange"][0]["high"]["value"].to_string(),
        "16.0"
    );
    assert_eq!(results[1]["valueQuantity"]["comparator"], "<");
    assert_eq!(results[2]["valueRatio"]["denominator"]["value"], json!(128));
    assert_eq!(results[2]["status"], "corrected");
    assert_eq!(
        results[4]["valueString"],
        "First line.\nSecond & last line."
    );
    assert_eq!(results[4]["note"][0]["text"], "Said by phone.\nTwice.");
    // posted to the wrong patient: never a value
    assert_eq!(results[5]["status"], "entered-in-error");
    assert!(!results[5].to_string().contains("9.9"));
    assert_eq!(results[6]["status"], "cancelled");
    assert_eq!(
        results[7]["category"][0]["coding"][0]["code"],
        "vital-signs"
    );
    let report = &all(&read, "DiagnosticReport")[0];
    assert_eq!(report["result"].as_array().unwrap().len(), 8);
    assert_eq!(report["presentedForm"][0]["contentType"], "application/pdf");
    let file = read
        .derived
        .iter()
        .find(|d| d.meta.media_type == "application/pdf")
        .unwrap();
    assert_eq!(file.content.as_slice(), b"%PDF-1.4\n%%EOF");
}

#[test]
fn own_delimiters_are_as_good_as_the_usual() {
    let read = sample("own-delimiters");
    assert_eq!(kinds(&read), "1 DiagnosticReport, 2 Observation, 1 Patient");
    let results = all(&read, "Observation");
    assert_eq!(results[0]["valueQuantity"]["value"].to_string(), "5.60");
    assert_eq!(results[1]["valueString"], "5 # 6 * 7 | 8");
    assert_eq!(read.about[0].shown(), "Mira Lind (1980-05-06)");
}

#[test]
fn vaccinations_given_refused_and_taken_back() {
    let read = sample("vaccinations");
    assert_eq!(kinds(&read), "3 Immunization, 1 Patient");
    assert_eq!(labels_of(&read), "R");
    assert!(
        read.derived
            .iter()
            .all(|d| d.meta.labels == read.meta.labels)
    );
    let given = all(&read, "Immunization");
    let status: Vec<_> = given
        .iter()
        .map(|i| i["status"].as_str().unwrap())
        .collect();
    assert_eq!(status, ["completed", "not-done", "entered-in-error"]);
    assert_eq!(given[0]["vaccineCode"]["coding"][1]["code"], "80777-273-10");
    assert_eq!(given[0]["doseQuantity"]["value"].to_string(), "0.50");
    assert_eq!(given[0]["expirationDate"], "2024-12");
    assert_eq!(given[0]["manufacturer"]["identifier"]["value"], "MOD");
    assert_eq!(given[0]["protocolApplied"][0]["doseNumberPositiveInt"], 2);
    assert_eq!(given[1]["statusReason"]["text"], "Parental decision");
    // CVX 998 is nothing that happened
    assert!(!given.iter().any(|i| i.to_string().contains("998")));
    assert!(read.meta.codes.iter().all(|code| code.code() != "998"));
}

#[test]
fn a_batch_of_a_visit_and_an_appointment() {
    let read = sample("batch");
    assert_eq!(
        kinds(&read),
        "1 AllergyIntolerance, 1 Appointment, 2 Condition, 1 Encounter, 1 Patient"
    );
    assert_eq!(read.meta.category, Category::Other);
    assert_eq!(
        read.meta.title,
        "2 messages: Discharge (A03); Appointment: Examination"
    );
    // the two statements that there is no allergy of some sort
    let at: Vec<_> = read.problems.iter().map(|p| p.at.as_str()).collect();
    assert_eq!(
        at,
        ["message 1, segment 6 (AL1)", "message 1, segment 7 (AL1)"]
    );
    let visit = &all(&read, "Encounter")[0];
    assert_eq!(visit["period"]["start"], "2024-03-01T10:15:00+01:00");
    assert_eq!(visit["period"]["end"], "2024-03-09");
    let allergy = &all(&read, "AllergyIntolerance")[0];
    assert_eq!(
        allergy["reaction"][0]["manifestation"][1]["text"],
        "Short breath"
    );
    assert_eq!(allergy["onsetDateTime"], "2001");
    let conditions = all(&read, "Condition");
    let status = |at: usize| conditions[at]["verificationStatus"]["coding"][0]["code"].clone();
    assert_eq!(
        (status(0), status(1)),
        (json!("confirmed"), json!("entered-in-error"))
    );
    // the offset of the message is that of its times, and it lasts half an hour
    let appointment = &all(&read, "Appointment")[0];
    assert_eq!(appointment["start"], "2024-04-01T09:30:00+01:00");
    assert_eq!(appointment["end"], "2024-04-01T10:00:00+01:00");
}

#[test]
fn a_letter_in_latin_1() {
    let read = sample("latin1");
    assert_eq!(kinds(&read), "1 DocumentReference, 1 Patient");
    assert_eq!(read.about[0].family, ["Lindström"]);
    assert_eq!(
        (read.meta.category, labels_of(&read).as_str()),
        (Category::Note, "R")
    );
    let letter = &all(&read, "DocumentReference")[0];
    let attachment = &letter["content"][0]["attachment"];
    // "Größe 170 cm\nZucker < 5\nEnde"
    let text = "R3LDtsOfZSAxNzAgY20KWnVja2VyIDwgNQpFbmRl";
    assert_eq!(attachment["data"], text);
    assert_eq!(letter["date"], "2024-03-09T12:00:00+01:00");
    assert_eq!(letter["docStatus"], "final");
}

#[test]
fn two_patients_are_kept_apart_and_told() {
    let read = sample("two-patients");
    assert_eq!(kinds(&read), "3 DiagnosticReport, 3 Observation, 2 Patient");
    assert_eq!(read.about.len(), 2);
    assert_eq!(read.problems.len(), 1);
    assert_eq!(read.problems[0].what, "the file is about 2 patients");
    let patients = all(&read, "Patient");
    let results = all(&read, "Observation");
    let of = |value: &str| {
        let is = |o: &&Value| {
            let text = o["valueQuantity"]["value"].to_string();
            text == value
        };
        results.iter().find(is).unwrap()["subject"]["reference"].clone()
    };
    let name = |at: usize| json!(format!("Patient/{}", patients[at]["id"].as_str().unwrap()));
    assert_eq!(
        (of("13.5"), of("14.5"), of("5.5")),
        (name(0), name(1), name(0))
    );
}

#[test]
fn null_is_never_a_value() {
    let read = sample("null-values");
    assert_eq!(kinds(&read), "1 DiagnosticReport, 1 Observation, 1 Patient");
    assert_eq!(labels_of(&read), "");
    for derived in &read.derived {
        let text = std::str::from_utf8(&derived.content).unwrap();
        assert!(!text.contains(r#"\"\""#), "{text}");
    }
    let result = &all(&read, "Observation")[0];
    for key in [
        "valueQuantity",
        "referenceRange",
        "interpretation",
        "effectiveDateTime",
    ] {
        assert_eq!(result.get(key), None, "{key}");
    }
    assert_eq!(all(&read, "Patient")[0].get("gender"), None);
}

#[test]
fn orders_and_prescriptions() {
    let read = sample("order");
    assert_eq!(
        (kinds(&read).as_str(), labels_of(&read).as_str()),
        ("1 Patient, 1 ServiceRequest", "PSY")
    );
    assert_eq!(
        (read.meta.category, read.meta.title.as_str()),
        (Category::Lab, "Order: Hemoglobin A1c")
    );
    let order = &all(&read, "ServiceRequest")[0];
    assert_eq!(
        (&order["status"], &order["priority"]),
        (&json!("active"), &json!("stat"))
    );
    assert_eq!(order["reasonCode"][0]["coding"][0]["code"], "E11.9");
    assert_eq!(order["reasonCode"][1]["coding"][0]["code"], "R73.9");
    let read = sample("prescription");
    assert_eq!(kinds(&read), "1 MedicationRequest, 1 Patient");
    let request = &all(&read, "MedicationRequest")[0];
    let dosage = &request["dosageInstruction"][0];
    assert_eq!(
        dosage["doseAndRate"][0]["doseRange"]["high"]["value"],
        json!(1000)
    );
    assert_eq!(dosage["timing"]["code"]["coding"][0]["code"], "BID");
    assert_eq!(
        dosage["timing"]["repeat"]["boundsPeriod"]["end"],
        "2024-03-16"
    );
    assert_eq!(dosage["text"], "With food\nPharmacy: label in large print");
    assert_eq!(request["substitution"]["allowedBoolean"], false);
    assert_eq!(request["requester"]["display"], "Dr Ola Berg");
}

#[test]
fn dispensed_and_given_medication() {
    let start = "MSH|^~\\&|A||||||";
    let text = format!("{start}RDS^O13\rORC|RE\rRXD|1|723^Amoxicillin^RXNORM|20240309|20|CAP\r");
    let read = understand(text.as_bytes(), "", NOW).unwrap();
    let dispense = &all(&read, "MedicationDispense")[0];
    assert_eq!(dispense["quantity"], json!({"value": 20, "unit": "CAP"}));
    assert_eq!(dispense["whenHandedOver"], "2024-03-09");
    let rxa = "RXA|0|1|20240309||723^Amoxicillin^RXNORM|500|mg^^UCUM|||||||||||||CP|A\rRXR|PO";
    let text = format!("{start}RAS^O17\rORC|RE\r{rxa}\r");
    let read = understand(text.as_bytes(), "", NOW).unwrap();
    let given = &all(&read, "MedicationAdministration")[0];
    assert_eq!(given["status"], "completed");
    assert_eq!(given["dosage"]["dose"]["code"], "mg");
    assert_eq!(given["dosage"]["route"]["coding"][0]["code"], "PO");
}

#[test]
fn long_instructions_are_never_cut() {
    let long = "Take one. ".repeat(60);
    let text = format!("MSH|^~\\&|A||||||OMP^O09\rORC|NW\rRXO|1^X^L||||||^{long}\r");
    let read = understand(text.as_bytes(), "", NOW).unwrap();
    let request = &all(&read, "MedicationRequest")[0];
    assert_eq!(request["dosageInstruction"][0]["text"], long.trim());
}

#[test]
fn what_is_no_hl7_and_what_is_too_much() {
    assert!(understand(b"MSH is an abbreviation", "a.txt", NOW).is_none());
    assert!(understand(b"", "a.txt", NOW).is_none());
    let empty = understand(b"FHS|^~\\&|A\rFTS|0\r", "a.hl7", NOW).unwrap();
    assert_eq!((empty.derived.len(), empty.problems.len()), (0, 1));
    let mut large = b"MSH|^~\\&|A\r".to_vec();
    large.resize(MAX_LEN + 1, b'x');
    let read = understand(&large, "all\u{7} mine.hl7", NOW).unwrap();
    assert_eq!(read.meta.title, "all mine.hl7");
    assert_eq!(
        (labels_of(&read).as_str(), read.problems.len()),
        ("UNCLEAR", 1)
    );
    // a segment that could have said anything
    let odd = format!("MSH|^~\\&|A\rARV|{}\r", "~".repeat(30_000));
    assert_eq!(
        labels_of(&understand(odd.as_bytes(), "", NOW).unwrap()),
        "UNCLEAR"
    );
}

#[test]
fn a_file_of_very_many_results_ends_somewhere() {
    let mut text = String::from("MSH|^~\\&|A||||||ORU^R01\rOBR|1||1|1^A^L\r");
    for number in 0..21_000 {
        text.push_str(&format!("OBX||NM|{number}^A||1\r"));
    }
    let read = understand(text.as_bytes(), "", NOW).unwrap();
    assert!(read.derived.len() <= 20_001);
    assert_eq!(read.problems.len(), 1);
}

/// Cut anywhere and with any byte changed, a file is read or refused, and nothing else happens.
#[test]
fn damage_never_panics() {
    for (name, bytes) in SAMPLES {
        for end in (0..bytes.len()).step_by(11) {
            let _ = understand(&bytes[..end], name, NOW);
        }
        for at in (0..bytes.len()).step_by(13) {
            for new in *b"|\r^&\\\"\xc3" {
                let mut damaged = bytes.to_vec();
                damaged[at] = new;
                let _ = understand(&damaged, name, NOW);
            }
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn any_segments_never_panic(
        kind in "(ORU|VXU|RDE|RDS|RAS|OMP|MDM|ADT|ORM|SIU|ZZZ)\\^[ARSO]0[1-9]",
        body in "((PID|PV1|OBR|OBX|NTE|TXA|ORC|RXA|RXO|RXE|RXD|RXR|TQ1|AL1|IAM|DG1|SCH|AIS|ARV|SPM)(\\||\\^|~|&|\\\\|ä|[0-9]|ED|NM|SN|TX|F){0,60}\r){0,30}",
    ) {
        let text = format!("MSH|^~\\&|A||||||{kind}\r{body}");
        let read = understand(text.as_bytes(), "a", NOW);
        proptest::prop_assert!(read.is_some());
    }
}
