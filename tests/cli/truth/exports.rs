//! What we write for others is valid, complete, and known when it comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::derived::codings_of;
use super::{add, python, samples, script, sha256, text};
use crate::world::{World, snapshot};

/// Folders of one kind of file each, all of whose FHIR is valid R4.
const FOLDERS: &[&str] = &["apple-health", "ccda", "dicom", "hl7v2", "us-core-9"];

/// What `validate.py` says about a file or folder; there must be no error.
fn valid(python: &Path, path: &Path, more: &[&str]) -> Value {
    let mut validate = script(python, "validate.py");
    let output = validate.arg(path).args(more).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let errors = said["errors"].as_array().unwrap();
    let first = &errors[..errors.len().min(20)];
    assert!(
        errors.is_empty(),
        "{path:?}: {} of {first:#?}",
        errors.len()
    );
    assert!(output.status.success());
    said
}

/// How many records of each kind there are that are FHIR.
fn kinds(world: &World, who: &str) -> BTreeMap<String, u64> {
    let mut kinds = BTreeMap::new();
    for record in world.json(who, &["record", "list"]) {
        if text(&record, "media_type") == Some("application/fhir+json") {
            *kinds
                .entry(record["kind"].as_str().unwrap().into())
                .or_insert(0) += 1;
        }
    }
    kinds
}

fn counts(said: &Value) -> BTreeMap<String, u64> {
    serde_json::from_value(said["counts"].clone()).unwrap()
}

/// All resources are there once. Documents that are not FHIR may have a frame of FHIR.
fn complete(said: &Value, kinds: &BTreeMap<String, u64>) {
    let mut counts = counts(said);
    for frame in ["Binary", "DocumentReference"] {
        let own = kinds.get(frame).copied();
        assert!(counts.get(frame).copied() >= own, "{counts:?}");
        counts.remove(frame);
        counts.extend(own.map(|n| (frame.to_owned(), n)));
    }
    assert_eq!(&counts, kinds);
}

fn export(world: &World, to: &str, name: &str) -> PathBuf {
    let path = world.path(name);
    world.ok("a", &["export", "--to", to, "-o", path.to_str().unwrap()]);
    path
}

/// Adds what was exported to the vault it comes from: all of it is known.
fn nothing_new(world: &World, path: &Path, data: &Path) {
    let said = add(world, "a", path, data);
    assert!(said.starts_with("0 records added"), "{path:?}: {said}");
}

#[test]
fn exports_are_valid_and_hold_everything() {
    let Some((data, python)) = samples().zip(python()) else {
        return;
    };
    let world = World::of(&["a"]);
    for folder in FOLDERS {
        add(&world, "a", &data.join(folder), &data);
    }
    let kinds = kinds(&world, "a");
    assert!(kinds["Observation"] > 40, "{kinds:?}");

    let bundle = export(&world, "fhir", "out.json");
    complete(&valid(&python, &bundle, &[]), &kinds);
    let lines = export(&world, "ndjson", "lines");
    complete(&valid(&python, &lines, &[]), &kinds);

    // the files as they came
    let files = export(&world, "files", "files");
    let hashes = |folder: &Path| -> BTreeSet<String> {
        let files = snapshot(folder);
        // what an archive holds is a file, the archive is none
        let files = files
            .iter()
            .filter(|(path, _)| path.extension().is_none_or(|e| e != "zip"));
        files.map(|(_, content)| sha256(content)).collect()
    };
    let out = hashes(&files);
    for folder in FOLDERS {
        let missing: Vec<_> = hashes(&data.join(folder))
            .difference(&out)
            .cloned()
            .collect();
        assert!(missing.is_empty(), "{folder}: {missing:?}");
    }

    for path in [&bundle, &lines, &files] {
        nothing_new(&world, path, &data);
    }
}

#[test]
fn an_empty_vault_is_filled_from_an_export() {
    let Some(data) = samples() else { return };
    let world = World::of(&["a", "b"]);
    add(&world, "a", &data.join("us-core-9"), &data);
    let lines = export(&world, "ndjson", "lines");
    add(&world, "b", &lines, &data);
    assert_eq!(kinds(&world, "a"), kinds(&world, "b"));
    let names = |who: &str| -> BTreeSet<String> {
        let list = world.json(who, &["record", "list"]);
        let name = |record: &Value| format!("{} {}", record["source_id"], record["date"]);
        list.iter().map(name).collect()
    };
    assert_eq!(names("a"), names("b"));
}

/// A patient summary out of one sample file, checked against the guide.
fn summary(file: &str) -> Option<Value> {
    let (data, python) = samples().zip(python())?;
    let world = World::of(&["a"]);
    add(&world, "a", &data.join(file), &data);
    let path = export(&world, "ips", "ips.json");
    let said = valid(&python, &path, &["--ips"]);
    assert_eq!(said["kind"], "ips");
    let counts = counts(&said);
    assert_eq!((counts["Composition"], counts["Patient"]), (1, 1), "{file}");
    let content = std::fs::read(path).unwrap();
    Some(serde_json::from_slice(&content).unwrap())
}

fn of_kind<'a>(bundle: &'a Value, kind: &str) -> Vec<&'a Value> {
    let entries = bundle["entry"].as_array().unwrap().iter();
    let resources = entries.map(|entry| &entry["resource"]);
    resources.filter(|r| r["resourceType"] == kind).collect()
}

#[test]
fn a_summary_of_a_clinical_document() {
    let Some(bundle) = summary("ccda/CCD_1.xml") else {
        return;
    };
    let codes = |kind: &str| -> BTreeSet<String> {
        let found = of_kind(&bundle, kind);
        found.iter().flat_map(|r| codings_of(&r["code"])).collect()
    };
    let allergies = codes("AllergyIntolerance");
    for code in ["70618", "2670"] {
        let code = format!("http://www.nlm.nih.gov/research/umls/rxnorm|{code}");
        assert!(allergies.contains(&code), "{allergies:?}");
    }
    assert!(codes("Condition").contains("http://snomed.info/sct|233604007"));
    let patient = of_kind(&bundle, "Patient")[0];
    assert_eq!(patient["birthDate"], "1975-05-01");
    // a refusal is not a vaccination
    for vaccination in of_kind(&bundle, "Immunization") {
        let refused = "http://hl7.org/fhir/sid/cvx|103";
        let is_refused = codings_of(&vaccination["vaccineCode"]).contains(refused);
        assert!(!is_refused || vaccination["status"] == "not-done");
    }
}

#[test]
fn a_summary_of_somebody_without_allergies() {
    let Some(bundle) = summary("ccda/CCD_2.xml") else {
        return;
    };
    for allergy in of_kind(&bundle, "AllergyIntolerance") {
        let codes = codings_of(&allergy["code"]);
        assert!(
            !codes.contains("http://snomed.info/sct|105590001"),
            "{codes:?}"
        );
    }
}

#[test]
fn a_summary_of_a_whole_fhir_record() {
    let file = "fhir-r4-synthea/Alberto_Atencio_fc712d1f-5a2e-4407-9c55-a2a2bad623c2.json";
    let Some(bundle) = summary(file) else { return };
    assert!(!of_kind(&bundle, "Condition").is_empty());
    assert!(!of_kind(&bundle, "Immunization").is_empty());
}

#[test]
fn a_summary_of_a_summary() {
    let Some(bundle) = summary("ips/IPS_IG_bundle-minimal.json") else {
        return;
    };
    for kind in ["AllergyIntolerance", "Condition", "MedicationStatement"] {
        assert!(!of_kind(&bundle, kind).is_empty(), "{kind}");
    }
}
