//! Every sample file goes in, and the counts agree with an independent count.
//!
//! The independent count is `tests/samples/count.py` (Python's own JSON reader). Its output over the
//! whole folder is kept here as [`EXPECTED`], and it runs again beside this test where there is a
//! `python3`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use vault_core::record::{Import, Sniffed, read, read_line, sniff};
use vault_core::{Category, RecordMeta};

/// Folder, files, records, records by kind.
const EXPECTED: &[(&str, usize, usize, &str)] = &[
    ("apple-health", 2, 2, "Document=2"),
    (
        "bulk-ndjson",
        11,
        4688,
        "AllergyIntolerance=11 Condition=555 Device=16 Document=1 Immunization=161 \
         Location=44 MedicationRequest=1745 Organization=43 Patient=13 Practitioner=43 \
         Procedure=2056",
    ),
    ("ccda", 4, 4, "Document=4"),
    ("dicom", 4, 4, "Document=4"),
    (
        "fhir-old",
        3,
        169,
        "AllergyIntolerance=11 CarePlan=3 Claim=18 Condition=8 DiagnosticReport=2 \
         Document=1 Encounter=14 ExplanationOfBenefit=14 Immunization=6 \
         MedicationRequest=4 MedicationStatement=6 Observation=70 Organization=3 \
         Patient=4 Practitioner=3 Procedure=2",
    ),
    (
        "fhir-r4-synthea",
        10,
        2794,
        "AllergyIntolerance=2 CarePlan=18 Claim=368 Condition=57 DiagnosticReport=92 \
         Encounter=332 ExplanationOfBenefit=332 Goal=21 ImagingStudy=8 Immunization=85 \
         MedicationRequest=36 Observation=1302 Organization=16 Patient=10 Practitioner=16 \
         Procedure=99",
    ),
    (
        "fhir-r4-synthea-2020",
        4,
        434,
        "CarePlan=3 CareTeam=3 Claim=31 Condition=11 DiagnosticReport=37 \
         DocumentReference=28 Encounter=28 ExplanationOfBenefit=28 Immunization=19 \
         Location=23 MedicationRequest=3 Observation=142 Organization=23 Patient=2 \
         Practitioner=23 PractitionerRole=23 Procedure=5 Provenance=2",
    ),
    ("hl7v2", 7, 7, "Document=7"),
    (
        "ips",
        8,
        134,
        "AllergyIntolerance=9 Bundle=8 CarePlan=1 Composition=8 Condition=19 Consent=1 Device=1 \
         DeviceUseStatement=1 DocumentReference=1 Flag=1 Immunization=16 Medication=8 \
         MedicationRequest=2 MedicationStatement=9 Observation=22 Organization=10 \
         Patient=8 Practitioner=5 PractitionerRole=3 Procedure=1",
    ),
    (
        "shl-shc",
        40,
        59,
        "AllergyIntolerance=1 Bundle=1 Composition=1 Condition=1 Coverage=1 Document=35 \
         Immunization=8 Medication=1 MedicationStatement=1 Organization=2 Patient=6 \
         Practitioner=1",
    ),
    (
        "us-core-9",
        65,
        65,
        "AllergyIntolerance=3 CarePlan=1 CareTeam=1 Condition=3 Coverage=1 Device=2 \
         DiagnosticReport=2 DocumentReference=2 Encounter=3 FamilyMemberHistory=3 Goal=2 \
         Immunization=2 Location=1 MedicationDispense=1 MedicationRequest=2 \
         Observation=20 Organization=1 Patient=3 Practitioner=2 PractitionerRole=1 \
         Procedure=3 Provenance=1 QuestionnaireResponse=1 RelatedPerson=1 \
         ServiceRequest=2 Specimen=1",
    ),
];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The folder with the sample data, or nothing, said aloud.
fn samples() -> Option<PathBuf> {
    let shared = std::env::var_os("MEDVAULT_SAMPLE_DATA")
        .map_or_else(|| repository().join("../shared"), PathBuf::from);
    let data = shared.join("data");
    if data.is_dir() {
        return Some(data);
    }
    println!("skipped: no sample data");
    None
}

/// Name (`folder/file`) and bytes of every file of a folder, sorted.
fn files(data: &Path, folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(data.join(folder))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            (format!("{folder}/{name}"), std::fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn by_kind(import: &Import) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for item in &import.items {
        *kinds.entry(item.meta.kind.to_string()).or_insert(0) += 1;
    }
    kinds
}

fn listed(kinds: &BTreeMap<String, usize>) -> String {
    let listed: Vec<_> = kinds.iter().map(|(k, n)| format!("{k}={n}")).collect();
    listed.join(" ")
}

#[test]
fn every_file_reads_and_the_counts_are_as_computed() {
    let Some(data) = samples() else { return };
    for (folder, expected_files, expected_records, expected_kinds) in EXPECTED {
        let files = files(&data, folder);
        let mut kinds = BTreeMap::new();
        for (name, bytes) in &files {
            let import = read(bytes, name);
            assert_eq!(import.problems, [], "{name}");
            for (kind, n) in by_kind(&import) {
                *kinds.entry(kind).or_insert(0) += n;
            }
        }
        assert_eq!(files.len(), *expected_files, "{folder}");
        assert_eq!(kinds.values().sum::<usize>(), *expected_records, "{folder}");
        assert_eq!(listed(&kinds), *expected_kinds, "{folder}");
    }
}

#[test]
fn the_counts_agree_with_another_program() {
    let Some(data) = samples() else { return };
    let mut command = Command::new("python3");
    command
        .arg(repository().join("tests/samples/count.py"))
        .arg(&data);
    let mut ours = String::new();
    for (folder, ..) in EXPECTED {
        for (name, bytes) in files(&data, folder) {
            let import = read(&bytes, &name);
            let kinds = listed(&by_kind(&import));
            ours += &format!("{name}\t{}\t{kinds}\n", import.items.len());
            command.arg(name);
        }
    }
    match command.output() {
        Ok(output) => {
            assert!(output.status.success(), "count.py failed");
            assert_eq!(ours, String::from_utf8(output.stdout).unwrap());
        }
        Err(_) => println!("skipped: no python3"),
    }
}

#[test]
fn records_are_the_resources_of_the_file() {
    let Some(data) = samples() else { return };
    let (mut bundles, mut wholes) = (0, 0);
    for (folder, ..) in EXPECTED {
        for (name, bytes) in files(&data, folder) {
            let import = read(&bytes, &name);
            let value: Option<Value> = serde_json::from_slice(&bytes).ok();
            let entries = value.as_ref().and_then(|v| v.get("entry")?.as_array());
            if let Some(entries) = entries {
                bundles += 1;
                let kind = value.as_ref().and_then(|v| v.get("type")?.as_str());
                let mut items = &import.items[..];
                let attested = matches!(kind, Some("document" | "message"));
                if attested {
                    let (whole, parts) = items.split_first().unwrap();
                    wholes += 1;
                    assert_eq!(&bytes[whole.range.clone()], bytes.trim_ascii(), "{name}");
                    items = parts;
                }
                assert_eq!(entries.len(), items.len(), "{name}");
                for (entry, item) in entries.iter().zip(items) {
                    assert_eq!(item.part_of, attested.then_some(0), "{name}");
                    let record: Value = serde_json::from_slice(&bytes[item.range.clone()]).unwrap();
                    assert_eq!(Some(&record), entry.get("resource"), "{name}");
                }
            } else if let [item] = &import.items[..] {
                // one record is the file itself, but for white space around it
                let text = bytes[item.range.clone()].trim_ascii();
                assert_eq!(text, bytes.trim_ascii(), "{name}");
            }
        }
    }
    assert_eq!((bundles, wholes), (28, 9));
}

#[test]
fn the_first_bytes_lead_to_the_same_records() {
    let Some(data) = samples() else { return };
    let mut streamed = 0;
    for (folder, ..) in EXPECTED {
        for (name, bytes) in files(&data, folder) {
            let whole = read(&bytes, &name);
            match sniff(&bytes, &name, Some(bytes.len() as u64)) {
                Sniffed::Fhir => {}
                Sniffed::Document { meta } => assert_eq!(meta, whole.items[0].meta, "{name}"),
                Sniffed::Ndjson => {
                    streamed += 1;
                    let mut items = Vec::new();
                    let mut start = 0;
                    for (number, line) in (1..).zip(bytes.split_inclusive(|b| *b == b'\n')) {
                        for mut item in read_line(line, number).items {
                            item.range = start + item.range.start..start + item.range.end;
                            items.push(item);
                        }
                        start += line.len();
                    }
                    assert_eq!(items, whole.items, "{name}");
                }
                Sniffed::Stream => panic!("{name}: no sample is that long"),
                Sniffed::Refused(problem) => panic!("{name}: {problem}"),
            }
        }
    }
    assert_eq!(streamed, 10);
}

fn one(data: &Path, name: &str) -> RecordMeta {
    let bytes = std::fs::read(data.join(name)).unwrap();
    read(&bytes, name).items.remove(0).meta
}

/// Written by hand from the files.
#[test]
#[rustfmt::skip]
fn summaries_of_us_core_are_what_a_person_reads_there() {
    use Category::*;
    let Some(data) = samples() else { return };
    for (name, category, date, title) in [
        ("allergyintolerance-latex-inactive-unconfirmed", Allergy, "2024-05-02", "111088007"),
        ("careteam-active-multirole", Other, "2025-10-22", "Diabetes Longitudinal Care Team"),
        ("condition-hypertension-active", Condition, "2024-05-02", "Essential hypertension"),
        ("coverage-medicare-contained-payor", Coverage, "2025-03-01", "Medicare Part A and B"),
        ("diagnosticreport-cbc-panel", Lab, "2025-03-10T08:20:00-05:00", "Complete Blood Count (CBC)"),
        ("diagnosticreport-note-radiology-amended", Imaging, "2025-03-12T09:05:00Z", "XR CHEST 2 VW"),
        ("documentreference-progress-note", Note, "2025-03-12T08:15:00Z", "Progress note"),
        ("encounter-amb-office", Other, "2024-09-12T09:00:00-07:00", "Office visit, established patient"),
        ("familymemberhistory-grandmother-unicode", Other, "2025-04-10", "Maternal grandmother (\u{5916}\u{5a46})"),
        ("goal-walking-completed", Other, "2024-03-04", "Walk 30 minutes daily without dyspnea by end of pulmonary rehab"),
        ("immunization-hepb-entered-in-error", Immunization, "2025-01-08",
            "Entered in error: hepatitis B vaccine, adult formulation (free-text entry, no code captured)"),
        ("location-breadth-clinic", Other, "", "Breadth Test Family Medicine Clinic"),
        ("medicationrequest-active-coded", Medication, "2025-03-15T14:32:00-07:00",
            "lisinopril (PRINIVIL, ZESTRIL) 10 mg tablet"),
        ("medicationrequest-onhold-plan-external", Medication, "2026-01-20T07:45:00-06:00",
            "metFORMIN HCl 24 hr ER (GLUCOPHAGE XR) 500 mg tablet"),
        ("medicationdispense-completed", Medication, "2025-03-16T10:21:00-07:00",
            "lisinopril (PRINIVIL, ZESTRIL) 10 mg tablet"),
        ("observation-bmi", Vitals, "2024-09-17T14:05:00-05:00", "BMI"),
        ("observation-clinical-ef", Imaging, "2025-06-18T14:30:00-05:00", "LV Ejection Fraction"),
        ("observation-heart-rate", Vitals, "2025-03-11T09:32:00-05:00", "8867-4"),
        ("observation-hemoglobin-low", Lab, "2025-03-10T08:20:00-05:00", "Hemoglobin"),
        ("observation-sexual-orientation", Other, "2024-07-09", "Sexual orientation"),
        ("observation-urine-color", Lab, "2025-09-02T07:30:00-05:00", "Urine Color"),
        ("patient-constant", Identity, "", "Casey Breadth-Tester"),
        ("patient-minimal-absent", Identity, "", "Patient"),
        ("patient-unicode-name", Identity, "", "\u{738b}\u{79c0}\u{82f1}"),
        ("practitioner-nurse-minimal", Other, "", "Sample-Nurse"),
        ("procedure-appendectomy-period", Procedure, "2025-03-02T22:10:00-06:00", "Laparoscopic appendectomy"),
        ("procedure-cholecystectomy-string", Procedure, "", "Gallbladder removal"),
        ("provenance-patient-author-quirk", Other, "2026-01-15T08:00:00.000-06:00", "Provenance"),
        ("servicerequest-colonoscopy-completed", Procedure, "2024-09-17",
            "Colonoscopy, diagnostic \u{2014} screening order"),
        ("specimen-urine-clean-catch", Lab, "2025-09-02T07:30:00-05:00", "Urine, clean catch"),
    ] {
        let meta = one(&data, &format!("us-core-9/{name}.json"));
        let found = meta.date.as_ref().map_or("", |date| date.as_str());
        assert_eq!((meta.category, found, meta.title.as_str()), (category, date, title), "{name}");
        assert_eq!(meta.media_type, "application/fhir+json");
        let source = meta.source_id.unwrap();
        assert_eq!(source, format!("{}/{name}", meta.kind));
    }
}

#[test]
#[rustfmt::skip]
fn documents_are_known_by_their_content() {
    use Category::*;
    let Some(data) = samples() else { return };
    for (name, media_type, category, date) in [
        ("ccda/CCD_1.xml", "text/xml", Note, "2013-08-15"),
        ("ccda/170.314B2_Amb_CCD.xml", "text/xml", Note, "2013-01-30"),
        ("dicom/pydicom-CT_small.dcm", "application/dicom", Imaging, "2004-01-19"),
        ("dicom/pydicom-no_meta.dcm", "application/dicom", Imaging, "2004-01-19"),
        ("dicom/pydicom-reportsi.dcm", "application/dicom", Imaging, "2005-05-30"),
        ("dicom/pydicom-SC_rgb_jpeg_dcmtk.dcm", "application/dicom", Imaging, "2017-01-01"),
        ("hl7v2/LAB-ORU-1.hl7", "application/hl7-v2", Other, ""),
        ("fhir-old/patient-1032702.fhir-bundle.xml", "application/fhir+xml", Other, ""),
        ("apple-health/export.xml", "application/xml", Other, ""),
        ("apple-health/export.zip", "application/zip", Other, ""),
        ("shl-shc/shl-payload-1.json", "application/json", Other, ""),
        ("shl-shc/example-00-d-jws.txt", "text/plain", Other, ""),
        ("shl-shc/CARIN_INS_CD-shl.png", "image/png", Imaging, ""),
        ("shl-shc/example-00-g-qr-code-0.svg", "image/svg+xml", Other, ""),
        ("bulk-ndjson/log.ndjson", "application/x-ndjson", Other, ""),
    ] {
        let meta = one(&data, name);
        let found = meta.date.as_ref().map_or("", |date| date.as_str());
        assert_eq!((meta.media_type.as_str(), meta.category, found), (media_type, category, date), "{name}");
        assert_eq!(meta.kind.as_str(), "Document");
        assert_eq!(Some(meta.title.as_str()), name.split('/').next_back());
    }
}

#[test]
fn labels_are_found_where_the_files_have_them() {
    let Some(data) = samples() else { return };
    let labels = |name: &str| -> Vec<String> {
        let meta = one(&data, name);
        meta.labels.iter().map(ToString::to_string).collect()
    };
    // a C-CDA header that says "very restricted", and one that says "normal"
    assert_eq!(labels("ccda/170.314B2_Amb_CCD.xml"), ["V"]);
    assert_eq!(labels("ccda/CCD_2.xml"), ["N"]);
    assert!(labels("us-core-9/observation-bmi.json").is_empty());
}

/// The project's own sample patient, which the demonstration uses.
#[test]
fn the_sample_patient_reads_as_described() {
    let folder = repository().join("examples/sample-patient");
    let import = |name: &str| read(&std::fs::read(folder.join(name)).unwrap(), name);
    let history = import("history.json");
    assert_eq!(history.problems, []);
    assert_eq!(history.items.len(), 29);
    let lab = || {
        let metas = history.items.iter().map(|item| &item.meta);
        metas.filter(|meta| meta.category == Category::Lab)
    };
    assert_eq!(lab().count(), 13);
    assert_eq!(lab().filter(|meta| !meta.is_sensitive()).count(), 12);
    let mut sensitive: Vec<_> = history
        .items
        .iter()
        .filter(|item| item.meta.is_sensitive())
        .map(|item| {
            let labels: Vec<_> = item.meta.labels.iter().map(|l| l.as_str()).collect();
            (item.meta.title.as_str(), labels.join(" "))
        })
        .collect();
    sensitive.sort();
    assert_eq!(
        sensitive,
        [
            ("HIV screening test", "HIV".to_owned()),
            ("Psychotherapy session note", "PSY R".to_owned())
        ]
    );
    let category = |c: Category| {
        let of = history.items.iter().filter(|item| item.meta.category == c);
        of.count()
    };
    use Category::*;
    let counts = [
        Identity,
        Other,
        Vitals,
        Condition,
        Medication,
        Allergy,
        Immunization,
        Procedure,
        Note,
    ]
    .map(category);
    assert_eq!(counts, [1, 1, 4, 3, 2, 1, 2, 1, 1]);

    let new = import("new-result.json").items.remove(0).meta;
    assert_eq!((new.category, new.title.as_str()), (Lab, "HbA1c"));
    assert!(history.items.iter().all(|item| item.meta.date < new.date));
    assert_eq!(import("note.txt").items[0].meta.media_type, "text/plain");
}
