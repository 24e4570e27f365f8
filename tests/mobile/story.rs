//! A patient and a clinic, from the first record to the receipt.

use vault_ffi::{
    DepositItem, ExportForm, GrantStatus, MedVaultError, OnRequest, RecordFilter, RevokeLevel,
    ShareRequest, ShareScope, Unlock, check_proof, inspect_card, open_vault, recover_vault,
};

use crate::support::{Someone, acquaint, observation, platform, wait};

fn request(reader: &str, scope: ShareScope) -> ShareRequest {
    ShareRequest {
        readers: vec![reader.into()],
        scope,
        standing: true,
        expires: None,
        purpose: Some("TREAT".into()),
        on_request: None,
        even_unverified: false,
    }
}

fn labs() -> ShareScope {
    ShareScope {
        categories: vec!["lab".into()],
        ..ShareScope::default()
    }
}

#[test]
fn carried() {
    let (mira, clinic) = (Someone::new("Mira"), Someone::new("Clinic"));
    acquaint(&mira, &clinic);
    let glucose = mira.add(&observation("Glucose"));
    let psy = r#"{"resourceType": "Condition", "meta": {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY"}]}, "code": {"text": "Quiet"}}"#;
    let quiet = mira.add(psy);
    let everything = ShareScope {
        everything: true,
        ..ShareScope::default()
    };
    let preview = wait(mira.vault.preview_share(everything)).unwrap();
    assert_eq!(preview.included.len(), 1);
    assert_eq!(preview.withheld[0].record, quiet);

    let shared = wait(mira.vault.share(request("Clinic", labs()))).unwrap();
    mira.serve();
    let ticket = wait(mira.vault.ticket(shared.grant.clone(), "Clinic".into())).unwrap();
    let sender = wait(clinic.vault.accept_ticket(ticket, None)).unwrap();
    assert_eq!((sender.name.as_str(), sender.head), ("Mira", 0));
    let synced = wait(clinic.vault.sync_sender("Mira".into(), false)).unwrap();
    assert_eq!(synced.records, 1);
    let seen = wait(
        clinic
            .vault
            .shared_records("Mira".into(), RecordFilter::default()),
    )
    .unwrap();
    assert_eq!(seen[0].title, "Glucose");
    let content = clinic
        .vault
        .shared_content("Mira".into(), glucose.clone(), None);
    assert_eq!(wait(content).unwrap(), observation("Glucose").as_bytes());
    let wanted = clinic
        .vault
        .shared_content_range("Mira".into(), glucose.clone(), None, 2, 12);
    assert_eq!(wait(wanted).unwrap(), b"resourceType");
    let closed = wait(clinic.vault.shared_content("Mira".into(), quiet, None));
    assert!(matches!(closed, Err(MedVaultError::NotFound { .. })));

    let revoked = mira
        .vault
        .revoke(shared.grant.clone(), RevokeLevel::Rekey, None)
        .unwrap();
    let receipts = wait(revoked.result()).unwrap();
    assert_eq!((receipts[0].level.as_str(), receipts[0].rekeyed), ("R2", 1));
    assert!(receipts[0].text.contains("Clinic"), "{}", receipts[0].text);
    mira.add(&observation("Sodium"));
    let after = wait(clinic.vault.sync_sender("Mira".into(), false));
    assert!(
        matches!(after, Err(MedVaultError::Refused { .. })),
        "{after:?}"
    );
    let grants = wait(mira.vault.grants()).unwrap();
    assert_eq!(grants[0].status, GrantStatus::Revoked);

    let log = wait(mira.vault.audit_log()).unwrap();
    let events: Vec<_> = log.iter().map(|event| event.event.as_str()).collect();
    assert!(
        events.contains(&"granted") && events.contains(&"revoked"),
        "{events:?}"
    );
    assert!(wait(mira.vault.verify_audit()).unwrap().intact);
    let blocks = wait(mira.vault.verify_blocks(true)).unwrap();
    assert!(blocks.missing.is_empty() && blocks.unreadable.is_empty());
    wait(mira.vault.lock()).unwrap();
    wait(clinic.vault.lock()).unwrap();
}

#[test]
fn on_request_and_a_result_back() {
    let (mira, clinic) = (Someone::new("Mira"), Someone::new("Clinic"));
    acquaint(&mira, &clinic);
    let glucose = mira.add(&observation("Glucose"));
    mira.add(&observation("Sodium"));
    mira.serve();
    let offer = ShareRequest {
        on_request: Some(OnRequest {
            opens: Some(1),
            may_deposit: true,
            ..OnRequest::default()
        }),
        ..request("Clinic", labs())
    };
    let shared = wait(mira.vault.share(offer)).unwrap();
    let ticket = shared.tickets[0].ticket.clone();
    let sender = wait(clinic.vault.accept_ticket(ticket, None)).unwrap();
    assert_eq!(sender.offers, 1);
    let agreements = wait(clinic.vault.agreements()).unwrap();
    assert_eq!(
        (agreements[0].opens, agreements[0].accepted),
        (Some(1), false)
    );
    wait(clinic.vault.accept_agreement(shared.grant.clone())).unwrap();
    let seen = wait(
        clinic
            .vault
            .shared_records("Mira".into(), RecordFilter::default()),
    )
    .unwrap();
    assert!(seen.iter().all(|record| !record.opens));
    let content = clinic.vault.shared_content("Mira".into(), glucose, None);
    assert_eq!(wait(content).unwrap(), observation("Glucose").as_bytes());
    let sodium = seen.iter().find(|record| record.title == "Sodium").unwrap();
    let denied = wait(
        clinic
            .vault
            .shared_content("Mira".into(), sodium.id.clone(), None),
    );
    let Err(MedVaultError::Refused { code, .. }) = denied else {
        panic!("{denied:?}")
    };
    assert_eq!(code, "denied");

    let items = vec![
        DepositItem::Bytes {
            content: observation("Potassium").into_bytes(),
            name: "k.json".into(),
        },
        DepositItem::File {
            path: clinic.file("letter.txt", b"Dear Mira"),
        },
    ];
    let sent = clinic
        .vault
        .deposit("Mira".into(), items, Some("your results".into()))
        .unwrap();
    let sent = wait(sent.result()).unwrap();
    assert!(sent.delivered.is_some());
    assert_eq!(sent.records, 2);
    let waiting = wait(mira.vault.deposits()).unwrap();
    assert_eq!(waiting[0].sender.as_deref(), Some("Clinic"));
    let detail = wait(mira.vault.deposit_detail(waiting[0].id.clone())).unwrap();
    assert_eq!(detail.message.as_deref(), Some("your results"));
    let taken = wait(mira.vault.accept_deposit(waiting[0].id.clone())).unwrap();
    assert_eq!((taken.added, taken.records.len()), (2, 2));
    assert!(mira.titles().contains(&"Potassium".to_owned()));
    let detail = wait(mira.vault.record(taken.records[0].clone())).unwrap();
    assert_eq!(detail.versions[0].signed_by, "Clinic");

    let log = wait(mira.vault.audit_log()).unwrap();
    let open = log.iter().find(|event| event.event == "released").unwrap();
    assert_eq!(open.outcome.as_deref(), Some("opened"));
    assert_eq!(open.contact.as_deref(), Some("Clinic"));
    let revoked = mira
        .vault
        .revoke_contact("Clinic".into(), RevokeLevel::Stop, None)
        .unwrap();
    let receipts = wait(revoked.result()).unwrap();
    assert_eq!(
        (receipts[0].opened, receipts[0].never_delivered > 0),
        (Some(1), true)
    );
}

#[test]
fn files_in_and_out() {
    let mira = Someone::new("Mira");
    let folder = mira.path("in");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.json"), observation("Glucose")).unwrap();
    std::fs::write(folder.join("b.txt"), "a letter").unwrap();
    let work = mira
        .vault
        .add_file(folder.display().to_string(), None)
        .unwrap();
    let report = wait(work.result()).unwrap();
    assert_eq!((report.added, report.known), (2, 0));
    assert!(work.progress().done > 0);

    let writer = mira.vault.add_stream("scan.bin".into()).unwrap();
    let piece = vec![7; 3 << 20];
    writer.write(&piece).unwrap();
    wait(writer.clone().write_chunk(piece.clone())).unwrap();
    let report = wait(writer.finish()).unwrap();
    assert_eq!(report.added, 1);
    let id = report.records[0].clone();
    let out = mira.path("out.bin").display().to_string();
    let work = mira
        .vault
        .content_to_file(id.clone(), out.clone(), None)
        .unwrap();
    assert_eq!(wait(work.result()).unwrap().bytes, 6 << 20);
    assert_eq!(std::fs::read(&out).unwrap().len(), 6 << 20);
    let again = mira.vault.content_to_file(id.clone(), out, None).unwrap();
    let again = wait(again.result());
    assert!(matches!(again, Err(MedVaultError::Failed { code, .. }) if code == "file-exists"));
    let range = wait(mira.vault.content_range(id, 6 << 20, 10)).unwrap();
    assert!(range.is_empty(), "past the end");

    let of_text = RecordFilter {
        text: Some("gluc".into()),
        ..RecordFilter::default()
    };
    let found = wait(mira.vault.records(of_text.clone())).unwrap();
    assert_eq!(found.len(), 1);
    let newer = observation("Glucose, corrected");
    let updated = wait(mira.vault.update(found[0].id.clone(), newer.into_bytes())).unwrap();
    assert_eq!(updated.title, "Glucose, corrected");
    assert_eq!(
        wait(mira.vault.record(updated.id.clone()))
            .unwrap()
            .versions
            .len(),
        2
    );
    wait(
        mira.vault
            .label(vec![updated.id.clone()], vec!["PSY".into()], vec![]),
    )
    .unwrap();
    assert!(wait(mira.vault.records(of_text)).unwrap()[0].sensitive);

    for (form, name) in [
        (ExportForm::Files, "files"),
        (ExportForm::Fhir, "fhir.json"),
        (ExportForm::Ndjson, "ndjson"),
        (ExportForm::Ips, "ips.json"),
    ] {
        let path = mira.path(name).display().to_string();
        let work = mira
            .vault
            .export(form, RecordFilter::default(), path, None)
            .unwrap();
        assert!(wait(work.result()).unwrap().bytes > 0);
    }
    wait(mira.vault.remove(vec![updated.id])).unwrap();
    assert_eq!(mira.titles().len(), 2);
}

#[test]
fn a_vault_comes_back_from_words_and_a_backup() {
    let mira = Someone::new("Mira");
    let id = mira.add(&observation("Glucose"));
    let car = mira.path("backup.car").display().to_string();
    let work = mira.vault.backup(car.clone(), None).unwrap();
    assert!(wait(work.result()).unwrap().bytes > 0);
    let report = mira.vault.restore(car.clone(), None).unwrap();
    assert_eq!(wait(report.result()).unwrap().restored, 0);

    let home = mira.path("again").display().to_string();
    let opened = wait(recover_vault(
        home.clone(),
        mira.words.clone(),
        vec![car],
        Unlock::Passphrase {
            passphrase: "horse".into(),
        },
        platform(&mira.key_store),
    ))
    .unwrap();
    assert_eq!(
        wait(opened.content(id)).unwrap(),
        observation("Glucose").as_bytes()
    );
    wait(opened.remember_in_key_store()).unwrap();
    wait(opened.lock()).unwrap();
    wait(opened.unlock(Unlock::KeyStore)).unwrap();
    wait(opened.change_passphrase("staple".into())).unwrap();
    wait(opened.forget_key_store()).unwrap();
    wait(opened.lock()).unwrap();
    let closed = wait(opened.unlock(Unlock::KeyStore));
    assert!(matches!(closed, Err(MedVaultError::Identity { .. })));
    let unlock = Unlock::Passphrase {
        passphrase: "staple".into(),
    };
    let again = wait(open_vault(home, unlock, platform(&mira.key_store))).unwrap();
    let card = wait(again.info()).unwrap().card;
    assert_eq!(inspect_card(card).unwrap().name, "Mira");
}

#[test]
fn an_agent_answers_while_the_phone_sleeps() {
    let (mira, clinic) = (Someone::new("Mira"), Someone::new("Clinic"));
    let server = Someone::new("Server");
    acquaint(&mira, &clinic);
    acquaint(&mira, &server);
    let glucose = mira.add(&observation("Glucose"));
    mira.serve();
    server.serve();
    let offer = ShareRequest {
        on_request: Some(OnRequest {
            opens: Some(3),
            agents: vec!["Server".into()],
            ..OnRequest::default()
        }),
        ..request("Clinic", labs())
    };
    let shared = wait(mira.vault.share(offer)).unwrap();
    let ticket = shared.tickets[0].ticket.clone();
    wait(clinic.vault.accept_ticket(ticket, None)).unwrap();
    wait(clinic.vault.accept_agreement(shared.grant.clone())).unwrap();

    let address = wait(server.vault.agent_address()).unwrap();
    let (grant, name) = (shared.grant.clone(), "Server".to_owned());
    let wrong = mira.vault.add_agent(
        grant.clone(),
        "Clinic".into(),
        address.clone(),
        Some(1),
        None,
    );
    assert!(matches!(wait(wrong), Err(MedVaultError::Refused { .. })));
    let added = mira
        .vault
        .add_agent(grant.clone(), name.clone(), address, Some(2), None);
    let added = wait(added).unwrap();
    assert_eq!(added.agent.opens, Some(2));
    wait(server.vault.accept_ticket(added.ticket, None)).unwrap();
    wait(server.vault.sync_sender("Mira".into(), false)).unwrap();
    wait(clinic.vault.sync_sender("Mira".into(), true)).unwrap();
    wait(mira.vault.stop_node()).unwrap();
    // the server looks every other second what it answers for
    let begun = std::time::Instant::now();
    let content = loop {
        match wait(
            clinic
                .vault
                .shared_content("Mira".into(), glucose.clone(), None),
        ) {
            Err(MedVaultError::Network { .. } | MedVaultError::Refused { .. })
                if begun.elapsed().as_secs() < 30 => {}
            content => break content,
        }
    };
    assert_eq!(content.unwrap(), observation("Glucose").as_bytes());

    let heard = wait(mira.vault.sync_agents()).unwrap();
    assert_eq!((heard[0].name.as_str(), heard[0].reported), ("Server", 1));
    let log = wait(mira.vault.audit_log()).unwrap();
    let open = log.iter().find(|event| event.event == "released").unwrap();
    assert!(open.text.contains("Server"), "{}", open.text);
    let id = wait(mira.vault.info()).unwrap().vault_id;
    let proof = wait(mira.vault.prove_entry(open.index)).unwrap();
    assert_eq!(check_proof(proof.clone(), id).unwrap().event, "released");
    let other = wait(clinic.vault.info()).unwrap().vault_id;
    assert!(matches!(
        check_proof(proof, other),
        Err(MedVaultError::Integrity { .. })
    ));
    let gone = wait(mira.vault.remove_agent(grant, name)).unwrap();
    assert!(gone.withdrawn && gone.closed, "{gone:?}");
    assert_eq!(wait(mira.vault.agents()).unwrap().len(), 1);
}
