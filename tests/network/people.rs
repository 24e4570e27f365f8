//! Ada, the patient, and Bo, the provider: what both do in most of these tests.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::{Ran, World, bundle, observation};

/// Ada with two laboratory results to share, one that is sensitive, and a vital sign. Each of the
/// two knows the other.
pub fn ada_and_bo() -> World {
    let w = World::of(&["ada", "bo"]);
    let file = w.file(
        "first.json",
        bundle(&[
            lab("a"),
            lab("bb"),
            observation("ccc", "vital-signs", None),
            observation("dddd", "laboratory", Some("PSY")),
        ]),
    );
    w.ok("ada", &["record", "add", &file]);
    w.introduce("ada", "bo");
    w
}

/// One laboratory result.
pub fn lab(id: &str) -> String {
    observation(id, "laboratory", None)
}

/// Adds one file; its record's id.
pub fn add(w: &World, who: &str, name: &str, content: impl AsRef<[u8]>) -> String {
    let file = w.file(name, content);
    let added = &w.json(who, &["record", "add", &file])[0];
    assert_eq!(added["added"], 1, "{added}");
    added["records"][0].as_str().unwrap().to_owned()
}

/// Ada shares her laboratory results with Bo. The grant, and the ticket's file.
pub fn share_lab(w: &World, ticket: &str) -> (String, String) {
    share(w, &["--category", "lab"], ticket)
}

/// Ada shares what `what` names with Bo. The grant, and the ticket's file.
pub fn share(w: &World, what: &[&str], ticket: &str) -> (String, String) {
    let arguments = [&["share", "--with", "bo", "-o", ticket], what].concat();
    let shared = &w.json("ada", &arguments)[0];
    let grant = shared["grant"].as_str().unwrap().to_owned();
    (grant, w.path(ticket).to_str().unwrap().to_owned())
}

/// Bo fetches the newest; what the command says.
pub fn sync(w: &World) -> Value {
    w.json("bo", &["inbox", "sync"]).pop().unwrap()
}

/// Ids of the records that somebody sees, own or shared.
pub fn ids(w: &World, who: &str, more: &[&str]) -> BTreeSet<String> {
    let arguments = [&["record", "list"], more].concat();
    let lines = w.json(who, &arguments);
    let id = |line: &Value| line["record"].as_str().unwrap().to_owned();
    lines.iter().map(id).collect()
}

/// What Bo sees of Ada.
pub fn seen(w: &World) -> BTreeSet<String> {
    ids(w, "bo", &["--from", "ada"])
}

/// A record's content.
pub fn get(w: &World, who: &str, id: &str) -> Vec<u8> {
    let file = w.path(&format!("{who}-{id}.out"));
    let path = file.to_str().unwrap();
    w.ok(who, &["record", "get", id, "--force", "-o", path]);
    std::fs::read(file).unwrap()
}

/// A command that must fail with this code, say why, say what to do, and print no data.
pub fn refused(w: &World, who: &str, arguments: &[&str], code: i32) -> Ran {
    let ran = w.run(who, arguments);
    assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains("error:"), "{}", ran.err);
    assert!(ran.err.contains("hint:"), "no hint in: {}", ran.err);
    assert!(ran.out.is_empty(), "{}", ran.out);
    ran
}

/// Bo cannot read a record, in whatever way it is asked for.
pub fn unreadable(w: &World, id: &str) {
    for arguments in [
        &["record", "get", id][..],
        &["record", "get", id, "--from", "ada"],
        &["record", "show", id],
    ] {
        let ran = w.run("bo", arguments);
        assert_ne!(ran.code, 0, "{arguments:?}");
        assert!(ran.out.is_empty(), "{}", ran.out);
    }
}

/// The doctor opens everything and finds no fault. Files that a killed command left, and the cheap
/// passphrase of these tests, may be pointed out.
pub fn healthy(w: &World, who: &str) {
    let checks = w.json(who, &["doctor", "--deep"]);
    for check in &checks {
        let warned = check["verdict"] == "warn";
        let fine = check["verdict"] == "ok"
            || warned && (check["check"] == "passphrase" || check["check"] == "leftovers");
        assert!(fine, "{check}");
    }
    assert!(checks.iter().any(|check| check["check"] == "blocks"));
    w.ok(who, &["audit", "verify"]);
}
