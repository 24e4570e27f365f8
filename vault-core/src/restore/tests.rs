//! Backups, in memory: what they hold, and what is taken back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::*;
use crate::block::Codec;
use crate::car::CarWriter;
use crate::vault::tests::{World, clock, record, world};
use crate::vault::{ArchiveError, MemoryStorage, body_blocks};

/// A vault with small records and a long one.
fn filled() -> World {
    let mut w = world("Pat");
    let small = (0..20).map(|i| record(&format!("r{i}"), format!("content {i}").as_bytes()));
    let long: Vec<u8> = (0..900_000_u32).map(|i| (i / 5) as u8).collect();
    w.vault
        .add_all(small.chain([record("long", &long)]))
        .unwrap();
    w
}

fn backup(w: &mut World) -> Vec<u8> {
    let mut car = Vec::new();
    let archive = w.vault.backup().unwrap();
    let written = archive.write(&mut car, &mut |_| {}).unwrap();
    assert_eq!(
        (written.blocks, written.bytes),
        (archive.count(), car.len() as u64)
    );
    car
}

fn restore(w: &World, car: &[u8]) -> Result<Restored, RestoreError> {
    restore_to(w.storage.clone(), w, car)
}

fn restore_to(
    storage: Arc<MemoryStorage>,
    w: &World,
    car: &[u8],
) -> Result<Restored, RestoreError> {
    let (device, time) = (w.vault.device.clone(), clock(&w.time));
    let car = CarReader::new(car)?;
    Vault::restore(storage, device, time, car, &mut |_| {})
}

/// Blocks and head, to see that nothing changed.
fn state(storage: &MemoryStorage) -> (Vec<Cid>, Option<Vec<u8>>) {
    let mut blocks = storage.blocks().list().unwrap();
    blocks.sort();
    (blocks, storage.head().unwrap())
}

/// A home as it was earlier.
fn copy(storage: &MemoryStorage) -> Arc<MemoryStorage> {
    let copy = MemoryStorage::new();
    for cid in storage.blocks().list().unwrap() {
        let block = storage.blocks().get(&cid).unwrap().unwrap();
        copy.blocks().put(&[block]).unwrap();
    }
    copy.replace_head(&storage.head().unwrap().unwrap())
        .unwrap();
    Arc::new(copy)
}

fn records(storage: Arc<MemoryStorage>, w: &World) -> usize {
    let mut vault = Vault::open(storage, w.vault.device.clone(), clock(&w.time)).unwrap();
    assert!(vault.verify_blocks(true).unwrap().unreadable.is_empty());
    assert_eq!(vault.verify_audit().unwrap().bad, None);
    vault.records().unwrap().len()
}

#[test]
fn a_backup_holds_every_block_once_and_is_the_same_each_time() {
    let mut w = filled();
    let car = backup(&mut w);
    assert_eq!(car, backup(&mut w));
    let reader = CarReader::new(&car[..]).unwrap();
    assert_eq!(reader.roots(), [w.vault.head().block().cid()]);
    let mut cids: Vec<Cid> = reader
        .map(|section| match section.unwrap() {
            CarSection::Block(block) => block.cid(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        cids[..2],
        [w.vault.head().block().cid(), w.vault.head().pins()]
    );
    assert!(cids[3..].is_sorted());
    cids.sort();
    assert_eq!(cids, state(&w.storage).0);
}

#[test]
fn a_backup_of_a_vault_with_a_hole_is_refused_before_it_begins() {
    let mut w = filled();
    let all = w.storage.blocks().list().unwrap();
    let raw: Vec<Cid> = all
        .into_iter()
        .filter(|cid| cid.codec() == Codec::Raw)
        .collect();
    w.storage.blocks().remove(&raw[..2]).unwrap();
    let Err(VaultError::Incomplete(mut missing)) = w.vault.backup() else {
        panic!("a backup with a hole");
    };
    missing.sort();
    let mut removed = raw[..2].to_vec();
    removed.sort();
    assert_eq!(missing, removed);
}

#[test]
fn a_backup_does_not_mix_two_heads() {
    let mut w = filled();
    let archive = w.vault.backup().unwrap();
    w.vault.add_all([record("late", b"late")]).unwrap();
    let error = archive.write(Vec::new(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, ArchiveError::Vault(VaultError::Conflict)));
}

#[test]
fn lost_blocks_come_back() {
    let mut w = filled();
    let car = backup(&mut w);
    let whole = state(&w.storage);
    let all = w.storage.blocks().list().unwrap();
    w.storage.blocks().remove(&all).unwrap();
    let restored = restore(&w, &car).unwrap();
    assert_eq!(restored.restored, all.len() as u64);
    assert_eq!((restored.present, restored.passed_over), (0, 0));
    assert!(restored.missing.is_empty() && restored.flaws.is_empty());
    assert_eq!(state(&w.storage), whole);
    // a second time there is nothing to do
    let again = restore(&w, &car).unwrap();
    assert_eq!((again.restored, again.present), (0, all.len() as u64));
    // the head alone is lost
    let empty = Arc::new(MemoryStorage::new());
    let restored = restore_to(empty.clone(), &w, &car).unwrap();
    assert_eq!(
        (restored.before, restored.head),
        (None, w.vault.head().seq())
    );
    assert_eq!(records(empty, &w), 21);
}

#[test]
fn a_newer_backup_moves_a_home_that_was_left_behind() {
    let mut w = filled();
    let old = copy(&w.storage);
    w.vault.add_all([record("late", b"late")]).unwrap();
    let car = backup(&mut w);
    let before = state(&old);
    // in a block that it does not have: what is there already is not missed
    let fresh = state(&w.storage)
        .0
        .into_iter()
        .rfind(|cid| cid.codec() == Codec::Raw && !before.0.contains(cid));
    let name = fresh.unwrap().to_bytes();
    let at = car
        .windows(name.len())
        .rposition(|bytes| bytes == name)
        .unwrap();
    for cut in [at + 20, at + 100] {
        let error = restore_to(old.clone(), &w, &car[..cut]).unwrap_err();
        assert!(matches!(error, RestoreError::Car(CarError::Truncated(_))));
        assert_eq!(state(&old), before);
    }
    let restored = restore_to(old.clone(), &w, &car).unwrap();
    assert_eq!(restored.before, Some(restored.head - 1));
    assert_eq!(records(old, &w), 22);
}

#[test]
fn an_older_backup_repairs_but_never_moves_a_vault_back() {
    let mut w = filled();
    let car = backup(&mut w);
    w.vault.add_all([record("late", b"late")]).unwrap();
    let whole = state(&w.storage);
    let error = restore(&w, &car).unwrap_err();
    assert!(matches!(
        error,
        RestoreError::Head(FollowError::Older { .. })
    ));
    assert_eq!(state(&w.storage), whole);
    // the long record's blocks are in both
    let entry = w.vault.records().unwrap().pop().unwrap();
    assert_eq!(entry.meta.title, "late");
    let long = w.vault.records().unwrap()[20].clone();
    let blocks = body_blocks(&w.vault.id(), &long, &*w.storage.blocks()).unwrap();
    let blocks: Vec<Cid> = blocks.into_iter().map(Cid::raw).collect();
    assert!(blocks.len() > 3);
    w.storage.blocks().remove(&blocks).unwrap();
    let restored = restore(&w, &car).unwrap();
    assert_eq!(restored.restored, blocks.len() as u64);
    assert!(restored.offered < restored.head && restored.missing.is_empty());
    assert_eq!(state(&w.storage), whole);
}

#[test]
fn forked_foreign_and_forged_backups_are_refused_and_leave_nothing() {
    let mut w = filled();
    let fork = copy(&w.storage);
    w.vault.add_all([record("late", b"late")]).unwrap();
    let open = || Vault::open(fork.clone(), w.vault.device.clone(), clock(&w.time)).unwrap();
    let refused = |car: &[u8]| {
        let before = state(&w.storage);
        let error = restore(&w, car).unwrap_err();
        assert_eq!(state(&w.storage), before, "{error}");
        error
    };
    let write = |vault: &mut Vault| {
        let mut car = Vec::new();
        vault
            .backup()
            .unwrap()
            .write(&mut car, &mut |_| {})
            .unwrap();
        car
    };
    // the same number, then a higher one, over another history
    let mut forked = open();
    for title in ["fork", "further"] {
        forked.add_all([record(title, title.as_bytes())]).unwrap();
        let error = refused(&write(&mut forked));
        assert!(
            matches!(error, RestoreError::Head(FollowError::Forked(_))),
            "{error}"
        );
    }
    let foreign = backup(&mut filled());
    assert!(matches!(refused(&foreign), RestoreError::OtherVault));
    // a head of the future
    w.time.fetch_add(3 * 24 * 3600, Ordering::Relaxed);
    let later = copy(&w.storage);
    let mut ahead = Vault::open(later, w.vault.device.clone(), clock(&w.time)).unwrap();
    ahead.add_all([record("x", b"x")]).unwrap();
    let car = write(&mut ahead);
    w.time.fetch_sub(3 * 24 * 3600, Ordering::Relaxed);
    let error = refused(&car);
    assert!(matches!(
        error,
        RestoreError::Head(FollowError::FromTheFuture(_))
    ));
    // no head first
    let block = Block::new(Codec::Raw, b"x".to_vec()).unwrap();
    let mut writer = CarWriter::new(Vec::new(), &[block.cid()]).unwrap();
    writer.put(&block).unwrap();
    let car = writer.finish().unwrap();
    assert!(matches!(refused(&car), RestoreError::NotABackup));
}

#[test]
fn a_device_that_a_recovery_replaced_is_told_so() {
    let mut w = filled();
    let car = backup(&mut w);
    let fresh = Arc::new(MemoryStorage::new());
    for section in CarReader::new(&car[..]).unwrap() {
        if let CarSection::Block(block) = section.unwrap() {
            fresh.blocks().put(&[block]).unwrap();
        }
    }
    let mut recovered = Vault::recover(fresh, &w.words, clock(&w.time)).unwrap();
    let mut car = Vec::new();
    recovered
        .backup()
        .unwrap()
        .write(&mut car, &mut |_| {})
        .unwrap();
    let before = state(&w.storage);
    assert!(matches!(restore(&w, &car), Err(RestoreError::Replaced)));
    assert_eq!(state(&w.storage), before);
}

#[test]
fn blocks_that_the_head_does_not_name_are_passed_over() {
    let mut w = filled();
    let car = backup(&mut w);
    let whole = state(&w.storage);
    let all = w.storage.blocks().list().unwrap();
    w.storage.blocks().remove(&all).unwrap();
    let root = w.vault.head().block().cid();
    let mut writer = CarWriter::new(Vec::new(), &[root]).unwrap();
    for section in CarReader::new(&car[..]).unwrap() {
        if let CarSection::Block(block) = section.unwrap() {
            let junk = [b"junk ", &block.data()[..20]].concat();
            writer.put(&block).unwrap();
            writer.put(&Block::new(Codec::Raw, junk).unwrap()).unwrap();
        }
    }
    let restored = restore(&w, &writer.finish().unwrap()).unwrap();
    assert_eq!(restored.passed_over, restored.restored);
    assert_eq!(state(&w.storage), whole);
}
