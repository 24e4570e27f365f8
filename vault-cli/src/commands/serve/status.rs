//! What the running node tells `medvault status` over its socket.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use vault_core::Home;
use vault_node::Node;

use crate::context::Context;
use crate::local_socket::StatusSocket;
use crate::publish::Standing;
use crate::time;

/// Opens the socket; without one the node serves all the same.
pub fn open_socket(
    context: &Context,
    home: &Home,
    node: &Arc<Node>,
    begun: Instant,
    standings: impl Fn() -> Vec<Standing> + Send + 'static,
) -> Option<StatusSocket> {
    let node = Arc::downgrade(node);
    let socket = StatusSocket::open(home.root(), move || {
        let Some(node) = node.upgrade() else {
            return json!({"serving": false});
        };
        let stats = node.stats();
        json!({
            "serving": true, "pid": std::process::id(), "seconds": begun.elapsed().as_secs(),
            "peers": stats.peers, "blocks_sent": stats.blocks_sent, "bytes_sent": stats.bytes_sent,
            "addrs": node.address().addrs,
            "publishers": standings().iter().map(standing_json).collect::<Vec<_>>(),
        })
    });
    socket
        .map_err(|error| context.out.warn(format!("no status socket: {error}")))
        .ok()
}

fn standing_json(standing: &Standing) -> Value {
    json!({
        "name": standing.name, "head": standing.published,
        "last": standing.last.map(time::rfc3339), "next": time::rfc3339(standing.next),
        "failures": standing.failures, "error": standing.error,
    })
}
