//! The publishers that this home is configured for.

use std::sync::Arc;

use vault_core::Device;
use vault_http::KuboNode;
use vault_node::Node;

use crate::network::Places;
use crate::publish::{Dht, Kubo, Publisher, Routing};

/// All of them; none without configuration. `private`: the node gives blocks to readers only.
pub(super) fn configured(
    node: &Arc<Node>,
    device: &Arc<Device>,
    places: &Places,
    kubo: Option<KuboNode>,
    private: bool,
) -> Vec<Box<dyn Publisher>> {
    let mut all: Vec<Box<dyn Publisher>> = Vec::new();
    if places.dht.is_some() {
        all.push(Box::new(Dht::new(node, device.clone(), !private)));
    }
    if let Some(kubo) = kubo {
        all.push(Box::new(Kubo::new(kubo, device.clone())));
    }
    for server in &places.routing {
        all.push(Box::new(Routing::new(server.clone(), device.clone())));
    }
    all
}
