//! `medvault agent address`.

use clap::Args;
use serde_json::json;
use vault_core::AgentAddress;

use crate::context::Context;
use crate::error::{Error, Exit, Result};

/// Print the address of this home, for a patient who wants it as an agent
///
/// One line: the card of this home, and where its node was reached when it was served last. It is no
/// secret.
#[derive(Args)]
pub struct Address {}

/// Runs the command.
pub fn run(context: &Context) -> Result<Exit> {
    let (home, vault) = context.home_and_vault()?;
    let Some(node) = vault_app::last_node_address(&home) else {
        let what = "this home has never been served, so nobody could reach it";
        return Err(Error::new(Exit::Failure, "never-served", what)
            .hint("run `medvault serve`, and this command again while it runs"));
    };
    let card = vault.device().card(vault.name())?;
    let address = AgentAddress::new(card, node)?;
    match context.out.json {
        true => context.out.json(&json!({
            "address": address.to_text(),
            "owner": address.card().owner().to_string(),
            "vault": address.card().vault().to_string(),
            "endpoint": address.node().endpoint.to_string(),
            "endpoint_addrs": address.node().endpoint_addrs,
            "relays": address.node().relays,
        }))?,
        false => context.out.print(&format!("{}\n", address.to_text()))?,
    }
    Ok(Exit::Ok)
}
