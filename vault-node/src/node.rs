//! The node: an embedded IPFS node for blocks and an iroh endpoint for heads, behind a blocking
//! interface.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use iroh::endpoint::presets;
use iroh::{Endpoint, RelayMode, SecretKey};
use rust_ipfs::Ipfs;
use tokio::runtime::Runtime;
use vault_core::{BlockStore, Cid, NodeAddress, PublicKey, VaultId};
use vault_host::Host;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::address::{multiaddr, peer_key};
use crate::bitswap::engine::{Access, Engine, Stats};
use crate::bitswap::fetch::{BlockSink, FetchReport, Network, fetch};
use crate::error::NodeError;
use crate::head::{self, HeadSource};

/// Longest wait for peers to take note that the node stops.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(500);
/// Longest wait for tasks when the node stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// What a node is started with. The keys are wiped from memory when it is dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct NodeConfig {
    /// Seed of the Ed25519 key that is the libp2p peer id.
    pub libp2p_key: [u8; 32],
    /// Seed of the Ed25519 key that is the iroh endpoint id.
    pub iroh_key: [u8; 32],
    /// Multiaddrs to listen on, such as `/ip4/0.0.0.0/tcp/0` or `/ip4/0.0.0.0/udp/0/quic-v1`.
    /// None: the node only fetches.
    pub listen: Vec<String>,
    /// Where to answer questions for heads. `None`: nowhere, the node only asks.
    #[zeroize(skip)]
    pub iroh_listen: Option<SocketAddr>,
    /// Who may read blocks.
    #[zeroize(skip)]
    pub access: Access,
}

/// A running node.
///
/// It contacts nobody but the addresses it is given: no bootstrap peers, no DHT, no mDNS, no
/// relays, no name servers, no gateways.
///
/// All calls block. They may be made from several threads at once, but not from asynchronous
/// code.
pub struct Node {
    // last in, first out: the runtime goes last
    ipfs: Ipfs,
    endpoint: Endpoint,
    engine: Arc<Engine>,
    address: NodeAddress,
    runtime: Option<Runtime>,
}

impl Node {
    /// Starts a node that serves blocks of `store` and heads of `heads`.
    ///
    /// # Errors
    /// [`NodeError::Address`] for a listening address of another kind than IP with TCP or QUIC;
    /// [`NodeError::Start`] when an address is in use or the system refuses.
    pub fn start(
        config: NodeConfig,
        store: Arc<dyn BlockStore>,
        heads: Arc<dyn HeadSource>,
    ) -> Result<Self, NodeError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("vault-node")
            .enable_all()
            .build()
            .map_err(start)?;
        // on a thread of its own, so that a caller inside another runtime does no harm
        let started = std::thread::scope(|scope| {
            let up = scope.spawn(|| runtime.block_on(up(&config, store, heads)));
            up.join().map_err(|_| start("the network stack panicked"))?
        });
        match started {
            Ok((ipfs, endpoint, engine, address)) => Ok(Self {
                ipfs,
                endpoint,
                engine,
                address,
                runtime: Some(runtime),
            }),
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// Starts a node without listeners, for those who only fetch. It serves nobody.
    ///
    /// # Errors
    /// [`NodeError::Start`].
    pub fn start_client_only(libp2p_key: [u8; 32], iroh_key: [u8; 32]) -> Result<Self, NodeError> {
        let config = NodeConfig {
            libp2p_key,
            iroh_key,
            listen: Vec::new(),
            iroh_listen: None,
            access: Access::Peers(Default::default()),
        };
        Self::start(
            config,
            Arc::new(crate::nothing::Nothing),
            Arc::new(crate::nothing::Nothing),
        )
    }

    /// How others reach this node: what goes into a ticket.
    pub fn address(&self) -> NodeAddress {
        self.address.clone()
    }

    /// Asks `from` for the newest head of `vault`. The bytes are as untrusted as any.
    ///
    /// # Errors
    /// [`NodeError::HeadNotFound`]; [`NodeError::Unreachable`]; [`NodeError::Timeout`] after
    /// `timeout`; [`NodeError::Protocol`] when the answer is not one, or is over 64 KiB.
    pub fn fetch_head(
        &self,
        from: &NodeAddress,
        vault: &VaultId,
        timeout: Duration,
    ) -> Result<Vec<u8>, NodeError> {
        let runtime = self.runtime.as_ref().ok_or(NodeError::Stopped)?;
        let (reply, answer) = std::sync::mpsc::channel();
        let ask = head::fetch(self.endpoint.clone(), from.clone(), *vault, timeout);
        runtime.spawn(async move {
            let _ = reply.send(ask.await); // the caller is waiting below
        });
        answer.recv().unwrap_or(Err(NodeError::Stopped))
    }

    /// Fetches blocks from whichever of `from` has them and hands each, checked against its CID,
    /// to `on_block` on this thread, in any order. Up to 32 blocks of each peer are under way at a
    /// time, so at most 32 MiB a peer wait in memory.
    ///
    /// `timeout` is how long a peer may stay silent while it owes an answer; it is then given up.
    /// Connections that were lost, or silent for half that time, are made anew.
    ///
    /// # Errors
    /// [`NodeError::Address`]; [`NodeError::Unreachable`] or [`NodeError::Timeout`] when no peer
    /// was reached; [`NodeError::Sink`] when `on_block` failed, which ends the fetch. Blocks that
    /// nobody gave are listed in the report.
    pub fn fetch(
        &self,
        from: &[NodeAddress],
        cids: &[Cid],
        timeout: Duration,
        on_block: &mut BlockSink<'_>,
    ) -> Result<FetchReport, NodeError> {
        let network = Network {
            engine: &self.engine,
            ipfs: &self.ipfs,
            runtime: self.runtime.as_ref().ok_or(NodeError::Stopped)?.handle(),
        };
        fetch(network, from, cids, timeout, on_block)
    }

    /// Changes who may read blocks, from the next answer on.
    pub fn set_access(&self, access: Access) {
        let current = self.engine.access.write();
        *current.unwrap_or_else(PoisonError::into_inner) = access;
    }

    /// What passed through the node since it started.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Closes all connections and frees the ports before it returns, within a few seconds.
    pub fn stop(mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        let (done, wait) = std::sync::mpsc::channel();
        let (ipfs, endpoint) = (self.ipfs.clone(), self.endpoint.clone());
        let streams = self.engine.streams.clone();
        runtime.spawn(async move {
            // say goodbye, so that peers need not find out by themselves
            streams.close_all();
            let begun = Instant::now();
            while streams.count() > 0 && begun.elapsed() < GOODBYE_TIMEOUT {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            ipfs.exit_daemon().await;
            endpoint.close().await;
            let _ = done.send(()); // the caller may have given up
        });
        let _ = wait.recv_timeout(STOP_TIMEOUT);
        runtime.shutdown_timeout(STOP_TIMEOUT);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn start(error: impl ToString) -> NodeError {
    NodeError::Start(error.to_string())
}

async fn up(
    config: &NodeConfig,
    store: Arc<dyn BlockStore>,
    heads: Arc<dyn HeadSource>,
) -> Result<(Ipfs, Endpoint, Arc<Engine>, NodeAddress), NodeError> {
    let listen = config.listen.iter().map(|text| multiaddr(text));
    let listen = listen.collect::<Result<Vec<_>, _>>()?;
    let host = vault_host::start(config.libp2p_key, listen).await;
    let Host {
        ipfs,
        streams,
        inbound,
        peer,
        addrs,
    } = host.map_err(start)?;
    let engine = Engine::new(streams, store, config.access.clone());
    tokio::spawn(Arc::clone(&engine).accept(inbound));
    let endpoint = start_iroh(config).await?;
    let mut endpoint_addrs = Vec::new();
    if config.iroh_listen.is_some() {
        tokio::spawn(head::serve(endpoint.clone(), heads));
        endpoint_addrs = reachable(&endpoint);
    }
    let address = NodeAddress {
        peer: peer_key(&peer)?,
        addrs: addrs.iter().map(ToString::to_string).collect(),
        endpoint: PublicKey::from_bytes(*endpoint.id().as_bytes()),
        endpoint_addrs,
        relays: Vec::new(),
    };
    Ok((ipfs, endpoint, engine, address))
}

async fn start_iroh(config: &NodeConfig) -> Result<Endpoint, NodeError> {
    let mut builder = Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .secret_key(SecretKey::from_bytes(&config.iroh_key));
    if let Some(addr) = config.iroh_listen {
        builder = builder
            .clear_ip_transports()
            .alpns(vec![head::ALPN.to_vec()])
            .bind_addr(addr)
            .map_err(start)?;
    }
    builder.bind().await.map_err(start)
}

/// Addresses under which the endpoint can be dialled: those it is bound to, or for "any address"
/// those of this machine's network interfaces.
fn reachable(endpoint: &Endpoint) -> Vec<String> {
    let bound = endpoint.bound_sockets().into_iter();
    let mut addrs: Vec<_> = bound.filter(|addr| !addr.ip().is_unspecified()).collect();
    if addrs.is_empty() {
        addrs.extend(endpoint.addr().ip_addrs());
    }
    addrs.iter().map(ToString::to_string).collect()
}
