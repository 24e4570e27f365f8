//! Our bitswap and real Kubo's, both ways.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

mod common;
#[path = "../../tests/peers/kubo.rs"]
mod kubo;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Party, blocks, client, fetch_all};
use kubo::Kubo;
use vault_core::{
    Block, BlockStore, Category, Codec, Content, Device, MemoryStorage, NewRecord, NodeAddress,
    PublicKey, RecordMeta, RecoveryWords, Vault, system_clock,
};
use vault_node::{Node, peer_id};

const TCP: &str = "/ip4/127.0.0.1/tcp/0";
const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

/// Kubo, as a reader dials it.
fn address(kubo: &Kubo) -> NodeAddress {
    let key = kubo.run(&["id", "-f=<pubkey>"]);
    let key = data_encoding::BASE64.decode(key.as_bytes()).unwrap();
    let key = PublicKey::from_bytes(
        key.strip_prefix(&[8, 1, 18, 32])
            .unwrap()
            .try_into()
            .unwrap(),
    );
    NodeAddress {
        peer: key,
        addrs: kubo.addrs(),
        endpoint: key,
        endpoint_addrs: Vec::new(),
        relays: Vec::new(),
    }
}

/// Kubo dials our node.
fn meet(kubo: &Kubo, node: &Node) {
    let address = node.address();
    let peer = peer_id(&address).unwrap();
    kubo.run(&[
        "swarm",
        "connect",
        &format!("{}/p2p/{peer}", address.addrs[0]),
    ]);
}

/// Kubo fetches blocks over the network, within a minute.
fn kubo_gets(kubo: &Kubo, wanted: &[Block]) {
    for block in wanted {
        let cid = block.cid().to_string();
        let got = kubo.run_with(&["block", "get", "--timeout=60s", &cid], b"");
        assert!(got == block.data());
    }
}

/// A dag-cbor list that links these blocks.
fn list(wanted: &[Block]) -> Block {
    let mut bytes = vec![0x99];
    bytes.extend_from_slice(&u16::try_from(wanted.len()).unwrap().to_be_bytes());
    for block in wanted {
        // tag 42 around a byte string of 37: a zero, then the CID
        bytes.extend_from_slice(&[0xd8, 0x2a, 0x58, 0x25, 0x00]);
        bytes.extend_from_slice(&block.cid().to_bytes());
    }
    Block::new(Codec::DagCbor, bytes).unwrap()
}

fn rate(count: usize, len: usize, begun: Instant) -> f64 {
    (count * len) as f64 / 1e6 / begun.elapsed().as_secs_f64()
}

#[test]
fn one_pin_in_kubo_fetches_a_whole_vault() {
    let Some(kubo) = Kubo::start() else { return };
    let storage = Arc::new(MemoryStorage::new());
    let device = Arc::new(Device::for_new_vault(&RecoveryWords::generate(), 1));
    let mut vault = Vault::create(storage, device, "Pat", system_clock()).unwrap();
    let record = |at: u8| NewRecord {
        meta: RecordMeta {
            kind: "Observation".parse().unwrap(),
            category: Category::Lab,
            date: None,
            title: format!("r{at}"),
            labels: Default::default(),
            media_type: "application/fhir+json".into(),
            source_id: None,
            ..RecordMeta::default()
        },
        source: None,
        content: Content::Bytes(vec![at; usize::from(at) * 100_000].into()),
        replaces: None,
    };
    vault.add_all((1..20).map(record)).unwrap();
    let store = vault.storage().blocks();
    let all = store.list().unwrap();
    let party = Party::new(40, &[TCP]);
    for cid in &all {
        let block = store.get(cid).unwrap().unwrap();
        party.store.put(&[block]).unwrap();
    }
    let node = party.start();
    meet(&kubo, &node);
    let head = vault.head().block().cid().to_string();
    kubo.run(&["pin", "add", "--timeout=60s", &head]);
    node.stop();
    let below = kubo.run(&["refs", "--recursive", "--unique", "--offline", &head]);
    assert_eq!(below.lines().count() + 1, all.len());

    // and a reader takes it from there
    let wanted: Vec<Block> = all
        .iter()
        .map(|cid| store.get(cid).unwrap().unwrap())
        .collect();
    assert_eq!(fetch_all(&client(), &[address(&kubo)], &wanted), []);
}

#[test]
fn we_go_away_and_come_back_to_kubo() {
    let Some(kubo) = Kubo::start() else {
        return;
    };
    for (listen, seed) in [(TCP, 41), (QUIC, 42)] {
        let mut party = Party::new(seed, &[listen]);
        let ours = blocks(200, 20_000 + usize::from(seed));
        party.store.put(&ours).unwrap();
        let mut node = party.start();
        party.listen = node.address().addrs;
        for turn in ours.chunks(50) {
            meet(&kubo, &node);
            kubo_gets(&kubo, &turn[..10]);
            node.stop();
            node = party.start_soon();
            meet(&kubo, &node);
            kubo_gets(&kubo, &turn[10..20]);
        }
        node.stop();
    }
}

#[test]
fn kubo_goes_away_and_comes_back_to_us() {
    let Some(mut kubo) = Kubo::start() else {
        return;
    };
    // so small that each comes on a stream of its own, all at once
    let theirs = blocks(90, 20_000);
    for block in &theirs {
        kubo.run_with(&["block", "put"], block.data());
    }
    let client = client();
    for turn in theirs.chunks(30) {
        assert_eq!(fetch_all(&client, &[address(&kubo)], turn), []);
        kubo.restart();
        assert_eq!(fetch_all(&client, &[address(&kubo)], turn), []);
    }
}

#[test]
fn after_more_than_a_minute_idle() {
    let Some(kubo) = Kubo::start() else { return };
    let party = Party::new(43, &[TCP]);
    let ours = blocks(40, 50_000);
    party.store.put(&ours).unwrap();
    let (node, client) = (party.start(), client());
    meet(&kubo, &node);
    kubo_gets(&kubo, &ours[..10]);
    assert_eq!(fetch_all(&client, &[address(&kubo)], &ours[..10]), []);
    // past the ten seconds after which idle streams go, then past a minute
    for (pause, at) in [(12, 10), (62, 20)] {
        std::thread::sleep(Duration::from_secs(pause));
        let begun = Instant::now();
        kubo_gets(&kubo, &ours[at..at + 10]);
        assert_eq!(
            fetch_all(&client, &[address(&kubo)], &ours[at..at + 10]),
            []
        );
        println!("after {pause} s: {:?}", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(15));
    }
}

#[test]
fn a_thousand_blocks_at_once_both_ways() {
    const LEN: usize = 256 << 10;
    let Some(kubo) = Kubo::start() else { return };
    let party = Party::new(44, &[TCP]);
    let ours = blocks(1000, LEN);
    let root = list(&ours);
    party.store.put(&ours).unwrap();
    party.store.put(std::slice::from_ref(&root)).unwrap();
    let node = party.start();
    meet(&kubo, &node);
    let begun = Instant::now();
    kubo.run(&["pin", "add", "--timeout=300s", &root.cid().to_string()]);
    println!("kubo from us: {:.0} MB/s", rate(1000, LEN, begun));
    node.stop();

    let begun = Instant::now();
    assert_eq!(fetch_all(&client(), &[address(&kubo)], &ours), []);
    println!("we from kubo: {:.0} MB/s", rate(1000, LEN, begun));

    // beside it, Kubo from Kubo
    let other = Kubo::start().unwrap();
    let first = format!("{}/p2p/{}", kubo.addrs()[0], kubo.peer_id());
    other.run(&["swarm", "connect", &first]);
    let begun = Instant::now();
    other.run(&["pin", "add", "--timeout=300s", &root.cid().to_string()]);
    println!("kubo from kubo: {:.0} MB/s", rate(1000, LEN, begun));
}

#[test]
fn the_largest_block_and_one_that_is_not_there() {
    let Some(kubo) = Kubo::start() else { return };
    let party = Party::new(45, &[QUIC]);
    let ours = vec![
        Block::new(Codec::Raw, vec![9; 1 << 20]).unwrap(),
        Block::new(Codec::Raw, vec![8]).unwrap(),
    ];
    party.store.put(&ours).unwrap();
    let node = party.start();
    meet(&kubo, &node);
    kubo_gets(&kubo, &ours[..1]);

    let absent = Block::new(Codec::Raw, b"nobody has this".to_vec()).unwrap();
    let cid = absent.cid().to_string();
    let asked = kubo.try_run_with(&["block", "get", "--timeout=3s", &cid], b"");
    assert!(asked.is_err());
    // neither side is the worse for it
    kubo_gets(&kubo, &ours[1..]);
    let begun = Instant::now();
    let mut wanted = ours.clone();
    wanted.push(absent);
    let missing = fetch_all(&client(), &[address(&kubo)], &wanted);
    assert_eq!(missing, [wanted[2].cid()]);
    assert!(begun.elapsed() < Duration::from_secs(10));
}
