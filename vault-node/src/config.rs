//! What a node is started with, and what it tells about itself.

use std::collections::HashSet;
use std::net::SocketAddr;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::access::AccessStats;
use crate::deposit::DepositStats;
use crate::naming::DhtConfig;
use crate::relay::{Announced, Relay};

/// What a node is started with. The keys are wiped from memory when it is dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct NodeConfig {
    /// Seed of the Ed25519 key that is the libp2p peer id.
    pub libp2p_key: [u8; 32],
    /// Seed of the Ed25519 key that is the iroh endpoint id.
    pub iroh_key: [u8; 32],
    /// Multiaddrs to listen on, such as `/ip4/0.0.0.0/tcp/0` or `/ip4/0.0.0.0/udp/0/quic-v1`.
    /// None: the node only fetches. Without the feature `ipfs` it listens nowhere.
    pub listen: Vec<String>,
    /// Where to answer over iroh. `None`: nowhere, the node only asks; with relays, it answers
    /// what comes through them and nothing else.
    #[zeroize(skip)]
    pub iroh_listen: Option<SocketAddr>,
    /// iroh relays through which the node is reached, and which tell it how it looks from outside.
    /// None: it contacts no relay.
    #[zeroize(skip)]
    pub relays: Vec<Relay>,
    /// Addresses under which the node is reached from outside, beside those it finds itself.
    #[zeroize(skip)]
    pub announced: Vec<Announced>,
    /// Who may read blocks over bitswap.
    #[zeroize(skip)]
    pub access: Access,
    /// How it takes part in the DHT. `None`, or without the feature `ipfs`: not at all.
    #[zeroize(skip)]
    pub dht: Option<DhtConfig>,
}

impl NodeConfig {
    /// A node that only asks and serves nobody.
    pub fn new(libp2p_key: [u8; 32], iroh_key: [u8; 32]) -> Self {
        Self {
            libp2p_key,
            iroh_key,
            listen: Vec::new(),
            iroh_listen: None,
            relays: Vec::new(),
            announced: Vec::new(),
            access: Access::Peers(Default::default()),
            dht: None,
        }
    }

    /// Whether it answers over iroh.
    pub(crate) fn answers(&self) -> bool {
        self.iroh_listen.is_some() || !self.relays.is_empty()
    }
}

/// Who may read blocks from this node over bitswap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Access {
    /// Everyone who knows a CID.
    #[default]
    Public,
    /// Only these peer ids (base58). All others are told that nothing is here.
    Peers(HashSet<String>),
}

/// What passed through bitswap since the node started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Blocks sent to peers.
    pub blocks_sent: u64,
    /// Bytes of those blocks.
    pub bytes_sent: u64,
    /// Blocks received that had been asked for.
    pub blocks_received: u64,
    /// Bytes of those blocks.
    pub bytes_received: u64,
    /// Blocks received that nobody had asked for, among them wrong bytes for a CID. Thrown away.
    pub blocks_refused: u64,
    /// Peers connected now.
    pub peers: usize,
}

/// What passed through iroh since the node started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IrohStats {
    /// Heads given out.
    pub heads_served: u64,
    /// Blocks sent to readers.
    pub blocks_sent: u64,
    /// Bytes of those blocks.
    pub bytes_sent: u64,
    /// Readers that were refused blocks.
    pub refused: u64,
    /// Messages of the access protocol.
    pub access: AccessStats,
    /// Deposits.
    pub deposits: DepositStats,
    /// Relays configured.
    pub relays: usize,
    /// Whether one of them is connected.
    pub relay_connected: bool,
}
