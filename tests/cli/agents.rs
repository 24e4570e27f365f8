//! `medvault agent`, as far as it needs no network.

use vault_core::{
    Device, Extent, Home, MAX_WORK_FACTOR, OnRequestTerms, Scope, ShareRequest, Vault,
    decrypt_with_passphrase, system_clock,
};

use crate::world::{Ran, World, bundle, observation};

/// Ada with a record, Gran and Bo, who are verified; and a grant on request that names Gran.
fn family() -> (World, String) {
    let w = World::of(&["ada", "gran", "bo"]);
    let file = w.file("b.json", bundle(&[observation("a", "laboratory", None)]));
    w.ok("ada", &["record", "add", &file]);
    w.introduce("ada", "gran");
    let grant = offer(&w);
    (w, grant)
}

/// Ada offers everything to Bo, on request.
fn offer(w: &World) -> String {
    w.introduce("ada", "bo");
    let (home, device) = unlocked(w, "ada");
    let storage = home.storage().unwrap();
    let mut vault = Vault::open(storage, device.into(), system_clock()).unwrap();
    let request = ShareRequest {
        readers: vec!["bo".into()],
        scope: Scope {
            all: true,
            ..Scope::default()
        },
        extent: Extent::Standing,
        purpose: None,
        expires: None,
    };
    let terms = OnRequestTerms {
        agents: vec!["gran".into()],
        ..OnRequestTerms::default()
    };
    let node = serde_json::from_str(&node_file(w, "ada")).unwrap();
    let shared = vault.offer(request, terms, &node).unwrap();
    shared.grant.id.to_string()
}

fn unlocked(w: &World, who: &str) -> (Home, Device) {
    let home = Home::open(&w.path(who)).unwrap();
    let sealed = home.read_identity().unwrap();
    let text = decrypt_with_passphrase(&sealed, &"correct horse".into(), MAX_WORK_FACTOR).unwrap();
    let device = Device::from_identity_text(std::str::from_utf8(&text).unwrap());
    (home, device.unwrap())
}

/// What a node that was served left behind.
fn node_file(w: &World, who: &str) -> String {
    let card = unlocked(w, who).1.card(who).unwrap();
    serde_json::json!({
        "peer": card.peer(), "addrs": ["/ip4/127.0.0.1/tcp/9"],
        "endpoint": card.endpoint(), "endpoint_addrs": ["127.0.0.1:9"],
    })
    .to_string()
}

fn address(w: &World, who: &str) -> String {
    w.file(&format!("{who}/node.json"), node_file(w, who));
    w.ok(who, &["agent", "address"]).trim().to_owned()
}

fn fails(w: &World, arguments: &[&str], code: i32) -> Ran {
    let ran = w.run("ada", arguments);
    assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains("hint:"), "{}", ran.err);
    assert!(ran.out.is_empty(), "{}", ran.out);
    ran
}

#[test]
fn an_address_is_one_line_and_needs_a_node_that_was_served() {
    let w = World::of(&["gran"]);
    let ran = w.run("gran", &["agent", "address"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("medvault serve"), "{}", ran.err);
    let address = address(&w, "gran");
    assert!(address.starts_with("medvault-agent:"));
    assert_eq!(address.lines().count(), 1);
    let said = &w.json("gran", &["agent", "address"])[0];
    assert_eq!(said["address"], address);
    assert_eq!(said["endpoint_addrs"][0], "127.0.0.1:9");
}

#[test]
fn an_agent_is_added_listed_and_removed_though_nobody_can_be_reached() {
    let (w, grant) = family();
    let at = w.file("gran.at", address(&w, "gran"));
    let add = ["agent", "add", "gran", &grant[..8], "--at", &at];
    let dry: Vec<&str> = add.iter().copied().chain(["--dry-run"]).collect();
    let ran = w.run("ada", &dry);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("can read everything"), "{}", ran.out);
    assert!(w.json("ada", &["agent", "list"]).is_empty());

    let ran = w.run("ada", &add);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("medvault-ticket:"), "{}", ran.out);
    assert_eq!(ran.out.lines().count(), 1);
    assert!(ran.err.contains("read everything"), "{}", ran.err);
    let ticket = w.file("ticket", &ran.out);
    w.ok("gran", &["inbox", "accept", &ticket, "--offline"]);
    assert_eq!(
        w.run("bo", &["inbox", "accept", &ticket, "--offline"]).code,
        8,
        "the ticket is the agent's alone"
    );
    let listed = &w.json("ada", &["agent", "list", &grant])[0];
    assert_eq!(
        (&listed["agent"], &listed["state"]),
        (&"gran".into(), &"active".into())
    );
    assert!(listed["opens_allowed"].is_null());
    let until = listed["until"].as_str().unwrap().to_owned();
    let again: Vec<&str> = add
        .iter()
        .copied()
        .chain(["--opens", "2", "--until", "12h"])
        .collect();
    let added = &w.json("ada", &again)[0];
    assert_eq!(added["opens_allowed"], 2);
    assert_eq!(
        added["until"],
        until.as_str(),
        "the earlier certificate may still be used"
    );

    let remove = ["agent", "remove", "gran", &grant];
    fails(&w, &[&remove[..], &["--no-input"]].concat(), 2);
    w.ok("ada", &[&remove[..], &["--dry-run"]].concat());
    assert_eq!(w.json("ada", &["agent", "list"])[0]["withdrawn"], false);
    let ran = w.run("ada", &[&remove[..], &["--yes"]].concat());
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.err.contains("agent sync"), "{}", ran.err);
    fails(&w, &[&remove[..], &["--yes"]].concat(), 8);
    assert_eq!(w.json("ada", &["agent", "list"])[0]["withdrawn"], true);
    fails(&w, &["agent", "sync"], 7);
    w.ok("ada", &["audit", "verify"]);
}

#[test]
fn what_cannot_be_an_agent_is_refused() {
    let (w, grant) = family();
    let (gran, bo) = (address(&w, "gran"), address(&w, "bo"));
    let add = |who: &str, grant: &str, at: &str, code| {
        fails(&w, &["agent", "add", who, grant, "--at", at, "--yes"], code)
    };
    add("gran", &grant, "medvault-agent:AAAA", 9);
    add("gran", &grant, &gran[..gran.len() - 8], 9);
    add("gran", &grant, &w.file("text", "hello"), 1);
    add("gran", &grant, "no-such-file", 3);
    let other = add("gran", &grant, &bo, 8);
    assert!(
        other.err.contains("not the address of gran"),
        "{}",
        other.err
    );
    let unnamed = add("bo", &grant, &bo, 8);
    assert!(unnamed.err.contains("do not name"), "{}", unnamed.err);
    add("nobody", &grant, &gran, 3);
    add("gran", "ffffffff", &gran, 3);
    let shared = &w.json("ada", &["share", "--with", "bo", "--all"])[0];
    let carried = add("gran", shared["grant"].as_str().unwrap(), &gran, 2);
    assert!(carried.err.contains("--on-request"), "{}", carried.err);
    assert!(w.json("ada", &["agent", "list"]).is_empty());
    let nothing = w.run("ada", &["agent", "sync"]);
    assert_eq!((nothing.code, &*nothing.out), (0, ""));
}

#[test]
fn an_agent_whose_fingerprint_nobody_compared_needs_a_word() {
    let w = World::of(&["ada", "gran", "bo"]);
    let card = w.ok("gran", &["identity", "show", "--card", "-"]);
    let added = w.pipe("ada", &["contact", "add", "gran", "-"], card.as_bytes());
    assert_eq!(added.code, 0, "{}", added.err);
    let grant = offer(&w);
    let at = address(&w, "gran");
    let add = ["agent", "add", "gran", &grant, "--at", &at];
    let ran = fails(&w, &add, 8);
    assert!(ran.err.contains("nobody has compared"), "{}", ran.err);
    assert!(w.json("ada", &["agent", "list"]).is_empty());
    let ran = w.run("ada", &[&add[..], &["--yes"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("nobody has compared"), "{}", ran.err);
}
