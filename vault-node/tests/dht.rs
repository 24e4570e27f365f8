//! Names and providers through a DHT of our own nodes on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::time::Duration;

use common::{Party, blocks, fetch_all, first_address};
use vault_core::{Block, BlockStore, Codec, IpnsName, IpnsRecord, SigningKey};
use vault_node::{DhtConfig, Node, NodeError, best_record};

const TIMEOUT: Duration = Duration::from_secs(20);
const TCP: &str = "/ip4/127.0.0.1/tcp/0";
const NOW: u64 = 1_800_000_000;
/// Servers go by the clock of the machine.
const FAR: u64 = 4_000_000_000;

fn node(seed: u8, server: bool, bootstrap: &[&Node]) -> (Party, Node) {
    let mut party = Party::new(seed, &[TCP]);
    party.dht = Some(dht(server, bootstrap));
    let node = party.start();
    (party, node)
}

fn dht(server: bool, bootstrap: &[&Node]) -> DhtConfig {
    let bootstrap = bootstrap.iter().map(|node| first_address(node)).collect();
    DhtConfig { server, bootstrap }
}

fn reader(seed: u8, bootstrap: &[&Node]) -> Node {
    Node::start_client([seed; 32], [seed; 32], Some(dht(false, bootstrap))).unwrap()
}

fn head(number: u8) -> Block {
    Block::new(Codec::DagCbor, vec![0x81, number]).unwrap()
}

fn record(key: &SigningKey, number: u8) -> Vec<u8> {
    let record = IpnsRecord::sign(key, head(number).cid(), number.into(), FAR);
    record.as_bytes().to_vec()
}

#[test]
fn a_head_is_found_by_name_and_its_blocks_by_provider() {
    let (_, first) = node(1, true, &[]);
    let (party, patient) = node(2, false, &[&first]);
    let wanted = blocks(5, 1000);
    party.store.put(&[head(7)]).unwrap();
    party.store.put(&wanted).unwrap();
    let key = SigningKey::from_seed(&[9; 32]);
    let name = IpnsName::new(key.public());
    assert_eq!(patient.publish_name(&name, &record(&key, 7)).unwrap(), 1);
    assert!(patient.provide(&head(7).cid()).unwrap() >= 1);

    let reader = reader(3, &[&first]);
    let found = reader.resolve_names(&name, TIMEOUT).unwrap();
    let best = best_record(&found, &name, NOW).unwrap();
    assert_eq!((best.sequence(), best.head()), (7, head(7).cid()));
    let providers = reader.find_providers(&best.head(), TIMEOUT).unwrap();
    assert_eq!(providers.len(), 1);
    assert_eq!(providers[0].peer, patient.address().peer);
    assert_eq!(fetch_all(&reader, &providers, &[head(7)]), []);
    assert_eq!(fetch_all(&reader, &providers, &wanted), []);

    // the publisher sleeps: what it said is still there
    patient.stop();
    let found = reader.resolve_names(&name, TIMEOUT).unwrap();
    assert_eq!(best_record(&found, &name, NOW).unwrap().sequence(), 7);
    let providers = reader.find_providers(&head(7).cid(), TIMEOUT).unwrap();
    assert_eq!(providers.len(), 1);

    // names that nobody published, blocks that nobody has
    let nobody = IpnsName::new(SigningKey::from_seed(&[10; 32]).public());
    assert_eq!(
        reader.resolve_names(&nobody, TIMEOUT).unwrap(),
        Vec::<Vec<u8>>::new()
    );
    assert_eq!(reader.find_providers(&head(8).cid(), TIMEOUT).unwrap(), []);
}

#[test]
fn old_and_forged_records_are_neither_kept_nor_preferred() {
    let (_, honest) = node(11, true, &[]);
    let (_, evil) = node(12, true, &[&honest]);
    let (_, patient) = node(13, false, &[&honest, &evil]);
    let key = SigningKey::from_seed(&[14; 32]);
    let name = IpnsName::new(key.public());
    let (old, newest) = (record(&key, 1), record(&key, 2));
    let forged = record(&SigningKey::from_seed(&[15; 32]), 9);
    assert_eq!(patient.publish_name(&name, &newest).unwrap(), 2);

    let reader = reader(16, &[&honest, &evil]);
    for bad in [&old, &forged, &b"anything".to_vec()] {
        // it gives this out itself, and puts it with the honest node too
        evil.publish_name(&name, bad).unwrap();
        let mut found = reader.resolve_names(&name, TIMEOUT).unwrap();
        let best = best_record(&found, &name, NOW).unwrap();
        assert_eq!((best.sequence(), best.head()), (2, head(2).cid()));
        found.sort();
        let mut both = vec![newest.clone(), bad.clone()];
        both.sort();
        assert_eq!(found, both, "each gives out its own");
    }

    // the honest node takes what is newer
    let newer = record(&key, 3);
    patient.publish_name(&name, &newer).unwrap();
    let found = reader.resolve_names(&name, TIMEOUT).unwrap();
    assert_eq!(best_record(&found, &name, NOW).unwrap().sequence(), 3);
}

#[test]
fn a_node_knows_when_it_cannot_take_part() {
    let off = Node::start_client_only([21; 32], [21; 32]).unwrap();
    let name = IpnsName::new(SigningKey::from_seed(&[22; 32]).public());
    let dht_off = |error| matches!(error, NodeError::DhtOff);
    assert!(dht_off(off.resolve_names(&name, TIMEOUT).unwrap_err()));
    assert!(dht_off(off.publish_name(&name, b"").unwrap_err()));
    assert!(dht_off(off.provide(&head(1).cid()).unwrap_err()));

    let alone = reader(23, &[]);
    let text = |error: NodeError| error.to_string();
    let nobody = "no node of the DHT is known";
    assert_eq!(
        text(alone.resolve_names(&name, TIMEOUT).unwrap_err()),
        nobody
    );
    assert_eq!(text(alone.provide(&head(1).cid()).unwrap_err()), nobody);

    // announcing without an address would be thrown away in silence
    let (_, first) = node(24, true, &[]);
    let hidden = reader(25, &[&first]);
    assert_eq!(
        text(hidden.provide(&head(1).cid()).unwrap_err()),
        "this node has no address to announce"
    );

    let gone = first_address(&first);
    first.stop();
    let config = DhtConfig {
        server: false,
        bootstrap: vec![gone],
    };
    let late = Node::start_client([26; 32], [26; 32], Some(config)).unwrap();
    let found = late.resolve_names(&name, TIMEOUT).unwrap_or_default();
    assert_eq!(found, Vec::<Vec<u8>>::new());
    assert_eq!(
        text(late.publish_name(&name, b"x").unwrap_err()),
        "no node of the DHT took the record"
    );
}
