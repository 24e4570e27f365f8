//! The node: an embedded IPFS node for blocks (see `ipfs`) and an iroh endpoint for heads, behind a
//! blocking interface.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use iroh::{Endpoint, Watcher as _};
use tokio::runtime::Runtime;
use vault_core::{BlockStore, Cid, Ends, NodeAddress, PublicKey, VaultId};

use crate::accept::{self, Services};
use crate::access::serve::AccessServer;
use crate::block::fetch::{Asker, Links, Route};
use crate::block::serve::{BlockServer, ReaderSource};
use crate::block::{BlockSink, FetchReport};
use crate::config::{Access, IrohStats, NodeConfig, Stats};
use crate::deposit::serve::DepositServer;
use crate::endpoint::{learn_relays, reachable, start_endpoint, wait_for_relay};
use crate::error::NodeError;
use crate::exchange::client::Kept;
use crate::head::{self, HeadSource};
use crate::ipfs::IpfsSide;
use crate::naming::DhtConfig;
use crate::relay::{Announced, Relay};

/// Longest wait for tasks when the node stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// A running node.
///
/// It contacts nobody but the addresses and relays it is given, here or in a ticket: no DHT
/// unless it is configured and no bootstrap peers but those named there, no mDNS, no gateways, and
/// name servers only for a relay that has a name.
///
/// All calls block. They may be made from several threads at once, but not from asynchronous
/// code.
pub struct Node {
    // last in, first out: the runtime goes last
    ipfs: Arc<IpfsSide>,
    endpoint: Endpoint,
    services: Arc<Services>,
    links: Links,
    kept: Kept,
    answers: bool,
    relays: Vec<Relay>,
    announced: Vec<Announced>,
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
            Ok(up) => Ok(Self {
                ipfs: Arc::new(up.ipfs),
                endpoint: up.endpoint,
                services: up.services,
                links: Links::default(),
                kept: Kept::default(),
                answers: config.answers(),
                relays: config.relays.clone(),
                announced: config.announced.clone(),
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
        Self::start_client(libp2p_key, iroh_key, None)
    }

    /// The same, with the DHT if it is configured.
    ///
    /// # Errors
    /// [`NodeError::Start`]; [`NodeError::Address`] for a bootstrap node that cannot be dialled.
    pub fn start_client(
        libp2p_key: [u8; 32],
        iroh_key: [u8; 32],
        dht: Option<DhtConfig>,
    ) -> Result<Self, NodeError> {
        let mut config = NodeConfig::new(libp2p_key, iroh_key);
        config.dht = dht;
        Self::start(
            config,
            Arc::new(crate::nothing::Nothing),
            Arc::new(crate::nothing::Nothing),
        )
    }

    /// How others reach this node now: what goes into a ticket. Announced addresses come first.
    pub fn address(&self) -> NodeAddress {
        let announced = self.announced.iter().filter_map(|one| match one {
            Announced::Blocks(_) => None, // the IPFS side knows those
            Announced::Iroh(addr) => Some(addr.to_string()),
        });
        let (mut endpoint_addrs, mut relays) = (Vec::new(), Vec::new());
        if self.answers {
            endpoint_addrs = unique(announced.chain(reachable(&self.endpoint)));
            let home = self.endpoint.addr();
            relays = home.relay_urls().map(ToString::to_string).collect();
            if relays.is_empty() {
                relays = self.relays.iter().map(ToString::to_string).collect();
            }
        }
        NodeAddress {
            peer: self.ipfs.peer(),
            addrs: unique(self.ipfs.addrs().into_iter()),
            endpoint: self.endpoint_id(),
            endpoint_addrs,
            relays,
        }
    }

    /// This node's iroh endpoint id.
    pub fn endpoint_id(&self) -> PublicKey {
        PublicKey::from_bytes(*self.endpoint.id().as_bytes())
    }

    /// Looks where the node listens now, and returns how others reach it: the machine may have
    /// come to another network.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub fn look_around(&self) -> Result<NodeAddress, NodeError> {
        let ipfs = self.ipfs();
        self.block_on(async move { ipfs.look_around().await })?;
        Ok(self.address())
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
        let (endpoint, relays) = (self.endpoint.clone(), from.relays.clone());
        let ask = head::fetch(self.endpoint.clone(), from.clone(), *vault, timeout);
        self.block_on(async move {
            learn_relays(&endpoint, &relays).await;
            ask.await
        })
    }

    pub(crate) fn ipfs(&self) -> Arc<IpfsSide> {
        Arc::clone(&self.ipfs)
    }

    pub(crate) fn services(&self) -> &Services {
        &self.services
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Connections that are kept for further messages.
    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    pub(crate) fn spawn(
        &self,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), NodeError> {
        let runtime = self.runtime.as_ref().ok_or(NodeError::Stopped)?;
        runtime.spawn(work);
        Ok(())
    }

    /// Does `work` on the node's runtime, and waits for it.
    pub(crate) fn block_on<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, NodeError>> + Send + 'static,
    ) -> Result<T, NodeError> {
        let (reply, answer) = std::sync::mpsc::channel();
        self.spawn(async move {
            let _ = reply.send(work.await); // the caller is waiting below
        })?;
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
    /// was reached; [`NodeError::Sink`] when `on_block` failed, which ends the fetch;
    /// [`NodeError::NotBuilt`] without the feature `ipfs`. Blocks that nobody gave are listed in
    /// the report.
    pub fn fetch(
        &self,
        from: &[NodeAddress],
        cids: &[Cid],
        timeout: Duration,
        on_block: &mut BlockSink<'_>,
    ) -> Result<FetchReport, NodeError> {
        let runtime = self.runtime.as_ref().ok_or(NodeError::Stopped)?;
        let ipfs = &self.ipfs;
        ipfs.fetch(runtime.handle(), from, cids, timeout, on_block)
    }

    /// Fetches blocks of `vault` over iroh from a patient's node that gives them to readers only,
    /// and hands each, checked against its CID, to `on_block` on this thread, in the order asked
    /// for. `statement` signs who asks ([`vault_core::sign_block_access`]) for the connection
    /// between the two ends. The connection is kept for the next call.
    ///
    /// `timeout` is how long the node may stay silent.
    ///
    /// # Errors
    /// [`NodeError::Refused`]; [`NodeError::Address`]; [`NodeError::Unreachable`];
    /// [`NodeError::Timeout`]; [`NodeError::Protocol`] when the node answers something else than
    /// was asked; [`NodeError::Sink`] when `on_block` failed. Blocks that came before an error
    /// have been handed over. Blocks that the node does not have are listed in the report.
    pub fn fetch_as_reader(
        &self,
        from: &NodeAddress,
        vault: &VaultId,
        statement: &dyn Fn(&Ends) -> Vec<u8>,
        cids: &[Cid],
        timeout: Duration,
        on_block: &mut BlockSink<'_>,
    ) -> Result<FetchReport, NodeError> {
        let ends = Ends {
            server: from.endpoint,
            client: self.endpoint_id(),
        };
        let asker = Asker {
            endpoint: &self.endpoint,
            links: &self.links,
            runtime: self.runtime.as_ref().ok_or(NodeError::Stopped)?.handle(),
            from,
            vault: *vault,
            statement: statement(&ends),
            timeout,
        };
        asker.fetch(cids, on_block)
    }

    /// How blocks of `vault` travel from `from` over iroh; `None` without a connection.
    pub fn route(&self, from: &NodeAddress, vault: &VaultId) -> Option<Route> {
        self.links.route(&from.endpoint, vault)
    }

    /// Changes who may read blocks over iroh, from the next request on. Nobody may until then.
    pub fn set_readers(&self, source: impl ReaderSource + 'static) {
        self.services.blocks.source.set(Arc::new(source));
    }

    /// Changes who may read blocks over bitswap, from the next answer on.
    pub fn set_access(&self, access: Access) {
        self.ipfs.set_access(access);
    }

    /// What passed through iroh since the node started.
    pub fn iroh_stats(&self) -> IrohStats {
        let counters = &self.services.blocks.counters;
        let status = self.endpoint.home_relay_status().get();
        IrohStats {
            heads_served: self.services.heads_served.load(Ordering::Relaxed),
            blocks_sent: counters.blocks_sent.load(Ordering::Relaxed),
            bytes_sent: counters.bytes_sent.load(Ordering::Relaxed),
            refused: counters.refused.load(Ordering::Relaxed),
            access: self.services.access.stats(),
            deposits: self.services.deposits.stats(),
            relays: self.relays.len(),
            relay_connected: status.iter().any(|relay| relay.is_connected()),
        }
    }

    /// What passed through bitswap since the node started.
    pub fn stats(&self) -> Stats {
        self.ipfs.stats()
    }

    /// Takes no new requests over iroh, but for heads, and lets answers and deposits end for up to
    /// `limit`. Returns how many are still under way then.
    pub fn drain(&self, limit: Duration) -> usize {
        let services = Arc::clone(&self.services);
        let left = self.block_on(async move {
            let (blocks, access, deposits) = tokio::join!(
                services.blocks.drain(limit),
                services.access.connections.drain(limit),
                services.deposits.connections.drain(limit),
            );
            Ok(blocks + access + deposits)
        });
        left.unwrap_or(0) // stopped
    }

    /// Closes all connections over iroh without waiting for that: whoever waits for an answer gets an
    /// error. The node is of no use afterwards but to be stopped.
    pub fn hang_up(&self) {
        let endpoint = self.endpoint.clone();
        // only while the node stops there is nothing to close
        let _ = self.spawn(async move { endpoint.close().await });
    }

    /// Closes all connections and frees the ports before it returns, within a few seconds.
    pub fn stop(mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        let (done, wait) = std::sync::mpsc::channel();
        let (ipfs, endpoint) = (self.ipfs(), self.endpoint.clone());
        runtime.spawn(async move {
            ipfs.stop().await;
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

/// The first of each.
fn unique(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut all = Vec::new();
    for text in texts {
        if !all.contains(&text) {
            all.push(text);
        }
    }
    all
}

/// A node's parts.
struct Up {
    ipfs: IpfsSide,
    endpoint: Endpoint,
    services: Arc<Services>,
}

async fn up(
    config: &NodeConfig,
    store: Arc<dyn BlockStore>,
    heads: Arc<dyn HeadSource>,
) -> Result<Up, NodeError> {
    let ipfs = IpfsSide::start(config, store.clone()).await?;
    let endpoint = start_endpoint(config).await?;
    let own = PublicKey::from_bytes(*endpoint.id().as_bytes());
    let services = Arc::new(Services {
        heads,
        heads_served: Default::default(),
        blocks: BlockServer::new(store, own),
        access: AccessServer::new(own),
        deposits: DepositServer::new(own),
    });
    if config.answers() {
        tokio::spawn(accept::serve(endpoint.clone(), Arc::clone(&services)));
        wait_for_relay(&endpoint, config).await;
    }
    Ok(Up {
        ipfs,
        endpoint,
        services,
    })
}
