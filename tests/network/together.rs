//! Several commands on one home at the same time.

use std::thread;

use crate::people::*;
use crate::serving::Serving;
use crate::world::{World, bundle};

#[test]
fn ordinary_commands_work_beside_a_running_node() {
    let w = ada_and_bo();
    let status = &w.json("ada", &["status"])[0];
    assert!(status["node"].is_null(), "{status}");
    let serving = Serving::start(&w, "ada");
    let node = &w.json("ada", &["status"])[0]["node"];
    assert_eq!(node["serving"], true, "{node}");
    assert_eq!(node["pid"], serving.pid());
    refused(&w, "ada", &["serve", "--listen", "/ip4/127.0.0.1/tcp/0"], 6);

    let (grant, ticket) = share_lab(&w, "ticket");
    w.ok("bo", &["inbox", "accept", &ticket]);
    let id = add(&w, "ada", "n.json", lab("n"));
    let changed = w.file("n2.json", lab("n").replace("final", "amended"));
    w.ok("ada", &["record", "update", &id, &changed]);
    assert_eq!(sync(&w)["records"], 3);
    let amended = String::from_utf8(get(&w, "bo", &id)).unwrap();
    assert!(amended.contains("amended"), "{amended}");
    w.ok("ada", &["record", "list"]);
    w.ok("ada", &["grant", "show", &grant]);
    w.ok("ada", &["audit", "verify"]);
    w.ok("ada", &["record", "remove", &id, "--yes"]);
    assert_eq!(sync(&w)["records"], 2);
    unreadable(&w, &id);
    w.ok("ada", &["revoke", "--contact", "bo", "--yes"]);
    healthy(&w, "ada");
    let sent = w.json("ada", &["status"])[0]["node"]["blocks_sent"].as_u64();
    assert!(sent > Some(0));
    serving.interrupt();
    assert!(w.json("ada", &["status"])[0]["node"].is_null());
}

#[test]
fn two_adds_at_once_both_arrive() {
    let w = World::of(&["ada"]);
    let files: Vec<String> = (0..4)
        .map(|writer| {
            let records: Vec<String> = (0..40).map(|n| lab(&format!("w{writer}n{n}"))).collect();
            w.file(&format!("{writer}.json"), bundle(&records))
        })
        .collect();
    for pair in files.chunks(2) {
        thread::scope(|scope| {
            for file in pair {
                scope.spawn(|| w.ok("ada", &["record", "add", file]));
            }
        });
    }
    assert_eq!(ids(&w, "ada", &[]).len(), 160);
    healthy(&w, "ada");
}

#[test]
fn two_syncs_at_once_and_a_sync_beside_a_revocation() {
    let w = ada_and_bo();
    let _serving = Serving::start(&w, "ada");
    let (grant, ticket) = share_lab(&w, "ticket");
    w.ok("bo", &["inbox", "accept", &ticket]);
    for round in 0..2 {
        let id = add(
            &w,
            "ada",
            &format!("{round}.json"),
            lab(&format!("r{round}")),
        );
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| w.ok("bo", &["inbox", "sync", "--contents"]));
            }
        });
        assert_eq!(get(&w, "bo", &id), lab(&format!("r{round}")).as_bytes());
    }
    // the re-key deletes blocks that the reader may just be asking for
    thread::scope(|scope| {
        scope.spawn(|| w.ok("ada", &["revoke", &grant, "--yes"]));
        scope.spawn(|| {
            for _ in 0..3 {
                let ran = w.run("bo", &["inbox", "sync", "--contents"]);
                assert!([0, 7, 8].contains(&ran.code), "{}", ran.err);
            }
        });
    });
    refused(&w, "bo", &["inbox", "sync"], 8);
    healthy(&w, "ada");
}
