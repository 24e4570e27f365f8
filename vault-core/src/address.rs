//! Where a node is reached: what a ticket carries and a reader dials.

use serde::{Deserialize, Serialize};

use crate::keys::PublicKey;

/// A node's names and addresses in both networks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeAddress {
    /// libp2p Ed25519 public key; the peer id follows from it.
    pub peer: PublicKey,
    /// libp2p multiaddrs, without the peer id.
    pub addrs: Vec<String>,
    /// iroh endpoint id.
    pub endpoint: PublicKey,
    /// Socket addresses of the iroh endpoint, `ip:port`.
    pub endpoint_addrs: Vec<String>,
    /// URLs of the iroh relays through which the endpoint can be reached when no address works.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relays: Vec<String>,
}
