//! Blocks from a patient's node: over iroh as a reader who holds a grant, else over bitswap.
//!
//! iroh comes first. The connection that brought the head has found the way through address
//! translation already, a private node answers nowhere else, and nobody else is asked what is
//! wanted. A node that does not speak it, or cannot be reached so, is asked over bitswap for the
//! rest of the command.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vault_core::{Block, Cid, Ends, Fetcher, NodeAddress, SourceError, VaultId, sign_block_access};
use vault_node::NodeError;

use crate::network::{Network, PATIENCE};
use crate::time;

/// One patient's node.
pub struct PatientNode {
    network: Arc<Network>,
    address: NodeAddress,
    vault: VaultId,
    over_iroh: AtomicBool,
}

impl PatientNode {
    /// The node at `address`, which has the blocks of `vault`.
    pub fn new(network: Arc<Network>, address: NodeAddress, vault: VaultId) -> Self {
        let reachable = !address.endpoint_addrs.is_empty() || !address.relays.is_empty();
        Self {
            network,
            address,
            vault,
            over_iroh: AtomicBool::new(reachable),
        }
    }

    fn fetch_iroh(&self, cids: &[Cid], blocks: &mut Vec<Block>) -> Result<(), NodeError> {
        let statement =
            |ends: &Ends| sign_block_access(self.network.device(), &self.vault, ends, time::now());
        let mut take = |block: Block| {
            blocks.push(block);
            Ok(())
        };
        let node = self.network.node()?;
        node.fetch_as_reader(
            &self.address,
            &self.vault,
            &statement,
            cids,
            PATIENCE,
            &mut take,
        )
        .map(|_| ())
    }

    fn fetch_bitswap(&self, cids: &[Cid], blocks: &mut Vec<Block>) -> Result<(), NodeError> {
        let mut take = |block: Block| {
            blocks.push(block);
            Ok(())
        };
        let from = std::slice::from_ref(&self.address);
        let node = self.network.node()?;
        node.fetch(from, cids, PATIENCE, &mut take).map(|_| ())
    }
}

impl Fetcher for PatientNode {
    fn fetch(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError> {
        let mut blocks = Vec::with_capacity(cids.len());
        let mut hindered = None;
        if self.over_iroh.load(Ordering::Relaxed)
            && let Err(error) = self.fetch_iroh(cids, &mut blocks)
        {
            self.over_iroh.store(false, Ordering::Relaxed);
            hindered = Some(error);
        }
        let got: HashSet<Cid> = blocks.iter().map(Block::cid).collect();
        let rest: Vec<Cid> = cids
            .iter()
            .filter(|cid| !got.contains(cid))
            .copied()
            .collect();
        if !rest.is_empty()
            && !self.address.addrs.is_empty()
            && let Err(error) = self.fetch_bitswap(&rest, &mut blocks)
        {
            // that it refuses us says more than that it cannot be reached elsewhere
            hindered = match hindered {
                Some(refused @ NodeError::Refused { .. }) => Some(refused),
                _ => Some(error),
            };
        }
        match hindered {
            // what came is worth keeping; the rest is asked for again, and then the error counts
            Some(error) if blocks.is_empty() => Err(source_error(&error)),
            _ => Ok(blocks),
        }
    }
}

fn source_error(error: &NodeError) -> SourceError {
    match error {
        NodeError::Refused { .. } => SourceError::Refused(error.to_string()),
        _ => SourceError::Network(error.to_string()),
    }
}
