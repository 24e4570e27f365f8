//! The signed header at the front of every body.

use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest as _, Sha256};

use super::{BodyContext, MAX_HEADER_LEN};
use crate::block::Digest;
use crate::codec::{self, DecodeError};
use crate::ids::{RecordId, VaultId, VersionId};
use crate::keys::{Namespace, PublicKey, SignatureError, Signed, SigningKey};
use crate::record::{RecordMeta, clean};

/// Why the header of a body was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Not a header.
    #[error("record header: {0}")]
    Malformed(#[from] DecodeError),
    /// The author's signature does not hold.
    #[error("record header: {0}")]
    Signature(#[from] SignatureError),
    /// The header belongs to another version than the index says.
    #[error("record header belongs to another vault, record or version")]
    OtherVersion,
}

/// What the author signed about one version of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordHeader {
    v: u8,
    /// The vault it was made for.
    pub vault: VaultId,
    /// The record.
    pub record: RecordId,
    /// This version of it.
    pub version: VersionId,
    /// SHA-256 of the previous version's signed header, if there is one.
    pub prev: Option<Digest>,
    /// Length of the content, in bytes.
    pub len: u64,
    /// SHA-256 of the content.
    pub digest: Digest,
    /// The author's owner key.
    pub author: PublicKey,
    /// The device key that signed.
    pub signer: PublicKey,
    /// When the version was made, in seconds since 1970-01-01 UTC.
    pub created: u64,
    /// Name of the file it came from, without its path.
    #[serde(deserialize_with = "plain_name")]
    pub source: Option<String>,
    /// What the record is.
    pub meta: RecordMeta,
}

/// Longest file name that is kept, in characters.
const MAX_SOURCE_CHARS: usize = 200;

/// The last part of a path, clean and cut to size; `None` when nothing is left.
pub(crate) fn file_name(text: &str) -> Option<String> {
    let name = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = clean(name, MAX_SOURCE_CHARS);
    (!name.is_empty() && name != "." && name != "..").then_some(name)
}

/// In a strict encoding a name that is no plain file name is refused.
fn plain_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|name| file_name(&name)))
}

/// SHA-256 of a content.
pub(crate) fn content_digest(content: &[u8]) -> Digest {
    Digest::of(content)
}

/// A header whose content is not known yet.
pub(crate) struct HeaderDraft<'a> {
    pub(crate) vault: VaultId,
    pub(crate) record: RecordId,
    pub(crate) version: VersionId,
    pub(crate) prev: Option<Digest>,
    pub(crate) author: PublicKey,
    pub(crate) created: u64,
    pub(crate) source: Option<String>,
    pub(crate) meta: RecordMeta,
    pub(crate) key: &'a SigningKey,
}

impl HeaderDraft<'_> {
    /// Signs the header for a content of `len` bytes with `digest`.
    pub(crate) fn finish(&self, len: u64, digest: Digest) -> SignedHeader {
        let header = RecordHeader {
            v: 1,
            vault: self.vault,
            record: self.record,
            version: self.version,
            prev: self.prev,
            len,
            digest,
            author: self.author,
            signer: self.key.public(),
            created: self.created,
            source: self.source.clone(),
            meta: self.meta.clone(),
        };
        SignedHeader {
            bytes: Signed::new(&header, Namespace::RecordHeader, self.key).to_bytes(),
            header,
        }
    }

    /// Where the content starts when its length is not known yet: after the longest header.
    pub(crate) fn content_offset(&self) -> usize {
        8 + self
            .finish(u64::MAX, Digest::from_bytes([0; 32]))
            .bytes
            .len()
    }
}

/// A header with its exact signed bytes.
#[derive(Debug, Clone)]
pub(crate) struct SignedHeader {
    pub(crate) bytes: Vec<u8>,
    pub(crate) header: RecordHeader,
}

impl SignedHeader {
    /// Reads a header and checks its signature.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, HeaderError> {
        let signed: Signed<RecordHeader> = codec::decode(bytes, MAX_HEADER_LEN)?;
        let header = signed.verify(Namespace::RecordHeader, &signed.peek()?.signer)?;
        if header.v != 1 {
            return Err(DecodeError::Malformed.into());
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            header,
        })
    }

    /// The header is the one of this version of this record of this vault.
    pub(crate) fn belongs_to(&self, context: BodyContext<'_>) -> Result<(), HeaderError> {
        let h = &self.header;
        let expected = (context.vault, context.record, context.version, context.kind);
        if (&h.vault, &h.record, &h.version, &h.meta.kind) == expected {
            Ok(())
        } else {
            Err(HeaderError::OtherVersion)
        }
    }

    /// The name by which the next version refers to this one.
    pub(crate) fn digest(&self) -> Digest {
        Digest::from_bytes(Sha256::digest(&self.bytes).into())
    }

    /// The eight bytes before the header.
    pub(crate) fn lengths(&self, content_offset: usize) -> [u8; 8] {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&(self.bytes.len() as u32).to_be_bytes());
        bytes[4..].copy_from_slice(&(content_offset as u32).to_be_bytes());
        bytes
    }
}

/// Reads the front of a plaintext body: the header, and where the content starts.
pub(crate) fn read_front(front: &[u8]) -> Result<(SignedHeader, usize), HeaderError> {
    let field = |at: usize| {
        let bytes = front.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(bytes)).ok()
    };
    let malformed = || HeaderError::Malformed(DecodeError::Malformed);
    let len = field(0)
        .filter(|len| *len <= MAX_HEADER_LEN)
        .ok_or_else(malformed)?;
    let offset = field(4)
        .filter(|offset| *offset >= 8 + len && *offset <= 8 + len + 16)
        .ok_or_else(malformed)?;
    let header = SignedHeader::from_bytes(front.get(8..8 + len).ok_or_else(malformed)?)?;
    Ok((header, offset))
}
