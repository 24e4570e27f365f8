//! Peers that break the protocols of access and deposits, made from bare endpoints.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/exchange.rs"]
mod exchange;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{Party, client};
use exchange::{ACCESS, DEPOSIT, TIMEOUT, answer, closed, connect, echo, endpoint, inbox, until};
use iroh::endpoint::{Connection, ReadToEndError, RecvStream, SendStream, VarInt};
use tokio::runtime::Runtime;
use vault_core::{NodeAddress, PublicKey};
use vault_node::{DepositAnswer, MAX_ACCESS_REPLY, MAX_ACCESS_REQUEST, Node};

const BROKEN: u64 = 1;
const BUSY: u64 = 2;
const QUIET: u64 = 4;
const SOON: Duration = Duration::from_secs(5);

/// That a good client is answered, and quickly.
fn all_is_well(client: &Node, address: &NodeAddress) {
    let begun = Instant::now();
    let answer = client.ask_access(address, b"good", TIMEOUT);
    assert_eq!(answer.unwrap(), b"good");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
}

async fn say(connection: &Connection, bytes: &[u8]) -> (SendStream, RecvStream) {
    let (mut send, recv) = connection.open_bi().await.unwrap();
    let _ = send.write_all(bytes).await; // may be cut off
    (send, recv)
}

fn header(body: u64, announcement: &[u8]) -> Vec<u8> {
    let len = (announcement.len() as u32).to_be_bytes();
    [&body.to_be_bytes()[..], &len, announcement].concat()
}

#[test]
fn a_message_over_the_limit_closes_the_connection() {
    let (node, good) = (Party::new(40, &[]).start(), client());
    let address = node.address();
    echo(&node);
    Runtime::new().unwrap().block_on(async {
        let raw = endpoint(None).await;
        let connection = connect(&raw, &address, ACCESS).await;
        let (mut send, mut recv) = say(&connection, &[1; MAX_ACCESS_REQUEST]).await;
        send.finish().unwrap();
        let back = recv.read_to_end(MAX_ACCESS_REPLY).await.unwrap();
        assert!(back == [1; MAX_ACCESS_REQUEST]);
        let (mut send, _recv) = say(&connection, &[1; MAX_ACCESS_REQUEST + 1]).await;
        let _ = send.finish();
        assert_eq!(closed(&connection, SOON).await, BROKEN);
        // and one without an end
        let connection = connect(&raw, &address, ACCESS).await;
        let (_send, _recv) = say(&connection, &[1; 1 << 20]).await;
        assert_eq!(closed(&connection, SOON).await, BROKEN);
        raw.close().await;
    });
    all_is_well(&good, &address);
    assert_eq!(node.iroh_stats().access.refused, 2);
}

#[test]
fn a_stream_that_is_reset_was_no_message() {
    let node = Party::new(41, &[]).start();
    let address = node.address();
    echo(&node);
    Runtime::new().unwrap().block_on(async {
        let raw = endpoint(None).await;
        let connection = connect(&raw, &address, ACCESS).await;
        for _ in 0..200 {
            let (mut send, _recv) = say(&connection, b"half").await;
            send.reset(VarInt::from_u32(7)).unwrap();
        }
        // answers that nobody waits for
        for _ in 0..50 {
            let (mut send, mut recv) = say(&connection, b"whole").await;
            recv.stop(VarInt::from_u32(7)).unwrap();
            send.finish().unwrap();
        }
        let (mut send, mut recv) = say(&connection, b"on").await;
        send.finish().unwrap();
        assert_eq!(recv.read_to_end(10).await.unwrap(), b"on");
        raw.close().await;
    });
    let stats = node.iroh_stats().access;
    assert!(stats.asked <= 51 && stats.refused == 0, "{stats:?}");
}

#[test]
fn a_thousand_streams_and_unread_answers_keep_nobody_waiting() {
    let (node, good) = (Party::new(42, &[]).start(), client());
    let address = node.address();
    answer(&node, |_, message| {
        Some(match message {
            b"much" => vec![1; MAX_ACCESS_REPLY],
            _ => message.to_vec(),
        })
    });
    let runtime = Runtime::new().unwrap();
    let kept = runtime.block_on(async {
        let raw = endpoint(Some(1024)).await;
        // streams that never end
        let open = connect(&raw, &address, ACCESS).await;
        let mut streams = Vec::new();
        for number in 0..1000 {
            let next = tokio::time::timeout(Duration::from_millis(300), open.open_bi()).await;
            let Ok(Ok((mut send, recv))) = next else {
                println!("{number} streams were let in");
                break;
            };
            send.write_all(&[1; 100]).await.unwrap();
            streams.push((send, recv));
        }
        assert_eq!(streams.len(), 16);
        // answers that are not read, on a connection of their own
        let unread = connect(&raw, &address, ACCESS).await;
        let mut answers = Vec::new();
        for _ in 0..16 {
            let (mut send, recv) = say(&unread, b"much").await;
            send.finish().unwrap();
            answers.push(recv);
        }
        (raw, open, streams, unread, answers)
    });
    until("sixteen answers", || {
        node.iroh_stats().access.answered == 16
    });
    all_is_well(&good, &address);
    // the streams that never end close their connection, and only that
    let (raw, open, _streams, unread, _answers) = kept;
    runtime.block_on(async {
        assert_eq!(closed(&open, Duration::from_secs(12)).await, BROKEN);
        assert!(unread.close_reason().is_none());
        raw.close().await;
    });
    all_is_well(&good, &address);
}

#[test]
fn peers_that_stand_still_are_given_up() {
    let (node, good) = (Party::new(43, &[]).start(), client());
    let address = node.address();
    echo(&node);
    let inbox = inbox(&node);
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let raw = endpoint(None).await;
        let silent = connect(&raw, &address, ACCESS).await;
        let silent_deposit = connect(&raw, &address, DEPOSIT).await;
        let half = connect(&raw, &address, ACCESS).await;
        let _half = say(&half, b"half").await;
        let header_only = connect(&raw, &address, DEPOSIT).await;
        let _header = say(&header_only, &header(10, b"0123456789")[..15]).await;
        let stalled = connect(&raw, &address, DEPOSIT).await;
        let (_send, mut recv) = say(&stalled, &[&header(10, b"x")[..], &[1; 9]].concat()).await;
        let mut go = [1];
        recv.read_exact(&mut go).await.unwrap();
        assert_eq!(go, [0]);
        let begun = Instant::now();
        let limit = Duration::from_secs(13);
        tokio::task::block_in_place(|| all_is_well(&good, &address));
        assert_eq!(closed(&silent, limit).await, QUIET);
        assert_eq!(closed(&silent_deposit, limit).await, QUIET);
        assert_eq!(closed(&half, limit).await, BROKEN);
        assert_eq!(closed(&header_only, limit).await, BROKEN);
        assert!(begun.elapsed() < limit);
        // a body has more time; then its stream ends, and the sink was dropped
        let end = tokio::time::timeout(Duration::from_secs(33), recv.read_to_end(10)).await;
        let end = end.expect("still waiting");
        assert!(matches!(end, Err(ReadToEndError::Read(_))), "{end:?}");
        assert!(begun.elapsed() > Duration::from_secs(29));
        raw.close().await;
    });
    until("dropped", || inbox.seen.lock().unwrap().dropped == 1);
    assert_eq!(inbox.seen.lock().unwrap().finished, 0);
}

#[test]
fn one_peer_has_eight_connections() {
    let (node, good) = (Party::new(44, &[]).start(), client());
    let address = node.address();
    echo(&node);
    inbox(&node);
    Runtime::new().unwrap().block_on(async {
        let raw = endpoint(None).await;
        for alpn in [ACCESS, DEPOSIT] {
            let mut open = Vec::new();
            for _ in 0..8 {
                open.push(connect(&raw, &address, alpn).await);
            }
            let ninth = connect(&raw, &address, alpn).await;
            assert_eq!(closed(&ninth, SOON).await, BUSY);
            assert!(open.iter().all(|one| one.close_reason().is_none()));
            open[0].close(VarInt::from_u32(0), b"");
            let begun = Instant::now();
            loop {
                let again = connect(&raw, &address, alpn).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
                if again.close_reason().is_none() {
                    break;
                }
                assert!(begun.elapsed() < SOON, "the place stays taken");
            }
        }
        raw.close().await;
    });
    all_is_well(&good, &address);
    assert!(node.iroh_stats().access.refused >= 1);
}

#[test]
fn bodies_that_are_not_what_was_announced_are_never_finished() {
    let (node, good) = (Party::new(45, &[]).start(), client());
    let address = node.address();
    let inbox = inbox(&node);
    Runtime::new().unwrap().block_on(async {
        let raw = endpoint(None).await;
        let connection = connect(&raw, &address, DEPOSIT).await;
        for (round, (what, body, len, reset)) in [
            ("too short", vec![1; 99], 100, false),
            ("none", vec![], 100, false),
            ("too long", vec![1; 101], 100, false),
            ("too long by much", vec![1; 1 << 20], 100, false),
            ("some for nothing", vec![1; 1], 0, false),
            ("reset at the end", vec![1; 100], 100, true),
            ("reset half way", vec![1; 50], 100, true),
        ]
        .into_iter()
        .enumerate()
        {
            let begin = [&header(len, b"x")[..], &body].concat();
            let (mut send, mut recv) = say(&connection, &begin).await;
            if reset {
                let mut go = [1];
                recv.read_exact(&mut go).await.unwrap();
                send.reset(VarInt::from_u32(7)).unwrap();
            } else {
                let _ = send.finish(); // may be stopped
            }
            let end = tokio::time::timeout(SOON, recv.read_to_end(100)).await;
            assert!(end.expect("still open").is_err(), "{what}");
            until(what, || inbox.seen.lock().unwrap().dropped == round + 1);
        }
        assert!(connection.close_reason().is_none(), "others may go on");
        // the control
        let (mut send, mut recv) = say(&connection, &header(3, b"xyz")).await;
        send.write_all(b"abc").await.unwrap();
        send.finish().unwrap();
        assert_eq!(recv.read_to_end(100).await.unwrap(), b"\0\0receipt");
        // what is no announcement
        for bad in [
            &header(1, &[0; 32_769])[..],
            &[0xff; 12],
            &[0; 11],
            &header(1, b"abc")[..14],
            b"",
        ] {
            let connection = connect(&raw, &address, DEPOSIT).await;
            let (mut send, _recv) = say(&connection, bad).await;
            let _ = send.finish(); // may be stopped
            assert_eq!(closed(&connection, SOON).await, BROKEN, "{}", bad.len());
        }
        // a connection that is lost
        let connection = connect(&raw, &address, DEPOSIT).await;
        let (_send, mut recv) = say(&connection, &[&header(9, b"x")[..], b"12"].concat()).await;
        let mut go = [1];
        recv.read_exact(&mut go).await.unwrap();
        connection.close(VarInt::from_u32(0), b"");
        until("dropped", || inbox.seen.lock().unwrap().dropped == 8);
        raw.close().await;
    });
    let seen = inbox.seen.lock().unwrap();
    assert_eq!((seen.finished, &seen.bodies[0][..]), (1, &b"abc"[..]));
    drop(seen);
    let answer = good.send_deposit(&address, &|_| b"x".to_vec(), &mut &b"abc"[..], 3, TIMEOUT);
    assert_eq!(
        answer.unwrap(),
        DepositAnswer::Answered(b"receipt".to_vec())
    );
}

/// What a lying node does with a stream.
#[derive(Debug, Clone)]
enum Lie {
    /// Sends this, ends, and reads on.
    Says(Vec<u8>),
    /// Sends this again and again.
    Endless(Vec<u8>),
    /// Sends this and resets the stream.
    Resets(Vec<u8>),
    /// Sends this and closes the connection with a code.
    Closes(Vec<u8>, u32),
    /// Sends this, and nothing more.
    Stalls(Vec<u8>),
}

/// A node that answers every stream with a lie, whatever comes.
struct Liar {
    _runtime: Runtime,
    address: NodeAddress,
    streams: Arc<AtomicUsize>,
}

impl Liar {
    fn new(lie: &Lie) -> Self {
        let runtime = Runtime::new().unwrap();
        let endpoint = runtime.block_on(endpoint(None));
        let sockets = endpoint.bound_sockets();
        let address = NodeAddress {
            peer: PublicKey::from_bytes([0; 32]),
            addrs: Vec::new(),
            endpoint: PublicKey::from_bytes(*endpoint.id().as_bytes()),
            endpoint_addrs: sockets.iter().map(ToString::to_string).collect(),
            relays: Vec::new(),
        };
        let lie = lie.clone();
        let streams = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&streams);
        runtime.spawn(async move {
            while let Some(incoming) = endpoint.accept().await {
                let Ok(connection) = incoming.await else {
                    continue;
                };
                let (lie, count) = (lie.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    while let Ok((send, recv)) = connection.accept_bi().await {
                        count.fetch_add(1, Ordering::SeqCst);
                        tokio::spawn(tell(lie.clone(), connection.clone(), send, recv));
                    }
                });
            }
        });
        Self {
            _runtime: runtime,
            address,
            streams,
        }
    }
}

async fn tell(lie: Lie, connection: Connection, mut send: SendStream, recv: RecvStream) {
    let (Lie::Says(first)
    | Lie::Endless(first)
    | Lie::Resets(first)
    | Lie::Closes(first, _)
    | Lie::Stalls(first)) = &lie;
    let _ = send.write_all(first).await;
    match &lie {
        Lie::Says(_) => drop(send.finish()),
        Lie::Endless(_) => while send.write_all(first).await.is_ok() {},
        Lie::Resets(_) => drop(send.reset(VarInt::from_u32(9))),
        Lie::Closes(_, code) => {
            tokio::time::sleep(Duration::from_millis(50)).await;
            connection.close(VarInt::from_u32(*code), b"");
        }
        Lie::Stalls(_) => {}
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    drop((send, recv));
}

#[test]
fn nodes_that_lie_about_answers_are_errors_in_time() {
    let client = client();
    let long = vec![1; MAX_ACCESS_REPLY + 1];
    let limit = Duration::from_secs(1);
    for (lie, expected) in [
        (Lie::Says(long.clone()), "Protocol"),
        (Lie::Endless(vec![0; 1 << 16]), "Protocol"),
        (Lie::Resets(b"half".to_vec()), "Unreachable"),
        (Lie::Closes(b"half".to_vec(), 9), "Unreachable"),
        (Lie::Stalls(b"half".to_vec()), "Timeout"),
        (Lie::Stalls(vec![]), "Timeout"),
    ] {
        let liar = Liar::new(&lie);
        let begun = Instant::now();
        let error = client.ask_access(&liar.address, b"x", limit).unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{error:?}");
        assert!(begun.elapsed() < SOON);
    }
    let honest = Liar::new(&Lie::Says(vec![1; MAX_ACCESS_REPLY]));
    let answer = client.ask_access(&honest.address, b"x", TIMEOUT).unwrap();
    assert!(answer == vec![1; MAX_ACCESS_REPLY]);
}

#[test]
fn only_what_was_certainly_not_taken_is_sent_again() {
    let client = client();
    for (code, expected, times) in [
        (0, "Unreachable", 1), // stopped, perhaps in the middle
        (1, "Protocol", 1),
        (2, "Refused", 1),
        (3, "NotServed", 1),
        (4, "Unreachable", 2),
        (5, "Unreachable", 1),
    ] {
        let liar = Liar::new(&Lie::Closes(vec![], code));
        let error = client.ask_access(&liar.address, b"x", TIMEOUT).unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{error:?}");
        assert_eq!(liar.streams.load(Ordering::SeqCst), times, "{code}");
        let liar = Liar::new(&Lie::Closes(vec![], code));
        let sent = client.send_deposit(
            &liar.address,
            &|_| b"x".to_vec(),
            &mut &b"y"[..],
            1,
            TIMEOUT,
        );
        let error = sent.unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{error:?}");
        assert_eq!(liar.streams.load(Ordering::SeqCst), times, "{code}");
    }
}

#[test]
fn what_nobody_reads_takes_little_room() {
    let node = Party::new(46, &[]).start();
    let address = node.address();
    Runtime::new().unwrap().block_on(async {
        let raw = endpoint(None).await;
        for alpn in [&b"medvault/head/1"[..], b"medvault/block/1"] {
            let connection = connect(&raw, &address, alpn).await;
            let (mut streams, mut sent) = (Vec::new(), 0);
            let moment = Duration::from_millis(100);
            for _ in 0..40 {
                let next = tokio::time::timeout(moment, connection.open_bi()).await;
                let Ok(Ok((mut send, recv))) = next else {
                    break;
                };
                let much = [1; 1 << 16];
                while let Ok(Ok(more)) = tokio::time::timeout(moment, send.write(&much)).await {
                    sent += more;
                }
                streams.push((send, recv));
            }
            println!("{sent} bytes on {} streams", streams.len());
            assert!(sent > 0 && sent < 600 << 10);
            connection.close(VarInt::from_u32(0), b"");
        }
        raw.close().await;
    });
}

#[test]
fn nodes_that_lie_about_deposits_are_errors_in_time() {
    let client = client();
    let limit = Duration::from_secs(1);
    let send = |lie: &Lie, len: usize| {
        let liar = Liar::new(lie);
        let begun = Instant::now();
        let body = vec![1; len];
        let sent = client.send_deposit(
            &liar.address,
            &|_| b"x".to_vec(),
            &mut &body[..],
            len as u64,
            limit,
        );
        assert!(begun.elapsed() < SOON, "{lie:?}");
        sent
    };
    let after = |first: &[u8], more: usize| [first, &vec![1; more]].concat();
    for (lie, len, expected) in [
        (Lie::Says(vec![9]), 10, "Protocol"),
        (Lie::Says(vec![]), 10, "Protocol"),
        (Lie::Says(vec![0]), 10, "Protocol"),
        (Lie::Says(vec![0, 9]), 10, "Protocol"),
        (Lie::Says(after(&[1], 4097)), 10, "Protocol"),
        (Lie::Says(after(&[0, 0], 32_769)), 10, "Protocol"),
        (Lie::Says(after(&[0, 1], 4097)), 10, "Protocol"),
        (Lie::Says(vec![2]), 10, "Refused"),
        (Lie::Endless(vec![1; 1 << 10]), 10, "Protocol"),
        (Lie::Endless(vec![0; 1 << 10]), 10, "Protocol"),
        (Lie::Resets(vec![0]), 10, "Unreachable"),
        (Lie::Closes(vec![0], 9), 8 << 20, "Unreachable"),
        (Lie::Stalls(vec![]), 10, "Timeout"),
        (Lie::Stalls(vec![0]), 10, "Timeout"),
        (Lie::Stalls(vec![0]), 8 << 20, "Timeout"), // takes what fits and reads nothing
        (Lie::Stalls(vec![0, 0, 1]), 10, "Timeout"),
    ] {
        let error = send(&lie, len).unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{error:?}");
    }
    let honest = send(&Lie::Says(after(&[0, 0], 32_768)), 10).unwrap();
    assert_eq!(honest, DepositAnswer::Answered(vec![1; 32_768]));
    let honest = send(&Lie::Says(after(&[1], 4096)), 10).unwrap();
    assert_eq!(honest, DepositAnswer::Refused(vec![1; 4096]));
}
