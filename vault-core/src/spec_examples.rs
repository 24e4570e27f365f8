//! Every worked example that `docs/SPEC.md` prints, computed again.
//!
//! An example is a fenced block with the info string `example NAME`. The set in the document and
//! the set here must be the same, byte for byte. After a wanted change of a format, run this test
//! with `MEDVAULT_UPDATE_SPEC` set to write the new values into the document.

use std::collections::BTreeMap;
use std::path::Path;

use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::audit::{Act, AuditEntry, EntryProof, Evidence, LogStatement, Logged, leaf, salt};
use crate::block::{Block, Cid, Codec, Digest};
use crate::body::{BodyContext, HeaderDraft, Location, long, seal_packed};
use crate::codec;
use crate::deposit::{Note, NoteEntry};
use crate::envelope::{IdentityKey, open_envelope};
use crate::grant::{
    Conditions, Delivery, Directory, Extent, Pointer, Relation, Scope, Terms, TermsDraft,
    root_context, seal_grant_key,
};
use crate::head::{Head, HeadBody, ZeroPointer, log_origin};
use crate::identity::Signers;
use crate::ids::{DepositId, DeviceId, GrantId, RecordId, VersionId};
use crate::index::{IndexEntry, Item, PageRef};
use crate::ipns::{IpnsName, IpnsRecord};
use crate::keys::{KeyPurpose, RecoveryWords, SecretKey, SigningKey, derive, fingerprint_words};
use crate::log::{Appender, Checkpoint, InclusionProof};
use crate::pins;
use crate::record::{Category, RecordMeta};
use crate::seal::{open, padme};
use crate::store::{BlockStore, CarStore};

/// Made from the specification alone with another implementation.
const SEALED: &str = "404142434445464748494a4b4c4d4e4f5051525354555657814eae2552216bb8ad368a5c1cac4ce9638015bf9d2429cbb9095e69990aec86367225a5558b67485aacb24caff694b8d053d6d8a9";

/// 16 or 32 bytes that count up from `first`.
fn count<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|place| first.wrapping_add(place as u8))
}

/// Hexadecimal in lines of 32 bytes.
fn hex(bytes: &[u8]) -> String {
    let lines: Vec<String> = bytes.chunks(32).map(|b| HEXLOWER.encode(b)).collect();
    lines.join("\n")
}

fn owner() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

fn device() -> SigningKey {
    SigningKey::from_seed(&[2; 32])
}

fn signers() -> Signers {
    Signers::new(&owner(), 7, vec![device().public()], vec![])
}

const RECORD: RecordId = RecordId::from_bytes([0x11; 16]);
const VERSION: VersionId = VersionId::from_bytes([0x22; 16]);
const GRANT: GrantId = GrantId::from_bytes([0x33; 16]);
const TIME: u64 = 1_790_000_000;

fn meta() -> RecordMeta {
    RecordMeta {
        kind: "Observation".parse().unwrap(),
        category: Category::Lab,
        date: Some("2024-02-03".parse().unwrap()),
        title: "Hemoglobin".into(),
        labels: ["PSY".parse().unwrap()].into(),
        media_type: "application/fhir+json".into(),
        source_id: None,
        codes: ["loinc|718-7".parse().unwrap()].into(),
        author: Some("Dr Lind".into()),
        origin: None,
    }
}

fn entry() -> IndexEntry {
    IndexEntry {
        record: RECORD,
        version: VERSION,
        meta: meta(),
        len: 5,
        added: TIME,
        source: Some("a.json".into()),
        location: Location::Packed {
            block: Digest::from_bytes([0x44; 32]),
            offset: 0,
            len: 512,
        },
        cek: crate::index::ContentKey::Plain(SecretKey::from_bytes([0x55; 32])),
        sealed: 2,
        name: None,
    }
}

type Examples = BTreeMap<&'static str, String>;

fn keys(all: &mut Examples) {
    all.insert("record-id", RecordId::from_bytes(count(0)).to_string());
    all.insert(
        "cid",
        Block::new(Codec::Raw, b"hello".to_vec())
            .unwrap()
            .cid()
            .to_string(),
    );
    let purposes = [
        ("owner-signing", KeyPurpose::OwnerSigning),
        ("recovery-recipient", KeyPurpose::RecoveryRecipient),
        ("zero-cover", KeyPurpose::ZeroCover),
        ("ipns", KeyPurpose::Ipns),
        ("relation-tag", KeyPurpose::RelationTag),
        ("relation-pointer", KeyPurpose::RelationPointer),
        ("relation-cover", KeyPurpose::RelationCover),
        ("relation-reader", KeyPurpose::RelationReader),
        ("leaf-salt", KeyPurpose::LeafSalt),
        ("content-name", KeyPurpose::ContentName),
        ("block-map/0", KeyPurpose::BlockMap(0)),
        ("local-state", KeyPurpose::LocalState),
    ];
    let derived = purposes.map(|(label, purpose)| {
        let key = derive(&[1; 32], purpose);
        format!("{label:<18} {}", HEXLOWER.encode(key.expose()))
    });
    all.insert("derived-keys", derived.join("\n"));

    let zeros = format!("{}art", "abandon ".repeat(23));
    let words = RecoveryWords::parse(&zeros).unwrap();
    let public = words.owner_secrets().signing.public();
    all.insert("words", format!("{zeros}\n{}", hex(public.as_bytes())));

    let public = owner().public();
    all.insert("owner-key", hex(public.as_bytes()));
    all.insert("vault-id", signers().vault().to_string());
    all.insert("fingerprint", fingerprint_words(&public).join(" "));
    all.insert("signers", hex(signers().as_bytes()));
}

fn sealing(all: &mut Examples) {
    let sealed = HEXLOWER.decode(SEALED.as_bytes()).unwrap();
    assert_eq!(open(&count(0), b"medvault", &sealed).unwrap(), b"hello");
    all.insert("sealed", hex(&sealed));

    let lens = [0, 1, 9, 100, 1_000, 1_025, 16_384, 1 << 20, (1 << 30) + 1];
    let lines = lens.map(|len| format!("{len} {}", padme(len)));
    all.insert("padme", lines.join("\n"));

    let vault = signers().vault();
    let kind = meta().kind;
    let context = BodyContext {
        vault: &vault,
        record: &RECORD,
        version: &VERSION,
        kind: &kind,
    };
    all.insert("body-context", hex(&context.bytes("body")));
    let key = device();
    let draft = HeaderDraft {
        vault,
        record: RECORD,
        version: VERSION,
        prev: None,
        author: owner().public(),
        created: TIME,
        source: Some("a.json".into()),
        meta: meta(),
        key: &key,
    };
    let cek = SecretKey::from_bytes([0x55; 32]);
    let (_, sealed) = seal_packed(context, &cek, &draft, b"hello");
    let plain = open(cek.expose(), &context.bytes("body"), &sealed).unwrap();
    all.insert("body", hex(&plain));

    let lens = [0, 245_759, 245_760, 507_904, 1 << 20, 1 << 30, 1 << 40];
    let lines = lens.map(|len| {
        let (mut blocks, mut depth) = (vec![long::blocks_for(len)], 0);
        while blocks[depth] > long::TOP_MAX as u64 {
            blocks.push(long::blocks_for(blocks[depth] * 32));
            depth += 1;
        }
        format!("{len} {depth} {blocks:?}")
    });
    all.insert("long-bodies", lines.join("\n"));
}

fn grants(all: &mut Examples) {
    let vault = signers().vault();
    all.insert("page", hex(&IndexEntry::encode_page(&[entry()])));
    // {"b": 44…, "c": 1, "k": 66…, "n": 2000}
    let reference = [
        &b"\xa4\x61b\x58\x20"[..],
        &[0x44; 32],
        b"\x61c\x01\x61k\x58\x20",
        &[0x66; 32],
        b"\x61n\x19\x07\xd0",
    ]
    .concat();
    let read: PageRef = codec::decode(&reference, 200).unwrap();
    assert_eq!(read.block, Digest::from_bytes([0x44; 32]));
    all.insert("page-reference", hex(&reference));
    all.insert("root-context", hex(&root_context(&vault, &GRANT)));

    let draft = TermsDraft {
        vault,
        grant: GRANT,
        extent: Extent::Standing,
        scope: Scope {
            categories: [Category::Lab].into(),
            ..Scope::default()
        },
        purpose: Some("TREAT".parse().unwrap()),
        created: TIME,
        expires: None,
        delivery: Delivery::Carried,
        conditions: Conditions::default(),
        may_deposit: false,
        agents: Vec::new(),
    };
    let relation: Relation = codec::decode(&[&b"\x58\x20"[..], &[0x88; 32]].concat(), 34).unwrap();
    let tag = relation.reader_tag(&GRANT);
    all.insert("reader-tag", hex(tag.as_bytes()));
    let (_, terms) = Terms::sign(draft, vec![tag], &device());
    all.insert("terms", hex(&terms));

    let note = Note {
        deposit: DepositId::from_bytes([0xdd; 16]),
        vault,
        signers: signers(),
        signer: device().public(),
        message: Some("your results".into()),
        created: TIME,
        entries: vec![NoteEntry {
            record: RECORD,
            version: VERSION,
            kind: meta().kind,
            cek: entry().cek.plain().unwrap().clone(),
            location: entry().location,
        }],
    };
    all.insert("deposit-note", hex(&note.signed(&device())));

    let recipient = IdentityKey::from_seed(&[4; 32]);
    let key = SecretKey::from_bytes([0x77; 32]);
    let envelope = seal_grant_key(
        &vault,
        &GRANT,
        &key,
        &recipient.recipient(),
        &device(),
        None,
    );
    let payload = open_envelope(&recipient, &envelope.unwrap()).unwrap();
    all.insert("envelope-payload", hex(&payload));

    let pointer = Pointer {
        grant: GRANT,
        envelope: Digest::from_bytes([0x99; 32]),
        root: Digest::from_bytes([0xaa; 32]),
        root_len: 900,
    };
    all.insert("pointer", hex(&codec::encode(&pointer)));
    let tag_key = derive(&[0x88; 32], KeyPurpose::RelationTag);
    let mut mac = Hmac::<Sha256>::new_from_slice(tag_key.expose()).unwrap();
    mac.update(&9_u64.to_be_bytes());
    mac.update(&0_u32.to_be_bytes());
    let tag = &mac.finalize().into_bytes()[..16];
    let mut directory = Directory::new(vault, 9);
    directory.add(&relation, &[pointer]).unwrap();
    let blocks = directory.finish().unwrap();
    assert!(blocks[0].data().chunks(280).any(|row| row.starts_with(tag)));
    all.insert("directory-tag", hex(tag));
}

fn logs(all: &mut Examples) {
    let vault = signers().vault();
    let act = AuditEntry {
        index: 0,
        time: TIME,
        device: DeviceId::from_bytes([0xbb; 16]),
        act: Act::VaultCreated { serial: 7 },
    };
    let bytes = act.to_bytes();
    all.insert("audit-entry", hex(&bytes));
    let hash = leaf(&SecretKey::from_bytes([0xcc; 32]), 0, &bytes);
    all.insert("log-leaf", hex(hash.as_bytes()));
    let mut log = Appender::new();
    log.append(hash).unwrap();
    let origin = log_origin(&vault);
    let checkpoint = Checkpoint {
        origin: origin.clone(),
        size: log.size(),
        root: log.root(),
    };
    let signed = checkpoint.sign(&origin, device().dalek()).unwrap();
    let note = String::from_utf8(signed.as_bytes().to_vec()).unwrap();
    all.insert("checkpoint", note.trim_end().to_owned());
    let logged = Logged {
        entry: bytes,
        salt: *salt(&SecretKey::from_bytes([0xcc; 32]), 0),
        index: 0,
        inclusion: InclusionProof(Vec::new()),
        checkpoint: signed.as_bytes().to_vec(),
    };
    all.insert("log-salt", hex(&logged.salt));
    let proof = EntryProof::new(logged, signers()).to_text().unwrap();
    all.insert("entry-proof", proof.trim_end().to_owned());
    let request = Digest::of(b"request");
    let seen = Some((1, log.root()));
    let note = signed.as_bytes();
    let statement = LogStatement::sign(&vault, &request, seen, TIME, note, &device());
    all.insert("log-statement", hex(&statement));
    let evidence = Evidence::new(signers(), signed.clone(), None, Some(vec![hash]));
    let evidence = evidence.unwrap().to_text().unwrap();
    all.insert("evidence", evidence.trim_end().to_owned());

    let live = [Digest::of(b"a"), Digest::of(b"b")].into();
    let blocks = pins::write(&live).unwrap();
    all.insert("pin-shard", hex(blocks[0].data()));
    all.insert("pin-root", hex(blocks[1].data()));

    let body = HeadBody {
        v: 1,
        vault,
        signers: signers().as_bytes().to_vec(),
        signer: device().public(),
        seq: 1,
        time: TIME,
        valid_until: TIME + 30 * 24 * 3600,
        checkpoint: signed.as_bytes().to_vec(),
        log: vec![vec![Digest::of(hash.as_bytes())]],
        zero: ZeroPointer {
            envelopes: Digest::from_bytes([0xdd; 32]),
            envelopes_len: 8_264,
            root: Digest::from_bytes([0xee; 32]),
            root_len: 900,
        },
        directory: vec![Digest::from_bytes([0xff; 32])],
        pins: blocks[1].cid().digest(),
    };
    let head = Head::sign(&body, &device()).unwrap();
    all.insert("head", hex(head.block().data()));
}

fn names(all: &mut Examples) {
    let key = SigningKey::from_seed(&[3; 32]);
    let name = IpnsName::new(key.public());
    all.insert("ipns-name", format!("{name}\n{}", name.to_peer_id()));
    let head = Cid::new(Codec::DagCbor, Digest::of(b"head"));
    let record = IpnsRecord::sign(&key, head, 1, TIME);
    all.insert("ipns-data", hex(&record.data()));
    all.insert("ipns-record", hex(record.as_bytes()));
}

fn segment(all: &mut Examples) {
    let dir = tempfile::tempdir().unwrap();
    let store = CarStore::open(dir.path()).unwrap();
    let block = Block::new(Codec::Raw, b"hello".to_vec()).unwrap();
    store.put(std::slice::from_ref(&block)).unwrap();
    store.sync().unwrap();
    let file = dir.path().join("segment-00000001.car");
    all.insert("segment", hex(&std::fs::read(&file).unwrap()));
    assert_eq!(store.remove(&[block.cid()]).unwrap(), 1);
    let filler = Cid::raw(Digest::of(&[0; 5]));
    all.insert("filler", filler.to_string());
}

/// The document with every example's content replaced, and the examples as they stood in it.
fn walk(text: &str, all: &Examples) -> (String, BTreeMap<String, String>) {
    let (mut out, mut found) = (String::new(), BTreeMap::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        out += line;
        out.push('\n');
        let Some(name) = line.strip_prefix("```example ") else {
            continue;
        };
        let content: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let content = content.join("\n");
        out += all.get(name).unwrap_or(&content);
        out += "\n```\n";
        assert_eq!(found.insert(name.to_owned(), content), None, "{name} twice");
    }
    (out, found)
}

#[test]
fn every_example_of_the_specification_is_recomputed() {
    let mut all = Examples::new();
    keys(&mut all);
    sealing(&mut all);
    grants(&mut all);
    logs(&mut all);
    names(&mut all);
    segment(&mut all);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/SPEC.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (updated, found) = walk(&text, &all);
    if std::env::var_os("MEDVAULT_UPDATE_SPEC").is_some() {
        std::fs::write(&path, &updated).unwrap();
        return;
    }
    for (name, value) in &all {
        assert_eq!(found.get(*name), Some(value), "example {name}");
    }
    assert_eq!(found.len(), all.len(), "an example that is not computed");
}
