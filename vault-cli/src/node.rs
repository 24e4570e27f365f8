//! Where readers find this home's node: what goes into a ticket.

use vault_core::{NodeAddress, Vault};

use crate::error::{Error, Exit, Result};
use vault_core::Home;

/// Name of the file in which a running node leaves its address.
pub const FILE: &str = "node.json";

/// The node's last known address; its keys alone before it has ever run.
pub fn address(home: &Home, vault: &Vault) -> Result<NodeAddress> {
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
    })
}
