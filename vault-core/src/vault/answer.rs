//! Answering messages of the access protocol: decide, log, and only then seal.
//!
//! Many messages are answered in one change, so that ten who ask at once cost one sync. The keys are
//! sealed after the change is durable, from the head that holds its entries.

mod charge;
mod decision;
mod request;

use std::sync::Arc;

use super::{Vault, VaultError};
use crate::access::{
    Acceptance, AccessMessage, AccessReceipt, AccessReply, AccessRequest, AgentQuestion, Asker,
    Denied, RefusalCode, Released, seal_keys,
};
use crate::identity::vault_id;
use crate::ids::VaultId;
use crate::keys::{PublicKey, SecretKey};
use crate::log::{SignedCheckpoint, TreeHash};

pub use charge::Charge;
pub(super) use decision::Listing;

/// Answers, one for each message in order.
pub struct Answers {
    /// The answers.
    pub replies: Vec<AccessReply>,
    /// A checkpoint that a key signed which signs for this vault now, and that its log does not
    /// contain: the vault was put back to an older copy, or two copies of it are in use. Nothing
    /// should be answered until the patient has looked at that.
    pub diverged: Option<Vec<u8>>,
    /// Why nothing could be answered.
    pub error: Option<VaultError>,
}

/// A message that could be read.
enum Message {
    Accept(Acceptance),
    Request(Box<AccessRequest>),
    Receipt(AccessReceipt),
    Question(AgentQuestion, Asker),
}

fn read(bytes: &[u8]) -> Option<Message> {
    Some(match AccessMessage::from_bytes(bytes).ok()? {
        AccessMessage::Accept(bytes) => Message::Accept(Acceptance::from_bytes(&bytes).ok()?),
        AccessMessage::Request(bytes) => {
            Message::Request(Box::new(AccessRequest::from_bytes(&bytes).ok()?))
        }
        AccessMessage::Receipt(bytes) => Message::Receipt(AccessReceipt::from_bytes(&bytes).ok()?),
        AccessMessage::Question(bytes) => {
            let (question, asker) = AgentQuestion::from_bytes(&bytes).ok()?;
            Message::Question(question, asker)
        }
    })
}

/// The vault whose records a message asks the vault `own` for as an agent, when its signature holds.
pub(super) fn asked_of(message: &[u8], own: &VaultId) -> Option<VaultId> {
    match AccessMessage::from_bytes(message).ok()? {
        AccessMessage::Request(bytes) => {
            let request = AccessRequest::from_bytes(&bytes).ok()?;
            let ours = request.log() == own && request.vault() != own;
            ours.then_some(*request.vault())
        }
        _ => None,
    }
}

/// The vault whose owner asks what was done for it, when the question's signature holds.
pub(super) fn questioned_by(message: &[u8]) -> Option<VaultId> {
    match AccessMessage::from_bytes(message).ok()? {
        AccessMessage::Question(bytes) => {
            let (_, asker) = AgentQuestion::from_bytes(&bytes).ok()?;
            Some(vault_id(&asker.owner))
        }
        _ => None,
    }
}

/// What a message comes to, before the change is durable.
enum Outcome {
    Reply(AccessReply),
    /// Keys may leave once the entry with this number is durable.
    Release(u64, Vec<SecretKey>),
    /// The entry with this number says why not.
    Deny(u64),
    Report,
    Diverged,
}

impl Message {
    /// Whose it is.
    const fn owner(&self) -> &PublicKey {
        match self {
            Self::Accept(acceptance) => acceptance.reader(),
            Self::Request(request) => request.reader(),
            Self::Receipt(receipt) => &receipt.reader,
            Self::Question(_, asker) => &asker.owner,
        }
    }
}

/// Nothing can be done now.
fn busy(messages: &[Option<Message>], error: VaultError) -> Answers {
    let busy = || AccessReply::Refused(RefusalCode::Busy);
    Answers {
        replies: messages.iter().map(|_| busy()).collect(),
        diverged: None,
        error: Some(error),
    }
}

/// What somebody hears who is not known here.
fn to_stranger(message: Option<&Message>, own: &VaultId) -> AccessReply {
    AccessReply::Refused(match message {
        None => RefusalCode::Malformed,
        Some(Message::Accept(_)) => RefusalCode::NotOffered,
        // not answered for here, or not yet
        Some(Message::Request(request)) if (request.log(), request.vault()) != (own, own) => {
            RefusalCode::NotHere
        }
        Some(Message::Receipt(_)) => RefusalCode::NotHere,
        Some(Message::Question(question, asker))
            if question.log != *own || question.vault != vault_id(&asker.owner) =>
        {
            RefusalCode::NotHere
        }
        Some(Message::Request(_) | Message::Question(..)) => RefusalCode::Stranger,
    })
}

const fn refused(code: RefusalCode) -> Outcome {
    Outcome::Reply(AccessReply::Refused(code))
}

impl Vault {
    /// Answers messages to this vault's node: requests for its own records, and for those of
    /// patients it is an agent of (`charges`).
    ///
    /// Everything is decided and logged in one change of the vault; keys are sealed after that is
    /// durable. When the change fails, nothing is answered but that it cannot be done now.
    pub fn answer(&mut self, messages: &[Vec<u8>], charges: &[Arc<Charge>]) -> Answers {
        let messages: Vec<Option<Message>> = messages.iter().map(|bytes| read(bytes)).collect();
        match self.are_strangers(&messages, charges) {
            Ok(false) => {}
            Ok(true) => {
                let own = self.id();
                return Answers {
                    replies: messages
                        .iter()
                        .map(|one| to_stranger(one.as_ref(), &own))
                        .collect(),
                    diverged: None,
                    error: None,
                };
            }
            Err(error) => return busy(&messages, error),
        }
        let outcomes = self.transact_quickly(|tx| {
            tx.vault.look_back()?;
            let outcomes = messages.iter().map(|message| match message {
                Some(message) => tx.outcome(message, charges),
                None => Ok(refused(RefusalCode::Malformed)),
            });
            outcomes.collect::<Result<Vec<_>, VaultError>>()
        });
        let outcomes = match outcomes {
            Ok(outcomes) => outcomes,
            Err(error) => return busy(&messages, error),
        };
        let (mut replies, mut diverged, mut first_error) = (Vec::new(), None, None);
        for (message, outcome) in messages.iter().zip(outcomes) {
            let reply = match (message, outcome) {
                (_, Outcome::Reply(reply)) => Ok(reply),
                (Some(Message::Request(request)), Outcome::Release(index, keys)) => {
                    self.released(request, index, &keys)
                }
                (Some(Message::Request(request)), Outcome::Deny(index)) => {
                    self.denied(request, index)
                }
                (Some(Message::Request(request)), Outcome::Diverged) => {
                    diverged = request.seen().map(<[u8]>::to_vec);
                    Ok(self.diverged(request))
                }
                (Some(Message::Question(question, ..)), Outcome::Report) => self.report(question),
                _ => Ok(AccessReply::Refused(RefusalCode::Malformed)),
            };
            replies.push(reply.unwrap_or_else(|error| {
                first_error = Some(error);
                // what was logged is found again when the same message comes again
                AccessReply::Refused(RefusalCode::Busy)
            }));
        }
        Answers {
            replies,
            diverged,
            error: first_error,
        }
    }

    /// Whether nobody known here has said anything: then no lock is taken and nothing is read but the
    /// contacts.
    fn are_strangers(
        &mut self,
        messages: &[Option<Message>],
        charges: &[Arc<Charge>],
    ) -> Result<bool, VaultError> {
        self.refresh()?;
        self.reading(|vault| {
            let blocks = vault.storage.blocks();
            vault.state.contacts.load(&*blocks)?;
            Ok(vault.state.charges.load(&*blocks)?)
        })?;
        let known = |message: &Message| {
            let owner = message.owner();
            let vault = vault_id(owner);
            self.contact_name(owner).is_some()
                || self
                    .state
                    .charges
                    .items()
                    .any(|charge| charge.vault == vault)
                || charges.iter().any(|charge| {
                    let mut accepted = charge.acceptances.iter();
                    charge.vault == vault || accepted.any(|accepted| accepted.reader() == owner)
                })
        };
        Ok(!messages.iter().flatten().any(known))
    }

    fn released(
        &mut self,
        request: &AccessRequest,
        index: u64,
        keys: &[SecretKey],
    ) -> Result<AccessReply, VaultError> {
        let logged = self.logged(index)?;
        let consistency = self.since(request.seen())?;
        let (enc, keys) = match seal_keys(request, &logged, keys) {
            Ok(sealed) => sealed,
            Err(_) => return Ok(AccessReply::Refused(RefusalCode::Malformed)),
        };
        Ok(AccessReply::Released(Box::new(Released {
            logged,
            consistency,
            enc,
            keys,
        })))
    }

    fn denied(&mut self, request: &AccessRequest, index: u64) -> Result<AccessReply, VaultError> {
        Ok(AccessReply::Denied(Box::new(Denied {
            logged: self.logged(index)?,
            consistency: self.since(request.seen())?,
        })))
    }

    /// A signed statement of what this log is.
    fn diverged(&self, request: &AccessRequest) -> AccessReply {
        let seen = request
            .seen()
            .and_then(|bytes| SignedCheckpoint::parse(bytes).ok());
        let seen = seen.map(|seen| (seen.unverified().size, seen.unverified().root));
        AccessReply::Diverged(self.state_log(request.digest(), seen))
    }

    /// That the log contains the checkpoint a reader has seen.
    fn since(&self, seen: Option<&[u8]>) -> Result<Vec<TreeHash>, VaultError> {
        let seen = seen.and_then(|bytes| SignedCheckpoint::parse(bytes).ok());
        let size = seen.map_or(0, |seen| seen.unverified().size);
        match size {
            0 => Ok(Vec::new()),
            size => Ok(self.consistency(size)?.0),
        }
    }
}
