//! The head: one signed statement that names everything else.
//!
//! Block form: dag-cbor `{"head": payload, "pins": link, "sig": signature}`, codec dag-cbor, so
//! that a recursive pin of the head keeps the whole vault.

use ipld_core::cid::Cid as IpldCid;
use serde::{Deserialize, Serialize};

use crate::block::{Block, Cid, Codec, Digest};
use crate::codec::{self, DecodeError};
use crate::identity::{Signers, SignersError};
use crate::ids::VaultId;
use crate::keys::{Namespace, PublicKey, Signature, SignatureError, SigningKey};
use crate::log::{Checkpoint, CheckpointError, SignedCheckpoint};
use crate::pins;

/// Longest accepted head, in bytes.
pub const MAX_HEAD_LEN: usize = 256 * 1024;

/// Most blocks of the directory and of the log's hashes together.
const MAX_LISTED: usize = 4096;

/// Most blocks of the directory: 32,768 rows.
const MAX_DIRECTORY: usize = 64;

/// Largest sequence number and time that a head may carry.
const MAX_NUMBER: u64 = 1 << 53;

/// How long a head may be relied on without asking again: 30 days, in seconds.
pub(crate) const HEAD_LIFETIME: u64 = 30 * 24 * 3600;

/// Why a head was not accepted on its own terms.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// Not a head.
    #[error("head: {0}")]
    Malformed(#[from] DecodeError),
    /// Not signed by a key of the vault.
    #[error("head: {0}")]
    Signature(#[from] SignatureError),
    /// The list of signing keys inside is not valid.
    #[error("head: {0}")]
    Signers(#[from] SignersError),
    /// The log checkpoint inside is not valid.
    #[error("head: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// Of another vault.
    #[error("the head belongs to another vault")]
    OtherVault,
}

/// Where grant zero lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ZeroPointer {
    /// Block of the covered envelopes, one for each device and one for recovery.
    pub(crate) envelopes: Digest,
    /// Sealed length of the envelopes, in bytes.
    pub(crate) envelopes_len: u32,
    /// Block of the sealed root.
    pub(crate) root: Digest,
    /// Sealed length of the root, in bytes.
    pub(crate) root_len: u32,
}

/// What a head says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeadBody {
    pub(crate) v: u8,
    pub(crate) vault: VaultId,
    #[serde(with = "serde_bytes")]
    pub(crate) signers: Vec<u8>,
    pub(crate) signer: PublicKey,
    pub(crate) seq: u64,
    pub(crate) time: u64,
    pub(crate) valid_until: u64,
    #[serde(with = "serde_bytes")]
    pub(crate) checkpoint: Vec<u8>,
    /// Blocks of the log's hashes, level by level.
    pub(crate) log: Vec<Vec<Digest>>,
    pub(crate) zero: ZeroPointer,
    pub(crate) directory: Vec<Digest>,
    pub(crate) pins: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(with = "serde_bytes")]
    head: Vec<u8>,
    sig: Signature,
    pins: IpldCid,
}

/// A head whose signatures hold. Whether it is the newest is for the reader's memory to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub(crate) body: HeadBody,
    signers: Signers,
    checkpoint: Checkpoint,
    block: Block,
}

/// The origin line of a vault's log, also the name of its signing key in signed notes.
pub fn log_origin(vault: &VaultId) -> String {
    format!("medvault/{vault}")
}

impl Head {
    pub(crate) fn sign(body: &HeadBody, key: &SigningKey) -> Result<Self, HeadError> {
        let head = codec::encode(body);
        let sig = key.sign(Namespace::Head, &head);
        let pins = pins::root_link(&Cid::new(Codec::DagCbor, body.pins));
        Self::from_bytes(&codec::encode(&Wire { head, sig, pins }))
    }

    /// Signs a body as it is, so that a fuzzer gets past the signature.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn sign_raw(body: &[u8], pins: Digest, key: &SigningKey) -> Vec<u8> {
        codec::encode(&Wire {
            head: body.to_vec(),
            sig: key.sign(Namespace::Head, body),
            pins: pins::root_link(&Cid::new(Codec::DagCbor, pins)),
        })
    }

    /// Reads a head and checks owner's, device's and log signature.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HeadError> {
        let wire: Wire = codec::decode(bytes, MAX_HEAD_LEN)?;
        let body: HeadBody = codec::decode(&wire.head, MAX_HEAD_LEN)?;
        let signers = Signers::for_vault(&body.signers, &body.vault)?;
        if !signers.may_sign(&body.signer) {
            return Err(SignatureError::Invalid.into());
        }
        body.signer.verify(Namespace::Head, &wire.head, &wire.sig)?;
        let pins = pins::read_link(&wire.pins)?;
        let lists = body.directory.len() + body.log.iter().map(Vec::len).sum::<usize>();
        let numbers = [body.seq, body.time, body.valid_until];
        if lists > MAX_LISTED
            || body.directory.len() > MAX_DIRECTORY
            || body.log.len() > 8
            || numbers.iter().any(|n| *n > MAX_NUMBER)
        {
            return Err(DecodeError::Malformed.into());
        }
        if body.v != 1 || pins != Cid::new(Codec::DagCbor, body.pins) {
            return Err(DecodeError::Malformed.into());
        }
        let origin = log_origin(&body.vault);
        let signed = SignedCheckpoint::parse(&body.checkpoint)?;
        let checkpoint = signed
            .verify(&origin, &body.signer.verifying_key()?)?
            .clone();
        if checkpoint.origin != origin {
            return Err(HeadError::OtherVault);
        }
        let block =
            Block::new(Codec::DagCbor, bytes.to_vec()).map_err(|_| DecodeError::Malformed)?;
        Ok(Self {
            body,
            signers,
            checkpoint,
            block,
        })
    }

    /// Reads a head that must belong to `vault`.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn for_vault(bytes: &[u8], vault: &VaultId) -> Result<Self, HeadError> {
        let head = Self::from_bytes(bytes)?;
        if head.vault() == *vault {
            Ok(head)
        } else {
            Err(HeadError::OtherVault)
        }
    }

    /// The vault.
    pub const fn vault(&self) -> VaultId {
        self.body.vault
    }

    /// Grows by one with every head.
    pub const fn seq(&self) -> u64 {
        self.body.seq
    }

    /// When it was signed, in seconds since 1970-01-01 UTC.
    pub const fn time(&self) -> u64 {
        self.body.time
    }

    /// Until when it may be relied on without asking again, in seconds since 1970-01-01 UTC.
    pub const fn valid_until(&self) -> u64 {
        self.body.valid_until
    }

    /// The keys that may sign for the vault.
    pub const fn signers(&self) -> &Signers {
        &self.signers
    }

    /// Size and root of the audit log.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The signed checkpoint, exact bytes.
    pub fn checkpoint_bytes(&self) -> &[u8] {
        &self.body.checkpoint
    }

    /// The block that holds this head.
    pub const fn block(&self) -> &Block {
        &self.block
    }

    /// The root of the pin set.
    pub const fn pins(&self) -> Cid {
        Cid::new(Codec::DagCbor, self.body.pins)
    }
}
