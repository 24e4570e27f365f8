//! Finding and being found through the DHT: IPNS records, and who has a block.
//!
//! Off unless the configuration says otherwise. Whoever watches the DHT then sees that this node
//! publishes or asks for a name; the name is a key that says nothing about a person, but the
//! address of the node goes with it.
//!
//! Of a vault, only the block of the newest head is announced. A reader comes to it by the name,
//! and a node that has the head has the rest: the head links to the pin set, and the node serves
//! or keeps all that this lists. So everything else is asked from the same node over bitswap.
//! Announcing every block would cost a record each on twenty nodes and show how many there are.
//!
//! Without the feature `ipfs` every call gives [`NodeError::NotBuilt`].

use std::time::Duration;

use vault_core::{Cid, IpnsName, IpnsRecord, MAX_IPNS_RECORD_LEN, NodeAddress};

use crate::error::NodeError;
use crate::node::Node;

/// How a node takes part in the DHT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DhtConfig {
    /// Whether it keeps records for others too. For a node that everybody can reach.
    pub server: bool,
    /// The nodes to ask first: multiaddrs of IP addresses that end in `/p2p/` and a peer id. When
    /// none of them is a public address, this is a private network, with the protocol that IPFS
    /// has for those.
    pub bootstrap: Vec<String>,
}

impl Node {
    /// Puts a signed record under `name`; how many nodes of the DHT took it. They keep it until it
    /// ends, at most 48 hours.
    ///
    /// # Errors
    /// [`NodeError::DhtOff`] or [`NodeError::NotBuilt`]; [`NodeError::Dht`] when there was nobody
    /// to take it.
    pub fn publish_name(&self, name: &IpnsName, record: &[u8]) -> Result<usize, NodeError> {
        let (ipfs, key, value) = (self.ipfs(), name.routing_key(), record.to_vec());
        self.block_on(async move { ipfs.put(key, value).await })
    }

    /// All records that the DHT has under `name`, as they are: strangers may have put there what
    /// they like. [`best_record`] chooses.
    ///
    /// # Errors
    /// [`NodeError::DhtOff`] or [`NodeError::NotBuilt`]; [`NodeError::Dht`] when nobody answered
    /// within `timeout`.
    pub fn resolve_names(
        &self,
        name: &IpnsName,
        timeout: Duration,
    ) -> Result<Vec<Vec<u8>>, NodeError> {
        let (ipfs, key) = (self.ipfs(), name.routing_key());
        self.block_on(async move { ipfs.get(key, timeout).await })
    }

    /// Announces that this node has a block, now and every 22 hours; how many nodes were told.
    ///
    /// # Errors
    /// [`NodeError::DhtOff`] or [`NodeError::NotBuilt`]; [`NodeError::Dht`] when there was nobody
    /// to tell, or there is no address at which others reach this node.
    pub fn provide(&self, cid: &Cid) -> Result<usize, NodeError> {
        let (ipfs, key) = (self.ipfs(), provider_key(cid));
        self.block_on(async move { ipfs.provide(key).await })
    }

    /// Announces a block no more. What is out expires by itself, within 48 hours.
    ///
    /// # Errors
    /// [`NodeError::DhtOff`] or [`NodeError::NotBuilt`].
    pub fn stop_providing(&self, cid: &Cid) -> Result<(), NodeError> {
        self.ipfs().stop_providing(provider_key(cid))
    }

    /// Who says it has a block, other than this node, for [`Node::fetch`]. Only peers with
    /// Ed25519 keys and addresses that can be dialled are listed. Their endpoint id is not known:
    /// it stands for nobody and has no address.
    ///
    /// # Errors
    /// As for [`Node::resolve_names`].
    pub fn find_providers(
        &self,
        cid: &Cid,
        timeout: Duration,
    ) -> Result<Vec<NodeAddress>, NodeError> {
        let (ipfs, key) = (self.ipfs(), provider_key(cid));
        self.block_on(async move { ipfs.providers(key, timeout).await })
    }
}

/// The record that everybody takes: signed under `name`, not ended at `now` (in seconds since
/// 1970-01-01 UTC), with the highest number.
pub fn best_record(records: &[Vec<u8>], name: &IpnsName, now: u64) -> Option<IpnsRecord> {
    let valid = records
        .iter()
        .filter_map(|bytes| valid_record(bytes, name, now));
    valid.reduce(|best, next| match next.supersedes(&best) {
        true => next,
        false => best,
    })
}

/// A record that is signed under `name` and not ended at `now`.
pub(crate) fn valid_record(bytes: &[u8], name: &IpnsName, now: u64) -> Option<IpnsRecord> {
    if bytes.len() > MAX_IPNS_RECORD_LEN {
        return None;
    }
    IpnsRecord::from_bytes(bytes, name, now).ok()
}

/// Providers are filed under the hash alone, whatever the codec.
fn provider_key(cid: &Cid) -> Vec<u8> {
    // version and codec are one byte each
    cid.to_bytes()[2..].to_vec()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use vault_core::{Block, Codec, SigningKey};

    /// A record under the name of a made-up key.
    pub(crate) fn record(seed: u8, sequence: u64, until: u64) -> (IpnsName, Vec<u8>) {
        let key = SigningKey::from_seed(&[seed; 32]);
        let head = Block::new(Codec::DagCbor, vec![0xa0]).unwrap().cid();
        let record = IpnsRecord::sign(&key, head, sequence, until);
        (IpnsName::new(key.public()), record.as_bytes().to_vec())
    }

    #[test]
    fn the_highest_number_wins_and_nothing_forged_or_ended_counts() {
        let (name, first) = record(1, 1, 1000);
        let (_, second) = record(1, 2, 1000);
        let (_, ended) = record(1, 3, 99);
        let (_, forged) = record(2, 9, 1000);
        let mut changed = second.clone();
        changed.reverse();
        let all = [second, ended, first.clone(), forged, changed, vec![]];
        let best = best_record(&all, &name, 100).unwrap();
        assert_eq!(best.sequence(), 2);
        assert_eq!(best_record(&all, &name, 1001), None);
        assert_eq!(
            best_record(&all[2..3], &name, 100).unwrap().as_bytes(),
            first
        );
    }
}
