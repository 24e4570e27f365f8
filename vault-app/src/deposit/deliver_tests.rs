//! A delivery from end to end, with a pipe in the place of the network.

use std::sync::Arc;

use vault_core::{
    Admission, Content, DepositLimit, DepositMaker, DepositRefusal, DepositTarget, Home,
    MemoryStorage, MemoryStore, PublicKey, RecordMeta, RecoveryWords, StorageError, Vault,
    WaitingDeposits, system_clock,
};

use super::*;
use crate::error::Exit;

const ENDS: Ends = Ends {
    server: PublicKey::from_bytes([4; 32]),
    client: PublicKey::from_bytes([5; 32]),
};

fn vault(name: &str) -> Vault {
    let device = Device::for_new_vault(&RecoveryWords::generate(), 1);
    let storage = Arc::new(MemoryStorage::new());
    Vault::create(storage, Arc::new(device), name, system_clock()).unwrap()
}

/// What the patient's node does.
fn receive(
    patient: &mut Vault,
    waiting: &WaitingDeposits,
    announcement: &[u8],
    parcel: &mut dyn Read,
) -> Vec<u8> {
    match patient.admit_deposit(announcement, &ENDS, waiting) {
        Admission::Answer(answer) => answer,
        Admission::Take(mut incoming) => {
            let len = incoming.len();
            std::io::copy(&mut parcel.take(len), &mut incoming).unwrap();
            patient.finish_deposit(*incoming, waiting)
        }
    }
}

#[test]
fn a_deposit_is_announced_streamed_and_confirmed() {
    let (mut patient, lab) = (vault("Pat"), vault("Lab"));
    let card = lab.device().card("Lab").unwrap();
    patient.add_contact("lab", &card).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let home = Home::create(&folder.path().join("h"), |_| Ok::<_, StorageError>(()));
    let home = Arc::new(home.unwrap().0);
    let waiting = WaitingDeposits::open(home, patient.device()).unwrap();

    let target = DepositTarget::of_card(&patient.device().card("Pat").unwrap()).unwrap();
    let store = MemoryStore::new();
    let mut maker = DepositMaker::new(lab.device(), target, &store, time::now());
    let content = Content::Bytes(b"result".to_vec().into());
    maker.add(RecordMeta::default(), None, content).unwrap();
    let made = maker.finish(None).unwrap();

    let attempt = |patient: &mut Vault| {
        deliver(
            lab.device(),
            &made,
            &store,
            tempfile::tempfile().unwrap(),
            &mut |_| Ok(()),
            |announce, parcel, len| {
                assert_eq!(len, made.bytes);
                Ok(receive(patient, &waiting, &announce(&ENDS), parcel))
            },
        )
    };
    let refused = attempt(&mut patient).unwrap_err();
    assert_eq!(refused.code, DepositRefusal::NotAllowed.code());
    assert_eq!(refused.exit, Exit::Terms);
    let limit = DepositLimit {
        bytes: 1 << 20,
        per_day: 2,
    };
    patient.set_deposit_limit("lab", Some(limit)).unwrap();
    let receipt = attempt(&mut patient).unwrap();
    assert_eq!(
        (receipt.deposit, receipt.digest),
        (made.deposit, made.digest)
    );
    assert_eq!(waiting.list().unwrap().len(), 1);
    // a node that takes the bytes and answers nonsense has confirmed nothing
    let sent = deliver(
        lab.device(),
        &made,
        &store,
        tempfile::tempfile().unwrap(),
        &mut |_| Ok(()),
        |_, _, _| Ok(vec![0xa0]),
    );
    assert_eq!(sent.unwrap_err().code, "no-receipt");
}
