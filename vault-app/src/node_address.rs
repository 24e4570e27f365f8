//! Where readers find this home's node: what goes into a ticket.

use vault_core::{Home, NodeAddress, Vault};

use crate::error::{Error, Exit, Result};

/// Name of the file in which a running node leaves its address.
const FILE: &str = "node.json";

/// The node's last known address, for tickets; its keys alone before it has ever run.
///
/// # Errors
/// A home that cannot be read, or a damaged file in it.
pub fn node_address(home: &Home, vault: &Vault) -> Result<NodeAddress> {
    if let Some(bytes) = home.read_file(FILE)? {
        return serde_json::from_slice(&bytes).map_err(|_| {
            let what = format!("{FILE} in the home is damaged");
            Error::new(Exit::Integrity, "damaged", what).hint("`medvault serve` writes it again")
        });
    }
    let card = vault.device().card(vault.name())?;
    Ok(NodeAddress {
        peer: *card.peer(),
        addrs: Vec::new(),
        endpoint: *card.endpoint(),
        endpoint_addrs: Vec::new(),
        relays: Vec::new(),
    })
}

/// The address that the node had when it ran last, if it ever ran.
pub fn last_node_address(home: &Home) -> Option<NodeAddress> {
    serde_json::from_slice(&home.read_file(FILE).ok()??).ok()
}

/// Leaves the address of a running node.
#[cfg(feature = "network")]
pub(crate) fn remember(home: &Home, address: &NodeAddress) -> Result<()> {
    let text = serde_json::to_vec_pretty(address).map_err(std::io::Error::from)?;
    Ok(home.write_file(FILE, &text)?)
}

/// The ports for blocks and for heads.
#[cfg(feature = "network")]
pub(crate) fn ports(address: &NodeAddress) -> (u16, u16) {
    let blocks = address.addrs.iter().find_map(|addr| {
        let mut parts = addr
            .split('/')
            .skip_while(|part| *part != "tcp" && *part != "udp");
        parts.nth(1)?.parse().ok()
    });
    let heads = address
        .endpoint_addrs
        .iter()
        .find_map(|addr| addr.rsplit(':').next()?.parse().ok());
    (blocks.unwrap_or(0), heads.unwrap_or(0))
}

#[cfg(all(test, feature = "network"))]
mod tests {
    use super::*;
    use vault_core::PublicKey;

    #[test]
    fn ports_of_last_time() {
        let key = PublicKey::from_bytes([1; 32]);
        let address = NodeAddress {
            peer: key,
            addrs: vec!["/ip4/127.0.0.1/udp/4810/quic-v1".into()],
            endpoint: key,
            endpoint_addrs: vec!["127.0.0.1:4811".into()],
            relays: Vec::new(),
        };
        assert_eq!(ports(&address), (4810, 4811));
    }
}
