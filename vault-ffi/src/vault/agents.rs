//! Agents: a home server, say, that answers requests for keys while the phone sleeps.

use vault_app::{Error, Exit, Result};
use vault_core::{AgentAddress, GrantId, GrantInfo, VaultError};

use super::{Vault, online};
use crate::error::MedVaultError;
use crate::types::{self, AgentAdded, AgentSummary};

#[uniffi::export]
impl Vault {
    /// The address of this vault for those whose agent it is to become, `medvault-agent:…`. Its node
    /// must have run at least once.
    pub async fn agent_address(&self) -> Result<String, MedVaultError> {
        self.read(|session, vault| {
            let home = session.app.home();
            Ok(vault_app::own_agent_address(home, vault)?.to_text())
        })
        .await
    }

    /// Lets a contact answer requests under a grant on request whose terms name it. `address` is what
    /// [`Vault::agent_address`] says there. `opens`: most opens that it may give, needed where the terms
    /// have a limit. `until`, in seconds since 1970-01-01 UTC: 30 days, or the grant's end, if it is left
    /// away. It can read everything in the grant. A contact whose fingerprint nobody has compared is
    /// `Refused` with the code `unverified`.
    #[uniffi::method(default(opens = None, until = None))]
    pub async fn add_agent(
        &self,
        grant: String,
        contact: String,
        address: String,
        opens: Option<u64>,
        until: Option<u64>,
    ) -> Result<AgentAdded, MedVaultError> {
        self.write(move |session, vault| {
            let address = AgentAddress::from_text(&address)?;
            let grant = found(vault, &types::id(&grant, "grant")?)?;
            vault_app::refuse_unverified(&vault_app::unverified(vault, [&contact])?)?;
            let contact = vault.contact(&contact)?;
            let request = vault_app::agent_request(&contact, &grant, &address, opens, until)?;
            let home = session.app.home();
            let (agent, ticket) =
                vault_app::add_agent(home, vault, &contact, &grant, &address, &request)?;
            Ok(AgentAdded {
                agent: AgentSummary::new(&grant.id, &agent),
                ticket,
            })
        })
        .await
    }

    /// Those who answer, or have answered, under any grant.
    pub async fn agents(&self) -> Result<Vec<AgentSummary>, MedVaultError> {
        self.read(|_, vault| {
            let grants = vault.grants()?;
            let all = grants.iter().flat_map(|grant| {
                let agents = grant.agreement.iter().flat_map(|info| &info.agents);
                agents.map(|agent| AgentSummary::new(&grant.id, agent))
            });
            Ok(all.collect())
        })
        .await
    }

    /// Fetches from every agent what it did, into the audit log, and returns those that were asked. One
    /// that cannot be reached is asked again the next time; [`Vault::sync`] does not ask them.
    pub async fn sync_agents(&self) -> Result<Vec<AgentSummary>, MedVaultError> {
        self.write(|session, vault| online::sync_agents(session, vault))
            .await
    }

    /// Withdraws an agent: tells it to give no more where the network may be used, and gives the grant
    /// new keys. One that has not confirmed (`closed`) may give what it was let give until it sees the
    /// next head, or its certificate ends.
    pub async fn remove_agent(
        &self,
        grant: String,
        contact: String,
    ) -> Result<AgentSummary, MedVaultError> {
        self.write(move |session, vault| {
            let id: GrantId = types::id(&grant, "grant")?;
            let owner = *vault.contact(&contact)?.card.owner();
            online::close_agent(session, vault, &id, &owner);
            vault.remove_agent(&id, &contact)?;
            let grant = found(vault, &id)?;
            let agents = grant.agreement.iter().flat_map(|info| &info.agents);
            let mut agents = agents.filter(|agent| agent.owner == owner);
            let agent = agents.next().ok_or(VaultError::NotAnAgent(id))?;
            Ok(AgentSummary::new(&id, agent))
        })
        .await
    }
}

fn found(vault: &mut vault_core::Vault, id: &GrantId) -> Result<GrantInfo> {
    let grants = vault.grants()?;
    let grant = grants.into_iter().find(|grant| grant.id == *id);
    grant.ok_or_else(|| Error::new(Exit::NotFound, "no-grant", "there is no such grant"))
}
