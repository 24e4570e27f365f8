//! The life of a vault, in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::grant::{Extent, Scope};
use crate::keys::PublicKey;
use crate::record::{Category, RecordMeta};
use crate::{NodeAddress, RevokeLevel};

pub(crate) struct World {
    pub(crate) storage: Arc<MemoryStorage>,
    pub(crate) words: RecoveryWords,
    pub(crate) time: Arc<AtomicU64>,
    pub(crate) vault: Vault,
}

pub(crate) fn world(name: &str) -> World {
    let storage = Arc::new(MemoryStorage::new());
    let words = RecoveryWords::generate();
    let time = Arc::new(AtomicU64::new(1_790_000_000));
    let device = Arc::new(Device::for_new_vault(&words, time.load(Ordering::Relaxed)));
    let vault = Vault::create(storage.clone(), device, name, clock(&time)).unwrap();
    World {
        storage,
        words,
        time,
        vault,
    }
}

pub(crate) fn clock(time: &Arc<AtomicU64>) -> Clock {
    let time = time.clone();
    Arc::new(move || time.load(Ordering::Relaxed))
}

pub(crate) fn meta(title: &str, category: Category) -> RecordMeta {
    RecordMeta {
        kind: "Observation".parse().unwrap(),
        category,
        date: Some("2024-02-03T10:00:00Z".parse().unwrap()),
        title: title.into(),
        labels: Default::default(),
        media_type: "application/fhir+json".into(),
        source_id: Some(format!("Observation/{title}")),
        ..RecordMeta::default()
    }
}

pub(crate) fn record(title: &str, content: &[u8]) -> NewRecord<'static> {
    NewRecord {
        meta: meta(title, Category::Lab),
        source: Some("a.json".into()),
        content: Content::Bytes(Zeroizing::new(content.to_vec())),
        replaces: None,
    }
}

pub(crate) fn node() -> NodeAddress {
    let key = PublicKey::from_bytes([4; 32]);
    NodeAddress {
        peer: key,
        addrs: vec![],
        endpoint: key,
        endpoint_addrs: vec![],
        relays: Vec::new(),
    }
}

fn content(vault: &Vault, entry: &IndexEntry) -> Vec<u8> {
    let mut out = Vec::new();
    vault.open_record(entry).unwrap().copy_to(&mut out).unwrap();
    out
}

fn check(vault: &mut Vault) {
    let report = vault.verify_blocks(true).unwrap();
    assert_eq!((report.missing, report.unreadable), (vec![], vec![]));
    assert_eq!(vault.verify_audit().unwrap().bad, None);
    // nothing is kept that the head does not name
    assert_eq!(vault.storage.blocks().list().unwrap().len(), report.blocks);
}

#[test]
fn records_go_in_come_out_and_are_known_again() {
    let mut w = world("Pat");
    let long = vec![7u8; 3_000_000];
    let batch = || (0..100).map(|i| record(&format!("r{i}"), format!("content {i}").as_bytes()));
    let report = w
        .vault
        .add_all(batch().chain([record("long", &long)]))
        .unwrap();
    assert_eq!(report.new_versions(), 101);
    let again = w
        .vault
        .add_all(batch().chain([record("long", &long)]))
        .unwrap();
    assert_eq!(again.new_versions(), 0);
    check(&mut w.vault);

    let mut opened =
        Vault::open(w.storage.clone(), w.vault.device.clone(), clock(&w.time)).unwrap();
    let records = opened.records().unwrap();
    assert_eq!(records.len(), 101);
    assert_eq!(content(&opened, &records[42]), b"content 42");
    assert_eq!(content(&opened, &records[100]), long);
    let range = opened
        .open_record(&records[100])
        .unwrap()
        .read_range(2_900_000, 200_000)
        .unwrap();
    assert_eq!(*range, long[2_900_000..]);
    assert!(opened.storage.blocks().list().unwrap().len() < 40);
}

#[test]
fn every_length_near_a_border_survives() {
    let mut w = world("Pat");
    let chunk = 16 * 1024;
    let mut lengths = vec![0, 1, chunk - 1, chunk, chunk + 1];
    for blocks in [1, 5] {
        for delta in [-2000i64, -1, 0, 700] {
            lengths.push((blocks * 16 * chunk as i64 + delta) as usize);
        }
    }
    let contents: Vec<Vec<u8>> = lengths
        .iter()
        .enumerate()
        .map(|(n, len)| (0..*len).map(|i| (i / 7 + n) as u8).collect())
        .collect();
    w.vault
        .add_all(contents.iter().map(|c| record("x", c)))
        .unwrap();
    for (entry, expected) in w.vault.records().unwrap().iter().zip(&contents) {
        assert_eq!(entry.len as usize, expected.len());
        assert!(
            content(&w.vault, entry) == *expected,
            "{} bytes",
            expected.len()
        );
    }
    check(&mut w.vault);
}

#[test]
fn share_update_revoke_and_rekey() {
    let mut w = world("Pat");
    let doctor = world("Dr. A");
    let nurse = world("Nurse B");
    for (name, other) in [("doctor", &doctor), ("nurse", &nurse)] {
        let card = other.vault.device().card(other.vault.name()).unwrap();
        w.vault.add_contact(name, &card).unwrap();
    }
    let long = vec![9u8; 1_000_000];
    w.vault
        .add_all([
            record("a", b"aaa"),
            record("b", b"bbb"),
            record("long", &long),
        ])
        .unwrap();
    let request = ShareRequest {
        readers: vec!["doctor".into(), "nurse".into()],
        scope: Scope {
            categories: [Category::Lab].into(),
            ..Scope::default()
        },
        extent: Extent::Standing,
        purpose: None,
        expires: None,
    };
    let shared = w.vault.share(request, &node()).unwrap();
    assert_eq!(shared.tickets.len(), 2);
    let id = shared.grant.id;
    assert_eq!(w.vault.grant_entries(&id).unwrap().len(), 3);
    w.vault.add_all([record("c", b"ccc")]).unwrap();
    assert_eq!(w.vault.grant_entries(&id).unwrap().len(), 4);
    let first = w.vault.records().unwrap()[0].clone();
    let mut update = record("a2", b"aaa2");
    update.replaces = Some(first.record);
    w.vault.add_all([update]).unwrap();
    assert_eq!(w.vault.versions(&first.record).unwrap().len(), 2);
    assert_eq!(w.vault.grant_entries(&id).unwrap().len(), 5);
    check(&mut w.vault);

    let before = w.vault.grant_entries(&id).unwrap();
    let target = RevokeTarget::Contact("doctor".into());
    let out = w.vault.revoke(&target, RevokeLevel::Rekey).unwrap();
    assert_eq!(out.len(), 1);
    check(&mut w.vault);
    assert_eq!(w.vault.pending_rekeys().unwrap(), [id]);
    let mut steps = 0;
    while w.vault.rekey_step(&id, 10).unwrap().receipt.is_none() {
        steps += 1;
        check(&mut w.vault);
    }
    assert!(steps > 1);
    let after = w.vault.grant_entries(&id).unwrap();
    assert_eq!(before.len(), after.len());
    for (b, a) in before.iter().zip(&after) {
        assert_eq!(b.version, a.version);
        assert_ne!(b.cek, a.cek);
        assert!(OpenRecord::open(w.vault.head().signers(), b, w.storage.blocks()).is_err());
        assert_eq!(content(&w.vault, a).len() as u64, a.len);
    }
    check(&mut w.vault);

    let out = w
        .vault
        .revoke(&RevokeTarget::Grant(id), RevokeLevel::Stop)
        .unwrap();
    assert!(out[0].receipt.is_some());
    let info = w.vault.grants().unwrap().remove(0);
    assert_eq!(info.status, GrantStatus::Revoked);
    assert_eq!(info.receipts.len(), 2);
    check(&mut w.vault);

    w.vault.remove_records(&[first.record]).unwrap();
    assert!(w.vault.versions(&first.record).is_err());
    check(&mut w.vault);
}

#[test]
fn the_words_and_the_blocks_rebuild_everything() {
    let mut w = world("Pat");
    w.vault
        .add_all([record("a", b"aaa"), record("long", &vec![3; 2_000_000])])
        .unwrap();
    let copy = Arc::new(MemoryStorage::new());
    let blocks: Vec<_> = w.storage.blocks().list().unwrap();
    let all: Vec<_> = blocks
        .iter()
        .map(|cid| w.storage.blocks().get(cid).unwrap().unwrap())
        .collect();
    copy.blocks().put(&all).unwrap();
    let other = RecoveryWords::generate();
    let lost = Vault::recover(copy.clone(), &other, clock(&w.time));
    assert!(matches!(lost, Err(VaultError::NothingToRecover)));
    let mut again = Vault::recover(copy, &w.words, clock(&w.time)).unwrap();
    assert_eq!(again.id(), w.vault.id());
    assert_eq!(again.name(), "Pat");
    assert_eq!(again.records().unwrap().len(), 2);
    assert_eq!(again.verify_blocks(true).unwrap().unreadable, []);
    // the old device no longer signs for the vault
    let old = w.vault.device().signing().public();
    assert!(!again.head().signers().may_sign(&old));
    assert!(again.head().signers().has_signed(&old));
    again.add_all([record("b", b"bbb")]).unwrap();
    check(&mut again);
}

#[test]
fn a_failed_change_changes_nothing() {
    let mut w = world("Pat");
    w.vault.add_all([record("a", b"aaa")]).unwrap();
    let head = w.vault.head().clone();
    let failed = w.vault.add(|adder| -> Result<(), VaultError> {
        adder.add(record("b", b"bbb"))?;
        Err(VaultError::EmptyScope)
    });
    assert!(matches!(failed, Err(VaultError::EmptyScope)));
    assert_eq!(*w.vault.head(), head);
    assert_eq!(w.vault.records().unwrap().len(), 1);
    w.vault.add_all([record("b", b"bbb")]).unwrap();
    check(&mut w.vault);
}

#[test]
fn grants_end_by_themselves() {
    let mut w = world("Pat");
    let doctor = world("Dr. A");
    let card = doctor.vault.device().card("Dr. A").unwrap();
    w.vault.add_contact("doctor", &card).unwrap();
    w.vault.add_all([record("a", b"aaa")]).unwrap();
    let now = w.time.load(Ordering::Relaxed);
    let request = ShareRequest {
        readers: vec!["doctor".into()],
        scope: Scope {
            all: true,
            ..Scope::default()
        },
        extent: Extent::Snapshot,
        purpose: None,
        expires: Some(now + 100),
    };
    w.vault.share(request, &node()).unwrap();
    assert!(!w.vault.tend().unwrap());
    w.time.fetch_add(100, Ordering::Relaxed);
    assert!(w.vault.tend().unwrap());
    assert_eq!(w.vault.grants().unwrap()[0].status, GrantStatus::Expired);
    check(&mut w.vault);
    w.time.fetch_add(20 * 24 * 3600, Ordering::Relaxed);
    assert!(
        w.vault.tend().unwrap(),
        "a head past half its life is renewed"
    );
    check(&mut w.vault);
}

#[test]
fn a_record_with_far_too_many_labels_is_kept_and_counts_as_unclear() {
    let mut w = world("Pat");
    let mut odd = record("odd", b"odd");
    odd.meta.labels = (0..9000)
        .map(|i| format!("L{i}").parse().unwrap())
        .collect();
    odd.source = Some("../../etc/\u{1b}passwd".into());
    w.vault.add_all([odd]).unwrap();
    let entry = w.vault.records().unwrap().remove(0);
    assert!(entry.meta.labels.contains(&crate::record::Label::unclear()));
    let opened = w.vault.open_record(&entry).unwrap();
    assert_eq!(opened.header().source.as_deref(), Some("passwd"));
    check(&mut w.vault);
}

#[test]
fn thousands_of_records_are_removed_and_the_log_still_reads() {
    let mut w = world("Pat");
    let all = (0..2500).map(|i| record("x", format!("{i}").as_bytes()));
    w.vault.add_all(all).unwrap();
    let ids: Vec<_> = w
        .vault
        .records()
        .unwrap()
        .iter()
        .map(|e| e.record)
        .collect();
    w.vault.remove_records(&ids).unwrap();
    assert_eq!(w.vault.records().unwrap(), []);
    check(&mut w.vault);
    assert_eq!(w.vault.audit_log().unwrap().len(), 5);
}

#[test]
fn versions_are_found_oldest_first_and_those_of_removed_records_are_gone() {
    let mut w = world("Pat");
    let all = ["a", "b", "c"].map(|name| record(name, name.as_bytes()));
    w.vault.add_all(all).unwrap();
    let [a, b, _] = w.vault.records().unwrap().try_into().unwrap();
    let mut newer = record("a", b"a, amended");
    newer.replaces = Some(a.record);
    w.vault.add_all([newer]).unwrap();
    let of_a = w.vault.versions(&a.record).unwrap();
    let wanted = |entry: &IndexEntry| [a.record, b.record].contains(&entry.record);
    let found = w.vault.find_versions(wanted).unwrap();
    assert_eq!(found, [a.clone(), b.clone(), of_a[1].clone()]);
    w.vault.remove_records(&[a.record]).unwrap();
    let left = w.vault.find_versions(wanted).unwrap();
    let left: Vec<_> = left.iter().map(|entry| entry.version).collect();
    assert_eq!(left, [b.version]);
}

#[test]
fn an_earlier_content_can_come_back_as_a_new_version() {
    let mut w = world("Pat");
    w.vault.add_all([record("a", b"one")]).unwrap();
    let id = w.vault.records().unwrap()[0].record;
    let version = |content: &[u8]| NewRecord {
        replaces: Some(id),
        ..record("a", content)
    };
    w.vault.add_all([version(b"two")]).unwrap();
    let same = w.vault.add_all([version(b"two")]).unwrap();
    assert_eq!(same.added, [Added::Known(id)]);
    w.vault.add_all([version(b"one")]).unwrap();
    assert_eq!(w.vault.versions(&id).unwrap().len(), 3);
}

#[test]
fn recovery_keeps_blocks_that_its_head_does_not_name() {
    let mut w = world("Pat");
    w.vault.add_all([record("a", b"aaa")]).unwrap();
    let copy = Arc::new(MemoryStorage::new());
    let from = w.storage.blocks();
    for cid in from.list().unwrap() {
        copy.blocks()
            .put(&[from.get(&cid).unwrap().unwrap()])
            .unwrap();
    }
    let stray = crate::Block::new(crate::Codec::Raw, b"of a newer head".to_vec()).unwrap();
    copy.blocks().put(std::slice::from_ref(&stray)).unwrap();
    let again = Vault::recover(copy.clone(), &w.words, clock(&w.time)).unwrap();
    assert!(copy.blocks().has(&stray.cid()).unwrap());
    drop(again);
}

#[test]
fn verify_names_the_first_bad_entry() {
    let mut w = world("Pat");
    for i in 0..5u8 {
        w.vault.add_all([record("x", &[i])]).unwrap();
    }
    assert_eq!(w.vault.verify_audit().unwrap().bad, None);
    w.vault.state.audit.update(|entry| {
        let hit = crate::AuditEntry::from_bytes(&entry.0).unwrap().index == 3;
        if hit {
            let last = entry.0.len() - 1;
            entry.0[last] ^= 1;
        }
        hit
    });
    assert_eq!(w.vault.verify_audit().unwrap().bad.unwrap().index, 3);
}

#[test]
fn a_changed_contact_key_is_loud() {
    let mut w = world("Pat");
    let (doctor, other) = (world("Doctor"), world("Doctor"));
    let card = |of: &World| of.vault.device().card("Doctor").unwrap();
    w.vault.add_contact("doctor", &card(&doctor)).unwrap();
    w.vault.verify_contact("doctor", None).unwrap();
    let changed = w.vault.add_contact("doctor", &card(&other));
    assert!(matches!(changed, Err(VaultError::KeyChanged(_))));
    assert_eq!(w.vault.contact("doctor").unwrap().card, card(&doctor));
    let wrong = w
        .vault
        .verify_contact("doctor", Some(&card(&other).fingerprint()));
    assert!(matches!(wrong, Err(VaultError::FingerprintMismatch(_))));
    let again = w.vault.add_contact("other", &card(&doctor));
    assert!(matches!(again, Err(VaultError::ContactExists(_))));
}

#[test]
fn a_long_addition_is_durable_part_by_part() {
    let mut w = world("Pat");
    let parts = |adder: &mut Adder<'_, '_>, fail: bool| -> Result<(), VaultError> {
        for i in 0..6 {
            adder.add(record(&format!("r{i}"), format!("content {i}").as_bytes()))?;
            if i % 2 == 1 {
                adder.checkpoint()?;
                assert_eq!(adder.pending(), 0);
            }
            if fail && i == 4 {
                return Err(VaultError::Conflict);
            }
        }
        Ok(())
    };
    let seq = w.vault.head().seq();
    assert!(w.vault.add(|adder| parts(adder, true)).is_err());
    assert_eq!(w.vault.records().unwrap().len(), 4);
    assert_eq!(w.vault.head().seq(), seq + 2);
    check(&mut w.vault);
    // the same again: what is there is known, the rest joins
    let report = w.vault.add(|adder| parts(adder, false)).unwrap();
    assert_eq!(report.new_versions(), 2);
    check(&mut w.vault);
    let mut opened =
        Vault::open(w.storage.clone(), w.vault.device.clone(), clock(&w.time)).unwrap();
    assert_eq!(opened.records().unwrap().len(), 6);
    check(&mut opened);
}

#[test]
fn a_content_that_breaks_off_leaves_nothing_and_the_rest_goes_on() {
    struct Broken(u64);
    impl std::io::Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0 == 0 {
                return Err(std::io::Error::other("gone"));
            }
            let len = buffer.len().min(self.0 as usize);
            buffer[..len].fill(5);
            self.0 -= len as u64;
            Ok(len)
        }
    }
    let mut w = world("Pat");
    let report = w.vault.add(|adder| -> Result<(), VaultError> {
        adder.add(record("a", b"first"))?;
        let broken = adder.add(NewRecord {
            content: Content::Stream(&mut Broken(1_500_000)),
            ..record("b", b"")
        });
        assert!(matches!(broken, Err(VaultError::Body(_))), "{broken:?}");
        adder.add(record("c", b"last"))?;
        Ok(())
    });
    assert_eq!(report.unwrap().new_versions(), 2);
    check(&mut w.vault);
}
