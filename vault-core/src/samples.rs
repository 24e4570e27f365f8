//! One fixed value of everything that is written down, for snapshots and as seeds of fuzzing.

use std::collections::BTreeSet;

use ipld_core::ipld::Ipld;
use serde::de::DeserializeOwned;

use crate::access::AgentAddress;
use crate::audit::{
    Act, Asked, AuditEntry, EntryProof, Evidence, LogStatement, Logged, RevokeLevel, Via, leaf,
    salt,
};
use crate::block::Digest;
use crate::body::{HeaderDraft, Location};
use crate::codec;
use crate::fuzzing::{device, known_signers, owner, reader, reader_owner};
use crate::grant::{
    Conditions, Delivery, Extent, GrantRoot, Pointer, Relation, Scope, Terms, TermsDraft, Ticket,
};
use crate::head::{Head, HeadBody, ZeroPointer, log_origin};
use crate::identity::Card;
use crate::ids::{DepositId, DeviceId, GrantId, RecordId, VaultId, VersionId};
use crate::index::{ContentKey, IndexEntry, Item, PageRef};
use crate::keys::{SecretKey, SigningKey};
use crate::log::{Appender, Checkpoint, MemoryTiles, TreeHash, leaf_hash, prove_inclusion};
use crate::record::{Category, RecordMeta};
use crate::{IdentityKey, NodeAddress};

pub(crate) mod access;
mod deposit;

pub(crate) use deposit::{deposit_note, deposit_parcel, deposit_ticket, deposit_words};

pub(crate) const TIME: u64 = 1_790_000_000;

pub(crate) fn vault() -> VaultId {
    known_signers().vault()
}

pub(crate) fn grant() -> GrantId {
    GrantId::from_bytes([3; 16])
}

fn bytes(bytes: &[u8]) -> Ipld {
    Ipld::Bytes(bytes.to_vec())
}

fn number(number: u64) -> Ipld {
    Ipld::Integer(number.into())
}

/// A value of a type whose fields are private, from what its encoding must be.
fn from_map<T: serde::Serialize + DeserializeOwned>(fields: &[(&str, Ipld)]) -> T {
    let map = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    let wire = codec::encode(&Ipld::Map(map));
    codec::decode(&wire, wire.len()).unwrap()
}

pub(crate) fn node() -> NodeAddress {
    NodeAddress {
        peer: SigningKey::from_seed(&[11; 32]).public(),
        addrs: vec!["/ip4/192.0.2.1/tcp/4001".into()],
        endpoint: SigningKey::from_seed(&[12; 32]).public(),
        endpoint_addrs: vec!["192.0.2.1:4002".into()],
        relays: Vec::new(),
    }
}

/// The text of an identity file with fixed keys, from what its parts must be.
pub(crate) fn identity_text() -> String {
    let recovery = IdentityKey::from_seed(&[6; 32]).recipient();
    let fields = [
        ("v", number(1)),
        ("device", bytes(&[4; 16])),
        ("signing", bytes(&[2; 32])),
        ("recipient", bytes(&[10; 32])),
        ("iroh", bytes(&[12; 32])),
        ("libp2p", bytes(&[11; 32])),
        ("zero_cover", bytes(&[13; 32])),
        ("recovery", bytes(recovery.as_bytes())),
        ("signers", bytes(known_signers().as_bytes())),
    ];
    let map = fields.map(|(name, value)| (name.to_owned(), value));
    let secrets = codec::encode(&Ipld::Map(map.into_iter().collect()));
    let key = IdentityKey::from_seed(&[10; 32]).to_text();
    format!(
        "# medvault identity of vault {}\n{}\n# medvault-device: {}\n",
        vault(),
        secrecy::ExposeSecret::expose_secret(&key),
        data_encoding::BASE64_NOPAD.encode(&secrets),
    )
}

pub(crate) fn card() -> Card {
    let device = crate::Device::from_identity_text(&identity_text()).unwrap();
    device.card("Dr. Ada Example").unwrap()
}

pub(crate) fn agent_address() -> AgentAddress {
    let card = card();
    let endpoint = *card.endpoint();
    AgentAddress::new(card, NodeAddress { endpoint, ..node() }).unwrap()
}

pub(crate) fn scope() -> Scope {
    Scope {
        all: false,
        records: [RecordId::from_bytes([21; 16])].into(),
        kinds: ["Observation".parse().unwrap()].into(),
        categories: [Category::Lab].into(),
        codes: Default::default(),
        since: Some("2024-02".parse().unwrap()),
        until: None,
        with_labels: ["HIV".parse().unwrap()].into(),
        without_labels: ["PSY".parse().unwrap()].into(),
    }
}

/// Terms and their signed form.
pub(crate) fn terms() -> (Terms, Vec<u8>) {
    let draft = TermsDraft {
        vault: vault(),
        grant: grant(),
        extent: Extent::Standing,
        scope: scope(),
        purpose: Some("TREAT".parse().unwrap()),
        created: TIME,
        expires: Some(TIME + 3600),
        delivery: Delivery::Carried,
        conditions: Conditions::default(),
        may_deposit: false,
        agents: Vec::new(),
    };
    let readers = vec![relation().reader_tag(&grant())];
    Terms::sign(draft, readers, &device())
}

pub(crate) fn page_ref() -> PageRef {
    from_map(&[
        ("b", bytes(Digest::of(b"page").as_bytes())),
        ("n", number(16_400)),
        ("k", bytes(&[15; 32])),
        ("c", number(2)),
    ])
}

pub(crate) fn grant_root() -> GrantRoot {
    GrantRoot {
        v: 1,
        terms: terms().1,
        pages: vec![page_ref()],
        acceptances: Vec::new(),
        agents: Vec::new(),
    }
}

pub(crate) fn pointer() -> Pointer {
    Pointer {
        grant: grant(),
        envelope: Digest::of(b"envelope"),
        root: Digest::of(b"root"),
        root_len: 1234,
    }
}

pub(crate) fn meta() -> RecordMeta {
    RecordMeta {
        kind: "Observation".parse().unwrap(),
        category: Category::Lab,
        date: Some("2024-02-03T10:00:00Z".parse().unwrap()),
        title: "Hemoglobin [Mass/volume] in Blood".into(),
        labels: ["HIV".parse().unwrap()].into(),
        media_type: "application/fhir+json".into(),
        source_id: Some("Observation/1".into()),
        codes: ["loinc|718-7".parse().unwrap()].into(),
        author: Some("Dr Lind".into()),
        origin: Some(RecordId::from_bytes([26; 16])),
    }
}

pub(crate) fn record_header() -> Vec<u8> {
    let key = device();
    let draft = HeaderDraft {
        vault: vault(),
        record: RecordId::from_bytes([21; 16]),
        version: VersionId::from_bytes([22; 16]),
        prev: Some(Digest::of(b"previous")),
        author: owner().public(),
        created: TIME,
        source: Some("history.json".into()),
        meta: meta(),
        key: &key,
    };
    draft.finish(7, Digest::of(b"content")).bytes
}

/// A page with a packed and a long entry.
pub(crate) fn index_page() -> Vec<u8> {
    let packed = IndexEntry {
        record: RecordId::from_bytes([21; 16]),
        version: VersionId::from_bytes([22; 16]),
        meta: meta(),
        len: 7,
        added: TIME,
        source: Some("history.json".into()),
        location: Location::Packed {
            block: Digest::of(b"pack"),
            offset: 4000,
            len: 4321,
        },
        cek: ContentKey::Plain(SecretKey::from_bytes([23; 32])),
        sealed: 9,
        name: Some([24; 16]),
    };
    let long = IndexEntry {
        version: VersionId::from_bytes([25; 16]),
        meta: RecordMeta {
            date: None,
            labels: BTreeSet::new(),
            source_id: None,
            codes: BTreeSet::new(),
            author: None,
            origin: None,
            ..meta()
        },
        location: Location::Long {
            len: 1 << 30,
            depth: 1,
            top: vec![Digest::of(b"map")],
        },
        name: None,
        ..packed.clone()
    };
    IndexEntry::encode_page(&[packed, long])
}

/// One entry for every act.
pub(crate) fn audit_entries() -> Vec<AuditEntry> {
    let (grant, contact) = (grant(), reader_owner());
    let digest = Digest::of(b"x");
    let acts = [
        Act::VaultCreated { serial: 7 },
        Act::VaultRecovered {
            serial: 8,
            from_seq: 5,
        },
        Act::ContactAdded {
            contact,
            name: "doctor".into(),
        },
        Act::ContactVerified { contact },
        Act::Published {
            count: 2,
            versions: digest,
        },
        Act::Removed {
            records: vec![RecordId::from_bytes([21; 16])],
        },
        Act::Granted {
            grant,
            readers: vec![contact],
            terms: digest,
            count: 2,
        },
        Act::Joined { grant, count: 1 },
        Act::Revoked {
            grant,
            readers: vec![contact],
            level: RevokeLevel::Rekey,
        },
        Act::Expired { grant },
        Act::Rekeyed {
            grant,
            count: 2,
            done: true,
        },
        Act::Receipt {
            grant,
            receipt: digest,
        },
        Act::Pinned {
            service: "s".into(),
            endpoint: "https://pins.example".into(),
        },
        Act::Unpinned {
            service: "s".into(),
            confirmed: true,
        },
        Act::PinVerified {
            service: "s".into(),
            sampled: 459,
            missing: 0,
            canaries: 4,
            confidence: 990,
        },
        Act::Agreed {
            grant,
            reader: contact,
            terms: digest,
            acceptance: digest,
        },
        Act::Released(access::asked()),
        Act::Denied {
            asked: Asked {
                vault: Some(vault()),
                via: Some(Via {
                    agent: contact,
                    index: 9,
                    time: TIME,
                }),
                ..access::asked()
            },
            reason: "expired".into(),
        },
        Act::Receipted {
            release: 16,
            reader: contact,
            receipt: digest,
            opened: true,
        },
        Act::AgentAdded {
            grant,
            agent: contact,
            opens: Some(3),
            until: TIME + 3600,
        },
        Act::AgentRemoved {
            grant,
            agent: contact,
        },
        Act::AgentReported {
            grant,
            agent: contact,
            opens: 2,
            closed: true,
        },
        Act::DepositLimit {
            contact,
            bytes: 1 << 20,
        },
        Act::Deposited {
            contact,
            deposit: DepositId::from_bytes([22; 16]),
            bytes: 4096,
        },
        Act::DepositAccepted {
            contact,
            deposit: DepositId::from_bytes([22; 16]),
            count: 2,
        },
        Act::DepositDeclined {
            contact,
            deposit: DepositId::from_bytes([22; 16]),
        },
    ];
    let entry = |(index, act)| AuditEntry {
        index,
        time: TIME,
        device: DeviceId::from_bytes([4; 16]),
        act,
    };
    (0..).zip(acts).map(entry).collect()
}

/// The payload of a receipt, from what its fields must be.
pub(crate) fn receipt() -> Vec<u8> {
    let pinner: [(String, Ipld); 3] = [
        ("name".into(), Ipld::String("this device".into())),
        ("deleted".into(), number(3)),
        ("acknowledged".into(), Ipld::Bool(true)),
    ];
    let fields = [
        ("v", number(1)),
        ("vault", bytes(vault().as_bytes())),
        ("signer", bytes(device().public().as_bytes())),
        ("grant", bytes(grant().as_bytes())),
        (
            "readers",
            Ipld::List(vec![bytes(reader_owner().as_bytes())]),
        ),
        ("time", number(TIME)),
        ("level", Ipld::String("rekey".into())),
        ("opened", Ipld::Null),
        ("could_have_opened", number(2)),
        ("index", bytes(Digest::of(b"index").as_bytes())),
        ("never_delivered", number(0)),
        ("rekeyed", number(2)),
        (
            "pinners",
            Ipld::List(vec![Ipld::Map(pinner.into_iter().collect())]),
        ),
        ("log_index", number(8)),
    ];
    let map = fields.map(|(name, value)| (name.to_owned(), value));
    codec::encode(&Ipld::Map(map.into_iter().collect()))
}

pub(crate) fn checkpoint() -> Vec<u8> {
    let checkpoint = Checkpoint {
        origin: log_origin(&vault()),
        size: 12,
        root: TreeHash::from_bytes([16; 32]),
    };
    let signed = checkpoint.sign(&log_origin(&vault()), device().dalek());
    signed.unwrap().as_bytes().to_vec()
}

pub(crate) fn head_body() -> HeadBody {
    HeadBody {
        v: 1,
        vault: vault(),
        signers: known_signers().as_bytes().to_vec(),
        signer: device().public(),
        seq: 9,
        time: TIME,
        valid_until: TIME + 30 * 24 * 3600,
        checkpoint: checkpoint(),
        log: vec![vec![Digest::of(b"level 0")]],
        zero: ZeroPointer {
            envelopes: Digest::of(b"envelopes"),
            envelopes_len: 8264,
            root: Digest::of(b"zero root"),
            root_len: 700,
        },
        directory: vec![Digest::of(b"directory")],
        pins: Digest::of(b"pins"),
    }
}

pub(crate) fn head() -> Head {
    Head::sign(&head_body(), &device()).unwrap()
}

pub(crate) fn relation() -> Relation {
    let wire = codec::encode(&SecretKey::from_bytes([17; 32]));
    codec::decode(&wire, wire.len()).unwrap()
}

pub(crate) fn ticket() -> Ticket {
    Ticket {
        signers: known_signers(),
        name: "Pat".into(),
        grant: grant(),
        relation: relation(),
        node: node(),
        seq: 9,
        log: (12, TreeHash::from_bytes([16; 32])),
        reader: reader_owner(),
        expires: Some(TIME + 3600),
        ipns: None,
        offer: None,
        inbox: None,
    }
}

/// The payload of an envelope, from what its fields must be.
pub(crate) fn envelope_payload() -> Vec<u8> {
    let to = Digest::of(reader().recipient().as_bytes());
    let fields = [
        ("v", number(1)),
        ("vault", bytes(vault().as_bytes())),
        ("grant", bytes(grant().as_bytes())),
        ("key", bytes(&[18; 32])),
        ("to", bytes(to.as_bytes())),
        ("signer", bytes(device().public().as_bytes())),
    ];
    let map = fields.map(|(name, value)| (name.to_owned(), value));
    codec::encode(&Ipld::Map(map.into_iter().collect()))
}

/// Entry 4 of a log of every act, changed before it was logged.
fn logged_of(change: impl FnOnce(&mut Vec<AuditEntry>)) -> Logged {
    let secret = SecretKey::from_bytes([19; 32]);
    let mut entries = audit_entries();
    change(&mut entries);
    let mut appender = Appender::new();
    for (index, entry) in (0..).zip(&entries) {
        let leaf = leaf(&secret, index, &entry.to_bytes());
        appender.append(leaf).unwrap();
    }
    let (size, root) = (appender.size(), appender.root());
    let mut tiles = MemoryTiles::default();
    tiles.store(&mut appender);
    let origin = log_origin(&vault());
    let checkpoint = Checkpoint {
        origin: origin.clone(),
        size,
        root,
    };
    let signed = checkpoint.sign(&origin, device().dalek()).unwrap();
    Logged {
        entry: entries[4].to_bytes(),
        salt: *salt(&secret, 4),
        index: 4,
        inclusion: prove_inclusion(&tiles, size, 4).unwrap(),
        checkpoint: signed.as_bytes().to_vec(),
    }
}

pub(crate) fn logged() -> Logged {
    logged_of(|_| ())
}

/// The proof of that entry.
pub(crate) fn proof_of(change: impl FnOnce(&mut Vec<AuditEntry>)) -> EntryProof {
    EntryProof::new(logged_of(change), known_signers())
}

pub(crate) fn entry_proof() -> EntryProof {
    proof_of(|_| ())
}

/// Evidence of a log of three entries, with their hashes.
pub(crate) fn evidence() -> Evidence {
    let leaves: Vec<_> = [b"a", b"b", b"c"].map(|data| leaf_hash(data)).into();
    let mut appender = Appender::new();
    for leaf in &leaves {
        appender.append(*leaf).unwrap();
    }
    let origin = log_origin(&vault());
    let checkpoint = Checkpoint {
        origin: origin.clone(),
        size: 3,
        root: appender.root(),
    };
    let signed = checkpoint.sign(&origin, device().dalek()).unwrap();
    Evidence::new(known_signers(), signed, None, Some(leaves)).unwrap()
}

/// A statement over [`checkpoint`].
pub(crate) fn statement() -> Vec<u8> {
    let seen = Some((13, TreeHash::from_bytes([20; 32])));
    let request = Digest::of(b"request");
    LogStatement::sign(&vault(), &request, seen, TIME, &checkpoint(), &device())
}
