//! The core of MedVault: a patient-held, encrypted health-record vault over IPFS.
//!
//! A [`Vault`] is a set of sealed blocks and one signed head. The patient adds records, grants parts
//! of them to readers, takes them back, and can prove what happened; a reader follows the vault with
//! a [`Following`]. Nothing here talks to a network or a terminal: blocks live behind [`BlockStore`],
//! and whoever fetches them stands behind [`Fetcher`].
//!
//! ```
//! use std::sync::Arc;
//! use vault_core::{
//!     Content, Device, MemoryStorage, NewRecord, OnRequestTerms, RecoveryWords, Vault, record, system_clock,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let words = RecoveryWords::generate(); // to be written down
//! let device = Arc::new(Device::for_new_vault(&words, 1_790_000_000));
//! let storage = Arc::new(MemoryStorage::new());
//! let mut vault = Vault::create(storage, device, "Mira", system_clock())?;
//!
//! let file = br#"{"resourceType": "Observation", "code": {"text": "Pulse"}}"#;
//! let import = record::read(file, "pulse.json");
//! vault.add_all(import.items.into_iter().map(|item| NewRecord {
//!     content: Content::Bytes(file[item.range].to_vec().into()),
//!     meta: item.meta,
//!     source: Some("pulse.json".into()),
//!     replaces: None,
//! }))?;
//!
//! let entry = vault.records()?.remove(0);
//! assert_eq!(entry.meta.title, "Pulse");
//! let mut content = Vec::new();
//! vault.open_record(&entry)?.copy_to(&mut content)?;
//! assert_eq!(content, file);
//! assert_eq!(vault.verify_audit()?.bad, None);
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod access;
mod address;
mod audit;
mod block;
mod body;
mod car;
mod codec;
mod deposit;
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
mod ipns;
mod keys;
pub mod log;
mod pack;
pub mod pinning;
mod pins;
#[cfg(test)]
mod proof;
pub mod random;
mod reader;
pub mod record;
mod restore;
#[cfg(test)]
mod samples;
mod seal;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod spec_examples;
mod spool;
mod store;
mod vault;

pub use access::{
    Acceptance, AcceptanceError, AccessDecision, AccessReply, AccessRequest, AccessState,
    AgentAddress, AgentAddressError, AgentCertificate, AgentReport, CertificateError, Denied,
    DenyReason, MAX_ACCESS_MESSAGE, MAX_ACCESS_REPLY, MAX_AGENT_ADDRESS_LEN, MAX_VERSIONS,
    MessageError, RefusalCode, Released, Standing, decide,
};
pub use address::NodeAddress;
pub use audit::{
    Act, Asked, AuditEntry, Basis, EntryProof, EntryProofError, Evidence, EvidenceError, Fork,
    ForkError, ForkVerdict, LogStatement, MAX_EVIDENCE_LEN, MAX_STATEMENT_LEN, Proven, RevokeLevel,
    RollBack, StatementError, Via, check_fork,
};
pub use block::{Block, BlockError, Cid, Codec, Digest, MAX_BLOCK_LEN, ParseCidError};
pub use body::{BodyError, HeaderError, Location, RecordHeader};
pub use car::{CarError, CarReader, CarSection, CarWriter};
pub use codec::DecodeError;
pub use deposit::{
    Announcement, DeliveryError, DepositError, DepositLimit, DepositMaker, DepositReceipt,
    DepositRefusal, DepositTarget, DepositTicket, DepositTicketError, Earlier, Incoming,
    MAX_PARCEL_LEN, Outgoing, Parcel, WaitingDeposit, WaitingDeposits, WaitingError,
    answer_refused, may_deposit, sign_announcement,
};
pub use envelope::{
    DEFAULT_WORK_FACTOR, ENVELOPE_LEN, ENVELOPE_PAYLOAD_MAX, EnvelopeError, IdentityKey,
    MAX_RECIPIENTS, MAX_WORK_FACTOR, ParseKeyError, RecipientKey, decrypt_with,
    decrypt_with_passphrase, encrypt_to, encrypt_with_passphrase, open_envelope, seal_envelope,
};
pub use grant::{
    AccessRefusal, BlockReader, BlockReaders, Condition, Conditions, Decision, Delivery,
    DirectoryError, Ends, Extent, GrantKeyError, MAX_BLOCK_ACCESS_LEN, MAX_CLOCK_DIFFERENCE,
    ParsePresetError, Preset, Purpose, QrError, Reason, Scope, Terms, TermsError, Ticket,
    TicketError, join_qr_parts, qr_parts, sign_block_access,
};
pub use head::{Head, HeadError, MAX_HEAD_LEN, log_origin};
pub use home::{CacheStore, Home, HomeStorage};
pub use identity::{Card, CardError, Device, IdentityFileError, Signers, SignersError};
pub use ids::{
    ContactId, DepositId, DeviceId, GrantId, ParseIdError, RecordId, VaultId, VersionId,
};
pub use index::{ContentKeyError, IndexEntry, PageError};
pub use ipns::{
    IPNS_LIFETIME, IPNS_TTL, IpnsError, IpnsName, IpnsRecord, MAX_IPNS_RECORD_LEN,
    ParseIpnsNameError,
};
pub use keys::{
    PublicKey, RecoveryWords, Signature, SignatureError, SigningKey, WordsError, fingerprint_words,
};
pub use reader::{
    Advance, AgreementView, Answer, AskError, Asking, Finding, FollowError, Following, Given,
    GrantView, HeldTerms, Inbox, InboxError, KeptProof, Offer, Place, Proofs, ProofsError, Stick,
    StickError, StickTaken, Verdict,
};
pub use record::{
    Category, ClinicalDate, Code, Kind, Label, RecordMeta, Sensitivity, SensitivityRule,
};
pub use restore::{RestoreError, Restored};
pub use seal::OpenError;
pub use spool::{Spool, SpoolReader};
#[cfg(feature = "testing")]
#[doc(hidden)]
pub use store::conformance;
pub use store::{
    BlockSource, BlockStore, CachedSource, CarStore, ChainedStore, Fetcher, MemoryStore,
    RecentSource, SourceError, StoreError, refuse_zeros,
};
pub use vault::{
    AddReport, Added, Adder, Admission, AgentInfo, AgentRequest, AgentStanding, AgreementInfo,
    Answers, Archive, ArchiveError, Archived, AuditReport, BadEntry, BlockReport, Charge,
    ChargeSource, Clock, ContactInfo, Content, DepositAccepted, DepositView, DepositedRecord, Desk,
    DeskEvent, GrantInfo, GrantStatus, MemoryStorage, NewRecord, NoCharges, OnRequestTerms,
    OpenRecord, Opener, PinnerAck, Preview, Receipt, ReceiptError, RekeyProgress, Relabelled,
    ReportError, Revocation, RevokeTarget, ShareRequest, Shared, StorageError, Vault, VaultError,
    VaultStats, VaultStorage, WriteGuard, system_clock,
};
