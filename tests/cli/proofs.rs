//! Proofs of single entries, evidence of a log, and two histories held against each other.

use serde_json::Value;

use crate::world::{Ran, World, observation, snapshot};

/// Ada with two records, each added on its own.
fn ada() -> World {
    let w = World::of(&["ada"]);
    add(&w, "ada", "a");
    add(&w, "ada", "bb");
    w
}

fn add(w: &World, who: &str, id: &str) {
    let file = w.file(&format!("{id}.json"), observation(id, "laboratory", None));
    w.ok(who, &["record", "add", &file]);
}

fn text(w: &World, name: &str) -> String {
    w.path(name).to_str().unwrap().to_owned()
}

/// Somebody who has no home.
fn stranger(w: &World, arguments: &[&str]) -> Ran {
    let ran = w.run("nobody", arguments);
    assert!(!w.path("nobody").exists());
    ran
}

fn copy(w: &World, from: &str, to: &str) {
    for (path, content) in snapshot(&w.path(from)) {
        let target = w.path(to).join(path.strip_prefix(w.path(from)).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, content).unwrap();
    }
}

fn identity(w: &World, field: &str) -> String {
    let shown = &w.json("ada", &["identity", "show"])[0];
    shown[field].as_str().unwrap().to_owned()
}

#[test]
fn one_entry_is_proven_to_somebody_who_has_only_the_vaults_id() {
    let w = ada();
    let (vault, owner) = (identity(&w, "vault"), identity(&w, "owner"));
    let file = text(&w, "entry.tlog-proof");
    w.ok("ada", &["audit", "prove", "1", "--out", &file]);
    let again = w.run("ada", &["audit", "prove", "1", "--out", &file]);
    assert_eq!(again.code, 1, "{}", again.err);
    let log = w.json("ada", &["audit", "log"]);

    for known in [&vault, &owner] {
        let ran = stranger(
            &w,
            &["audit", "check-proof", &file, "--vault", known, "--json"],
        );
        assert_eq!(ran.code, 0, "{}", ran.err);
        let said: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(said["vault"], *vault);
        assert_eq!(said["log_size"], log.len());
        assert_eq!(said["signer_replaced"], false);
        let entry = &said["entry"];
        for field in ["index", "time", "device", "act"] {
            assert_eq!(entry[field], log[1][field], "{field}");
        }
        assert_eq!(entry["details"]["count"], 1);
        assert_eq!(entry["details"]["versions"].as_str().unwrap().len(), 52);
    }
    let ran = stranger(&w, &["audit", "check-proof", &file, "--vault", &vault]);
    assert!(
        ran.out.starts_with("the proof holds: entry 1 of 3"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("act     published\n        count: 1\n"),
        "{}",
        ran.out
    );

    // through a pipe, and after the log has gone on
    let piped = w.ok("ada", &["audit", "prove", "0"]);
    assert!(piped.starts_with("c2sp.org/tlog-proof@v1\nextra "));
    add(&w, "ada", "ccc");
    let check = ["audit", "check-proof", "-", "--vault", &vault];
    assert_eq!(w.pipe("nobody", &check, piped.as_bytes()).code, 0);
}

#[test]
fn a_proof_that_does_not_hold_is_an_integrity_error() {
    let w = ada();
    let vault = identity(&w, "vault");
    let good = w.ok("ada", &["audit", "prove", "1"]);
    let check = |vault: &str, text: &str| {
        let ran = w.pipe(
            "nobody",
            &["audit", "check-proof", "-", "--vault", vault],
            text.as_bytes(),
        );
        assert_eq!(ran.out, "");
        assert!(ran.code == 0 || ran.err.contains("hint:"), "{}", ran.err);
        ran.code
    };
    let other = w.ok("ada", &["audit", "prove", "2"]);
    let line = |text: &str, n: usize| text.lines().nth(n).unwrap().to_owned();
    let swapped = good.replace(&line(&good, 1), &line(&other, 1));
    assert_eq!(check(&vault, &swapped), 9, "another entry");
    assert_eq!(check(&vault, &good.replace("index 1\n", "index 2\n")), 9);
    assert_eq!(
        check(&vault, &good.replace("\n3\n", "\n4\n")),
        9,
        "another size"
    );
    assert_eq!(check(&vault, &good[..good.len() - 1]), 9, "cut off");
    let foreign = format!("a{}", &vault[1..]);
    assert_eq!(check(&foreign, &good), 9, "another vault");
    assert_eq!(check("abc", &good), 2);
    assert_eq!(w.run("ada", &["audit", "prove", "3"]).code, 3);
}

/// The verdict on two files, for somebody without a home.
fn check_fork(w: &World, one: &str, other: &str) -> (i32, Value) {
    let ran = stranger(w, &["audit", "check-fork", one, other, "--json"]);
    let said = serde_json::from_str(&ran.out).unwrap_or(Value::Null);
    (ran.code, said)
}

fn evidence(w: &World, who: &str, name: &str) -> String {
    let file = text(w, name);
    w.ok(who, &["audit", "evidence", "--out", &file]);
    file
}

#[test]
fn two_copies_of_one_home_that_part_are_found_out() {
    let w = ada();
    copy(&w, "ada", "old");
    let before = evidence(&w, "old", "before.json");
    add(&w, "ada", "ccc");
    let one = evidence(&w, "ada", "one.json");
    let (code, said) = check_fork(&w, &before, &one);
    assert_eq!((code, said["verdict"].as_str()), (0, Some("consistent")));
    assert_eq!(
        (said["shorter"].as_u64(), said["longer"].as_u64()),
        (Some(3), Some(4))
    );
    assert_eq!(check_fork(&w, &one, &one).0, 0);

    // the old copy is put to use again
    add(&w, "old", "dddd");
    add(&w, "old", "eeeee");
    let other = evidence(&w, "old", "other.json");
    for (a, b) in [(&one, &other), (&other, &one)] {
        let (code, said) = check_fork(&w, a, b);
        assert_eq!((code, said["verdict"].as_str()), (9, Some("forked")));
        assert_eq!(
            (said["what"].as_str(), said["at"].as_u64()),
            (Some("entry"), Some(3))
        );
        assert_eq!(said["keys_replaced"], false);
    }
    let ran = stranger(&w, &["audit", "check-fork", &one, &other]);
    assert_eq!(ran.code, 9);
    assert!(ran.out.contains("A  4 entries"), "{}", ran.out);
    assert!(ran.err.contains("they part at entry 3"), "{}", ran.err);
    assert!(ran.err.contains("hint:"), "{}", ran.err);
    assert_eq!(check_fork(&w, &before, &other).0, 0, "both continue it");
}

#[test]
fn evidence_that_says_too_little_or_does_not_hold_is_told_apart() {
    let w = ada();
    let before = evidence(&w, "ada", "before.json");
    add(&w, "ada", "ccc");
    let after = evidence(&w, "ada", "after.json");
    let whole: Value = serde_json::from_str(&std::fs::read_to_string(&after).unwrap()).unwrap();
    let altered = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut value = whole.clone();
        change(&mut value);
        w.file(name, value.to_string())
    };
    let bare = altered("bare.json", &|value| {
        value.as_object_mut().unwrap().remove("leaves");
    });
    let (code, said) = check_fork(&w, &before, &bare);
    assert_eq!((code, said["verdict"].as_str()), (4, Some("undetermined")));
    assert_eq!(said["needs"], 4);
    let ran = stranger(&w, &["audit", "check-fork", &before, &bare]);
    assert!(ran.out.contains("not decided"), "{}", ran.out);

    let checkpoint = whole["checkpoint"]
        .as_str()
        .unwrap()
        .replace("\n4\n", "\n5\n");
    let forged = altered("forged.json", &|value| {
        value["checkpoint"] = checkpoint.clone().into()
    });
    assert_eq!(check_fork(&w, &before, &forged), (9, Value::Null));
    let noise = w.file("noise.json", "{}");
    assert_eq!(check_fork(&w, &before, &noise).0, 9);
    assert_eq!(check_fork(&w, &before, "nowhere.json").0, 3);

    let ran = w.run("bo", &["init", "--name", "bo", "--work-factor", "10"]);
    assert_eq!(ran.code, 0);
    let foreign = evidence(&w, "bo", "foreign.json");
    assert_eq!(check_fork(&w, &before, &foreign).0, 1, "two vaults");
    // nothing of a record is in it
    let text = std::fs::read_to_string(&after).unwrap();
    assert!(!text.contains("Test") && !text.contains("Observation"));
}

/// What a reader has seen, and the old copy that the patient goes on with; no network.
#[test]
fn a_reader_holds_what_it_saw_against_a_grant_file_of_another_history() {
    let w = World::of(&["ada", "bo"]);
    add(&w, "ada", "a");
    w.introduce("ada", "bo");
    let shared = &w.json("ada", &["share", "--with", "bo", "--category", "lab"])[0];
    let grant = shared["grant"].as_str().unwrap();
    copy(&w, "ada", "old");
    let stick = |who: &str, name: &str| {
        let file = text(&w, name);
        w.ok(who, &["grant", "export", grant, "-o", &file, "--force"]);
        file
    };
    add(&w, "ada", "bb");
    let file = stick("ada", "true.car");
    w.ok("bo", &["inbox", "accept", &file]);
    let seen = text(&w, "seen.json");
    w.ok(
        "bo",
        &["audit", "evidence", "--from", "ada", "--out", &seen],
    );
    assert_eq!(check_fork(&w, &seen, &evidence(&w, "ada", "ada.json")).0, 0);

    add(&w, "old", "ccc");
    add(&w, "old", "dddd");
    let ran = w.run(
        "bo",
        &["inbox", "sync", "--file", &stick("old", "false.car")],
    );
    assert_eq!(ran.code, 9, "{}", ran.err);
    assert!(ran.err.contains("FORKED"), "{}", ran.err);
    assert!(ran.err.contains("medvault audit check-fork"), "{}", ran.err);
    let (code, said) = check_fork(&w, &seen, &evidence(&w, "old", "old.json"));
    assert_eq!((code, said["verdict"].as_str()), (9, Some("forked")));
    // both files are in Bo's home, and no half-written one
    let mut names: Vec<String> = snapshot(&w.path("bo").join("evidence"))
        .iter()
        .map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(
        names[0].contains("-offered-") && names[1].ends_with("-seen.json"),
        "{names:?}"
    );
}
