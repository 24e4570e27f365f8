//! What a sender may try. Everything is refused, and nothing is changed.

use super::note::{NoteEntry, seal_bytes};
use super::*;
use crate::block::{Block, Codec, Digest};
use crate::body::{BodyContext, FULL_BLOCK_LEN, HeaderDraft, Location, pad_to_class, seal_packed};
use crate::car::CarWriter;
use crate::identity::Device;
use crate::ids::{DepositId, RecordId, VersionId};
use crate::keys::{RecoveryWords, SecretKey, SigningKey};
use crate::record::RecordMeta;

/// A change that a forger makes.
type Change<'a, T> = Box<dyn Fn(&mut T) + 'a>;

/// A deposit that is put together by hand.
struct Forged<'a> {
    vault: VaultId,
    note_vault: VaultId,
    author: PublicKey,
    key: &'a SigningKey,
    note_key: &'a SigningKey,
    signers: crate::Signers,
    meta: RecordMeta,
    prev: Option<Digest>,
    /// Changes what the note says.
    note: Change<'a, Note>,
    /// Changes the blocks.
    blocks: Change<'a, Vec<Block>>,
}

impl<'a> Forged<'a> {
    fn new(s: &'a Scene) -> Self {
        let device = s.lab.vault.device();
        Self {
            vault: s.pat.vault.id(),
            note_vault: s.pat.vault.id(),
            author: *device.signers().owner(),
            key: device.signing(),
            note_key: device.signing(),
            signers: device.signers().clone(),
            meta: meta("forged", Category::Lab),
            prev: None,
            note: Box::new(|_| {}),
            blocks: Box::new(|_| {}),
        }
    }

    /// Two records side by side in one block.
    fn parcel(&self, s: &Scene) -> Result<Parcel<Cursor<Vec<u8>>>, DepositError> {
        let mut data = Vec::new();
        let mut entries = Vec::new();
        for i in 0..2_u8 {
            let (record, version) = (RecordId::random(), VersionId::random());
            let cek = SecretKey::random();
            let context = BodyContext {
                vault: &self.vault,
                record: &record,
                version: &version,
                kind: &self.meta.kind,
            };
            let draft = HeaderDraft {
                vault: self.vault,
                record,
                version,
                prev: self.prev,
                author: self.author,
                created: 1,
                source: None,
                meta: self.meta.clone(),
                key: self.key,
            };
            let (_, sealed) = seal_packed(context, &cek, &draft, &[i; 9]);
            entries.push(NoteEntry {
                record,
                version,
                kind: self.meta.kind.clone(),
                cek,
                location: Location::Packed {
                    block: Digest::from_bytes([0; 32]),
                    offset: data.len() as u32,
                    len: sealed.len() as u32,
                },
            });
            data.extend_from_slice(&sealed);
        }
        pad_to_class(&mut data);
        let block = Block::new(Codec::Raw, data).unwrap();
        for entry in &mut entries {
            if let Location::Packed { block: place, .. } = &mut entry.location {
                *place = block.cid().digest();
            }
        }
        let mut note = Note {
            deposit: DepositId::random(),
            vault: self.note_vault,
            signers: self.signers.clone(),
            signer: self.note_key.public(),
            message: None,
            created: 1,
            entries,
        };
        (self.note)(&mut note);
        let mut blocks = vec![block];
        (self.blocks)(&mut blocks);
        let signed = note.signed(self.note_key);
        let root = seal_bytes(&s.pat.vault.id(), &note.deposit, &signed, &s.target().key)?;
        Parcel::open(Cursor::new(car(&root, &blocks)))
    }

    /// The reason why it is refused; looking, taking and adding agree.
    fn refused(&self, s: &mut Scene, parcel: &Parcel<Cursor<Vec<u8>>>) -> String {
        let before = s.pat.vault.head().block().data().to_vec();
        let opened = s.pat.vault.open_deposit(parcel, &standard());
        let opened = opened.err().map(|e| e.to_string());
        let taken = s.pat.vault.accept_deposit(parcel, &standard());
        let taken = taken.err().map(|e| e.to_string());
        assert_eq!(opened, taken);
        assert_eq!(s.pat.vault.head().block().data(), before);
        assert!(s.pat.vault.records().unwrap().is_empty());
        opened.unwrap_or_else(|| "nothing".into())
    }
}

fn car(root: &Block, blocks: &[Block]) -> Vec<u8> {
    let mut car = CarWriter::new(Vec::new(), &[root.cid()]).unwrap();
    for block in std::iter::once(root).chain(blocks) {
        car.put(block).unwrap();
    }
    car.finish().unwrap()
}

/// Changes a forged deposit and sees what is said about it.
fn try_with(change: impl for<'a> FnOnce(&mut Forged<'a>)) -> String {
    let mut s = scene();
    // the scene is borrowed for the keys, so they are taken from a copy of the device
    let text = s.lab.vault.device().to_identity_text();
    let device = Device::from_identity_text(&text).unwrap();
    let parcel = {
        let mut forged = Forged::new(&s);
        change(&mut forged);
        match forged.parcel(&s) {
            Ok(parcel) => parcel,
            Err(error) => return error.to_string(),
        }
    };
    let forged = Forged {
        key: device.signing(),
        note_key: device.signing(),
        ..blank(&s, &device)
    };
    forged.refused(&mut s, &parcel)
}

fn blank<'a>(s: &Scene, device: &'a Device) -> Forged<'a> {
    Forged {
        vault: s.pat.vault.id(),
        note_vault: s.pat.vault.id(),
        author: *device.signers().owner(),
        key: device.signing(),
        note_key: device.signing(),
        signers: device.signers().clone(),
        meta: meta("forged", Category::Lab),
        prev: None,
        note: Box::new(|_| {}),
        blocks: Box::new(|_| {}),
    }
}

fn says(change: impl for<'a> FnOnce(&mut Forged<'a>), what: &str) {
    let said = try_with(change);
    assert!(said.contains(what), "{said:?} does not say {what:?}");
}

fn place(entry: &mut NoteEntry) -> (&mut Digest, &mut u32, &mut u32) {
    match &mut entry.location {
        Location::Packed { block, offset, len } => (block, offset, len),
        Location::Long { .. } => panic!("a packed entry"),
    }
}

#[test]
fn what_is_put_together_well_is_taken() {
    assert_eq!(try_taken(), 2);
}

fn try_taken() -> u64 {
    let mut s = scene();
    let parcel = Forged::new(&s).parcel(&s).unwrap();
    s.pat
        .vault
        .accept_deposit(&parcel, &standard())
        .unwrap()
        .records
}

#[test]
fn signatures_of_others_are_refused() {
    let eve = Device::for_new_vault(&RecoveryWords::generate(), 1);
    let patient = *eve.signers().owner();
    // as the patient, as anybody else
    says(|f| f.author = patient, "signed by someone else");
    // a note of a stranger
    let signers = eve.signers().clone();
    let said = try_with(|f| {
        let key: &'static SigningKey = Box::leak(Box::new(eve.signing().clone()));
        (f.note_key, f.key) = (key, key);
        (f.signers, f.author) = (signers, patient);
    });
    assert!(said.contains("not a contact"), "{said}");
    // the laboratory's list over a key that is not on it
    let said = try_with(|f| f.note_key = Box::leak(Box::new(SigningKey::random())));
    assert!(said.contains("does not verify"), "{said}");
    // a body by another key than the note
    let said = try_with(|f| f.key = Box::leak(Box::new(SigningKey::random())));
    assert!(said.contains("signed by someone else"), "{said}");
}

#[test]
fn other_vaults_and_versions_are_refused() {
    let other = VaultId::from_bytes([8; 32]);
    says(|f| f.vault = other, "sealed body");
    says(|f| f.note_vault = other, "for someone else");
    says(
        |f| f.prev = Some(Digest::of(b"x")),
        "version of another record",
    );
    says(
        |f| f.meta.origin = Some(RecordId::random()),
        "come from another record",
    );
}

#[test]
fn lying_notes_are_refused() {
    says(
        |f| f.note = Box::new(|n| n.entries.clear()),
        "holds no record",
    );
    let twice = |n: &mut Note| n.entries[1].record = n.entries[0].record;
    says(|f| f.note = Box::new(twice), "there twice");
    let twice = |n: &mut Note| n.entries[1].version = n.entries[0].version;
    says(|f| f.note = Box::new(twice), "there twice");
    let overlap = |n: &mut Note| *place(&mut n.entries[1]).1 -= 1;
    says(|f| f.note = Box::new(overlap), "overlaps");
    let far = |n: &mut Note| *place(&mut n.entries[1]).1 = u32::MAX;
    says(|f| f.note = Box::new(far), "not in the block");
    let long = |n: &mut Note| *place(&mut n.entries[1]).2 = u32::MAX;
    says(|f| f.note = Box::new(long), "not in the block");
    let short = |n: &mut Note| *place(&mut n.entries[1]).2 -= 1;
    says(|f| f.note = Box::new(short), "sealed body");
    let outside = |n: &mut Note| *place(&mut n.entries[0]).0 = Digest::of(b"elsewhere");
    says(|f| f.note = Box::new(outside), "not in the deposit");
    let key = |n: &mut Note| n.entries[0].cek = SecretKey::random();
    says(|f| f.note = Box::new(key), "sealed body");
    let kind = |n: &mut Note| n.entries[0].kind = "Patient".parse().unwrap();
    says(|f| f.note = Box::new(kind), "sealed body");
    let unclean = |n: &mut Note| n.message = Some("a\u{1b}[2J".into());
    says(|f| f.note = Box::new(unclean), "canonical");
    let endless = |n: &mut Note| n.message = Some("x".repeat(501));
    says(|f| f.note = Box::new(endless), "canonical");
    for (len, depth) in [
        (u64::MAX, 0),
        (1 << 51, 3),
        (400_000, 0),
        (1, 0),
        (20_000, 9),
    ] {
        let lie = move |n: &mut Note| {
            let top = vec![*place(&mut n.entries[0]).0];
            n.entries[0].location = Location::Long { len, depth, top };
        };
        let said = try_with(|f| f.note = Box::new(lie));
        let known = ["longer than the deposit", "malformed", "sealed body"];
        assert!(
            known.iter().any(|what| said.contains(what)),
            "{len} {depth}: {said}"
        );
    }
}

#[test]
fn notes_with_too_much_are_refused() {
    let many = |n: &mut Note| {
        let one = n.entries[0].clone();
        n.entries.resize(10_001, one);
    };
    let said = try_with(|f| f.note = Box::new(many));
    assert!(
        said.contains("malformed") || said.contains("at most"),
        "{said}"
    );
    let far_more = |n: &mut Note| {
        let one = n.entries[0].clone();
        n.entries.resize(30_000, one);
    };
    says(|f| f.note = Box::new(far_more), "at most 10000 records");
}

#[test]
fn only_the_blocks_of_its_records_are_in_a_parcel() {
    let more = |len: usize| {
        let data: Vec<u8> = (0..len).map(|i| (i % 255) as u8 + 1).collect();
        Block::new(Codec::Raw, data).unwrap()
    };
    let sorted = |blocks: &mut Vec<Block>| blocks.sort_by_key(|b| b.cid().digest());
    let stowaway = move |blocks: &mut Vec<Block>| {
        blocks.push(more(FULL_BLOCK_LEN));
        sorted(blocks);
    };
    says(|f| f.blocks = Box::new(stowaway), "belongs to no record");
    let odd = move |blocks: &mut Vec<Block>| blocks.push(more(1000));
    says(|f| f.blocks = Box::new(odd), "no body block");
    let twice = |blocks: &mut Vec<Block>| blocks.push(blocks[0].clone());
    says(|f| f.blocks = Box::new(twice), "out of order");
    says(|f| f.blocks = Box::new(Vec::clear), "not in the deposit");
    let head = |blocks: &mut Vec<Block>| {
        blocks.push(Block::new(Codec::DagCbor, vec![0xa0]).unwrap());
    };
    says(|f| f.blocks = Box::new(head), "no body block");
}

#[test]
fn every_altered_byte_is_noticed() {
    let mut s = scene();
    let deposit = s.deposit(2, 0);
    let file = s.file(&deposit);
    let step = 97;
    for at in (0..file.len()).step_by(step).chain(0..120) {
        let mut altered = file.clone();
        altered[at] ^= 1;
        let Ok(parcel) = Parcel::open(Cursor::new(altered)) else {
            continue;
        };
        let opened = s.pat.vault.open_deposit(&parcel, &standard());
        assert!(opened.is_err(), "byte {at}");
    }
    for cut in (0..file.len()).step_by(step) {
        let cut = Parcel::open(Cursor::new(file[..cut].to_vec()));
        assert!(cut.is_err() || cut.is_ok_and(|p| p.blocks() == 0));
    }
    assert!(s.pat.vault.records().unwrap().is_empty());
}

/// A long body is looked at from the outside; what is wrong within is found before it is taken.
#[test]
fn a_long_body_that_is_wrong_within_is_never_taken() {
    let mut s = scene();
    let content = long(2_000_000);
    let mut maker = s.maker();
    let mut stream = &content[..];
    let about = meta("scan", Category::Imaging);
    maker
        .add(about, None, Content::Stream(&mut stream))
        .unwrap();
    let deposit = maker.finish(None).unwrap();
    // the same note over a parcel that lacks a block
    let file = s.file(&deposit);
    let mut reader = crate::CarReader::new(&file[..]).unwrap();
    let mut blocks: Vec<Block> = reader
        .by_ref()
        .map(|section| match section.unwrap() {
            crate::CarSection::Block(block) => block,
            other => panic!("{other:?}"),
        })
        .collect();
    let root = blocks.remove(0);
    for missing in 0..blocks.len() {
        let mut fewer = blocks.clone();
        fewer.remove(missing);
        let parcel = Parcel::open(Cursor::new(car(&root, &fewer))).unwrap();
        assert!(s.pat.vault.open_deposit(&parcel, &standard()).is_err());
        assert!(s.pat.vault.accept_deposit(&parcel, &standard()).is_err());
    }
    assert!(s.pat.vault.records().unwrap().is_empty());
}

#[test]
fn a_device_that_was_replaced_deposits_no_more() {
    let mut s = scene();
    let parcel = s.parcel(&s.deposit(1, 0));
    let time = now(&s.lab) + 1000;
    s.lab.time.store(time, Ordering::Relaxed);
    let after = recovered(&s.lab);
    let card = after.device().card("lab").unwrap();
    s.pat.vault.add_contact("lab", &card).unwrap();
    let refused = s.pat.vault.open_deposit(&parcel, &standard());
    assert!(matches!(refused, Err(DepositError::Replaced)));
}

/// A block of two deposits would be deleted with the records of one of them.
#[test]
fn a_block_that_the_vault_has_already_is_refused() {
    use std::cell::RefCell;
    let mut s = scene();
    let (entry, kept) = (RefCell::new(None), RefCell::new(Vec::new()));
    let (first, second) = {
        let mut forged = Forged::new(&s);
        forged.note = Box::new(|note| *entry.borrow_mut() = note.entries.pop());
        forged.blocks = Box::new(|blocks| kept.borrow_mut().clone_from(blocks));
        let first = forged.parcel(&s).unwrap();
        forged.note = Box::new(|note| note.entries = entry.borrow().iter().cloned().collect());
        forged.blocks = Box::new(|blocks| blocks.clone_from(&kept.borrow()));
        (first, forged.parcel(&s).unwrap())
    };
    s.pat.vault.accept_deposit(&first, &standard()).unwrap();
    let before = s.pat.vault.head().block().data().to_vec();
    let refused = s.pat.vault.accept_deposit(&second, &standard());
    assert!(matches!(
        refused,
        Err(DepositError::NotAParcel(
            "a block of it is in the vault already"
        ))
    ));
    assert_eq!(s.pat.vault.head().block().data(), before);
}
