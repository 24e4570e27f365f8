//! Letting a contact's home answer for the patient.

use vault_core::{
    AgentAddress, AgentInfo, AgentRequest, ContactInfo, GrantInfo, Home, Vault, VaultError,
};

use crate::error::{Error, Exit, Result};
use crate::node_address::node_address;
use crate::time;

/// How long an agent answers where nobody said otherwise, in seconds (30 days).
const DEFAULT_TIME: u64 = 30 * 24 * 3600;

/// Checks that `contact`, whose home's address this is, may become an agent of `grant`, and says what is
/// asked of the vault then. `opens`: most opens that it may give. `until`: 30 days, or the grant's end if
/// that comes first, if it is left out.
///
/// # Errors
/// `other-agent`, `not-on-request`, `not-an-agent`.
pub fn agent_request(
    contact: &ContactInfo,
    grant: &GrantInfo,
    address: &AgentAddress,
    opens: Option<u64>,
    until: Option<u64>,
) -> Result<AgentRequest> {
    if address.card().owner() != contact.card.owner() {
        let what = format!("this is not the address of {}", contact.name);
        return Err(Error::new(Exit::Terms, "other-agent", what)
            .hint("let `medvault agent address` be run in the contact's own home"));
    }
    if grant.agreement.is_none() {
        return Err(VaultError::NotOnRequest.into());
    }
    if !grant.terms.agents.contains(contact.card.owner()) {
        return Err(VaultError::NotAnAgent(grant.id).into());
    }
    let longest = time::now().saturating_add(DEFAULT_TIME);
    let default = grant.terms.expires.unwrap_or(longest).min(longest);
    Ok(AgentRequest {
        contact: contact.id.to_string(),
        node: address.node().clone(),
        opens,
        until: until.unwrap_or(default),
    })
}

/// Lets the contact answer, by its newest card, and returns how it stands with the ticket for its home.
///
/// # Errors
/// Whatever hinders the vault.
pub fn add_agent(
    home: &Home,
    vault: &mut Vault,
    contact: &ContactInfo,
    grant: &GrantInfo,
    address: &AgentAddress,
    request: &AgentRequest,
) -> Result<(AgentInfo, String)> {
    if address.card() != &contact.card {
        vault.add_contact(&contact.name, address.card())?;
    }
    let agent = vault.add_agent(&grant.id, request)?;
    let node = node_address(home, vault)?;
    let mut tickets = vault.tickets(&grant.id, &node)?.into_iter();
    let found = tickets.find(|(name, _)| *name == contact.name);
    let (_, ticket) = found.ok_or(VaultError::NotAnAgent(grant.id))?;
    Ok((agent, ticket))
}

/// The address of this home, for those whose agent it is to become.
///
/// # Errors
/// `never-served` when no node has run here yet.
pub fn own_agent_address(home: &Home, vault: &Vault) -> Result<AgentAddress> {
    let Some(node) = crate::node_address::last_node_address(home) else {
        let what = "this home has never been served, so nobody could reach it";
        return Err(Error::new(Exit::Failure, "never-served", what)
            .hint("run `medvault serve`, and this command again while it runs"));
    };
    let card = vault.device().card(vault.name())?;
    Ok(AgentAddress::new(card, node)?)
}
