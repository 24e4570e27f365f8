//! The Kubo that has the blocks, as a place for the vault's name.

use std::sync::Arc;

use vault_core::{Device, Head, IpnsRecord, SigningKey};
use vault_http::KuboNode;

use super::{Published, Publisher};
use crate::error::Result;
use crate::time;

/// Has Kubo put the vault's record where its own routing says. The key stays here. Kubo announces
/// the blocks itself, as its `Provide` settings say.
pub struct Kubo {
    node: KuboNode,
    device: Arc<Device>,
}

impl Kubo {
    /// Publishes through `node`.
    pub const fn new(node: KuboNode, device: Arc<Device>) -> Self {
        Self { node, device }
    }
}

impl Publisher for Kubo {
    fn name(&self) -> &'static str {
        "kubo"
    }

    fn publish(&self, head: &Head, _: &SigningKey) -> Result<Published> {
        let record = IpnsRecord::for_head(&self.device, head, time::now());
        self.node.publish(&self.device.ipns_name(), &record)?;
        Ok(Published {
            valid_until: record.valid_until(),
        })
    }
}
