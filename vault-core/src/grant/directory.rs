//! The grant directory: from secret, rotating tags to grants.
//!
//! Patient and reader share a relation secret. In the head with sequence number `n`, the reader's
//! `j`-th grant stands under the tag `HMAC-SHA-256(tag key, n ‖ j)[..16]`, with a sealed pointer.
//! Rows that stand for nobody fill the directory up to a power of two, and rows are sorted by tag:
//! an outsider cannot tell who has a grant, how many there are, or whether one was withdrawn.

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::block::{Block, Digest};
use crate::body::FULL_BLOCK_LEN;
use crate::codec;
use crate::envelope::ENVELOPE_LEN;
use crate::ids::{GrantId, VaultId};
use crate::index::{PageError, open_object};
use crate::keys::{KeyPurpose, SecretKey, derive};
use crate::seal::{seal, sealed_len};

/// Length of a tag, in bytes.
const TAG_LEN: usize = 16;

/// Length of a padded plaintext pointer, in bytes.
const POINTER_LEN: usize = 192;

/// Length of a row: tag and sealed pointer (56 + 192 + 16), in bytes.
const ROW_LEN: usize = TAG_LEN + sealed_len(POINTER_LEN as u64) as usize;

/// Rows in one block.
const ROWS_PER_BLOCK: usize = 512;

/// Fewest rows of a directory.
const MIN_ROWS: usize = 8;

/// Most rows of one reader: one per grant and device.
const MAX_GRANTS_PER_RELATION: u32 = 1024;

/// Why a directory could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The blocks do not form a directory.
    #[error("the grant directory is malformed")]
    Malformed,
}

/// HMAC-SHA-256 over the concatenation of `parts`.
fn hmac(key: &SecretKey, parts: &[&[u8]]) -> [u8; 32] {
    #[allow(clippy::expect_used)] // HMAC takes keys of any length
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).expect("any key length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// What two people share so that one finds the other's grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Relation(SecretKey);

/// Where one grant of one reader lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pointer {
    pub(crate) grant: GrantId,
    /// Block of the covered envelope.
    pub(crate) envelope: Digest,
    /// Block of the grant's root.
    pub(crate) root: Digest,
    /// Sealed length of the root, in bytes.
    pub(crate) root_len: u32,
}

impl Relation {
    pub(crate) fn random() -> Self {
        Self(SecretKey::random())
    }

    fn tag(&self, seq: u64, slot: u32) -> [u8; TAG_LEN] {
        let key = derive(self.0.expose(), KeyPurpose::RelationTag);
        let full = hmac(&key, &[&seq.to_be_bytes(), &slot.to_be_bytes()]);
        let mut tag = [0; TAG_LEN];
        tag.copy_from_slice(&full[..TAG_LEN]);
        tag
    }

    /// How the terms of a grant name the reader of this relation; nobody else can tell.
    pub(crate) fn reader_tag(&self, grant: &GrantId) -> Digest {
        let key = derive(self.0.expose(), KeyPurpose::RelationReader);
        Digest::from_bytes(hmac(&key, &[grant.as_bytes()]))
    }

    fn pointer_context(vault: &VaultId, seq: u64, slot: u32) -> Vec<u8> {
        let mut context = b"medvault/v1/pointer\0\x01".to_vec();
        context.extend_from_slice(vault.as_bytes());
        context.extend_from_slice(&seq.to_be_bytes());
        context.extend_from_slice(&slot.to_be_bytes());
        context
    }

    fn cover_context(vault: &VaultId) -> Vec<u8> {
        let mut context = b"medvault/v1/envelope-cover\0\x01".to_vec();
        context.extend_from_slice(vault.as_bytes());
        context
    }

    /// Covers an envelope so that it does not show as an age file.
    pub(crate) fn cover(&self, vault: &VaultId, envelope: &[u8]) -> Result<Block, PageError> {
        let key = derive(self.0.expose(), KeyPurpose::RelationCover);
        crate::index::seal_object(&key, &Self::cover_context(vault), envelope)
            .map(|(block, _)| block)
    }

    /// Takes the cover off an envelope of 4,096 bytes.
    pub(crate) fn uncover(&self, vault: &VaultId, block: &[u8]) -> Result<Vec<u8>, PageError> {
        let key = derive(self.0.expose(), KeyPurpose::RelationCover);
        let len = sealed_len(ENVELOPE_LEN as u64) as u32;
        open_object(&key, &Self::cover_context(vault), block, len).map(|envelope| envelope.to_vec())
    }
}

/// A directory under construction, for the head with one sequence number.
pub(crate) struct Directory {
    vault: VaultId,
    seq: u64,
    rows: Vec<[u8; ROW_LEN]>,
}

impl Directory {
    pub(crate) fn new(vault: VaultId, seq: u64) -> Self {
        Self {
            vault,
            seq,
            rows: Vec::new(),
        }
    }

    /// Adds all grants of one reader.
    ///
    /// # Errors
    /// [`PageError::TooLarge`] for more than [`MAX_GRANTS_PER_RELATION`].
    pub(crate) fn add(
        &mut self,
        relation: &Relation,
        pointers: &[Pointer],
    ) -> Result<(), PageError> {
        if pointers.len() > MAX_GRANTS_PER_RELATION as usize {
            return Err(PageError::TooLarge);
        }
        let key = derive(relation.0.expose(), KeyPurpose::RelationPointer);
        for (slot, pointer) in (0..MAX_GRANTS_PER_RELATION).zip(pointers) {
            let mut plain = codec::encode(pointer);
            plain.resize(POINTER_LEN, 0);
            let context = Relation::pointer_context(&self.vault, self.seq, slot);
            let mut row = [0; ROW_LEN];
            row[..TAG_LEN].copy_from_slice(&relation.tag(self.seq, slot));
            row[TAG_LEN..].copy_from_slice(&seal(key.expose(), &context, &plain));
            self.rows.push(row);
        }
        Ok(())
    }

    /// Pads, sorts and writes the directory.
    pub(crate) fn finish(mut self) -> Result<Vec<Block>, PageError> {
        let count = self.rows.len().next_power_of_two().max(MIN_ROWS);
        self.rows.resize_with(count, crate::random::array);
        self.rows.sort_unstable();
        self.rows
            .chunks(ROWS_PER_BLOCK)
            .map(|rows| {
                Block::new(crate::block::Codec::Raw, rows.concat()).map_err(|_| PageError::TooLarge)
            })
            .collect()
    }

    /// Finds the grants of one reader in a directory's blocks.
    pub(crate) fn find(
        vault: &VaultId,
        seq: u64,
        relation: &Relation,
        blocks: &[Block],
    ) -> Result<Vec<Pointer>, DirectoryError> {
        if blocks
            .iter()
            .any(|b| b.data().len() % ROW_LEN != 0 || b.data().len() > FULL_BLOCK_LEN)
        {
            return Err(DirectoryError::Malformed);
        }
        let key = derive(relation.0.expose(), KeyPurpose::RelationPointer);
        let mut found = Vec::new();
        for slot in 0..MAX_GRANTS_PER_RELATION {
            let tag = relation.tag(seq, slot);
            let row = blocks
                .iter()
                .flat_map(|block| block.data().chunks_exact(ROW_LEN))
                .find(|row| row[..TAG_LEN] == tag);
            let Some(row) = row else { break };
            let context = Relation::pointer_context(vault, seq, slot);
            let plain = crate::seal::open(key.expose(), &context, &row[TAG_LEN..])
                .map_err(|_| DirectoryError::Malformed)?;
            found.push(decode_pointer(&plain)?);
        }
        Ok(found)
    }
}

/// A pointer ends where its dag-cbor ends; zeros follow.
fn decode_pointer(plain: &[u8]) -> Result<Pointer, DirectoryError> {
    let sample = Pointer {
        grant: GrantId::from_bytes([0; 16]),
        envelope: Digest::from_bytes([0; 32]),
        root: Digest::from_bytes([0; 32]),
        root_len: 0,
    };
    // only the integer varies in length, by 0, 1, 2 or 4 bytes
    let shortest = codec::encode(&sample).len();
    [0, 1, 2, 4]
        .into_iter()
        .filter_map(|more| plain.split_at_checked(shortest + more))
        .filter(|(_, rest)| rest.iter().all(|b| *b == 0))
        .find_map(|(pointer, _)| codec::decode(pointer, POINTER_LEN).ok())
        .ok_or(DirectoryError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VAULT: VaultId = VaultId::from_bytes([1; 32]);

    fn pointer(root_len: u32) -> Pointer {
        let digest = |b: u8| Digest::of(&[b]);
        Pointer {
            grant: GrantId::random(),
            envelope: digest(1),
            root: digest(2),
            root_len,
        }
    }

    #[test]
    fn each_reader_finds_just_their_own() {
        let (alice, bob, eve) = (Relation::random(), Relation::random(), Relation::random());
        let a = [pointer(0), pointer(200), pointer(60_000)];
        let b = [pointer(262_400)];
        let mut directory = Directory::new(VAULT, 7);
        directory.add(&alice, &a).unwrap();
        directory.add(&bob, &b).unwrap();
        let blocks = directory.finish().unwrap();
        assert_eq!(blocks[0].data().len(), MIN_ROWS * ROW_LEN);
        assert_eq!(Directory::find(&VAULT, 7, &alice, &blocks).unwrap(), a);
        assert_eq!(Directory::find(&VAULT, 7, &bob, &blocks).unwrap(), b);
        assert_eq!(Directory::find(&VAULT, 7, &eve, &blocks).unwrap(), []);
        // tags rotate with every head
        assert_eq!(Directory::find(&VAULT, 8, &alice, &blocks).unwrap(), []);
    }

    #[test]
    fn many_grants_fill_several_blocks() {
        let readers: Vec<_> = (0..600)
            .map(|i| (Relation::random(), [pointer(i)]))
            .collect();
        let mut directory = Directory::new(VAULT, 1);
        readers
            .iter()
            .for_each(|(relation, pointers)| directory.add(relation, pointers).unwrap());
        let blocks = directory.finish().unwrap();
        assert_eq!(blocks.len(), 2);
        for (relation, pointers) in &readers {
            assert_eq!(
                Directory::find(&VAULT, 1, relation, &blocks).unwrap(),
                pointers
            );
        }
    }

    #[test]
    fn covered_envelopes_do_not_look_like_age() {
        let relation = Relation::random();
        let envelope = [b"age-encryption.org/v1".as_slice(), &[7; 4096 - 21]].concat();
        let block = relation.cover(&VAULT, &envelope).unwrap();
        assert!(!block.data().windows(3).any(|w| w == b"age"));
        assert_eq!(relation.uncover(&VAULT, block.data()).unwrap(), envelope);
        assert!(Relation::random().uncover(&VAULT, block.data()).is_err());
    }
}
