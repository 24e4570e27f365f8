//! A delegated routing server as a place for the vault's name.

use std::sync::Arc;

use vault_core::{Device, Head, IpnsRecord, SigningKey};
use vault_http::routing::Routing as Server;

use super::{Published, Publisher};
use crate::error::Result;
use crate::time;

/// Hands the vault's record in at one server.
pub struct Routing {
    server: Server,
    device: Arc<Device>,
}

impl Routing {
    /// Publishes at `server`.
    pub const fn new(server: Server, device: Arc<Device>) -> Self {
        Self { server, device }
    }
}

impl Publisher for Routing {
    fn name(&self) -> &'static str {
        "routing"
    }

    fn publish(&self, head: &Head, _: &SigningKey) -> Result<Published> {
        let record = IpnsRecord::for_head(&self.device, head, time::now());
        self.server.put_name(&self.device.ipns_name(), &record)?;
        Ok(Published {
            valid_until: record.valid_until(),
        })
    }
}
