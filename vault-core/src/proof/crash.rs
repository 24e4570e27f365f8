//! Promise 5: a kill at any instant leaves a vault that opens and verifies, as it was before the
//! act or as it is after it.

use std::sync::Arc;

use super::faulty::{Fault, FaultyStorage, Unsynced};
use super::support::{Reader, all_blocks, catalogue, head, now, request, storage_of};
use crate::grant::Extent;
use crate::ids::GrantId;
use crate::vault::tests::{World, clock, node, record, world};
use crate::vault::{GrantStatus, MemoryStorage, RevokeTarget, Vault, VaultError, VaultStorage};
use crate::{Block, Category, Device, FollowError, Following, RevokeLevel};

/// What the disk may have made of unsynced blocks. With all of them lost it is as before the act,
/// at every operation, or the sync has been.
fn outcomes(fault: Fault, unsynced: usize) -> &'static [Unsynced] {
    match (fault, unsynced) {
        (_, 0) => &[Unsynced::Lost],
        (Fault::DiesWithin, _) => &[Unsynced::EveryOther, Unsynced::LinksOnly],
        _ => &[Unsynced::Kept],
    }
}

type Act = Box<dyn Fn(&mut Vault) -> Result<(), VaultError>>;

/// Contents, and how each grant stands; nothing in it is random.
type Summary = (Vec<Vec<u8>>, Vec<(GrantStatus, u64, usize, bool)>);

fn summary(vault: &mut Vault) -> Summary {
    let mut contents: Vec<Vec<u8>> = Vec::new();
    for entry in catalogue(vault) {
        let mut out = Vec::new();
        vault
            .open_record(&entry)
            .unwrap()
            .copy_to(&mut out)
            .unwrap();
        contents.push(out);
    }
    contents.sort();
    let grants = vault.grants().unwrap();
    let stand = grants
        .iter()
        .map(|g| (g.status, g.versions, g.readers.len(), g.rekey_pending));
    (contents, stand.collect())
}

/// A vault before an act, ready to be set up again and again.
struct Scene {
    patient: World,
    blocks: Vec<Block>,
    head: Vec<u8>,
    device: Arc<Device>,
    doctor: Reader,
    nurse: Reader,
    grant: GrantId,
}

impl Scene {
    /// Small and long records, and one grant that two readers share.
    fn new() -> Self {
        let mut patient = world("Pat");
        let mut doctor = Reader::befriended(&mut patient, "doctor");
        let mut nurse = Reader::befriended(&mut patient, "nurse");
        let long: Vec<u8> = (0..270_000u32).map(|i| (i / 5) as u8).collect();
        let small = (0..5).map(|i| record(&format!("r{i}"), format!("content {i}").as_bytes()));
        patient
            .vault
            .add_all(small.chain([record("long", &long)]))
            .unwrap();
        let both = request(&["doctor", "nurse"], Some(Category::Lab));
        let shared = patient.vault.share(both, &node()).unwrap();
        for reader in [&mut doctor, &mut nurse] {
            reader.accept(&shared, now(&patient));
            let blocks = patient.storage.blocks();
            let following = reader.following.as_mut().unwrap();
            following
                .advance(&head(&patient), &*blocks, now(&patient))
                .unwrap();
        }
        let device = Device::from_identity_text(&patient.vault.device().to_identity_text());
        let mut scene = Self {
            patient,
            blocks: Vec::new(),
            head: Vec::new(),
            device: Arc::new(device.unwrap()),
            doctor,
            nurse,
            grant: shared.grant.id,
        };
        scene.freeze();
        scene
    }

    /// Takes the vault as it is now as the state before the act.
    fn freeze(&mut self) {
        self.blocks = all_blocks(&*self.patient.storage);
        self.head = head(&self.patient);
    }

    fn open(&self, storage: Arc<dyn VaultStorage>) -> Result<Vault, VaultError> {
        Vault::open(storage, self.device.clone(), clock(&self.patient.time))
    }

    /// Lets the act fail at each of its writing operations, in every way. Returns how many
    /// operations it has.
    fn every_fault(&self, act: &Act) -> usize {
        let mut clean = self
            .open(storage_of(&self.blocks, Some(&self.head)))
            .unwrap();
        let before = summary(&mut clean);
        act(&mut clean).unwrap();
        let after = summary(&mut clean);
        for at in 0.. {
            for fault in [Fault::DiesBefore, Fault::DiesWithin, Fault::Fails] {
                let head = Some(self.head.clone());
                let storage = Arc::new(FaultyStorage::new(&self.blocks, head, at, fault));
                let mut vault = self.open(storage.clone()).unwrap();
                let done = act(&mut vault);
                if !storage.struck() {
                    assert!(done.is_ok() && summary(&mut vault) == after);
                    return at;
                }
                // a deletion that fails after the head was replaced is left to the next change
                let replaced = vault.head().block().data() != self.head;
                assert!(
                    done.is_err() || replaced,
                    "operation {at} {fault:?} went unnoticed"
                );
                if fault == Fault::Fails {
                    self.is_whole(&mut vault, &before, &after);
                    continue;
                }
                drop(vault);
                for unsynced in outcomes(fault, storage.unsynced()) {
                    let mut again = self.open(storage.remains(*unsynced)).unwrap();
                    self.is_whole(&mut again, &before, &after);
                }
            }
        }
        0
    }

    /// Opens, verifies, is as before or as after, serves its readers, and takes the next change,
    /// which leaves no block behind that the head does not name.
    fn is_whole(&self, vault: &mut Vault, before: &Summary, after: &Summary) {
        let found = summary(vault);
        assert!(found == *before || found == *after, "in between");
        vault.add_all([record("next", b"the next change")]).unwrap();
        for grant in vault.pending_rekeys().unwrap() {
            vault.rekey(&grant, &mut |_| {}).unwrap();
        }
        verify(vault);
        self.readers_follow(vault);
        assert_eq!(catalogue(vault).len(), found.0.len() + 1);
    }

    /// Each reader goes on from what they saw before the act and opens all that is listed.
    fn readers_follow(&self, vault: &mut Vault) {
        let blocks = vault.storage().blocks();
        let grants = vault.grants().unwrap();
        for reader in [&self.doctor, &self.nurse] {
            let mut following: Following = reader.following.clone().unwrap();
            let time = now(&self.patient);
            following
                .advance(vault.head().block().data(), &*blocks, time)
                .unwrap();
            let device = reader.world.vault.device();
            let views = match following.grants(device, &*blocks, time) {
                Err(FollowError::NothingShared) => Vec::new(),
                outcome => outcome.unwrap(),
            };
            let expected = (grants.iter())
                .filter(|g| g.status == GrantStatus::Active && g.readers.contains(&reader.name));
            assert_eq!(views.len(), expected.count());
            for entry in views.iter().flat_map(|view| &view.entries) {
                let record = following.open_record(entry, blocks.clone()).unwrap();
                record.read_range(0, 64).unwrap();
            }
        }
    }
}

fn verify(vault: &mut Vault) {
    let report = vault.verify_blocks(true).unwrap();
    assert_eq!((report.missing, report.unreadable), (vec![], vec![]));
    assert_eq!(vault.verify_audit().unwrap().bad, None);
    let kept = vault.storage().blocks().list().unwrap().len();
    assert_eq!(kept, report.blocks, "orphans");
}

#[test]
fn killed_while_adding() {
    let long: Vec<u8> = (0..270_000u32).map(|i| (i / 11) as u8).collect();
    let act: Act = Box::new(move |vault| {
        let update = {
            let mut update = record("update", b"changed");
            update.replaces = Some(vault.records()?[1].record);
            update
        };
        let all = [record("x", b"xxx"), record("y", &long), update];
        vault.add_all(all).map(drop)
    });
    assert!(Scene::new().every_fault(&act) > 8);
}

#[test]
fn killed_while_sharing() {
    let act: Act = Box::new(|vault| {
        let mut request = request(&["doctor"], None);
        request.extent = Extent::Snapshot;
        vault.share(request, &node()).map(drop)
    });
    assert!(Scene::new().every_fault(&act) > 6);
}

#[test]
fn killed_while_revoking() {
    for level in [RevokeLevel::Stop, RevokeLevel::Rekey] {
        let scene = Scene::new();
        let grant = scene.grant;
        let targets = [
            RevokeTarget::Grant(grant),
            RevokeTarget::Contact("doctor".into()),
        ];
        for target in targets {
            let act: Act = Box::new(move |vault| vault.revoke(&target, level).map(drop));
            assert!(scene.every_fault(&act) > 6);
        }
    }
}

#[test]
fn killed_while_sealing_again() {
    let mut scene = Scene::new();
    let grant = scene.grant;
    let target = RevokeTarget::Contact("doctor".into());
    scene
        .patient
        .vault
        .revoke(&target, RevokeLevel::Rekey)
        .unwrap();
    // small bodies, then the long one, which is the last
    for _ in 0..2 {
        scene.freeze();
        let act: Act = Box::new(move |vault| vault.rekey_step(&grant, 100_000).map(drop));
        assert!(scene.every_fault(&act) > 8);
        scene.patient.vault.rekey_step(&grant, 100_000).unwrap();
    }
    // nothing is left; the last step issues the receipt
    let last = scene.patient.vault.rekey_step(&grant, 100_000).unwrap();
    assert!(last.receipt.is_some());
    assert_eq!(scene.patient.vault.pending_rekeys().unwrap(), []);
}

#[test]
fn killed_while_removing() {
    let act: Act = Box::new(|vault| {
        let records = vault.records()?;
        vault.remove_records(&[records[2].record, records[5].record])
    });
    assert!(Scene::new().every_fault(&act) > 6);
}

#[test]
fn killed_while_recovering() {
    let scene = Scene::new();
    let before = summary(
        &mut scene
            .open(storage_of(&scene.blocks, Some(&scene.head)))
            .unwrap(),
    );
    let clock = || clock(&scene.patient.time);
    let words = &scene.patient.words;
    for at in 0.. {
        for fault in [Fault::DiesBefore, Fault::DiesWithin] {
            let storage = Arc::new(FaultyStorage::new(&scene.blocks, None, at, fault));
            let done = Vault::recover(storage.clone(), words, clock());
            if !storage.struck() {
                assert!(at > 6 && summary(&mut done.unwrap()) == before);
                return;
            }
            assert!(done.is_err());
            for unsynced in outcomes(fault, storage.unsynced()) {
                let mut again = recover_again(&storage.remains(*unsynced), &scene);
                scene.is_whole(&mut again, &before, &before);
            }
        }
    }
}

/// Recovers from the blocks alone, whatever head there is.
fn recover_again(remains: &MemoryStorage, scene: &Scene) -> Vault {
    let storage = storage_of(&all_blocks(remains), None);
    Vault::recover(storage, &scene.patient.words, clock(&scene.patient.time)).unwrap()
}

#[test]
fn the_words_rebuild_what_a_killed_add_left() {
    let scene = Scene::new();
    let clean = || {
        scene
            .open(storage_of(&scene.blocks, Some(&scene.head)))
            .unwrap()
    };
    let act = |vault: &mut Vault| vault.add_all([record("x", b"xxx")]).map(drop);
    let before = summary(&mut clean());
    let mut vault = clean();
    act(&mut vault).unwrap();
    let after = summary(&mut vault);
    for at in 0.. {
        for fault in [Fault::DiesBefore, Fault::DiesWithin] {
            let head = Some(scene.head.clone());
            let storage = Arc::new(FaultyStorage::new(&scene.blocks, head, at, fault));
            let done = act(&mut scene.open(storage.clone()).unwrap());
            if !storage.struck() {
                assert!(done.is_ok() && at > 6);
                return;
            }
            for unsynced in outcomes(fault, storage.unsynced()) {
                let mut again = recover_again(&storage.remains(*unsynced), &scene);
                scene.is_whole(&mut again, &before, &after);
            }
        }
    }
}
