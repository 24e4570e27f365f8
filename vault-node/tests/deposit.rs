//! Deposits between nodes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/exchange.rs"]
mod exchange;

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{Party, client};
use exchange::{TIMEOUT, inbox, until};
use vault_core::{Ends, NodeAddress};
use vault_node::{
    DepositAnswer, DepositStats, MAX_DEPOSIT_ANNOUNCEMENT, MAX_DEPOSIT_ANSWER, MAX_DEPOSIT_REFUSAL,
    Node, NodeError, Refusal,
};

fn send(
    from: &Node,
    to: &NodeAddress,
    announcement: &[u8],
    body: &mut dyn Read,
    len: u64,
) -> Result<DepositAnswer, NodeError> {
    from.send_deposit(to, &|_| announcement.to_vec(), body, len, TIMEOUT)
}

fn receipt() -> DepositAnswer {
    DepositAnswer::Answered(b"receipt".to_vec())
}

/// Bytes without a pattern of the size of a part.
fn bytes(len: usize) -> Vec<u8> {
    (0..len as u64)
        .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect()
}

/// A body that counts what was read of it, and may fail at some point.
struct Counted {
    read: Arc<AtomicU64>,
    fails_at: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.read.fetch_add(buffer.len() as u64, Ordering::SeqCst);
        if read >= self.fails_at {
            return Err(io::Error::other("the disk is gone"));
        }
        buffer.fill(read as u8);
        Ok(buffer.len())
    }
}

/// A body that nobody may read.
struct Untouched;

impl Read for Untouched {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("the body was read");
    }
}

#[test]
fn bodies_of_all_sizes_arrive_whole() {
    let (node, client) = (Party::new(20, &[]).start(), client());
    let (address, inbox) = (node.address(), inbox(&node));
    for len in [0, 1, 65_535, 65_536, 65_537, 1_000_000] {
        let body = bytes(len);
        let answer = send(&client, &address, b"results", &mut &body[..], len as u64);
        assert_eq!(answer.unwrap(), receipt());
        let seen = inbox.seen.lock().unwrap();
        assert!(seen.bodies.last() == Some(&body), "{len}");
        let ends = Ends {
            server: node.endpoint_id(),
            client: client.endpoint_id(),
        };
        assert_eq!(
            seen.announced.last(),
            Some(&(ends, b"results".to_vec(), len as u64))
        );
    }
    let stats = node.iroh_stats().deposits;
    assert_eq!((stats.announced, stats.taken, stats.broken), (6, 6, 0));
}

#[test]
fn messages_have_limits() {
    let (node, client) = (Party::new(21, &[]).start(), client());
    let (address, inbox) = (node.address(), inbox(&node));
    let send = |announcement: &[u8]| send(&client, &address, announcement, &mut &b"body"[..], 4);
    assert_eq!(send(&vec![1; MAX_DEPOSIT_ANNOUNCEMENT]).unwrap(), receipt());
    assert!(matches!(
        send(&vec![1; MAX_DEPOSIT_ANNOUNCEMENT + 1]),
        Err(NodeError::TooLong { len: 32_769, .. })
    ));
    assert_eq!(
        send(b"refuse long").unwrap(),
        DepositAnswer::Refused(vec![7; MAX_DEPOSIT_REFUSAL])
    );
    assert_eq!(
        send(b"answer long").unwrap(),
        DepositAnswer::Answered(vec![9; MAX_DEPOSIT_ANSWER])
    );
    for bad in [
        &b"refuse too long"[..],
        b"answer too long",
        b"panic",
        b"panic later",
    ] {
        let error = send(bad).unwrap_err();
        assert!(matches!(error, NodeError::Protocol(_)), "{error}");
        assert_eq!(send(b"good").unwrap(), receipt());
    }
    assert_eq!(
        inbox.seen.lock().unwrap().dropped,
        1,
        "the one that panicked"
    );
    let stats = DepositStats {
        announced: 11,
        taken: 6,
        refused: 1,
        broken: 4,
    };
    assert_eq!(node.iroh_stats().deposits, stats);
}

#[test]
fn a_refused_body_is_not_read() {
    let (node, client) = (Party::new(22, &[]).start(), client());
    let address = node.address();
    let early = send(&client, &address, b"x", &mut Untouched, 1).unwrap_err();
    assert!(matches!(early, NodeError::NotServed { .. }), "{early}");
    let inbox = inbox(&node);
    let answer = send(&client, &address, b"refuse", &mut Untouched, 1 << 40).unwrap();
    assert_eq!(answer, DepositAnswer::Refused(b"not from you".to_vec()));
    let seen = inbox.seen.lock().unwrap();
    assert_eq!((seen.announced[0].2, seen.bytes), (1 << 40, 0));
}

#[test]
fn a_body_may_be_refused_half_way() {
    let (node, client) = (Party::new(23, &[]).start(), client());
    let (address, inbox) = (node.address(), inbox(&node));
    let read = Arc::new(AtomicU64::new(0));
    let mut body = Counted {
        read: Arc::clone(&read),
        fails_at: u64::MAX,
    };
    let answer = send(&client, &address, b"full", &mut body, 1 << 40).unwrap();
    assert_eq!(answer, DepositAnswer::Refused(b"full".to_vec()));
    assert!(read.load(Ordering::SeqCst) < 16 << 20, "went on for long");
    let seen = inbox.seen.lock().unwrap();
    assert_eq!((seen.finished, seen.dropped), (0, 1));
}

#[test]
fn a_large_body_waits_for_who_takes_it() {
    const LEN: u64 = 64 << 20;
    let (node, client) = (Party::new(24, &[]).start(), client());
    let (address, inbox) = (node.address(), inbox(&node));
    let read = Arc::new(AtomicU64::new(0));
    let mut body = Counted {
        read: Arc::clone(&read),
        fails_at: u64::MAX,
    };
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| send(&client, &address, b"wait", &mut body, LEN));
        until("a body", || read.load(Ordering::SeqCst) > 0);
        // nothing is taken, so soon nothing is read
        let mut before = 0;
        until("a pause", || {
            std::thread::sleep(Duration::from_millis(300));
            let now = read.load(Ordering::SeqCst);
            std::mem::replace(&mut before, now) == now
        });
        println!("{before} bytes are under way while nothing is taken");
        assert!(before < 4 << 20, "{before}");
        let begun = Instant::now();
        inbox.gate.open();
        let mut most = 0;
        while !sending.is_finished() {
            let taken = inbox.seen.lock().unwrap().bytes;
            most = most.max(read.load(Ordering::SeqCst).saturating_sub(taken));
            std::thread::sleep(Duration::from_millis(1));
        }
        println!(
            "64 MiB in {:?}, {most} bytes under way at most",
            begun.elapsed()
        );
        assert!(most < 4 << 20, "{most}");
        assert_eq!(sending.join().unwrap().unwrap(), receipt());
    });
    assert_eq!(inbox.seen.lock().unwrap().bytes, LEN);
}

#[test]
fn a_deposit_that_breaks_off_is_dropped_and_never_finished() {
    let (node, sender) = (Party::new(25, &[]).start(), client());
    let (address, inbox) = (node.address(), inbox(&node));
    let failing = |fails_at| Counted {
        read: Arc::default(),
        fails_at,
    };
    let dropped = |count| {
        until("dropped", || inbox.seen.lock().unwrap().dropped == count);
        assert_eq!(inbox.seen.lock().unwrap().finished, 0);
    };
    // the body cannot be read, at once or after three MiB
    for (round, fails_at) in [0, 3 << 20].into_iter().enumerate() {
        let error = send(&sender, &address, b"x", &mut failing(fails_at), 8 << 20).unwrap_err();
        assert!(
            matches!(&error, NodeError::Source(e) if e.to_string() == "the disk is gone"),
            "{error}"
        );
        dropped(round + 1);
    }
    // it is shorter than announced
    let error = send(&sender, &address, b"x", &mut &[1; 99][..], 100).unwrap_err();
    assert!(
        matches!(&error, NodeError::Source(e) if e.kind() == io::ErrorKind::UnexpectedEof),
        "{error}"
    );
    dropped(3);
    // the sender stops in the middle
    let gone = client();
    // what was on its way when the others broke off may be lost
    let before = inbox.seen.lock().unwrap().bytes;
    std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let address = &address;
        let sending = scope.spawn(move || {
            struct Until(std::sync::mpsc::Receiver<()>, u64);
            impl Read for Until {
                fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                    self.1 += buffer.len() as u64;
                    if self.1 > 1 << 20 {
                        self.0.recv().unwrap();
                        return Err(io::Error::other("stopped"));
                    }
                    Ok(buffer.len())
                }
            }
            let mut body = Until(stopped, 0);
            send(&gone, address, b"x", &mut body, 8 << 20).unwrap_err();
            gone.stop();
        });
        until("a part", || inbox.seen.lock().unwrap().bytes > before);
        stop.send(()).unwrap();
        sending.join().unwrap();
    });
    dropped(4);
    until("counted", || node.iroh_stats().deposits.broken == 4);
    // and all places are free again
    for _ in 0..5 {
        let answer = send(&sender, &address, b"x", &mut &[1; 100][..], 100);
        assert_eq!(answer.unwrap(), receipt());
    }
}

#[test]
fn one_peer_has_four_deposits_and_all_have_sixteen() {
    let node = Party::new(26, &[]).start();
    let (address, inbox) = (node.address(), inbox(&node));
    let busy = |client: &Node| {
        let error = send(client, &address, b"wait", &mut Untouched, 10).unwrap_err();
        let busy = matches!(
            error,
            NodeError::Refused {
                why: Refusal::Busy,
                ..
            }
        );
        assert!(busy, "{error}");
    };
    let clients: Vec<Node> = (0..5).map(|_| client()).collect();
    std::thread::scope(|scope| {
        let mut sending = Vec::new();
        for (number, client) in clients[..4].iter().enumerate() {
            for _ in 0..4 {
                let address = &address;
                let send = move || send(client, address, b"wait", &mut &[1; 10][..], 10);
                sending.push(scope.spawn(send));
            }
            until("four deposits", || {
                inbox.seen.lock().unwrap().announced.len() == 4 * (number + 1)
            });
            busy(client);
        }
        busy(&clients[4]);
        inbox.gate.open();
        for one in sending {
            assert_eq!(one.join().unwrap().unwrap(), receipt());
        }
    });
    let answer = send(&clients[4], &address, b"x", &mut &[1; 10][..], 10);
    assert_eq!(answer.unwrap(), receipt());
}

#[test]
fn a_node_that_stops_lets_deposits_end() {
    let (node, client) = (Party::new(27, &[]).start(), client());
    let (address, inbox) = (node.address(), inbox(&node));
    std::thread::scope(|scope| {
        let body = bytes(4 << 20);
        let (client, address) = (&client, &address);
        let sending = scope.spawn(move || send(client, address, b"wait", &mut &body[..], 4 << 20));
        until("a deposit", || node.iroh_stats().deposits.announced == 1);
        assert_eq!(node.drain(Duration::from_millis(200)), 1);
        let late = client.send_deposit(
            address,
            &|_| b"late".to_vec(),
            &mut Untouched,
            10,
            Duration::from_secs(5),
        );
        assert!(late.is_err());
        inbox.gate.open();
        assert_eq!(node.drain(TIMEOUT), 0);
        node.stop();
        assert_eq!(sending.join().unwrap().unwrap(), receipt());
    });
    assert_eq!(inbox.seen.lock().unwrap().announced.len(), 1);
}
