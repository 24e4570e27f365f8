//! What can go wrong with a vault.

use crate::access::{AcceptanceError, CertificateError};
use crate::audit::TileReadError;
use crate::block::Cid;
use crate::body::BodyError;
use crate::codec::DecodeError;
use crate::envelope::EnvelopeError;
use crate::grant::{GrantKeyError, TermsError};
use crate::head::HeadError;
use crate::identity::{CardError, SignersError};
use crate::ids::{DepositId, GrantId, RecordId};
use crate::index::{ContentKeyError, PageError};
use crate::log::{ProofError, TileError};
use crate::pins::PinSetError;
use crate::store::{SourceError, StoreError};

use super::agents::ReportError;
use super::storage::StorageError;

/// Why a vault could not do what was asked. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The place where the vault is kept failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A block is missing or a store failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The head is not valid.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// A sealed page is not valid.
    #[error(transparent)]
    Page(#[from] PageError),
    /// A sealed body is not valid.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The content key is not here: it is given out on request only.
    #[error(transparent)]
    ContentKey(#[from] ContentKeyError),
    /// The pin set is not valid.
    #[error(transparent)]
    Pins(#[from] PinSetError),
    /// The audit log is not valid.
    #[error("audit log: {0}")]
    Log(String),
    /// A grant key could not be taken from its envelope.
    #[error(transparent)]
    GrantKey(#[from] GrantKeyError),
    /// An age file could not be made or opened.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Grant terms are not valid.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// A contact card is not valid.
    #[error(transparent)]
    Card(#[from] CardError),
    /// A signers list is not valid.
    #[error(transparent)]
    Signers(#[from] SignersError),
    /// Something of ours does not decode.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The identity is of another vault than the head.
    #[error("the identity belongs to another vault")]
    OtherVault,
    /// No such record.
    #[error("no record {0}")]
    NoRecord(RecordId),
    /// No such entry of the audit log.
    #[error("the audit log has no entry {0}")]
    NoEntry(u64),
    /// No such grant.
    #[error("no grant {0}")]
    NoGrant(GrantId),
    /// No contact of this name or key.
    #[error("no contact `{0}`")]
    NoContact(String),
    /// A contact of this name is there already.
    #[error("there is a contact `{0}` already")]
    ContactExists(String),
    /// The card gives another key than the one known for this contact.
    #[error("the key of contact `{0}` has CHANGED: this may be someone else")]
    KeyChanged(String),
    /// The card is older than the one known for this contact.
    #[error("the card of contact `{0}` is older than the one on file")]
    OlderCard(String),
    /// The fingerprint words differ from the contact's.
    #[error("the fingerprint of contact `{0}` does not match")]
    FingerprintMismatch(String),
    /// The grant has already ended.
    #[error("grant {0} has already ended")]
    GrantEnded(GrantId),
    /// The scope selects nothing.
    #[error("the scope selects no record")]
    EmptyScope,
    /// The end of the grant lies in the past.
    #[error("the grant would end before it begins")]
    AlreadyExpired,
    /// Only a grant on request has conditions and agents.
    #[error("conditions and agents need a grant on request")]
    NotOnRequest,
    /// A grant on request cannot go as a file: its keys are asked for.
    #[error("a grant on request cannot go as a file")]
    CarriedOnly,
    /// The grant is on request, and nobody has agreed to it or not with these terms.
    #[error(transparent)]
    Acceptance(#[from] AcceptanceError),
    /// The contact may not answer requests under this grant.
    #[error("the terms of grant {0} do not name this contact as an agent")]
    NotAnAgent(GrantId),
    /// An agent's certificate is not valid.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// An agent's report is not believed.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A limit of opens cannot be shared like that.
    #[error("{asked} opens are more than the {left} that are left to share")]
    TooManyOpens {
        /// Opens asked for.
        asked: u64,
        /// Opens that are left.
        left: u64,
    },
    /// A limited agreement needs a limit for each agent.
    #[error("this agreement has a limit of opens, so an agent needs one too")]
    NoAllowance,
    /// A grant needs at least one reader.
    #[error("a grant needs at least one reader")]
    NoReader,
    /// None of the blocks is a head of the vault that these words open.
    #[error("no head of this vault is among the blocks")]
    NothingToRecover,
    /// Blocks that the head names are not there.
    #[error("{} blocks of the vault are missing, the first is {}", .0.len(), .0[0])]
    Incomplete(Vec<Cid>),
    /// Records of the deposit are in the vault already.
    #[error("deposit {0} was accepted already")]
    DepositKnown(DepositId),
    /// A block of the deposit is in the vault already, for another record.
    #[error("a block of deposit {0} is in the vault already")]
    DepositShares(DepositId),
    /// The vault was changed by another device or process in between.
    #[error("the vault changed underneath; try again")]
    Conflict,
}

impl From<StoreError> for VaultError {
    fn from(error: StoreError) -> Self {
        Self::Storage(error.into())
    }
}

impl From<TileReadError> for VaultError {
    fn from(error: TileReadError) -> Self {
        Self::Log(error.to_string())
    }
}

impl<E: std::fmt::Display> From<TileError<E>> for VaultError {
    fn from(error: TileError<E>) -> Self {
        Self::Log(error.to_string())
    }
}

impl From<ProofError> for VaultError {
    fn from(error: ProofError) -> Self {
        Self::Log(error.to_string())
    }
}
