//! Peers that break the block protocol over iroh, made from a bare endpoint.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/readers.rs"]
mod readers;

use std::time::{Duration, Instant};

use common::{Party, blocks, client};
use iroh::endpoint::{Connection, presets};
use iroh::{Endpoint, RelayMode};
use readers::{VAULT, cids, device, fetch, now, only};
use tokio::runtime::Runtime;
use vault_core::{Block, BlockStore, Codec, Ends, NodeAddress, PublicKey, sign_block_access};
use vault_node::NodeError;

const ALPN: &[u8] = b"medvault/block/1";

async fn endpoint() -> Endpoint {
    Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")
        .unwrap()
        .alpns(vec![ALPN.to_vec()])
        .bind()
        .await
        .unwrap()
}

/// A patient's node that answers every statement with `verdict` and every request with `answer`,
/// again and again if it is `endless`.
struct Liar {
    _runtime: Runtime,
    address: NodeAddress,
}

impl Liar {
    fn new(verdict: &'static [u8], answer: Vec<u8>, endless: bool) -> Self {
        let runtime = Runtime::new().unwrap();
        let endpoint = runtime.block_on(endpoint());
        let address = NodeAddress {
            peer: PublicKey::from_bytes([0; 32]),
            addrs: Vec::new(),
            endpoint: PublicKey::from_bytes(*endpoint.id().as_bytes()),
            endpoint_addrs: endpoint
                .bound_sockets()
                .iter()
                .map(ToString::to_string)
                .collect(),
            relays: Vec::new(),
        };
        runtime.spawn(async move {
            while let Some(incoming) = endpoint.accept().await {
                let Ok(connection) = incoming.await else {
                    continue;
                };
                let answer = answer.clone();
                tokio::spawn(async move {
                    let (mut send, mut recv) = connection.accept_bi().await.ok()?;
                    recv.read_to_end(1 << 20).await.ok()?;
                    send.write_all(verdict).await.ok()?;
                    send.finish().ok()?;
                    while let Ok((mut send, mut recv)) = connection.accept_bi().await {
                        recv.read_to_end(1 << 20).await.ok()?;
                        send.write_all(&answer).await.ok()?;
                        if endless {
                            loop {
                                send.write_all(&answer).await.ok()?;
                            }
                        }
                        send.finish().ok()?;
                    }
                    Some(())
                });
            }
        });
        Self {
            _runtime: runtime,
            address,
        }
    }
}

fn found(data: &[u8]) -> Vec<u8> {
    [&[0], &(data.len() as u32).to_be_bytes()[..], data].concat()
}

#[test]
fn wrong_endless_and_broken_answers_end_the_fetch() {
    let right = Block::new(Codec::Raw, b"right".to_vec()).unwrap();
    let (reader, client) = (device(), client());
    let cases: [(&str, &'static [u8], Vec<u8>, bool); 8] = [
        ("another block", &[0], found(b"wrong"), false),
        ("another codec's byte", &[0], vec![9], false),
        (
            "over 1 MiB",
            &[0],
            [&[0][..], &[0, 16, 0, 1]].concat(),
            false,
        ),
        (
            "more than was asked",
            &[0],
            [found(b"right"), vec![1]].concat(),
            false,
        ),
        ("the same without end", &[0], found(b"right"), true),
        ("zeros without end", &[0], vec![0; 1 << 16], true),
        ("a verdict that is none", &[77], found(b"right"), false),
        ("two verdicts", &[0, 0], found(b"right"), false),
    ];
    for (what, verdict, answer, endless) in cases {
        let liar = Liar::new(verdict, answer, endless);
        let begun = Instant::now();
        let error = fetch(&client, &liar.address, &reader, &[right.cid()]).unwrap_err();
        let broken = matches!(
            error,
            NodeError::Protocol(_) | NodeError::Unreachable { .. }
        );
        assert!(broken, "{what}: {error}");
        assert!(
            begun.elapsed() < Duration::from_secs(8),
            "{what}: {:?}",
            begun.elapsed()
        );
    }
    // the control: the same peer with the right answer
    let honest = Liar::new(&[0], found(b"right"), false);
    assert!(
        fetch(&client, &honest.address, &reader, &[right.cid()])
            .unwrap()
            .1
            == [right]
    );
}

#[test]
fn a_node_that_says_nothing_is_given_up() {
    let right = Block::new(Codec::Raw, b"right".to_vec()).unwrap();
    let (reader, client) = (device(), client());
    let statement = |ends: &Ends| sign_block_access(&reader, &VAULT, ends, now());
    for (verdict, answer) in [(&[][..], vec![]), (&[0][..], vec![0, 0, 0, 0, 5, b'r'])] {
        // the stream of the second stays open: it would go on, one day
        let liar = Liar::silent(verdict, answer);
        let begun = Instant::now();
        let limit = Duration::from_secs(1);
        let outcome = client.fetch_as_reader(
            &liar.address,
            &VAULT,
            &statement,
            &[right.cid()],
            limit,
            &mut |_| panic!("nothing came"),
        );
        let error = outcome.unwrap_err();
        assert!(matches!(error, NodeError::Timeout { .. }), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

impl Liar {
    /// Sends the beginning of an answer and never ends it.
    fn silent(verdict: &'static [u8], answer: Vec<u8>) -> Self {
        let runtime = Runtime::new().unwrap();
        let endpoint = runtime.block_on(endpoint());
        let address = NodeAddress {
            peer: PublicKey::from_bytes([0; 32]),
            addrs: Vec::new(),
            endpoint: PublicKey::from_bytes(*endpoint.id().as_bytes()),
            endpoint_addrs: endpoint
                .bound_sockets()
                .iter()
                .map(ToString::to_string)
                .collect(),
            relays: Vec::new(),
        };
        runtime.spawn(async move {
            let mut kept = Vec::new();
            while let Some(incoming) = endpoint.accept().await {
                let Ok(connection) = incoming.await else {
                    continue;
                };
                let streams = hold(&connection, verdict, &answer).await;
                kept.push((connection, streams));
            }
        });
        Self {
            _runtime: runtime,
            address,
        }
    }
}

/// Answers so far, with the streams that are still open.
async fn hold(
    connection: &Connection,
    verdict: &[u8],
    answer: &[u8],
) -> Option<Vec<iroh::endpoint::SendStream>> {
    let (mut send, _) = connection.accept_bi().await.ok()?;
    if verdict.is_empty() {
        return Some(vec![send]);
    }
    send.write_all(verdict).await.ok()?;
    send.finish().ok()?;
    let (mut second, _) = connection.accept_bi().await.ok()?;
    second.write_all(answer).await.ok()?;
    Some(vec![send, second])
}

#[test]
fn readers_that_break_the_protocol_harm_only_themselves() {
    let party = Party::new(80, &[]);
    let there = blocks(5, 1000);
    party.store.put(&there).unwrap();
    let (node, reader, good) = (party.start(), device(), client());
    node.set_readers(only(&reader));
    let address = node.address();
    let runtime = Runtime::new().unwrap();
    let id = iroh::EndpointId::from_bytes(address.endpoint.as_bytes()).unwrap();
    let socket: std::net::SocketAddr = address.endpoint_addrs[0].parse().unwrap();
    let to = iroh::EndpointAddr::from_parts(id, [iroh::TransportAddr::Ip(socket)]);
    let wanted: Vec<u8> = there[0].cid().to_bytes().to_vec();
    for request in [
        vec![],
        vec![1; 35],
        vec![0xff; 36],
        wanted.repeat(257),
        [&wanted[..], &[0]].concat(),
    ] {
        runtime.block_on(async {
            let raw = endpoint().await;
            let connection = raw.connect(to.clone(), ALPN).await.unwrap();
            let ends = Ends {
                server: address.endpoint,
                client: PublicKey::from_bytes(*raw.id().as_bytes()),
            };
            let statement = sign_block_access(&reader, &VAULT, &ends, now());
            let (mut send, mut recv) = connection.open_bi().await.unwrap();
            send.write_all(&statement).await.unwrap();
            send.finish().unwrap();
            assert_eq!(recv.read_to_end(1).await.unwrap(), [0]);
            let (mut send, _recv) = connection.open_bi().await.unwrap();
            let _ = send.write_all(&request).await; // may be cut off in the middle
            let _ = send.finish();
            let closed = tokio::time::timeout(Duration::from_secs(5), connection.closed()).await;
            assert!(closed.is_ok(), "still open after {} bytes", request.len());
            raw.close().await;
        });
    }
    // a statement without end
    runtime.block_on(async {
        let raw = endpoint().await;
        let connection = raw.connect(to.clone(), ALPN).await.unwrap();
        let (mut send, _recv) = connection.open_bi().await.unwrap();
        let _ = send.write_all(&vec![7; 100_000]).await; // cut off
        let closed = tokio::time::timeout(Duration::from_secs(5), connection.closed()).await;
        assert!(closed.is_ok(), "still open");
        raw.close().await;
    });
    assert!(fetch(&good, &address, &reader, &cids(&there)).unwrap().1 == there);
}
