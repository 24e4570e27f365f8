//! What a reader keeps of access on request: proofs of what was given out, and what convicts a vault
//! that was put back.

use std::sync::Arc;

use super::on_request::Clinic;
use super::support::{all_blocks, head, storage_of};
use crate::grant::Conditions;
use crate::home::Home;
use crate::vault::StorageError;
use crate::{
    Acceptance, AskError, Basis, Evidence, ForkVerdict, Proofs, ProofsError, VaultStorage as _,
    check_fork,
};

#[test]
fn a_proof_is_kept_sealed_and_holds_when_it_is_read() {
    let mut clinic = Clinic::in_force(Conditions::default());
    let version = clinic.view().entries[0].version;
    let given = clinic.ask(&[version]).unwrap();
    let vault = clinic.patient.vault.id();
    let dir = tempfile::tempdir().unwrap();
    let made: Result<_, StorageError> = Home::create(&dir.path().join("bo"), |_| Ok(()));
    let home = Arc::new(made.unwrap().0);
    let proofs = Proofs::open(home.clone(), &clinic.doctor.world.vault.device);
    assert!(proofs.names().unwrap().is_empty());
    let name = proofs.keep(&vault, &given).unwrap();
    assert_eq!(proofs.keep(&vault, &given).unwrap(), name);
    assert_eq!(proofs.names().unwrap(), std::slice::from_ref(&name));
    let kept = proofs.read(&name).unwrap().unwrap();
    assert_eq!((kept.vault, &kept.name), (vault, &name));
    let proven = kept.proof.verify(&vault).unwrap();
    assert_eq!(proven.entry, *given.entry());
    assert!(proofs.read("00").unwrap().is_none());

    let sealed = home.read_file(&format!("proofs/{name}")).unwrap().unwrap();
    assert!(!sealed.windows(8).any(|part| part == b"medvault"));
    let stranger = Proofs::open(home.clone(), &clinic.patient.vault.device);
    let refused = stranger.read(&name);
    assert!(matches!(refused, Err(ProofsError::Seal { .. })));
    home.write_file("proofs/other", &sealed).unwrap();
    let moved = proofs.read("other");
    assert!(matches!(moved, Err(ProofsError::Seal { .. })));
}

#[test]
fn a_countersignature_travels_as_text() {
    let mut clinic = Clinic::new(Conditions::default());
    let grant = clinic.grant;
    assert!(clinic.following().acceptance(&grant).is_none());
    let device = clinic.doctor.world.vault.device.clone();
    let time = super::support::now(&clinic.patient);
    clinic
        .following()
        .countersign(&grant, &device, time)
        .unwrap();
    let text = clinic.following().acceptance(&grant).unwrap().to_text();
    let read = Acceptance::from_text(&text).unwrap();
    for _ in 0..2 {
        let taken = clinic.patient.vault.take_acceptance(read.as_bytes());
        assert_eq!(taken.unwrap(), grant);
    }
    assert_eq!(clinic.view().entries.len(), 4);
}

#[test]
fn both_sides_can_show_that_a_vault_was_put_back() {
    let mut clinic = Clinic::in_force(Conditions::default());
    let entries = clinic.view().entries;
    let old = (head(&clinic.patient), all_blocks(&*clinic.patient.storage));
    clinic.ask(&[entries[0].version]).unwrap();
    let device = clinic.patient.vault.device.clone();
    let clock = crate::vault::tests::clock(&clinic.patient.time);
    let storage = storage_of(&old.1, Some(&old.0));
    let mut rolled = crate::Vault::open(storage, device, clock).unwrap();
    let asking = clinic.asking(&[entries[1].version]);
    let answers = rolled.answer(&[asking.message().to_vec()], &[]);
    let signers = rolled.head().signers().clone();
    let rolled_back = |one: &Evidence, other: &Evidence| {
        let verdict = check_fork(one, other).unwrap();
        matches!(verdict, ForkVerdict::RolledBack { roll_back, .. } if roll_back.basis == Basis::Asked)
    };

    let reply = answers.replies[0].to_bytes();
    let taken = asking.take(clinic.following(), &reply).map(drop);
    let Err(AskError::Diverged { seen, statement }) = taken else {
        panic!("{taken:?}")
    };
    let shown = Evidence::of_checkpoint(&seen, &signers).unwrap();
    let said = Evidence::of_statement(&statement, &signers).unwrap();
    assert!(rolled_back(&shown, &said));

    // the patient's node keeps the same checkpoint, and its own log does not reach it
    let seen = answers.diverged.unwrap();
    let shown = Evidence::of_checkpoint(&seen, &signers).unwrap();
    let verdict = check_fork(&rolled.evidence().unwrap(), &shown).unwrap();
    assert!(matches!(verdict, ForkVerdict::Undetermined { .. }));
    let newest = clinic.patient.vault.evidence().unwrap();
    let verdict = check_fork(&newest, &shown).unwrap();
    assert!(matches!(verdict, ForkVerdict::Consistent { .. }));
    assert!(clinic.patient.storage.head().unwrap().is_some());
}
