//! Bringing the node up: where it listens, and what it says about that.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::json;
use vault_core::{Home, NodeAddress, Vault, VaultId, VaultStorage};
use vault_node::{Access, HeadSource, Node, NodeConfig, peer_id};

use super::Serve;
use crate::context::Context;
use crate::error::Result;
use crate::node;

/// Gives out the head of the one vault in this home.
struct HomeHead {
    storage: Arc<dyn VaultStorage>,
    vault: VaultId,
}

impl HeadSource for HomeHead {
    fn head(&self, vault: &VaultId) -> Option<Vec<u8>> {
        if *vault != self.vault {
            return None;
        }
        self.storage.head().ok().flatten()
    }
}

/// Starts the node: on the ports of last time unless others are asked for.
pub fn start(home: &Home, vault: &Vault, args: &Serve) -> Result<Node> {
    let device = vault.device();
    let last = node::last(home);
    let config = |listen: Vec<String>, heads: SocketAddr| NodeConfig {
        libp2p_key: *device.libp2p_seed(),
        iroh_key: *device.iroh_seed(),
        listen,
        iroh_listen: Some(heads),
        access: Access::Public,
    };
    let storage = home.storage()?;
    let heads = || {
        Arc::new(HomeHead {
            storage: storage.clone(),
            vault: vault.id(),
        })
    };
    let everywhere = |port: u16| {
        vec![
            format!("/ip4/0.0.0.0/tcp/{port}"),
            format!("/ip4/0.0.0.0/udp/{port}/quic-v1"),
        ]
    };
    let ports = last.as_ref().map_or((0, 0), node::ports);
    let listen = |port: u16| match args.listen.is_empty() {
        true => everywhere(port),
        false => args.listen.clone(),
    };
    let heads_at = |port: u16| {
        args.listen_heads
            .unwrap_or_else(|| same_place(&args.listen, port))
    };
    let chosen = !args.listen.is_empty() && args.listen_heads.is_some();
    let first = Node::start(
        config(listen(ports.0), heads_at(ports.1)),
        storage.blocks(),
        heads(),
    );
    match first {
        // the ports of last time are taken: any will do, and new tickets will name them
        Err(_) if !chosen && ports != (0, 0) => Ok(Node::start(
            config(listen(0), heads_at(0)),
            storage.blocks(),
            heads(),
        )?),
        other => Ok(other?),
    }
}

/// Heads are given out where blocks are: on loopback only if the blocks are.
fn same_place(listen: &[String], port: u16) -> SocketAddr {
    let local = !listen.is_empty() && listen.iter().all(|addr| addr.starts_with("/ip4/127."));
    let ip = if local { [127, 0, 0, 1] } else { [0, 0, 0, 0] };
    SocketAddr::from((ip, port))
}

/// Says where the node is.
pub fn announce(context: &Context, address: &NodeAddress) -> Result<()> {
    let peer = peer_id(address)?;
    if context.out.json {
        return context.out.json(&json!({
            "event": "serving", "peer_id": peer, "addrs": address.addrs,
            "endpoint": address.endpoint.to_string(), "endpoint_addrs": address.endpoint_addrs,
        }));
    }
    context.out.note(format!("serving as {peer}"));
    for addr in &address.addrs {
        context.out.note(format!("  blocks  {addr}"));
    }
    for addr in &address.endpoint_addrs {
        context.out.note(format!("  heads   {addr}"));
    }
    context.out.note("stop with ctrl-c");
    Ok(())
}
