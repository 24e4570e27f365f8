//! A reader's confirmation that content keys arrived, with the countersigned checkpoint.

use serde::{Deserialize, Serialize};

use super::reader::{MessageError, ReaderStatement};
use crate::block::Digest;
use crate::codec::DecodeError;
use crate::head::log_origin;
use crate::identity::{Device, MAX_SIGNERS_LEN};
use crate::ids::VaultId;
use crate::keys::{Namespace, PublicKey};
use crate::log::{MAX_NOTE_LEN, SignedCheckpoint, verify_cosignature};

/// Longest receipt, in bytes.
pub(crate) const MAX_RECEIPT_LEN: usize = MAX_SIGNERS_LEN + MAX_NOTE_LEN + 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiptDraft {
    /// Whose records.
    pub(crate) vault: VaultId,
    /// Whose log the release stands in.
    pub(crate) log: VaultId,
    /// SHA-256 of the signed request.
    pub(crate) request: Digest,
    /// Position of the release in the log.
    pub(crate) index: u64,
    /// Whether everything opened.
    pub(crate) opened: bool,
    /// The checkpoint that came with the keys, countersigned by the reader's device.
    #[serde(with = "serde_bytes")]
    pub(crate) checkpoint: Vec<u8>,
}

impl ReceiptDraft {
    /// Signs the receipt. `now` is in seconds since 1970-01-01 UTC.
    pub(crate) fn sign(self, device: &Device, now: u64) -> Vec<u8> {
        ReaderStatement::sign(self, Namespace::AccessReceipt, device, now)
    }
}

/// A verified receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessReceipt {
    pub(crate) said: ReceiptDraft,
    pub(crate) checkpoint: SignedCheckpoint,
    /// Owner key of the reader.
    pub(crate) reader: PublicKey,
    pub(crate) serial: u64,
    /// SHA-256 of the signed receipt.
    pub(crate) digest: Digest,
}

impl AccessReceipt {
    /// Reads a receipt; checks that a device signed it which its owner vouches for, and that the
    /// same device countersigned the checkpoint.
    ///
    /// # Errors
    /// [`MessageError`].
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, MessageError> {
        let read: ReaderStatement<ReceiptDraft> =
            ReaderStatement::read(bytes, Namespace::AccessReceipt, MAX_RECEIPT_LEN)?;
        let malformed = DecodeError::Malformed;
        let checkpoint =
            SignedCheckpoint::parse(&read.say.checkpoint).map_err(|_| malformed.clone())?;
        let name = log_origin(&read.signers.vault());
        verify_cosignature(&checkpoint, &name, &read.signer.verifying_key()?)
            .map_err(|_| malformed)?;
        Ok(Self {
            said: read.say,
            checkpoint,
            reader: *read.signers.owner(),
            serial: read.signers.serial(),
            digest: Digest::of(bytes),
        })
    }
}
