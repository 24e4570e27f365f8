//! What a CAR store does on disk: format, indexes, other processes, removal.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;

use super::car::CarStore;
use super::conformance::{block, conformance};
use super::{BlockStore, StoreError};
use crate::block::{Block, Cid};

const SMALL: u64 = 20_000;

pub(super) fn small(dir: &Path) -> CarStore {
    CarStore::with_segment_len(dir, SMALL).unwrap()
}

pub(super) fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    paths.sort();
    paths
}

pub(super) fn blocks(seeds: std::ops::Range<u64>, len: usize) -> Vec<Block> {
    seeds.map(|seed| block(seed, len)).collect()
}

/// Exactly `expected` is in the store, however one asks.
pub(super) fn assert_holds(store: &CarStore, expected: &[Block]) {
    let listed = store.list().unwrap();
    let cids: BTreeSet<Cid> = listed.iter().copied().collect();
    assert_eq!(listed.len(), cids.len());
    assert_eq!(cids, expected.iter().map(Block::cid).collect());
    for block in expected {
        assert!(store.has(&block.cid()).unwrap());
        assert_eq!(store.get(&block.cid()).unwrap().as_ref(), Some(block));
    }
}

/// Reads every CAR file with an independent reader; returns (sections, sections of zeros).
fn outside_reader(dir: &Path) -> Option<(usize, usize)> {
    const READER: &str = r#"
import hashlib, sys
def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]; at += 1
        value |= (byte & 127) << shift; shift += 7
        if byte < 128: return value, at
total = zeros = 0
for name in sys.argv[1:]:
    data = open(name, 'rb').read()
    length, at = varint(data, 0)
    assert data[at:at + length] == b'\xa2eroots\x80gversion\x01'
    at += length
    while at < len(data):
        length, at = varint(data, at)
        section = data[at:at + length]; at += length
        assert len(section) == length, 'cut section'
        assert section[0] == 1 and section[1] in (0x55, 0x71) and section[2:4] == b'\x12\x20'
        assert hashlib.sha256(section[36:]).digest() == section[4:36], 'wrong hash'
        total += 1; zeros += not any(section[36:])
print(total, zeros)
"#;
    let mut command = Command::new("python3");
    command.arg("-c").arg(READER).args(files(dir, "car"));
    let Ok(output) = command.output() else {
        println!("skipped: no python3");
        return None;
    };
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut numbers = text.split_whitespace().map(|word| word.parse().unwrap());
    Some((numbers.next().unwrap(), numbers.next().unwrap()))
}

#[test]
fn conforms() {
    for segment_len in [1, SMALL, 256 << 20] {
        let dir = tempfile::tempdir().unwrap();
        let count = Cell::new(0);
        conformance(|| {
            count.set(count.get() + 1);
            let dir = dir.path().join(count.get().to_string());
            Box::new(CarStore::with_segment_len(&dir, segment_len).unwrap())
        });
    }
}

#[test]
fn segments_are_car_files_for_an_outside_reader() {
    let dir = tempfile::tempdir().unwrap();
    let store = small(dir.path());
    let all = blocks(0..60, 1000);
    store.put(&all).unwrap();
    store.sync().unwrap();
    assert_eq!(files(dir.path(), "car").len(), 4);
    assert!(outside_reader(dir.path()).is_none_or(|found| found == (60, 0)));
    let doomed: Vec<Cid> = all.iter().step_by(5).map(Block::cid).collect();
    assert_eq!(store.remove(&doomed).unwrap(), 12);
    assert!(outside_reader(dir.path()).is_none_or(|found| found == (60, 12)));
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a/b");
    let store = small(&dir);
    store.put(&blocks(0..60, 1000)).unwrap();
    store.sync().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let written = [files(&dir, "car"), files(&dir, "idx")].concat();
    assert_eq!(written.len(), 7);
    assert!(written.iter().all(|path| mode(path) == 0o600));
}

#[test]
fn any_state_of_the_indexes_gives_the_same_content() {
    let dir = tempfile::tempdir().unwrap();
    let all = blocks(0..300, 500);
    let store = CarStore::with_segment_len(dir.path(), 100_000).unwrap();
    store.put(&all[..150]).unwrap();
    store.sync().unwrap();
    store.remove(&[all[7].cid()]).unwrap();
    let early: Vec<_> = files(dir.path(), "idx")
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    assert_eq!(early.len(), 1);
    store.put(&all[150..]).unwrap();
    store.sync().unwrap();
    drop(store);
    let kept: Vec<Block> = [&all[..7], &all[8..]].concat();
    let now = files(dir.path(), "idx");
    assert_eq!(now.len(), 1);
    let reopened = || CarStore::with_segment_len(dir.path(), 100_000).unwrap();
    assert_holds(&reopened(), &kept);
    fs::write(&early[0].0, &early[0].1).unwrap(); // lags behind
    assert_holds(&reopened(), &kept);
    let good = fs::read(&now[0]).unwrap();
    let mut garbled = good.clone();
    garbled[100] ^= 1;
    for bytes in [&garbled[..], &good[..40], &[], &[0xff; 5000]] {
        fs::write(&now[0], bytes).unwrap();
        assert_holds(&reopened(), &kept);
    }
    fs::remove_file(&now[0]).unwrap();
    assert_holds(&reopened(), &kept);
    // the next writer makes it again
    let store = reopened();
    store.put(&[block(999, 500)]).unwrap();
    store.sync().unwrap();
    assert!(now[0].exists());
}

#[test]
fn a_reader_sees_what_a_writer_adds_removes_and_moves() {
    let dir = tempfile::tempdir().unwrap();
    let all = blocks(0..60, 1000);
    let reader = small(dir.path());
    let writer = small(dir.path());
    assert_holds(&reader, &[]);
    writer.put(&all[..3]).unwrap();
    assert_eq!(reader.get(&all[2].cid()).unwrap().as_ref(), Some(&all[2]));
    writer.put(&all[3..]).unwrap();
    assert!(reader.has(&all[59].cid()).unwrap());
    assert_holds(&reader, &all);

    writer.remove(&[all[0].cid(), all[50].cid()]).unwrap();
    for gone in [&all[0], &all[50]] {
        assert!(!reader.has(&gone.cid()).unwrap());
        assert_eq!(reader.get(&gone.cid()).unwrap(), None);
    }
    let kept = [&all[1..50], &all[51..]].concat();
    assert_holds(&reader, &kept);

    // the first segment is dissolved; a block that moved is then removed at its new place
    let doomed: Vec<Cid> = all[1..15].iter().map(Block::cid).collect();
    assert_eq!(writer.remove(&doomed).unwrap(), 14);
    assert!(!files(dir.path(), "car")[0].ends_with("segment-00000001.car"));
    assert_eq!(writer.remove(&[all[15].cid()]).unwrap(), 1);
    assert!(!reader.has(&all[15].cid()).unwrap());
    assert_eq!(reader.get(&all[16].cid()).unwrap().as_ref(), Some(&all[16]));
    let kept = [&all[16..50], &all[51..]].concat();
    assert_holds(&reader, &kept);

    // and the reader can become the writer
    reader.put(&all[..1]).unwrap();
    assert!(writer.has(&all[0].cid()).unwrap());
    writer.put(&all[1..2]).unwrap();
    assert_holds(&reader, &[&all[..2], &kept].concat());
}

#[test]
fn removed_bytes_are_gone_from_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = small(dir.path());
    let all = blocks(0..10, 1500);
    store.put(&all).unwrap();
    store.sync().unwrap();
    assert_eq!(store.remove(&[all[4].cid(), all[5].cid()]).unwrap(), 2);
    assert_eq!(store.remove(&[all[4].cid()]).unwrap(), 0);
    drop(store);
    let raw = fs::read(&files(dir.path(), "car")[0]).unwrap();
    let holds = |bytes: &[u8]| raw.windows(bytes.len()).any(|window| window == bytes);
    for (at, block) in all.iter().enumerate() {
        let kept = at != 4 && at != 5;
        assert_eq!(holds(&block.cid().to_bytes()), kept, "{at}");
        for piece in block.data().chunks(100) {
            assert_eq!(holds(piece), kept, "{at}");
        }
    }
    assert_holds(&small(dir.path()), &[&all[..4], &all[6..]].concat());
}

#[cfg(target_os = "linux")]
#[test]
fn removal_gives_the_room_back() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().unwrap();
    let store = CarStore::open(dir.path()).unwrap();
    let all = blocks(0..32, 262_400);
    store.put(&all).unwrap();
    store.sync().unwrap();
    let path = &files(dir.path(), "car")[0];
    let before = fs::metadata(path).unwrap();
    let doomed: Vec<Cid> = all[8..24].iter().map(Block::cid).collect();
    store.remove(&doomed).unwrap();
    let after = fs::metadata(path).unwrap();
    assert_eq!(before.len(), after.len());
    // holes need support by the file system under the temporary folder: ext4, xfs, btrfs, tmpfs
    assert!(after.blocks() < before.blocks() * 6 / 10);
}

#[test]
fn a_segment_that_is_mostly_dead_is_dissolved() {
    let dir = tempfile::tempdir().unwrap();
    let store = small(dir.path());
    let all = blocks(0..57, 1000); // nineteen to a segment
    store.put(&all).unwrap();
    store.sync().unwrap();
    let names = || -> Vec<String> {
        let paths = files(dir.path(), "car").into_iter();
        paths
            .map(|path| path.file_stem().unwrap().to_string_lossy()[15..].to_owned())
            .collect()
    };
    assert_eq!(names(), ["1", "2", "3"]);
    let cids: Vec<Cid> = all.iter().map(Block::cid).collect();
    store.remove(&cids[..9]).unwrap();
    assert_eq!(names(), ["1", "2", "3"]);
    store.remove(&cids[9..10]).unwrap();
    assert_eq!(names(), ["2", "3", "4"]);
    assert_holds(&store, &all[10..]);
    assert_holds(&small(dir.path()), &all[10..]);
    // a number is never used twice, not even when all is dead
    store.remove(&cids).unwrap();
    assert_eq!(names(), ["5"]);
    assert_holds(&small(dir.path()), &[]);
    store.put(&all).unwrap();
    assert_eq!(names(), ["5", "6", "7"]);
    assert_holds(&small(dir.path()), &all);
}

#[test]
fn a_foreign_file_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("segment-00000001.car");
    fs::write(&path, b"something else, longer than a header").unwrap();
    let store = small(dir.path());
    assert_holds(&store, &[]);
    let put = store.put(&[block(1, 100)]);
    assert!(matches!(put, Err(StoreError::Damaged(_))), "{put:?}");
    assert_eq!(fs::read(&path).unwrap().len(), 36);
}

#[derive(Debug, Clone)]
enum Step {
    Put(Vec<u64>),
    Remove(Vec<u64>),
    Sync,
    Reopen,
    Other,
}

fn step() -> impl Strategy<Value = Step> {
    let seeds = || prop::collection::vec(0..40_u64, 1..12);
    prop_oneof![
        4 => seeds().prop_map(Step::Put),
        3 => seeds().prop_map(Step::Remove),
        1 => Just(Step::Sync),
        1 => Just(Step::Reopen),
        2 => Just(Step::Other),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    /// Two instances on one folder take turns; at every step both agree with a map.
    #[test]
    fn behaves_like_a_map(steps in prop::collection::vec(step(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let open = || CarStore::with_segment_len(dir.path(), 4000).unwrap();
        let (mut store, mut other) = (open(), open());
        let mut model: HashMap<Cid, Block> = HashMap::new();
        let made = |seed: &u64| block(*seed, 100 + (*seed as usize * 37) % 900);
        for step in steps {
            match step {
                Step::Put(seeds) => {
                    let blocks: Vec<Block> = seeds.iter().map(made).collect();
                    store.put(&blocks).unwrap();
                    model.extend(blocks.into_iter().map(|block| (block.cid(), block)));
                }
                Step::Remove(seeds) => {
                    let cids: BTreeSet<Cid> = seeds.iter().map(|seed| made(seed).cid()).collect();
                    let cids: Vec<Cid> = cids.into_iter().collect();
                    let known = cids.iter().filter(|cid| model.remove(cid).is_some()).count();
                    prop_assert_eq!(store.remove(&cids).unwrap(), known);
                }
                Step::Sync => store.sync().unwrap(),
                Step::Reopen => store = open(),
                Step::Other => std::mem::swap(&mut store, &mut other),
            }
            for seed in 0..40 {
                let block = made(&seed);
                let expected = model.get(&block.cid());
                prop_assert_eq!(other.has(&block.cid()).unwrap(), expected.is_some());
                prop_assert_eq!(store.get(&block.cid()).unwrap(), expected.cloned());
                prop_assert_eq!(other.get(&block.cid()).unwrap(), expected.cloned());
            }
            let held: Vec<Block> = model.values().cloned().collect();
            assert_holds(&store, &held);
            assert_holds(&other, &held);
        }
    }
}
