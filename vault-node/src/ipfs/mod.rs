//! The IPFS half of a node: blocks over bitswap, and the DHT.
//!
//! Compiled with the feature `ipfs`. Without it `absent.rs` stands in its place, with the same
//! functions.

pub(crate) mod dial;
mod naming;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rust_ipfs::Ipfs;
use tokio::runtime::Handle;
use vault_core::{BlockStore, Cid, NodeAddress, PublicKey};
use vault_host::Host;
use vault_host::dht::Dht;

use crate::bitswap::engine::{Engine, lock};
use crate::bitswap::fetch::{Network, fetch};
use crate::block::{BlockSink, FetchReport};
use crate::config::{Access, NodeConfig, Stats};
use crate::error::NodeError;
use crate::relay::Announced;

/// Longest wait for peers to take note that the node stops.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(500);

/// An embedded IPFS node.
pub(crate) struct IpfsSide {
    ipfs: Ipfs,
    engine: Arc<Engine>,
    dht: Option<Dht>,
    peer: PublicKey,
    announced: Vec<String>,
    /// Where it listens.
    addrs: Mutex<Vec<String>>,
}

impl IpfsSide {
    /// Starts an IPFS node that serves blocks of `store`.
    ///
    /// # Errors
    /// [`NodeError::Address`]; [`NodeError::Start`].
    pub(crate) async fn start(
        config: &NodeConfig,
        store: Arc<dyn BlockStore>,
    ) -> Result<Self, NodeError> {
        let announced: Vec<String> = config
            .announced
            .iter()
            .filter_map(|one| match one {
                Announced::Blocks(addr) => Some(addr.clone()),
                Announced::Iroh(_) => None,
            })
            .collect();
        let settings = vault_host::Config {
            listen: dial::multiaddrs(&config.listen)?,
            announce: dial::multiaddrs(&announced)?,
            dht: config.dht.as_ref().map(naming::settings).transpose()?,
        };
        let host = vault_host::start(config.libp2p_key, settings).await;
        let Host {
            ipfs,
            streams,
            inbound,
            dht,
            peer,
            addrs,
        } = host.map_err(NodeError::Start)?;
        let engine = Engine::new(streams, store, config.access.clone());
        tokio::spawn(Arc::clone(&engine).accept(inbound));
        Ok(Self {
            ipfs,
            engine,
            dht,
            peer: dial::peer_key(&peer)?,
            announced,
            addrs: Mutex::new(addrs.iter().map(ToString::to_string).collect()),
        })
    }

    /// The key that is the peer id.
    pub(crate) fn peer(&self) -> PublicKey {
        self.peer
    }

    /// Where it is reached: announced addresses first, then those it listens at. One may come
    /// twice.
    pub(crate) fn addrs(&self) -> Vec<String> {
        let mut all = self.announced.clone();
        all.extend(lock(&self.addrs).iter().cloned());
        all
    }

    /// Looks where it listens now.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    pub(crate) async fn look_around(&self) -> Result<(), NodeError> {
        let found = self.ipfs.listening_addresses().await;
        let found = found.map_err(|_| NodeError::Stopped)?;
        *lock(&self.addrs) = found.iter().map(ToString::to_string).collect();
        Ok(())
    }

    /// As [`crate::Node::fetch`].
    pub(crate) fn fetch(
        &self,
        runtime: &Handle,
        from: &[NodeAddress],
        cids: &[Cid],
        timeout: Duration,
        on_block: &mut BlockSink<'_>,
    ) -> Result<FetchReport, NodeError> {
        let network = Network {
            engine: &self.engine,
            ipfs: &self.ipfs,
            runtime,
        };
        fetch(network, from, cids, timeout, on_block)
    }

    /// Changes who may read blocks, from the next answer on.
    pub(crate) fn set_access(&self, access: Access) {
        let current = self.engine.access.write();
        *current.unwrap_or_else(PoisonError::into_inner) = access;
    }

    /// What passed through bitswap.
    pub(crate) fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Closes all connections and stops listening.
    pub(crate) async fn stop(&self) {
        let streams = &self.engine.streams;
        // say goodbye, so that peers need not find out by themselves
        streams.close_all();
        let begun = Instant::now();
        while streams.count() > 0 && begun.elapsed() < GOODBYE_TIMEOUT {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.ipfs.clone().exit_daemon().await;
    }
}
