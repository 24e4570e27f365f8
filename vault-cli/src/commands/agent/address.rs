//! `medvault agent address`.

use crate::context::Context;
use crate::error::{Exit, Result};
use clap::Args;
use serde_json::json;

/// Print the address of this home, for a patient who wants it as an agent
///
/// One line: the card of this home, and where its node was reached when it was served last. It is no
/// secret.
#[derive(Args)]
pub struct Address {}

/// Runs the command.
pub fn run(context: &Context) -> Result<Exit> {
    let (home, vault) = context.home_and_vault()?;
    let address = vault_app::own_agent_address(&home, &vault)?;
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
