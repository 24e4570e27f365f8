//! A node that gives blocks to readers only.

use std::time::Duration;

use vault_core::{Cid, Home, NodeAddress, VaultStorage as _};
use vault_node::Node;

use crate::people::*;
use crate::serving::Serving;
use crate::world::World;

/// What a stranger who knows every CID gets over bitswap.
fn stranger_gets(w: &World) -> (u64, usize) {
    let node = Node::start_client_only([91; 32], [92; 32]).unwrap();
    let home = Home::open(&w.path("ada")).unwrap();
    let cids: Vec<Cid> = home.storage().unwrap().blocks().list().unwrap();
    let address: NodeAddress =
        serde_json::from_slice(&std::fs::read(w.path("ada").join("node.json")).unwrap()).unwrap();
    let report = node
        .fetch(&[address], &cids, Duration::from_secs(5), &mut |_| Ok(()))
        .unwrap();
    node.stop();
    (report.blocks, report.missing.len())
}

fn count(w: &World, what: &str) -> u64 {
    w.json("ada", &["status"])[0]["node"][what]
        .as_u64()
        .unwrap()
}

#[test]
fn strangers_get_nothing_readers_do_and_former_readers_do_not() {
    let w = ada_and_bo();
    let serving = Serving::logging(&w, "ada", &["--private"], "log");
    assert_eq!(w.json("ada", &["status"])[0]["node"]["private"], true);
    let (grant, ticket) = share_lab(&w, "ticket");
    w.ok("bo", &["inbox", "accept", &ticket]);
    assert_eq!(seen(&w).len(), 2);
    let id = seen(&w).first().unwrap().clone();
    get(&w, "bo", &id);
    assert!(count(&w, "blocks_sent_iroh") > 0);
    assert_eq!(count(&w, "blocks_sent_bitswap"), 0);
    let (got, missing) = stranger_gets(&w);
    assert_eq!(got, 0);
    assert!(missing > 0);

    // what came after the last sync is in nobody's cache
    let later = add(&w, "ada", "later.json", lab("later"));
    w.ok("ada", &["revoke", &grant, "--yes"]);
    let ran = refused(&w, "bo", &["inbox", "sync"], 8);
    assert!(ran.err.contains("hint:"), "{}", ran.err);
    unreadable(&w, &later);
    assert!(count(&w, "refused") > 0);
    serving.interrupt();

    // the control: the same node, open to all
    let _serving = Serving::start(&w, "ada");
    let (got, missing) = stranger_gets(&w);
    assert!(got > 0);
    assert_eq!(missing, 0);
}

#[test]
fn a_peer_that_is_named_gets_blocks_all_the_same() {
    let w = ada_and_bo();
    // the peer id of the stranger's key
    let peer = {
        let node = Node::start_client_only([91; 32], [92; 32]).unwrap();
        let peer = vault_node::peer_id(&node.address()).unwrap();
        node.stop();
        peer
    };
    let options = ["--private", "--allow-peer", &peer];
    let _serving = Serving::logging(&w, "ada", &options, "log");
    let (got, missing) = stranger_gets(&w);
    assert!(got > 0);
    assert_eq!(missing, 0);
    let ran = refused(&w, "bo", &["serve", "--allow-peer", &peer], 2);
    assert!(ran.err.contains("--private"), "{}", ran.err);
}

#[test]
fn it_can_be_a_setting_of_the_home() {
    let w = ada_and_bo();
    w.ok("ada", &["config", "set", "serve.private", "true"]);
    let _serving = Serving::start(&w, "ada");
    assert_eq!(stranger_gets(&w).0, 0);
}

#[test]
fn announced_addresses_go_into_tickets() {
    let w = ada_and_bo();
    let outside = ["/ip4/192.0.2.7/tcp/4001", "192.0.2.7:4002"];
    let options = ["--announce", outside[0], "--announce", outside[1]];
    let serving = Serving::logging(&w, "ada", &options, "log");
    assert_eq!(serving.event()["addrs"][0], outside[0]);
    assert_eq!(serving.event()["endpoint_addrs"][0], outside[1]);
    // the ones it is bound to are there too: readers at home use them
    assert!(serving.event()["endpoint_addrs"].as_array().unwrap().len() > 1);
    let (_, ticket) = share_lab(&w, "ticket");
    w.ok("bo", &["inbox", "accept", &ticket]);
    assert_eq!(seen(&w).len(), 2);
    let ran = refused(&w, "bo", &["serve", "--announce", "0.0.0.0:1"], 2);
    assert!(ran.err.contains("0.0.0.0:1"), "{}", ran.err);
}
