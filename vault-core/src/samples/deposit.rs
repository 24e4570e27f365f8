//! One of everything that a deposit is made of.

use super::{TIME, node, vault};
use crate::block::Digest;
use crate::body::Location;
use crate::deposit::{Announcement, DepositTicket, Note, NoteEntry, Receipt};
use crate::fuzzing::{device, known_signers, reader};
use crate::grant::Ends;
use crate::ids::{DepositId, RecordId, VaultId, VersionId};
use crate::keys::SecretKey;

fn deposit() -> DepositId {
    DepositId::from_bytes([3; 16])
}

/// The signed part of a deposit's note, with a packed and a long record.
pub(crate) fn deposit_note() -> Note {
    let kind: crate::Kind = "Observation".parse().unwrap();
    let entry = |at: u8, location| NoteEntry {
        record: RecordId::from_bytes([at; 16]),
        version: VersionId::from_bytes([at + 1; 16]),
        kind: kind.clone(),
        cek: SecretKey::from_bytes([at + 2; 32]),
        location,
    };
    let packed = Location::Packed {
        block: Digest::of(b"pack"),
        offset: 4000,
        len: 4321,
    };
    let long = Location::Long {
        len: 300_000,
        depth: 0,
        top: vec![Digest::of(b"first"), Digest::of(b"second")],
    };
    Note {
        deposit: deposit(),
        vault: VaultId::from_bytes([3; 32]),
        signers: known_signers(),
        signer: device().public(),
        message: Some("your results".into()),
        created: TIME,
        entries: vec![entry(21, packed), entry(31, long)],
    }
}

fn announcement() -> Announcement {
    Announcement {
        vault: vault(),
        deposit: deposit(),
        bytes: 34_567,
        digest: Digest::of(b"parcel"),
        time: TIME,
        signers: known_signers(),
    }
}

/// An announcement on a connection, one in a ticket, and a receipt.
pub(crate) fn deposit_words() -> [Vec<u8>; 3] {
    let ends = Ends {
        server: crate::PublicKey::from_bytes([3; 32]),
        client: crate::PublicKey::from_bytes([4; 32]),
    };
    let receipt = Receipt {
        vault: vault(),
        deposit: deposit(),
        digest: Digest::of(b"parcel"),
        time: TIME,
    };
    [
        announcement().sign(&device(), Some(&ends)),
        announcement().sign(&device(), None),
        receipt.sign(&known_signers(), &device()),
    ]
}

/// What is inside a deposit's ticket.
pub(crate) fn deposit_ticket() -> Vec<u8> {
    let [_, announcement, _] = deposit_words();
    DepositTicket::payload(Digest::of(b"note"), &node(), announcement)
}

/// A parcel of one block.
pub(crate) fn deposit_parcel() -> Vec<u8> {
    let note = deposit_note()
        .seal(&device(), &reader().recipient())
        .unwrap();
    let data = vec![7; crate::seal::SEALED_CHUNK_LEN];
    let block = crate::Block::new(crate::Codec::Raw, data).unwrap();
    let mut car = crate::CarWriter::new(Vec::new(), &[note.cid()]).unwrap();
    car.put(&note).unwrap();
    car.put(&block).unwrap();
    car.finish().unwrap()
}
