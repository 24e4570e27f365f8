//! Agents: contacts who answer requests on the patient's behalf, each with opens of its own to give.
//!
//! What an agent may give is set aside when it is added, so that no two of those who answer can give
//! the same open, whether they can reach each other or not. It comes back when the agent has said,
//! for the last time, how much of it was given.

use super::agreements::AgentInfo;
use super::state::{AgentRecord, GrantRecord, GrantStatus, OnRequest};
use super::transaction::Transaction;
use super::{Vault, VaultError};
use crate::access::{
    AccessMessage, AccessReply, AgentCertificate, AgentQuestion, AgentReport, CertificateDraft,
};
use crate::address::NodeAddress;
use crate::audit::{Act, Via, signed_checkpoint, signed_checkpoint_by};
use crate::block::Digest;
use crate::grant::{Terms, seal_grant_key};
use crate::identity::Signers;
use crate::ids::{ContactId, GrantId};
use crate::keys::{PublicKey, SecretKey};
use crate::log::{ConsistencyProof, SignedCheckpoint, verify_consistency};

/// Who is to answer, where and within which limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentRequest {
    /// Name or id of the contact.
    pub contact: String,
    /// Where the agent's node is reached.
    pub node: NodeAddress,
    /// Most opens that it may give in all, those it gave before included. Needed when the agreement
    /// has a limit, in all or by the day; one by the day it may use up within a day.
    pub opens: Option<u64>,
    /// Until when, in seconds since 1970-01-01 UTC.
    pub until: u64,
}

/// Why an agent's report was not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Not a report.
    #[error("the agent did not answer with a report")]
    NotAReport,
    /// A proof in it does not hold.
    #[error("the agent's report does not hold: {0}")]
    Proof(&'static str),
}

impl Vault {
    /// Lets a contact answer requests under a grant whose terms name it, within limits of its own.
    /// The same contact again gets a new certificate; what it has left is counted anew.
    ///
    /// Whoever answers can read everything in the grant.
    ///
    /// # Errors
    /// [`VaultError::NotOnRequest`], [`VaultError::NotAnAgent`], [`VaultError::NoAllowance`],
    /// [`VaultError::TooManyOpens`], [`VaultError::AlreadyExpired`].
    pub fn add_agent(
        &mut self,
        grant: &GrantId,
        request: &AgentRequest,
    ) -> Result<AgentInfo, VaultError> {
        self.transact(|tx| tx.add_agent(grant, request))?;
        let info = self.grants()?.into_iter().find(|info| info.id == *grant);
        let agents = info.and_then(|info| info.agreement).map(|info| info.agents);
        let owner = *self.contact(&request.contact)?.card.owner();
        let mut agents = agents.unwrap_or_default().into_iter();
        agents
            .find(|agent| agent.owner == owner)
            .ok_or(VaultError::Conflict)
    }

    /// Withdraws an agent: its certificate is gone from the next head on, and the grant gets new
    /// keys, so that what joins later stays closed to it. What it could read, it still can. What was
    /// set aside for it stays so until it has reported.
    ///
    /// # Errors
    /// [`VaultError::NoGrant`], [`VaultError::NotAnAgent`].
    pub fn remove_agent(&mut self, grant: &GrantId, contact: &str) -> Result<(), VaultError> {
        self.transact(|tx| tx.remove_agent(grant, contact))
    }

    /// The next question to an agent, as a message of the access protocol. With `close` the agent is
    /// asked to give no more under this grant.
    ///
    /// # Errors
    /// [`VaultError::NoGrant`], [`VaultError::NotAnAgent`].
    pub fn agent_question(
        &mut self,
        grant: &GrantId,
        agent: &PublicKey,
        close: bool,
    ) -> Result<Vec<u8>, VaultError> {
        let record = self.grant_record(grant)?;
        let (agent, certificate) = self.agent_record(&record, agent)?;
        let question = AgentQuestion {
            vault: self.id(),
            log: certificate.agent.vault(),
            grant: *grant,
            from: agent.next,
            close,
            seen: agent.seen,
        };
        Ok(AccessMessage::Question(question.sign(&self.device, self.now())).to_bytes())
    }

    /// Enters what an agent reports into the log. Returns whether there is more to ask for.
    ///
    /// # Errors
    /// [`VaultError::Report`] when a proof does not hold; nothing is changed then.
    pub fn take_report(
        &mut self,
        grant: &GrantId,
        agent: &PublicKey,
        answer: &[u8],
    ) -> Result<bool, VaultError> {
        let Ok(AccessReply::Report(report)) = AccessReply::from_bytes(answer) else {
            return Err(ReportError::NotAReport.into());
        };
        let more = report.more;
        self.transact(|tx| tx.take_report(grant, agent, &report))?;
        Ok(more)
    }

    /// Where an agent is reached.
    ///
    /// # Errors
    /// [`VaultError::NoGrant`], [`VaultError::NotAnAgent`].
    pub fn agent_address(
        &mut self,
        grant: &GrantId,
        agent: &PublicKey,
    ) -> Result<NodeAddress, VaultError> {
        let record = self.grant_record(grant)?;
        Ok(self.agent_record(&record, agent)?.1.node)
    }

    fn agent_record(
        &self,
        grant: &GrantRecord,
        agent: &PublicKey,
    ) -> Result<(AgentRecord, AgentCertificate), VaultError> {
        let agents = grant
            .on_request
            .iter()
            .flat_map(|on_request| &on_request.agents);
        let found = agents.clone().find(|known| known.owner == *agent).cloned();
        let found = found.ok_or(VaultError::NotAnAgent(grant.id))?;
        let signers = self.head.signers();
        let certificate = AgentCertificate::from_bytes(&found.certificate, signers)?;
        Ok((found, certificate))
    }
}

impl Transaction<'_> {
    fn on_request(&mut self, grant: &GrantId) -> Result<(GrantRecord, OnRequest), VaultError> {
        let found = self.grants()?.into_iter().find(|g| g.id == *grant);
        let found = found.ok_or(VaultError::NoGrant(*grant))?;
        let on_request = found.on_request.clone().ok_or(VaultError::NotOnRequest)?;
        Ok((found, on_request))
    }

    fn add_agent(&mut self, grant: &GrantId, request: &AgentRequest) -> Result<(), VaultError> {
        let (record, on_request) = self.on_request(grant)?;
        if record.status != GrantStatus::Active {
            return Err(VaultError::GrantEnded(*grant));
        }
        if request.until <= self.now {
            return Err(VaultError::AlreadyExpired);
        }
        let contact = self.contact(&request.contact)?;
        let card = contact.card()?;
        let terms = Terms::from_bytes(&record.terms, self.vault.device.signers())?;
        if !terms.agents.contains(card.owner()) {
            return Err(VaultError::NotAnAgent(*grant));
        }
        let known = on_request
            .agents
            .iter()
            .find(|agent| agent.contact == contact.id);
        let before = known.map_or(0, AgentRecord::counted);
        let reported = known.map_or(0, |agent| agent.reported);
        // an earlier certificate may still be used until the agent has said that it is not
        let aside = known
            .filter(|agent| !agent.closed)
            .and_then(|agent| agent.allowance);
        let others = on_request.counted().saturating_sub(before);
        let in_all = terms.conditions.opens();
        let in_all = in_all.map(|limit| limit.saturating_sub(others));
        let by_day = match terms.conditions.opens_per_day() {
            // all that it may give, it may give within one day; and some of this day's are gone
            Some(limit) => {
                self.vault.look_back()?;
                let today = self.vault.recent.opens(None, grant, self.now);
                let aside = others.saturating_sub(on_request.opens);
                Some(limit.saturating_sub(today.saturating_add(aside)))
            }
            None => None,
        };
        if let Some(left) = in_all.into_iter().chain(by_day).min() {
            let asked = request.opens.ok_or(VaultError::NoAllowance)?;
            if asked > left {
                return Err(VaultError::TooManyOpens { asked, left });
            }
        }
        let certificate = AgentCertificate::sign(
            &CertificateDraft {
                vault: self.vault.id(),
                grant: *grant,
                terms: Digest::of(&record.terms),
                agent: card.signers(),
                node: request.node.clone(),
                opens: request.opens,
                until: request.until,
                time: self.now,
            },
            self.vault.device.signing(),
        );
        let envelopes =
            self.agent_envelopes(&contact.id, grant, &record.key, &on_request.release)?;
        let agent = AgentRecord {
            contact: contact.id,
            owner: *card.owner(),
            envelopes,
            certificate,
            allowance: request.opens.max(aside),
            until: request.until.max(known.map_or(0, |agent| agent.until)),
            withdrawn: false,
            closed: false,
            reported,
            proven: known.map_or(0, |agent| agent.proven),
            next: known.map_or(0, |agent| agent.next),
            seen: known.and_then(|agent| agent.seen.clone()),
        };
        self.drop_blocks(known.iter().flat_map(|agent| agent.envelopes.clone()));
        self.update_agents(grant, |agents| {
            agents.retain(|known| known.contact != agent.contact);
            agents.push(agent);
        });
        self.act(Act::AgentAdded {
            grant: *grant,
            agent: *card.owner(),
            opens: request.opens,
            until: request.until,
        });
        self.rewrite_root(grant)
    }

    fn remove_agent(&mut self, grant: &GrantId, contact: &str) -> Result<(), VaultError> {
        let (record, on_request) = self.on_request(grant)?;
        let contact = self.contact(contact)?;
        let agent = on_request
            .agents
            .iter()
            .find(|agent| agent.contact == contact.id);
        let agent = agent.filter(|agent| !agent.withdrawn);
        let agent = agent.ok_or(VaultError::NotAnAgent(*grant))?.owner;
        self.act(Act::AgentRemoved {
            grant: *grant,
            agent,
        });
        let envelopes: Vec<Digest> = record.envelopes();
        self.update_agents(grant, |agents| {
            for agent in agents
                .iter_mut()
                .filter(|known| known.contact == contact.id)
            {
                agent.withdrawn = true;
                agent.envelopes.clear();
            }
        });
        self.drop_blocks(envelopes);
        if record.status != GrantStatus::Active {
            return Ok(());
        }
        self.renew_release_key(grant)?;
        let (record, _) = self.on_request(grant)?;
        let members = record.members.clone();
        self.give_new_key(&record, &members)
    }

    /// Gives the index of a grant on request a new release key: every content key in it is sealed
    /// again. No body is touched.
    pub(super) fn renew_release_key(&mut self, grant: &GrantId) -> Result<(), VaultError> {
        let release = SecretKey::random();
        self.update_grant(grant, |grant| {
            if let Some(on_request) = &mut grant.on_request {
                on_request.release = release;
            }
        });
        let (record, _) = self.on_request(grant)?;
        let store = self.store.clone();
        self.vault.state.records.load(&*store)?;
        let records = self.vault.state.records.items();
        let plain: std::collections::HashMap<_, _> = records
            .map(|entry| (entry.version, entry.cek.clone()))
            .collect();
        let keys = record.keys();
        let mut missing = false;
        self.grant_pages(&record)?.update(|entry| {
            match plain.get(&entry.version).map(|key| key.plain().cloned()) {
                Some(Ok(key)) => entry.cek = keys.wrap(&entry.version, entry.sealed, &key),
                _ => missing = true,
            }
            true
        });
        if missing {
            return Err(VaultError::Conflict);
        }
        // the root is written with these pages when the change is sealed
        Ok(())
    }

    fn update_agents(&mut self, grant: &GrantId, change: impl FnOnce(&mut Vec<AgentRecord>)) {
        self.update_grant(grant, |grant| {
            if let Some(on_request) = &mut grant.on_request {
                change(&mut on_request.agents);
            }
        });
    }

    /// Envelopes for an agent's devices, with what opens the sealed keys.
    fn agent_envelopes(
        &mut self,
        contact: &ContactId,
        grant: &GrantId,
        key: &SecretKey,
        release: &SecretKey,
    ) -> Result<Vec<Digest>, VaultError> {
        let contact = self.contact(&contact.to_string())?;
        let vault = self.vault.id();
        let device = self.vault.device.clone();
        let mut envelopes = Vec::new();
        for recipient in contact.card()?.recipients() {
            let signer = device.signing();
            let envelope = seal_grant_key(&vault, grant, key, recipient, signer, Some(release))?;
            let block = contact.relation.cover(&vault, &envelope)?;
            envelopes.push(block.cid().digest());
            self.put(block)?;
        }
        Ok(envelopes)
    }

    /// The agents of a grant that gets a new key, with new envelopes.
    pub(super) fn admit_agents(
        &mut self,
        grant: &GrantId,
        key: &SecretKey,
        on_request: &OnRequest,
    ) -> Result<Vec<AgentRecord>, VaultError> {
        let mut agents = on_request.agents.clone();
        for agent in agents.iter_mut().filter(|agent| !agent.withdrawn) {
            agent.envelopes =
                self.agent_envelopes(&agent.contact, grant, key, &on_request.release)?;
        }
        Ok(agents)
    }

    fn take_report(
        &mut self,
        grant: &GrantId,
        owner: &PublicKey,
        report: &AgentReport,
    ) -> Result<(), VaultError> {
        let (record, _) = self.on_request(grant)?;
        let (agent, certificate) = self.vault.agent_record(&record, owner)?;
        let checkpoint = check_report(report, &agent, &certificate.agent)?;
        // an answer to an earlier question says nothing about a certificate made since
        let closed = report.closed.is_some_and(|time| certificate.time <= time);
        let (mut index, mut given) = (agent.next, agent.proven);
        for logged in &report.entries {
            // one log, and not another for each entry
            if logged.checkpoint != checkpoint.as_bytes() {
                return Err(ReportError::Proof("an entry is not in its log").into());
            }
            let entry = logged
                .verify(&certificate.agent)
                .map_err(|_| ReportError::Proof("an entry is not in its log"))?
                .entry;
            if entry.index < index || entry.index >= report.next {
                return Err(ReportError::Proof("the entries are out of order").into());
            }
            index = entry.index + 1;
            let via = Via {
                agent: *owner,
                index: entry.index,
                time: entry.time,
            };
            let ours = |asked: &crate::audit::Asked| {
                asked.vault == Some(self.vault.id()) && asked.grant == *grant
            };
            let act = match entry.act {
                Act::Released(mut asked) if ours(&asked) => {
                    given = given.saturating_add(asked.versions.len() as u64);
                    (asked.vault, asked.via) = (None, Some(via));
                    Act::Released(asked)
                }
                Act::Denied { mut asked, reason } if ours(&asked) => {
                    (asked.vault, asked.via) = (None, Some(via));
                    Act::Denied { asked, reason }
                }
                _ => return Err(ReportError::Proof("an entry is about something else").into()),
            };
            self.act(act);
        }
        if report.opens < given.max(agent.reported) {
            return Err(ReportError::Proof("it counts fewer opens than it has proven").into());
        }
        let news =
            !report.entries.is_empty() || (report.opens, closed) != (agent.reported, agent.closed);
        if news && !report.more {
            self.act(Act::AgentReported {
                grant: *grant,
                agent: *owner,
                opens: report.opens,
                closed,
            });
        }
        if !news && agent.seen.as_deref() == Some(checkpoint.as_bytes()) {
            return Ok(());
        }
        // where its log stands is kept also when it tells nothing: it cannot fork from there
        self.renew_now();
        let seen = Some(checkpoint.as_bytes().to_vec());
        let (opens, next, more) = (report.opens, report.next, report.more);
        self.update_agents(grant, |agents| {
            for agent in agents.iter_mut().filter(|known| known.owner == *owner) {
                agent.reported = agent.reported.max(opens);
                // with more to tell it is closed, but not settled: it is asked again
                agent.closed |= closed && !more;
                agent.next = next;
                agent.proven = given;
                agent.seen.clone_from(&seen);
            }
        });
        Ok(())
    }
}

/// The agent's checkpoint is signed, and contains the one seen before.
fn check_report(
    report: &AgentReport,
    agent: &AgentRecord,
    signers: &Signers,
) -> Result<SignedCheckpoint, ReportError> {
    let bad = ReportError::Proof;
    let read = |bytes: &[u8]| signed_checkpoint(bytes, signers);
    let new = signed_checkpoint_by(&report.checkpoint, signers);
    let (new, signer) = new.ok_or(bad("its checkpoint is not signed"))?;
    if !signers.may_sign(&signer) {
        return Err(bad("its checkpoint is signed by a replaced key"));
    }
    if report.next < agent.next || report.next > new.unverified().size {
        return Err(bad("it does not go on where the one before ended"));
    }
    if let Some(seen) = &agent.seen {
        let old = read(seen).ok_or(bad("what was seen of its log is not signed"))?;
        let (old, new) = (old.unverified(), new.unverified());
        let proof = ConsistencyProof(report.consistency.clone());
        verify_consistency(old.size, &old.root, new.size, &new.root, &proof)
            .map_err(|_| bad("its log does not contain what was seen before"))?;
    }
    Ok(new)
}
