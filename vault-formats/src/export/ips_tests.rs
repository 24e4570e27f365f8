use super::*;

fn resource(number: u8, json: Value) -> Resource {
    let meta = vault_core::record::summary(&json.to_string()).unwrap();
    let record = RecordId::from_bytes([number; 16]);
    Resource { record, meta, json }
}

fn all(resources: Vec<Value>) -> Vec<Resource> {
    let numbered = resources.into_iter().zip(0u8..);
    numbered.map(|(json, at)| resource(at, json)).collect()
}

fn code(code: &str) -> Value {
    json!({"coding": [{"code": code}]})
}

fn section<'a>(bundle: &'a Value, loinc: &str) -> &'a Value {
    let sections = bundle["entry"][0]["resource"]["section"]
        .as_array()
        .unwrap();
    sections
        .iter()
        .find(|s| s["code"]["coding"][0]["code"] == loinc)
        .unwrap()
}

fn entry<'a>(bundle: &'a Value, url: &Value) -> &'a Value {
    let entries = bundle["entry"].as_array().unwrap();
    let found: Vec<_> = entries.iter().filter(|e| e["fullUrl"] == *url).collect();
    assert_eq!(found.len(), 1, "{url}");
    &found[0]["resource"]
}

fn lab(date: &str, digits: &str) -> Value {
    let value: Value = serde_json::from_str(digits).unwrap();
    json!({"resourceType": "Observation", "status": "final", "category": [code("laboratory")], "code": {"text": "Iron"},
        "effectiveDateTime": date, "subject": {"reference": "Patient/1"}, "performer": [{"reference": "Practitioner/9"}],
        "valueQuantity": {"value": value, "unit": "mg"}, "encounter": {"reference": "Encounter/5"}})
}

#[test]
fn a_document_leads_all_its_references_inside() {
    let document = ips(
        all(vec![
            json!({"resourceType": "Patient", "id": "1", "name": [{"family": "Lind", "given": ["Mira"]}], "birthDate": "1980-05-06",
                "generalPractitioner": [{"reference": "Practitioner/404"}]}),
            json!({"resourceType": "Condition", "id": "c", "clinicalStatus": code("active"), "code": {"text": "Asthma <x> & more"}, "subject": {"reference": "urn:uuid:1"},
                "recorder": {"reference": "http://h/Practitioner/7"}, "asserter": {"reference": "Practitioner/8", "display": "Dr Berg"}}),
            json!({"resourceType": "Practitioner", "id": "7", "name": [{"family": "Berg"}]}),
            lab("2023-01-01", "1.0"),
            lab("2024-01-01", "1.500"),
            json!({"resourceType": "Condition", "clinicalStatus": code("active"), "verificationStatus": code("refuted"), "code": {"text": "Gout"}, "subject": {"reference": "Patient/1"}}),
            json!({"resourceType": "MedicationStatement", "status": "active", "subject": {"reference": "Patient/1"}, "medicationReference": {"reference": "Medication/m"}}),
            json!({"resourceType": "Medication", "id": "m", "code": {"text": "Salbutamol"}}),
            json!({"resourceType": "Device", "id": "d", "status": "active", "patient": {"reference": "Patient/1"}, "type": {"text": "Pacemaker"}}),
        ]),
        Moment(0),
        &IpsOptions::default(),
    );
    let bundle = &document.bundle;
    assert_eq!(bundle["type"], "document");
    assert_eq!(bundle["timestamp"], "1970-01-01T00:00:00Z");
    let composition = &bundle["entry"][0]["resource"];
    assert_eq!(composition["type"]["coding"][0]["code"], "60591-5");
    let patient = entry(bundle, &composition["subject"]["reference"]);
    assert_eq!(patient["birthDate"], "1980-05-06");
    assert_eq!(patient.get("generalPractitioner"), None);
    assert_eq!(composition["author"][0], composition["subject"]);

    let problems = section(bundle, "11450-4");
    assert_eq!(problems["entry"].as_array().unwrap().len(), 1);
    assert!(
        problems["text"]["div"]
            .as_str()
            .unwrap()
            .contains("<td>Asthma &lt;x&gt; &amp; more</td>")
    );
    let asthma = entry(bundle, &problems["entry"][0]["reference"]);
    assert_eq!(asthma["subject"], composition["subject"]);
    assert_eq!(asthma["asserter"], json!({"display": "Dr Berg"}));
    assert_eq!(
        entry(bundle, &asthma["recorder"]["reference"])["name"][0]["family"],
        "Berg"
    );

    let results = section(bundle, "30954-2");
    assert_eq!(results["entry"].as_array().unwrap().len(), 1);
    let iron = entry(bundle, &results["entry"][0]["reference"]);
    assert_eq!(
        iron["valueQuantity"].to_string(),
        r#"{"unit":"mg","value":1.500}"#
    );
    assert_eq!((iron.get("encounter"), iron.get("performer")), (None, None));

    let medication = section(bundle, "10160-0");
    assert!(
        medication["text"]["div"]
            .as_str()
            .unwrap()
            .contains("<td>Salbutamol</td>")
    );
    let using = entry(bundle, &section(bundle, "46264-8")["entry"][0]["reference"]);
    assert_eq!(
        entry(bundle, &using["device"]["reference"])["type"]["text"],
        "Pacemaker"
    );

    assert_eq!(
        section(bundle, "48765-2")["emptyReason"]["coding"][0]["code"],
        "unavailable"
    );
    let expected = LeftOut {
        record: RecordId::from_bytes([5; 16]),
        what: "entered in error or refuted".into(),
    };
    assert_eq!(document.left_out, [expected]);
    let counts: Vec<_> = document
        .entries
        .iter()
        .map(|(code, n)| format!("{code}={n}"))
        .collect();
    assert_eq!(
        counts.join(" "),
        "10160-0=1 11369-6=0 11450-4=1 30954-2=1 46264-8=1 47519-4=0 48765-2=0"
    );
    assert_eq!(bundle["entry"].as_array().unwrap().len(), 9);
    assert!(!bundle.to_string().contains("profile"));
}

#[test]
fn another_persons_records_stay_out() {
    let document = ips(
        all(vec![
            json!({"resourceType": "Patient", "id": "1", "name": [{"family": "Lind", "given": ["Mira"]}], "birthDate": "1980-05-06"}),
            json!({"resourceType": "Patient", "id": "2", "name": [{"family": "Lind", "given": ["Mira"]}], "birthDate": "1980"}),
            json!({"resourceType": "Patient", "id": "3", "name": [{"family": "Lind", "given": ["Tomas"]}], "birthDate": "2010-01-01"}),
            json!({"resourceType": "Condition", "code": {"text": "A"}, "subject": {"reference": "Patient/2"}}),
            json!({"resourceType": "Condition", "code": {"text": "B"}, "subject": {"reference": "Patient/3"}}),
            json!({"resourceType": "Condition", "code": {"text": "C"}}),
        ]),
        Moment(0),
        &IpsOptions::default(),
    );
    assert_eq!(document.entries["11450-4"], 2);
    let expected = LeftOut {
        record: RecordId::from_bytes([4; 16]),
        what: "about another person".into(),
    };
    assert_eq!(document.left_out, [expected]);
}

#[test]
fn nothing_at_all_is_still_a_document() {
    let document = ips(Vec::<Resource>::new(), Moment(0), &IpsOptions::default());
    for loinc in ["10160-0", "48765-2", "11450-4"] {
        let section = section(&document.bundle, loinc);
        assert_eq!(section["emptyReason"]["coding"][0]["code"], "unavailable");
        assert_eq!(section.get("entry"), None);
    }
    let patient = entry(
        &document.bundle,
        &document.bundle["entry"][0]["resource"]["subject"]["reference"],
    );
    assert_eq!(
        patient["_birthDate"]["extension"][0]["valueCode"],
        "unknown"
    );
}

#[test]
fn none_known_is_an_entry_or_the_reason_why_there_is_none() {
    let none = |rest: Value| {
        let mut json = json!({"resourceType": "AllergyIntolerance", "code": {"coding": [{"code": "716186003"}]}});
        json.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        ips(all(vec![json]), Moment(0), &IpsOptions::default())
    };
    let known = none(json!({}));
    assert_eq!(
        section(&known.bundle, "48765-2")["entry"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // a record that cannot be written as R4: its patient is no reference
    let lost = none(json!({"patient": "me"}));
    assert_eq!(
        section(&lost.bundle, "48765-2")["emptyReason"]["coding"][0]["code"],
        "nilknown"
    );
}

#[test]
fn what_no_program_can_have_is_still_said_in_words() {
    // R4 requires an intent
    let json = json!({"resourceType": "MedicationRequest", "status": "active", "medicationCodeableConcept": {"text": "Warfarin"},
        "dosageInstruction": [{"text": "5 mg daily"}]});
    let document = ips(all(vec![json]), Moment(0), &IpsOptions::default());
    let section = section(&document.bundle, "10160-0");
    assert_eq!(section["emptyReason"]["coding"][0]["code"], "unavailable");
    let words = section["text"]["div"].as_str().unwrap();
    assert!(
        words.contains("<td>Warfarin</td><td>5 mg daily; active</td>"),
        "{words}"
    );
    assert_eq!(document.left_out[0].what, "no intent, which R4 requires");
}

/// Every reference of every document made of the samples leads to an entry, or is words only.
/// `MEDVAULT_KEEP_DOCUMENTS` names a folder that keeps the documents, for validators of others.
#[test]
fn samples_become_closed_documents() {
    let shared = std::env::var_os("MEDVAULT_SAMPLE_DATA").map_or_else(
        || std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")),
        std::path::PathBuf::from,
    );
    for folder in [
        "ips",
        "fhir-r4-synthea",
        "fhir-r4-synthea-2020",
        "us-core-9",
        "fhir-old",
    ] {
        let Ok(files) = std::fs::read_dir(shared.join("data").join(folder)) else {
            println!("skipped: no sample data");
            return;
        };
        for file in files {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let import = vault_core::record::read(&bytes, "x.json");
            let resources = import
                .items
                .into_iter()
                .zip(0u128..)
                .filter_map(|(item, at)| {
                    let record = RecordId::from_bytes(at.to_be_bytes());
                    let json = serde_json::from_slice(&bytes[item.range]).ok()?;
                    Some(Resource {
                        record,
                        meta: item.meta,
                        json,
                    })
                });
            let document = ips(resources, Moment(1_790_000_000), &IpsOptions::default());
            let entries = document.bundle["entry"].as_array().unwrap();
            let urls: BTreeSet<&str> = entries
                .iter()
                .map(|e| e["fullUrl"].as_str().unwrap())
                .collect();
            assert_eq!(urls.len(), entries.len());
            for entry in entries {
                for target in targets(&entry["resource"]) {
                    assert!(
                        urls.contains(target.as_str()) || target.starts_with('#'),
                        "{target} in {}",
                        path.display()
                    );
                }
            }
            if let Some(out) = std::env::var_os("MEDVAULT_KEEP_DOCUMENTS") {
                let name = path.file_name().unwrap();
                std::fs::write(
                    std::path::Path::new(&out).join(name),
                    document.bundle.to_string(),
                )
                .unwrap();
                println!(
                    "{folder} {name:?}: {:?} {:?}",
                    document.entries, document.left_out
                );
            }
        }
    }
}

/// The rows of a section, in words.
fn words(document: &IpsDocument, loinc: &str) -> String {
    let div = &section(&document.bundle, loinc)["text"]["div"];
    div.as_str().unwrap().replace("</td><td>", " | ")
}

#[test]
fn what_is_not_certain_is_not_written_as_if_it_were() {
    let to = |reference: &str| json!({ "reference": reference });
    let drug =
        |text: &str| json!({"resourceType": "Medication", "id": "1", "code": {"text": text}});
    let order = |rest: Value| {
        let mut json = json!({"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": to("Patient/1")});
        json.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        json
    };
    let pregnant = |date: &str| {
        json!({"resourceType": "Observation", "status": "final", "code": code("82810-3"), "subject": to("Patient/1"),
        "effectiveDateTime": date, "valueCodeableConcept": {"text": "Pregnant"}})
    };
    let person = |id: &str, given: &str, born: &str| json!({"resourceType": "Patient", "id": id, "name": [{"family": "Lind", "given": [given]}], "birthDate": born});
    let mut dead = person("3", "Mira", "1980-05-06");
    dead["deceasedDateTime"] = json!("2025-01-01");
    let mut preliminary = lab("2025-01-01", "9");
    preliminary["status"] = json!("preliminary");
    let document = ips(
        all(vec![
            person("1", "Mira", "1980-05-06"),
            person("2", "Otto", "2015-01-01"),
            dead,
            drug("Aspirin"),
            drug("Methotrexate"),
            order(json!({"medicationReference": to("Medication/1")})),
            order(json!({"medicationReference": to("Medication/1")})),
            order(json!({"medicationCodeableConcept": {"text": "Zinc"},
                "dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"end": "2020-02-03"}}}}]})),
            json!({"resourceType": "Condition", "code": {"text": "Gout"}, "subject": to("Patient/404")}),
            json!({"resourceType": "Condition", "code": {"text": "Lupus"}, "subject": to("Patient/1"), "verificationStatus": code("provisional")}),
            json!({"resourceType": "Condition", "code": {"text": "Cough"}, "subject": to("Patient/1"), "category": [code("encounter-diagnosis")]}),
            json!({"resourceType": "AllergyIntolerance", "code": {"text": "No known allergies"}, "patient": to("Patient/1")}),
            json!({"resourceType": "AllergyIntolerance", "code": {"text": "Latex"}, "patient": to("Patient/1"), "criticality": "high",
                "reaction": [{"manifestation": [{"text": "Rash"}], "severity": "severe"}]}),
            pregnant("2024-01-01"),
            preliminary,
            lab("2025-01-01", "8"),
        ]),
        Moment(1_735_700_000), // the first of January 2025
        &IpsOptions::default(),
    );
    let medication = words(&document, "10160-0");
    assert_eq!(
        medication.matches("medicine not certain | active").count(),
        2
    );
    assert!(medication.contains("Zinc | until 2020-02-03; was to end 2020-02-03 |"));
    assert!(!medication.contains("Aspirin") && !medication.contains("Methotrexate"));
    let order = entry(
        &document.bundle,
        &section(&document.bundle, "10160-0")["entry"][0]["reference"],
    );
    if order.get("medicationReference").is_some() {
        assert_eq!(
            order["medicationReference"],
            json!({"display": "medicine not certain"})
        );
    }
    let problems = words(&document, "11450-4");
    assert!(problems.contains("Lupus | not confirmed") && !problems.contains("Gout"));
    assert!(!problems.contains("Cough") && words(&document, "11348-0").contains("Cough"));
    let allergies = words(&document, "48765-2");
    assert!(allergies.contains("Latex | criticality high; Rash (severe)"));
    assert!(!allergies.contains("No known"));
    assert!(words(&document, "30954-2").contains("Iron | 8 mg |"));
    assert!(!document.entries.contains_key("10162-6"));
    let patient = &document.bundle["entry"][1]["resource"];
    assert_eq!(patient["deceasedDateTime"], "2025-01-01");
    let left: Vec<_> = document
        .left_out
        .iter()
        .map(|left| left.what.as_str())
        .collect();
    let expected = [
        "about whom is not clear",
        "a pregnancy of an earlier time",
        "no known allergy, which other records speak against",
    ];
    assert_eq!(left, expected);
}
