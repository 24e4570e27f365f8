//! Agreements on request, as far as no node is needed.

use serde_json::json;

use crate::world::{World, bundle, observation};

/// Ada with three records, and Bo, who know each other.
fn clinic() -> World {
    let w = World::of(&["ada", "bo"]);
    let records = [
        observation("a", "laboratory", None),
        observation("bb", "laboratory", None),
        observation("ccc", "vital-signs", None),
    ];
    let file = w.file("b.json", bundle(&records));
    w.ok("ada", &["record", "add", &file]);
    w.introduce("ada", "bo");
    w
}

const SHARE: &[&str] = &["share", "--with", "bo", "--category", "lab", "--on-request"];

/// Ada offers, Bo takes the ticket. The grant.
fn offered(w: &World, terms: &[&str]) -> String {
    let file = ["-o", "ticket"];
    let shared = &w.json("ada", &[SHARE, terms, &file].concat())[0];
    w.ok("bo", &["inbox", "accept", "--offline", "ticket"]);
    shared["grant"].as_str().unwrap().to_owned()
}

#[test]
fn an_offer_says_what_it_is_and_what_is_missing() {
    let w = clinic();
    let dry = w.run("ada", &[SHARE, &["--dry-run"]].concat());
    assert_eq!(dry.code, 0, "{}", dry.err);
    assert!(dry.out.contains("2 records readable"), "{}", dry.out);
    assert!(dry.err.contains("nothing can be read until"), "{}", dry.err);
    assert!(w.json("ada", &["grant", "list"]).is_empty());

    let terms = [
        "--max-opens",
        "3",
        "--max-opens-per-day",
        "2",
        "--starts",
        "2020-01-02",
        "--expires",
        "30d",
        "--purpose",
        "TREAT",
        "--may-deposit",
        "-o",
        "ticket",
    ];
    let ran = w.run("ada", &[SHARE, &terms].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    for said in [
        "bo may ask for 2 records until",
        "at most 3 in all",
        "at most 2 within 24 hours",
        "2020-01-02",
        "treatment",
        "results may be sent back",
        "nothing can be read until the other side has agreed",
        "serve",
    ] {
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    }
    let list = w.json("ada", &["grant", "list"]);
    let grant = &list[0];
    assert_eq!(grant["status"], "offered");
    assert_eq!(grant["delivery"], "on-request");
    let agreement = &grant["agreement"];
    assert_eq!(agreement["offered"], json!(["bo"]));
    assert_eq!(agreement["max_opens"], 3);
    assert_eq!(agreement["opens_left"], 3);
    assert_eq!(agreement["starts"], "2020-01-02T00:00:00Z");
    assert!(w.json("ada", &["grant", "list", "--active"]).is_empty());
    let shown = w.ok("ada", &["grant", "show", grant["grant"].as_str().unwrap()]);
    assert!(shown.contains("bo has not agreed yet"), "{shown}");
    assert!(shown.contains("0 opens, 3 left"), "{shown}");
}

#[test]
fn a_carried_grant_takes_no_terms_of_the_other_kind() {
    let w = clinic();
    for terms in [
        &["--max-opens", "3"][..],
        &["--starts", "12h"],
        &["--may-deposit"],
        &["--agent", "bo"],
        &["--on-request", "--max-opens", "0"],
        &["--on-request", "--starts", "30d", "--expires", "12h"],
        &["--on-request", "--starts", "tomorrow"],
    ] {
        let share = ["share", "--with", "bo", "--category", "lab"];
        let ran = w.run("ada", &[&share, terms].concat());
        assert_eq!(ran.code, 2, "{terms:?}: {}", ran.err);
    }
    let unknown = w.run("ada", &[SHARE, &["--agent", "nobody"]].concat());
    assert_eq!(unknown.code, 3, "{}", unknown.err);
    assert!(w.json("ada", &["grant", "list"]).is_empty());
}

#[test]
fn an_agreement_is_signed_and_goes_back_as_a_file() {
    let w = clinic();
    let grant = offered(&w, &["--max-opens", "3", "--agent", "bo"]);
    let again = w.run("bo", &["inbox", "accept", "--offline", "ticket"]);
    assert!(again.err.contains(&format!("agreement accept {grant}")));
    assert!(again.err.contains("at most 3 in all"), "{}", again.err);

    let listed = w.json("bo", &["agreement", "list"]);
    assert_eq!(listed[0]["status"], "offered");
    assert_eq!(listed[0]["grant"], grant.as_str());
    assert_eq!(listed[0]["max_opens"], 3);
    assert_eq!(listed[0]["from"], "ada");
    let shown = w.ok("bo", &["agreement", "show", &grant[..8]]);
    let digest = listed[0]["terms_sha256"].as_str().unwrap();
    for said in ["lab", "at most 3 in all", "may be let answer", digest] {
        assert!(shown.contains(said), "{said}: {shown}");
    }

    let accept = ["agreement", "accept", &grant, "--out"];
    let signed = w.ok("bo", &[&accept[..], &["-"]].concat());
    assert!(signed.starts_with("medvault-acceptance:"));
    let file = w.path("signed");
    let file = file.to_str().unwrap();
    w.ok("bo", &[&accept[..], &[file]].concat());
    assert_eq!(std::fs::read_to_string(file).unwrap(), signed);
    assert_eq!(w.run("bo", &[&accept[..], &[file]].concat()).code, 1);
    let status = &w.json("bo", &["agreement", "list"])[0]["status"];
    assert!(status.as_str().unwrap().starts_with("accepted"), "{status}");

    for _ in 0..2 {
        let taken = &w.json("ada", &["agreement", "take", file])[0];
        assert_eq!(taken["grant"], grant.as_str());
        assert_eq!(taken["reader"], "bo");
    }
    let info = &w.json("ada", &["grant", "list", "--active"])[0];
    assert_eq!(info["readers"], json!(["bo"]));
    assert_eq!(info["agreement"]["offered"], json!([]));
    assert_eq!(info["agreement"]["accepted"][0]["reader"], "bo");
    let log = w.json("ada", &["audit", "log"]);
    let agreed = log.iter().filter(|entry| entry["act"] == "agreed");
    assert_eq!(agreed.count(), 1, "{log:?}");
}

#[test]
fn what_is_no_signature_of_the_right_person_changes_nothing() {
    let w = clinic();
    let grant = offered(&w, &[]);
    let signed = w.ok("bo", &["agreement", "accept", &grant, "--out", "-"]);
    for bad in [
        "",
        "medvault-acceptance:AAAA",
        &signed[..signed.len() / 2],
        "a letter",
    ] {
        let ran = w.pipe("ada", &["agreement", "take", "-"], bad.as_bytes());
        assert_eq!(ran.code, 9, "{bad}: {}", ran.err);
        assert!(ran.err.contains("hint:"), "{}", ran.err);
    }
    // the agreement is Ada's, not Bo's, and once withdrawn it is nobody's
    let ran = w.pipe("bo", &["agreement", "take", "-"], signed.as_bytes());
    assert_eq!(ran.code, 8, "{}", ran.err);
    w.ok("ada", &["revoke", &grant, "--yes"]);
    let ran = w.pipe("ada", &["agreement", "take", "-"], signed.as_bytes());
    assert_eq!(ran.code, 8, "{}", ran.err);
    let log = w.json("ada", &["audit", "log"]);
    assert!(log.iter().all(|entry| entry["act"] != "agreed"));
}

#[test]
fn an_offer_that_is_not_wanted_is_forgotten_and_can_come_back() {
    let w = clinic();
    let grant = offered(&w, &[]);
    let decline = ["agreement", "decline", &grant];
    let ran = w.run("bo", &decline);
    assert_eq!(ran.code, 2, "nobody was asked: {}", ran.err);
    w.ok("bo", &[&decline[..], &["--yes"]].concat());
    assert!(w.json("bo", &["agreement", "list"]).is_empty());
    let gone = w.run("bo", &["agreement", "accept", &grant]);
    assert_eq!(gone.code, 3, "{}", gone.err);
    w.ok("bo", &["inbox", "accept", "--offline", "ticket"]);
    assert_eq!(w.json("bo", &["agreement", "list"]).len(), 1);
    assert!(w.json("bo", &["agreement", "proofs"]).is_empty());
}

#[test]
fn a_revoked_offer_leaves_a_receipt_that_nothing_ever_left() {
    let w = clinic();
    let grant = offered(&w, &[]);
    let receipt = &w.json("ada", &["revoke", &grant, "--yes"])[0];
    assert_eq!(receipt["opened"], 0, "{receipt}");
    assert_eq!(receipt["never_delivered"], 2);
    assert_eq!(receipt["could_have_opened"], 0);
    assert_eq!(receipt["opened_versions"], json!([]));
    let shown = w.ok("ada", &["grant", "show", &grant]);
    assert!(shown.contains("these stay closed for good"), "{shown}");
    let exported = w.run(
        "ada",
        &["grant", "export", &grant, "--to", "bo", "-o", "x.car"],
    );
    assert_ne!(exported.code, 0);
}
