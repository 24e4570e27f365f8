//! What a vault says about its log to somebody who asks, signed.
//!
//! A checkpoint carries no time. The statement ties one to a request: asked with this request, at
//! this time, by one who had seen that much, this was the log. A vault that was put back to an old
//! copy of its files and goes on answering signs, with such a statement, the proof of it.

use serde::{Deserialize, Serialize};

use super::prove::log_signer;
use crate::block::Digest;
use crate::codec::{self, DecodeError};
use crate::identity::Signers;
use crate::ids::VaultId;
use crate::keys::{Namespace, PublicKey, SignatureError, Signed, SigningKey};
use crate::log::{Checkpoint, LogProofError, MAX_NOTE_LEN, SignedCheckpoint, TreeHash};

/// Longest accepted statement, in bytes.
pub const MAX_STATEMENT_LEN: usize = MAX_NOTE_LEN + 1024;

/// Why a statement was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not a statement.
    #[error("log statement: {0}")]
    Malformed(#[from] DecodeError),
    /// Not signed by a key of the vault.
    #[error("log statement: {0}")]
    Signature(#[from] SignatureError),
    /// The checkpoint inside is not one of this vault's log.
    #[error("log statement: {0}")]
    Checkpoint(#[from] LogProofError),
    /// About another vault.
    #[error("log statement: it is about another vault")]
    OtherVault,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    size: u64,
    root: TreeHash,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u8,
    vault: VaultId,
    request: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<Seen>,
    time: u64,
    #[serde(with = "serde_bytes")]
    checkpoint: Vec<u8>,
    signer: PublicKey,
}

/// A statement whose signatures hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStatement {
    request: Digest,
    seen: Option<(u64, TreeHash)>,
    time: u64,
    checkpoint: SignedCheckpoint,
    /// The keys that signed the statement, and the checkpoint in it.
    signed_by: [PublicKey; 2],
    bytes: Vec<u8>,
}

impl LogStatement {
    /// Signs a statement and returns its bytes. `seen` is the size and root of the log that the
    /// request says its sender has seen; `time` in seconds since 1970-01-01 UTC.
    pub(crate) fn sign(
        vault: &VaultId,
        request: &Digest,
        seen: Option<(u64, TreeHash)>,
        time: u64,
        checkpoint: &[u8],
        key: &SigningKey,
    ) -> Vec<u8> {
        let wire = Wire {
            v: 1,
            vault: *vault,
            request: *request,
            seen: seen.map(|(size, root)| Seen { size, root }),
            time,
            checkpoint: checkpoint.to_vec(),
            signer: key.public(),
        };
        Signed::new(&wire, Namespace::LogStatement, key).to_bytes()
    }

    /// Reads a statement of the vault whose list is given; its key may have been replaced since.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn from_bytes(bytes: &[u8], signers: &Signers) -> Result<Self, StatementError> {
        let signed: Signed<Wire> = codec::decode(bytes, MAX_STATEMENT_LEN)?;
        let signer = signed.peek()?.signer;
        if !signers.has_signed(&signer) {
            return Err(SignatureError::Invalid.into());
        }
        let wire = signed.verify(Namespace::LogStatement, &signer)?;
        if wire.v != 1 {
            return Err(DecodeError::Malformed.into());
        }
        if wire.vault != signers.vault() {
            return Err(StatementError::OtherVault);
        }
        let checkpoint = SignedCheckpoint::parse(&wire.checkpoint).map_err(LogProofError::from)?;
        let signed_by = [signer, log_signer(&checkpoint, signers)?];
        Ok(Self {
            request: wire.request,
            seen: wire.seen.map(|seen| (seen.size, seen.root)),
            time: wire.time,
            checkpoint,
            signed_by,
            bytes: bytes.to_vec(),
        })
    }

    /// SHA-256 of the signed request that it answers.
    pub const fn request(&self) -> &Digest {
        &self.request
    }

    /// Size and root of the log that the request said its sender had seen.
    pub const fn seen(&self) -> Option<(u64, TreeHash)> {
        self.seen
    }

    /// When, by the vault's clock, in seconds since 1970-01-01 UTC.
    pub const fn time(&self) -> u64 {
        self.time
    }

    /// Size and root of the log then.
    pub fn checkpoint(&self) -> &Checkpoint {
        self.checkpoint.unverified()
    }

    /// The same as the vault signed it.
    pub(super) const fn signed_checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// The keys that signed the statement, and the checkpoint in it.
    pub(super) const fn signed_by(&self) -> &[PublicKey; 2] {
        &self.signed_by
    }

    /// The signed bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::{device, known_signers, owner};
    use crate::samples;

    fn sign(vault: &VaultId, checkpoint: &[u8], key: &SigningKey) -> Vec<u8> {
        let seen = Some((20, TreeHash::from_bytes([3; 32])));
        let request = Digest::of(b"request");
        LogStatement::sign(vault, &request, seen, 77, checkpoint, key)
    }

    #[test]
    fn a_statement_is_read_as_it_was_signed_also_after_a_recovery() {
        let bytes = sign(&samples::vault(), &samples::checkpoint(), &device());
        let read = LogStatement::from_bytes(&bytes, &known_signers()).unwrap();
        assert_eq!(read.request(), &Digest::of(b"request"));
        assert_eq!(read.seen(), Some((20, TreeHash::from_bytes([3; 32]))));
        assert_eq!((read.time(), read.checkpoint().size), (77, 12));
        assert_eq!(read.as_bytes(), bytes);
        let later = Signers::new(&owner(), 8, vec![], vec![device().public()]);
        assert_eq!(LogStatement::from_bytes(&bytes, &later), Ok(read));
    }

    #[test]
    fn strangers_and_other_logs_are_refused() {
        let read = |bytes: &[u8]| LogStatement::from_bytes(bytes, &known_signers());
        let stranger = SigningKey::from_seed(&[9; 32]);
        let vault = samples::vault();
        let refused = read(&sign(&vault, &samples::checkpoint(), &stranger));
        assert_eq!(refused, Err(SignatureError::Invalid.into()));
        let other = VaultId::from_bytes([1; 32]);
        let refused = read(&sign(&other, &samples::checkpoint(), &device()));
        assert_eq!(refused, Err(StatementError::OtherVault));
        let foreign = Checkpoint {
            origin: "log.example".into(),
            size: 12,
            root: TreeHash::from_bytes([16; 32]),
        };
        let foreign = foreign.sign("log.example", device().dalek()).unwrap();
        let refused = read(&sign(&vault, foreign.as_bytes(), &device()));
        assert_eq!(refused, Err(LogProofError::OtherLog.into()));
    }
}
