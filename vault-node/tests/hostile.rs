//! Peers that break the protocol, or speak it in ways that other implementations do, made from a
//! bare IPFS node with raw streams.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::time::{Duration, Instant};

use common::{Party, blocks, client, fetch_all};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use rust_ipfs::builder::DefaultIpfsBuilder;
use rust_ipfs::swarm::dial_opts::DialOpts;
use rust_ipfs::{Ipfs, Keypair, PeerId, Stream, StreamProtocol};
use tokio::runtime::Runtime;
use vault_core::{Block, BlockStore, Cid, Codec, Digest};
use vault_core::{NodeAddress, PublicKey};
use vault_node::peer_id;

const BITSWAP: StreamProtocol = StreamProtocol::new("/ipfs/bitswap/1.2.0");
const RAW: [u8; 4] = [1, 0x55, 0x12, 32];

fn varint(mut number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while number > 127 {
        out.push(number as u8 | 128);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2], &varint(bytes.len())[..], bytes].concat()
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&varint(body.len())[..], body].concat()
}

/// A want for a block, with "send don't have".
fn want(cid: &[u8]) -> Vec<u8> {
    let entry = [&field(1, cid)[..], &[0x28, 1]].concat();
    frame(&field(1, &field(1, &entry)))
}

fn block_message(prefix: &[u8], data: &[u8]) -> Vec<u8> {
    frame(&field(3, &[field(1, prefix), field(2, data)].concat()))
}

/// Length-delimited and varint fields of a message.
fn fields(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    fn take(bytes: &mut &[u8]) -> usize {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            number |= usize::from(byte & 127) << shift;
            shift += 7;
            if byte < 128 {
                return number;
            }
        }
    }
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let tag = take(&mut bytes) as u8;
        let number = take(&mut bytes);
        if tag & 7 == 2 {
            out.push((tag >> 3, bytes[..number].to_vec()));
            bytes = &bytes[number..];
        } else {
            out.push((tag >> 3, vec![number as u8]));
        }
    }
    out
}

async fn read_frame(stream: &mut Stream) -> Option<Vec<u8>> {
    let (mut len, mut shift) = (0usize, 0);
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.ok()?;
        len |= usize::from(byte[0] & 127) << shift;
        shift += 7;
        if byte[0] < 128 {
            break;
        }
    }
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes).await.ok()?;
    Some(bytes)
}

/// A bare IPFS node that knows nothing of bitswap.
struct Raw {
    runtime: Runtime,
    ipfs: Ipfs,
    peer: PeerId,
}

impl Raw {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let keypair = Keypair::generate_ed25519();
        let ipfs = runtime.block_on(async {
            let ipfs = DefaultIpfsBuilder::with_keypair(&keypair)
                .unwrap()
                .enable_tcp()
                .with_streams()
                .set_idle_connection_timeout(60)
                .start()
                .await
                .unwrap();
            let any = "/ip4/127.0.0.1/tcp/0".parse().unwrap();
            ipfs.add_listening_address(any).await.unwrap();
            ipfs
        });
        let peer = keypair.public().to_peer_id();
        Self {
            runtime,
            ipfs,
            peer,
        }
    }

    /// As a ticket would name it.
    fn address(&self) -> NodeAddress {
        let addrs = self.runtime.block_on(self.ipfs.listening_addresses());
        NodeAddress {
            peer: PublicKey::from_bytes(self.peer.to_bytes()[6..].try_into().unwrap()),
            addrs: addrs.unwrap().iter().map(ToString::to_string).collect(),
            endpoint: PublicKey::from_bytes([0; 32]),
            endpoint_addrs: Vec::new(),
            relays: Vec::new(),
        }
    }

    async fn connect(&self, to: &NodeAddress) -> PeerId {
        let peer: PeerId = peer_id(to).unwrap().parse().unwrap();
        if !self.ipfs.is_connected(peer).await.unwrap() {
            let addrs = to.addrs.iter().map(|a| a.parse().unwrap()).collect();
            let dial = DialOpts::peer_id(peer).addresses(addrs).build();
            self.ipfs.connect(dial).await.unwrap();
        }
        peer
    }

    async fn open(&self, to: &NodeAddress) -> Stream {
        let peer = self.connect(to).await;
        self.ipfs.open_stream(peer, BITSWAP).await.unwrap()
    }

    /// Plays provider: answers every want list with what `answer` makes of it.
    fn provide(&self, mut answer: impl FnMut(Vec<u8>) -> Option<Vec<u8>> + Send + 'static) {
        let ipfs = self.ipfs.clone();
        self.runtime.spawn(async move {
            let mut inbound = ipfs.new_stream(BITSWAP).await.unwrap();
            while let Some((peer, mut stream)) = inbound.next().await {
                while let Some(message) = read_frame(&mut stream).await {
                    let Some(reply) = answer(message) else {
                        break; // resets the stream
                    };
                    let mut out = ipfs.open_stream(peer, BITSWAP).await.unwrap();
                    out.write_all(&reply).await.unwrap();
                    out.close().await.unwrap();
                }
            }
        });
    }
}

#[test]
fn wants_that_cannot_be_met_are_answered_and_the_connection_stays_usable() {
    let party = Party::new(50, &["/ip4/127.0.0.1/tcp/0"]);
    let there = blocks(1, 1 << 20).remove(0);
    party.store.put(std::slice::from_ref(&there)).unwrap();
    let node = party.start();
    let raw = Raw::new();
    let too_large = Cid::raw(Digest::of(&vec![1; 2 << 20])).to_bytes().to_vec();
    let odd = vec![
        too_large,
        [&[0x12, 0x20][..], &[9; 32]].concat(),        // CIDv0
        [&[1, 0x70, 0x12, 32][..], &[9; 32]].concat(), // dag-pb
        [&[1, 0x55, 0x1e, 32][..], &[9; 32]].concat(), // BLAKE3
        vec![],
        vec![0xff; 40],
    ];
    raw.runtime.block_on(async {
        let mut inbound = raw.ipfs.new_stream(BITSWAP).await.unwrap();
        let mut out = raw.open(&node.address()).await;
        for cid in &odd {
            out.write_all(&want(cid)).await.unwrap();
        }
        out.flush().await.unwrap();
        let (_, mut replies) = inbound.next().await.unwrap();
        let mut refused = Vec::new();
        while refused.len() < odd.len() {
            for (number, presence) in fields(&read_frame(&mut replies).await.unwrap()) {
                assert_eq!(number, 4);
                let parts = fields(&presence);
                assert_eq!(parts[1], (2, vec![1]), "must say don't have");
                refused.push(parts[0].1.clone());
            }
        }
        assert_eq!(refused, odd);
        out.write_all(&want(&there.cid().to_bytes())).await.unwrap();
        let reply = fields(&read_frame(&mut replies).await.unwrap());
        let payload = fields(&reply[0].1);
        assert_eq!(payload[0], (1, RAW.to_vec()));
        assert!(payload[1].1 == there.data());
    });
}

#[test]
fn several_streams_of_one_peer_are_all_read() {
    let party = Party::new(51, &["/ip4/127.0.0.1/tcp/0"]);
    let there = blocks(8, 1000);
    party.store.put(&there).unwrap();
    let node = party.start();
    let raw = Raw::new();
    raw.runtime.block_on(async {
        let mut inbound = raw.ipfs.new_stream(BITSWAP).await.unwrap();
        let address = node.address();
        raw.connect(&address).await;
        let opened = (0..there.len()).map(|_| raw.open(&address));
        let mut streams = futures::future::join_all(opened).await;
        for (stream, block) in streams.iter_mut().zip(&there) {
            stream
                .write_all(&want(&block.cid().to_bytes()))
                .await
                .unwrap();
            stream.flush().await.unwrap();
        }
        let (_, mut replies) = inbound.next().await.unwrap();
        let mut got = 0;
        while got < there.len() {
            let reply = fields(&read_frame(&mut replies).await.unwrap());
            got += reply.iter().filter(|(number, _)| *number == 3).count();
        }
    });
    assert_eq!(node.stats().blocks_sent, 8);
}

#[test]
fn garbage_costs_the_peer_its_connection_and_nobody_else_anything() {
    let party = Party::new(52, &["/ip4/127.0.0.1/tcp/0"]);
    let there = blocks(20, 64 << 10);
    party.store.put(&there).unwrap();
    let node = party.start();
    let address = node.address();
    let good = client();
    let huge = [&varint(5 << 20)[..], &[0; 1000]].concat();
    for bad in [
        vec![0xff; 1000],
        huge,
        frame(&[0x0a, 200, 1]),
        frame(&[0x0b]),
    ] {
        let raw = Raw::new();
        raw.runtime.block_on(async {
            let mut stream = raw.open(&address).await;
            let _ = stream.write_all(&bad).await; // may be cut off in the middle
            let _ = stream.flush().await;
            let peer: PeerId = peer_id(&address).unwrap().parse().unwrap();
            let begun = Instant::now();
            while raw.ipfs.is_connected(peer).await.unwrap() {
                assert!(begun.elapsed() < Duration::from_secs(5), "still connected");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert_eq!(fetch_all(&good, std::slice::from_ref(&address), &there), []);
    }
    // announced and never sent: no harm either
    let raw = Raw::new();
    raw.runtime.block_on(async {
        let mut stream = raw.open(&address).await;
        stream.write_all(&varint(4 << 20)).await.unwrap();
        stream.flush().await.unwrap();
    });
    assert_eq!(fetch_all(&good, &[address], &there), []);
}

#[test]
fn wrong_unasked_and_oversized_blocks_are_refused() {
    let wanted = Block::new(Codec::Raw, b"right".to_vec()).unwrap();
    let limit = Duration::from_secs(2);
    let large = vec![7; 2 << 20];
    for (bad, refused) in [
        (block_message(&RAW, b"wrong"), 1),
        (block_message(&[1, 0x71, 0x12, 32], b"right"), 1), // same bytes, other codec
        (block_message(&RAW, &large), 0),                   // dropped while reading
        (frame(&[]), 0),
    ] {
        let raw = Raw::new();
        let reply = bad.clone();
        raw.provide(move |_| Some(reply.clone()));
        let client = client();
        let report = client
            .fetch(&[raw.address()], &[wanted.cid()], limit, &mut |_| {
                panic!("must not be accepted")
            })
            .unwrap();
        assert_eq!(report.missing, [wanted.cid()]);
        assert!(client.stats().blocks_refused >= refused);
        assert_eq!(client.stats().blocks_received, 0);
    }
    // the right block among wrong ones is taken
    let raw = Raw::new();
    let reply = [
        block_message(&RAW, b"wrong"),
        block_message(&RAW, b"right"),
        block_message(&RAW, b"right"),
    ];
    raw.provide(move |_| Some(reply.concat()));
    assert_eq!(fetch_all(&client(), &[raw.address()], &[wanted]), []);
}

#[test]
fn a_provider_that_resets_our_stream_is_asked_again() {
    let wanted = Block::new(Codec::Raw, b"right".to_vec()).unwrap();
    let raw = Raw::new();
    let mut resets = 3;
    raw.provide(move |_| {
        resets -= 1;
        (resets < 0).then(|| block_message(&RAW, b"right"))
    });
    let begun = Instant::now();
    assert_eq!(fetch_all(&client(), &[raw.address()], &[wanted]), []);
    assert!(begun.elapsed() < Duration::from_secs(10));
}
