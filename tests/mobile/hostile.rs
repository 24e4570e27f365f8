//! Rubbish into every call: errors come out, and nothing else.

use vault_ffi::{
    MedVaultError, RecordFilter, RevokeLevel, ShareRequest, ShareScope, Unlock, check_proof,
    check_recovery_words, create_vault, has_vault, inspect_card, join_qr_parts, open_vault,
    qr_parts, recover_vault,
};

use crate::support::{Someone, observation, platform, wait};

/// Texts that programs trip over.
fn texts() -> Vec<String> {
    let card = "medvault-card:".to_owned() + &"A".repeat(300);
    let ticket = "medvault-ticket:".to_owned() + &"_-".repeat(5000);
    [
        "",
        " ",
        "\0",
        "a\0b",
        "../../etc/passwd",
        "\u{202e}txt",
        "%s%n",
        "'; --",
        "🙂",
        "\u{feff}",
        "NaN",
        "-1",
        "9999999999999999999999",
        "aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "/",
        "{}",
        "[]",
        "2026-02-31",
        "abandon abandon",
        "\r\n",
        "con",
        "~",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([card, ticket, "x".repeat(1 << 20)])
    .collect()
}

/// An error of its own kind, never that something panicked.
fn fine<T>(outcome: Result<T, MedVaultError>) {
    if let Err(MedVaultError::Failed { code, reason }) = outcome {
        assert_ne!(code, "panicked", "{reason}");
    }
}

#[test]
fn texts_that_are_none() {
    let mira = Someone::new("Mira");
    let id = mira.add(&observation("Glucose"));
    let vault = &mira.vault;
    for text in texts() {
        let text = || text.clone();
        fine(inspect_card(text()));
        fine(check_recovery_words(text()));
        has_vault(text());
        fine(wait(vault.record(text())));
        fine(wait(vault.content(text())));
        fine(wait(vault.content_range(text(), u64::MAX, u32::MAX)));
        fine(wait(vault.content_range(id.clone(), u64::MAX, 10)));
        fine(wait(vault.remove(vec![text()])));
        fine(wait(vault.update(text(), vec![0; 10])));
        fine(wait(vault.label(
            vec![id.clone()],
            vec![text()],
            vec![text()],
        )));
        fine(wait(vault.add_contact(text(), text())));
        fine(wait(vault.verify_contact(text(), text())));
        fine(wait(vault.set_deposit_limit(text(), None)));
        fine(wait(vault.accept_ticket(text(), Some(text()))));
        fine(wait(vault.accept_grant_file(text(), None)));
        fine(wait(vault.sync_sender(text(), true)));
        fine(wait(vault.forget_sender(text())));
        fine(wait(vault.shared_content(text(), text(), Some(text()))));
        fine(wait(vault.accept_agreement(text())));
        fine(wait(vault.decline_agreement(text())));
        fine(wait(vault.accept_deposit(text())));
        fine(wait(vault.decline_deposit(text())));
        fine(wait(vault.deposit_detail(text())));
        fine(wait(vault.add_deposit_file(text())));
        fine(wait(vault.ticket(text(), text())));
        fine(wait(vault.add_agent(
            text(),
            text(),
            text(),
            Some(u64::MAX),
            Some(0),
        )));
        fine(wait(vault.remove_agent(text(), text())));
        fine(wait(vault.receipts(text())));
        fine(check_proof(text(), text()));
        fine(join_qr_parts(vec![text(), text()]));
        fine(qr_parts(text(), u32::MAX));
        fine(wait(vault.set_setting(text(), vec![text()])));
        let filter = RecordFilter {
            kinds: vec![text()],
            codes: vec![text()],
            since: Some(text()),
            text: Some(text()),
            offset: u32::MAX,
            limit: u32::MAX,
            ..RecordFilter::default()
        };
        fine(wait(vault.records(filter)));
        let scope = ShareScope {
            records: vec![text()],
            until: Some(text()),
            preset: Some(text()),
            ..ShareScope::default()
        };
        fine(wait(vault.preview_share(scope.clone())));
        fine(wait(vault.share(ShareRequest {
            readers: vec![text()],
            scope,
            standing: false,
            expires: Some(0),
            purpose: Some(text()),
            on_request: None,
            even_unverified: true,
        })));
        for work in [
            vault.revoke(text(), RevokeLevel::Stop, None),
            vault.revoke_contact(text(), RevokeLevel::Stop, None),
        ] {
            fine(wait(work.unwrap().result()));
        }
        fine(wait(vault.restore(text(), None).unwrap().result()));
        let work = vault.deposit_to_file(text(), Vec::new(), Some(text()), text());
        fine(wait(work.unwrap().result()));
        let passphrase = Unlock::Passphrase { passphrase: text() };
        fine(wait(open_vault(
            text(),
            Unlock::KeyStore,
            platform(&mira.key_store),
        )));
        fine(wait(recover_vault(
            text(),
            text(),
            vec![text()],
            passphrase,
            platform(&mira.key_store),
        )));
    }
    let name = wait(create_vault(
        mira.path("new").display().to_string(),
        "two\nlines".into(),
        Unlock::KeyStore,
        platform(&mira.key_store),
    ));
    assert!(matches!(name, Err(MedVaultError::InvalidInput { .. })));
    assert_eq!(mira.titles(), ["Glucose"]);
    assert!(wait(vault.verify_audit()).unwrap().intact);
}

#[test]
fn contents_that_are_none() {
    let mira = Someone::new("Mira");
    let mut contents: Vec<Vec<u8>> = texts().into_iter().map(String::into_bytes).collect();
    contents.push(b"PK\x03\x04rubbish".to_vec());
    contents.push([b"\0".repeat(128), b"DICM\xff\xff\xff\xff".to_vec()].concat());
    contents.push(b"MSH|^~\\&|".repeat(1000));
    contents.push(b"<ClinicalDocument".to_vec());
    contents.push(b"[".repeat(100_000));
    contents.push((0..=255).cycle().take(100_000).collect());
    for content in contents {
        for name in ["x.json", "../x.dcm", "x.zip", "\u{202e}"] {
            fine(wait(mira.vault.add(content.clone(), name.into())));
        }
    }
    assert!(
        wait(mira.vault.verify_blocks(true))
            .unwrap()
            .unreadable
            .is_empty()
    );
}
