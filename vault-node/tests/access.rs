//! Questions about access and their answers, between nodes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/exchange.rs"]
mod exchange;
#[allow(dead_code)]
#[path = "common/relay.rs"]
mod relay;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use common::{Party, client};
use exchange::{Gate, TIMEOUT, answer, echo, inbox, until};
use relay::RelayServer;
use vault_core::Ends;
use vault_node::{
    AccessStats, DepositAnswer, MAX_ACCESS_REPLY, MAX_ACCESS_REQUEST, Node, NodeError,
};

#[test]
fn messages_up_to_the_limits_are_answered_on_one_connection() {
    let (node, client) = (Party::new(10, &[]).start(), client());
    let address = node.address();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let ends = Arc::clone(&seen);
    answer(&node, move |proved, message| {
        ends.lock().unwrap().push(*proved);
        match message {
            b"long" => Some(vec![5; MAX_ACCESS_REPLY]),
            b"too long" => Some(vec![5; MAX_ACCESS_REPLY + 1]),
            b"nothing" => None,
            _ => Some(message.iter().rev().copied().collect()),
        }
    });
    let ask = |message: &[u8]| client.ask_access(&address, message, TIMEOUT);
    assert_eq!(ask(b"abc").unwrap(), b"cba");
    assert_eq!(ask(b"").unwrap(), b"");
    let largest: Vec<u8> = (0..MAX_ACCESS_REQUEST).map(|i| i as u8).collect();
    let back: Vec<u8> = largest.iter().rev().copied().collect();
    assert!(ask(&largest).unwrap() == back);
    assert!(ask(b"long").unwrap() == vec![5; MAX_ACCESS_REPLY]);
    let over = ask(&[0; MAX_ACCESS_REQUEST + 1]);
    assert!(matches!(
        over,
        Err(NodeError::TooLong {
            len: 65_537,
            max: 65_536
        })
    ));
    let proved = Ends {
        server: node.endpoint_id(),
        client: client.endpoint_id(),
    };
    assert_eq!(*seen.lock().unwrap(), [proved; 4]);
    let stats = |asked, answered, refused| AccessStats {
        asked,
        answered,
        refused,
    };
    assert_eq!(node.iroh_stats().access, stats(4, 4, 0));
    // an answer over the limit is none, and neither is none; the next question is answered
    for bad in [&b"too long"[..], b"nothing"] {
        let error = ask(bad).unwrap_err();
        assert!(matches!(error, NodeError::Protocol(_)), "{error}");
        assert_eq!(ask(b"on").unwrap(), b"no");
    }
    assert_eq!(node.iroh_stats().access, stats(8, 6, 2));
}

#[test]
fn a_node_without_a_handler_says_so() {
    let (node, client) = (Party::new(11, &[]).start(), client());
    let address = node.address();
    for _ in 0..2 {
        let error = client.ask_access(&address, b"x", TIMEOUT).unwrap_err();
        assert!(matches!(error, NodeError::NotServed { .. }), "{error}");
    }
    echo(&node);
    assert_eq!(client.ask_access(&address, b"x", TIMEOUT).unwrap(), b"x");
    // nobody is there at all
    node.stop();
    let begun = Instant::now();
    let limit = Duration::from_secs(2);
    let error = client.ask_access(&address, b"x", limit).unwrap_err();
    assert!(
        matches!(
            error,
            NodeError::Timeout { .. } | NodeError::Unreachable { .. }
        ),
        "{error}"
    );
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_hundred_clients_at_the_same_moment_are_all_answered() {
    let node = Party::new(12, &[]).start();
    let address = node.address();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    answer(&node, move |_, message| {
        count.fetch_add(1, Ordering::Relaxed);
        Some(message.to_vec())
    });
    let clients: Vec<Node> = (0..100).map(|_| client()).collect();
    let start = Barrier::new(clients.len());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for (number, client) in clients.iter().enumerate() {
            let (start, address) = (&start, &address);
            scope.spawn(move || {
                let message = [number as u8; 100];
                start.wait();
                for _ in 0..2 {
                    let answer = client.ask_access(address, &message, TIMEOUT);
                    assert_eq!(answer.unwrap(), message);
                }
            });
        }
    });
    println!("100 clients, two messages each: {:?}", begun.elapsed());
    assert_eq!(asked.load(Ordering::Relaxed), 200, "each message once");
    assert_eq!(node.iroh_stats().access.answered, 200);
}

#[test]
fn many_threads_share_one_connection() {
    let (node, client) = (Party::new(13, &[]).start(), client());
    let address = node.address();
    let now = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (counted, highest) = (Arc::clone(&now), Arc::clone(&most));
    answer(&node, move |_, message| {
        highest.fetch_max(counted.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        counted.fetch_sub(1, Ordering::SeqCst);
        Some(message.to_vec())
    });
    std::thread::scope(|scope| {
        for number in 0..64_u8 {
            let (client, address) = (&client, &address);
            scope.spawn(move || {
                let answer = client.ask_access(address, &[number], TIMEOUT);
                assert_eq!(answer.unwrap(), [number]);
            });
        }
    });
    assert_eq!(most.load(Ordering::SeqCst), 8, "threads for one peer");
    assert_eq!(node.iroh_stats().access.refused, 0, "one connection only");
}

#[test]
fn a_node_that_dies_between_messages_is_asked_again_when_it_is_back() {
    let mut party = Party::new(14, &[]);
    let (node, client) = (party.start(), client());
    let address = node.address();
    party.iroh_listen = Some(address.endpoint_addrs[0].parse().unwrap());
    echo(&node);
    let ask = |limit| client.ask_access(&address, b"x", limit);
    assert_eq!(ask(TIMEOUT).unwrap(), b"x");
    // with a goodbye: the next message goes out at once on a new connection
    node.stop();
    let node = party.start_soon();
    echo(&node);
    assert_eq!(ask(TIMEOUT).unwrap(), b"x");
    // without one: the message may have been taken, so that is for the caller to say
    drop(node);
    let node = party.start_soon();
    echo(&node);
    let begun = Instant::now();
    let error = ask(Duration::from_secs(2)).unwrap_err();
    assert!(matches!(error, NodeError::Timeout { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert_eq!(ask(TIMEOUT).unwrap(), b"x");
}

#[test]
fn a_handler_that_panics_or_blocks_keeps_nobody_else_waiting() {
    let (node, slow, quick) = (Party::new(15, &[]).start(), client(), client());
    let address = node.address();
    let gate = Gate::default();
    let held = gate.clone();
    answer(&node, move |_, message| {
        match message {
            b"block" => held.wait(),
            b"panic" => panic!("as the test wants"),
            _ => {}
        }
        Some(message.to_vec())
    });
    std::thread::scope(|scope| {
        let blocked: Vec<_> = (0..40)
            .map(|_| scope.spawn(|| slow.ask_access(&address, b"block", TIMEOUT)))
            .collect();
        until("sixteen messages", || node.iroh_stats().access.asked == 16);
        let begun = Instant::now();
        for _ in 0..3 {
            let error = quick.ask_access(&address, b"panic", TIMEOUT).unwrap_err();
            assert!(matches!(error, NodeError::Protocol(_)), "{error}");
            assert_eq!(quick.ask_access(&address, b"x", TIMEOUT).unwrap(), b"x");
        }
        assert!(
            begun.elapsed() < Duration::from_secs(3),
            "{:?}",
            begun.elapsed()
        );
        gate.open();
        for one in blocked {
            assert_eq!(one.join().unwrap().unwrap(), b"block");
        }
    });
}

#[test]
fn a_node_that_stops_lets_answers_end_and_takes_no_more() {
    let (node, client) = (Party::new(16, &[]).start(), client());
    let address = node.address();
    let gate = Gate::default();
    let held = gate.clone();
    answer(&node, move |_, message| {
        held.wait();
        Some(message.to_vec())
    });
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| client.ask_access(&address, b"x", TIMEOUT));
        until("a message", || node.iroh_stats().access.asked == 1);
        assert_eq!(node.drain(Duration::from_millis(200)), 1, "under way");
        let late = client.ask_access(&address, b"late", Duration::from_secs(5));
        assert!(late.is_err());
        assert_eq!(node.iroh_stats().access.asked, 1, "taken all the same");
        let opening = gate.clone();
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            opening.open();
        });
        assert_eq!(node.drain(TIMEOUT), 0);
        node.stop();
        assert_eq!(asking.join().unwrap().unwrap(), b"x");
    });
}

#[test]
fn a_warm_connection_answers_at_once() {
    let (node, client) = (Party::new(17, &[]).start(), client());
    let address = node.address();
    echo(&node);
    let message = [3; 1000];
    let mut times: Vec<Duration> = (0..500)
        .map(|_| {
            let begun = Instant::now();
            client.ask_access(&address, &message, TIMEOUT).unwrap();
            begun.elapsed()
        })
        .collect();
    times.sort();
    let (median, worst) = (times[250], times[495]);
    println!("ask_access, warm, 1000 bytes: median {median:?}, 99 of 100 within {worst:?}");
    assert!(median < Duration::from_millis(20), "{median:?}");
}

#[test]
fn a_node_behind_a_relay_answers_and_takes_deposits() {
    let Some(relay) = RelayServer::start() else {
        return;
    };
    let mut party = Party::new(18, &[]);
    party.relays = vec![relay.url().parse().unwrap()];
    party.iroh_listen = None;
    let (node, client) = (party.start(), client());
    let address = node.address();
    assert!(address.endpoint_addrs.is_empty(), "{address:?}");
    echo(&node);
    let inbox = inbox(&node);
    for message in [&b"one"[..], &[2; MAX_ACCESS_REQUEST]] {
        let answer = client.ask_access(&address, message, TIMEOUT);
        assert!(answer.unwrap() == message);
    }
    let body = vec![7; 3 << 20];
    let sent = client.send_deposit(
        &address,
        &|_| b"x".to_vec(),
        &mut &body[..],
        body.len() as u64,
        TIMEOUT,
    );
    assert_eq!(sent.unwrap(), DepositAnswer::Answered(b"receipt".to_vec()));
    assert!(inbox.seen.lock().unwrap().bodies == [body]);
}

#[test]
fn after_more_than_a_minute_idle() {
    let (node, client) = (Party::new(19, &[]).start(), client());
    let address = node.address();
    echo(&node);
    for wait in [0, 62] {
        std::thread::sleep(Duration::from_secs(wait));
        let answer = client.ask_access(&address, b"x", Duration::from_secs(3));
        assert_eq!(answer.unwrap(), b"x");
    }
}
