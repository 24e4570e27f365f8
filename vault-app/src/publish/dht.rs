//! The DHT of IPFS as a place for the vault's name, and for who has its head.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use vault_core::{Cid, Device, Head, IpnsRecord, SigningKey};
use vault_node::Node;

use super::{Published, Publisher};
use crate::error::{Error, Exit, Result};
use crate::time;

/// Puts the vault's record into the DHT and announces the head's block.
///
/// Nothing but the head is announced: who reads it gets the rest from the same node. When the head
/// moves, the old announcement is not renewed and ends by itself.
pub struct Dht {
    /// The node that serves; it must be able to end while this waits for the network.
    node: Weak<Node>,
    device: Arc<Device>,
    /// Whether strangers get blocks, so that an announcement is of use.
    announces: bool,
    announced: Mutex<Option<Cid>>,
}

impl Dht {
    /// Publishes through `node`. `announces`: also that it has the head.
    pub fn new(node: &Arc<Node>, device: Arc<Device>, announces: bool) -> Self {
        Self {
            node: Arc::downgrade(node),
            device,
            announces,
            announced: Mutex::default(),
        }
    }

    fn announce(&self, node: &Node, head: Cid) -> Result<()> {
        let mut announced = self
            .announced
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = announced.filter(|old| *old != head) {
            node.stop_providing(&old)?;
            *announced = None;
        }
        node.provide(&head)?;
        *announced = Some(head);
        Ok(())
    }
}

impl Publisher for Dht {
    fn name(&self) -> &'static str {
        "dht"
    }

    fn publish(&self, head: &Head, _: &SigningKey) -> Result<Published> {
        let stopping = || Error::new(Exit::Network, "stopping", "the node is stopping");
        let node = self.node.upgrade().ok_or_else(stopping)?;
        let record = IpnsRecord::for_head(&self.device, head, time::now());
        node.publish_name(&self.device.ipns_name(), record.as_bytes())?;
        if self.announces {
            // beside the name a courtesy, which a node without an address of its own cannot do
            let _ = self.announce(&node, head.block().cid());
        }
        Ok(Published {
            valid_until: record.valid_until(),
        })
    }
}
