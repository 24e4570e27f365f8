//! The audit log as people and programs read it.

use serde_json::Value;

use crate::world::{Ran, World, bundle, observation};

/// Ada with three records, one of them shared with Bo for treatment and one with Cy.
fn clinic() -> World {
    let w = World::of(&["ada", "bo", "cy"]);
    let file = w.file(
        "b.json",
        bundle(&[
            observation("a", "laboratory", None),
            observation("bb", "vital-signs", None),
            observation("ccc", "imaging", None),
        ]),
    );
    w.ok("ada", &["record", "add", &file]);
    w.introduce("ada", "bo");
    w.introduce("ada", "cy");
    let share = ["share", "--category", "lab", "--with", "bo"];
    w.ok("ada", &[&share[..], &["--purpose", "TREAT"]].concat());
    w.ok("ada", &["share", "--category", "vitals", "--with", "cy"]);
    w
}

/// The acts of a log with these conditions.
fn acts(w: &World, conditions: &[&str]) -> Vec<String> {
    let all = [&["audit", "log"], conditions].concat();
    let lines = w.json("ada", &all);
    let act = |line: &Value| line["act"].as_str().unwrap().to_owned();
    lines.iter().map(act).collect()
}

fn grant_of(w: &World, reader: &str) -> String {
    let grants = w.json("ada", &["grant", "list"]);
    let of = |grant: &&Value| grant["readers"][0] == reader || grant["former"][0] == reader;
    let found = grants.iter().find(of).unwrap();
    found["grant"].as_str().unwrap().to_owned()
}

fn log(w: &World, conditions: &[&str]) -> Ran {
    let ran = w.run("ada", &[&["audit", "log"], conditions].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran
}

#[test]
fn the_log_reads_like_a_statement() {
    let w = clinic();
    let grant = grant_of(&w, "bo");
    w.ok("ada", &["revoke", &grant, "--stop-only", "--yes"]);
    let ran = log(&w, &[]);
    let short = &grant[..8];
    // without the number and the minute
    let lines: Vec<Vec<&str>> = ran
        .out
        .lines()
        .map(|line| {
            let cells = line.split("  ").map(str::trim).filter(|c| !c.is_empty());
            cells.collect()
        })
        .collect();
    assert_eq!(
        lines[0],
        ["no", "when", "who", "what", "why", "outcome", "records"]
    );
    let said: Vec<&[&str]> = lines[1..].iter().map(|cells| &cells[2..]).collect();
    assert_eq!(said[0], ["you", "made the vault"]);
    assert_eq!(said[1], ["you", "added 3 versions"]);
    assert_eq!(said[2], ["you", "added the card of bo"]);
    assert_eq!(said[3], ["you", "compared the fingerprint of bo"]);
    let given = format!("gave 1 version to bo, grant {short}");
    assert_eq!(said[6], ["you", &given, "treatment"]);
    let taken = format!("took grant {short} back from bo");
    assert_eq!(said[8], ["you", &taken, "stopped"]);
    let signed = format!("signed the receipt for grant {short}");
    assert_eq!(said[9], ["you", &signed]);
    assert_eq!(said.len(), 10);
    assert_eq!(ran.err, "10 of 10 entries; 0 opens, 0 refusals\n");
    let each = log(&w, &["--all"]);
    assert_eq!(
        each.out, ran.out,
        "there is no confirmation to be told apart"
    );
}

#[test]
fn conditions_narrow_the_log() {
    let w = clinic();
    assert_eq!(
        acts(&w, &["--contact", "bo"]),
        ["contact-added", "contact-verified", "granted"]
    );
    assert_eq!(
        acts(&w, &["--grant", &grant_of(&w, "cy")[..10]]),
        ["granted"]
    );
    assert_eq!(acts(&w, &["--last", "2"]), ["granted", "granted"]);
    assert_eq!(acts(&w, &["--last", "0"]), [""; 0]);
    assert_eq!(
        acts(
            &w,
            &[
                "--last",
                "1",
                "--act",
                "published",
                "--act",
                "contact-added"
            ]
        ),
        ["contact-added"],
        "the last of those that fit"
    );
    assert_eq!(acts(&w, &["--outcome", "refused"]), [""; 0]);
    assert_eq!(acts(&w, &["--until", "2020-01-01"]), [""; 0]);
    assert_eq!(acts(&w, &["--since", "2020-01-01"]).len(), 8);
    let ran = log(&w, &["--act", "granted"]);
    assert_eq!(ran.err, "2 of 8 entries; 0 opens, 0 refusals\n");
    let none = log(&w, &["--act", "removed"]);
    assert_eq!(none.out, "");

    for (conditions, code) in [
        (["--contact", "nobody"], 3),
        (["--grant", "nothing"], 3),
        (["--record", "no such title"], 3),
        (["--act", "grantd"], 2),
        (["--outcome", "lost"], 2),
        (["--since", "yesterday"], 2),
    ] {
        let ran = w.run("ada", &[&["audit", "log"], &conditions[..]].concat());
        assert_eq!(ran.code, code, "{conditions:?}: {}", ran.err);
        assert_eq!(ran.out, "");
    }
}

#[test]
fn a_record_is_followed_by_id_and_by_title_even_after_it_is_gone() {
    let w = clinic();
    let records = w.json("ada", &["record", "list"]);
    let id = |title: &str| {
        let found = records.iter().find(|r| r["title"] == title).unwrap();
        found["record"].as_str().unwrap().to_owned()
    };
    let (lab, image) = (id("Test a"), id("Test ccc"));
    let granted = w.json("ada", &["audit", "log", "--record", &lab]);
    assert_eq!(granted.len(), 1);
    assert_eq!(granted[0]["grant"], grant_of(&w, "bo"));
    let titled = w.json("ada", &["audit", "log", "--record", "A  test"]);
    assert_eq!(titled, granted, "words in any order and case");
    assert_eq!(acts(&w, &["--record", "test"]), ["granted", "granted"]);
    assert_eq!(acts(&w, &["--record", &image[..9]]), [""; 0]);
    assert_eq!(acts(&w, &["--record", "ccc"]), [""; 0]);
    w.ok("ada", &["record", "remove", &image, "--yes"]);
    assert_eq!(acts(&w, &["--record", &image[..9]]), ["removed"]);
    let line = log(&w, &["--record", &image]).out;
    assert!(line.contains("removed 1 record"), "{line}");
    assert!(line.trim_end().ends_with(&image[..8]), "{line}");
    assert_eq!(w.run("ada", &["audit", "log", "--record", "ccc"]).code, 3);
    // sealed again, so that the grant holds nothing any more
    w.ok("ada", &["revoke", &grant_of(&w, "bo"), "--yes"]);
    assert_eq!(
        acts(&w, &["--record", &lab]),
        ["granted", "revoked", "rekeyed", "receipt"]
    );
}

#[test]
fn an_export_is_whole_or_not_there() {
    let w = clinic();
    let path = w.path("log.json");
    let out = path.to_str().unwrap();
    let export = ["audit", "export", "--fhir", "--out", out];
    let none = w.run("ada", &[&export[..], &["--act", "removed"]].concat());
    assert_eq!(none.code, 3, "{}", none.err);
    assert!(!path.exists());
    assert_eq!(w.run("ada", &["audit", "export", "--out", out]).code, 2);
    std::fs::write(&path, "mine").unwrap();
    let there = w.run("ada", &export);
    assert_eq!(there.code, 1, "{}", there.err);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    w.ok("ada", &[&export[..], &["--force"]].concat());
    let text = std::fs::read_to_string(&path).unwrap();
    let bundle: serde_json::Value = serde_json::from_str(&text).unwrap();
    let of = |kind: &str| {
        let entries = bundle["entry"].as_array().unwrap().iter();
        entries
            .filter(|e| e["resource"]["resourceType"] == kind)
            .count()
    };
    let log = w.ok("ada", &["audit", "log", "--all", "--json"]);
    assert_eq!(of("AuditEvent"), log.lines().count());
    assert!(of("Provenance") >= 1);
    let lines = w.ok(
        "ada",
        &["audit", "export", "--fhir", "--ndjson", "--out", "-"],
    );
    assert_eq!(
        lines.lines().count(),
        bundle["entry"].as_array().unwrap().len()
    );
}
