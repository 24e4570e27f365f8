//! Promise 1: an outsider who holds every block, the head and the pin set learns nothing.

use std::collections::{BTreeMap, HashSet};

use super::support::{Reader, all_blocks, head, now, request, share};
use crate::body::SLOTS;
use crate::head::HeadBody;
use crate::seal::{SEALED_CHUNK_LEN, padme};
use crate::vault::tests::{World, node, record, world};
use crate::vault::{NewRecord, RevokeTarget, VaultStorage};
use crate::{Block, Category, Codec, RevokeLevel, pins};

/// Length of a row of the grant directory, in bytes.
const ROW_LEN: usize = 280;

/// Text that does not repeat within eight bytes by chance.
fn prose(seed: u64, len: usize) -> Vec<u8> {
    let words = |i: u64| {
        format!(
            "{:08x} systolic ",
            (i + 1).wrapping_mul(seed | 1).wrapping_mul(0x9e37_79b9)
        )
    };
    (0..)
        .flat_map(|i| words(i).into_bytes())
        .take(len)
        .collect()
}

fn labelled(title: &str, content: &[u8]) -> NewRecord<'static> {
    let mut new = record(title, content);
    new.meta.labels = ["SUBSTANCEUSE".parse().unwrap()].into();
    new
}

/// Everything that an outsider sees of a vault.
fn outside(world: &World) -> Vec<Block> {
    let mut blocks = all_blocks(&*world.storage);
    blocks.push(world.vault.head().block().clone());
    blocks
}

#[test]
fn no_plaintext_no_name_and_no_kind_is_in_any_block() {
    let mut patient = world("Patricia Quintessence");
    let mut doctor = Reader::befriended(&mut patient, "Doctor Montgomery");
    let nurse = Reader::befriended(&mut patient, "Nurse Featherstone");
    let (small, long) = (prose(77, 5_000), prose(1234, 900_000));
    let mut seen = outside(&patient);
    let added = patient
        .vault
        .add_all([
            record("Hemoglobin glycated", &small),
            labelled("Cholesterol total", &long),
        ])
        .unwrap();
    assert_eq!(added.new_versions(), 2);
    seen.extend(outside(&patient));
    let first = share(&mut patient, &mut doctor);
    let both = request(&[&doctor.name, &nurse.name], None);
    let second = patient.vault.share(both, &node()).unwrap();
    seen.extend(outside(&patient));
    let entries = patient.vault.records().unwrap();
    for level in [RevokeLevel::Stop, RevokeLevel::Rekey] {
        let target = match level {
            RevokeLevel::Stop => RevokeTarget::Grant(first.grant.id),
            RevokeLevel::Rekey => RevokeTarget::Contact(nurse.name.clone()),
        };
        patient.vault.revoke(&target, level).unwrap();
        seen.extend(outside(&patient));
    }
    patient.vault.rekey(&second.grant.id, &mut |_| {}).unwrap();
    seen.extend(outside(&patient));
    patient.vault.remove_records(&[entries[0].record]).unwrap();
    seen.extend(outside(&patient));

    let mut secrets: Vec<Vec<u8>> = vec![small, long];
    let words = [
        "Patricia Quintessence",
        "Doctor Montgomery",
        "Nurse Featherstone",
        "Hemoglobin glycated",
        "Cholesterol total",
        "Observation",
        "Observation/Hemoglobin",
        "application/fhir+json",
        "SUBSTANCEUSE",
        "2024-02-03T10:00:00Z",
        "age-encryption.org/v1",
        "mlkem768x25519",
        "published",
        "standing",
        "recipients",
    ];
    secrets.extend(words.map(|word| word.as_bytes().to_vec()));
    for reader in [&doctor, &nurse] {
        let card = reader.world.vault.device().card(&reader.name).unwrap();
        secrets.push(card.owner().as_bytes().to_vec());
        secrets.push(card.recipients()[0].as_bytes().to_vec());
    }
    for grant in [first.grant.id, second.grant.id] {
        secrets.push(grant.as_bytes().to_vec());
    }
    for entry in &entries {
        secrets.push(entry.record.as_bytes().to_vec());
        secrets.push(entry.version.as_bytes().to_vec());
        secrets.push(entry.cek.plain().unwrap().expose().to_vec());
    }
    let windows: HashSet<&[u8]> = secrets
        .iter()
        .flat_map(|secret| secret.windows(8))
        .collect();
    let blocks: BTreeMap<_, _> = seen.iter().map(|block| (block.cid(), block)).collect();
    for block in blocks.values() {
        let found = block
            .data()
            .windows(8)
            .find(|window| windows.contains(window));
        let found = found.map(String::from_utf8_lossy);
        assert_eq!(found, None, "in a block of {} bytes", block.data().len());
    }
    // the search itself finds what is there
    let origin = crate::log_origin(&patient.vault.id());
    assert!(
        head(&patient)
            .windows(8)
            .any(|window| window == &origin.as_bytes()[..8])
    );
}

/// Checks every block's length and the number of live blocks.
fn check_shape(world: &World) {
    let body = &world.vault.head().body;
    let store = world.storage.blocks();
    let pins = pins::read(&*store, &world.vault.head().pins()).unwrap();
    assert_eq!(padme(pins.live.len() as u64), pins.live.len() as u64);
    let mut rows = 0;
    for block in all_blocks(&*world.storage) {
        let (cid, len) = (block.cid(), block.data().len());
        if cid.codec() == Codec::DagCbor {
            assert!(pins.nodes.contains(&cid) || cid == world.vault.head().block().cid());
        } else if body
            .log
            .iter()
            .flatten()
            .any(|digest| *digest == cid.digest())
        {
            assert_eq!(len % 32, 0);
        } else if body.directory.contains(&cid.digest()) {
            assert_eq!(len % ROW_LEN, 0);
            rows += len / ROW_LEN;
        } else {
            assert_eq!(len % SEALED_CHUNK_LEN, 0, "{len} bytes");
            assert!(
                [1, 2, 4, 8, SLOTS].contains(&(len / SEALED_CHUNK_LEN)),
                "{len} bytes"
            );
        }
        assert!(cid.codec() == Codec::DagCbor || pins.live.contains(&cid.digest()));
    }
    assert!(rows.is_power_of_two() && rows >= 8, "{rows} rows");
}

#[test]
fn lengths_and_counts_are_only_the_documented_ones() {
    let mut patient = world("Pat");
    check_shape(&patient);
    let mut doctor = Reader::befriended(&mut patient, "doctor");
    for step in 0..30u64 {
        let len = (step as usize * 7919) % 60_000 + usize::from(step % 9 == 0) * 700_000;
        let title = format!("record {step}");
        patient
            .vault
            .add_all([record(&title, &prose(step + 5, len))])
            .unwrap();
        check_shape(&patient);
        if step % 7 == 3 {
            let shared = share(&mut patient, &mut doctor);
            check_shape(&patient);
            if step % 2 == 0 {
                let id = shared.grant.id;
                patient
                    .vault
                    .revoke(&RevokeTarget::Grant(id), RevokeLevel::Rekey)
                    .unwrap();
                while patient
                    .vault
                    .rekey_step(&id, 50_000)
                    .unwrap()
                    .receipt
                    .is_none()
                {
                    check_shape(&patient);
                }
                check_shape(&patient);
            }
        }
    }
}

#[test]
fn the_directory_does_not_tell_how_many_grants_there_are() {
    let mut patient = world("Pat");
    let mut doctor = Reader::befriended(&mut patient, "doctor");
    let mut nurse = Reader::befriended(&mut patient, "nurse");
    patient.vault.add_all([record("a", b"aaa")]).unwrap();
    let rows = |patient: &World| -> usize {
        let store = patient.storage.blocks();
        let directory = patient.vault.head().body.directory.iter();
        let len = |digest: &crate::Digest| {
            store
                .get(&crate::Cid::raw(*digest))
                .unwrap()
                .unwrap()
                .data()
                .len()
        };
        directory.map(len).sum::<usize>() / ROW_LEN
    };
    assert_eq!(rows(&patient), 8);
    let mut grants = Vec::new();
    for made in 1..=8 {
        let reader = if made % 3 == 0 {
            &mut nurse
        } else {
            &mut doctor
        };
        grants.push(share(&mut patient, reader).grant.id);
        assert_eq!(rows(&patient), 8, "{made} grants");
    }
    for (ended, grant) in grants.into_iter().enumerate() {
        patient
            .vault
            .revoke(&RevokeTarget::Grant(grant), RevokeLevel::Stop)
            .unwrap();
        assert_eq!(rows(&patient), 8, "{ended} ended");
    }
}

/// What a head shows besides digests, keys, signatures and times.
fn public_figures(world: &World) -> impl PartialEq + std::fmt::Debug + use<> {
    let HeadBody {
        v,
        seq,
        log,
        zero,
        directory,
        ..
    } = &world.vault.head().body;
    let log: Vec<usize> = log.iter().map(Vec::len).collect();
    let size = world.vault.head().checkpoint().size;
    let len = head(world).len();
    (
        *v,
        *seq,
        log,
        size,
        (zero.envelopes_len, zero.root_len),
        directory.len(),
        len,
    )
}

fn lengths(world: &World) -> Vec<(Codec, usize)> {
    let mut lengths: Vec<_> = all_blocks(&*world.storage)
        .iter()
        .map(|block| (block.cid().codec(), block.data().len()))
        .collect();
    lengths.sort_unstable();
    lengths
}

#[test]
fn kinds_and_titles_cannot_be_told_apart() {
    let views: Vec<_> = [
        ("Observation", "Hemoglobin", Category::Lab, "blood"),
        ("AdverseEven", "HIV 1 RNA ", Category::Condition, "virus"),
    ]
    .into_iter()
    .map(|(kind, title, category, content)| {
        let mut patient = world("Pat");
        let mut doctor = Reader::befriended(&mut patient, "doctor");
        let batch = (0..12).map(|i| {
            let mut new = record(title, format!("{content} {i:02}").as_bytes());
            new.meta.kind = kind.parse().unwrap();
            new.meta.category = category;
            new
        });
        patient.vault.add_all(batch).unwrap();
        share(&mut patient, &mut doctor);
        (public_figures(&patient), lengths(&patient))
    })
    .collect();
    assert_eq!(views[0], views[1]);
}

#[test]
fn a_batch_does_not_tell_how_many_records_are_in_it() {
    let views: Vec<_> = [1, 2, 9, 20, 24]
        .into_iter()
        .map(|count| {
            let mut patient = world("Pat");
            let mut doctor = Reader::befriended(&mut patient, "doctor");
            let batch = (0..count).map(|i| record("r", format!("content {i:02}").as_bytes()));
            patient.vault.add_all(batch).unwrap();
            let shared = share(&mut patient, &mut doctor);
            let same = public_figures(&patient);
            assert!(now(&patient) > 0 && shared.grant.versions == count);
            (same, lengths(&patient))
        })
        .collect();
    for view in &views[1..] {
        assert_eq!(*view, views[0]);
    }
}

#[test]
fn the_head_does_not_tell_how_many_dummies_there_are() {
    // one long record more: other live blocks, other dummies, the same figures
    let mut seen = HashSet::new();
    for extra in 0..12usize {
        let mut patient = world("Pat");
        let contents: Vec<_> = (0..extra + 4)
            .map(|i| prose(i as u64 + 3, 230_000))
            .collect();
        patient
            .vault
            .add_all(contents.iter().map(|content| record("r", content)))
            .unwrap();
        let zero = &patient.vault.head().body.zero;
        seen.insert((zero.envelopes_len, zero.root_len));
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
}
