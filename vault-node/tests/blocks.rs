//! Blocks over iroh, for readers who hold a grant.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/readers.rs"]
mod readers;

use std::time::{Duration, Instant};

use common::{Party, blocks, client};
use readers::{TIMEOUT, VAULT, cids, device, fetch, now, only};
use vault_core::{BlockReaders, BlockStore, Cid, Digest, Ends, sign_block_access};
use vault_node::{NodeError, Refusal, Route};

fn refused(outcome: Result<impl Sized, NodeError>) -> Refusal {
    match outcome {
        Err(NodeError::Refused { why, .. }) => why,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("must be refused"),
    }
}

#[test]
fn a_reader_gets_what_is_there_in_order() {
    let party = Party::new(70, &[]);
    let there = blocks(600, 10 << 10);
    party.store.put(&there).unwrap();
    let (node, reader, client) = (party.start(), device(), client());
    node.set_readers(only(&reader));
    let address = node.address();
    let gone = Cid::raw(Digest::of(b"gone"));
    let mut wanted = cids(&there);
    wanted.insert(300, gone);
    for round in 1..=2 {
        let (report, got) = fetch(&client, &address, &reader, &wanted).unwrap();
        assert!(got == there);
        assert_eq!(report.missing, [gone]);
        assert_eq!((report.blocks, report.bytes), (600, 600 * (10 << 10)));
        assert_eq!(node.iroh_stats().blocks_sent, 600 * round);
    }
    assert_eq!(client.route(&address, &VAULT), Some(Route::Direct));
    assert_eq!(node.stats().blocks_sent, 0, "nothing over bitswap");
    assert_eq!(fetch(&client, &address, &reader, &[]).unwrap().0.blocks, 0);
}

#[cfg(feature = "ipfs")]
#[test]
fn large_blocks_travel_as_fast_as_the_connection() {
    let party = Party::new(71, &["/ip4/127.0.0.1/tcp/0"]);
    let there = blocks(200, 256 << 10);
    let largest = blocks(1, 1 << 20);
    party.store.put(&[&there[..], &largest].concat()).unwrap();
    let (node, reader, client) = (party.start(), device(), client());
    node.set_readers(only(&reader));
    let address = node.address();
    fetch(&client, &address, &reader, &cids(&largest)).unwrap();
    let begun = Instant::now();
    let (_, got) = fetch(&client, &address, &reader, &cids(&there)).unwrap();
    let over_iroh = 50.0 / begun.elapsed().as_secs_f64();
    assert!(got == there);
    let begun = Instant::now();
    assert_eq!(common::fetch_all(&client, &[address], &there), []);
    let over_bitswap = 50.0 / begun.elapsed().as_secs_f64();
    println!("iroh: {over_iroh:.0} MiB/s, bitswap over tcp: {over_bitswap:.0} MiB/s");
}

#[test]
fn strangers_old_statements_and_wrong_clocks_are_refused() {
    let party = Party::new(72, &[]);
    let there = blocks(1, 100);
    party.store.put(&there).unwrap();
    let (node, reader) = (party.start(), device());
    let address = node.address();
    let wanted = cids(&there);
    // nobody is admitted before the node is told whom
    let early = fetch(&client(), &address, &reader, &wanted);
    assert_eq!(refused(early), Refusal::NotAReader);
    node.set_readers(only(&reader));
    let stranger = fetch(&client(), &address, &device(), &wanted);
    assert_eq!(refused(stranger), Refusal::NotAReader);

    let ask = |client: &vault_node::Node, statement: &dyn Fn(&Ends) -> Vec<u8>| {
        client.fetch_as_reader(&address, &VAULT, statement, &wanted, TIMEOUT, &mut |_| {
            Ok(())
        })
    };
    for skew in [86_400, 601] {
        let late = |ends: &Ends| sign_block_access(&reader, &VAULT, ends, now() - skew);
        assert_eq!(refused(ask(&client(), &late)), Refusal::Clock);
    }
    let early = |ends: &Ends| sign_block_access(&reader, &VAULT, ends, now() + 86_400);
    assert_eq!(refused(ask(&client(), &early)), Refusal::Clock);

    // what a reader signed for one connection, on another
    let (first, second) = (client(), client());
    let kept = std::cell::RefCell::new(Vec::new());
    let good = |ends: &Ends| {
        let statement = sign_block_access(&reader, &VAULT, ends, now());
        *kept.borrow_mut() = statement.clone();
        statement
    };
    ask(&first, &good).unwrap();
    let replayed = kept.borrow().clone();
    assert_eq!(
        refused(ask(&second, &|_| replayed.clone())),
        Refusal::Statement
    );
    assert_eq!(refused(ask(&second, &|_| vec![0; 200])), Refusal::Statement);
    assert_eq!(node.iroh_stats().refused, 7);
    assert_eq!(node.iroh_stats().blocks_sent, 1);
}

#[test]
fn a_reader_who_is_shut_out_is_refused_on_the_open_connection() {
    let party = Party::new(73, &[]);
    let there = blocks(10, 1000);
    party.store.put(&there).unwrap();
    let (node, reader, client) = (party.start(), device(), client());
    let (address, wanted) = (node.address(), cids(&there));
    node.set_readers(only(&reader));
    fetch(&client, &address, &reader, &wanted).unwrap();
    node.set_readers(BlockReaders::new(VAULT));
    let over = fetch(&client, &address, &reader, &wanted);
    assert_eq!(refused(over), Refusal::NotAReader);
    // and on a new one
    let over = fetch(&client, &address, &reader, &wanted);
    assert_eq!(refused(over), Refusal::NotAReader);
    node.set_readers(only(&reader));
    assert!(fetch(&client, &address, &reader, &wanted).unwrap().1 == there);
}

#[test]
fn one_reader_has_eight_connections_at_most() {
    let party = Party::new(74, &[]);
    let there = blocks(1, 100);
    party.store.put(&there).unwrap();
    let (node, reader, other) = (party.start(), device(), device());
    let mut readers = only(&reader);
    readers.admit(other.signers());
    node.set_readers(readers);
    let (address, wanted) = (node.address(), cids(&there));
    let mut open: Vec<_> = (0..8)
        .map(|_| {
            let client = client();
            fetch(&client, &address, &reader, &wanted).unwrap();
            client
        })
        .collect();
    let ninth = fetch(&client(), &address, &reader, &wanted);
    assert_eq!(refused(ninth), Refusal::Busy);
    fetch(&client(), &address, &other, &wanted).unwrap();
    open.pop().unwrap().stop();
    let begun = Instant::now();
    while fetch(&client(), &address, &reader, &wanted).is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the place stays taken"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_node_that_dies_in_the_middle_is_an_error_and_what_came_stays() {
    let mut party = Party::new(75, &[]);
    let there = blocks(400, 64 << 10);
    party.store.put(&there).unwrap();
    let (node, reader, client) = (party.start(), device(), client());
    node.set_readers(only(&reader));
    let (address, wanted) = (node.address(), cids(&there));
    party.iroh_listen = Some(address.endpoint_addrs[0].parse().unwrap());
    let statement = |ends: &Ends| sign_block_access(&reader, &VAULT, ends, now());
    let mut node = Some(node);
    let mut got = Vec::new();
    let begun = Instant::now();
    let limit = Duration::from_secs(3);
    let outcome = client.fetch_as_reader(&address, &VAULT, &statement, &wanted, limit, &mut |b| {
        got.push(b);
        if got.len() == 20 {
            drop(node.take()); // without a goodbye
        }
        Ok(())
    });
    let error = outcome.unwrap_err();
    assert!(
        matches!(
            error,
            NodeError::Timeout { .. } | NodeError::Unreachable { .. }
        ),
        "{error}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    assert!(got.len() >= 20 && got.len() < there.len(), "{}", got.len());
    assert!(got[..] == there[..got.len()]);

    let node = party.start_soon();
    node.set_readers(only(&reader));
    let (_, rest) = fetch(&client, &address, &reader, &wanted[got.len()..]).unwrap();
    assert!(rest[..] == there[got.len()..]);
}

#[test]
fn a_node_that_stops_lets_answers_end() {
    let party = Party::new(76, &[]);
    let there = blocks(100, 64 << 10);
    party.store.put(&there).unwrap();
    let (node, reader, client) = (party.start(), device(), client());
    node.set_readers(only(&reader));
    let (address, wanted) = (node.address(), cids(&there));
    let (begun, first) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let fetching = scope.spawn(|| {
            let statement = |ends: &Ends| sign_block_access(&reader, &VAULT, ends, now());
            let mut got = 0;
            client
                .fetch_as_reader(&address, &VAULT, &statement, &wanted, TIMEOUT, &mut |_| {
                    got += 1;
                    if got == 1 {
                        begun.send(()).unwrap();
                    }
                    std::thread::sleep(Duration::from_millis(5));
                    Ok(())
                })
                .map(|report| report.blocks)
        });
        first.recv().unwrap();
        assert_eq!(node.drain(TIMEOUT), 0);
        node.stop();
        assert_eq!(fetching.join().unwrap().unwrap(), 100);
    });
}
