use serde_json::json;
use vault_core::record::summary;

use super::*;

fn page(resource: &Value) -> String {
    let meta = summary(&resource.to_string()).unwrap();
    show(resource, &meta).to_text(80)
}

#[test]
fn a_blood_pressure_with_its_parts() {
    let part = |name: &str, value: u8| {
        json!({"code": {"text": name}, "valueQuantity": {"value": value, "unit": "mmHg"},
        "interpretation": [{"coding": [{"code": "H"}]}], "referenceRange": [{"high": {"value": 120, "unit": "mmHg"}}]})
    };
    let text = page(&json!({
        "resourceType": "Observation", "status": "preliminary", "code": {"text": "Blood pressure"},
        "effectiveDateTime": "2024-03-01T08:15:00+01:00", "performer": [{"display": "Dr Lind"}],
        "component": [part("Systolic", 151), part("Diastolic", 97)],
        "note": [{"text": "left arm\u{1b}[31m", "authorString": "Nurse Berg", "time": "2024-03-01"}],
    }));
    assert_eq!(
        text,
        "\
Result: Blood pressure
  Part       Value     Interpretation  Reference range
  Systolic   151 mmHg  high            at most 120 mmHg
  Diastolic  97 mmHg   high            at most 120 mmHg
Status:  preliminary
When:    2024-03-01 08:15
By:      Dr Lind
Note:    left arm[31m (Nurse Berg, 2024-03-01)
"
    );
}

#[test]
fn what_is_wrong_or_was_ruled_out_is_loud() {
    let concept = |code: &str| json!({"coding": [{"code": code}]});
    let text = page(
        &json!({"resourceType": "AllergyIntolerance", "code": {"text": "Latex"},
        "verificationStatus": concept("refuted"), "criticality": "high",
        "reaction": [{"manifestation": [{"text": "Hives"}, {"text": "Cough"}], "severity": "mild"}]}),
    );
    assert_eq!(
        text,
        "\
Allergy or intolerance: Refuted: Latex
!!! REFUTED: THIS WAS RULED OUT
Criticality:  high: may be life-threatening
Certainty:    refuted
  Reaction      Severity
  Hives; Cough  mild
"
    );
    let wrong = page(
        &json!({"resourceType": "Condition", "code": {"text": "Asthma"}, "verificationStatus": "entered-in-error"}),
    );
    assert!(wrong.contains("!!! ENTERED IN ERROR: THIS RECORD IS WRONG, DO NOT RELY ON IT\n"));
    let not_given = page(
        &json!({"resourceType": "Immunization", "status": "not-done", "vaccineCode": {"text": "Influenza"},
        "statusReason": {"text": "fever"}}),
    );
    assert!(not_given.contains("!!! NOT GIVEN: FEVER\n"), "{not_given}");
}

#[test]
fn a_prescription_says_how_to_take_it() {
    let text = page(
        &json!({"resourceType": "MedicationRequest", "status": "active", "intent": "order",
        "medicationReference": {"reference": "#m"}, "contained": [{"resourceType": "Medication", "id": "m", "code": {"text": "Iron 80 mg"}}],
        "dosageInstruction": [{"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}, "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}]}],
        "authoredOn": "2024-03-01", "requester": {"display": "Dr Lind"}}),
    );
    assert_eq!(
        text,
        "\
Prescription: Iron 80 mg
Drug:           Iron 80 mg
Dosage:         1 tablet once daily
Status:         active
Intent:         order
Prescribed:     2024-03-01
Prescribed by:  Dr Lind
"
    );
}

#[test]
fn attached_texts_are_decoded_and_cleaned() {
    let data = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        "Dear Mira,\r\nall is well.\u{1b}]0;x\u{7}",
    );
    let text = page(
        &json!({"resourceType": "DocumentReference", "status": "current", "description": "A letter",
        "content": [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": data}}]}),
    );
    assert!(
        text.ends_with(
            "Attached:     text/plain; charset=utf-8\n  Dear Mira,\n  all is well.]0;x\n"
        ),
        "{text}"
    );
}

#[test]
fn unknown_types_show_words_and_no_json() {
    let text = page(
        &json!({"resourceType": "NutritionOrder", "status": "on-hold", "dateTime": "2024-03-01",
        "orderer": {"display": "Dr Lind"},
        "oralDiet": {"type": [{"text": "Low salt"}], "nutrient": [{"modifier": {"text": "Sodium"}, "amount": {"value": 2, "unit": "g"}}]},
        "text": {"div": "<div><p>Eat <b>well</b></p></div>"}}),
    );
    assert_eq!(
        text,
        "\
Nutrition order
Date:                2024-03-01
Orderer:             Dr Lind
Status:              on hold
Oral diet, type:     Low salt
Nutrient, amount:    2 g
Nutrient, modifier:  Sodium

In words
  Eat well
"
    );
}

#[test]
fn odd_shapes_never_panic() {
    let odd = [
        json!(null),
        json!(1),
        json!("x"),
        json!([]),
        json!({}),
        json!([[]]),
        json!([{"coding": 1}]),
        json!({"coding": [null]}),
        json!({"value": {"value": []}}),
        json!({"reference": "#"}),
        json!({"text": {"div": 5}}),
        json!({"start": 5, "repeat": {"frequency": "x"}}),
    ];
    let kinds = [
        "Observation",
        "DiagnosticReport",
        "Condition",
        "AllergyIntolerance",
        "MedicationRequest",
        "Immunization",
        "Procedure",
        "Encounter",
        "CarePlan",
        "CareTeam",
        "Goal",
        "Appointment",
        "ImagingStudy",
        "DocumentReference",
        "Composition",
        "FamilyMemberHistory",
        "Device",
        "Coverage",
        "Claim",
        "Patient",
        "Anything",
    ];
    let keys = [
        "status",
        "code",
        "value",
        "valueQuantity",
        "component",
        "reaction",
        "stage",
        "dosageInstruction",
        "dosage",
        "content",
        "section",
        "text",
        "note",
        "name",
        "item",
        "total",
        "performer",
        "participant",
        "activity",
        "target",
        "contained",
        "interpretation",
        "referenceRange",
        "protocolApplied",
        "medication",
        "telecom",
        "identifier",
        "class",
        "payment",
        "period",
        "dispenseRequest",
        "series",
    ];
    for kind in kinds {
        for key in keys {
            for value in &odd {
                let resource = json!({"resourceType": kind, key: value});
                show(&resource, &RecordMeta::default()).to_text(80);
            }
        }
    }
    show(&json!("no object"), &RecordMeta::default()).to_text(0);
}

#[test]
fn every_sample_is_rendered_without_json() {
    let shared = std::env::var_os("MEDVAULT_SAMPLE_DATA").map_or_else(
        || std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")),
        std::path::PathBuf::from,
    );
    let mut seen = 0;
    for folder in ["us-core-9", "ips", "fhir-r4-synthea-2020", "fhir-old"] {
        let Ok(files) = std::fs::read_dir(shared.join("data").join(folder)) else {
            println!("skipped: no sample data");
            return;
        };
        for file in files {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            let import = vault_core::record::read(&bytes, "x.json");
            for item in import.items {
                let Ok(resource) = serde_json::from_slice::<Value>(&bytes[item.range]) else {
                    continue;
                };
                let text = show(&resource, &item.meta).to_text(80);
                let braces = text.contains(['{', '}']) || text.contains("[\"");
                assert!(!braces, "{}: {text}", item.meta.title);
                assert!(text.lines().count() > 1, "{text}");
                seen += 1;
            }
        }
    }
    assert!(seen > 700, "{seen}");
}
