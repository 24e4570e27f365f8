//! Promise 2: after any sequence of acts, every reader can open exactly what the model says, and
//! nothing more with anything they ever saw.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use zeroize::Zeroizing;

use super::model::{Facts, Model, ModelGrant, Op, READERS, label_change, op};
use super::replay::Memory;
use super::support::{Reader, all_blocks, catalogue, head, now, storage_of};
use crate::access::{AccessMessage, AccessReply, RequestDraft, moment, open_keys};
use crate::grant::Extent;
use crate::ids::{GrantId, VersionId};
use crate::index::IndexEntry;
use crate::keys::SecretKey;
use crate::vault::tests::{World, clock, node, world};
use crate::vault::{
    Added, Content, NewRecord, OnRequestTerms, RevokeTarget, ShareRequest, Vault, VaultError,
    VaultStorage,
};
use crate::{Digest, FollowError, Following, RevokeLevel};

/// Cases when `MEDVAULT_PROOF_CASES` does not say otherwise.
const CASES: u32 = 10;

/// Longest sequence of acts.
const STEPS: usize = 24;

pub(super) struct Side {
    pub(super) reader: Reader,
    pub(super) memory: Memory,
}

pub(super) struct Proof {
    pub(super) patient: World,
    pub(super) sides: Vec<Side>,
    pub(super) model: Model,
    counter: u64,
    /// Keys that a pending re-key must replace, by grant.
    owed: BTreeMap<GrantId, BTreeMap<VersionId, SecretKey>>,
}

fn ceks(entries: &[IndexEntry]) -> BTreeMap<VersionId, SecretKey> {
    entries
        .iter()
        .map(|entry| (entry.version, entry.cek.plain().unwrap().clone()))
        .collect()
}

fn level(rekey: bool) -> RevokeLevel {
    if rekey {
        RevokeLevel::Rekey
    } else {
        RevokeLevel::Stop
    }
}

impl Proof {
    fn new() -> Self {
        let mut patient = world("Pat");
        let sides = (0..READERS)
            .map(|i| Side {
                reader: Reader::befriended(&mut patient, &format!("reader {i}")),
                memory: Memory::default(),
            })
            .collect();
        Self {
            patient,
            sides,
            model: Model::default(),
            counter: 0,
            owed: BTreeMap::new(),
        }
    }

    fn content(&mut self, facts: Facts) -> Vec<u8> {
        self.counter += 1;
        let mut content = format!("content number {}", self.counter).into_bytes();
        if facts.long {
            let filler = self.counter as usize;
            content.extend((0..265_000 + filler * 4_000).map(|i| ((i / 3 + filler) % 251) as u8));
        }
        content
    }

    fn new_record(facts: Facts, content: &[u8]) -> NewRecord<'static> {
        NewRecord {
            meta: facts.meta("r"),
            source: None,
            content: Content::Bytes(Zeroizing::new(content.to_vec())),
            replaces: None,
        }
    }

    /// Does one act on the vault and in the model. Returns whether the vault was changed.
    fn act(&mut self, op: &Op) -> bool {
        let time = now(&self.patient);
        match op {
            Op::Add { facts } => {
                let contents: Vec<_> = facts.iter().map(|facts| self.content(*facts)).collect();
                let batch = facts
                    .iter()
                    .zip(&contents)
                    .map(|(f, c)| Self::new_record(*f, c));
                let report = self.patient.vault.add_all(batch).unwrap();
                self.model.settle(time);
                for ((added, facts), content) in report.added.iter().zip(facts).zip(contents) {
                    let Added::New(record, version) = added else {
                        panic!("{added:?}")
                    };
                    self.model.add(*version, *record, content, *facts);
                }
            }
            Op::Update { record, facts } if !self.model.records.is_empty() => {
                let record = *record.get(&self.model.records);
                let content = self.content(*facts);
                let mut new = Self::new_record(*facts, &content);
                new.replaces = Some(record);
                let report = self.patient.vault.add_all([new]).unwrap();
                let Added::Updated(_, version) = report.added[0] else {
                    panic!()
                };
                self.model.settle(time);
                self.model.add(version, record, content, *facts);
            }
            Op::Remove { record } if !self.model.records.is_empty() => {
                let record = *record.get(&self.model.records);
                self.patient.vault.remove_records(&[record]).unwrap();
                self.model.settle(time);
                self.model.remove(record);
            }
            Op::Relabel { record, label } if !self.model.records.is_empty() => {
                let record = *record.get(&self.model.records);
                let (add, remove) = label_change(*label);
                let open = self.model.open_in(record, time);
                let out = self.patient.vault.relabel(&record, &add, &remove).unwrap();
                // also one that changes nothing ends the grants whose time is over
                self.model.settle(time);
                match (out.version, self.model.relabelled(record, *label)) {
                    (Some(version), Some((content, facts))) => {
                        assert_eq!(
                            out.still_readable.iter().copied().collect::<BTreeSet<_>>(),
                            open
                        );
                        self.model.add(version, record, content, facts);
                    }
                    (version, changed) => {
                        assert!(version.is_none() && changed.is_none());
                        return false;
                    }
                }
            }
            Op::Share { .. } => return self.share(op, time),
            Op::Ask {
                reader,
                grant,
                version,
            } => return self.ask(*reader, grant, version, time),
            Op::RevokeGrant { grant, rekey } if !self.model.grants.is_empty() => {
                let at = grant.index(self.model.grants.len());
                return self.revoke_grant(at, *rekey, time);
            }
            Op::RevokeContact { reader, rekey } => {
                let target = RevokeTarget::Contact(self.sides[*reader].reader.name.clone());
                let before = ceks(&catalogue(&mut self.patient.vault));
                let out = self.patient.vault.revoke(&target, level(*rekey)).unwrap();
                let mut hit = BTreeSet::new();
                for grant in &mut self.model.grants {
                    if !grant.ended && grant.readers.remove(reader) {
                        hit.insert(grant.id);
                        grant.ended = grant.readers.is_empty();
                        let out = BTreeSet::from([*reader]);
                        owe(&mut self.owed, grant, *rekey, &out, &before);
                    }
                }
                assert_eq!(out.iter().map(|r| r.grant).collect::<BTreeSet<_>>(), hit);
                // also one that meets no grant ends those whose time is over
                self.model.settle(time);
                if hit.is_empty() {
                    return false;
                }
            }
            Op::Step { grant, budget } => {
                let pending = self.patient.vault.pending_rekeys().unwrap();
                if pending.is_empty() {
                    return false;
                }
                self.rekey_step(*grant.get(&pending), *budget, time);
            }
            Op::Finish => {
                for id in self.patient.vault.pending_rekeys().unwrap() {
                    while !self.rekey_step(id, 1 << 20, time) {}
                }
            }
            Op::Pass { seconds, tend } => {
                let time = self.patient.time.fetch_add(*seconds, Ordering::Relaxed) + seconds;
                if *tend || self.patient.vault.head().valid_until() < time + 1_000_000 {
                    self.patient.vault.tend().unwrap();
                    self.model.settle(time);
                }
            }
            Op::Reopen => {
                let device = crate::Device::from_identity_text(
                    &self.patient.vault.device().to_identity_text(),
                );
                let (storage, clock) = (self.patient.storage.clone(), clock(&self.patient.time));
                self.patient.vault =
                    Vault::open(storage, Arc::new(device.unwrap()), clock).unwrap();
            }
            Op::Recover => {
                let storage = storage_of(&all_blocks(&*self.patient.storage), None);
                let clock = clock(&self.patient.time);
                self.patient.vault =
                    Vault::recover(storage.clone(), &self.patient.words, clock).unwrap();
                // a recovery deletes nothing; the next command does
                self.patient.vault.tend().unwrap();
                self.patient.storage = storage;
                self.model.settle(time);
            }
            Op::Update { .. } | Op::Remove { .. } | Op::Relabel { .. } | Op::RevokeGrant { .. } => {
                return false;
            }
        }
        true
    }

    fn share(&mut self, op: &Op, time: u64) -> bool {
        let Op::Share {
            readers,
            scope,
            standing,
            life,
            on_request,
        } = op
        else {
            return false;
        };
        let readers: BTreeSet<usize> = (0..READERS).filter(|r| readers >> r & 1 == 1).collect();
        let scope = self.model.scope(scope);
        let versions = self.model.selected(&scope);
        let request = ShareRequest {
            readers: readers
                .iter()
                .map(|r| self.sides[*r].reader.name.clone())
                .collect(),
            scope: scope.to_scope(),
            extent: if *standing {
                Extent::Standing
            } else {
                Extent::Snapshot
            },
            purpose: None,
            expires: life.map(|life| time + life),
        };
        let empty = request.scope.is_empty() || (versions.is_empty() && !standing);
        let vault = &mut self.patient.vault;
        let shared = match on_request {
            false => vault.share(request, &node()),
            true => vault.offer(request, OnRequestTerms::default(), &node()),
        };
        let shared = match shared {
            Err(VaultError::EmptyScope) if empty => return false,
            outcome => outcome.unwrap(),
        };
        assert!(!empty && shared.tickets.len() == readers.len());
        self.sides
            .iter_mut()
            .for_each(|side| side.reader.accept(&shared, time));
        if *on_request {
            self.countersign(&shared.grant.id, &readers, time);
        }
        self.model.settle(time);
        self.model.grants.push(ModelGrant {
            given: on_request.then(Default::default),
            shut_out: BTreeSet::new(),
            id: shared.grant.id,
            readers,
            scope,
            standing: *standing,
            expires: life.map(|life| time + life),
            versions,
            ended: false,
            due: None,
            closed: false,
        });
        true
    }

    fn countersign(&mut self, grant: &GrantId, readers: &BTreeSet<usize>, time: u64) {
        for reader in readers {
            let side = &mut self.sides[*reader].reader;
            let device = side.world.vault.device.clone();
            let following = side.following.as_mut().unwrap();
            let message = following.countersign(grant, &device, time).unwrap();
            let answers = self.patient.vault.answer(&[message], &[]);
            assert_eq!(answers.replies, [AccessReply::Noted {}]);
        }
        self.patient.vault.tidy().unwrap();
    }

    /// One request under a grant on request, by hand: it asks for what it may not have too.
    fn ask(&mut self, reader: usize, grant: &Index, version: &Index, time: u64) -> bool {
        let on_request: Vec<usize> = (0..self.model.grants.len())
            .filter(|at| self.model.grants[*at].given.is_some())
            .collect();
        let all = catalogue(&mut self.patient.vault);
        if on_request.is_empty() || all.is_empty() {
            return false;
        }
        let at = *grant.get(&on_request);
        let entry = version.get(&all);
        let id = self.model.grants[at].id;
        let terms = self.patient.vault.grant_record(&id).unwrap().terms;
        let vault = self.patient.vault.id();
        let (key, public) = moment();
        let draft = RequestDraft {
            vault,
            grant: id,
            terms: Digest::of(&terms),
            versions: vec![entry.version],
            purpose: None,
            key: public,
            log: vault,
            seen: None,
        };
        let side = &mut self.sides[reader];
        let bytes = draft.sign(side.reader.world.vault.device(), time);
        let message = AccessMessage::Request(bytes.clone()).to_bytes();
        let answers = self.patient.vault.answer(&[message], &[]);
        assert!(answers.error.is_none(), "{:?}", answers.error);
        let grant = &mut self.model.grants[at];
        let may = grant.in_force(reader, time) && grant.versions.contains(&entry.version);
        match &answers.replies[0] {
            AccessReply::Released(released) => {
                assert!(may, "a key that the agreement does not give");
                let keys = open_keys(&key, &Digest::of(&bytes), released, 1).unwrap();
                let unlocked = entry.with_key(keys[0].clone());
                side.memory.entries.push(unlocked);
                let given = grant.given.as_mut().unwrap();
                given[reader].insert(entry.version);
                self.model.known[reader].insert(entry.version);
            }
            AccessReply::Denied(_) => assert!(!may, "a key that the agreement gives"),
            other => panic!("{other:?}"),
        }
        // an answer leaves what it replaced to the next change
        self.patient.vault.tidy().unwrap();
        self.model.settle(time);
        true
    }

    fn revoke_grant(&mut self, at: usize, rekey: bool, time: u64) -> bool {
        let grant = &mut self.model.grants[at];
        let upgrade = rekey && grant.due.is_none() && !grant.closed && !grant.versions.is_empty();
        let before = ceks(&catalogue(&mut self.patient.vault));
        match self
            .patient
            .vault
            .revoke(&RevokeTarget::Grant(grant.id), level(rekey))
        {
            Err(VaultError::GrantEnded(_)) if grant.ended && !upgrade => return false,
            outcome => drop(outcome.unwrap()),
        }
        assert!(!grant.ended || upgrade);
        // of one that has ended, all who ever were
        let out = match std::mem::replace(&mut grant.ended, true) {
            true => (0..READERS).collect(),
            false => grant.readers.clone(),
        };
        owe(&mut self.owed, grant, rekey, &out, &before);
        self.model.settle(time);
        true
    }

    /// One batch. Returns whether it was the last.
    fn rekey_step(&mut self, id: GrantId, budget: u64, time: u64) -> bool {
        let before = ceks(&catalogue(&mut self.patient.vault));
        let done = self
            .patient
            .vault
            .rekey_step(&id, budget)
            .unwrap()
            .receipt
            .is_some();
        let after = ceks(&catalogue(&mut self.patient.vault));
        let resealed: BTreeSet<VersionId> = after
            .keys()
            .filter(|v| after[v] != before[v])
            .copied()
            .collect();
        self.model.settle(time);
        let at = (self.model.grants.iter().position(|grant| grant.id == id)).unwrap();
        let due = self.model.grants[at].due.as_ref().unwrap();
        assert!(resealed.is_subset(due), "only what is owed is sealed again");
        // whoever sealed it again: nobody else owes it any more
        for due in self.model.grants.iter_mut().filter_map(|g| g.due.as_mut()) {
            due.retain(|version| !resealed.contains(version));
        }
        let grant = &mut self.model.grants[at];
        if done {
            grant.shut_out.clear();
            let left = grant.due.take();
            assert_eq!(
                left,
                Some(BTreeSet::new()),
                "a receipt while something is owed"
            );
            grant.closed = grant.ended;
            for (version, key) in self.owed.remove(&id).unwrap() {
                assert!(after.get(&version) != Some(&key), "a version kept its key");
            }
        }
        self.model.learn(&resealed, time);
        done
    }

    /// Follows the newest head as one reader and checks list and contents against the model.
    fn read_as(&mut self, at: usize) {
        let time = now(&self.patient);
        let expected = self.model.listed(at, time);
        let carried = self.model.readable(at, time);
        let side = &mut self.sides[at];
        let Some(following) = &mut side.reader.following else {
            assert!(expected.is_empty());
            return;
        };
        let blocks = self.patient.storage.blocks();
        following
            .advance(&head(&self.patient), &*blocks, time)
            .unwrap();
        let device = side.reader.world.vault.device();
        let views = match following.grants(device, &*blocks, time) {
            Err(FollowError::NothingShared | FollowError::Expired) => Vec::new(),
            outcome => outcome.unwrap(),
        };
        let mut listed = BTreeSet::new();
        for entry in views.iter().flat_map(|view| &view.entries) {
            listed.insert(entry.version);
            let Some(version) = self.model.versions.get(&entry.version) else {
                panic!("a version that is not in the vault is listed");
            };
            assert_eq!(entry.record, version.record);
            let content = read(following, entry, blocks.clone());
            match entry.opens() {
                true => assert!(content.as_ref() == Some(&version.content), "wrong content"),
                false => assert!(content.is_none(), "a key that was not asked for"),
            }
            assert!(!entry.opens() || carried.contains(&entry.version));
            if !side.memory.entries.contains(entry) {
                side.memory.entries.push(entry.clone());
            }
        }
        assert_eq!(listed, expected, "reader {at}");
        let records = Following::records(&views);
        assert!(records.iter().all(|entry| listed.contains(&entry.version)));
        self.remember(at);
    }

    fn check(&mut self, last: bool) {
        let time = now(&self.patient);
        self.model.learn(&BTreeSet::new(), time);
        let catalogue = catalogue(&mut self.patient.vault);
        assert_eq!(catalogue.len(), self.model.versions.len());
        for at in 0..READERS {
            self.read_as(at);
            let open = self.replay(at, &catalogue, last);
            assert_eq!(open, self.model.known[at], "reader {at} and old keys");
            if last {
                self.replay_on_indexes(at);
            }
        }
        let report = self.patient.vault.verify_blocks(last).unwrap();
        assert_eq!((report.missing, report.unreadable), (vec![], vec![]));
        let kept = self.patient.storage.blocks().list().unwrap().len();
        assert_eq!(kept, report.blocks, "a block that the head does not name");
        if last {
            assert_eq!(self.patient.vault.verify_audit().unwrap().bad, None);
        }
    }
}

/// Notes which keys a re-key has to replace.
fn owe(
    owed: &mut BTreeMap<GrantId, BTreeMap<VersionId, SecretKey>>,
    grant: &mut ModelGrant,
    rekey: bool,
    shut_out: &BTreeSet<usize>,
    keys: &BTreeMap<VersionId, SecretKey>,
) {
    if rekey {
        grant.shut_out.extend(shut_out);
        let versions = grant.opened_by(&grant.shut_out);
        let keys = versions.iter().map(|v| (*v, keys[v].clone()));
        owed.insert(grant.id, keys.collect());
        grant.due = Some(versions);
    }
}

fn read(
    following: &Following,
    entry: &IndexEntry,
    source: Arc<dyn crate::BlockStore>,
) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    following
        .open_record(entry, source)
        .ok()?
        .copy_to(&mut out)
        .ok()?;
    Some(out)
}

#[test]
fn readers_open_exactly_what_the_model_says() {
    let cases = std::env::var("MEDVAULT_PROOF_CASES").ok();
    let config = Config {
        cases: cases.and_then(|cases| cases.parse().ok()).unwrap_or(CASES),
        failure_persistence: None,
        max_shrink_iters: 60,
        ..Config::default()
    };
    let sequences = prop::collection::vec(op(), STEPS / 2..=STEPS);
    let outcome = TestRunner::new(config).run(&sequences, |ops| {
        let mut proof = Proof::new();
        for op in &ops {
            proof.act(op);
            proof.check(false);
        }
        proof.check(true);
        Ok(())
    });
    outcome.unwrap();
}
