//! Files of other formats: in, understood, found, labelled, shared, and out again.

use serde_json::Value;

use crate::world::{World, observation, snapshot};

/// A laboratory message about a made-up person.
const MESSAGE: &str = "MSH|^~\\&|LAB|Lakeside|||20240312101500+0100||ORU^R01|1|P|2.5.1\r\
PID|1||7^^^Lakeside||Lind^Mira||19800506|F\r\
OBR|1|||4548-4^HbA1c^LN|||20240312080000+0100|||||||||1^Grey^Ada||||||||LAB|F\r\
OBX|1|NM|4548-4^HbA1c^LN||7.20|%^^UCUM|4.0-6.0|H|||F\r\
OBX|2|NM|2345-7^Glucose^LN||5.60|mmol/L^^UCUM||N|||D\r";

fn of_kind<'a>(list: &'a [Value], kind: &str) -> Vec<&'a Value> {
    list.iter()
        .filter(|record| record["kind"] == kind)
        .collect()
}

fn id(record: &Value) -> &str {
    record["record"].as_str().unwrap()
}

#[test]
fn a_message_is_kept_understood_and_found() {
    let w = World::of(&["a"]);
    let file = w.file("lab.hl7", MESSAGE);
    let dry = w.ok("a", &["record", "add", "--dry-run", &file]);
    let said = w.ok("a", &["record", "add", &file]);
    assert_eq!(
        said.lines().last(),
        Some("1 record added, 5 derived from them")
    );
    assert_eq!(dry.replace("would be added", "added"), said);
    let list = w.json("a", &["record", "list"]);
    let original = of_kind(&list, "Document")[0];
    assert_eq!(original["media_type"], "application/hl7-v2");
    let got = w.path("out");
    w.ok(
        "a",
        &["record", "get", id(original), "-o", got.to_str().unwrap()],
    );
    assert_eq!(std::fs::read(&got).unwrap(), MESSAGE.as_bytes());

    for (arguments, count) in [
        (&["--code", "4548-4", "--kind", "Observation"][..], 1),
        (&["--code", "LN|4548-4", "--kind", "Observation"], 1),
        (&["--code", "snomed|4548-4"], 0),
        (&["--source", "LAB.hl7"], 6),
        (&["--text", "hba1c loinc|4548"], 3),
        (&["--author", "lakeside", "--category", "lab"], 4),
        (
            &[
                "--since",
                "2024-03-12",
                "--until",
                "2024-03-12",
                "--kind",
                "Observation",
            ],
            2,
        ),
    ] {
        let all = [&["record", "list"], arguments].concat();
        assert_eq!(w.json("a", &all).len(), count, "{arguments:?}");
    }
    // what was deleted is no result
    let shown = w.ok("a", &["summary"]);
    assert!(
        shown.contains("7.20 %") && !shown.contains("5.60"),
        "{shown}"
    );
    let result = w.json(
        "a",
        &[
            "record",
            "list",
            "--code",
            "4548-4",
            "--kind",
            "Observation",
        ],
    );
    let page = w.ok("a", &["show", id(&result[0])]);
    assert!(page.contains("7.20 %") && !page.contains('{'), "{page}");
    assert_eq!(result[0]["origin"], original["record"]);
    // again: nothing
    assert_eq!(
        w.ok("a", &["record", "add", &file]),
        "0 records added, 1 already there\n"
    );
    w.ok("a", &["doctor", "--deep"]);
}

#[test]
fn a_new_version_brings_its_own_resources() {
    let w = World::of(&["a"]);
    let file = w.file("lab.hl7", MESSAGE);
    w.ok("a", &["record", "add", &file]);
    let list = w.json("a", &["record", "list"]);
    let original = id(of_kind(&list, "Document")[0]).to_owned();
    let corrected = w.file("lab2.hl7", MESSAGE.replace("7.20", "7.40"));
    w.ok("a", &["record", "update", &original, &corrected]);
    let list = w.json("a", &["record", "list"]);
    assert_eq!(list.len(), 6, "{list:#?}");
    assert!(
        list.iter()
            .all(|r| r["origin"].is_null() || r["origin"] == original.as_str())
    );
    let shown = w.ok("a", &["summary"]);
    assert!(
        shown.contains("7.40 %") && !shown.contains("7.20"),
        "{shown}"
    );
    // a file of another kind is refused and changes nothing
    let other = w.file("o.json", observation("x", "laboratory", None));
    assert_eq!(w.run("a", &["record", "update", &original, &other]).code, 1);
    assert_eq!(w.json("a", &["record", "list"]), list);
}

#[test]
fn somebody_elses_file_is_told_of() {
    let w = World::of(&["a"]);
    let own = w.file("own.hl7", MESSAGE);
    w.ok("a", &["record", "add", &own]);
    let other = w.file(
        "other.hl7",
        MESSAGE.replace("Lind^Mira||1980", "Okafor^Tomas||2010"),
    );
    let ran = w.run("a", &["record", "add", &other]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.err
            .contains("other.hl7 is about someone else: Tomas Okafor (2010-05-06)"),
        "{}",
        ran.err
    );
    let said = &w.json("a", &["record", "add", &other])[0];
    assert_eq!(said["other_people"][0]["sure"], true);
}

#[test]
fn labels_of_ones_own_keep_a_record_closed() {
    let w = World::of(&["a", "b"]);
    w.introduce("a", "b");
    let file = w.file("o.json", observation("one", "laboratory", None));
    w.ok("a", &["record", "add", &file]);
    let record = id(&w.json("a", &["record", "list"])[0]).to_owned();
    let preview = |arguments: &[&str]| {
        let all = [
            &["share", "--with", "b", "--category", "lab", "--dry-run"],
            arguments,
        ]
        .concat();
        let lines = w.json("a", &all);
        lines.iter().filter(|line| line["readable"] == true).count()
    };
    assert_eq!(preview(&[]), 1);
    w.ok(
        "a",
        &["record", "label", &record, "--add", "PRS", "--dry-run"],
    );
    assert_eq!(preview(&[]), 1);
    let shared = &w.json("a", &["share", "--with", "b", "--category", "lab"])[0];
    let ran = w.run("a", &["record", "label", &record, "--add", "PRS", "--json"]);
    let changed: Value = serde_json::from_str(ran.out.trim()).unwrap();
    assert_eq!(changed["still_readable"][0], shared["grant"]);
    assert_eq!(preview(&[]), 0);
    assert_eq!(preview(&["--with-label", "PRS"]), 1);
    // less protection only when it is wanted
    let ran = w.run("a", &["record", "label", &record, "--remove", "PRS"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    w.ok(
        "a",
        &["record", "label", &record, "--remove", "PRS", "--yes"],
    );
    assert_eq!(preview(&[]), 1);
    let content = w.ok("a", &["record", "get", &record]);
    assert_eq!(content, observation("one", "laboratory", None));
    assert_eq!(
        w.run("a", &["record", "label", "zzzz", "--add", "PSY"])
            .code,
        3
    );
    assert_eq!(
        w.run("a", &["record", "label", &record, "--add", "not a label"])
            .code,
        2
    );
}

#[test]
fn codes_make_a_record_sensitive() {
    let w = World::of(&["a"]);
    let coded = |code: &str| {
        format!(
            r#"{{"resourceType":"Condition","code":{{"coding":[{{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"{code}"}}],"text":"{code}"}}}}"#
        )
    };
    let known = w.file("known.json", coded("B20"));
    w.ok("a", &["record", "add", &known]);
    assert_eq!(w.json("a", &["record", "list"])[0]["labels"][0], "HIV");
    // the patient's own rules
    let bad = w.run("a", &["config", "set", "import.sensitive", "Z71"]);
    assert_eq!(bad.code, 2, "{}", bad.err);
    w.ok(
        "a",
        &["config", "set", "import.sensitive", "icd10cm|Z71* = PSY"],
    );
    let own = w.file("own.json", coded("Z71.3"));
    w.ok("a", &["record", "add", &own]);
    let list = w.json("a", &["record", "list", "--label", "PSY"]);
    assert_eq!(list[0]["title"], "Z71.3");
    let rules = w.json("a", &["scope", "sensitive"]);
    assert!(
        rules
            .iter()
            .any(|rule| rule["rule"] == "icd10cm|Z71* = PSY")
    );
}

#[test]
fn scopes_with_names_are_explained_and_shared_by() {
    let w = World::of(&["a", "b"]);
    w.introduce("a", "b");
    let scopes = w.json("a", &["scope", "list"]);
    let names: Vec<_> = scopes
        .iter()
        .map(|scope| scope["name"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"emergency") && names.contains(&"labs-2y"),
        "{names:?}"
    );
    assert!(w.ok("a", &["scope", "list"]).contains("--category allergy"));
    let allergy = r#"{"resourceType":"AllergyIntolerance","code":{"text":"Latex"}}"#;
    let allergy = w.file("allergy.json", allergy);
    let lab = w.file("lab.json", observation("one", "laboratory", None));
    w.ok("a", &["record", "add", &allergy, &lab]);
    let lines = w.json(
        "a",
        &["share", "--with", "b", "--scope", "emergency", "--dry-run"],
    );
    let titles: Vec<_> = lines
        .iter()
        .map(|line| line["title"].as_str().unwrap())
        .collect();
    assert_eq!(titles, ["Latex"]);
    assert_eq!(
        w.run("a", &["share", "--with", "b", "--scope", "everything"])
            .code,
        2
    );
    let lines = w.json("a", &["share", "--with", "b", "--code", "1-1", "--dry-run"]);
    assert!(lines.is_empty());
}

#[test]
fn exports_are_whole_or_not_there() {
    let w = World::of(&["a"]);
    let empty = w.run("a", &["export", "--to", "fhir", "-o", "out.json"]);
    assert_eq!(empty.code, 3, "{}", empty.err);
    let file = w.file("lab.hl7", MESSAGE);
    let pulse = w.file("o.json", observation("one", "vital-signs", None));
    w.ok("a", &["record", "add", &file, &pulse]);
    let path = |name: &str| w.path(name).to_str().unwrap().to_owned();
    for (to, name) in [
        ("fhir", "c.json"),
        ("ndjson", "lines"),
        ("ips", "i.json"),
        ("files", "files"),
    ] {
        let said = w.json("a", &["export", "--to", to, "-o", &path(name)]);
        assert!(said[0]["records"].as_u64().unwrap() > 0, "{to}");
        // nothing is written over
        let again = w.run("a", &["export", "--to", to, "-o", &path(name)]);
        assert_eq!(again.code, 1, "{to}: {}", again.err);
        if to != "ips" {
            let known = w.ok("a", &["record", "add", &path(name)]);
            assert!(known.starts_with("0 records added"), "{to}: {known}");
        }
    }
    let originals = snapshot(&w.path("files"));
    assert_eq!(originals.len(), 2);
    assert!(
        originals
            .iter()
            .any(|(_, bytes)| bytes == MESSAGE.as_bytes())
    );
    let piped = w.ok(
        "a",
        &["export", "--to", "fhir", "-o", "-", "--kind", "Patient"],
    );
    let bundle: Value = serde_json::from_str(&piped).unwrap();
    assert_eq!(bundle["entry"].as_array().unwrap().len(), 1);
    assert_eq!(w.run("a", &["export", "--to", "files", "-o", "-"]).code, 2);
    let html = w.ok("a", &["summary", "--html", "-"]);
    assert!(
        html.starts_with("<!DOCTYPE html>") && !html.contains("<script"),
        "{html}"
    );
}

/// An attested document with these resources.
fn letter(stamp: &str, resources: &[String]) -> String {
    let entries: Vec<_> = resources
        .iter()
        .map(|r| format!(r#"{{"resource":{r}}}"#))
        .collect();
    format!(
        r#"{{"resourceType":"Bundle","type":"document","timestamp":"{stamp}T00:00:00Z","entry":[{{"resource":{{"resourceType":"Composition","title":"Letter","date":"2024-01-02"}}}},{}]}}"#,
        entries.join(",")
    )
}

#[test]
fn a_new_version_keeps_what_did_not_change_and_what_the_patient_said() {
    let w = World::of(&["a"]);
    let parts = [
        observation("a", "laboratory", None),
        observation("bb", "vital-signs", None),
    ];
    let file = w.file("letter.json", letter("2024-01-02", &parts));
    w.ok("a", &["record", "add", &file]);
    let list = w.json("a", &["record", "list"]);
    assert_eq!(list.len(), 4);
    let bundle = id(of_kind(&list, "Bundle")[0]).to_owned();
    w.ok("a", &["record", "label", &bundle, "--add", "PRS"]);
    // what is inside says the same
    let labelled = w.json("a", &["record", "list", "--label", "PRS"]);
    assert_eq!(labelled.len(), 4, "{labelled:#?}");
    let later = w.file("later.json", letter("2024-01-03", &parts[..1]));
    w.ok("a", &["record", "update", &bundle, &later]);
    let list = w.json("a", &["record", "list"]);
    let titles: Vec<_> = list.iter().map(|r| r["title"].as_str().unwrap()).collect();
    assert_eq!(
        titles,
        ["Letter", "Letter", "Test a"],
        "one resource is gone with the new version"
    );
    assert!(list.iter().all(|r| r["labels"][0] == "PRS"), "{list:#?}");
    w.ok("a", &["doctor", "--deep"]);
}

#[test]
fn what_is_derived_goes_with_its_original() {
    let w = World::of(&["a"]);
    let file = w.file("lab.hl7", MESSAGE);
    w.ok("a", &["record", "add", &file]);
    let list = w.json("a", &["record", "list"]);
    let derived = id(of_kind(&list, "Observation")[0]);
    w.ok("a", &["record", "label", derived, "--add", "PRS"]);
    let original = w.json("a", &["record", "list", "--kind", "Document"]);
    assert_eq!(original[0]["labels"][0], "PRS", "the message says the same");
    let said = w.ok("a", &["record", "remove", id(&original[0]), "--yes"]);
    assert_eq!(said, "6 records removed\n");
    assert!(w.json("a", &["record", "list"]).is_empty());
}

#[test]
fn a_newer_copy_from_the_same_source_stays_closed() {
    let w = World::of(&["a"]);
    let resource = observation("one", "laboratory", None);
    let file = w.file("o.json", &resource);
    w.ok("a", &["record", "add", &file]);
    let record = id(&w.json("a", &["record", "list"])[0]).to_owned();
    w.ok("a", &["record", "label", &record, "--add", "PRS"]);
    let newer = resource.replace("\"status\":\"final\"", "\"status\":\"amended\"");
    let newer = w.file("newer.json", newer);
    w.ok("a", &["record", "add", &newer]);
    assert_eq!(w.json("a", &["record", "list", "--label", "PRS"]).len(), 2);
}

#[test]
fn a_dry_run_says_what_the_real_run_does() {
    let w = World::of(&["a"]);
    let compact = observation("one", "laboratory", None);
    let spaced = compact.replace(',', ",\n  ");
    for (name, content) in [("a.json", &compact), ("b.json", &spaced)] {
        w.file(&format!("in/{name}"), content);
    }
    w.file("in/lab.hl7", MESSAGE);
    w.file("in/again.hl7", MESSAGE);
    let folder = w.path("in");
    let folder = folder.to_str().unwrap();
    let dry = w.ok("a", &["record", "add", "--dry-run", folder]);
    let real = w.ok("a", &["record", "add", folder]);
    assert_eq!(dry.replace("would be added", "added"), real);
    assert_eq!(
        real,
        "2 records added, 5 derived from them, 2 already there\n"
    );
}

#[test]
fn json_that_nobody_can_read_keeps_nothing_else_from_view() {
    let w = World::of(&["a"]);
    let odd = w.file(
        "odd.json",
        r#"{"resourceType":"Condition","code":{"text":"a\ud800b"}}"#,
    );
    let good = w.file(
        "good.json",
        r#"{"resourceType":"AllergyIntolerance","code":{"text":"Latex"}}"#,
    );
    w.run("a", &["record", "add", &odd, &good]);
    assert!(w.ok("a", &["summary"]).contains("Latex"));
    let out = w.path("ips.json");
    w.ok("a", &["export", "--to", "ips", "-o", out.to_str().unwrap()]);
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_read_whole_and_one_in_a_folder_is_not_waited_for() {
    let w = World::of(&["a"]);
    let pipe = w.path("folder/pipe");
    w.file("folder/note.txt", "hello");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let ran = w.run("a", &["record", "add", w.path("folder").to_str().unwrap()]);
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.err.contains("it is no file"), "{}", ran.err);

    let content: Vec<u8> = (0..300_009u32).map(|i| (i / 7) as u8).collect();
    let writer = {
        let (pipe, content) = (pipe.clone(), content.clone());
        std::thread::spawn(move || std::fs::write(pipe, content).unwrap())
    };
    w.ok("a", &["record", "add", pipe.to_str().unwrap()]);
    writer.join().unwrap();
    let list = w.json("a", &["record", "list", "--source", "pipe"]);
    assert_eq!(list[0]["bytes"], content.len());
}

#[test]
fn a_summary_is_about_whoever_the_vault_is_of() {
    let w = World::new();
    let ran = w.run("m", &["init", "--name", "Mira Lind", "--work-factor", "10"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let other = MESSAGE
        .replace("Lind^Mira||1980", "Okafor^Tomas||2010")
        .replace("7.20", "9.90");
    let (other, own) = (w.file("other.hl7", other), w.file("own.hl7", MESSAGE));
    // somebody else's first
    let ran = w.run("m", &["record", "add", &other, &own]);
    assert!(
        ran.err.contains("other.hl7 may be about someone else"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("own.hl7"), "{}", ran.err);
    let page = w.ok("m", &["summary"]);
    assert!(page.contains("7.20 %") && !page.contains("9.90"), "{page}");
    let ips = w.ok("m", &["export", "--to", "ips", "-o", "-"]);
    assert!(ips.contains("7.20") && !ips.contains("9.90"), "{ips}");
}
