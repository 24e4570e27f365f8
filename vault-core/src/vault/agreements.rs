//! Agreements on request: countersigned, and what became of their keys.

use std::collections::BTreeSet;

use super::receipt::{AgentStanding, Opened};
use super::state::{GrantRecord, GrantStatus, OnRequest};
use super::transaction::Transaction;
use super::{Vault, VaultError};
use crate::access::{Acceptance, AcceptanceError};
use crate::audit::{Act, AuditEntry};
use crate::block::Digest;
use crate::ids::{GrantId, VersionId};
use crate::keys::PublicKey;

/// Most bytes of countersignatures that one grant keeps: its record and its root must fit a page.
const MAX_ACCEPTANCES_LEN: usize = 96 * 1024;

/// How a grant on request stands, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementInfo {
    /// SHA-256 of the signed terms.
    pub terms: Digest,
    /// Names of the readers who have not countersigned.
    pub offered: Vec<String>,
    /// Who countersigned, and when, in seconds since 1970-01-01 UTC.
    pub accepted: Vec<(String, u64)>,
    /// Opens given so far, and those set aside for agents.
    pub opens: u64,
    /// Those who may answer besides this device.
    pub agents: Vec<AgentInfo>,
}

/// Someone who answers requests under a grant, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentInfo {
    /// Name of the contact.
    pub name: String,
    /// Its owner key.
    pub owner: PublicKey,
    /// Opens that it was given to give. `None`: as many as the terms allow.
    pub opens: Option<u64>,
    /// Opens that it has reported.
    pub reported: u64,
    /// When its certificate ends, in seconds since 1970-01-01 UTC.
    pub until: u64,
    /// Whether it was withdrawn.
    pub withdrawn: bool,
    /// Whether it has confirmed that it gives no more.
    pub closed: bool,
}

impl Vault {
    pub(super) fn agreement_info(&self, terms: &[u8], on_request: &OnRequest) -> AgreementInfo {
        let name = |owner: &PublicKey| {
            let name = self.contact_name(owner).map(str::to_owned);
            name.unwrap_or_else(|| owner.to_string())
        };
        let contacts = || self.state.contacts.items();
        let offered = contacts().filter(|contact| on_request.offered.contains(&contact.id));
        let accepted = on_request.acceptances.iter();
        let accepted = accepted.filter_map(|bytes| Acceptance::from_bytes(bytes).ok());
        AgreementInfo {
            terms: Digest::of(terms),
            offered: offered.map(|contact| contact.name.clone()).collect(),
            accepted: accepted.map(|a| (name(a.reader()), a.time())).collect(),
            opens: on_request.counted(),
            agents: (on_request.agents.iter())
                .map(|agent| AgentInfo {
                    name: name(&agent.owner),
                    owner: agent.owner,
                    opens: agent.allowance,
                    reported: agent.reported,
                    until: agent.until,
                    withdrawn: agent.withdrawn,
                    closed: agent.closed,
                })
                .collect(),
        }
    }

    /// Takes a reader's countersignature: from the next head on, the grant is theirs.
    ///
    /// # Errors
    /// [`VaultError::Acceptance`].
    pub fn take_acceptance(&mut self, bytes: &[u8]) -> Result<GrantId, VaultError> {
        let acceptance = Acceptance::from_bytes(bytes).map_err(AcceptanceError::from)?;
        self.transact(|tx| tx.countersigned(&acceptance))?;
        Ok(*acceptance.grant())
    }

    /// The versions whose keys were given out under a grant on request, to any reader; `None` for a
    /// carried grant.
    ///
    /// # Errors
    /// [`VaultError::NoGrant`].
    pub fn opened_versions(
        &mut self,
        grant: &GrantId,
    ) -> Result<Option<BTreeSet<VersionId>>, VaultError> {
        if self.grant_record(grant)?.on_request.is_none() {
            return Ok(None);
        }
        let entries = self.audit_log()?;
        Ok(Some(given_out(entries.iter(), grant, None)))
    }
}

/// The versions that releases under `grant` name, to `readers` if they are given.
fn given_out<'a>(
    entries: impl Iterator<Item = &'a AuditEntry>,
    grant: &GrantId,
    readers: Option<&[PublicKey]>,
) -> BTreeSet<VersionId> {
    let mut versions = BTreeSet::new();
    for entry in entries {
        if let Act::Released(asked) = &entry.act
            && asked.vault.is_none()
            && asked.grant == *grant
            && readers.is_none_or(|readers| readers.contains(&asked.reader))
        {
            versions.extend(&asked.versions);
        }
    }
    versions
}

impl Transaction<'_> {
    /// Makes whoever countersigned the very terms that were offered a member. The same again
    /// changes nothing.
    pub(super) fn countersigned(&mut self, acceptance: &Acceptance) -> Result<(), VaultError> {
        let found = self
            .grants()?
            .into_iter()
            .find(|g| g.id == *acceptance.grant());
        let (Some(grant), true) = (found, *acceptance.vault() == self.vault.id()) else {
            return Err(AcceptanceError::OtherTerms.into());
        };
        if Digest::of(&grant.terms) != *acceptance.terms() {
            return Err(AcceptanceError::OtherTerms.into());
        }
        let contact = self.contact_of(acceptance.reader())?;
        let (Some(contact), Some(on_request)) = (contact, &grant.on_request) else {
            return Err(AcceptanceError::NotOffered.into());
        };
        if acceptance.serial() < contact.card()?.signers().serial() {
            return Err(AcceptanceError::NotOffered.into());
        }
        if grant
            .members
            .iter()
            .any(|member| member.contact == contact.id)
        {
            return Ok(());
        }
        let held: usize = on_request.acceptances.iter().map(|bytes| bytes.len()).sum();
        let room = held + acceptance.as_bytes().len() <= MAX_ACCEPTANCES_LEN;
        if grant.status != GrantStatus::Active || !on_request.offered.contains(&contact.id) || !room
        {
            return Err(AcceptanceError::NotOffered.into());
        }
        let (member, _) = self.admit(&contact.id.to_string(), &grant.id, &grant.key)?;
        self.update_grant(&grant.id, |grant| {
            grant.members.push(member);
            if let Some(on_request) = &mut grant.on_request {
                on_request.offered.retain(|offered| *offered != contact.id);
                let bytes = acceptance.as_bytes().to_vec();
                on_request
                    .acceptances
                    .push(serde_bytes::ByteBuf::from(bytes));
            }
        });
        self.rewrite_root(&grant.id)?;
        self.act(Act::Agreed {
            grant: grant.id,
            reader: *acceptance.reader(),
            terms: *acceptance.terms(),
            acceptance: Digest::of(acceptance.as_bytes()),
        });
        Ok(())
    }

    /// What became of the keys of a grant on request, as the log has it; `None` for a carried grant.
    /// Reads the whole log and the grant's index.
    pub(super) fn opened(
        &mut self,
        grant: &GrantRecord,
        readers: &[PublicKey],
    ) -> Result<Option<Opened>, VaultError> {
        let Some(on_request) = grant.on_request.clone() else {
            return Ok(None);
        };
        self.vault.state.audit.load(&*self.store.clone())?;
        let entries = self.vault.state.audit.items();
        let entries: Vec<AuditEntry> = entries
            .map(|sealed| AuditEntry::from_bytes(&sealed.0))
            .collect::<Result<_, _>>()?;
        let versions = given_out(entries.iter(), &grant.id, Some(readers));
        let pages = self.grant_pages(grant)?;
        let closed = pages
            .items()
            .filter(|entry| !versions.contains(&entry.version));
        let closed = closed.count() as u64;
        let mut uncertain = 0u64;
        let mut agents = Vec::new();
        for agent in &on_request.agents {
            if !agent.closed {
                let left = agent
                    .allowance
                    .map_or(u64::MAX, |all| all.saturating_sub(agent.reported));
                uncertain = uncertain.saturating_add(left);
            }
            agents.push(AgentStanding {
                agent: agent.owner,
                closed: agent.closed,
                until: agent.until,
            });
        }
        let uncertain = uncertain.min(closed);
        Ok(Some(Opened {
            count: versions.len() as u64,
            versions: versions.into_iter().collect(),
            uncertain,
            never: closed - uncertain,
            agents,
        }))
    }
}
