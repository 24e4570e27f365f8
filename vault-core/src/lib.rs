//! The core of MedVault: a patient-held, encrypted health-record vault over IPFS.
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod address;
mod audit;
mod block;
mod body;
mod codec;
mod envelope;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod grant;
mod head;
mod home;
mod identity;
mod ids;
mod index;
mod keys;
pub mod log;
mod pack;
mod pins;
#[cfg(test)]
mod proof;
mod random;
mod reader;
pub mod record;
#[cfg(test)]
mod samples;
mod seal;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod spec_examples;
mod store;
mod vault;

pub use address::NodeAddress;
pub use audit::{Act, AuditEntry, RevokeLevel};
pub use block::{Block, BlockError, Cid, Codec, Digest, MAX_BLOCK_LEN, ParseCidError};
pub use body::{BodyError, HeaderError, Location, RecordHeader};
pub use codec::DecodeError;
pub use envelope::{
    DEFAULT_WORK_FACTOR, ENVELOPE_LEN, ENVELOPE_PAYLOAD_MAX, EnvelopeError, IdentityKey,
    MAX_RECIPIENTS, MAX_WORK_FACTOR, ParseKeyError, RecipientKey, decrypt_with,
    decrypt_with_passphrase, encrypt_to, encrypt_with_passphrase, open_envelope, seal_envelope,
};
pub use grant::{
    Decision, DirectoryError, Extent, GrantKeyError, Purpose, Reason, Scope, Terms, TermsError,
    Ticket, TicketError,
};
pub use head::{Head, HeadError, MAX_HEAD_LEN, log_origin};
pub use home::{CacheStore, Home, HomeStorage};
pub use identity::{Card, CardError, Device, IdentityFileError, Signers, SignersError};
pub use ids::{ContactId, DeviceId, GrantId, ParseIdError, RecordId, VaultId, VersionId};
pub use index::{IndexEntry, PageError};
pub use keys::{
    PublicKey, RecoveryWords, Signature, SignatureError, WordsError, fingerprint_words,
};
pub use reader::{Advance, FollowError, Following, GrantView, Inbox, InboxError};
pub use record::{Category, ClinicalDate, Kind, Label, RecordMeta};
pub use seal::OpenError;
pub use store::{
    BlockSource, BlockStore, CachedSource, CarStore, Fetcher, MemoryStore, SourceError, StoreError,
};
pub use vault::{
    AddReport, Added, Adder, AuditReport, BadEntry, BlockReport, Clock, ContactInfo, Content,
    GrantInfo, GrantStatus, MemoryStorage, NewRecord, OpenRecord, PinnerAck, Preview, Receipt,
    ReceiptError, RekeyProgress, Revocation, RevokeTarget, ShareRequest, Shared, StorageError,
    Vault, VaultError, VaultStats, VaultStorage, WriteGuard, system_clock,
};
