//! What stands in for the IPFS half in a build without the feature `ipfs`, such as one for phones:
//! the node has a peer id for its tickets, listens nowhere and says so when it is asked.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use vault_core::{BlockStore, Cid, NodeAddress, PublicKey, SigningKey};

use crate::address::multiaddr;
use crate::block::{BlockSink, FetchReport};
use crate::config::{Access, NodeConfig, Stats};
use crate::error::NodeError;

/// No IPFS node.
pub(crate) struct IpfsSide {
    peer: PublicKey,
}

impl IpfsSide {
    /// Starts nothing. What the configuration says of bitswap and the DHT has no effect.
    ///
    /// # Errors
    /// [`NodeError::Address`], as in a full build.
    pub(crate) async fn start(
        config: &NodeConfig,
        _store: Arc<dyn BlockStore>,
    ) -> Result<Self, NodeError> {
        for addr in &config.listen {
            multiaddr(addr)?;
        }
        Ok(Self {
            peer: SigningKey::from_seed(&config.libp2p_key).public(),
        })
    }

    /// The key that is the peer id.
    pub(crate) fn peer(&self) -> PublicKey {
        self.peer
    }

    /// None: not even those that are announced, for nobody would answer there.
    pub(crate) fn addrs(&self) -> Vec<String> {
        Vec::new()
    }

    pub(crate) async fn look_around(&self) -> Result<(), NodeError> {
        Ok(())
    }

    pub(crate) fn fetch(
        &self,
        _runtime: &Handle,
        _from: &[NodeAddress],
        _cids: &[Cid],
        _timeout: Duration,
        _on_block: &mut BlockSink<'_>,
    ) -> Result<FetchReport, NodeError> {
        Err(NodeError::NotBuilt)
    }

    pub(crate) fn set_access(&self, _access: Access) {}

    pub(crate) fn stats(&self) -> Stats {
        Stats::default()
    }

    pub(crate) async fn put(&self, _key: Vec<u8>, _value: Vec<u8>) -> Result<usize, NodeError> {
        Err(NodeError::NotBuilt)
    }

    pub(crate) async fn get(
        &self,
        _key: Vec<u8>,
        _timeout: Duration,
    ) -> Result<Vec<Vec<u8>>, NodeError> {
        Err(NodeError::NotBuilt)
    }

    pub(crate) async fn provide(&self, _key: Vec<u8>) -> Result<usize, NodeError> {
        Err(NodeError::NotBuilt)
    }

    pub(crate) fn stop_providing(&self, _key: Vec<u8>) -> Result<(), NodeError> {
        Err(NodeError::NotBuilt)
    }

    pub(crate) async fn providers(
        &self,
        _key: Vec<u8>,
        _timeout: Duration,
    ) -> Result<Vec<NodeAddress>, NodeError> {
        Err(NodeError::NotBuilt)
    }

    pub(crate) async fn stop(&self) {}
}
