//! Access on request: each key is asked for over the network, and logged before it leaves.

mod faults;
mod forks;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use vault_core::{EntryProof, VaultId};

use crate::people::*;
use crate::quiet::sockets;
use crate::serving::Serving;
use crate::world::{Ran, World};

/// Ada offers her laboratory results to somebody on these terms. The grant, and the ticket's file.
pub fn offer(w: &World, to: &str, terms: &[&str], ticket: &str) -> (String, String) {
    let what = ["share", "--with", to, "--category", "lab", "--on-request"];
    let arguments = [&what, terms, &["-o", ticket]].concat();
    let shared = &w.json("ada", &arguments)[0];
    let grant = shared["grant"].as_str().unwrap().to_owned();
    (grant, w.path(ticket).to_str().unwrap().to_owned())
}

/// Ada serves, and Bo has agreed to these terms.
pub fn agreed(terms: &[&str]) -> (World, Serving, String) {
    let w = ada_and_bo();
    let serving = Serving::start(&w, "ada");
    let (grant, ticket) = offer(&w, "bo", terms, "ticket");
    w.ok("bo", &["inbox", "accept", &ticket]);
    w.ok("bo", &["agreement", "accept", &grant]);
    (w, serving, grant)
}

/// Bo opens a record.
pub fn open(w: &World, id: &str) -> Ran {
    w.run("bo", &["record", "get", id, "--from", "ada"])
}

/// What Ada's log says of requests: act, and outcome where there is one.
fn requests(w: &World, who: &str) -> Vec<String> {
    let log = w.json(who, &["audit", "log"]);
    let outcomes = log.iter().filter_map(|line| line["outcome"].as_str());
    outcomes.map(str::to_owned).collect()
}

/// How many entries of the log are of this kind.
pub fn count(w: &World, act: &str) -> usize {
    let log = w.json("ada", &["audit", "log", "--all"]);
    log.iter().filter(|line| line["act"] == act).count()
}

fn status(w: &World) -> Value {
    w.json("ada", &["status"])[0]["node"]["access"].clone()
}

#[test]
fn from_the_offer_to_the_receipt() {
    let w = ada_and_bo();
    let _serving = Serving::start(&w, "ada");
    let terms = ["--max-opens", "3", "--purpose", "TREAT"];
    let (grant, ticket) = offer(&w, "bo", &terms, "ticket");
    let ran = w.run("bo", &["inbox", "accept", &ticket]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for said in ["at most 3 in all", "treatment", "agreement accept"] {
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    }
    // before both have signed not even the titles are seen
    refused(&w, "bo", &["record", "list", "--from", "ada"], 8);
    assert_eq!(sync(&w)["offered"][0], grant.as_str());

    for _ in 0..2 {
        w.ok("bo", &["agreement", "accept", &grant[..10]]);
    }
    assert_eq!(count(&w, "agreed"), 1);
    let held = &w.json("bo", &["agreement", "list"])[0];
    assert_eq!(held["status"], "in force", "{held}");
    let listed = seen(&w);
    assert_eq!(listed.len(), 2);
    assert_eq!(count(&w, "released"), 0, "a list asks for nothing");

    let ids: Vec<&String> = listed.iter().collect();
    let ran = open(&w, ids[0]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.out.as_bytes(), get(&w, "ada", ids[0]));
    assert_eq!(requests(&w, "ada"), ["opened"]);
    let log = w.ok("ada", &["audit", "log"]);
    let line = log.lines().last().unwrap();
    for said in ["bo", "treatment", "opened, confirmed", "Test"] {
        assert!(line.contains(said), "{said}: {line}");
    }

    // the summary needs two, of which none may be left out
    let page = w.run("bo", &["summary", "--from", "ada"]);
    assert_eq!(page.code, 0, "{}", page.err);
    assert!(page.err.contains("uses 2 opens"), "{}", page.err);
    let info = &w.json("ada", &["grant", "list"])[0];
    assert_eq!(info["agreement"]["opens"], 3);
    assert_eq!(info["agreement"]["opens_left"], 0);
    let ran = refused(&w, "bo", &["record", "get", ids[1], "--from", "ada"], 8);
    assert!(ran.err.contains("no opens are left"), "{}", ran.err);
    assert_eq!(count(&w, "released"), 2);
    assert_eq!(count(&w, "receipted"), 2);
    assert_eq!(count(&w, "denied"), 1);
    let access = status(&w);
    assert_eq!(
        (&access["released"], &access["denied"]),
        (&2.into(), &1.into())
    );

    // what was given out is provable with the vault's id alone
    let proofs = w.json("bo", &["agreement", "proofs", "--from", "ada"]);
    assert_eq!(proofs.len(), 2, "{proofs:?}");
    let folder = w.path("proofs");
    let export = ["agreement", "proofs", "--export", folder.to_str().unwrap()];
    w.ok("bo", &export);
    w.ok("bo", &export);
    let vault: VaultId = w.json("ada", &["status"])[0]["vault"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    for proof in &proofs {
        let name = format!("{}.tlog-proof", proof["proof"].as_str().unwrap());
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let proven = EntryProof::parse(&text).unwrap().verify(&vault).unwrap();
        assert_eq!(proof["entry"], proven.entry.index);
    }
    w.ok("ada", &["audit", "verify"]);
}

#[test]
fn many_opens_want_consent_and_go_in_few_requests() {
    let w = ada_and_bo();
    let more: Vec<String> = (0..70).map(|n| lab(&format!("n{n}"))).collect();
    let file = w.file("more.json", crate::world::bundle(&more));
    w.ok("ada", &["record", "add", &file]);
    let _serving = Serving::start(&w, "ada");
    let (grant, ticket) = offer(&w, "bo", &[], "ticket");
    w.ok("bo", &["inbox", "accept", &ticket]);
    w.ok("bo", &["agreement", "accept", &grant]);
    let export = ["export", "--from", "ada", "--to", "files", "-o", "out"];
    let ran = refused(&w, "bo", &export, 2);
    assert!(ran.err.contains("72 opens"), "{}", ran.err);
    assert_eq!(count(&w, "released"), 0);
    w.ok("bo", &[&export[..], &["--yes"]].concat());
    assert_eq!(std::fs::read_dir(w.path("out")).unwrap().count(), 72);
    assert_eq!((count(&w, "released"), count(&w, "receipted")), (2, 2));
    // the folder is there: nothing is asked for in vain
    let again = w.run("bo", &[&export[..], &["--yes"]].concat());
    assert_eq!(again.code, 1, "{}", again.err);
    assert_eq!(count(&w, "released"), 2);
    let info = &w.json("ada", &["grant", "list"])[0];
    assert_eq!(info["agreement"]["opens"], 72);
}

#[test]
fn what_was_never_asked_for_stays_closed() {
    let (w, _serving, grant) = agreed(&[]);
    let listed: Vec<String> = seen(&w).into_iter().collect();
    assert_eq!(open(&w, &listed[0]).code, 0);
    let ran = w.run(
        "ada",
        &["revoke", &grant, "--stop-only", "--yes", "--verbose"],
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.contains("opened              1 version"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("it stays closed for good"), "{}", ran.out);
    assert!(ran.out.contains("Opened:\n    Test"), "{}", ran.out);
    // with everything that Bo has kept
    for id in &listed {
        let ran = refused(&w, "bo", &["record", "get", id, "--from", "ada"], 8);
        assert!(ran.err.contains("taken back"), "{}", ran.err);
    }
    let info = &w.json("ada", &["grant", "show", &grant])[0];
    let receipt = &info["receipts"][0];
    assert_eq!(receipt["opened"], 1);
    assert_eq!(receipt["never_delivered"], 1);
    assert_eq!(receipt["opened_versions"].as_array().unwrap().len(), 1);
    assert_eq!((count(&w, "released"), count(&w, "denied")), (1, 2));
    refused(&w, "bo", &["inbox", "sync"], 8);
}

#[test]
fn purposes_are_those_that_were_agreed_on() {
    let (w, _serving, grant) = agreed(&["--purpose", "TREAT"]);
    let id = seen(&w).into_iter().next().unwrap();
    let ask = ["record", "show", &id, "--from", "ada", "--purpose"];
    let ran = refused(&w, "bo", &[&ask[..], &["HMARKT"]].concat(), 8);
    assert!(ran.err.contains("another purpose"), "{}", ran.err);
    w.ok("bo", &[&ask[..], &["TREAT"]].concat());
    w.ok("bo", &["show", &id]);
    assert_eq!(count(&w, "released"), 2);
    let shown = w.ok("bo", &["agreement", "show", &grant]);
    assert!(shown.contains("in force"), "{shown}");
}

#[test]
fn an_agreement_by_file_is_in_force_at_the_next_sync() {
    let w = ada_and_bo();
    let _serving = Serving::start(&w, "ada");
    let (grant, ticket) = offer(&w, "bo", &[], "ticket");
    w.ok("bo", &["inbox", "accept", &ticket]);
    let accept = ["agreement", "accept", &grant, "--out", "-"];
    let signed = w.ok("bo", &accept);
    refused(&w, "bo", &["record", "list", "--from", "ada"], 8);
    let taken = w.pipe("ada", &["agreement", "take", "-"], signed.as_bytes());
    assert_eq!(taken.code, 0, "{}", taken.err);
    sync(&w);
    let id = seen(&w).into_iter().next().unwrap();
    assert_eq!(open(&w, &id).code, 0);
}

#[test]
fn a_key_that_another_grant_carries_is_not_asked_for() {
    let (w, _serving, _) = agreed(&["--max-opens", "1"]);
    let ids: BTreeSet<String> = seen(&w);
    let (_, ticket) = share_lab(&w, "carried");
    w.ok("bo", &["inbox", "accept", &ticket]);
    for id in &ids {
        let ran = open(&w, id);
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
    assert_eq!(count(&w, "released"), 0);
}

#[test]
fn lists_and_agreements_are_shown_without_a_socket() {
    let (w, serving, grant) = agreed(&[]);
    w.ok("bo", &["inbox", "sync"]);
    serving.interrupt();
    for command in [
        &["agreement", "list"][..],
        &["agreement", "show", &grant],
        &["agreement", "proofs"],
        &["record", "list", "--from", "ada"],
        &["agreement", "decline", &grant, "--yes"],
    ] {
        let Some(sockets) = sockets(&w, "bo", command) else {
            return;
        };
        assert_eq!(sockets, Vec::<String>::new(), "{command:?}");
    }
}

#[test]
fn the_log_of_a_session_names_nobody() {
    let w = ada_and_bo();
    let _serving = Serving::logging(&w, "ada", &["--log-level", "debug"], "log");
    let (grant, ticket) = offer(&w, "bo", &["--max-opens", "1"], "ticket");
    w.ok("bo", &["inbox", "accept", &ticket]);
    w.ok("bo", &["agreement", "accept", &grant]);
    let id = seen(&w).into_iter().next().unwrap();
    assert_eq!(open(&w, &id).code, 0);
    assert_eq!(open(&w, &id).code, 8);
    std::thread::sleep(Duration::from_millis(200));
    let log = read(&w.path("log"));
    for said in ["access-answered released=1", "denied=1"] {
        assert!(log.contains(said), "{said}: {log}");
    }
    for secret in ["bo ", "Test", &grant, &id, "laboratory"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
