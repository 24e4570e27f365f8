//! The audit log's tree, proofs and checkpoints against outside implementations: C2SP tlog-tiles and
//! signed-note in Rust; tlog-proof, tlog-checkpoint and tlog-cosignature in Go (the packages that Go's
//! own checksum database is made of, and filippo.io/torchwood). Each side must accept what the other
//! makes.
//!
//! Without `go` its tests are skipped, except where `CI` is set.

#![allow(clippy::unwrap_used)]

#[path = "peers/tools.rs"]
mod tools;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{SigningKey, VerifyingKey};
use signed_note::{Note, StandardVerifier, VerifierList, new_ed25519_verifier_key};
use tlog_tiles::{Error, Hash, Tile, TileHashReader, TileReader};
use vault_core::log::{
    Appender, Checkpoint, ConsistencyProof, InclusionProof, LogProof, MemoryTiles,
    SignedCheckpoint, TileId, TileSource, TreeHash, cosign, leaf_hash, prove_consistency,
    prove_inclusion, root, verify_consistency, verify_cosignature, verify_inclusion,
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

/// A proof in a log of `size` entries, countersigned by one witness.
fn proof(size: u64, index: u64, extra: Option<&[u8]>) -> LogProof {
    let tiles = tree(size);
    let checkpoint = Checkpoint {
        origin: NAME.into(),
        size,
        root: root(&tiles, size).unwrap(),
    };
    let signed = checkpoint.sign(NAME, &log_key()).unwrap();
    let line = cosign(&signed, WITNESS, &witness_key(), 1_790_000_000).unwrap();
    LogProof {
        extra: extra.map(<[u8]>::to_vec),
        index,
        inclusion: prove_inclusion(&tiles, size, index).unwrap(),
        checkpoint: signed.with_signature(line).unwrap(),
    }
}

const WITNESS: &str = "witness.example/interop";

fn log_key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn witness_key() -> SigningKey {
    SigningKey::from_bytes(&[8; 32])
}

/// A key in the form of C2SP signed-note, computed here by its words: type 1 of a log, 4 of a witness.
fn vkey(name: &str, kind: u8, key: &VerifyingKey) -> String {
    use sha2::Digest as _;
    let key = [&[kind][..], key.as_bytes()].concat();
    let hash = sha2::Sha256::digest([name.as_bytes(), b"\n", &key].concat());
    let id: String = hash[..4].iter().map(|b| format!("{b:02x}")).collect();
    format!("{name}+{id}+{}", STANDARD.encode(key))
}

fn hex(hash: &TreeHash) -> String {
    hash.as_bytes().iter().map(|b| format!("{b:02x}")).collect()
}

/// The parts of the text, taken apart by hand, hold for the two Rust crates.
#[test]
fn a_proofs_text_is_made_of_what_others_verify() {
    let text = proof(300, 257, Some(b"extra")).to_text();
    let (lines, note) = text.split_once("\n\n").unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[0], "c2sp.org/tlog-proof@v1");
    assert_eq!(lines[2], "index 257");
    let hashes = lines[3..].iter().map(|line| {
        let bytes: [u8; 32] = STANDARD.decode(line).unwrap().try_into().unwrap();
        Hash(bytes)
    });
    let hashes: Vec<Hash> = hashes.collect();
    let note = Note::from_bytes(note.as_bytes()).unwrap();
    let own = vkey(NAME, 1, &log_key().verifying_key());
    assert_eq!(
        own,
        new_ed25519_verifier_key(NAME, &log_key().verifying_key())
    );
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&own).unwrap())]);
    assert_eq!(note.verify(&known).unwrap().0.len(), 1);
    let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    let (size, top) = (checkpoint.size(), *checkpoint.hash());
    let checked = tlog_tiles::check_record(&hashes, size, top, 257, theirs(&leaf(257)));
    assert!(checked.is_ok());
    let other = tlog_tiles::check_record(&hashes, size, top, 257, theirs(&leaf(256)));
    assert!(other.is_err());
}

fn go() -> Option<PathBuf> {
    if !tools::available(&[("go", "version")]) {
        return None;
    }
    let name = format!("tlog_tool{}", std::env::consts::EXE_SUFFIX);
    let program = tools::folder("tlog").join(name);
    let mut build = Command::new("go");
    build.args(["build", "-trimpath", "-o"]).arg(&program);
    tools::must(
        build
            .arg(".")
            .current_dir(Path::new(tools::SOURCES).join("tlog")),
    );
    Some(program)
}

/// Proofs, checkpoints and countersignatures, both ways.
#[test]
fn go_verifies_our_proofs_and_we_verify_its() {
    let Some(go) = go() else {
        return;
    };
    let run =
        |args: &[&str], input: &str| tools::run(Command::new(&go).args(args), input.as_bytes());
    let own = vkey(NAME, 1, &log_key().verifying_key());
    let witness = vkey(WITNESS, 4, &witness_key().verifying_key());
    for (size, index) in [(1, 0), (2, 1), (7, 3), (300, 257), (1_000, 999)] {
        let text = proof(size, index, Some(b"extra")).to_text();
        let verify = |at: u64| run(&["verify", NAME, &own, &hex(&leaf(at)), &witness], &text);
        assert_eq!(verify(index), Ok(b"extra".to_vec()), "{index} of {size}");
        assert!(verify(index + 1).is_err(), "another leaf");
        let stranger = vkey(NAME, 1, &witness_key().verifying_key());
        let hash = hex(&leaf(index));
        assert!(run(&["verify", NAME, &stranger, &hash], &text).is_err());
        assert!(run(&["verify", "log.example/other", &own, &hash], &text).is_err());

        for extra in ["", "more"] {
            let (size, at) = (size.to_string(), index.to_string());
            let made = run(&["make", &size, &at, extra], "").unwrap();
            let made = String::from_utf8(made).unwrap();
            let (key, rest) = made.split_once('\n').unwrap();
            let (witness, text) = rest.split_once('\n').unwrap();
            // the encoded key may hold a plus sign itself
            let key = key.splitn(3, '+').nth(2).unwrap();
            let key: [u8; 33] = STANDARD.decode(key).unwrap().try_into().unwrap();
            let key = VerifyingKey::from_bytes(key[1..].try_into().unwrap()).unwrap();
            let theirs = LogProof::parse(text).unwrap();
            assert_eq!(theirs.to_text(), text);
            assert_eq!(
                theirs.extra.as_deref().unwrap_or_default(),
                extra.as_bytes()
            );
            let checkpoint = theirs.verify(&leaf(index), "log.example/go", &key).unwrap();
            assert_eq!(
                checkpoint.root,
                root(&tree(checkpoint.size), checkpoint.size).unwrap()
            );
            assert!(
                theirs
                    .verify(&leaf(index + 1), "log.example/go", &key)
                    .is_err()
            );
            let witness: [u8; 32] = STANDARD.decode(witness).unwrap().try_into().unwrap();
            let witness = VerifyingKey::from_bytes(&witness).unwrap();
            let time = verify_cosignature(&theirs.checkpoint, "witness.example/go", &witness);
            assert!(time.unwrap() > 1_700_000_000);
        }
    }
}
