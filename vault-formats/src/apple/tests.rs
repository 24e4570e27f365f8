//! Whole exports.

use std::path::PathBuf;

use serde_json::{Value, json};
use vault_core::{Category, Digest};

use super::*;

pub(super) const SAMPLE: &[u8] = include_bytes!("../../samples/apple/export.xml");
pub(super) const WHEN: Moment = Moment(1_790_000_000);

pub(super) fn read(mut bytes: &[u8]) -> AppleExport {
    understand(&mut bytes, "export.xml", WHEN)
}

fn resources(export: &AppleExport) -> Vec<Value> {
    let derived = export.understood.derived.iter();
    derived
        .map(|derived| serde_json::from_slice(&derived.content).unwrap())
        .collect()
}

/// The one resource whose code has this text.
fn titled<'a>(resources: &'a [Value], title: &str) -> &'a Value {
    let mut found = resources
        .iter()
        .filter(|resource| resource["code"]["text"] == json!(title));
    let first = found.next().unwrap_or_else(|| panic!("no {title}"));
    assert!(found.next().is_none(), "two of {title}");
    first
}

/// The value of the component with this text.
fn part(resource: &Value, text: &str) -> String {
    let parts = resource["component"].as_array().unwrap();
    let found = parts
        .iter()
        .find(|part| part["code"]["text"] == json!(text));
    let found = found.unwrap_or_else(|| panic!("no {text}"));
    match found.get("valueQuantity") {
        Some(quantity) => quantity["value"].to_string(),
        None => found["valueDateTime"].as_str().unwrap().to_owned(),
    }
}

fn codes(resource: &Value) -> Vec<&str> {
    let codings = resource["code"]["coding"].as_array().unwrap();
    codings
        .iter()
        .map(|coding| coding["code"].as_str().unwrap())
        .collect()
}

pub(super) fn problems(export: &AppleExport) -> Vec<String> {
    let problems = export.understood.problems.iter();
    problems
        .map(|problem| format!("{}: {}", problem.at, problem.what))
        .collect()
}

#[test]
fn what_the_original_is() {
    let export = read(SAMPLE);
    let meta = &export.understood.meta;
    assert_eq!(meta.kind.as_str(), "Document");
    assert_eq!(meta.category, Category::Vitals);
    assert_eq!(meta.media_type, "application/xml");
    assert_eq!(meta.title, "Apple Health export");
    assert_eq!(meta.date.as_ref().unwrap().as_str(), "2024-06-01");
    assert_eq!(meta.author, None);
    let labels: Vec<&str> = meta.labels.iter().map(Label::as_str).collect();
    assert_eq!(labels, ["ETH", "SEX"]);
    assert_eq!(export.understood.about.len(), 1);
    let born = export.understood.about[0].born.as_ref().unwrap();
    assert_eq!(born.as_str(), "1980-05-06");
    assert_eq!(
        problems(&export),
        [
            "export.xml: 2 records have no type, date or value that can be read",
            "export.xml: 1 elements are only in the original: Audiogram",
        ]
    );
    let clinical = export
        .clinical_records
        .get("apple_health_export/clinical-records/Observation-abc.json");
    let clinical = clinical.unwrap();
    assert_eq!(clinical.source_name.as_deref(), Some("Klinik am See"));
    assert_eq!(
        clinical.received.as_ref().unwrap().as_str(),
        "2024-02-01T10:00:00+01:00"
    );
}

#[test]
fn clinical_measures_by_day() {
    let export = read(SAMPLE);
    let all = resources(&export);
    // a person, eleven observations, the provenance
    assert_eq!(all.len(), 13);
    assert_eq!(all[0]["resourceType"], "Patient");
    assert_eq!(all[0]["gender"], "female");
    let patient = format!("Patient/{}", all[0]["id"].as_str().unwrap());
    let observations = || all.iter().filter(|r| r["resourceType"] == "Observation");
    assert_eq!(observations().count(), 11);
    assert!(observations().all(|r| r["subject"]["reference"] == json!(patient)));
    assert!(observations().all(|r| r["status"] == "final"));

    let weight = titled(&all, "Body weight");
    assert_eq!(
        codes(weight),
        ["29463-7", "HKQuantityTypeIdentifierBodyMass"]
    );
    assert_eq!(
        weight["valueQuantity"].to_string(),
        r#"{"code":"kg","system":"http://unitsofmeasure.org","unit":"kg","value":70.50}"#
    );
    assert_eq!(weight["effectiveDateTime"], "2024-03-01T07:00:00+01:00");
    assert_eq!(
        weight["device"]["display"],
        "Waage & K\u{fc}che <B\u{fc}ro> Zo\u{eb}"
    );
    assert_eq!(weight["category"][0]["coding"][0]["code"], "vital-signs");
    assert_eq!(weight.get("component"), None);

    let oxygen = titled(&all, "Oxygen saturation");
    assert_eq!(oxygen["valueQuantity"]["value"].to_string(), "97");
    assert_eq!(oxygen["valueQuantity"]["code"], "%");
    assert_eq!(oxygen["effectiveDateTime"], "2024-03-01");
    assert_eq!(part(oxygen, "Lowest"), "90");
    assert_eq!(part(oxygen, "Highest"), "100");
    assert_eq!(part(oxygen, "Number of samples"), "3");
    assert_eq!(oxygen["note"], json!([{"text": "latest of 3 samples"}]));
    assert_eq!(weight.get("note"), None);
    assert_eq!(
        part(oxygen, "Time of the latest sample"),
        "2024-03-01T03:00:00+01:00"
    );

    let glucose = titled(&all, "Blood glucose");
    assert_eq!(codes(glucose)[0], "15074-8");
    assert_eq!(glucose["valueQuantity"]["value"].to_string(), "5.60");
    assert_eq!(glucose["valueQuantity"]["code"], "mmol/L");

    // the pair of the evening, and the single value of another day
    let pressure = titled(&all, "Blood pressure");
    assert_eq!(codes(pressure), ["85354-9", types::PRESSURE]);
    assert_eq!(part(pressure, "Systolic blood pressure"), "125");
    assert_eq!(part(pressure, "Diastolic blood pressure"), "79");
    assert_eq!(part(pressure, "Number of samples"), "2");
    assert_eq!(pressure["note"][0]["text"], "latest of 2 samples");
    let single = titled(&all, "Systolic blood pressure");
    assert_eq!(single["valueQuantity"]["value"].to_string(), "118");
    assert_eq!(single["effectiveDateTime"], "2024-03-04T19:00:00+01:00");
}

#[test]
fn the_body_mass_index_has_its_unit() {
    let one = |kind: &str| {
        format!(
            "<Record type=\"HKQuantityTypeIdentifier{kind}\" sourceName=\"A\" unit=\"count\" \
             startDate=\"2024-03-01 07:00:00 +0100\" endDate=\"2024-03-01 07:00:00 +0100\" \
             value=\"23.40\"/>"
        )
    };
    let text = format!(
        "<HealthData>{}{}</HealthData>",
        one("BodyMassIndex"),
        one("InhalerUsage")
    );
    let export = read(text.as_bytes());
    let all = resources(&export);
    assert_eq!(
        titled(&all, "Body mass index")["valueQuantity"].to_string(),
        r#"{"code":"kg/m2","system":"http://unitsofmeasure.org","unit":"kg/m2","value":23.40}"#
    );
    let usage = &titled(&all, "Inhaler usage")["valueQuantity"];
    assert_eq!(usage["code"], "{count}");
}

#[test]
fn the_rest_by_month() {
    let export = read(SAMPLE);
    let all = resources(&export);
    let steps = titled(&all, "Steps");
    assert_eq!(
        codes(steps),
        ["55423-8", "HKQuantityTypeIdentifierStepCount"]
    );
    assert_eq!(
        steps["effectivePeriod"],
        json!({"start": "2024-03", "end": "2024-03"})
    );
    // two devices: no common sum
    assert_eq!(steps.get("valueQuantity"), None);
    assert_eq!(part(steps, "Sum of Telefon"), "1512");
    assert_eq!(part(steps, "Sum of Uhr"), "998");
    assert_eq!(part(steps, "Number of samples"), "3");

    let energy = titled(&all, "Active energy burned");
    assert_eq!(energy["valueQuantity"]["value"].to_string(), "0.350052");
    // a sum is not the latest of anything
    assert_eq!(energy.get("note"), None);
    assert_eq!(part(energy, "Latest sample"), "0.1");
    assert_eq!(part(energy, "Lowest"), "0.000052");
    assert_eq!(energy["category"][0]["coding"][0]["code"], "activity");

    let sleep = titled(&all, "Sleep");
    assert_eq!(part(sleep, "In bed"), "1");
    assert_eq!(part(sleep, "Asleep core"), "2");

    let running = titled(&all, "Workout: Running");
    assert_eq!(running["valueQuantity"]["value"].to_string(), "75.75");
    assert_eq!(running["valueQuantity"]["code"], "min");
    assert_eq!(part(running, "Number of samples"), "2");
}

#[test]
fn derived_records_have_only_their_own_labels() {
    let export = read(SAMPLE);
    let labelled: Vec<(String, Vec<&str>)> = export
        .understood
        .derived
        .iter()
        .filter(|derived| !derived.meta.labels.is_empty())
        .map(|derived| {
            let labels = derived.meta.labels.iter().map(Label::as_str).collect();
            (derived.meta.title.clone(), labels)
        })
        .collect();
    assert_eq!(
        labelled,
        [
            ("Number of alcoholic beverages".to_owned(), vec!["ETH"]),
            ("Menstrual flow".to_owned(), vec!["SEX"]),
        ]
    );
}

#[test]
fn the_provenance_names_the_hash_of_all_bytes() {
    for cut in [SAMPLE.len(), 4000] {
        let bytes = &SAMPLE[..cut];
        let all = resources(&read(bytes));
        let provenance = all.last().unwrap();
        let hash: String = Digest::of(bytes)
            .as_bytes()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(
            provenance["entity"][0]["what"]["identifier"]["value"],
            json!(format!("urn:sha256:{hash}"))
        );
    }
}

#[test]
fn broken_xml_says_where_and_keeps_what_came_before() {
    let text = std::str::from_utf8(SAMPLE).unwrap();
    let at = text
        .find(" <Record type=\"HKQuantityTypeIdentifierStepCount\"")
        .unwrap()
        + 1;
    for (what, why) in [
        ("</Nothing>", "the XML is malformed"),
        ("<Record type=\"HKQ", "the XML is malformed"),
        ("\u{0}<!", "the XML is malformed"),
    ] {
        let broken = format!("{}{what}", &text[..at]);
        let export = read(broken.as_bytes());
        let offset = at + usize::from(what.starts_with('\u{0}'));
        let first = problems(&export).remove(0);
        assert_eq!(first, format!("export.xml, byte {offset}: {why}"), "{what}");
        let all = resources(&export);
        titled(&all, "Body weight");
        assert!(export.understood.meta.labels.contains(&Label::unclear()));
    }
    let early = read(&SAMPLE[..at]);
    assert_eq!(
        problems(&early)[0],
        format!("export.xml, byte {at}: the XML ends too early")
    );
    // what is not UTF-8 cannot be read on
    let mut bytes = SAMPLE.to_vec();
    bytes[at + 10] = 0xff;
    assert!(problems(&read(&bytes))[0].starts_with(&format!("export.xml, byte {at}")));
}

#[test]
fn other_xml_is_no_export() {
    for other in [
        "",
        "<a/>",
        "<a><HealthData/></a>",
        "<HealthData/><HealthData/>",
        "x",
    ] {
        let export = read(other.as_bytes());
        assert_eq!(export.understood.problems.len(), 1, "{other}");
        assert!(export.understood.derived.is_empty(), "{other}");
    }
    let empty = read(b"<HealthData/>");
    assert!(empty.understood.problems.is_empty() && empty.understood.derived.is_empty());
    let deep = format!("<HealthData>{}", "<a>".repeat(100));
    assert!(problems(&read(deep.as_bytes()))[0].contains("nested too deep"));
}

#[test]
fn recognised_by_root_or_document_type() {
    assert!(looks_like(SAMPLE));
    // the root is not in sight yet
    assert!(looks_like(&SAMPLE[..100]));
    for yes in [
        "<HealthData locale=\"en\">",
        "\u{feff} <?xml version='1.0'?>\n<HealthData>",
        "<?xml?><!-- <x> --><?pi?>\n<!DOCTYPE HealthData [",
        "<!----><HealthData/>",
    ] {
        assert!(looks_like(yes.as_bytes()), "{yes}");
    }
    for no in [
        "",
        "<",
        "<HealthData",
        "<HealthDataX>",
        "<!DOCTYPEHealthData [",
        "<!DOCTYPE html><HealthData>",
        "<ClinicalDocument xmlns=\"urn:hl7-org:v3\">",
        "<!--><HealthData>",
        "<?><HealthData>",
        "<?xml",
        "HealthData",
        "{\"HealthData\": 1}",
    ] {
        assert!(!looks_like(no.as_bytes()), "{no}");
    }
}

#[test]
fn a_sample_from_elsewhere() {
    let shared = std::env::var_os("MEDVAULT_SAMPLE_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")),
        PathBuf::from,
    );
    let Ok(bytes) = std::fs::read(shared.join("data/apple-health/export.xml")) else {
        println!("skipped: no sample data");
        return;
    };
    assert!(looks_like(&bytes));
    let export = read(&bytes);
    assert_eq!(problems(&export), [""; 0]);
    let born = export.understood.about[0].born.as_ref().unwrap();
    assert_eq!(born.as_str(), "1990-05-20");
    let meta = &export.understood.meta;
    assert_eq!(meta.date.as_ref().unwrap().as_str(), "2024-06-01");
    assert!(meta.labels.is_empty());
    let all = resources(&export);
    assert_eq!(all.len(), 7);
    assert_eq!(all[0]["gender"], "male");
    let pulse = titled(&all, "Heart rate");
    assert_eq!(pulse["effectiveDateTime"], "2024-01-01");
    assert_eq!(pulse["valueQuantity"]["value"].to_string(), "75");
    assert_eq!(part(pulse, "Lowest"), "74");
    let energy = titled(&all, "Active energy burned");
    assert_eq!(energy["valueQuantity"]["value"].to_string(), "0.20");
    let exercise = titled(&all, "Apple exercise time");
    assert_eq!(exercise["valueQuantity"]["value"].to_string(), "1");
    let stand = titled(&all, "Apple stand time");
    assert_eq!(stand["valueQuantity"]["value"].to_string(), "2");
    let sleep = titled(&all, "Sleep");
    assert_eq!(part(sleep, "In bed"), "1");
    assert_eq!(part(sleep, "Asleep core"), "1");
}
