//! What the running node tells `medvault status` over its socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use vault_core::{Head, Home};
use vault_node::Node;

use super::access::Counts;
use crate::context::Context;
use crate::local_socket::StatusSocket;
use crate::publish::Standing;
use crate::time;

/// What the node itself does not know.
pub struct State {
    begun: Instant,
    private: bool,
    head: AtomicU64,
    access: Arc<Counts>,
}

impl State {
    /// At the start, with the first head.
    pub fn new(begun: Instant, private: bool, head: &Head, access: Arc<Counts>) -> Self {
        Self {
            begun,
            private,
            head: head.seq().into(),
            access,
        }
    }

    /// There is a new head.
    pub fn head(&self, head: &Head) {
        self.head.store(head.seq(), Ordering::Relaxed);
    }
}

/// Opens the socket; without one the node serves all the same.
pub fn open_socket(
    context: &Context,
    home: &Home,
    node: &Arc<Node>,
    state: &Arc<State>,
    standings: Box<dyn Fn() -> Vec<Standing> + Send>,
) -> Option<StatusSocket> {
    let (node, state) = (Arc::downgrade(node), state.clone());
    let socket = StatusSocket::open(home.root(), move || match node.upgrade() {
        Some(node) => status(&node, &state, &standings()),
        None => json!({"serving": false}),
    });
    socket
        .map_err(|error| context.out.warn(format!("no status socket: {error}")))
        .ok()
}

fn status(node: &Node, state: &State, standings: &[Standing]) -> Value {
    let (bitswap, iroh, address) = (node.stats(), node.iroh_stats(), node.address());
    json!({
        "serving": true, "pid": std::process::id(), "seconds": state.begun.elapsed().as_secs(),
        "private": state.private, "head": state.head.load(Ordering::Relaxed),
        "peers": bitswap.peers, "heads_sent": iroh.heads_served,
        "blocks_sent": bitswap.blocks_sent + iroh.blocks_sent,
        "bytes_sent": bitswap.bytes_sent + iroh.bytes_sent,
        "blocks_sent_bitswap": bitswap.blocks_sent, "blocks_sent_iroh": iroh.blocks_sent,
        "refused": iroh.refused, "access": state.access.to_json(),
        "addrs": address.addrs, "endpoint_addrs": address.endpoint_addrs,
        "relays": address.relays,
        "relay_connected": (iroh.relays > 0).then_some(iroh.relay_connected),
        "memory": resident(),
        "publishers": standings.iter().map(standing_json).collect::<Vec<_>>(),
    })
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
