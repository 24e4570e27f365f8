//! A patient and a reader, in memory.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::*;
use crate::grant::{Extent, Scope, Ticket};
use crate::store::{BlockStore, MemoryStore};
use crate::vault::tests::{World, clock, node, record, world};
use crate::vault::{MemoryStorage, RevokeTarget, ShareRequest, Shared, Vault, VaultStorage};
use crate::{Cid, IndexEntry, RevokeLevel};

pub(super) fn share(patient: &mut World, names: &[&str]) -> Shared {
    let request = ShareRequest {
        readers: names.iter().map(|n| (*n).to_owned()).collect(),
        scope: Scope {
            all: true,
            ..Scope::default()
        },
        extent: Extent::Standing,
        purpose: None,
        expires: None,
    };
    patient.vault.share(request, &node()).unwrap()
}

pub(super) fn befriend(patient: &mut World, name: &str) -> World {
    let reader = world(name);
    let card = reader.vault.device().card(name).unwrap();
    patient.vault.add_contact(name, &card).unwrap();
    reader
}

pub(super) fn accept(reader: &World, text: &str, now: u64) -> Following {
    Following::accept(
        &Ticket::open(text, reader.vault.device(), now).unwrap(),
        "pat",
        now,
    )
}

pub(super) fn head(patient: &World) -> Vec<u8> {
    patient.vault.head().block().data().to_vec()
}

fn read(following: &Following, entry: &IndexEntry, source: Arc<dyn BlockStore>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    following
        .open_record(entry, source)
        .ok()?
        .copy_to(&mut out)
        .ok()?;
    Some(out)
}

/// A copy of a storage as it is now.
pub(crate) fn copy(storage: &MemoryStorage) -> Arc<MemoryStorage> {
    let copy = MemoryStorage::new();
    let blocks = storage.blocks();
    let all: Vec<_> = blocks
        .list()
        .unwrap()
        .iter()
        .map(|c| blocks.get(c).unwrap().unwrap())
        .collect();
    copy.blocks().put(&all).unwrap();
    copy.replace_head(&storage.head().unwrap().unwrap())
        .unwrap();
    Arc::new(copy)
}

#[test]
fn a_reader_follows_reads_and_is_shut_out() {
    let mut patient = world("Pat");
    let doctor = befriend(&mut patient, "doctor");
    patient
        .vault
        .add_all([record("a", b"aaa"), record("b", &vec![5; 700_000])])
        .unwrap();
    let shared = share(&mut patient, &["doctor"]);
    let now = patient.time.load(Ordering::Relaxed);
    let mut following = accept(&doctor, &shared.tickets[0].1, now);
    let blocks = patient.storage.blocks();

    let advance = following.advance(&head(&patient), &*blocks, now).unwrap();
    assert!(matches!(advance, Advance::Advanced { from: 0, .. }));
    assert_eq!(
        following.advance(&head(&patient), &*blocks, now).unwrap(),
        Advance::Unchanged
    );
    let views = following
        .grants(doctor.vault.device(), &*blocks, now)
        .unwrap();
    let records = Following::records(&views);
    assert_eq!(records.len(), 2);
    assert_eq!(
        read(&following, &records[0], blocks.clone()).unwrap(),
        b"aaa"
    );
    assert_eq!(
        read(&following, &records[1], blocks.clone()).unwrap().len(),
        700_000
    );

    patient.vault.add_all([record("c", b"ccc")]).unwrap();
    following.advance(&head(&patient), &*blocks, now).unwrap();
    let views = following
        .grants(doctor.vault.device(), &*blocks, now)
        .unwrap();
    assert_eq!(Following::records(&views).len(), 3);
    let old = Following::records(&views);

    let grant = shared.grant.id;
    patient
        .vault
        .revoke(&RevokeTarget::Grant(grant), RevokeLevel::Rekey)
        .unwrap();
    patient.vault.rekey(&grant, &mut |_| {}).unwrap();
    patient.vault.add_all([record("d", b"ddd")]).unwrap();
    following.advance(&head(&patient), &*blocks, now).unwrap();
    let shut = following.grants(doctor.vault.device(), &*blocks, now);
    assert!(matches!(shut, Err(FollowError::NothingShared)));
    assert!(
        old.iter()
            .all(|entry| read(&following, entry, blocks.clone()).is_none())
    );
}

#[test]
fn old_and_forked_heads_are_refused() {
    let mut patient = world("Pat");
    let doctor = befriend(&mut patient, "doctor");
    patient.vault.add_all([record("a", b"aaa")]).unwrap();
    let shared = share(&mut patient, &["doctor"]);
    let now = patient.time.load(Ordering::Relaxed);
    let mut following = accept(&doctor, &shared.tickets[0].1, now);
    let fork = copy(&patient.storage);
    let old = head(&patient);
    let device = Arc::new(
        crate::Device::from_identity_text(&patient.vault.device().to_identity_text()).unwrap(),
    );
    patient.vault.add_all([record("b", b"bbb")]).unwrap();
    let blocks = patient.storage.blocks();
    following.advance(&head(&patient), &*blocks, now).unwrap();
    let memory = following.clone();
    assert!(matches!(
        following.advance(&old, &*blocks, now),
        Err(FollowError::Older { .. })
    ));

    let mut other = Vault::open(fork.clone(), device, clock(&patient.time)).unwrap();
    other.add_all([record("x", b"xxx")]).unwrap();
    let same_number = other.head().block().data().to_vec();
    let refused = following.advance(&same_number, &*fork.blocks(), now);
    assert!(matches!(refused, Err(FollowError::Forked(_))));
    other.add_all([record("y", b"yyy")]).unwrap();
    other.add_all([record("z", b"zzz")]).unwrap();
    let longer = other.head().block().data().to_vec();
    let refused = following.advance(&longer, &*fork.blocks(), now);
    assert!(
        matches!(refused, Err(FollowError::Forked(_))),
        "{refused:?}"
    );
    let late = patient.vault.head().valid_until() + 1000;
    assert!(matches!(
        following.advance(&head(&patient), &*blocks, late),
        Err(FollowError::Stale(_))
    ));
    assert_eq!(following, memory, "nothing of this is remembered");
}

#[test]
fn the_team_keeps_what_one_member_loses() {
    let mut patient = world("Pat");
    let doctor = befriend(&mut patient, "doctor");
    let nurse = befriend(&mut patient, "nurse");
    patient
        .vault
        .add_all([record("a", b"aaa"), record("b", b"bbb")])
        .unwrap();
    let shared = share(&mut patient, &["doctor", "nurse"]);
    let now = patient.time.load(Ordering::Relaxed);
    let mut follow: Vec<Following> = [&doctor, &nurse]
        .iter()
        .zip(&shared.tickets)
        .map(|(reader, (_, text))| accept(reader, text, now))
        .collect();
    let blocks = patient.storage.blocks();
    for f in &mut follow {
        f.advance(&head(&patient), &*blocks, now).unwrap();
    }
    let before = follow[0]
        .grants(doctor.vault.device(), &*blocks, now)
        .unwrap();
    patient
        .vault
        .revoke(&RevokeTarget::Contact("doctor".into()), RevokeLevel::Rekey)
        .unwrap();
    patient.vault.add_all([record("c", b"ccc")]).unwrap();
    patient.vault.rekey(&shared.grant.id, &mut |_| {}).unwrap();
    for f in &mut follow {
        f.advance(&head(&patient), &*blocks, now).unwrap();
    }
    assert!(
        follow[0]
            .grants(doctor.vault.device(), &*blocks, now)
            .is_err()
    );
    for entry in &before[0].entries {
        assert_eq!(read(&follow[0], entry, blocks.clone()), None);
    }
    let views = follow[1]
        .grants(nurse.vault.device(), &*blocks, now)
        .unwrap();
    let records = Following::records(&views);
    assert_eq!(records.len(), 3);
    assert!(
        records
            .iter()
            .all(|entry| read(&follow[1], entry, blocks.clone()).is_some())
    );
}

#[test]
fn the_inbox_is_sealed_and_survives() {
    let dir = tempfile::tempdir().unwrap();
    let (home, ()) =
        crate::Home::create(&dir.path().join("h"), |_| Ok::<_, crate::StorageError>(())).unwrap();
    let home = Arc::new(home);
    let mut patient = world("Pat");
    let doctor = befriend(&mut patient, "doctor");
    patient.vault.add_all([record("a", b"aaa")]).unwrap();
    let shared = share(&mut patient, &["doctor"]);
    let now = patient.time.load(Ordering::Relaxed);
    let device = doctor.vault.device();
    let ticket = Ticket::open(&shared.tickets[0].1, device, now).unwrap();
    let mut inbox = Inbox::open(home.clone(), device).unwrap();
    let mut following = inbox.accept(&ticket, None, now).unwrap().clone();
    following
        .advance(&head(&patient), &*patient.storage.blocks(), now)
        .unwrap();
    inbox.remember(&following).unwrap();

    let again = Inbox::open(home.clone(), device).unwrap();
    assert_eq!(again.find("Pat").unwrap(), &following);
    let sealed = home.read_file("inbox").unwrap().unwrap();
    assert!(!sealed.windows(3).any(|w| w == b"Pat"));
    assert!(Inbox::open(home, patient.vault.device()).is_err());
}

#[test]
fn fetched_blocks_are_kept() {
    struct Once(Arc<MemoryStore>);
    impl crate::Fetcher for Once {
        fn fetch(&self, cids: &[Cid]) -> Result<Vec<crate::Block>, crate::SourceError> {
            let found: Vec<_> = cids
                .iter()
                .filter_map(|cid| self.0.get(cid).unwrap())
                .collect();
            self.0.remove(cids).unwrap();
            Ok(found)
        }
    }
    let origin = Arc::new(MemoryStore::new());
    let block = crate::Block::new(crate::Codec::Raw, b"hello".to_vec()).unwrap();
    origin.put(std::slice::from_ref(&block)).unwrap();
    let source = crate::CachedSource::new(Arc::new(MemoryStore::new()), Box::new(Once(origin)));
    use crate::BlockSource;
    for _ in 0..2 {
        assert_eq!(source.fetch(&[block.cid(), block.cid()]).unwrap().len(), 2);
    }
    let other = Cid::raw(crate::Digest::of(b"x"));
    assert!(
        matches!(source.fetch(&[other]), Err(crate::SourceError::Missing(cid)) if cid == other)
    );
}

#[test]
fn a_head_from_the_future_is_refused() {
    let mut patient = world("Pat");
    let doctor = befriend(&mut patient, "doctor");
    patient.vault.add_all([record("a", b"aaa")]).unwrap();
    let shared = share(&mut patient, &["doctor"]);
    let now = patient.time.load(Ordering::Relaxed);
    let mut following = accept(&doctor, &shared.tickets[0].1, now);
    let blocks = patient.storage.blocks();
    let long_ago = now - 25 * 3600;
    let refused = following.advance(&head(&patient), &*blocks, long_ago);
    assert!(matches!(refused, Err(FollowError::FromTheFuture(_))));
    following
        .advance(&head(&patient), &*blocks, now - 23 * 3600)
        .unwrap();
}

#[test]
fn a_lost_device_reads_nothing_new_after_recovery() {
    let mut patient = world("Pat");
    let doctor = befriend(&mut patient, "doctor");
    patient.vault.add_all([record("a", b"aaa")]).unwrap();
    let shared = share(&mut patient, &["doctor"]);
    let now = patient.time.load(Ordering::Relaxed);
    let lost =
        crate::Device::from_identity_text(&patient.vault.device().to_identity_text()).unwrap();
    // what the thief knows besides: the grant's key, in the old grant zero
    let old_grants = patient.vault.grant_record(&shared.grant.id).unwrap();

    let blocks_only = MemoryStorage::new();
    let from = patient.storage.blocks();
    for cid in from.list().unwrap() {
        let block = from.get(&cid).unwrap().unwrap();
        blocks_only.blocks().put(&[block]).unwrap();
    }
    let storage = Arc::new(blocks_only);
    let mut again = Vault::recover(storage.clone(), &patient.words, clock(&patient.time)).unwrap();
    again.add_all([record("new", b"new content")]).unwrap();

    // the lost device no longer opens the vault, and no longer signs for it
    assert!(Vault::open(storage.clone(), Arc::new(lost), clock(&patient.time)).is_err());
    let (root, len) = again.grant_record(&shared.grant.id).unwrap().root.unwrap();
    let block = storage.blocks().get(&Cid::raw(root)).unwrap().unwrap();
    let context = crate::grant::root_context(&again.id(), &shared.grant.id);
    let opened = crate::index::open_object(&old_grants.key, &context, block.data(), len);
    assert!(opened.is_err(), "the grant has a new key");

    // the reader notices nothing but the new record
    let mut following = accept(&doctor, &shared.tickets[0].1, now);
    let head = again.head().block().data().to_vec();
    following.advance(&head, &*storage.blocks(), now).unwrap();
    let views = following
        .grants(doctor.vault.device(), &*storage.blocks(), now)
        .unwrap();
    assert_eq!(Following::records(&views).len(), 2);

    // nor does a ticket that the lost device could make move anything
    let device = doctor.vault.device();
    let ticket = Ticket::open(&shared.tickets[0].1, device, now).unwrap();
    let before = following.clone();
    following.accept_again(&ticket);
    assert!(following == before);
}

#[test]
fn a_head_with_too_many_blocks_is_refused() {
    let patient = world("Pat");
    let mut body = patient.vault.head().body.clone();
    body.directory = vec![crate::Digest::of(b"x"); 5000];
    let signed = crate::Head::sign(&body, patient.vault.device().signing());
    assert!(matches!(signed, Err(crate::HeadError::Malformed(_))));
    body.directory.truncate(1);
    body.seq = u64::MAX;
    let signed = crate::Head::sign(&body, patient.vault.device().signing());
    assert!(matches!(signed, Err(crate::HeadError::Malformed(_))));
}
