//! Records of our own, and what is refused.

use super::*;
use crate::block::Digest;

const NOW: u64 = 1_790_000_000;

fn key() -> SigningKey {
    SigningKey::from_seed(&[3; 32])
}

fn name() -> IpnsName {
    IpnsName::new(key().public())
}

fn cid() -> Cid {
    Cid::new(Codec::DagCbor, Digest::of(b"head"))
}

fn record() -> IpnsRecord {
    IpnsRecord::sign(&key(), cid(), 9, NOW + 100)
}

fn data() -> Data {
    Data {
        ttl: 1,
        value: format!("/ipfs/{}", cid()).into_bytes(),
        sequence: 9,
        validity: time::to_text(NOW).into_bytes(),
        validity_type: EOL,
    }
}

fn read(bytes: &[u8]) -> Result<IpnsRecord, IpnsError> {
    IpnsRecord::from_bytes(bytes, &name(), NOW)
}

#[test]
fn a_record_is_read_by_its_name_until_it_ends() {
    let record = record();
    assert_eq!(read(record.as_bytes()).as_ref(), Ok(&record));
    assert_eq!(record.head(), cid());
    assert_eq!((record.sequence(), record.ttl()), (9, 300));
    let at = |now| IpnsRecord::from_bytes(record.as_bytes(), &name(), now);
    assert!(at(NOW + 100).is_ok());
    assert_eq!(at(NOW + 101), Err(IpnsError::Expired(NOW + 100)));
    let other = IpnsName::new(SigningKey::from_seed(&[4; 32]).public());
    let refused = IpnsRecord::from_bytes(record.as_bytes(), &other, NOW);
    assert_eq!(refused, Err(IpnsError::Signature));
}

#[test]
fn the_newer_head_then_the_later_end_wins() {
    let of = |sequence, until| IpnsRecord::sign(&key(), cid(), sequence, until);
    assert!(of(10, NOW).supersedes(&of(9, NOW + 100)));
    assert!(of(9, NOW + 1).supersedes(&of(9, NOW)));
    assert!(!of(9, NOW).supersedes(&of(9, NOW)));
}

#[test]
fn a_record_lives_no_longer_than_its_head() {
    let device = Device::for_new_vault(&crate::keys::RecoveryWords::generate(), 1);
    let head = crate::samples::head();
    let at = |now| IpnsRecord::for_head(&device, &head, now);
    let record = at(head.time());
    assert_eq!(record.valid_until(), head.time() + IPNS_LIFETIME);
    assert_eq!(record.sequence(), head.seq());
    assert_eq!(record.head(), head.block().cid());
    assert_eq!(at(head.valid_until() - 1).valid_until(), head.valid_until());
    let name = IpnsName::new(device.ipns_key().public());
    assert!(IpnsRecord::from_bytes(record.as_bytes(), &name, head.time()).is_ok());
}

#[test]
fn every_changed_byte_is_noticed() {
    let good = record();
    for at in 0..good.as_bytes().len() {
        for bit in 0..8 {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            // the old signature counts for nothing
            let entry = Entry::from_bytes(good.as_bytes()).unwrap();
            let old =
                entry.signature_v1.unwrap().as_ptr() as usize - good.as_bytes().as_ptr() as usize;
            if !(old..old + 64).contains(&at) {
                assert!(read(&bytes).is_err(), "byte {at}");
            }
        }
    }
    for len in 0..good.as_bytes().len() {
        assert!(read(&good.as_bytes()[..len]).is_err(), "{len}");
    }
    assert_eq!(
        read(&vec![0; 10 * 1024 + 1]),
        Err(IpnsError::TooLarge(10 * 1024 + 1))
    );
}

#[test]
fn only_heads_are_pointed_to() {
    let of = |value: String| {
        let data = Data {
            value: value.into_bytes(),
            ..data()
        };
        read(&encode(&data, &key()))
    };
    assert!(of(format!("/ipfs/{}", cid())).is_ok());
    let raw = Cid::raw(Digest::of(b"x"));
    for value in [
        String::new(),
        cid().to_string(),
        format!("/ipns/{}", name()),
        format!("/ipfs/{raw}"),
        format!("/ipfs/{}/a", cid()),
        format!("/ipfs/{}", cid().to_string().to_uppercase()),
        "/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG".into(),
    ] {
        assert_eq!(of(value.clone()), Err(IpnsError::Value), "{value}");
    }
}

#[test]
fn other_kinds_of_validity_are_refused() {
    for (validity, validity_type) in [("2026-09-21", 0), ("", 0), ("2036-09-21T14:13:20Z", 1)] {
        let data = Data {
            validity: validity.as_bytes().to_vec(),
            validity_type,
            ..data()
        };
        assert_eq!(read(&encode(&data, &key())), Err(IpnsError::Malformed));
    }
}

#[test]
fn old_fields_agree_or_are_not_there() {
    let record = record();
    let with = |change: fn(&mut Entry<'_>)| {
        let mut entry = Entry::from_bytes(record.as_bytes()).unwrap();
        change(&mut entry);
        read(&entry.to_bytes()).map(|_| ())
    };
    assert_eq!(with(|_| {}), Ok(()));
    let own_key = |entry: &mut Entry<'_>| entry.public_key = Some(&[8, 1, 18, 32, 1]);
    assert_eq!(with(own_key), Err(IpnsError::Signature));
    let changes: [fn(&mut Entry<'_>); 6] = [
        |entry| entry.value = Some(b"/ipfs/x"),
        |entry| entry.value = None,
        |entry| entry.validity = Some(b"2036-09-21T14:13:20Z"),
        |entry| entry.validity_type = Some(1),
        |entry| entry.sequence = Some(10),
        |entry| entry.ttl = None,
    ];
    for change in changes {
        assert_eq!(with(change), Err(IpnsError::Mismatch));
    }
    let only_new = |entry: &mut Entry<'_>| {
        *entry = Entry {
            data: entry.data,
            signature_v2: entry.signature_v2,
            ..Entry::default()
        };
    };
    assert_eq!(with(only_new), Ok(()));
    let without: [fn(&mut Entry<'_>); 2] =
        [|entry| entry.data = None, |entry| entry.signature_v2 = None];
    for change in without {
        assert_eq!(with(change), Err(IpnsError::Malformed));
    }
}
