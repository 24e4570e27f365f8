//! The note: the first block of a parcel. It says who deposits what, and holds the content keys.
//!
//! Outside it shows its version, the deposit's id and a length class. Inside, sealed by HPKE to the
//! vault, stands what the provider's device signed. It says nothing of a record but its place and
//! key: titles, dates and authors stand in the signed headers of the bodies, once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::DepositError;
use crate::block::{Block, Codec, Digest, MAX_BLOCK_LEN};
use crate::body::Location;
use crate::codec::{self, DecodeError};
use crate::envelope::hpke::{ciphertext_len, open_base, seal_base};
use crate::envelope::{IdentityKey, RecipientKey};
use crate::identity::Signers;
use crate::ids::{DepositId, RecordId, VaultId, VersionId};
use crate::keys::{Namespace, PublicKey, SecretKey, SignatureError, Signed, SigningKey};
use crate::record::{Kind, clean};

/// Most records of one deposit.
pub(crate) const MAX_ENTRIES: usize = 10_000;

/// Longest message to the patient, in characters.
pub(crate) const MAX_MESSAGE_CHARS: usize = 500;

/// Length of an encapsulated key, in bytes.
const ENC_LEN: usize = 1120;

/// Length of the length before the signed part, in bytes.
const LEN_PREFIX: usize = 4;

/// Shortest and longest plaintext, in bytes. Between them stand the powers of two, so that a note's
/// length says little about how much there is.
const PLAIN_LEN: (usize, usize) = (4096, MAX_BLOCK_LEN - 4096);

/// What a note says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) deposit: DepositId,
    pub(crate) vault: VaultId,
    /// The provider's signing keys.
    pub(crate) signers: Signers,
    /// The device that signed.
    pub(crate) signer: PublicKey,
    /// One line to the patient.
    pub(crate) message: Option<String>,
    pub(crate) created: u64,
    pub(crate) entries: Vec<NoteEntry>,
}

/// Where one record lies, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoteEntry {
    pub(crate) record: RecordId,
    pub(crate) version: VersionId,
    pub(crate) kind: Kind,
    pub(crate) cek: SecretKey,
    pub(crate) location: Location,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outside {
    v: u8,
    deposit: DepositId,
    #[serde(with = "serde_bytes")]
    enc: Vec<u8>,
    #[serde(with = "serde_bytes")]
    sealed: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u8,
    deposit: DepositId,
    vault: VaultId,
    signer: PublicKey,
    #[serde(with = "serde_bytes")]
    signers: Vec<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    created: u64,
    /// In ascending order, each once.
    blocks: Vec<Digest>,
    kinds: Vec<Kind>,
    entries: Vec<EntryWire>,
}

/// Record, version, content key, kind (a row), blocks (rows), depth or null, offset or length, length
/// or 0: places as in index pages.
#[derive(Serialize, Deserialize)]
struct EntryWire(
    RecordId,
    VersionId,
    SecretKey,
    u32,
    Vec<u32>,
    Option<u8>,
    u64,
    u64,
);

/// What HPKE binds the note to.
fn info(vault: &VaultId, deposit: &DepositId) -> Vec<u8> {
    let mut info = b"medvault/v1/deposit\0".to_vec();
    info.extend_from_slice(vault.as_bytes());
    info.extend_from_slice(deposit.as_bytes());
    info
}

/// The length that a plaintext of `len` bytes is filled up to; `None` when it is too long.
fn filled(len: usize) -> Option<usize> {
    let (least, most) = PLAIN_LEN;
    (len <= most).then(|| len.next_power_of_two().clamp(least, most))
}

impl Note {
    /// Signs the note and seals it to the vault.
    pub(crate) fn seal(&self, key: &SigningKey, to: &RecipientKey) -> Result<Block, DepositError> {
        let signed = Zeroizing::new(self.signed(key));
        seal_bytes(&self.vault, &self.deposit, &signed, to)
    }

    /// The signed part.
    pub(crate) fn signed(&self, key: &SigningKey) -> Vec<u8> {
        let mut blocks: BTreeMap<Digest, u32> = BTreeMap::new();
        for entry in &self.entries {
            blocks.extend(places(&entry.location).iter().map(|digest| (*digest, 0)));
        }
        (0..)
            .zip(blocks.values_mut())
            .for_each(|(row, at)| *at = row);
        let mut kinds: Vec<Kind> = self
            .entries
            .iter()
            .map(|entry| entry.kind.clone())
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        let entry = |entry: &NoteEntry| {
            let kind = kinds.partition_point(|kind| *kind < entry.kind) as u32;
            let rows = places(&entry.location);
            let rows = rows.iter().filter_map(|digest| blocks.get(digest).copied());
            let (depth, a, b) = match &entry.location {
                Location::Packed { offset, len, .. } => (None, (*offset).into(), (*len).into()),
                Location::Long { len, depth, .. } => (Some(*depth), *len, 0),
            };
            let rows = rows.collect();
            let cek = entry.cek.clone();
            EntryWire(entry.record, entry.version, cek, kind, rows, depth, a, b)
        };
        let wire = Wire {
            v: 1,
            deposit: self.deposit,
            vault: self.vault,
            signer: key.public(),
            signers: self.signers.as_bytes().to_vec(),
            message: self.message.clone(),
            created: self.created,
            entries: self.entries.iter().map(entry).collect(),
            blocks: blocks.keys().copied().collect(),
            kinds,
        };
        Signed::new(&wire, Namespace::Deposit, key).to_bytes()
    }

    /// The deposit that a note says to be of. Nothing vouches for it before [`Note::open`].
    pub(crate) fn claimed(block: &Block) -> Result<DepositId, DepositError> {
        let outside: Outside = codec::decode(block.data(), MAX_BLOCK_LEN)?;
        Ok(outside.deposit)
    }

    /// Opens a note for `vault` with the first of `keys` that fits, and checks who signed it.
    pub(crate) fn open(
        block: &Block,
        vault: &VaultId,
        keys: &[&IdentityKey],
    ) -> Result<Self, DepositError> {
        let outside: Outside = codec::decode(block.data(), MAX_BLOCK_LEN)?;
        if outside.v != 1 {
            return Err(DecodeError::Malformed.into());
        }
        let enc: &[u8; ENC_LEN] = outside
            .enc
            .as_slice()
            .try_into()
            .map_err(|_| DecodeError::Malformed)?;
        let info = info(vault, &outside.deposit);
        let plain = keys
            .iter()
            .find_map(|key| open_base(key.seed(), enc, &info, &[], &outside.sealed).ok())
            .ok_or(DepositError::ForSomeoneElse)?;
        let signed = unfill(&plain)?;
        Self::from_signed(signed, vault, &outside.deposit)
    }

    /// Reads the signed part, which must be of this deposit into this vault.
    pub(crate) fn from_signed(
        bytes: &[u8],
        vault: &VaultId,
        deposit: &DepositId,
    ) -> Result<Self, DepositError> {
        let signed: Signed<Wire> = codec::decode(bytes, PLAIN_LEN.1)?;
        let wire = signed.verify(Namespace::Deposit, &signed.peek()?.signer)?;
        if wire.v != 1 || wire.entries.len() > MAX_ENTRIES {
            return Err(DecodeError::Malformed.into());
        }
        if wire.vault != *vault || wire.deposit != *deposit {
            return Err(DepositError::ForSomeoneElse);
        }
        let signers = Signers::from_bytes(&wire.signers)?;
        if !signers.may_sign(&wire.signer) {
            return Err(SignatureError::Invalid.into());
        }
        let unclean = |text: &String| text.is_empty() || message(text).as_ref() != Some(text);
        if wire.message.as_ref().is_some_and(unclean) || !wire.blocks.is_sorted_by(|a, b| a < b) {
            return Err(DecodeError::NotCanonical.into());
        }
        let entries = wire.entries.into_iter();
        let entries = entries.map(|entry| entry.read(&wire.blocks, &wire.kinds));
        Ok(Self {
            deposit: wire.deposit,
            vault: wire.vault,
            signers,
            signer: wire.signer,
            message: wire.message,
            created: wire.created,
            entries: entries.collect::<Result<_, _>>()?,
        })
    }
}

impl EntryWire {
    fn read(self, blocks: &[Digest], kinds: &[Kind]) -> Result<NoteEntry, DecodeError> {
        let Self(record, version, cek, kind, rows, depth, a, b) = self;
        let block = |row: &u32| blocks.get(*row as usize).copied();
        let mut top = Vec::new();
        for row in &rows {
            top.push(block(row).ok_or(DecodeError::Malformed)?);
        }
        let location = match (depth, &top[..]) {
            (None, [block]) => Location::Packed {
                block: *block,
                offset: a.try_into().map_err(|_| DecodeError::Malformed)?,
                len: b.try_into().map_err(|_| DecodeError::Malformed)?,
            },
            (Some(depth), [_, ..]) if b == 0 => Location::Long { len: a, depth, top },
            _ => return Err(DecodeError::Malformed),
        };
        let kind = kinds.get(kind as usize).cloned();
        Ok(NoteEntry {
            record,
            version,
            kind: kind.ok_or(DecodeError::Malformed)?,
            cek,
            location,
        })
    }
}

/// Seals what is signed to the vault. Tests and fuzzing seal what is not.
pub(crate) fn seal_bytes(
    vault: &VaultId,
    deposit: &DepositId,
    signed: &[u8],
    to: &RecipientKey,
) -> Result<Block, DepositError> {
    let len = filled(LEN_PREFIX + signed.len()).ok_or(DepositError::TooMany(MAX_ENTRIES))?;
    let mut plain = Zeroizing::new(Vec::with_capacity(len));
    plain.extend_from_slice(&(signed.len() as u32).to_be_bytes());
    plain.extend_from_slice(signed);
    plain.resize(len, 0);
    let info = info(vault, deposit);
    let (enc, sealed) =
        seal_base(to.as_bytes(), &info, &[], &plain).map_err(|_| DepositError::DegenerateKey)?;
    debug_assert_eq!(sealed.len(), ciphertext_len(len));
    let outside = Outside {
        v: 1,
        deposit: *deposit,
        enc: enc.to_vec(),
        sealed,
    };
    Block::new(Codec::DagCbor, codec::encode(&outside))
        .map_err(|_| DepositError::TooMany(MAX_ENTRIES))
}

/// Takes the signed part out of a plaintext.
fn unfill(plain: &[u8]) -> Result<&[u8], DecodeError> {
    let (len, rest) = plain
        .split_first_chunk::<LEN_PREFIX>()
        .ok_or(DecodeError::Malformed)?;
    let (signed, zeros) = rest
        .split_at_checked(u32::from_be_bytes(*len) as usize)
        .ok_or(DecodeError::Malformed)?;
    let exact = filled(LEN_PREFIX + signed.len()) == Some(plain.len());
    match exact && zeros.iter().all(|byte| *byte == 0) {
        true => Ok(signed),
        false => Err(DecodeError::NotCanonical),
    }
}

/// The blocks that an entry names itself.
pub(crate) fn places(location: &Location) -> &[Digest] {
    match location {
        Location::Packed { block, .. } => std::slice::from_ref(block),
        Location::Long { top, .. } => top,
    }
}

/// A message as it may stand in a note: one clean line; `None` when nothing is left.
pub(crate) fn message(text: &str) -> Option<String> {
    let line = clean(text, MAX_MESSAGE_CHARS);
    (!line.is_empty()).then_some(line)
}
