//! Bodies: a record version's content, sealed.
//!
//! The plaintext of a body is
//! `u32 header length ‖ u32 content offset ‖ signed header ‖ zeros ‖ content ‖ zeros`,
//! big-endian, Padmé-padded at the end, sealed under the version's content key (CEK) by chunked
//! encryption. A body of up to [`PACKED_MAX`] sealed bytes lies in a pack beside others; a longer
//! one has blocks of its own (see [`long`]).

mod header;
pub(crate) mod long;
mod packed;

pub(crate) use header::{HeaderDraft, content_digest, file_name};
pub use header::{HeaderError, RecordHeader};
pub(crate) use packed::{open_packed, reseal_packed, seal_packed};

use crate::block::Digest;
use crate::ids::{RecordId, VaultId, VersionId};
use crate::record::Kind;
use crate::seal::SEALED_CHUNK_LEN;

/// Chunk slots in a full block.
pub(crate) const SLOTS: usize = 16;

/// Length of a full block, in bytes: sixteen sealed chunks.
pub const FULL_BLOCK_LEN: usize = SLOTS * SEALED_CHUNK_LEN;

/// Longest sealed body that is put into a pack, in bytes.
pub(crate) const PACKED_MAX: u64 = FULL_BLOCK_LEN as u64;

/// Longest part of a body before its content, in bytes.
pub(crate) const MAX_HEADER_LEN: usize = 12 * 1024;

/// The lengths that blocks may have: sealed chunks times 1, 2, 4, 8 or 16. Returns the smallest
/// that holds `len` bytes; an outsider learns only this class.
pub(crate) fn class_len(len: usize) -> usize {
    len.max(1)
        .div_ceil(SEALED_CHUNK_LEN)
        .next_power_of_two()
        .min(SLOTS)
        * SEALED_CHUNK_LEN
}

/// Fills `block` with random bytes up to its class, so that no length shows.
pub(crate) fn pad_to_class(block: &mut Vec<u8>) {
    let used = block.len();
    block.resize(class_len(used), 0);
    crate::random::fill(&mut block[used..]);
}

/// Where a sealed body lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Location {
    /// `len` bytes at `offset` of one block, shared with other bodies.
    Packed {
        /// The block.
        block: Digest,
        /// First byte of the sealed body.
        offset: u32,
        /// Length of the sealed body, in bytes.
        len: u32,
    },
    /// Blocks of its own.
    Long {
        /// Length of the padded plaintext, in bytes.
        len: u64,
        /// Levels of block map above the data blocks; 0 when `top` names the data blocks.
        depth: u8,
        /// Blocks of the topmost level, at most four.
        top: Vec<Digest>,
    },
}

/// What a sealed body is bound to: it opens only as this version of this record of this vault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyContext<'a> {
    pub(crate) vault: &'a VaultId,
    pub(crate) record: &'a RecordId,
    pub(crate) version: &'a VersionId,
    pub(crate) kind: &'a Kind,
}

impl BodyContext<'_> {
    /// `medvault/v1/` label 0x00 suite 0x01 vault record version kind
    pub(crate) fn bytes(&self, label: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(b"medvault/v1/");
        bytes.extend_from_slice(label.as_bytes());
        bytes.extend_from_slice(&[0, 1]);
        bytes.extend_from_slice(self.vault.as_bytes());
        bytes.extend_from_slice(self.record.as_bytes());
        bytes.extend_from_slice(self.version.as_bytes());
        bytes.extend_from_slice(self.kind.as_str().as_bytes());
        bytes
    }
}

/// Why a body could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The ciphertext is not what the key and the place in the index say.
    #[error("sealed body: {0}")]
    Seal(#[from] crate::seal::OpenError),
    /// What came out is not a body.
    #[error("body: {0}")]
    Header(#[from] HeaderError),
    /// The content key is not here: it is given out on request only.
    #[error(transparent)]
    ContentKey(#[from] crate::index::ContentKeyError),
    /// The body is cut short or its lengths contradict each other.
    #[error("body is malformed")]
    Malformed,
    /// The content does not have the digest that its signed header gives.
    #[error("content does not match its signed digest")]
    Digest,
    /// A block could not be had.
    #[error(transparent)]
    Source(#[from] crate::store::SourceError),
    /// Content could not be written or read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_powers_of_two_of_a_chunk() {
        assert_eq!(class_len(0), 16_400);
        assert_eq!(class_len(16_400), 16_400);
        assert_eq!(class_len(16_401), 32_800);
        assert_eq!(class_len(5 * 16_400), 8 * 16_400);
        assert_eq!(class_len(FULL_BLOCK_LEN), 262_400);
    }
}
