//! The embedded IPFS node (rust-ipfs), started without its own bitswap.
//!
//! The call of the IPFS builder is generic over the custom behaviour, so whatever makes it compiles
//! the whole network stack. It stands in this crate, which depends on nothing else of the project,
//! so that edits elsewhere do not compile it again.
#![deny(missing_docs)]

mod streams;

use std::time::Duration;

use rust_ipfs::builder::IpfsBuilder;
use rust_ipfs::p2p::IdentifyConfiguration;
use rust_ipfs::{ConnectionLimits, Ipfs, Keypair, Multiaddr, PeerId, Stream, ping};
use tokio::sync::mpsc::UnboundedReceiver;

pub use streams::{OpenError, Streams};

/// Most connections at a time, and most with one peer.
const MAX_CONNECTIONS: (u32, u32) = (256, 8);
/// A connection without a stream is closed after this time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A node that is up.
pub struct Host {
    /// The node.
    pub ipfs: Ipfs,
    /// Opens streams to peers.
    pub streams: Streams,
    /// Streams that peers open.
    pub inbound: UnboundedReceiver<(PeerId, Stream)>,
    /// The node's own name.
    pub peer: PeerId,
    /// Where it listens.
    pub addrs: Vec<Multiaddr>,
}

/// Starts a node that contacts nobody by itself. `seed` is of its Ed25519 key; it is wiped.
///
/// # Errors
/// What the stack says, in words.
pub async fn start(mut seed: [u8; 32], listen: Vec<Multiaddr>) -> Result<Host, String> {
    let (behaviour, streams, inbound) = streams::Behaviour::new();
    let keypair = Keypair::ed25519_from_bytes(&mut seed).map_err(text)?;
    let identify = IdentifyConfiguration {
        // says nothing about what this node is for
        agent_version: "rust-ipfs".into(),
        ..Default::default()
    };
    let ipfs = IpfsBuilder::<streams::Behaviour>::with_keypair(&keypair)
        .map_err(text)?
        .enable_tcp()
        .enable_quic_with_config(|mut quic| {
            quic.max_idle_timeout = 15_000;
            quic.keep_alive_interval = Duration::from_secs(5);
            quic
        })
        .with_identify(identify)
        .with_ping(ping::Config::new())
        .with_custom_behaviour(move |_| Ok(behaviour))
        .set_connection_limits(|limits: ConnectionLimits| {
            limits
                .with_max_established(Some(MAX_CONNECTIONS.0))
                .with_max_established_per_peer(Some(MAX_CONNECTIONS.1))
        })
        .set_swarm_configuration(|swarm| swarm.with_idle_connection_timeout(IDLE_TIMEOUT))
        .start()
        .await
        .map_err(text)?;
    for addr in listen {
        let shown = addr.to_string();
        let listening = ipfs.add_listening_address(addr).await;
        listening.map_err(|error| format!("{shown}: {error}"))?;
    }
    let addrs = ipfs.listening_addresses().await.map_err(text)?;
    Ok(Host {
        ipfs,
        streams,
        inbound,
        peer: keypair.public().to_peer_id(),
        addrs,
    })
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
