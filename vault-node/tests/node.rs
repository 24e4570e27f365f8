//! Real nodes on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use common::{Heads, Party, blocks, client, fetch_all};
use vault_core::{Block, BlockStore, Codec, VaultId};
use vault_node::{Access, NodeError, peer_id};

const TIMEOUT: Duration = Duration::from_secs(20);

fn speed(listen: &str) -> f64 {
    let party = Party::new(1, &[listen]);
    let wanted = blocks(200, 256 << 10);
    party.store.put(&wanted).unwrap();
    let node = party.start();
    let client = client();
    let cids: Vec<_> = wanted.iter().map(Block::cid).collect();
    let mut got = Vec::new();
    let begun = Instant::now();
    let report = client
        .fetch(&[node.address()], &cids, TIMEOUT, &mut |block| {
            got.push(block);
            Ok(())
        })
        .unwrap();
    let rate = 50.0 / begun.elapsed().as_secs_f64();
    assert!(report.missing.is_empty());
    assert_eq!((report.blocks, report.bytes), (200, 200 * (256 << 10)));
    got.sort_by_key(Block::cid);
    let mut sent = wanted;
    sent.sort_by_key(Block::cid);
    assert!(got == sent);
    assert_eq!(client.stats().blocks_received, 200);
    assert_eq!(node.stats().blocks_sent, 200);
    assert_eq!(node.stats().bytes_sent, 200 * (256 << 10));
    assert_eq!(node.stats().peers, 1);
    client.stop();
    node.stop();
    rate
}

#[test]
fn two_hundred_blocks_over_tcp() {
    println!("tcp: {:.0} MiB/s", speed("/ip4/127.0.0.1/tcp/0"));
}

#[test]
fn two_hundred_blocks_over_quic() {
    println!("quic: {:.0} MiB/s", speed("/ip4/127.0.0.1/udp/0/quic-v1"));
}

#[test]
fn largest_and_smallest_blocks_and_both_codecs() {
    let party = Party::new(2, &["/ip4/127.0.0.1/tcp/0"]);
    let wanted = vec![
        Block::new(Codec::Raw, vec![]).unwrap(),
        Block::new(Codec::Raw, vec![7; 1 << 20]).unwrap(),
        Block::new(Codec::DagCbor, vec![0xa0]).unwrap(),
        Block::new(Codec::Raw, vec![0xa0]).unwrap(),
    ];
    party.store.put(&wanted).unwrap();
    let node = party.start();
    assert_eq!(fetch_all(&client(), &[node.address()], &wanted), []);
}

fn comes_and_goes(listen: &str, seed: u8) {
    let mut party = Party::new(seed, &[listen]);
    let wanted = blocks(20, 64 << 10);
    party.store.put(&wanted).unwrap();
    let client = client();
    let mut node = party.start();
    let address = node.address();
    party.listen = address.addrs.clone();
    party.iroh_listen = Some(address.endpoint_addrs[0].parse().unwrap());
    for _ in 0..3 {
        assert_eq!(
            fetch_all(&client, std::slice::from_ref(&address), &wanted),
            []
        );
        node.stop();
        let error = client
            .fetch(
                std::slice::from_ref(&address),
                &[wanted[0].cid()],
                Duration::from_secs(2),
                &mut |_| panic!("nobody is there"),
            )
            .map(|report| report.missing.len());
        assert!(
            matches!(
                error,
                Ok(1) | Err(NodeError::Unreachable { .. } | NodeError::Timeout { .. })
            ),
            "{error:?}"
        );
        node = party.start();
        assert_eq!(node.address(), address);
    }
    // pulled out without a goodbye: the old connection looks alive
    drop(node);
    let _node = party.start_soon();
    let begun = Instant::now();
    assert_eq!(fetch_all(&client, &[address], &wanted), []);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn provider_goes_away_and_comes_back_three_times_over_tcp() {
    comes_and_goes("/ip4/127.0.0.1/tcp/0", 3);
}

#[test]
fn provider_goes_away_and_comes_back_three_times_over_quic() {
    comes_and_goes("/ip4/127.0.0.1/udp/0/quic-v1", 4);
}

#[test]
fn provider_restarts_in_the_middle_of_a_fetch() {
    let mut party = Party::new(5, &["/ip4/127.0.0.1/tcp/0"]);
    let wanted = blocks(100, 64 << 10);
    party.store.put(&wanted).unwrap();
    let node = party.start();
    let address = node.address();
    party.listen = address.addrs.clone();
    party.iroh_listen = Some(address.endpoint_addrs[0].parse().unwrap());
    let (client, mut node, mut again) = (client(), Some(node), None);
    let cids: Vec<_> = wanted.iter().map(Block::cid).collect();
    let mut count = 0;
    let report = client
        .fetch(&[address], &cids, TIMEOUT, &mut |_| {
            count += 1;
            if count == 10 {
                node.take().unwrap().stop();
                again = Some(party.start());
            }
            Ok(())
        })
        .unwrap();
    assert_eq!((report.blocks, report.missing.len()), (100, 0));
}

#[test]
fn fetches_again_after_more_than_a_minute_idle() {
    let tcp = Party::new(6, &["/ip4/127.0.0.1/tcp/0"]);
    let quic = Party::new(7, &["/ip4/127.0.0.1/udp/0/quic-v1"]);
    let wanted = blocks(8, 64 << 10);
    let client = client();
    let nodes = [tcp, quic].map(|party| {
        party.store.put(&wanted).unwrap();
        party.start()
    });
    for node in &nodes {
        assert_eq!(fetch_all(&client, &[node.address()], &wanted), []);
    }
    // past the answering stream's 5 s and half of the idle connection's 30 s, then past both
    for pause in [12, 62] {
        std::thread::sleep(Duration::from_secs(pause));
        for node in &nodes {
            let begun = Instant::now();
            assert_eq!(fetch_all(&client, &[node.address()], &wanted), []);
            assert!(begun.elapsed() < Duration::from_secs(5));
        }
    }
}

#[test]
fn deletion_and_put_beside_a_running_fetch() {
    let party = Party::new(8, &["/ip4/127.0.0.1/tcp/0"]);
    let wanted = blocks(400, 32 << 10);
    party.store.put(&wanted).unwrap();
    let (keep, lose) = wanted.split_at(200);
    let node = party.start();
    let client = client();
    let store = party.store.clone();
    let lost: Vec<_> = lose.iter().map(Block::cid).collect();
    let worker = std::thread::spawn(move || {
        for (i, cid) in lost.iter().enumerate() {
            store.remove(&[*cid]).unwrap();
            let fresh = Block::new(Codec::Raw, format!("fresh {i}").into_bytes()).unwrap();
            store.put(&[fresh]).unwrap();
        }
    });
    let missing = fetch_all(&client, &[node.address()], &wanted);
    worker.join().unwrap();
    // what stayed all came; what was deleted either came before or is reported
    let lost: HashSet<_> = lose.iter().map(Block::cid).collect();
    assert!(missing.iter().all(|cid| lost.contains(cid)));
    assert_eq!(fetch_all(&client, &[node.address()], keep), []);
    assert_eq!(fetch_all(&client, &[node.address()], lose).len(), 200);
}

#[test]
fn unknown_blocks_are_missing_at_once_and_another_peer_fills_in() {
    let (full, half) = (
        Party::new(9, &["/ip4/127.0.0.1/tcp/0"]),
        Party::new(10, &["/ip4/127.0.0.1/udp/0/quic-v1"]),
    );
    let wanted = blocks(101, 8 << 10);
    full.store.put(&wanted[..100]).unwrap();
    half.store.put(&wanted[..50]).unwrap();
    let (full, half, client) = (full.start(), half.start(), client());
    let begun = Instant::now();
    let missing = fetch_all(&client, &[half.address(), full.address()], &wanted);
    assert_eq!(missing, [wanted[100].cid()]);
    assert_eq!(fetch_all(&client, &[half.address()], &wanted).len(), 51);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(half.stats().blocks_sent > 0 && full.stats().blocks_sent >= 50);
}

#[test]
fn only_permitted_peers_can_read() {
    let mut party = Party::new(11, &["/ip4/127.0.0.1/tcp/0"]);
    let wanted = blocks(3, 100);
    party.store.put(&wanted).unwrap();
    let (friend, stranger) = (client(), client());
    party.access = Access::Peers([peer_id(&friend.address()).unwrap()].into());
    let node = party.start();
    assert_eq!(fetch_all(&friend, &[node.address()], &wanted), []);
    assert_eq!(fetch_all(&stranger, &[node.address()], &wanted).len(), 3);
    node.set_access(Access::Public);
    assert_eq!(fetch_all(&stranger, &[node.address()], &wanted), []);
    node.set_access(Access::Peers(HashSet::new()));
    assert_eq!(fetch_all(&friend, &[node.address()], &wanted).len(), 3);
}

#[test]
fn a_failing_sink_ends_the_fetch() {
    let party = Party::new(12, &["/ip4/127.0.0.1/tcp/0"]);
    let wanted = blocks(50, 1000);
    party.store.put(&wanted).unwrap();
    let (node, client) = (party.start(), client());
    let cids: Vec<_> = wanted.iter().map(Block::cid).collect();
    let mut taken = 0;
    let result = client.fetch(&[node.address()], &cids, TIMEOUT, &mut |_| {
        taken += 1;
        if taken < 5 {
            Ok(())
        } else {
            Err("disk full".into())
        }
    });
    assert!(matches!(result, Err(NodeError::Sink(error)) if error.to_string() == "disk full"));
    assert_eq!(taken, 5);
    assert_eq!(fetch_all(&client, &[node.address()], &wanted), []);
}

#[test]
fn heads() {
    let vault = |byte| VaultId::from_bytes([byte; 32]);
    let mut party = Party::new(13, &[]);
    let largest = vec![5; vault_core::MAX_HEAD_LEN];
    party.heads = Heads(vec![
        (vault(1), b"signed head".to_vec()),
        (vault(2), largest.clone()),
        (vault(3), vec![5; vault_core::MAX_HEAD_LEN + 1]),
    ]);
    let (node, client) = (party.start(), client());
    let ask = |byte| client.fetch_head(&node.address(), &vault(byte), TIMEOUT);
    assert_eq!(ask(1).unwrap(), b"signed head");
    assert_eq!(ask(2).unwrap(), largest);
    for byte in [3, 4] {
        assert!(matches!(ask(byte), Err(NodeError::HeadNotFound(v)) if v == vault(byte)));
    }
    let begun = Instant::now();
    for _ in 0..20 {
        ask(1).unwrap();
    }
    println!("head: {:?} each", begun.elapsed() / 20);
}

#[test]
fn dead_addresses_end_in_the_given_time() {
    let client = client();
    let mut address = Party::new(14, &["/ip4/127.0.0.1/tcp/0"]).start().address();
    let limit = Duration::from_secs(2);
    let cid = blocks(1, 1)[0].cid();
    let fetch = |address: &_| {
        let begun = Instant::now();
        let error = client
            .fetch(
                std::slice::from_ref(address),
                &[cid],
                limit,
                &mut |_| Ok(()),
            )
            .unwrap_err();
        assert!(begun.elapsed() < limit + Duration::from_secs(1), "{error}");
        error
    };
    // nobody listens there any more
    let error = fetch(&address);
    assert!(
        matches!(&error, NodeError::Unreachable { peer, .. } if *peer == peer_id(&address).unwrap())
    );
    println!("{error}");
    // somebody takes the connection and never says a word
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    address.addrs = vec![format!(
        "/ip4/127.0.0.1/tcp/{}",
        silent.local_addr().unwrap().port()
    )];
    let error = fetch(&address);
    assert!(
        matches!(
            &error,
            NodeError::Unreachable { .. } | NodeError::Timeout { .. }
        ),
        "{error}"
    );
    println!("{error}");
    let begun = Instant::now();
    let error = client
        .fetch_head(&address, &VaultId::from_bytes([1; 32]), limit)
        .unwrap_err();
    assert!(
        matches!(
            &error,
            NodeError::Unreachable { .. } | NodeError::Timeout { .. }
        ),
        "{error}"
    );
    assert!(begun.elapsed() < limit + Duration::from_secs(1));
    println!("{error}");
}

#[test]
fn a_port_in_use_is_a_clear_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = Party::new(15, &[&format!("/ip4/127.0.0.1/tcp/{port}")])
        .try_start()
        .err()
        .unwrap();
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    assert!(matches!(error, NodeError::Start(_)));
    let error = Party::new(15, &["/dns4/example.org/tcp/1"])
        .try_start()
        .err();
    assert!(matches!(error, Some(NodeError::Address(_))));
}
