//! One entry for every decoder of bytes that come from outside: what a file, a disk, a peer or a
//! contact may hand over. Built only with the feature `fuzzing` and for tests.
//!
//! An entry takes any bytes and must return; a panic is a fault. Where bytes count only under a
//! signature or a seal, the entry also signs or seals them with keys everyone knows, so that the
//! decoder behind is reached.

use std::path::PathBuf;
use std::sync::LazyLock;

use crate::audit::{
    AuditEntry, EntryProof, Evidence, LogStatement, Logged, SealedEntry, check_fork,
};
use crate::block::{Block, Cid, Codec, Digest};
use crate::body::long::LongReader;
use crate::body::{BodyContext, Location, open_packed};
use crate::car::{CarReader, CarSection, CarWriter};
use crate::codec;
use crate::deposit::{Announcement, DepositReceipt, DepositTicket, Note, Parcel};
use crate::envelope::{
    IdentityKey, RecipientKey, decrypt_with, decrypt_with_passphrase, open_envelope, seal_envelope,
};
use crate::grant::{
    BlockReaders, Directory, Ends, GrantRoot, Pointer, Relation, Terms, Ticket, join_qr_parts,
    open_grant_key, qr_parts,
};
use crate::head::{Head, HeadBody};
use crate::identity::{Card, Device, Signers};
use crate::ids::{DepositId, GrantId, RecordId, VaultId, VersionId};
use crate::index::{IndexEntry, Item};
use crate::ipns::{self, IpnsName, IpnsRecord};
use crate::keys::{Namespace, PublicKey, RecoveryWords, SecretKey, Signed, SigningKey};
use crate::log::{Checkpoint, LogProof, SignedCheckpoint, TreeHash};
use crate::reader::Following;
use crate::record::{self, ClinicalDate, Kind};
use crate::seal::{open, seal};
use crate::store::{BlockStore, CarStore, MemoryStore};
use crate::vault::Receipt;

mod access;

/// An entry and its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every entry.
pub const TARGETS: &[Target] = &[
    ("head", head),
    ("signers", signers),
    ("card", card),
    ("agent_address", access::agent_address),
    ("identity", identity),
    ("texts", texts),
    ("ticket", ticket),
    ("terms", terms),
    ("receipt", receipt),
    ("block_access", block_access),
    ("access_message", access::access_message),
    ("access_reply", access::access_reply),
    ("agent_certificate", access::agent_certificate),
    ("grant_key", grant_key),
    ("grant_root", grant_root),
    ("directory", directory),
    ("index_page", index_page),
    ("audit_entry", audit_entry),
    ("following", following),
    ("pin_set", pin_set),
    ("envelope", envelope),
    ("stream", stream),
    ("body", body),
    ("long_body", long_body),
    ("checkpoint", checkpoint),
    ("car", car),
    ("car_store", car_store),
    ("record", record),
    ("ipns_record", ipns_record),
    ("log_proof", log_proof),
    ("logged_entry", logged_entry),
    ("log_statement", log_statement),
    ("evidence", evidence),
    ("deposit_note", deposit_note),
    ("deposit_parcel", deposit_parcel),
    ("deposit_words", deposit_words),
];

/// Runs one entry by its name; names that are not in [`TARGETS`] do nothing.
pub fn run(name: &str, bytes: &[u8]) {
    if let Some((_, target)) = TARGETS.iter().find(|(known, _)| *known == name) {
        target(bytes);
    }
}

/// Owner key of everything that an entry signs.
pub(crate) fn owner() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

/// Device key of everything that an entry signs.
pub(crate) fn device() -> SigningKey {
    SigningKey::from_seed(&[2; 32])
}

/// The list that admits [`device`].
pub(crate) fn known_signers() -> Signers {
    Signers::new(&owner(), 7, vec![device().public()], vec![])
}

/// Owner key of the reader to whom things are sealed.
pub(crate) fn reader_owner() -> PublicKey {
    SigningKey::from_seed(&[14; 32]).public()
}

/// The reader to whom things are sealed.
pub(crate) fn reader() -> IdentityKey {
    IdentityKey::from_seed(&[5; 32])
}

const KEY: [u8; 32] = [9; 32];
const CONTEXT: &[u8] = b"fuzz";

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn head(bytes: &[u8]) {
    if let Ok(head) = Head::from_bytes(bytes) {
        assert_eq!(head.block().data(), bytes);
    }
    let pins = codec::decode::<HeadBody>(bytes, bytes.len()).map(|body| body.pins);
    let pins = pins.unwrap_or(Digest::from_bytes([0; 32]));
    let _ = Head::from_bytes(&Head::sign_raw(bytes, pins, &device()));
}

fn signers(bytes: &[u8]) {
    for wire in [
        bytes,
        &Signed::raw(bytes, Namespace::Signers, &owner()) as &[u8],
    ] {
        if let Ok(list) = Signers::from_bytes(wire) {
            assert_eq!(list.as_bytes(), wire);
        }
    }
}

fn card(bytes: &[u8]) {
    let _ = Card::from_text(text(bytes));
    for wire in [
        bytes,
        &Signed::raw(bytes, Namespace::Card, &device()) as &[u8],
    ] {
        if let Ok(card) = Card::from_bytes(wire) {
            assert_eq!(Card::from_text(&card.to_text()).as_ref(), Ok(&card));
        }
    }
}

fn identity(bytes: &[u8]) {
    let line = data_encoding::BASE64_NOPAD.encode(bytes);
    for text in [text(bytes), &format!("# medvault-device: {line}\n")] {
        if let Ok(device) = Device::from_identity_text(text) {
            let again = Device::from_identity_text(&device.to_identity_text());
            assert!(again.is_ok_and(|again| again.id() == device.id()));
        }
    }
}

/// The short texts that a person types or pastes.
fn texts(bytes: &[u8]) {
    let text = text(bytes);
    let _ = RecoveryWords::parse(text);
    let _ = IdentityKey::from_text(text);
    if let Ok(key) = text.parse::<RecipientKey>() {
        assert_eq!(key.to_string().parse::<RecipientKey>().as_ref(), Ok(&key));
    }
    if let Ok(id) = text.parse::<RecordId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Ok(cid) = text.parse::<Cid>() {
        assert_eq!(cid.to_string().parse(), Ok(cid));
    }
    if let Ok(cid) = Cid::from_bytes(bytes) {
        assert_eq!(cid.to_bytes()[..], *bytes);
    }
    if let Ok(date) = text.parse::<ClinicalDate>() {
        let _ = date.to_day();
        let _ = date.overlaps(Some(&date), Some(&date));
    }
    let _ = join_qr_parts(text.lines());
    if let Ok(parts) = qr_parts(text, 40) {
        let joined = join_qr_parts(parts.iter().map(String::as_str));
        assert_eq!(joined, Ok(Some(text.to_owned())));
    }
}

fn ticket(bytes: &[u8]) {
    static DEVICE: LazyLock<Device> =
        LazyLock::new(|| Device::for_new_vault(&RecoveryWords::generate(), 1));
    let _ = Ticket::open(text(bytes), &DEVICE, 0);
    let signed = Signed::raw(bytes, Namespace::Ticket, &device());
    for wire in [bytes, &signed] {
        let _ = Ticket::from_payload(wire, &reader_owner(), 0);
    }
}

fn terms(bytes: &[u8]) {
    let signers = known_signers();
    let _ = Terms::from_bytes(bytes, &signers);
    let wire = Signed::raw(bytes, Namespace::Terms, &device());
    if let Ok(terms) = Terms::from_bytes(&wire, &signers) {
        assert_eq!(codec::encode(&terms), bytes);
    }
}

fn receipt(bytes: &[u8]) {
    let signers = known_signers();
    let _ = Receipt::from_bytes(bytes, &signers);
    let _ = Receipt::from_bytes(&Signed::raw(bytes, Namespace::Receipt, &device()), &signers);
}

fn block_access(bytes: &[u8]) {
    let signers = known_signers();
    let ends = Ends {
        server: PublicKey::from_bytes([3; 32]),
        client: PublicKey::from_bytes([4; 32]),
    };
    let mut readers = BlockReaders::new(VaultId::from_bytes([3; 32]));
    readers.admit(&signers);
    let signed = Signed::raw(bytes, Namespace::BlockAccess, &device());
    for statement in [bytes, &signed] {
        if let Ok(reader) = readers.check(statement, &ends, 1_790_000_000) {
            assert_eq!(reader.owner(), signers.owner());
        }
    }
}

fn grant_key(bytes: &[u8]) {
    let signers = known_signers();
    let (reader, grant) = (reader(), GrantId::from_bytes([3; 16]));
    let _ = open_grant_key(bytes, &reader, &grant, &signers);
    let signed = Signed::raw(bytes, Namespace::Envelope, &device());
    for payload in [bytes, &signed] {
        if let Ok(envelope) = seal_envelope(&reader.recipient(), payload) {
            let _ = open_grant_key(&envelope, &reader, &grant, &signers);
        }
    }
}

fn grant_root(bytes: &[u8]) {
    let _ = codec::decode::<GrantRoot>(bytes, bytes.len());
    let _ = codec::decode::<Pointer>(bytes, bytes.len());
}

fn directory(bytes: &[u8]) {
    let vault = VaultId::from_bytes([1; 32]);
    let Ok(relation) = codec::decode::<Relation>(&codec::encode(&SecretKey::from_bytes(KEY)), 64)
    else {
        return;
    };
    let blocks: Vec<Block> = bytes
        .chunks(8 * 280)
        .filter_map(|part| Block::new(Codec::Raw, part.to_vec()).ok())
        .collect();
    let _ = Directory::find(&vault, 3, &relation, &blocks);
}

fn index_page(bytes: &[u8]) {
    if let Ok(entries) = IndexEntry::decode_page(bytes) {
        let again = IndexEntry::decode_page(&IndexEntry::encode_page(&entries));
        assert_eq!(again.as_ref(), Ok(&entries));
    }
}

fn audit_entry(bytes: &[u8]) {
    if let Ok(entry) = AuditEntry::from_bytes(bytes) {
        assert_eq!(entry.to_bytes(), bytes);
    }
    let _ = SealedEntry::decode_page(bytes);
    let _ = TreeHash::split(bytes);
}

fn following(bytes: &[u8]) {
    if let Ok(following) = codec::decode::<Following>(bytes, bytes.len()) {
        let _ = following.seq();
    }
}

fn pin_set(bytes: &[u8]) {
    let store = MemoryStore::new();
    let (root, shard) = bytes.split_at(bytes.len().min(44));
    let blocks: Vec<Block> = [root, shard, bytes]
        .iter()
        .filter_map(|part| Block::new(Codec::DagCbor, part.to_vec()).ok())
        .collect();
    if store.put(&blocks).is_ok() {
        for block in &blocks {
            let _ = crate::pins::read(&store, &block.cid());
        }
    }
}

fn envelope(bytes: &[u8]) {
    let reader = reader();
    let _ = open_envelope(&reader, bytes);
    let _ = decrypt_with(&reader, bytes, 1 << 16);
    let _ = decrypt_with_passphrase(bytes, &"words".into(), 2);
}

fn stream(bytes: &[u8]) {
    let _ = open(&KEY, CONTEXT, bytes);
    let sealed = seal(&KEY, CONTEXT, bytes);
    assert!(open(&KEY, CONTEXT, &sealed).is_ok_and(|plain| plain == bytes));
}

fn with_body_context(test: impl FnOnce(BodyContext<'_>, &SecretKey)) {
    if let Ok(kind) = Kind::new("Observation") {
        let context = BodyContext {
            vault: &VaultId::from_bytes([1; 32]),
            record: &RecordId::from_bytes([2; 16]),
            version: &VersionId::from_bytes([3; 16]),
            kind: &kind,
        };
        test(context, &SecretKey::from_bytes(KEY));
    }
}

fn body(bytes: &[u8]) {
    with_body_context(|context, cek| {
        let _ = open_packed(context, cek, bytes);
        let sealed = seal(cek.expose(), &context.bytes("body"), bytes);
        let _ = open_packed(context, cek, &sealed);
        let header = Signed::raw(bytes, Namespace::RecordHeader, &device());
        let mut plain = (header.len() as u32).to_be_bytes().to_vec();
        plain.extend_from_slice(&(8 + header.len() as u32).to_be_bytes());
        plain.extend_from_slice(&header);
        let sealed = seal(cek.expose(), &context.bytes("body"), &plain);
        let _ = open_packed(context, cek, &sealed);
    });
}

/// Length and depth as an index may claim them, over blocks of any content.
fn long_body(bytes: &[u8]) {
    let Some((front, data)) = bytes.split_first_chunk::<10>() else {
        return;
    };
    let mut len = [0; 8];
    len.copy_from_slice(&front[..8]);
    with_body_context(|context, cek| {
        let blocks: Vec<Block> = data
            .chunks(1 << 14)
            .filter_map(|part| Block::new(Codec::Raw, part.to_vec()).ok())
            .collect();
        let store = MemoryStore::new();
        let _ = store.put(&blocks);
        let mut top: Vec<Digest> = blocks.iter().map(|block| block.cid().digest()).collect();
        top.truncate(usize::from(front[9] % 40));
        let location = Location::Long {
            len: u64::from_be_bytes(len),
            depth: front[8],
            top,
        };
        if let Ok(reader) = LongReader::open(context, cek, &location, &store) {
            let _ = reader.read(0, 100);
        }
    });
}

fn checkpoint(bytes: &[u8]) {
    if let Ok(signed) = SignedCheckpoint::parse(bytes) {
        assert_eq!(signed.as_bytes(), bytes);
        let parsed = Checkpoint::from_text(&signed.unverified().to_text());
        assert_eq!(parsed.as_ref(), Ok(signed.unverified()));
    }
    let _ = Checkpoint::from_text(text(bytes));
}

fn log_proof(bytes: &[u8]) {
    if let Ok(proof) = LogProof::parse(text(bytes)) {
        assert_eq!(proof.to_text(), text(bytes));
    }
    if let Ok(proof) = EntryProof::parse(text(bytes)) {
        assert!(proof.to_text().is_ok_and(|again| again == text(bytes)));
        let _ = proof.verify(&known_signers().vault());
    }
}

fn logged_entry(bytes: &[u8]) {
    if let Ok(logged) = codec::decode::<Logged>(bytes, bytes.len()) {
        let _ = logged.verify(&known_signers());
    }
}

fn log_statement(bytes: &[u8]) {
    let signers = known_signers();
    for wire in [
        bytes,
        &Signed::raw(bytes, Namespace::LogStatement, &device()) as &[u8],
    ] {
        if let Ok(statement) = LogStatement::from_bytes(wire, &signers) {
            assert_eq!(statement.as_bytes(), wire);
        }
    }
}

fn evidence(bytes: &[u8]) {
    if let Ok(evidence) = Evidence::parse(text(bytes)) {
        let again = evidence.to_text().map(|text| Evidence::parse(&text));
        assert!(again.is_ok_and(|again| again.is_ok_and(|again| again == evidence)));
        let _ = check_fork(&evidence, &evidence);
    }
}

/// What a CAR reads as, it reads as again when it is written anew.
fn car(bytes: &[u8]) {
    let Ok(mut reader) = CarReader::new(bytes) else {
        return;
    };
    let roots = reader.roots().to_vec();
    let Ok(mut writer) = CarWriter::new(Vec::new(), &roots) else {
        return;
    };
    let mut blocks = Vec::new();
    for section in reader.by_ref().flatten() {
        if let CarSection::Block(block) = section {
            assert!(writer.put(&block).is_ok());
            blocks.push(block);
        }
    }
    assert!(reader.bytes_read() <= bytes.len() as u64 && reader.next().is_none());
    let again = writer.finish().unwrap_or_default();
    let again = CarReader::new(&again[..]).map(|reader| {
        assert_eq!(reader.roots(), roots);
        reader.map_while(Result::ok).collect::<Vec<_>>()
    });
    let blocks: Vec<_> = blocks.into_iter().map(CarSection::Block).collect();
    assert!(again.is_ok_and(|again| again == blocks));
}

fn ipns_record(bytes: &[u8]) {
    let name = IpnsName::new(owner().public());
    if let Ok(record) = IpnsRecord::from_bytes(bytes, &name, 0) {
        assert_eq!(record.as_bytes(), bytes);
    }
    let _ = IpnsRecord::from_bytes(&ipns::sign_raw(bytes, &owner()), &name, 0);
    if let Ok(name) = text(bytes).parse::<IpnsName>() {
        assert_eq!(name.to_string().parse(), Ok(name));
    }
}

/// A note, and the signed part of one.
fn deposit_note(bytes: &[u8]) {
    let (vault, deposit) = (VaultId::from_bytes([3; 32]), DepositId::from_bytes([3; 16]));
    let open = |block: &Block| {
        let _ = Note::claimed(block);
        Note::open(block, &vault, &[&reader()])
    };
    if let Ok(block) = Block::new(Codec::DagCbor, bytes.to_vec()) {
        let _ = open(&block);
    }
    let signed = Signed::raw(bytes, Namespace::Deposit, &device());
    if let Ok(note) = Note::from_signed(&signed, &vault, &deposit) {
        let again = Note::from_signed(&note.signed(&device()), &vault, &deposit);
        assert!(again.is_ok_and(|again| again == note));
        let sealed = note.seal(&device(), &reader().recipient());
        assert!(sealed.is_ok_and(|block| open(&block).is_ok_and(|again| again == note)));
    }
}

/// A parcel, and a note by a known device over blocks of any content.
fn deposit_parcel(bytes: &[u8]) {
    if let Ok(parcel) = Parcel::open(std::io::Cursor::new(bytes)) {
        assert_eq!(parcel.bytes(), bytes.len() as u64);
        let _ = Note::open(parcel.note(), &VaultId::from_bytes([3; 32]), &[&reader()]);
    }
}

/// Announcement, receipt, answer, the inside of a ticket.
fn deposit_words(bytes: &[u8]) {
    let vault = known_signers().vault();
    let ends = Ends {
        server: PublicKey::from_bytes([3; 32]),
        client: PublicKey::from_bytes([4; 32]),
    };
    let offer = Signed::raw(bytes, Namespace::DepositOffer, &device());
    let receipt = Signed::raw(bytes, Namespace::DepositReceipt, &device());
    for wire in [bytes, &offer, &receipt] {
        for ends in [None, Some(&ends)] {
            if let Ok(announced) = Announcement::read(wire, &vault, ends, 1_790_000_000) {
                assert_eq!(announced.vault, vault);
            }
        }
        if let Ok(receipt) = DepositReceipt::from_bytes(wire, &vault) {
            assert_eq!(receipt.bytes, wire);
        }
        let _ = crate::deposit::parse_answer(wire);
        let _ = DepositTicket::from_payload(wire, &vault);
    }
}

/// A folder for one run of [`car_store`].
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The first byte says whether the bytes are a segment or the index beside an empty one.
fn car_store(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else {
        return;
    };
    let name = data_encoding::HEXLOWER.encode(&crate::random::array::<12>());
    let folder = Folder(std::env::temp_dir().join(format!("medvault-fuzz-{name}")));
    let write = |file: &str, bytes: &[u8]| std::fs::write(folder.0.join(file), bytes);
    let (segment, index): (&[u8], &[u8]) = match choice % 3 {
        0 => (bytes, &[]),
        1 => (b"\x11\xa2eroots\x80gversion\x01", bytes),
        _ => bytes.split_at(bytes.len() / 2),
    };
    let written = std::fs::create_dir(&folder.0)
        .and_then(|()| write("segment-00000001.car", segment))
        .and_then(|()| match index {
            [] => Ok(()),
            index => write("segment-00000001.idx", index),
        });
    let (Ok(()), Ok(store)) = (written, CarStore::open(&folder.0)) else {
        return;
    };
    for cid in store.list().unwrap_or_default() {
        if let Ok(Some(block)) = store.get(&cid) {
            assert!(Block::verify(cid, block.into_data()).is_ok());
        }
    }
    let Ok(block) = Block::new(Codec::Raw, b"a new block".to_vec()) else {
        return;
    };
    let cid = block.cid();
    if store.put(&[block]).is_ok() && store.sync().is_ok() {
        assert!(matches!(store.get(&cid), Ok(Some(_))));
        let again = CarStore::open(&folder.0).and_then(|again| again.get(&cid));
        assert!(matches!(again, Ok(Some(_))));
        assert!(store.remove(&[cid]).is_ok());
        assert!(matches!(store.get(&cid), Ok(None)));
    }
}

/// The first byte chooses the file's name.
fn record(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else {
        return;
    };
    let names = ["a.json", "b.ndjson", "c.xml", "d.dcm", "../e\u{202e}.txt"];
    let name = names[usize::from(*choice) % names.len()];
    let import = record::read(bytes, name);
    for item in &import.items {
        assert!(bytes.get(item.range.clone()).is_some());
        let meta = codec::encode(&item.meta);
        assert_eq!(codec::decode(&meta, meta.len()).as_ref(), Ok(&item.meta));
    }
    let _ = record::read_line(bytes, 1);
    let _ = record::sniff(bytes, name, Some(bytes.len() as u64));
    let streamed: std::io::Result<()> = record::BundleReader::new(bytes, name).read(|found| {
        if let record::Streamed::Piece(piece) = found {
            let start = piece.start as usize;
            let there = bytes.get(start..start + piece.bytes.len());
            assert_eq!(there, Some(&piece.bytes[..]));
        }
        Ok(())
    });
    assert!(streamed.is_ok());
}

#[cfg(test)]
mod tests;
