//! An entry of every act, made by hand.

use std::collections::HashMap;

use vault_core::{
    Act, Asked, AuditEntry, DepositId, DeviceId, Digest, GrantId, PublicKey, RecordId, RevokeLevel,
    SigningKey, VersionId, Via,
};

use super::names::{Names, Title};

/// 2026-03-01T10:00:00Z.
pub const NOON: u64 = 1_772_359_200;

pub fn person(number: u8) -> PublicKey {
    SigningKey::from_seed(&[number; 32]).public()
}

pub fn grant() -> GrantId {
    GrantId::from_bytes([0; 16])
}

pub fn version(number: u8) -> VersionId {
    VersionId::from_bytes([number; 16])
}

pub fn record(number: u8) -> RecordId {
    RecordId::from_bytes([number; 16])
}

pub fn digest() -> Digest {
    Digest::of(b"")
}

pub fn asked(reader: PublicKey) -> Asked {
    Asked {
        vault: None,
        grant: grant(),
        reader,
        versions: vec![version(1), version(2)],
        purpose: Some("TREAT".parse().unwrap()),
        request: digest(),
        via: None,
    }
}

pub fn via() -> Via {
    Via {
        agent: person(3),
        index: 7,
        time: NOON - 3600,
    }
}

pub fn entry(index: u64, act: Act) -> AuditEntry {
    AuditEntry {
        index,
        time: NOON,
        device: DeviceId::from_bytes([9; 16]),
        act,
    }
}

/// Dr. Bo (1), a hospital's box (3); the versions 1 to 4 of records with titles.
pub fn names() -> Names {
    let people = [(person(1), "Dr. Bo".to_owned()), (person(3), "Box".into())];
    let grants = HashMap::from([(grant(), Some("HRESCH".parse().unwrap()))]);
    let mut names = Names::of(people, grants);
    let titles = ["Glucose", "Pulse", "Letter", "X-ray"];
    names.put((1..).zip(titles).map(|(number, title)| {
        let title = Title {
            record: record(number),
            title: title.to_owned(),
        };
        (version(number), title)
    }));
    names
}

/// One of every act, in the order of their definition.
pub fn acts() -> Vec<Act> {
    let bo = person(1);
    let agent = person(3);
    let deposit = DepositId::from_bytes([0; 16]);
    let mut through_agent = asked(bo);
    through_agent.via = Some(via());
    through_agent.versions.push(version(77));
    vec![
        Act::VaultCreated { serial: 1 },
        Act::VaultRecovered {
            serial: 2,
            from_seq: 7,
        },
        Act::ContactAdded {
            contact: bo,
            name: "Dr. Bo".into(),
        },
        Act::ContactVerified { contact: bo },
        Act::Published {
            count: 3,
            versions: digest(),
        },
        Act::Removed {
            records: vec![record(5), record(6), record(7), record(8)],
        },
        Act::Granted {
            grant: grant(),
            readers: vec![bo, person(2)],
            terms: digest(),
            count: 2,
        },
        Act::Joined {
            grant: grant(),
            count: 1,
        },
        Act::Revoked {
            grant: grant(),
            readers: vec![bo],
            level: RevokeLevel::Rekey,
        },
        Act::Expired { grant: grant() },
        Act::Rekeyed {
            grant: grant(),
            count: 2,
            done: false,
        },
        Act::Receipt {
            grant: grant(),
            receipt: digest(),
        },
        Act::Pinned {
            service: "home".into(),
            endpoint: "https://pin.example".into(),
        },
        Act::Unpinned {
            service: "home".into(),
            confirmed: false,
        },
        Act::PinVerified {
            service: "home".into(),
            sampled: 40,
            missing: 2,
            canaries: 4,
            confidence: 990,
        },
        Act::Agreed {
            grant: grant(),
            reader: bo,
            terms: digest(),
            acceptance: digest(),
        },
        Act::Released(through_agent),
        Act::Denied {
            asked: asked(person(2)),
            reason: "no-opens-left".into(),
        },
        Act::Receipted {
            release: 16,
            reader: bo,
            receipt: digest(),
            opened: true,
        },
        Act::AgentAdded {
            grant: grant(),
            agent,
            opens: Some(5),
            until: NOON + 86_400,
        },
        Act::AgentRemoved {
            grant: grant(),
            agent,
        },
        Act::AgentReported {
            grant: grant(),
            agent,
            opens: 3,
            closed: true,
        },
        Act::DepositLimit {
            contact: bo,
            bytes: 0,
        },
        Act::Deposited {
            contact: bo,
            deposit,
            bytes: 20_480,
        },
        Act::DepositAccepted {
            contact: bo,
            deposit,
            count: 2,
        },
        Act::DepositDeclined {
            contact: bo,
            deposit,
        },
    ]
}

/// The same as entries, at the positions from 0.
pub fn entries() -> Vec<AuditEntry> {
    let acts = (0..).zip(acts());
    acts.map(|(index, act)| entry(index, act)).collect()
}
