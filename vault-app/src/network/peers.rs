//! The peers of a pinning service, asked for what they have.

use vault_core::pinning::BlockFetch;
use vault_core::{Block, Cid, NodeAddress, SourceError};
use vault_node::Node;

use super::{PATIENCE, random_seed};
use crate::error::Result;

/// Asks these peers over bitswap, and nobody else: no own store, no gateway, no other peer.
pub struct PeersFetch {
    /// A node of the moment, with keys of the moment, without listeners; there until it is dropped.
    node: Option<Node>,
    peers: Vec<NodeAddress>,
}

impl PeersFetch {
    /// Starts a node that asks `peers`.
    ///
    /// # Errors
    /// When it cannot start.
    pub fn start(peers: Vec<NodeAddress>) -> Result<Self> {
        let node = Node::start_client_only(random_seed()?, random_seed()?)?;
        Ok(Self {
            node: Some(node),
            peers,
        })
    }
}

impl Drop for PeersFetch {
    fn drop(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop();
        }
    }
}

impl BlockFetch for PeersFetch {
    fn fetch_present(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError> {
        let Some(node) = &self.node else {
            return Ok(Vec::new());
        };
        let mut blocks = Vec::with_capacity(cids.len());
        let mut take = |block: Block| {
            blocks.push(block);
            Ok(())
        };
        node.fetch(&self.peers, cids, PATIENCE, &mut take)
            .map_err(|error| SourceError::Network(error.to_string()))?;
        Ok(blocks)
    }
}
