//! Kills, torn writes and rot: a CAR store opens and tells no lies.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::BlockStore as _;
use super::car::CarStore;
use super::car_tests::{assert_holds, blocks, files, small};
use super::conformance::block;
use super::segment;
use crate::block::{Block, Cid};

const CHILD: &str = "MEDVAULT_TEST_KILL_DIR";

#[test]
fn a_tail_cut_at_any_byte_loses_only_what_was_cut() {
    let dir = tempfile::tempdir().unwrap();
    let store = small(dir.path());
    let all = blocks(0..6, 150);
    store.put(&all).unwrap();
    store.sync().unwrap();
    drop(store);
    let path = &files(dir.path(), "car")[0];
    let whole = fs::read(path).unwrap();
    let section = segment::section_len(150) as usize;
    for cut in whole.len() - 2 * section..=whole.len() {
        let left = 6 - (whole.len() - cut).div_ceil(section);
        fs::write(path, &whole[..cut]).unwrap();
        let store = small(dir.path());
        assert_holds(&store, &all[..left]);
        assert_eq!(
            fs::read(path).unwrap().len(),
            cut,
            "a reader changes nothing"
        );
        let new = block(100, 150);
        store.put(std::slice::from_ref(&new)).unwrap();
        store.sync().unwrap();
        let now = [&all[..left], &[new]].concat();
        assert_holds(&small(dir.path()), &now);
        assert_eq!(
            fs::read(path).unwrap().len(),
            whole.len() - (6 - left) * section + section
        );
    }
}

#[test]
fn a_file_cut_inside_its_header_is_started_again() {
    let dir = tempfile::tempdir().unwrap();
    for content in [
        &segment::HEADER[..0],
        &segment::HEADER[..7],
        &[0; 18],
        &[0; 500],
    ] {
        let path = dir.path().join("segment-00000001.car");
        fs::write(&path, content).unwrap();
        let store = small(dir.path());
        assert_holds(&store, &[]);
        let all = blocks(0..3, 100);
        store.put(&all).unwrap();
        assert_holds(&small(dir.path()), &all);
        assert!(fs::read(&path).unwrap().starts_with(&segment::HEADER));
    }
}

#[test]
fn unsynced_pages_lost_inside_the_tail_become_filler() {
    let dir = tempfile::tempdir().unwrap();
    let all = blocks(0..6, 150);
    small(dir.path()).put(&all).unwrap();
    let path = &files(dir.path(), "car")[0];
    let mut raw = fs::read(path).unwrap();
    let section = segment::section_len(150) as usize;
    let second_data = 18 + section + section - 150;
    raw[second_data + 20..second_data + 90].fill(0);
    let torn_last = raw.len() - 30;
    raw[torn_last..].fill(0);
    fs::write(path, &raw).unwrap();
    let kept = [&all[..1], &all[2..5]].concat();
    let reader = small(dir.path());
    assert_holds(&reader, &kept);
    // the next writer cuts off the torn end, fills the gap, and takes the lost blocks again
    let writer = small(dir.path());
    writer.put(&all[..1]).unwrap();
    let mended = fs::read(path).unwrap();
    assert_eq!(mended.len(), 18 + 5 * section);
    assert!(
        mended[second_data..second_data + 150]
            .iter()
            .all(|byte| *byte == 0)
    );
    assert_holds(&small(dir.path()), &kept);
    writer.put(&all).unwrap();
    assert_holds(&reader, &all);
    assert_holds(&small(dir.path()), &all);
}

#[test]
fn rot_hides_one_block_and_a_put_heals_it() {
    let dir = tempfile::tempdir().unwrap();
    let all = blocks(0..60, 1000);
    let store = small(dir.path());
    store.put(&all).unwrap();
    store.sync().unwrap();
    drop(store);
    let path = &files(dir.path(), "car")[0]; // closed, with an index
    let mut raw = fs::read(path).unwrap();
    let section = segment::section_len(1000) as usize;
    raw[18 + 3 * section + 500] ^= 1;
    fs::write(path, &raw).unwrap();
    let store = small(dir.path());
    for (at, block) in all.iter().enumerate() {
        let expected = (at != 3).then_some(block);
        assert_eq!(store.get(&block.cid()).unwrap().as_ref(), expected);
    }
    store.put(&all[3..4]).unwrap();
    assert_holds(&store, &all);
    assert_holds(&small(dir.path()), &all);
    // both places are deleted
    assert_eq!(store.remove(&[all[3].cid()]).unwrap(), 1);
    assert_holds(&small(dir.path()), &[&all[..3], &all[4..]].concat());
}

#[test]
fn an_interrupted_removal_can_be_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let all = blocks(0..60, 1000);
    let store = small(dir.path());
    store.put(&all).unwrap();
    store.sync().unwrap();
    drop(store);
    // killed after the data was erased, before the name was: in a closed and in the last segment
    let section = segment::section_len(1000) as usize;
    for at in [0, 3] {
        let path = &files(dir.path(), "car")[at];
        let _ = fs::remove_file(path.with_extension("idx"));
        let mut raw = fs::read(path).unwrap();
        raw[18 + section - 1000..18 + section].fill(0);
        fs::write(path, &raw).unwrap();
    }
    let store = small(dir.path());
    assert_eq!(store.get(&all[0].cid()).unwrap(), None);
    assert!(!store.has(&all[57].cid()).unwrap());
    store.remove(&[all[0].cid(), all[57].cid()]).unwrap();
    let kept = [&all[1..57], &all[58..]].concat();
    assert_holds(&store, &kept);
    assert_holds(&small(dir.path()), &kept);
    let raw = [0, 3].map(|at| fs::read(&files(dir.path(), "car")[at]).unwrap());
    for (raw, gone) in raw.iter().zip([&all[0], &all[57]]) {
        let name = gone.cid().to_bytes();
        assert!(!raw.windows(36).any(|window| window == name));
    }
}

#[test]
fn a_kill_during_compaction_leaves_copies_that_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let all = blocks(0..60, 1000);
    let store = small(dir.path());
    store.put(&all).unwrap();
    store.sync().unwrap();
    drop(store);
    // as if segment 1 had been copied and not yet deleted
    let names = files(dir.path(), "car");
    fs::copy(&names[0], dir.path().join("segment-00000005.car")).unwrap();
    let store = small(dir.path());
    assert_holds(&store, &all);
    let doomed: Vec<Cid> = all[..12].iter().map(Block::cid).collect();
    assert_eq!(store.remove(&doomed).unwrap(), 12);
    assert!(!names[0].exists());
    assert_holds(&store, &all[12..]);
    assert_holds(&small(dir.path()), &all[12..]);
}

#[test]
fn whatever_was_synced_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut synced: Vec<Cid> = Vec::new();
    let mut removed: Vec<Cid> = Vec::new();
    for round in 0..20_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::fault_tests::killed_child", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // the clock starts with the first block, so that every round does some work
        let first = lines
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.contains("put "));
        let wait = u64::from(crate::random::array::<1>()[0]) / 4 + round % 3;
        let output =
            std::thread::spawn(move || -> Vec<String> { lines.map_while(Result::ok).collect() });
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        for line in first.into_iter().chain(output.join().unwrap()) {
            let mut words = line
                .split_whitespace()
                .skip_while(|word| !matches!(*word, "put" | "remove"));
            let Some(act) = words.next() else { continue };
            let Some(Ok(cid)) = words.next().map(str::parse::<Cid>) else {
                continue; // cut by the kill
            };
            if act == "put" {
                synced.push(cid);
            } else {
                removed.push(cid);
            }
        }
        let store = small(dir.path());
        for cid in &synced {
            let removing = removed.contains(cid);
            let found = store.get(cid).unwrap();
            assert!(removing || found.is_some(), "round {round}: {cid} is lost");
        }
        // only the removal under way may have been cut short before it did anything
        let last = removed.last().copied();
        if let Some(cid) = last
            && store.get(&cid).unwrap().is_some()
        {
            removed.pop();
        }
        for cid in &removed {
            let found = store.get(cid).unwrap();
            assert_eq!(found, None, "round {round}: {cid} is back");
        }
    }
    assert!(synced.len() > 40 && removed.len() > 5);
}

/// Not a test by itself: the process that is killed above. Announces a removal before it starts
/// and a block after it is durable.
#[test]
fn killed_child() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let store = CarStore::with_segment_len(dir.as_ref(), 20_000).unwrap();
    let mut held: Vec<Cid> = Vec::new();
    loop {
        let seed = u64::from_le_bytes(crate::random::array()) >> 1;
        let batch: Vec<Block> = (0..3).map(|at| block(seed + at, 600)).collect();
        store.put(&batch).unwrap();
        store.sync().unwrap();
        for block in &batch {
            println!("put {}", block.cid());
            held.push(block.cid());
        }
        if held.len() > 30 {
            let cid = held.swap_remove(seed as usize % 20);
            println!("remove {cid}");
            store.remove(&[cid]).unwrap();
        }
    }
}
