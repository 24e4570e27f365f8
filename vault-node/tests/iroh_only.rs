//! What a node does in every build, with an IPFS node or without, and what it says where the build
//! has none.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/readers.rs"]
mod readers;

use common::{Heads, Party, blocks, client};
use readers::{TIMEOUT, VAULT, cids, device, fetch, only};
use vault_core::{BlockStore, IpnsName, SigningKey};
use vault_node::{Access, Announced, DhtConfig, Node, NodeConfig, NodeError, Route, peer_address};
use vault_node::{parse_peer_id, peer_id};

const FULL: bool = cfg!(feature = "ipfs");

#[test]
fn heads_and_readers_blocks_travel_over_iroh() {
    let mut party = Party::new(30, &["/ip4/127.0.0.1/tcp/0"]);
    party.heads = Heads(vec![(VAULT, b"head".to_vec())]);
    let there = blocks(20, 64 << 10);
    party.store.put(&there).unwrap();
    let (node, reader, client) = (party.start(), device(), client());
    node.set_readers(only(&reader));
    let address = node.address();
    assert_eq!(
        client.fetch_head(&address, &VAULT, TIMEOUT).unwrap(),
        b"head"
    );
    let (report, got) = fetch(&client, &address, &reader, &cids(&there)).unwrap();
    assert_eq!((report.blocks, report.missing), (20, vec![]));
    assert!(got == there);
    assert_eq!(client.route(&address, &VAULT), Some(Route::Direct));
    let stats = node.iroh_stats();
    assert_eq!((stats.heads_served, stats.blocks_sent), (1, 20));
    assert_eq!(node.stats(), Default::default(), "nothing over bitswap");
    assert_eq!(node.drain(TIMEOUT), 0);
    node.stop();
    client.stop();
}

#[test]
fn the_peer_id_is_the_same_with_and_without_an_ipfs_node() {
    let node = Party::new(31, &["/ip4/127.0.0.1/tcp/0"]).start();
    let address = node.look_around().unwrap();
    assert_eq!(address, node.address());
    assert_eq!(address.peer, SigningKey::from_seed(&[31; 32]).public());
    assert_eq!(address.addrs.len(), usize::from(FULL), "{address:?}");
    let id = peer_id(&address).unwrap();
    assert_eq!(parse_peer_id(&id).unwrap(), id);
    let named = peer_address(&format!("/ip4/127.0.0.1/tcp/1/p2p/{id}")).unwrap();
    assert_eq!(named.peer, address.peer);
}

#[test]
fn only_addresses_where_somebody_answers_go_into_a_ticket() {
    let mut config = NodeConfig::new([32; 32], [32; 32]);
    config.iroh_listen = Some("127.0.0.1:0".parse().unwrap());
    let (blocks, iroh) = ("/ip4/192.0.2.1/tcp/4001", "192.0.2.1:4002");
    config.announced = vec![blocks.parse().unwrap(), iroh.parse().unwrap()];
    assert!(matches!(config.announced[0], Announced::Blocks(_)));
    let party = Party::new(32, &[]);
    let node = Node::start(config, party.store, std::sync::Arc::new(party.heads)).unwrap();
    let address = node.address();
    assert_eq!(
        address.addrs.first().is_some_and(|addr| addr == blocks),
        FULL
    );
    assert_eq!(address.addrs.is_empty(), !FULL);
    assert_eq!(address.endpoint_addrs[0], iroh);
}

#[test]
fn a_bad_listening_address_is_an_error_in_every_build() {
    for bad in ["", "/ip4/127.0.0.1/tcp/0/ws", "/dns4/example.org/tcp/1"] {
        let error = Party::new(33, &[bad]).try_start().err().unwrap();
        assert!(matches!(error, NodeError::Address(_)), "{error}");
    }
}

/// What calls of the IPFS node give here, if they are about something that is not there.
fn is_absent(error: &NodeError) -> bool {
    match error {
        NodeError::NotBuilt => !FULL,
        NodeError::DhtOff | NodeError::Dht(_) | NodeError::Timeout { .. } => FULL,
        NodeError::Unreachable { .. } => FULL,
        _ => false,
    }
}

#[test]
fn calls_of_the_ipfs_node_say_when_there_is_none() {
    let mut party = Party::new(34, &[]);
    let other = party.start();
    party.seed = 35;
    party.dht = Some(DhtConfig {
        server: false,
        bootstrap: Vec::new(),
    });
    for node in [party.start(), client()] {
        node.set_access(Access::Public);
        let name = IpnsName::new(node.address().peer);
        let cid = blocks(1, 10)[0].cid();
        let brief = std::time::Duration::from_millis(500);
        let errors = [
            node.fetch(&[other.address()], &[cid], brief, &mut |_| Ok(()))
                .err(),
            node.publish_name(&name, b"record").err(),
            node.resolve_names(&name, brief).err(),
            node.provide(&cid).err(),
            node.find_providers(&cid, brief).err(),
        ];
        for error in errors {
            let error = error.unwrap();
            assert!(is_absent(&error), "{error:?}");
        }
        let stopped = node.stop_providing(&cid);
        assert!(stopped.as_ref().err().is_none_or(is_absent), "{stopped:?}");
    }
}
