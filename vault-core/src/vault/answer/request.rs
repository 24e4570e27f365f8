//! What a message comes to: who asks, whether the logs agree, and what is written down.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Charge, Message, Outcome, refused};
use crate::access::{AccessDecision, AccessReceipt, AccessReply, AccessRequest, RefusalCode};
use crate::audit::{Act, Asked, LogBlocks, signed_checkpoint_by};
use crate::ids::VersionId;
use crate::index::IndexEntry;
use crate::keys::{PublicKey, SecretKey};
use crate::log::{SignedCheckpoint, root};
use crate::vault::VaultError;
use crate::vault::recent::RecentAnswer;
use crate::vault::transaction::Transaction;

impl Transaction<'_> {
    pub(super) fn outcome(
        &mut self,
        message: &Message,
        charges: &[Arc<Charge>],
    ) -> Result<Outcome, VaultError> {
        match message {
            Message::Accept(acceptance) => match self.countersigned(acceptance) {
                Ok(()) => Ok(Outcome::Reply(AccessReply::Noted {})),
                Err(VaultError::Acceptance(_)) => Ok(refused(RefusalCode::NotOffered)),
                Err(error) => Err(error),
            },
            Message::Request(request) => self.request(request, charges),
            Message::Receipt(receipt) => self.receipt(receipt),
            Message::Question(question, asker) => self.question(question, asker, charges),
        }
    }

    pub(super) fn request(
        &mut self,
        request: &AccessRequest,
        charges: &[Arc<Charge>],
    ) -> Result<Outcome, VaultError> {
        let own = self.vault.id();
        if *request.log() != own {
            return Ok(refused(RefusalCode::NotHere));
        }
        let charge = charges
            .iter()
            .map(Arc::as_ref)
            .find(|charge| charge.vault == *request.vault() && charge.grant == *request.grant());
        let known = match (*request.vault() == own, charge) {
            (true, _) => self.knows(request)?,
            (false, Some(charge)) => charge.knows(request),
            (false, None) => return Ok(refused(RefusalCode::NotHere)),
        };
        if !known {
            return Ok(refused(RefusalCode::Stranger));
        }
        match self.continues(request.seen())? {
            Some(true) => {}
            Some(false) => return Ok(Outcome::Diverged),
            None => return Ok(refused(RefusalCode::Malformed)),
        }
        // the same message again: the same answer, and nothing counted twice
        let earlier = self.vault.recent.get(request.digest()).cloned();
        if let Some(denied) = earlier.as_ref().and_then(RecentAnswer::denied) {
            return Ok(Outcome::Deny(denied));
        }
        if earlier.is_none() && self.vault.recent.is_tiring(request.reader(), self.now) {
            return Ok(refused(RefusalCode::TooMany));
        }
        let again = earlier.as_ref().map(|answer| answer.time);
        let decision = match charge.filter(|_| *request.vault() != own) {
            None => self.decide_own(request, again)?,
            Some(charge) => self.decide_for(charge, request, again)?,
        };
        if let (Some(answer), AccessDecision::Permit(_)) = (&earlier, &decision) {
            return Ok(match self.keys(request, charge)? {
                Some(keys) => Outcome::Release(answer.index, keys),
                None => refused(RefusalCode::NotHere),
            });
        }
        let asked = Asked {
            vault: (*request.vault() != own).then_some(*request.vault()),
            grant: *request.grant(),
            reader: *request.reader(),
            versions: request.versions().to_vec(),
            purpose: request.purpose().cloned(),
            request: *request.digest(),
            via: None,
        };
        let (act, keys) = match decision {
            AccessDecision::Permit(versions) => {
                let Some(keys) = self.keys(request, charge)? else {
                    return Ok(refused(RefusalCode::NotHere));
                };
                self.count_opens(&asked, versions.len() as u64)?;
                (Act::Released(asked), Some(keys))
            }
            AccessDecision::Deny(reason) => {
                let reason = reason.code().to_owned();
                (Act::Denied { asked, reason }, None)
            }
        };
        let index = self.act(act.clone());
        let now = self.now;
        self.vault.recent.note(index, now, &act);
        Ok(match keys {
            Some(keys) => Outcome::Release(index, keys),
            None => Outcome::Deny(index),
        })
    }

    /// Whether a contact's card has a newer list of keys than this.
    pub(super) fn has_newer_card(
        &mut self,
        owner: &PublicKey,
        serial: u64,
    ) -> Result<bool, VaultError> {
        Ok(match self.contact_of(owner)? {
            Some(contact) => contact.card()?.signers().serial() > serial,
            None => false,
        })
    }

    /// Whether the reader is a contact, with this list of keys or an older one.
    pub(super) fn knows(&mut self, request: &AccessRequest) -> Result<bool, VaultError> {
        let contact = self.contact_of(request.reader())?;
        let Some(contact) = contact else {
            return Ok(false);
        };
        Ok(contact.card()?.signers().serial() <= request.serial())
    }

    /// Whether this log contains the checkpoint that a reader has seen; `None` when no key of this
    /// vault signed it. One that this log does not contain counts only if a key signed it that signs
    /// now: whoever has a lost device must not be able to halt the vault.
    pub(super) fn continues(&self, seen: Option<&[u8]>) -> Result<Option<bool>, VaultError> {
        let Some(seen) = seen else {
            return Ok(Some(true));
        };
        let signers = self.vault.device.signers();
        let Some((seen, signer)) = signed_checkpoint_by(seen, signers) else {
            return Ok(None);
        };
        let (seen, own) = (seen.unverified(), self.vault.head.checkpoint());
        let blocks = LogBlocks::new(&*self.store, &self.vault.head.body.log);
        let contained = seen.size <= own.size && root(&blocks, seen.size)? == seen.root;
        let counts = contained || signers.may_sign(&signer);
        Ok(counts.then_some(contained))
    }

    /// The keys that a request names; `None` when a patient's index does not hold them as it
    /// should. That is no reason to answer nobody else.
    pub(super) fn keys(
        &mut self,
        request: &AccessRequest,
        charge: Option<&Charge>,
    ) -> Result<Option<Vec<SecretKey>>, VaultError> {
        if let Some(charge) = charge.filter(|charge| charge.vault != self.vault.id()) {
            return Ok(charge.keys(request.versions()));
        }
        let store = self.store.clone();
        self.vault.state.records.load(&*store)?;
        let wanted: HashSet<&VersionId> = request.versions().iter().collect();
        let records = self.vault.state.records.items();
        let found: HashMap<VersionId, &IndexEntry> = (records
            .filter(|entry| wanted.contains(&entry.version)))
        .map(|entry| (entry.version, entry))
        .collect();
        let key = |version| {
            let entry: &IndexEntry = found.get(version).ok_or(VaultError::Conflict)?;
            Ok(entry.cek.plain()?.clone())
        };
        request
            .versions()
            .iter()
            .map(key)
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// Counts opens, for the limits.
    pub(super) fn count_opens(&mut self, asked: &Asked, count: u64) -> Result<(), VaultError> {
        let Some(vault) = asked.vault else {
            self.update_grant(&asked.grant, |grant| {
                if let Some(on_request) = &mut grant.on_request {
                    on_request.opens += count;
                }
            });
            return Ok(());
        };
        self.change_charge(&vault, &asked.grant, |charge| charge.opens += count)
    }

    pub(super) fn receipt(&mut self, receipt: &AccessReceipt) -> Result<Outcome, VaultError> {
        let said = &receipt.said;
        if said.log != self.vault.id() {
            return Ok(refused(RefusalCode::NotHere));
        }
        let answer = self.vault.recent.get(&said.request).cloned();
        let Some(answer) = answer.filter(|answer| {
            answer.released && answer.index == said.index && answer.asked.reader == receipt.reader
        }) else {
            return Ok(refused(RefusalCode::NotHere));
        };
        let contact = self.contact_of(&receipt.reader)?;
        if answer.receipted {
            return Ok(Outcome::Reply(AccessReply::Noted {}));
        }
        match self.continues(Some(&said.checkpoint))? {
            Some(true) => {}
            _ => return Ok(refused(RefusalCode::Malformed)),
        }
        let act = Act::Receipted {
            release: answer.index,
            reader: receipt.reader,
            receipt: receipt.digest,
            opened: said.opened,
        };
        let index = self.act(act.clone());
        let now = self.now;
        self.vault.recent.note(index, now, &act);
        if let Some(contact) = contact.filter(|c| {
            c.card()
                .is_ok_and(|card| card.signers().serial() <= receipt.serial)
        }) {
            let size = receipt.checkpoint.unverified().size;
            self.update_contact(contact.id, |contact| {
                let before = contact.witness.as_deref();
                let before = before.and_then(|bytes| SignedCheckpoint::parse(bytes).ok());
                if before.is_none_or(|before| before.unverified().size <= size) {
                    contact.witness = Some(said.checkpoint.clone());
                }
            });
        }
        Ok(Outcome::Reply(AccessReply::Noted {}))
    }
}
