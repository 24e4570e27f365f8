use serde_json::{Value, json};

use super::*;

fn resource(number: u8, json: Value) -> Resource {
    let meta = vault_core::record::summary(&json.to_string()).unwrap();
    let record = RecordId::from_bytes([number; 16]);
    Resource { record, meta, json }
}

fn code(code: &str) -> Value {
    json!({"coding": [{"code": code}]})
}

/// A made-up person with a little of everything.
fn mira() -> Vec<Resource> {
    let hba1c = |date: &str, value: Value| {
        json!({"resourceType": "Observation", "status": "final",
        "category": [code("laboratory")], "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}], "text": "HbA1c"},
        "effectiveDateTime": date, "valueQuantity": value, "interpretation": [code("H")]})
    };
    let percent =
        |text: &str| json!({"value": serde_json::from_str::<Value>(text).unwrap(), "unit": "%"});
    let asthma = json!({"resourceType": "Condition", "clinicalStatus": code("active"), "code": {"text": "Asthma"}, "onsetDateTime": "2010-05"});
    let flu = |date: &str| json!({"resourceType": "Immunization", "status": "completed", "vaccineCode": {"text": "Influenza <b>"}, "occurrenceDateTime": date});
    [
        json!({"resourceType": "Patient", "name": [{"given": ["Mira"], "family": "Lind"}], "birthDate": "1980-05-06", "gender": "female"}),
        asthma.clone(),
        asthma,
        json!({"resourceType": "Condition", "clinicalStatus": code("resolved"), "code": {"text": "Broken arm"}, "onsetDateTime": "1999-01-02", "abatementDateTime": "1999-03-01T00:00:00Z"}),
        json!({"resourceType": "Condition", "verificationStatus": code("refuted"), "code": {"text": "Gout"}}),
        json!({"resourceType": "AllergyIntolerance", "code": {"text": "Penicillin"}, "criticality": "high", "clinicalStatus": code("active"), "reaction": [{"manifestation": [{"text": "Hives"}]}]}),
        json!({"resourceType": "AllergyIntolerance", "code": {"text": "Latex"}, "verificationStatus": code("entered-in-error")}),
        json!({"resourceType": "MedicationStatement", "status": "active", "medicationReference": {"reference": "Medication/m1"}, "dosage": [{"text": "1 daily"}]}),
        json!({"resourceType": "Medication", "id": "m1", "code": {"text": "Salbutamol"}}),
        json!({"resourceType": "MedicationRequest", "status": "stopped", "medicationCodeableConcept": {"text": "Aspirin"}}),
        flu("2022-10-01"),
        flu("2023-10-02T10:00:00Z"),
        hba1c("2024-01-05", percent("7.10")),
        hba1c("2024-03-05", percent("6.80")),
        json!({"resourceType": "Appointment", "status": "booked", "start": "2024-06-01T09:00:00Z", "description": "Check-up", "participant": []}),
        json!({"resourceType": "Appointment", "status": "booked", "start": "2024-01-01T09:00:00Z", "description": "Past", "participant": []}),
        json!({"resourceType": "Procedure", "status": "completed", "code": {"text": "Spirometry"}, "performedDateTime": "2020-02-02"}),
        json!({"resourceType": "Procedure", "status": "not-done", "code": {"text": "Bronchoscopy"}}),
        json!({"resourceType": "CareTeam", "status": "active", "participant": [{"role": [{"text": "Doctor"}], "member": {"display": "Dr Berg"}}]}),
    ]
    .into_iter()
    .zip(0u8..)
    .map(|(json, at)| resource(at, json))
    .collect()
}

#[test]
fn the_whole_page_in_text() {
    let summary = Summary::of(mira(), "2024-05-01");
    let expected = "\
Mira Lind, born 1980-05-06, female

Allergies and intolerances
  - Penicillin: high risk; Hives (active)

Problems
  - Asthma (active, 2010-05, 2 records)

Current medication
  - Salbutamol: 1 daily (active)

Immunizations
  - Influenza <b> (2023-10-02, 2 records)

Appointments
  - Check-up: 2024-06-01 09:00 (booked, 2024-06-01)

Results
  What   Last    Flag  Date        Trend  Before
  HbA1c  6.80 %  high  2024-03-05  ↓      7.10

Past problems
  - Broken arm: until 1999-03-01 (resolved, 1999-01-02)

Procedures
  - Spirometry (completed, 2020-02-02)

Care team
  - Dr Berg: Doctor

Made on 2024-05-01 from 19 records. Left out as entered in error or refuted: 2.
";
    assert_eq!(summary.to_text(80), expected);
    let json = serde_json::to_value(&summary).unwrap();
    let id = |n: u8| json!(RecordId::from_bytes([n; 16]).to_string());
    assert_eq!(json["problems"][0]["records"], json!([id(1), id(2)]));
    assert_eq!(json["results"][0]["points"][0]["records"], json!([id(13)]));
    assert_eq!(json["results"][0]["direction"], "down");
}

#[test]
fn the_page_for_a_browser_is_closed_and_escaped() {
    let html = Summary::of(mira(), "2024-05-01").to_html();
    assert!(
        html.contains("<th scope=\"row\">Influenza &lt;b&gt;</th>"),
        "{html}"
    );
    for forbidden in [
        "<script", "http://", "https://", "url(", "<b>", "<img", "<link",
    ] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    // what is left without the elements that HTML does not close is well-formed XML
    let closed: Vec<&str> = html
        .lines()
        .filter(|line| !line.starts_with("<meta") && !line.starts_with("<!DOCTYPE"))
        .collect();
    let closed = closed.join("\n");
    let tidy = roxmltree::Document::parse(&closed);
    let tidy = tidy.unwrap();
    let count = |name: &str| tidy.descendants().filter(|n| n.has_tag_name(name)).count();
    assert_eq!((count("h1"), count("h2"), count("main")), (1, 9, 1));
    assert!(html.contains("aria-label=\"down\""));
}

#[test]
fn none_known_and_nothing_recorded_differ() {
    let nothing = Summary::of(Vec::<Resource>::new(), "2024-05-01");
    assert!(nothing.to_text(80).starts_with(
        "Allergies and intolerances\n  Nothing recorded. This does not mean that there are none.\n"
    ));
    let asked = resource(
        1,
        json!({"resourceType": "AllergyIntolerance", "code": {"coding": [{"code": "716186003"}], "text": "No known allergy"}, "recordedDate": "2024-02-03"}),
    );
    let text = Summary::of([&asked], "2024-05-01").to_text(80);
    assert!(
        text.starts_with(
            "Allergies and intolerances\n  - Recorded: No known allergy (2024-02-03)\n"
        ),
        "{text}"
    );
    let unknown = resource(
        1,
        json!({"resourceType": "AllergyIntolerance", "code": code("no-allergy-info")}),
    );
    assert!(
        Summary::of([&unknown], "2024-05-01")
            .to_text(80)
            .contains("This does not mean")
    );
}

#[test]
fn medicines_whose_time_is_over_come_last_and_say_so() {
    let medicine = |name: &str, end: &str| {
        json!({"resourceType": "MedicationRequest", "status": "active",
        "medicationCodeableConcept": {"text": name}, "dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"end": end}}}}]})
    };
    let all = [
        resource(1, medicine("Amoxicillin", "2024-04-30")),
        resource(2, medicine("Zinc", "2024-05-01")),
    ];
    let summary = Summary::of(&all, "2024-05-01");
    let shown: Vec<_> = summary
        .medications
        .iter()
        .map(|m| (m.text.as_str(), m.active))
        .collect();
    assert_eq!(shown, [("Zinc", true), ("Amoxicillin", false)]);
    assert!(
        summary.medications[1]
            .detail
            .as_ref()
            .unwrap()
            .ends_with("was to end 2024-04-30")
    );
}

#[test]
fn two_doses_of_one_drug_are_two_lines() {
    let dose = |text: &str| {
        json!({"resourceType": "MedicationRequest", "status": "active", "intent": "order", "authoredOn": "2024-04-01",
        "medicationCodeableConcept": {"text": "Warfarin"}, "dosageInstruction": [{"text": text}]})
    };
    let all = [
        resource(1, dose("5 mg on Monday")),
        resource(2, dose("3 mg else")),
        resource(3, dose("3 mg else")),
    ];
    let summary = Summary::of(&all, "2024-05-01");
    let counts: Vec<_> = summary.medications.iter().map(|m| m.count).collect();
    assert_eq!((counts.len(), counts.iter().sum::<usize>()), (2, 3));
    let document = crate::export::ips(
        &all,
        crate::Moment(0),
        &crate::export::IpsOptions::default(),
    );
    assert_eq!(document.entries["10160-0"], 2);
}

/// Counts that a short program in another language found in the same file by the same rules.
#[test]
fn a_synthetic_patient() {
    let shared = std::env::var_os("MEDVAULT_SAMPLE_DATA").map_or_else(
        || std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")),
        std::path::PathBuf::from,
    );
    let path = shared
        .join("data/fhir-r4-synthea/Blake_Eichmann_6c099f2d-1173-468d-b95f-4fbf960b3b55.json");
    let Ok(bytes) = std::fs::read(path) else {
        println!("skipped: no sample data");
        return;
    };
    let import = vault_core::record::read(&bytes, "x.json");
    let all: Vec<Resource> = import
        .items
        .into_iter()
        .zip(0u128..)
        .map(|(item, at)| Resource {
            record: RecordId::from_bytes(at.to_be_bytes()),
            json: serde_json::from_slice(&bytes[item.range]).unwrap(),
            meta: item.meta,
        })
        .collect();
    let summary = Summary::of(&all, "2019-06-01");
    let doses: usize = summary.immunizations.iter().map(|entry| entry.count).sum();
    let counts = [
        summary.patients.len(),
        summary.problems.len(),
        summary.problems.iter().filter(|p| p.active).count(),
        summary.allergies.len(),
        summary.medications.len(),
        summary.immunizations.len(),
        doses,
        summary.procedures.len(),
        summary.results.len(),
        summary.vitals.len(),
        summary.observations.len(),
    ];
    assert_eq!(counts, [1, 4, 0, 0, 0, 4, 9, 5, 11, 7, 1]);
}

#[test]
fn ten_thousand_resources_are_quick() {
    let one = mira();
    let all = one.iter().cycle().take(10_000);
    let start = std::time::Instant::now();
    let summary = Summary::of(all, "2024-05-01");
    assert_eq!(summary.resources, 10_000);
    summary.to_html();
    // some tens of milliseconds; the bound is for slow machines without optimization
    assert!(start.elapsed().as_secs() < 10);
}

/// Records that were once shown wrongly, each with the line that is right.
mod clinical {
    use super::*;

    fn text(all: Vec<Value>) -> String {
        let numbered = all.into_iter().zip(0u8..);
        let all: Vec<Resource> = numbered.map(|(json, at)| resource(at, json)).collect();
        Summary::of(&all, "2024-05-01").to_text(200)
    }

    fn has(text: &str, line: &str) {
        assert!(text.lines().any(|l| l.trim() == line), "{line} in {text}");
    }

    fn patient(id: &str, given: &str, born: &str, rest: Value) -> Value {
        let mut json = json!({"resourceType": "Patient", "id": id, "name": [{"family": "Lind", "given": [given]}], "birthDate": born});
        json.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        json
    }

    fn order(id: &str, rest: Value) -> Value {
        let mut json = json!({"resourceType": "MedicationRequest", "id": id, "status": "active", "intent": "order"});
        json.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        json
    }

    #[test]
    fn uncertain_medicines_are_neither_guessed_nor_merged() {
        let to = json!({"medicationReference": {"reference": "Medication/1"}});
        let drug =
            |text: &str| json!({"resourceType": "Medication", "id": "1", "code": {"text": text}});
        let text = text(vec![
            drug("Aspirin"),
            order("a", to.clone()),
            drug("Methotrexate"),
            order("b", to),
            order(
                "c",
                json!({"status": "unknown", "medicationCodeableConcept": {"text": "Digoxin"}}),
            ),
        ]);
        assert_eq!(text.matches("- medicine not certain (active)").count(), 2);
        assert!(!text.contains("Aspirin") && !text.contains("Methotrexate"));
        has(&text, "- Digoxin (status unknown)");
    }

    #[test]
    fn records_of_others_are_counted_only() {
        let allergy = |to: &str| json!({"resourceType": "AllergyIntolerance", "code": {"text": format!("Nut of {to}")}, "patient": {"reference": to}});
        let text = text(vec![
            patient("1", "Mira", "1980-05-06", json!({})),
            patient("2", "Otto", "2015-01-01", json!({})),
            allergy("Patient/1"),
            allergy("Patient/2"),
            allergy("Patient/404"),
        ]);
        has(&text, "- Nut of Patient/1");
        assert_eq!(text.matches("Nut of").count(), 1, "{text}");
        has(
            &text,
            "2 records are about somebody else or do not say about whom; they are not in this summary.",
        );
    }

    #[test]
    fn a_death_is_said_wherever_it_is_recorded() {
        let text = text(vec![
            patient("1", "Mira", "1980-05-06", json!({})),
            patient("2", "Mira", "1980-05-06", json!({"deceasedBoolean": true})),
            patient(
                "3",
                "Mira",
                "1980-05-06",
                json!({"deceasedDateTime": "2024-02-03"}),
            ),
        ]);
        has(&text, "Mira Lind, born 1980-05-06, died 2024-02-03");
    }

    #[test]
    fn problems_with_sides_doubts_and_visits() {
        let problem = |rest: Value| {
            let mut json = json!({"resourceType": "Condition"});
            json.as_object_mut()
                .unwrap()
                .extend(rest.as_object().unwrap().clone());
            json
        };
        let eye = |side: &str| {
            problem(
                json!({"code": {"text": "Cataract"}, "clinicalStatus": code("active"), "bodySite": [{"text": side}]}),
            )
        };
        let text = text(vec![
            eye("Left eye"),
            eye("Right eye"),
            problem(json!({"code": {"text": "Gout"}})),
            problem(json!({"code": {"text": "Cough"}, "category": [code("encounter-diagnosis")]})),
            problem(json!({"code": {"text": "Lupus"}, "verificationStatus": code("differential")})),
        ]);
        has(&text, "- Cataract: Left eye (active)");
        has(&text, "- Cataract: Right eye (active)");
        has(&text, "- Gout");
        has(&text, "- Not confirmed: Lupus");
        let (_, visits) = text.split_once("Diagnoses at visits\n").unwrap();
        has(visits, "- Cough");
    }

    #[test]
    fn no_known_allergy_is_not_said_beside_one() {
        let text = text(vec![
            json!({"resourceType": "AllergyIntolerance", "code": {"text": "No known allergies"}}),
            json!({"resourceType": "AllergyIntolerance", "code": {"text": "No known food allergies"}}),
            json!({"resourceType": "AllergyIntolerance", "code": {"text": "Penicillin"}, "category": ["medication"],
                "reaction": [{"manifestation": [{"text": "Rash"}], "severity": "severe"}]}),
        ]);
        has(&text, "- Penicillin: Rash (severe)");
        has(&text, "- Recorded: No known food allergies");
        assert!(!text.contains("No known allergies"), "{text}");
    }

    #[test]
    fn results_that_are_preliminary_of_others_or_of_isolates() {
        let lab = |name: &str, status: &str, value: u8, rest: Value| {
            let mut json = json!({"resourceType": "Observation", "status": status, "category": [code("laboratory")],
                "code": {"text": name}, "effectiveDateTime": "2024-03-01", "valueQuantity": {"value": value, "unit": "mg"}});
            json.as_object_mut()
                .unwrap()
                .extend(rest.as_object().unwrap().clone());
            json
        };
        let text = text(vec![
            lab("Iron", "final", 6, json!({})),
            lab("Iron", "preliminary", 5, json!({})),
            lab(
                "Pulse",
                "final",
                150,
                json!({"focus": [{"display": "Fetus"}]}),
            ),
            lab(
                "Ampicillin",
                "final",
                1,
                json!({"note": [{"text": "Isolate: E. coli"}]}),
            ),
            lab(
                "Ampicillin",
                "final",
                2,
                json!({"note": [{"text": "Isolate: S. aureus"}]}),
            ),
            lab(
                "Steps",
                "final",
                9,
                json!({"note": [{"text": "latest of 12 samples"}]}),
            ),
        ]);
        let row = |start: &str| {
            text.lines()
                .find(|line| line.trim().starts_with(start))
                .unwrap()
        };
        assert!(row("Iron").trim().starts_with("Iron"));
        assert!(row("Iron").contains("6 mg ") && row("Iron").contains("5 mg (preliminary)"));
        assert!(row("Steps").contains("9 mg (latest of 12 samples)"));
        assert!(row("Ampicillin (E. coli)").contains("1 mg"));
        assert!(row("Ampicillin (S. aureus)").contains("2 mg"));
        assert!(!text.contains("Pulse") && text.contains("1 record is about somebody else"));
    }
}
