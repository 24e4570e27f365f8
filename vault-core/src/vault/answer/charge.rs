//! Answering on behalf of somebody else, and telling them what was done.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Outcome, refused};
use crate::access::{
    Acceptance, AccessReply, AccessRequest, AgentCertificate, AgentQuestion, AgentReport, Asker,
    MAX_REPORTED, RefusalCode,
};
use crate::audit::{Act, AuditEntry, Logged};
use crate::block::Digest;
use crate::grant::{MAX_CLOCK_DIFFERENCE, Terms};
use crate::identity::vault_id;
use crate::ids::{GrantId, VaultId, VersionId};
use crate::index::ContentKey;
use crate::keys::SecretKey;
use crate::vault::state::ChargeRecord;
use crate::vault::transaction::Transaction;
use crate::vault::{Vault, VaultError};

/// After how many seconds a further wish to close is written down.
const CLOSE_AGAIN: u64 = 60;
/// Most grants of one patient that an agent keeps count of.
const MAX_CHARGES: usize = 1024;

/// What an agent answers for: a grant of a patient, as the newest head of theirs has it.
pub struct Charge {
    pub(crate) vault: VaultId,
    /// Of the patient's list of signing keys.
    pub(crate) serial: u64,
    pub(crate) grant: GrantId,
    pub(crate) terms: Terms,
    /// SHA-256 of the signed terms.
    pub(crate) terms_digest: Digest,
    pub(crate) certificate: AgentCertificate,
    pub(crate) acceptances: Vec<Acceptance>,
    /// When the head that says all this may no longer be relied on.
    pub(crate) valid_until: u64,
    pub(crate) entries: HashMap<VersionId, (u64, ContentKey)>,
    pub(crate) release: SecretKey,
}

impl Charge {
    pub(super) fn knows(&self, request: &AccessRequest) -> bool {
        let by = |acceptance: &&Acceptance| acceptance.reader() == request.reader();
        let accepted = self.acceptances.iter().find(by);
        accepted.is_some_and(|acceptance| acceptance.serial() <= request.serial())
    }

    pub(super) fn keys(&self, versions: &[VersionId]) -> Option<Vec<SecretKey>> {
        let key = |version: &VersionId| {
            let (sealed, key) = self.entries.get(version)?;
            crate::index::open_sealed_key(&self.release, version, *sealed, key).ok()
        };
        versions.iter().map(key).collect()
    }
}

impl Vault {
    pub(super) fn report(&mut self, question: &AgentQuestion) -> Result<AccessReply, VaultError> {
        let ours = |act: &Act| match act {
            Act::Released(asked) | Act::Denied { asked, .. } => {
                asked.vault == Some(question.vault) && asked.grant == question.grant
            }
            _ => false,
        };
        let size = self.head.checkpoint().size;
        let blocks = self.storage.blocks();
        self.state.audit.load_back(&*blocks, |entry| {
            AuditEntry::from_bytes(&entry.0).is_ok_and(|entry| entry.index > question.from)
        })?;
        let mut found = Vec::new();
        for sealed in self.state.audit.items().rev() {
            let entry = AuditEntry::from_bytes(&sealed.0)?;
            if entry.index < question.from {
                break;
            }
            if ours(&entry.act) {
                found.push(entry.index);
            }
        }
        found.reverse();
        let more = found.len() > MAX_REPORTED;
        found.truncate(MAX_REPORTED);
        let next = match (more, found.last()) {
            (true, Some(last)) => last + 1,
            _ => size,
        };
        self.state.charges.load(&*blocks)?;
        let mut charges = self.state.charges.items();
        let charge = charges.find(|c| c.vault == question.vault && c.grant == question.grant);
        let charge = charge.cloned();
        let entries: Result<Vec<Logged>, VaultError> =
            found.into_iter().map(|index| self.logged(index)).collect();
        Ok(AccessReply::Report(Box::new(AgentReport {
            entries: entries?,
            next,
            more,
            opens: charge.as_ref().map_or(0, |charge| charge.opens),
            closed: charge.and_then(|charge| charge.closed),
            checkpoint: self.head.body.checkpoint.clone(),
            consistency: self.since(question.seen.as_deref())?,
        })))
    }
}

impl Transaction<'_> {
    pub(super) fn known_charge(
        &mut self,
        vault: &VaultId,
        grant: &GrantId,
    ) -> Result<Option<ChargeRecord>, VaultError> {
        let store = self.store.clone();
        self.vault.state.charges.load(&*store)?;
        let mut known = self.vault.state.charges.items();
        Ok(known
            .find(|c| c.vault == *vault && c.grant == *grant)
            .cloned())
    }

    pub(super) fn charge_record(
        &mut self,
        vault: &VaultId,
        grant: &GrantId,
    ) -> Result<ChargeRecord, VaultError> {
        let known = self.known_charge(vault, grant)?;
        Ok(known.unwrap_or(ChargeRecord {
            vault: *vault,
            grant: *grant,
            opens: 0,
            closed: None,
        }))
    }

    pub(super) fn change_charge(
        &mut self,
        vault: &VaultId,
        grant: &GrantId,
        change: impl FnOnce(&mut ChargeRecord),
    ) -> Result<(), VaultError> {
        let mut record = self.charge_record(vault, grant)?;
        change(&mut record);
        let mut known = false;
        self.vault.state.charges.update(|charge| {
            let hit = charge.vault == *vault && charge.grant == *grant;
            if hit {
                charge.clone_from(&record);
                known = true;
            }
            hit
        });
        if !known {
            let store = self.store.clone();
            self.vault.state.charges.push(&*store, record)?;
        }
        Ok(())
    }

    pub(super) fn question(
        &mut self,
        question: &AgentQuestion,
        asker: &Asker,
        charges: &[Arc<Charge>],
    ) -> Result<Outcome, VaultError> {
        let (owner, time) = (&asker.owner, asker.time);
        if question.log != self.vault.id() || question.vault != vault_id(owner) {
            return Ok(refused(RefusalCode::NotHere));
        }
        if time.abs_diff(self.now) > MAX_CLOCK_DIFFERENCE {
            return Ok(refused(RefusalCode::Malformed));
        }
        // nobody else has anything written here, or the log read for them
        let of =
            |vault: &VaultId, grant: &GrantId| *vault == question.vault && *grant == question.grant;
        let known = charges.iter().any(|c| of(&c.vault, &c.grant))
            || self
                .known_charge(&question.vault, &question.grant)?
                .is_some()
            || self.contact_of(owner)?.is_some();
        // nor for a device that the patient has replaced
        let serials = charges.iter().filter(|c| c.vault == question.vault);
        let replaced = serials.into_iter().any(|c| c.serial > asker.serial);
        let replaced = replaced || self.has_newer_card(owner, asker.serial)?;
        if !known || replaced {
            return Ok(refused(RefusalCode::Stranger));
        }
        match self.continues(question.seen.as_deref())? {
            Some(true) => {}
            _ => return Ok(refused(RefusalCode::Malformed)),
        }
        let record = self.charge_record(&question.vault, &question.grant)?;
        // each time is written down, so not at every question
        let again = |closed: u64| time >= closed.saturating_add(CLOSE_AGAIN);
        if question.close && record.closed.is_none_or(again) {
            let of_patient = self.vault.state.charges.items();
            let of_patient = of_patient.filter(|charge| charge.vault == question.vault);
            if of_patient.count() >= MAX_CHARGES {
                return Ok(refused(RefusalCode::TooMany));
            }
            self.change_charge(&question.vault, &question.grant, |charge| {
                charge.closed = Some(time);
            })?;
            self.act(Act::AgentReported {
                grant: question.grant,
                agent: *self.vault.device.signers().owner(),
                opens: record.opens,
                closed: true,
            });
        }
        Ok(Outcome::Report)
    }
}
