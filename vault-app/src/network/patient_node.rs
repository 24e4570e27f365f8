//! Blocks from a patient's node: over iroh as a reader who holds a grant, else over bitswap.
//!
//! iroh comes first. The connection that brought the head has found the way through address
//! translation already, a private node answers nowhere else, and nobody else is asked what is
//! wanted. A node that does not speak it, or cannot be reached so, is asked over bitswap for the
//! rest of the time that the network is open.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vault_core::{Block, Cid, Ends, NodeAddress, VaultId, sign_block_access};
use vault_node::{BlockSink, NodeError};

use super::{Network, PATIENCE};
use crate::time;

/// One patient's node.
pub(super) struct PatientNode {
    network: Arc<Network>,
    address: NodeAddress,
    vault: VaultId,
    over_iroh: AtomicBool,
}

impl PatientNode {
    /// The node at `address`, which has the blocks of `vault`.
    pub(super) fn new(network: Arc<Network>, address: NodeAddress, vault: VaultId) -> Self {
        let over_iroh = AtomicBool::new(has_iroh(&address));
        Self {
            network,
            address,
            vault,
            over_iroh,
        }
    }

    /// Whether there is any address to ask at.
    pub(super) fn is_known(&self) -> bool {
        has_iroh(&self.address) || !self.address.addrs.is_empty()
    }

    /// Hands what comes to `take`. That it refuses us says more than that it cannot be reached
    /// otherwise.
    pub(super) fn fetch(&self, cids: &[Cid], take: &mut BlockSink<'_>) -> Result<(), NodeError> {
        let mut got = HashSet::new();
        let mut count = |block: Block| {
            got.insert(block.cid());
            take(block)
        };
        let mut hindered = None;
        if self.over_iroh.load(Ordering::Relaxed)
            && let Err(error) = self.over_iroh(cids, &mut count)
        {
            self.over_iroh.store(false, Ordering::Relaxed);
            hindered = Some(error);
        }
        let rest: Vec<Cid> = cids
            .iter()
            .filter(|cid| !got.contains(cid))
            .copied()
            .collect();
        if rest.is_empty() {
            return Ok(());
        }
        if !self.address.addrs.is_empty() {
            let from = std::slice::from_ref(&self.address);
            let node = self.network.node()?;
            match (node.fetch(from, &rest, PATIENCE, take), &hindered) {
                (_, Some(NodeError::Refused { .. })) => {}
                // this build speaks iroh alone: what that said is all there is to say
                (Err(NodeError::NotBuilt), _) => {}
                (Ok(_), _) => return Ok(()),
                (Err(error), _) => hindered = Some(error),
            }
        }
        hindered.map_or(Ok(()), Err)
    }

    fn over_iroh(&self, cids: &[Cid], take: &mut BlockSink<'_>) -> Result<(), NodeError> {
        let statement =
            |ends: &Ends| sign_block_access(self.network.device(), &self.vault, ends, time::now());
        let node = self.network.node()?;
        let (from, vault) = (&self.address, &self.vault);
        node.fetch_as_reader(from, vault, &statement, cids, PATIENCE, take)
            .map(drop)
    }
}

fn has_iroh(address: &NodeAddress) -> bool {
    !address.endpoint_addrs.is_empty() || !address.relays.is_empty()
}
