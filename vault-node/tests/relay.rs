//! Nodes that know nothing of each other but the endpoint id and a relay, on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/readers.rs"]
mod readers;
#[path = "common/relay.rs"]
mod relay;

use std::time::{Duration, Instant};

use common::{Heads, Party, blocks, client};
use readers::{TIMEOUT, VAULT, cids, device, fetch, only};
use relay::RelayServer;
use vault_core::{Block, BlockStore, Device, NodeAddress};
use vault_node::{Node, Route};

/// A patient's node behind a relay, with blocks; its address names the relay alone.
fn behind(relay: &RelayServer, seed: u8, direct: bool) -> (Party, Node, NodeAddress, Vec<Block>) {
    let mut party = Party::new(seed, &[]);
    party.relays = vec![relay.url().parse().unwrap()];
    party.heads = Heads(vec![(VAULT, b"head".to_vec())]);
    if !direct {
        party.iroh_listen = None;
    }
    let there = blocks(40, 16 << 10);
    party.store.put(&there).unwrap();
    let node = party.start();
    let mut address = node.address();
    assert_eq!(address.relays.len(), 1, "{address:?}");
    assert_eq!(address.endpoint_addrs.is_empty(), !direct, "{address:?}");
    address.endpoint_addrs.clear();
    (party, node, address, there)
}

fn reads(client: &Node, from: &NodeAddress, reader: &Device, there: &[Block]) {
    assert_eq!(client.fetch_head(from, &VAULT, TIMEOUT).unwrap(), b"head");
    let (report, got) = fetch(client, from, reader, &cids(there)).unwrap();
    assert_eq!((got.len(), report.missing), (there.len(), vec![]));
}

#[test]
fn nodes_meet_at_the_relay_and_then_talk_directly() {
    let Some(relay) = RelayServer::start() else {
        return;
    };
    let (_party, node, address, there) = behind(&relay, 60, true);
    let (reader, client) = (device(), client());
    node.set_readers(only(&reader));
    let begun = Instant::now();
    while !node.iroh_stats().relay_connected {
        assert!(begun.elapsed() < Duration::from_secs(30), "no relay");
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("at the relay after {:?}", begun.elapsed());
    reads(&client, &address, &reader, &there);
    let begun = Instant::now();
    while client.route(&address, &VAULT) != Some(Route::Direct) {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "no direct way was found"
        );
        std::thread::sleep(Duration::from_millis(100));
        reads(&client, &address, &reader, &there);
    }
    println!("direct after {:?}", begun.elapsed());
    // now the relay is needed no more
    relay.kill();
    reads(&client, &address, &reader, &there);
}

#[test]
fn without_any_direct_way_everything_goes_through_the_relay() {
    let Some(relay) = RelayServer::start() else {
        return;
    };
    let (_party, node, address, there) = behind(&relay, 61, false);
    let (reader, client) = (device(), client());
    node.set_readers(only(&reader));
    for _ in 0..3 {
        reads(&client, &address, &reader, &there);
        assert_eq!(client.route(&address, &VAULT), Some(Route::Relayed));
        std::thread::sleep(Duration::from_millis(300));
    }
    // the control: without the relay there is no way
    relay.kill();
    let limit = Duration::from_secs(3);
    assert!(cannot_reach(&address, limit));
}

fn cannot_reach(address: &NodeAddress, limit: Duration) -> bool {
    client().fetch_head(address, &VAULT, limit).is_err()
}

#[test]
fn a_relay_that_was_restarted_is_found_again() {
    let Some(relay) = RelayServer::start() else {
        return;
    };
    let (_party, node, address, there) = behind(&relay, 62, false);
    let (reader, first) = (device(), client());
    node.set_readers(only(&reader));
    reads(&first, &address, &reader, &there);
    let at = relay.kill();
    let begun = Instant::now();
    while node.iroh_stats().relay_connected {
        assert!(begun.elapsed() < Duration::from_secs(30), "does not notice");
        std::thread::sleep(Duration::from_millis(100));
    }
    let _again = RelayServer::at(at).unwrap();
    let begun = Instant::now();
    while !node.iroh_stats().relay_connected {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "does not come back"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("back after {:?}", begun.elapsed());
    reads(&client(), &address, &reader, &there);
    reads(&first, &address, &reader, &there);
}

#[test]
fn a_node_without_relays_names_none_and_asks_none() {
    let party = Party::new(63, &[]);
    let node = party.start();
    assert!(node.address().relays.is_empty());
    assert_eq!(node.iroh_stats().relays, 0);
    assert!(!node.iroh_stats().relay_connected);
}
