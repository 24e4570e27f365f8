//! How a running node stands.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use vault_core::{Head, NodeAddress};
use vault_node::Node;

use super::access::Counts;
use crate::publish::Standing;
use crate::time;

/// How a running node stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// How long it has run, in seconds.
    pub seconds: u64,
    /// Whether blocks go to readers only.
    pub private: bool,
    /// Number of the head that is given out.
    pub head: u64,
    /// Peers connected over bitswap.
    pub peers: u64,
    /// Heads given out.
    pub heads_sent: u64,
    /// Blocks given out over bitswap.
    pub blocks_sent_bitswap: u64,
    /// Blocks given out to readers over iroh.
    pub blocks_sent_iroh: u64,
    /// Bytes of blocks given out.
    pub bytes_sent: u64,
    /// Questions that were not answered.
    pub refused: u64,
    /// What became of requests for keys.
    pub access: AccessStatus,
    /// Deposits that came whole and wait for a decision.
    pub deposits_taken: u64,
    /// Where the node is.
    pub address: NodeAddress,
    /// Whether its relay is connected; `None` without relays.
    pub relay_connected: Option<bool>,
    /// How the publishers stand.
    pub publishers: Vec<Standing>,
}

/// What became of requests for keys since the node started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccessStatus {
    /// That got their keys.
    pub released: u64,
    /// That were turned down, which was logged.
    pub denied: u64,
    /// That were not looked at further.
    pub refused: u64,
    /// No key is given out: the log of this home is not the one that a reader has seen.
    pub halted: bool,
}

/// What the node itself does not know.
pub(super) struct State {
    begun: Instant,
    private: bool,
    head: AtomicU64,
    deposits: AtomicU64,
    access: Arc<Counts>,
}

impl State {
    /// At the start, with the first head.
    pub(super) fn new(begun: Instant, private: bool, head: &Head, access: Arc<Counts>) -> Self {
        Self {
            begun,
            private,
            head: head.seq().into(),
            deposits: AtomicU64::new(0),
            access,
        }
    }

    /// There is a new head.
    pub(super) fn head(&self, head: &Head) {
        self.head.store(head.seq(), Ordering::Relaxed);
    }

    /// A deposit came.
    pub(super) fn deposit(&self) {
        self.deposits.fetch_add(1, Ordering::Relaxed);
    }
}

impl Status {
    pub(super) fn of(node: &Node, state: &State, publishers: Vec<Standing>) -> Self {
        let (bitswap, iroh) = (node.stats(), node.iroh_stats());
        Self {
            seconds: state.begun.elapsed().as_secs(),
            private: state.private,
            head: state.head.load(Ordering::Relaxed),
            peers: bitswap.peers as u64,
            heads_sent: iroh.heads_served,
            blocks_sent_bitswap: bitswap.blocks_sent,
            blocks_sent_iroh: iroh.blocks_sent,
            bytes_sent: bitswap.bytes_sent + iroh.bytes_sent,
            refused: iroh.refused,
            access: state.access.read(),
            deposits_taken: state.deposits.load(Ordering::Relaxed),
            address: node.address(),
            relay_connected: (iroh.relays > 0).then_some(iroh.relay_connected),
            publishers,
        }
    }

    /// The status as the node tells it over its socket, and `medvault status --json` shows it.
    pub fn to_json(&self) -> Value {
        let access = &self.access;
        json!({
            "serving": true, "pid": std::process::id(), "seconds": self.seconds,
            "private": self.private, "head": self.head,
            "peers": self.peers, "heads_sent": self.heads_sent,
            "blocks_sent": self.blocks_sent_bitswap + self.blocks_sent_iroh,
            "bytes_sent": self.bytes_sent,
            "blocks_sent_bitswap": self.blocks_sent_bitswap,
            "blocks_sent_iroh": self.blocks_sent_iroh,
            "refused": self.refused,
            "access": {
                "released": access.released, "denied": access.denied,
                "refused": access.refused, "halted": access.halted,
            },
            "addrs": self.address.addrs, "endpoint_addrs": self.address.endpoint_addrs,
            "relays": self.address.relays, "relay_connected": self.relay_connected,
            "memory": resident(),
            "publishers": self.publishers.iter().map(standing_json).collect::<Vec<_>>(),
        })
    }
}

/// Memory in use by this process, in bytes, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn standing_json(standing: &Standing) -> Value {
    json!({
        "name": standing.name, "head": standing.published,
        "last": standing.last.map(time::rfc3339), "next": time::rfc3339(standing.next),
        "failures": standing.failures, "error": standing.error,
    })
}
