//! The audit log's tree, proofs and checkpoints against outside implementations of C2SP tlog-tiles
//! and signed-note: each side must accept what the other makes.

#![allow(clippy::unwrap_used)]

use std::cell::Cell;

use ed25519_dalek::SigningKey;
use signed_note::{Note, StandardVerifier, VerifierList, new_ed25519_verifier_key};
use tlog_tiles::{Error, Hash, Tile, TileHashReader, TileReader};
use vault_core::log::{
    Appender, Checkpoint, ConsistencyProof, InclusionProof, MemoryTiles, SignedCheckpoint, TileId,
    TileSource, TreeHash, leaf_hash, prove_consistency, prove_inclusion, root, verify_consistency,
    verify_inclusion,
};

const NAME: &str = "log.example/interop";

/// Sizes around the edges of tiles of two levels.
const SIZES: [u64; 9] = [1, 2, 7, 255, 256, 257, 511, 65_536, 66_001];

/// Our tiles, as the other implementation reads them.
struct Theirs<'a>(&'a MemoryTiles, Cell<usize>);

impl TileReader for Theirs<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &Tile| {
            let width = u16::try_from(tile.width()).map_err(|_| Error::InvalidTile)?;
            let id = TileId {
                level: tile.level(),
                index: tile.level_index(),
                width,
            };
            let mut hashes = self.0.tile(id).map_err(|_| Error::InvalidTile)?;
            hashes.truncate(usize::from(width));
            self.1.set(self.1.get() + 1);
            Ok(TreeHash::concat(&hashes))
        };
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

fn tree(size: u64) -> MemoryTiles {
    let mut appender = Appender::new();
    for index in 0..size {
        appender.append(leaf(index)).unwrap();
    }
    let mut tiles = MemoryTiles::default();
    tiles.store(&mut appender);
    tiles
}

fn leaf(index: u64) -> TreeHash {
    leaf_hash(&index.to_be_bytes())
}

fn theirs(hash: &TreeHash) -> Hash {
    Hash(*hash.as_bytes())
}

fn ours(hashes: &[Hash]) -> Vec<TreeHash> {
    let own = |hash: &Hash| TreeHash::from_bytes(hash.0);
    hashes.iter().map(own).collect()
}

#[test]
fn leaf_hashes_are_the_same() {
    for data in [&b""[..], b"\x00", b"entry"] {
        assert_eq!(theirs(&leaf_hash(data)), tlog_tiles::record_hash(data));
    }
}

#[test]
fn proofs_are_the_same_and_each_verifies_the_others() {
    let tiles = tree(66_001);
    for size in SIZES {
        let top = root(&tiles, size).unwrap();
        let source = Theirs(&tiles, Cell::new(0));
        // This reader checks every tile it reads against the root.
        let reader = TileHashReader::new(size, theirs(&top), &source);

        for index in [0, size / 3, size / 2, size - 1] {
            let own = prove_inclusion(&tiles, size, index).unwrap();
            let other = tlog_tiles::prove_record(size, index, &reader).unwrap();
            assert_eq!(own.0, ours(&other), "leaf {index} of {size}");
            let hash = leaf(index);
            let checked =
                tlog_tiles::check_record(&other, size, theirs(&top), index, theirs(&hash));
            assert!(checked.is_ok());
            let other = InclusionProof(ours(&other));
            assert_eq!(verify_inclusion(index, size, &hash, &other, &top), Ok(()));
        }

        for old in [1, size.div_ceil(3), size.div_ceil(2), size] {
            let before = root(&tiles, old).unwrap();
            let own = prove_consistency(&tiles, old, size).unwrap();
            let other = tlog_tiles::prove_tree(size, old, &reader).unwrap();
            assert_eq!(own.0, ours(&other), "{old} to {size}");
            let checked = tlog_tiles::check_tree(&other, size, theirs(&top), old, theirs(&before));
            assert!(checked.is_ok());
            let other = ConsistencyProof(ours(&other));
            assert_eq!(verify_consistency(old, &before, size, &top, &other), Ok(()));
        }
        assert!(size == 1 || source.1.get() > 0, "it read no tile");
    }
}

#[test]
fn changed_tiles_are_the_same() {
    for (old, new) in [(0, 1), (0, 256), (255, 257), (300, 800), (65_000, 66_001)] {
        let mut appender = Appender::resume(&tree(old), old).unwrap();
        for index in old..new {
            appender.append(leaf(index)).unwrap();
        }
        let own: Vec<_> = appender
            .changed_tiles()
            .map(|id| Tile::new(8, id.level, id.index, id.width.into(), false).path())
            .collect();
        let mut other: Vec<_> = Tile::new_tiles(8, old, new)
            .iter()
            .map(Tile::path)
            .collect();
        other.sort();
        let mut sorted = own.clone();
        sorted.sort();
        assert_eq!(sorted, other, "{old} to {new}");
    }
}

#[test]
fn checkpoints_are_read_by_both() {
    let key = SigningKey::from_bytes(&[9; 32]);
    let tiles = tree(300);
    let checkpoint = Checkpoint {
        origin: NAME.into(),
        size: 300,
        root: root(&tiles, 300).unwrap(),
    };
    let signed = checkpoint.sign(NAME, &key).unwrap();

    let note = Note::from_bytes(signed.as_bytes()).unwrap();
    let vkey = new_ed25519_verifier_key(NAME, &key.verifying_key());
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&vkey).unwrap())]);
    let (verified, unknown) = note.verify(&known).unwrap();
    assert_eq!((verified.len(), unknown.len()), (1, 0));

    let other = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!(other.origin(), NAME);
    assert_eq!(other.size(), 300);
    assert_eq!(*other.hash(), theirs(&checkpoint.root));
    assert_eq!(other.extension(), "");

    let again = SignedCheckpoint::parse(&note.to_bytes()).unwrap();
    assert_eq!(again.verify(NAME, &key.verifying_key()), Ok(&checkpoint));

    // An altered text is refused by both.
    let text = std::str::from_utf8(signed.as_bytes()).unwrap();
    let altered = text.replace("\n300\n", "\n301\n");
    let note = Note::from_bytes(altered.as_bytes()).unwrap();
    assert!(note.verify(&known).is_err());
    let own = SignedCheckpoint::parse(altered.as_bytes()).unwrap();
    assert!(own.verify(NAME, &key.verifying_key()).is_err());
}
