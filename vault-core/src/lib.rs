//! The core of MedVault: a patient-held, encrypted health-record vault over IPFS.
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod block;
mod codec;
mod envelope;
mod ids;
pub mod log;
mod random;
mod seal;
pub mod record;
mod store;

pub use block::{Block, BlockError, Cid, Codec, Digest, MAX_BLOCK_LEN, ParseCidError};
pub use codec::DecodeError;
pub use envelope::{
    DEFAULT_WORK_FACTOR, ENVELOPE_LEN, ENVELOPE_PAYLOAD_MAX, EnvelopeError, IdentityKey,
    MAX_RECIPIENTS, MAX_WORK_FACTOR, ParseKeyError, RecipientKey, decrypt_with,
    decrypt_with_passphrase, encrypt_to, encrypt_with_passphrase, open_envelope, seal_envelope,
};
pub use ids::{ContactId, DeviceId, GrantId, ParseIdError, RecordId, VaultId, VersionId};
pub use seal::OpenError;
pub use record::{Category, ClinicalDate, Kind, Label, RecordMeta};
pub use store::{BlockStore, StoreError};
pub use store::{BlockStore, MemoryStore, StoreError};
pub use store::{BlockStore, CarStore, MemoryStore, StoreError};
