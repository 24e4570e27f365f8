//! Attacks on blocks, places and signatures: each is refused, or changes nothing; none of them
//! makes anyone accept a wrong content.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipld_core::ipld::Ipld;

use super::support::{Reader, all_blocks, catalogue, head, now, share, storage_of};
use crate::body::Location;
use crate::codec;
use crate::grant::Ticket;
use crate::head::{HeadError, MAX_HEAD_LEN};
use crate::ids::VersionId;
use crate::index::{IndexEntry, Item, PageList, PageRef};
use crate::keys::{Namespace, SigningKey};
use crate::store::{BlockSource, BlockStore, MemoryStore, SourceError, StoreError};
use crate::vault::tests::{World, clock, record, world};
use crate::vault::{OpenRecord, RevokeTarget, Vault, VaultError, VaultStorage, grant_list};
use crate::{
    Block, Card, Cid, Codec, Device, FollowError, Following, Head, Receipt, RecipientKey,
    RevokeLevel, Terms,
};

/// A store that answers some requests with other blocks than those asked for, unchecked.
struct Liar {
    honest: Arc<dyn BlockStore>,
    lies: BTreeMap<Cid, Block>,
}

impl BlockStore for Liar {
    fn put(&self, _: &[Block]) -> Result<(), StoreError> {
        Ok(())
    }

    fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        match self.lies.get(cid) {
            Some(lie) => Ok(Some(lie.clone())),
            None => self.honest.get(cid),
        }
    }

    fn has(&self, cid: &Cid) -> Result<bool, StoreError> {
        self.honest.has(cid)
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn remove(&self, _: &[Cid]) -> Result<usize, StoreError> {
        Ok(0)
    }

    fn list(&self) -> Result<Vec<Cid>, StoreError> {
        self.honest.list()
    }
}

struct Scene {
    patient: World,
    doctor: Reader,
    contents: BTreeMap<VersionId, Vec<u8>>,
}

impl Scene {
    fn new() -> Self {
        let mut patient = world("Pat");
        let mut doctor = Reader::befriended(&mut patient, "doctor");
        let long: Vec<u8> = (0..300_000u32).map(|i| (i / 7) as u8).collect();
        patient
            .vault
            .add_all([
                record("a", b"aaa"),
                record("b", b"bbb"),
                record("long", &long),
            ])
            .unwrap();
        share(&mut patient, &mut doctor);
        let time = now(&patient);
        let blocks = patient.storage.blocks();
        let following = doctor.following.as_mut().unwrap();
        following.advance(&head(&patient), &*blocks, time).unwrap();
        patient.vault.add_all([record("c", b"ccc")]).unwrap();
        let mut contents = BTreeMap::new();
        for entry in catalogue(&mut patient.vault) {
            contents.insert(entry.version, content(&patient.vault, &entry));
        }
        Self {
            patient,
            doctor,
            contents,
        }
    }

    /// Reads all that can be read through `source`. Every content must be the true one. Returns
    /// how many were read.
    fn read_through(&self, source: Arc<dyn BlockStore>) -> usize {
        let time = now(&self.patient);
        let mut following: Following = self.doctor.following.clone().unwrap();
        if following
            .advance(&head(&self.patient), &*source, time)
            .is_err()
        {
            return 0;
        }
        let device = self.doctor.world.vault.device();
        let views = following.grants(device, &*source, time).unwrap_or_default();
        let mut read = 0;
        for entry in views.iter().flat_map(|view| &view.entries) {
            let mut out = Vec::new();
            let record = following.open_record(entry, source.clone());
            if record.is_ok_and(|record| record.copy_to(&mut out).is_ok()) {
                assert!(
                    self.contents[&entry.version] == out,
                    "a wrong content was accepted"
                );
                read += 1;
            }
        }
        read
    }
}

fn content(vault: &Vault, entry: &IndexEntry) -> Vec<u8> {
    let mut out = Vec::new();
    vault.open_record(entry).unwrap().copy_to(&mut out).unwrap();
    out
}

fn opens(scene: &Scene, entry: &IndexEntry) -> bool {
    let blocks = scene.patient.storage.blocks();
    OpenRecord::open(scene.patient.vault.head().signers(), entry, blocks)
        .is_ok_and(|record| record.copy_to(&mut std::io::sink()).is_ok())
}

fn altered(block: &Block, at: usize) -> Block {
    let mut data = block.data().to_vec();
    let at = at % data.len();
    data[at] ^= 0x10;
    Block::new(block.cid().codec(), data).unwrap()
}

#[test]
fn altered_and_exchanged_blocks_give_no_wrong_content() {
    let scene = Scene::new();
    let honest: Arc<dyn BlockStore> = scene.patient.storage.blocks();
    assert_eq!(scene.read_through(honest.clone()), 4);
    let all = all_blocks(&*scene.patient.storage);
    let mut failed = 0;
    for (n, block) in all.iter().enumerate() {
        let other = &all[(n + 1) % all.len()];
        let halved = Block::new(
            block.cid().codec(),
            block.data()[..block.data().len() / 2].to_vec(),
        );
        for lie in [
            altered(block, 3),
            altered(block, 60 + n * 131),
            other.clone(),
            halved.unwrap(),
        ] {
            let lies = [(block.cid(), lie)].into();
            let liar = Arc::new(Liar {
                honest: honest.clone(),
                lies,
            });
            failed += usize::from(scene.read_through(liar) < 4);
        }
    }
    // directory, envelope, root, page, pack, long blocks and log hashes are all needed
    assert!(failed >= 20, "{failed}");
}

#[test]
fn a_damaged_block_is_named_and_never_opens_as_something_else() {
    let scene = Scene::new();
    let all = all_blocks(&*scene.patient.storage);
    let device = Device::from_identity_text(&scene.patient.vault.device().to_identity_text());
    let device = Arc::new(device.unwrap());
    for missing in &all {
        let rest: Vec<Block> = all
            .iter()
            .filter(|b| b.cid() != missing.cid())
            .cloned()
            .collect();
        let storage = storage_of(&rest, Some(&head(&scene.patient)));
        let Ok(mut vault) = Vault::open(storage, device.clone(), clock(&scene.patient.time)) else {
            continue;
        };
        let report = vault.verify_blocks(false);
        assert!(report.is_err() || report.is_ok_and(|r| r.missing == [missing.cid()]));
    }
    let store = MemoryStore::new();
    let wrong = Block::verify(all[0].cid(), altered(&all[0], 9).data().to_vec());
    assert!(wrong.is_err());
    let asked = store.fetch(&[all[0].cid()]);
    assert!(matches!(asked, Err(SourceError::Missing(cid)) if cid == all[0].cid()));
}

#[test]
fn a_body_opens_only_in_its_own_place() {
    let mut scene = Scene::new();
    let entries = catalogue(&mut scene.patient.vault);
    for (n, entry) in entries.iter().enumerate() {
        assert!(opens(&scene, entry));
        for (m, other) in entries.iter().enumerate().filter(|(m, _)| *m != n) {
            let mut body = entry.clone();
            body.location = other.location.clone();
            assert!(!opens(&scene, &body), "{n} with the body of {m}");
            body.cek = other.cek.clone();
            assert!(!opens(&scene, &body), "{n} with body and key of {m}");
            body.version = other.version;
            assert!(!opens(&scene, &body), "{n} as another record");
        }
        let mut kind = entry.clone();
        kind.meta.kind = "Condition".parse().unwrap();
        assert!(!opens(&scene, &kind));
        let other = scene.doctor.world.vault.head().signers();
        assert!(OpenRecord::open(other, entry, scene.patient.storage.blocks()).is_err());
    }
}

#[test]
fn truncated_bodies_and_altered_block_lists_are_refused() {
    let mut scene = Scene::new();
    for entry in catalogue(&mut scene.patient.vault) {
        let mut places = Vec::new();
        match entry.location.clone() {
            Location::Packed { block, offset, len } => {
                for (offset, len) in [
                    (offset, len - 1),
                    (offset, len - 16),
                    (offset, len / 2),
                    (offset, 0),
                    (offset + 1, len),
                    (offset, len + 1),
                    (u32::MAX, len),
                ] {
                    places.push(Location::Packed { block, offset, len });
                }
            }
            Location::Long { len, depth, top } => {
                let long = |len, depth, top| Location::Long { len, depth, top };
                let mut swapped = top.clone();
                swapped.swap(0, 1);
                let mut doubled = top.clone();
                doubled[1] = doubled[0];
                let first = top[..1].to_vec();
                places.push(long(len, depth, swapped));
                places.push(long(len, depth, doubled));
                places.push(long(len, depth, first.clone()));
                places.push(long(15 * 16_384 - 1, depth, first.clone()));
                places.push(long(14 * 16_384, depth, first.clone()));
                places.push(long(len, depth + 1, first));
                places.push(long(len - 16_384, depth, top.clone()));
                places.push(long(len + 1, depth, top.clone()));
                places.push(long(u64::MAX, depth, top));
                places.push(long(len, depth, Vec::new()));
            }
        }
        for location in places {
            let cut = IndexEntry {
                location,
                ..entry.clone()
            };
            assert!(!opens(&scene, &cut), "{:?}", cut.location);
        }
    }
}

/// The fields of a dag-cbor map.
fn fields(bytes: &[u8]) -> BTreeMap<String, Ipld> {
    match serde_ipld_dagcbor::from_slice(bytes).unwrap() {
        Ipld::Map(map) => map,
        other => panic!("{other:?}"),
    }
}

/// Each way to tamper with the signature of a signed map and with its form.
fn tampered(bytes: &[u8], other: &[u8], signature: &str) -> Vec<Vec<u8>> {
    let mut list = Vec::new();
    let with = |value: Option<Ipld>| {
        let mut map = fields(bytes);
        match value {
            Some(value) => drop(map.insert(signature.into(), value)),
            None => drop(map.remove(signature)),
        }
        codec::encode(&Ipld::Map(map))
    };
    list.push(with(None));
    list.push(with(Some(Ipld::Bytes(vec![0; 64]))));
    list.push(with(Some(Ipld::Bytes(Vec::new()))));
    list.push(with(Some(fields(other)[signature].clone())));
    // an unknown field; a duplicate key; a longer form of the same length; bytes behind
    let mut unknown = fields(bytes);
    unknown.insert("x".into(), Ipld::Null);
    list.push(codec::encode(&Ipld::Map(unknown)));
    let mut doubled = bytes.to_vec();
    doubled[0] += 1;
    let (name, value) = fields(bytes).into_iter().next().unwrap();
    doubled.extend(codec::encode(&name));
    doubled.extend(codec::encode(&value));
    list.push(doubled);
    list.push([&[0xb8, bytes[0] & 0x1f], &bytes[1..]].concat());
    list.push([bytes, &[0]].concat());
    list.push(bytes[..bytes.len() - 1].to_vec());
    list
}

#[test]
fn stripped_moved_and_malformed_signatures_are_refused() {
    let mut scene = Scene::new();
    let old_head = head(&scene.patient);
    let second = share(&mut scene.patient, &mut scene.doctor).grant.id;
    let first = scene.patient.vault.grants().unwrap()[0].id;
    for (n, bytes) in tampered(&head(&scene.patient), &old_head, "sig")
        .iter()
        .enumerate()
    {
        assert!(Head::from_bytes(bytes).is_err(), "head {n}");
    }
    let (mine, theirs) = (&scene.patient.vault, &scene.doctor.world.vault);
    let card = mine.device().card("Pat").unwrap();
    let other = theirs.device().card("Pat").unwrap();
    for (n, bytes) in tampered(card.as_bytes(), other.as_bytes(), "s")
        .iter()
        .enumerate()
    {
        assert!(Card::from_bytes(bytes).is_err(), "card {n}");
    }
    let signers = scene.patient.vault.head().signers().clone();
    let mut terms = Vec::new();
    for id in [first, second] {
        let info = scene
            .patient
            .vault
            .grants()
            .unwrap()
            .into_iter()
            .find(|g| g.id == id)
            .unwrap();
        let key = scene.patient.vault.device().signing();
        terms.push(info.terms.for_readers(info.terms.recipients.clone(), key).1);
    }
    assert!(Terms::from_bytes(&terms[0], &signers).is_ok());
    for (n, bytes) in tampered(&terms[0], &terms[1], "s").iter().enumerate() {
        assert!(Terms::from_bytes(bytes, &signers).is_err(), "terms {n}");
    }
    // a signature of one kind of message is none of another
    let payload = match &fields(&terms[0])["p"] {
        Ipld::Bytes(bytes) => bytes.clone(),
        other => panic!("{other:?}"),
    };
    let key = scene.patient.vault.device().signing();
    for (namespace, holds) in [
        (Namespace::Terms, true),
        (Namespace::Card, false),
        (Namespace::Receipt, false),
    ] {
        let signed = sign_raw(&payload, namespace, key);
        assert_eq!(
            Terms::from_bytes(&signed, &signers).is_ok(),
            holds,
            "{namespace:?}"
        );
        assert!(Receipt::from_bytes(&signed, &signers).is_err());
    }
    assert!(Terms::from_bytes(&terms[0], theirs.head().signers()).is_err());
}

fn sign_raw(payload: &[u8], namespace: Namespace, key: &SigningKey) -> Vec<u8> {
    let signature = codec::encode(&key.sign(namespace, payload));
    let signature: Ipld = serde_ipld_dagcbor::from_slice(&signature).unwrap();
    let map = [
        ("p".to_owned(), Ipld::Bytes(payload.to_vec())),
        ("s".to_owned(), signature),
    ];
    codec::encode(&Ipld::Map(map.into()))
}

#[test]
fn a_card_with_a_low_order_key_is_refused() {
    let world = world("Mallory");
    let card = world.vault.device().card("Mallory").unwrap();
    let Ipld::Bytes(payload) = &fields(card.as_bytes())["p"] else {
        panic!()
    };
    let sign = |recipient: Vec<u8>| {
        let mut map = fields(payload);
        map.insert(
            "recipients".into(),
            Ipld::List(vec![Ipld::Bytes(recipient)]),
        );
        let payload = codec::encode(&Ipld::Map(map));
        sign_raw(&payload, Namespace::Card, world.vault.device().signing())
    };
    let good = card.recipients()[0].as_bytes().to_vec();
    assert!(Card::from_bytes(&sign(good.clone())).is_ok());
    for low in [[0u8; 32], {
        let mut one = [0; 32];
        one[0] = 1;
        one
    }] {
        let mut bad = good.clone();
        let at = bad.len() - 32;
        bad[at..].copy_from_slice(&low);
        assert!(RecipientKey::from_bytes(&bad).is_err());
        assert!(Card::from_bytes(&sign(bad)).is_err());
    }
    assert!(Card::from_bytes(&sign(good[..good.len() - 1].to_vec())).is_err());
}

#[test]
fn oversized_input_is_refused_before_it_is_parsed() {
    let scene = Scene::new();
    let long = vec![0xa3; MAX_HEAD_LEN + 1];
    assert!(matches!(
        Head::from_bytes(&long),
        Err(HeadError::Malformed(crate::DecodeError::TooLarge { .. }))
    ));
    assert!(Card::from_text(&format!("medvault-card:{}", "A".repeat(1 << 20))).is_err());
    let device = scene.doctor.world.vault.device();
    let ticket = format!("medvault-ticket:{}", "A".repeat(1 << 20));
    assert!(Ticket::open(&ticket, device, 0).is_err());
    assert!(Block::new(Codec::Raw, vec![1; crate::MAX_BLOCK_LEN + 1]).is_err());
}

#[test]
fn what_belongs_to_one_grant_or_vault_is_of_no_use_in_another() {
    let mut scene = Scene::new();
    let vault = scene.patient.vault.id();
    let blocks = scene.patient.storage.blocks();
    // a page opens in its own list only
    let entries = catalogue(&mut scene.patient.vault);
    let ids: Vec<_> = [1u8, 2].map(|b| crate::GrantId::from_bytes([b; 16])).into();
    let mut pages = PageList::new(&vault, &grant_list(&ids[0]));
    pages
        .push(
            &*blocks,
            entries[0]
                .for_grant(&crate::index::GrantKeys::Carried)
                .unwrap(),
        )
        .unwrap();
    blocks.put(&pages.save(&mut Vec::new()).unwrap()).unwrap();
    let refs: Vec<PageRef> = pages.refs();
    for (vault, id, right) in [
        (vault, ids[0], true),
        (vault, ids[1], false),
        (scene.doctor.world.vault.id(), ids[0], false),
    ] {
        let mut list: PageList<IndexEntry> =
            PageList::stored(&vault, &grant_list(&id), refs.clone());
        assert_eq!(list.load(&*blocks).is_ok(), right);
    }
    let page = IndexEntry::encode_page(&entries);
    let mut doubled = page.clone();
    doubled[0] += 1;
    doubled.extend([0x61, b'b', 0x80]);
    assert!(IndexEntry::decode_page(&page).is_ok() && IndexEntry::decode_page(&doubled).is_err());
    // another vault's head and identity
    let theirs = &scene.doctor.world;
    assert!(matches!(
        Head::for_vault(&head(theirs), &vault),
        Err(HeadError::OtherVault)
    ));
    let mut following = scene.doctor.following.clone().unwrap();
    let other = following.advance(&head(theirs), &*blocks, now(theirs));
    assert!(matches!(
        other,
        Err(FollowError::Head(HeadError::OtherVault))
    ));
    let device = Device::from_identity_text(&theirs.vault.device().to_identity_text()).unwrap();
    let opened = Vault::open(
        scene.patient.storage.clone(),
        Arc::new(device),
        clock(&theirs.time),
    );
    assert!(matches!(opened, Err(VaultError::OtherVault)));
}

#[test]
fn old_directories_and_other_peoples_rows_lead_nowhere() {
    let mut scene = Scene::new();
    let nurse = Reader::befriended(&mut scene.patient, "nurse");
    let blocks = scene.patient.storage.blocks();
    let old_head = scene.patient.vault.head().clone();
    let old: Vec<Block> = all_blocks(&*scene.patient.storage);
    let grant = scene.patient.vault.grants().unwrap()[0].id;
    scene
        .patient
        .vault
        .revoke(&RevokeTarget::Grant(grant), RevokeLevel::Stop)
        .unwrap();
    // the old blocks are kept by a hoarder, who answers with the old directory
    let hoard = storage_of(&old, None).blocks();
    hoard.put(&all_blocks(&*scene.patient.storage)).unwrap();
    let replay = (scene.patient.vault.head().body.directory.iter())
        .zip(&old_head.body.directory)
        .map(|(new, old)| (Cid::raw(*new), hoard.get(&Cid::raw(*old)).unwrap().unwrap()));
    let lies: BTreeMap<Cid, Block> = replay.collect();
    assert!(!lies.is_empty());
    let liar = Liar {
        honest: hoard,
        lies,
    };
    let mut following = scene.doctor.following.clone().unwrap();
    let time = now(&scene.patient);
    following
        .advance(&head(&scene.patient), &*blocks, time)
        .unwrap();
    let found = following.grants(scene.doctor.world.vault.device(), &liar, time);
    assert!(
        matches!(found, Err(FollowError::NothingShared)),
        "{found:?}"
    );
    // another reader's identity gets nothing out of the doctor's relation
    let before = scene.doctor.following.clone().unwrap();
    let stolen = before.grants(nurse.world.vault.device(), &liar, time);
    assert!(stolen.is_err());
}

#[test]
fn the_device_that_was_replaced_by_a_recovery_no_longer_speaks_for_the_vault() {
    let mut scene = Scene::new();
    let copy = storage_of(&all_blocks(&*scene.patient.storage), None);
    let recovered = Vault::recover(
        copy.clone(),
        &scene.patient.words,
        clock(&scene.patient.time),
    );
    let recovered = recovered.unwrap();
    let time = now(&scene.patient);
    let mut following = scene.doctor.following.clone().unwrap();
    following
        .advance(recovered.head().block().data(), &*copy.blocks(), time)
        .unwrap();
    for i in 0..3 {
        scene
            .patient
            .vault
            .add_all([record("late", format!("late {i}").as_bytes())])
            .unwrap();
    }
    assert!(scene.patient.vault.head().seq() > recovered.head().seq());
    let refused = following.advance(
        &head(&scene.patient),
        &*scene.patient.storage.blocks(),
        time,
    );
    assert!(
        matches!(refused, Err(FollowError::Older { .. })),
        "{refused:?}"
    );
}
