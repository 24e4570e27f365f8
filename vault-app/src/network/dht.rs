//! The DHT of IPFS, where the settings ask for it: the newest head under the vault's name, and
//! blocks from whoever says to have that head.
//!
//! Nothing it says is believed for that: the hash names the block, and the head is taken only if it
//! is signed and continues what was seen.

use std::sync::Arc;

use vault_core::{Block, IpnsName, NodeAddress, PublicKey};
use vault_node::{DhtConfig, Node, NodeError, best_record};

use super::{Network, PATIENCE, lock};
use crate::config::{Config, Dht};
use crate::time;

/// How this home takes part in the DHT.
pub(crate) fn settings(config: &Config) -> Option<DhtConfig> {
    let server = match config.ipfs.dht {
        Dht::Off => return None,
        Dht::Client => false,
        Dht::Server => true,
    };
    Some(DhtConfig {
        server,
        bootstrap: config.ipfs.bootstrap.clone(),
    })
}

/// Where the DHT leads to.
pub(super) struct Found {
    /// The newest head, unchecked.
    pub(super) head: Vec<u8>,
    /// Who says to have it, and so the rest.
    pub(super) providers: Vec<NodeAddress>,
}

impl Found {
    /// Follows a name. `None`: it leads nowhere now.
    fn by_name(node: &Node, name: &IpnsName) -> Result<Option<Self>, NodeError> {
        let records = node.resolve_names(name, PATIENCE)?;
        let Some(record) = best_record(&records, name, time::now()) else {
            return Ok(None);
        };
        let providers = node.find_providers(&record.head(), PATIENCE)?;
        if providers.is_empty() {
            return Ok(None);
        }
        let mut head = None;
        let mut take = |block: Block| {
            head = Some(block.into_data());
            Ok(())
        };
        node.fetch(&providers, &[record.head()], PATIENCE, &mut take)?;
        Ok(head.map(|head| Self { head, providers }))
    }
}

impl Network {
    /// Where the DHT led to before.
    pub(super) fn known_in_dht(&self, name: &PublicKey) -> Option<Arc<Found>> {
        lock(&self.found).get(name).cloned()
    }

    /// Where the DHT leads to. `None`: it is not to be asked, or leads nowhere.
    pub(super) fn in_dht(&self, name: &PublicKey) -> Result<Option<Arc<Found>>, NodeError> {
        if self.places.dht.is_none() {
            return Ok(None);
        }
        if let Some(found) = self.known_in_dht(name) {
            return Ok(Some(found));
        }
        let found = Found::by_name(&*self.node()?, &IpnsName::new(*name))?.map(Arc::new);
        if let Some(found) = &found {
            lock(&self.found).insert(*name, found.clone());
        }
        Ok(found)
    }
}
