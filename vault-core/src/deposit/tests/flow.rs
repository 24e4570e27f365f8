//! From the laboratory into the vault, and on to readers.

use super::*;
use crate::audit::Act;
use crate::block::Cid;
use crate::reader::Advance;

#[test]
fn what_was_deposited_is_taken_as_it_is() {
    let mut s = scene();
    let deposit = s.deposit(40, 3_000_000);
    assert_eq!(deposit.records, 41);
    let file = s.file(&deposit);
    assert_eq!(file.len() as u64, deposit.bytes);
    assert_eq!(crate::block::Digest::of(&file), deposit.digest);
    // many small records lie together
    assert!(deposit.cids().len() < 20, "{}", deposit.cids().len());

    let parcel = s.parcel(&deposit);
    let view = s.pat.vault.open_deposit(&parcel, &standard()).unwrap();
    assert_eq!(view.deposit, deposit.deposit);
    assert_eq!(view.contact.name, "lab");
    assert_eq!(view.message.as_deref(), Some("your results"));
    assert_eq!(view.records.len(), 41);
    assert_eq!(view.records[7].entry.meta.title, "r7");
    assert!(
        s.pat.vault.records().unwrap().is_empty(),
        "looking changes nothing"
    );

    let taken = s.pat.vault.accept_deposit(&parcel, &standard()).unwrap();
    assert_eq!((taken.records, taken.known), (41, 0));
    let records = s.pat.vault.records().unwrap();
    assert_eq!(records.len(), 41);
    assert_eq!(content(&s.pat.vault, &records[7]), b"result 7");
    assert_eq!(content(&s.pat.vault, &records[40]), long(3_000_000));
    let lab = *s.lab.vault.device().signers().owner();
    for entry in &records {
        let open = s.pat.vault.open_record(entry).unwrap();
        assert_eq!(open.header().author, lab);
        assert_eq!(
            open.header().signer,
            s.lab.vault.device().signing().public()
        );
        assert_eq!(open.header().prev, None);
    }
    // byte for byte the blocks that the laboratory made
    let store = s.pat.storage.blocks();
    for cid in deposit.cids().into_iter().skip(1) {
        assert_eq!(store.get(&cid).unwrap(), s.store.get(&cid).unwrap());
    }
    assert!(
        !store.has(&deposit.root()).unwrap(),
        "the note is no block of the vault"
    );
    let report = s.pat.vault.verify_blocks(true).unwrap();
    assert_eq!((report.missing, report.unreadable), (vec![], vec![]));
    assert_eq!(s.pat.vault.verify_audit().unwrap().bad, None);
    let last = s.pat.vault.audit_log().unwrap().pop().unwrap();
    let accepted = Act::DepositAccepted {
        contact: lab,
        deposit: deposit.deposit,
        count: 41,
    };
    // the scan has joined the grant of images
    assert!(
        matches!(last.act, Act::Joined { count: 1, .. }),
        "{:?}",
        last.act
    );
    let log = s.pat.vault.audit_log().unwrap();
    assert_eq!(log[log.len() - 2].act, accepted);
    let published = &log[log.len() - 3].act;
    assert!(
        matches!(published, Act::Published { count: 41, .. }),
        "{published:?}"
    );

    let twice = s.pat.vault.accept_deposit(&parcel, &standard());
    assert!(matches!(twice, Err(DepositError::Known(id)) if id == deposit.deposit));
    assert_eq!(s.pat.vault.records().unwrap().len(), 41);
}

#[test]
fn standing_grants_take_in_what_was_deposited_and_no_more() {
    let mut s = scene();
    let doctor = world("Doctor");
    befriend(&mut s.pat, "doctor", &doctor);
    let mut following = share(&mut s.pat, &doctor, "doctor", Category::Lab);
    let parcel = s.parcel(&s.deposit(3, 400_000));
    s.pat.vault.accept_deposit(&parcel, &standard()).unwrap();
    let store = s.pat.storage.blocks();
    let head = s.pat.vault.head().block().data().to_vec();
    let now = now(&s.pat);
    let moved = following.advance(&head, &*store, now).unwrap();
    assert!(matches!(moved, Advance::Advanced { .. }));
    let views = following
        .grants(doctor.vault.device(), &*store, now)
        .unwrap();
    let titles: Vec<_> = views[0]
        .entries
        .iter()
        .map(|e| e.meta.title.as_str())
        .collect();
    assert_eq!(titles, ["r0", "r1", "r2"]);
    let mut out = Vec::new();
    let record = following.open_record(&views[0].entries[1], store);
    record.unwrap().copy_to(&mut out).unwrap();
    assert_eq!(out, b"result 1");
}

#[test]
fn the_same_content_is_found_again_after_it_was_deposited() {
    let mut s = scene();
    let parcel = s.parcel(&s.deposit(2, 400_000));
    s.pat.vault.accept_deposit(&parcel, &standard()).unwrap();
    let again = [b"result 1".to_vec(), long(400_000), b"new".to_vec()];
    let again = again.iter().map(|c| crate::vault::tests::record("x", c));
    let report = s.pat.vault.add_all(again).unwrap();
    assert_eq!(report.new_versions(), 1);
    let second = s.parcel(&s.deposit(2, 0));
    let taken = s.pat.vault.accept_deposit(&second, &standard()).unwrap();
    assert_eq!(
        (taken.records, taken.known),
        (2, 2),
        "signed by its author, so taken"
    );
}

#[test]
fn a_record_is_in_a_deposit_once_and_what_is_derived_names_its_original() {
    let s = scene();
    let mut maker = s.maker();
    let first = maker
        .add(meta("a", Category::Lab), None, bytes(b"aaa"))
        .unwrap();
    let crate::Added::New(record, _) = first else {
        panic!("{first:?}")
    };
    let again = maker.add(meta("a", Category::Lab), None, bytes(b"aaa"));
    assert_eq!(again.unwrap(), crate::Added::Known(record));
    let content = long(500_000);
    for expected in [true, false] {
        let mut stream = &content[..];
        let about = meta("long", Category::Lab);
        let added = maker
            .add(about, None, Content::Stream(&mut stream))
            .unwrap();
        assert_eq!(matches!(added, crate::Added::New(..)), expected);
    }
    let mut derived = meta("b", Category::Lab);
    derived.origin = Some(record);
    maker.add(derived, None, bytes(b"bbb")).unwrap();
    assert!(maker.has_derived(&record));
    let deposit = maker.finish(None).unwrap();
    assert_eq!(deposit.records, 3);
    let mut s = s;
    let parcel = s.parcel(&deposit);
    let view = s.pat.vault.open_deposit(&parcel, &standard()).unwrap();
    assert_eq!(view.records[2].entry.meta.origin, Some(record));
    // what was made twice was taken out again
    let cids: std::collections::BTreeSet<Cid> = s.store.list().unwrap().into_iter().collect();
    assert_eq!(cids, deposit.cids().into_iter().collect());
}

#[test]
fn sensitive_contents_are_labelled_whatever_the_sender_says() {
    let mut s = scene();
    let mut maker = s.maker();
    let content = br#"{"resourceType":"Observation","code":{"coding":[{"system":"http://loinc.org","code":"7917-8"}]}}"#;
    maker
        .add(meta("HIV 1 Ab", Category::Lab), None, bytes(content))
        .unwrap();
    let parcel = s.parcel(&maker.finish(None).unwrap());
    let view = s.pat.vault.open_deposit(&parcel, &standard()).unwrap();
    assert!(view.records[0].added_labels);
    s.pat.vault.accept_deposit(&parcel, &standard()).unwrap();
    let entry = s.pat.vault.records().unwrap().remove(0);
    assert!(entry.meta.is_sensitive(), "{:?}", entry.meta.labels);
    assert!(
        s.pat
            .vault
            .open_record(&entry)
            .unwrap()
            .header()
            .meta
            .labels
            .is_empty()
    );
    // other labels of the patient leave it there
    let note = ["R".parse().unwrap()];
    s.pat.vault.relabel(&entry.record, &note, &[]).unwrap();
    let entry = s.pat.vault.records().unwrap().remove(0);
    for label in ["HIV", "R"] {
        assert!(
            entry.meta.labels.contains(&label.parse().unwrap()),
            "{label}"
        );
    }
}

#[test]
fn a_mere_contact_deposits_to_the_key_on_the_card() {
    let mut s = scene();
    let card = s.pat.vault.device().card("Pat").unwrap();
    let target = DepositTarget::of_card(&card).unwrap();
    assert_ne!(target.key, s.target().key);
    let device = s.lab.vault.device();
    let mut maker = DepositMaker::new(device, target, &s.store, 1);
    maker
        .add(meta("a", Category::Lab), None, bytes(b"aaa"))
        .unwrap();
    let deposit = maker.finish(None).unwrap();
    let parcel = s.parcel(&deposit);
    let taken = s.pat.vault.accept_deposit(&parcel, &standard()).unwrap();
    assert_eq!(taken.records, 1);
}

#[test]
fn the_inbox_key_survives_a_recovery() {
    let s = scene();
    let deposit = s.deposit(2, 0);
    let parcel = s.parcel(&deposit);
    let mut vault = recovered(&s.pat);
    let taken = vault.accept_deposit(&parcel, &standard()).unwrap();
    assert_eq!(taken.records, 2);
}

/// The provider holds the parcel, its own keys and whatever a ticket gave; none of it opens or lists
/// anything of the vault but what the provider wrote, and not even the note once it is sealed.
#[test]
fn the_sender_reads_nothing_back() {
    let mut s = scene();
    s.pat
        .vault
        .add_all([crate::vault::tests::record("private", b"secret")])
        .unwrap();
    let deposit = s.deposit(2, 0);
    let parcel = s.parcel(&deposit);
    let lab = s.lab.vault.device();
    let note = Note::open(parcel.note(), &s.pat.vault.id(), &[lab.identity()]);
    assert!(matches!(note, Err(DepositError::ForSomeoneElse)));
    s.pat.vault.accept_deposit(&parcel, &standard()).unwrap();
    let store = s.pat.storage.blocks();
    let head = s.pat.vault.head().block().data().to_vec();
    s.following.advance(&head, &*store, now(&s.pat)).unwrap();
    let views = s.following.grants(lab, &*store, now(&s.pat)).unwrap();
    assert!(
        views.iter().all(|view| view.entries.is_empty()),
        "images only"
    );
}

#[test]
fn other_vaults_open_nothing() {
    let s = scene();
    let mut eve = world("Eve");
    befriend(&mut eve, "lab", &s.lab);
    let parcel = s.parcel(&s.deposit(1, 0));
    let refused = eve.vault.open_deposit(&parcel, &standard());
    assert!(matches!(refused, Err(DepositError::ForSomeoneElse)));
    assert_ne!(eve.vault.id(), VaultId::from_bytes([0; 32]));
}
