//! Asking for keys on request, and believing the answer.

use super::following::{Following, SeenLog};
use super::grants::GrantView;
use crate::access::{
    Acceptance, AccessMessage, AccessReply, AgentCertificate, ReceiptDraft, RefusalCode, Released,
    RequestDraft, moment, open_keys,
};
use crate::audit::{Act, Asked, AuditEntry, EntryProof, Logged, signed_checkpoint};
use crate::block::Digest;
use crate::envelope::IdentityKey;
use crate::grant::{Delivery, Purpose, Terms};
use crate::head::log_origin;
use crate::identity::{Device, Signers};
use crate::ids::{GrantId, VaultId, VersionId};
use crate::index::IndexEntry;
use crate::keys::SecretKey;
use crate::log::{ConsistencyProof, NoteError, SignedCheckpoint, cosign, verify_consistency};

/// Why no keys came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No such agreement, or nothing was synced yet.
    #[error("there is no such agreement")]
    NoAgreement,
    /// The agreement was not countersigned.
    #[error("the agreement has not been accepted")]
    NotAccepted,
    /// The grant carries its keys.
    #[error("the keys of this grant need not be asked for")]
    Carried,
    /// The message was not looked at.
    #[error("the answer was: {0}")]
    Refused(RefusalCode),
    /// The request was turned down; that is in the log.
    #[error("the request was turned down: {reason}")]
    Denied {
        /// The reason's short name.
        reason: String,
        /// Position in the log.
        index: u64,
    },
    /// The log behind the answer is not the one seen before, or is behind it.
    #[error("the log of whoever answered is OLDER than, or OTHER than, the one seen before")]
    Diverged {
        /// What was seen before, signed.
        seen: Vec<u8>,
        /// What the other side says its log is, signed.
        statement: Vec<u8>,
    },
    /// The answer is not of the form of one.
    #[error("the answer is malformed")]
    Malformed,
    /// A proof in the answer does not hold: keys were not logged, or the log was changed.
    #[error("the answer does not hold: {0}")]
    Proof(&'static str),
}

/// An agreement as its reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldTerms {
    /// The grant.
    pub grant: GrantId,
    /// The terms, signed by the patient.
    pub terms: Terms,
    /// SHA-256 of the signed terms.
    pub digest: Digest,
    /// When they were countersigned, in seconds since 1970-01-01 UTC.
    pub accepted: Option<u64>,
}

impl Following {
    /// The agreements that were offered by this vault's owner, in the order they came.
    pub fn agreements(&self) -> Vec<HeldTerms> {
        let held = self.agreements.iter().filter_map(|held| {
            let acceptance = held.acceptance.as_ref();
            Some(HeldTerms {
                grant: held.grant,
                terms: Terms::from_checked_bytes(&held.offer).ok()?,
                digest: Digest::of(&held.offer),
                accepted: acceptance.and_then(|a| Some(Acceptance::from_bytes(a).ok()?.time())),
            })
        });
        held.collect()
    }

    /// Countersigns an agreement that was offered, and returns the message for the patient's node.
    /// Again gives the same message. Remember the memory before the message is sent.
    ///
    /// # Errors
    /// [`AskError::NoAgreement`].
    pub fn countersign(
        &mut self,
        grant: &GrantId,
        device: &Device,
        now: u64,
    ) -> Result<Vec<u8>, AskError> {
        let vault = self.vault();
        let held = self.agreements.iter_mut().find(|held| held.grant == *grant);
        let held = held.ok_or(AskError::NoAgreement)?;
        let offer = &held.offer;
        let bytes = held
            .acceptance
            .get_or_insert_with(|| Acceptance::sign(&vault, grant, offer, device, now));
        Ok(AccessMessage::Accept(bytes.clone()).to_bytes())
    }

    /// The countersignature of an agreement, once there is one, to be handed over as a file.
    pub fn acceptance(&self, grant: &GrantId) -> Option<Acceptance> {
        let held = self.agreements.iter().find(|held| held.grant == *grant)?;
        Acceptance::from_bytes(held.acceptance.as_ref()?).ok()
    }

    /// Forgets an agreement that was offered and is not wanted.
    ///
    /// # Errors
    /// [`AskError::NoAgreement`].
    pub fn decline(&mut self, grant: &GrantId) -> Result<(), AskError> {
        let before = self.agreements.len();
        self.agreements.retain(|held| held.grant != *grant);
        match self.agreements.len() < before {
            true => Ok(()),
            false => Err(AskError::NoAgreement),
        }
    }

    /// Asks for the keys of versions in a grant on request. `agent` is whom to ask; without one, the
    /// patient's device.
    ///
    /// # Errors
    /// [`AskError::Carried`], [`AskError::NotAccepted`], [`AskError::NoAgreement`].
    pub fn ask(
        &self,
        view: &GrantView,
        versions: &[VersionId],
        purpose: Option<Purpose>,
        agent: Option<&AgentCertificate>,
        device: &Device,
        now: u64,
    ) -> Result<Asking, AskError> {
        let agreement = view.agreement.as_ref().ok_or(AskError::Carried)?;
        if view.terms.delivery != Delivery::OnRequest {
            return Err(AskError::Carried);
        }
        let owner = device.signers().owner();
        let mut accepted = agreement.acceptances.iter();
        if !accepted.any(|acceptance| acceptance.reader() == owner) {
            return Err(AskError::NotAccepted);
        }
        let (signers, seen) = match agent {
            None => {
                let head = self.current().ok_or(AskError::NoAgreement)?;
                (head.signers().clone(), self.seen())
            }
            Some(agent) => (agent.agent.clone(), self.seen_of(&agent.agent.vault())),
        };
        let (key, public) = moment();
        let draft = RequestDraft {
            vault: self.vault(),
            grant: view.grant,
            terms: agreement.terms,
            versions: versions.to_vec(),
            purpose: purpose.clone(),
            key: public,
            log: signers.vault(),
            seen: seen.clone(),
        };
        let request = draft.sign(device, now);
        Ok(Asking {
            key,
            asked: Asked {
                vault: agent.is_some().then(|| self.vault()),
                grant: view.grant,
                reader: *owner,
                versions: versions.to_vec(),
                purpose,
                request: Digest::of(&request),
                via: None,
            },
            vault: self.vault(),
            signers,
            seen,
            message: AccessMessage::Request(request).to_bytes(),
        })
    }
}

/// A request on its way. The same message may be sent again, as often as needed: it is answered, and
/// counted, once.
pub struct Asking {
    key: IdentityKey,
    asked: Asked,
    vault: VaultId,
    /// Of whoever answers.
    signers: Signers,
    seen: Option<Vec<u8>>,
    message: Vec<u8>,
}

impl Asking {
    /// What to send.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// Checks an answer: that the entry about this very request is in the log of whoever answered,
    /// that this log contains what was seen before, and that the keys open. Only then does the memory
    /// move on.
    ///
    /// # Errors
    /// [`AskError`]; the memory is unchanged, except that a denial proven to be logged moves it on.
    pub fn take(self, following: &mut Following, answer: &[u8]) -> Result<Given, AskError> {
        let reply = AccessReply::from_bytes(answer).map_err(|_| AskError::Malformed)?;
        match reply {
            AccessReply::Released(released) => self.released(following, &released),
            AccessReply::Denied(denied) => {
                let (entry, checkpoint) = self.check(&denied.logged, denied.consistency())?;
                let Act::Denied { asked, reason } = entry.act else {
                    return Err(AskError::Proof("the entry is about something else"));
                };
                if asked != self.asked {
                    return Err(AskError::Proof("the entry is about something else"));
                }
                self.remember(following, &checkpoint)?;
                Err(AskError::Denied {
                    reason,
                    index: entry.index,
                })
            }
            AccessReply::Diverged(statement) => Err(AskError::Diverged {
                seen: self.seen.unwrap_or_default(),
                statement,
            }),
            AccessReply::Refused(code) => Err(AskError::Refused(code)),
            AccessReply::Noted {} | AccessReply::Report(_) => Err(AskError::Malformed),
        }
    }

    fn released(self, following: &mut Following, released: &Released) -> Result<Given, AskError> {
        let (entry, checkpoint) = self.check(&released.logged, released.consistency())?;
        match &entry.act {
            Act::Released(asked) if *asked == self.asked => {}
            _ => return Err(AskError::Proof("the entry is about something else")),
        }
        let count = self.asked.versions.len();
        let keys = open_keys(&self.key, &self.asked.request, released, count)
            .map_err(|_| AskError::Proof("the keys do not open"))?;
        self.remember(following, &checkpoint)?;
        Ok(Given {
            keys: self.asked.versions.iter().copied().zip(keys).collect(),
            request: self.asked.request,
            vault: self.vault,
            log: self.signers.vault(),
            signers: self.signers,
            entry,
            logged: released.logged.clone(),
            checkpoint,
        })
    }

    fn check(
        &self,
        logged: &Logged,
        consistency: ConsistencyProof,
    ) -> Result<(AuditEntry, SignedCheckpoint), AskError> {
        let proven = logged
            .verify(&self.signers)
            .map_err(|_| AskError::Proof("the entry is not in the log"))?;
        if !proven.signs_now {
            return Err(AskError::Proof(
                "the checkpoint is signed by a replaced key",
            ));
        }
        let (entry, checkpoint) = (proven.entry, proven.checkpoint);
        if let Some(seen) = &self.seen {
            let seen = signed_checkpoint(seen, &self.signers);
            let seen = seen.ok_or(AskError::Proof("what was seen before is not signed"))?;
            let (old, new) = (seen.unverified(), checkpoint.unverified());
            verify_consistency(old.size, &old.root, new.size, &new.root, &consistency)
                .map_err(|_| AskError::Proof("the log does not contain what was seen before"))?;
        }
        Ok((entry, checkpoint))
    }

    /// Moves the memory on. If it has moved since the request was made, nothing shows that this
    /// checkpoint continues it, and it stays; the next request asks from there.
    fn remember(
        &self,
        following: &mut Following,
        checkpoint: &SignedCheckpoint,
    ) -> Result<(), AskError> {
        let log = self.signers.vault();
        let seen = following.seen_of(&log);
        if seen != self.seen {
            let seen = seen.and_then(|seen| signed_checkpoint(&seen, &self.signers));
            let new = checkpoint.unverified();
            return match seen.as_ref().map(SignedCheckpoint::unverified) {
                Some(seen) if seen.size == new.size && seen.root != new.root => Err(
                    AskError::Proof("the log is another than the one seen meanwhile"),
                ),
                _ => Ok(()),
            };
        }
        if log == following.vault() {
            following.see(checkpoint);
            return Ok(());
        }
        following.see_log(SeenLog {
            log,
            size: checkpoint.unverified().size,
            checkpoint: checkpoint.as_bytes().to_vec(),
        });
        Ok(())
    }
}

/// Keys that came, with the proof that this was logged.
pub struct Given {
    keys: Vec<(VersionId, SecretKey)>,
    request: Digest,
    vault: VaultId,
    log: VaultId,
    signers: Signers,
    entry: AuditEntry,
    logged: Logged,
    checkpoint: SignedCheckpoint,
}

impl Given {
    /// An index entry with its key, if that is among those that came.
    pub fn unlock(&self, entry: &IndexEntry) -> Option<IndexEntry> {
        let mut keys = self.keys.iter();
        let (_, key) = keys.find(|(version, _)| *version == entry.version)?;
        Some(entry.with_key(key.clone()))
    }

    /// SHA-256 of the signed request.
    pub const fn request(&self) -> &Digest {
        &self.request
    }

    /// The entry of the log.
    pub const fn entry(&self) -> &AuditEntry {
        &self.entry
    }

    /// The vault whose log the entry is in: the patient's, or an agent's.
    pub const fn log(&self) -> &VaultId {
        &self.log
    }

    /// The proof that the entry is in that log, for third parties.
    pub fn proof(&self) -> EntryProof {
        EntryProof::new(self.logged.clone(), self.signers.clone())
    }

    /// The receipt, as a message for whoever answered: whether everything opened, and the checkpoint
    /// countersigned. With that the reader is a witness of the log up to here.
    ///
    /// # Errors
    /// [`NoteError`] for a clock that is far out of range.
    pub fn receipt(&self, opened: bool, device: &Device, now: u64) -> Result<Vec<u8>, NoteError> {
        let name = log_origin(&device.vault());
        let line = cosign(&self.checkpoint, &name, device.signing().dalek(), now)?;
        let cosigned = self.checkpoint.with_signature(line);
        let cosigned = cosigned.map_err(|_| NoteError::TooManySignatures)?;
        let draft = ReceiptDraft {
            vault: self.vault,
            log: self.log,
            request: self.request,
            index: self.entry.index,
            opened,
            checkpoint: cosigned.as_bytes().to_vec(),
        };
        Ok(AccessMessage::Receipt(draft.sign(device, now)).to_bytes())
    }
}
