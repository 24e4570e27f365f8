//! The embedded IPFS node (rust-ipfs), started without its own bitswap.
//!
//! The call of the IPFS builder is generic over the custom behaviour, so whatever makes it compiles
//! the whole network stack. It stands in this crate, which depends on nothing else of the project,
//! so that edits elsewhere do not compile it again.
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod dht;
mod streams;

use std::convert::Infallible;
use std::time::Duration;

use rust_ipfs::builder::IpfsBuilder;
use rust_ipfs::p2p::IdentifyConfiguration;
use rust_ipfs::swarm::behaviour::toggle::Toggle;
use rust_ipfs::{
    ConnectionLimits, Ipfs, Keypair, Multiaddr, NetworkBehaviour, PeerId, Stream, ping,
};
use tokio::sync::mpsc::UnboundedReceiver;

pub use streams::{OpenError, Streams};

/// Most connections at a time, and most with one peer.
const MAX_CONNECTIONS: (u32, u32) = (256, 8);
/// A connection without a stream is closed after this time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What a node is started with.
#[derive(Default)]
pub struct Config {
    /// Where it listens. Nowhere: it only dials.
    pub listen: Vec<Multiaddr>,
    /// Where others reach it, when it cannot know that itself. It tells these addresses to
    /// everyone it meets.
    pub announce: Vec<Multiaddr>,
    /// How it takes part in the DHT. `None`: not at all, and nobody is contacted unasked.
    pub dht: Option<dht::Config>,
}

/// What is plugged into the IPFS node.
#[derive(NetworkBehaviour)]
#[behaviour(to_swarm = "Infallible", prelude = "rust_ipfs::swarm::derive_prelude")]
struct Behaviour {
    streams: streams::Behaviour,
    dht: Toggle<dht::Behaviour>,
}

/// A node that is up.
pub struct Host {
    /// The node.
    pub ipfs: Ipfs,
    /// Opens streams to peers.
    pub streams: Streams,
    /// Streams that peers open.
    pub inbound: UnboundedReceiver<(PeerId, Stream)>,
    /// Asks the DHT, if the node takes part.
    pub dht: Option<dht::Dht>,
    /// The node's own name.
    pub peer: PeerId,
    /// Where it listens.
    pub addrs: Vec<Multiaddr>,
}

/// Starts a node. `seed` is of its Ed25519 key; it is wiped.
///
/// # Errors
/// What the stack says, in words.
pub async fn start(mut seed: [u8; 32], config: Config) -> Result<Host, String> {
    let keypair = Keypair::ed25519_from_bytes(&mut seed).map_err(text)?;
    let peer = keypair.public().to_peer_id();
    let (streams_behaviour, streams, inbound) = streams::Behaviour::new();
    let reach = config.dht.as_ref().map(|dht| dht::Reach(dht.network));
    let (dht_behaviour, dht) = config.dht.map(|dht| dht::Behaviour::new(peer, dht)).unzip();
    let behaviour = Behaviour {
        streams: streams_behaviour,
        dht: dht_behaviour.into(),
    };
    let ipfs = build(&keypair, behaviour).await?;
    for addr in config.listen {
        let shown = addr.to_string();
        let listening = ipfs.add_listening_address(addr).await;
        listening.map_err(|error| format!("{shown}: {error}"))?;
    }
    let addrs = ipfs.listening_addresses().await.map_err(text)?;
    let mut announce = config.announce;
    if let Some(reach) = reach
        && announce.is_empty()
    {
        announce = reach.fitting(addrs.clone());
    }
    for addr in announce {
        ipfs.add_external_address(addr).await.map_err(text)?;
    }
    Ok(Host {
        ipfs,
        streams,
        inbound,
        dht,
        peer,
        addrs,
    })
}

async fn build(keypair: &Keypair, behaviour: Behaviour) -> Result<Ipfs, String> {
    let identify = IdentifyConfiguration {
        // says nothing about what this node is for
        agent_version: "rust-ipfs".into(),
        ..Default::default()
    };
    IpfsBuilder::<Behaviour>::with_keypair(keypair)
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
        .map_err(text)
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
