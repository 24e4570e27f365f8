//! Contacts, grants, revocation, the audit log.

use crate::world::{World, bundle, observation};

/// Ada with four records, and Dr. Bo, verified.
fn clinic() -> World {
    let w = World::of(&["ada", "bo"]);
    let file = w.file(
        "b.json",
        bundle(&[
            observation("a", "laboratory", None),
            observation("bb", "laboratory", None),
            observation("ccc", "vital-signs", None),
            observation("dddd", "laboratory", Some("PSY")),
        ]),
    );
    w.ok("ada", &["record", "add", &file]);
    w.introduce("ada", "bo");
    w
}

#[test]
fn contacts_are_added_verified_and_shown() {
    let w = World::of(&["ada", "bo"]);
    let card = w.ok("bo", &["identity", "show", "--card", "-"]);
    let added = w.pipe("ada", &["contact", "add", "Dr. Bo", "-"], card.as_bytes());
    assert_eq!(added.code, 0, "{}", added.err);
    assert!(added.err.contains("contact verify 'Dr. Bo'"));
    let contact = &w.json("ada", &["contact", "show", "Dr. Bo"])[0];
    assert_eq!(contact["verified"], serde_json::Value::Null);
    let wrong = w.run("ada", &["contact", "verify", "Dr. Bo", "--words", "a b c"]);
    assert_eq!(wrong.code, 9);
    let identity = &w.json("bo", &["identity", "show"])[0];
    let words = identity["fingerprint"].as_str().unwrap();
    w.ok(
        "ada",
        &[
            "contact",
            "verify",
            "Dr. Bo",
            "--words",
            &words.to_uppercase(),
        ],
    );
    assert_ne!(
        w.json("ada", &["contact", "list"])[0]["verified"],
        serde_json::Value::Null
    );
    let qr = identity["verify"].as_str().unwrap();
    w.ok("ada", &["contact", "verify", "Dr. Bo", "--words", qr]);
    let own = w.json("ada", &["identity", "show"])[0]["verify"].clone();
    let wrong = w.run(
        "ada",
        &[
            "contact",
            "verify",
            "Dr. Bo",
            "--words",
            own.as_str().unwrap(),
        ],
    );
    assert_eq!(wrong.code, 9);
}

#[test]
fn a_dry_run_lists_what_opens_and_what_stays_closed() {
    let w = clinic();
    let arguments = ["share", "--with", "bo", "--category", "lab", "--dry-run"];
    let lines = w.json("ada", &arguments);
    assert_eq!(lines.iter().filter(|l| l["readable"] == true).count(), 2);
    let closed: Vec<_> = lines.iter().filter(|l| l["readable"] == false).collect();
    assert_eq!(closed.len(), 1);
    assert!(closed[0]["reason"].as_str().unwrap().contains("PSY"));
    let ran = w.run("ada", &arguments);
    assert!(
        ran.out
            .contains("2 records readable, 1 left out, 1 not asked for"),
        "{}",
        ran.out
    );
    assert!(!ran.err.contains("Test"), "no title on standard error");
    assert!(w.json("ada", &["grant", "list"]).is_empty());
    let named: Vec<&str> = arguments
        .iter()
        .copied()
        .chain(["--with-label", "PSY"])
        .collect();
    assert!(
        w.json("ada", &named)
            .iter()
            .all(|line| line["readable"] == true)
    );
}

#[test]
fn share_show_and_take_back() {
    let w = clinic();
    let shared = w.run(
        "ada",
        &[
            "share",
            "--with",
            "bo",
            "--category",
            "lab",
            "--expires",
            "30d",
        ],
    );
    assert_eq!(shared.code, 0, "{}", shared.err);
    assert!(shared.out.starts_with("medvault-ticket:"));
    assert_eq!(shared.out.lines().count(), 1);
    assert!(!shared.err.contains("Test"));
    let grant = &w.json("ada", &["grant", "list"])[0];
    assert_eq!(grant["status"], "active");
    assert_eq!(grant["versions"], 2);
    assert_ne!(grant["expires"], serde_json::Value::Null);
    let id = grant["grant"].as_str().unwrap();
    let shown = &w.json("ada", &["grant", "show", &id[..9]])[0];
    assert_eq!(shown["entries"].as_array().unwrap().len(), 2);
    assert!(
        w.ok("ada", &["grant", "ticket", id])
            .starts_with("medvault-ticket:")
    );

    assert_eq!(w.run("ada", &["revoke", id]).code, 2, "asks");
    let receipt = &w.json("ada", &["revoke", id, "--yes"])[0];
    assert_eq!(receipt["level"], "rekey");
    assert_eq!(receipt["could_have_opened"], 2);
    assert_eq!(receipt["rekeyed"], 2);
    assert_eq!(receipt["opened"], serde_json::Value::Null);
    assert_eq!(receipt["reader_names"][0], "bo");
    assert_eq!(w.run("ada", &["grant", "ticket", id]).code, 8);
    assert_eq!(w.json("ada", &["grant", "list"])[0]["status"], "revoked");
    assert!(w.json("ada", &["grant", "list", "--active"]).is_empty());
    let shown = w.ok("ada", &["grant", "show", id]);
    assert!(shown.contains("Nobody can recall"));

    let acts: Vec<_> = w
        .json("ada", &["audit", "log"])
        .iter()
        .map(|entry| entry["act"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        acts,
        [
            "vault-created",
            "published",
            "contact-added",
            "contact-verified",
            "granted",
            "revoked",
            "rekeyed",
            "receipt"
        ]
    );
    assert_eq!(
        w.json("ada", &["audit", "log", "--act", "granted"]).len(),
        1
    );
    assert_eq!(w.json("ada", &["audit", "log", "--contact", "bo"]).len(), 6);
    assert!(
        w.json("ada", &["audit", "log", "--until", "2020-01-01"])
            .is_empty()
    );
    let verified = &w.json("ada", &["audit", "verify"])[0];
    assert_eq!(verified["verified"], true);
    assert_eq!(verified["entries"], 8);
    w.ok("ada", &["doctor", "--deep"]);
}

#[test]
fn stop_only_leaves_the_blocks() {
    let w = clinic();
    w.ok(
        "ada",
        &[
            "share",
            "--with",
            "bo",
            "--all",
            "--snapshot",
            "--purpose",
            "TREAT",
        ],
    );
    let out = w.ok(
        "ada",
        &["revoke", "--contact", "bo", "--stop-only", "--yes"],
    );
    assert!(out.contains("R1 stop"), "{out}");
    let none = w.run("ada", &["revoke", "--contact", "bo", "--yes"]);
    assert_eq!(none.code, 3, "{}", none.err);
    let nothing = w.run("ada", &["revoke", "--resume"]);
    assert_eq!(nothing.code, 0);
}

#[test]
fn several_readers_get_a_ticket_each() {
    let w = clinic();
    w.ok("cy", &["init", "--name", "cy", "--work-factor", "10"]);
    w.introduce("ada", "cy");
    let path = w.path("ticket");
    let arguments = [
        "share",
        "--with",
        "bo",
        "--with",
        "cy",
        "--all",
        "-o",
        path.to_str().unwrap(),
    ];
    assert_eq!(w.ok("ada", &arguments), "");
    for name in ["ticket-bo", "ticket-cy"] {
        let text = std::fs::read_to_string(w.path(name)).unwrap();
        assert!(text.starts_with("medvault-ticket:"));
    }
    assert_eq!(
        w.run("ada", &arguments).code,
        1,
        "tickets are not overwritten"
    );
    assert_eq!(
        w.json("ada", &["grant", "list"]).len(),
        1,
        "and no grant is made then"
    );
    w.ok("ada", &["revoke", "--contact", "bo", "--yes"]);
    let grant = &w.json("ada", &["grant", "list"])[0];
    assert_eq!(grant["readers"], serde_json::json!(["cy"]));
    assert_eq!(grant["status"], "active");
}

#[test]
fn nothing_is_shared_with_an_unverified_contact_unasked() {
    let w = World::of(&["ada", "bo"]);
    let card = w.ok("bo", &["identity", "show", "--card", "-"]);
    let path = w.file("bo.card", card);
    w.ok("ada", &["contact", "add", "bo", &path]);
    let file = w.file("o.json", observation("a", "laboratory", None));
    w.ok("ada", &["record", "add", &file]);
    let refused = w.run("ada", &["share", "--with", "bo", "--all"]);
    assert_eq!(refused.code, 8, "{}", refused.err);
    assert!(w.json("ada", &["grant", "list"]).is_empty());
    let shared = w.run("ada", &["share", "--with", "bo", "--all", "--yes"]);
    assert_eq!(shared.code, 0);
    assert!(shared.err.contains("warning:"));
}
