//! What happened, and whether all of it is still as it was.

use vault_app::statement::{Line, Names, events, words};

use super::Vault;
use vault_core::{EntryProof, VaultId};

use crate::error::{MedVaultError, invalid};
use crate::types::{AuditCheck, AuditEvent, BlockCheck, ProvenEntry};

/// Checks a proof of an entry, as [`Vault::prove_entry`] makes it, against the id of the vault that it is
/// said to be of. The id must come from the patient, not from the proof. A proof that does not hold is
/// `Integrity` with the code `bad-proof`.
#[uniffi::export]
pub fn check_proof(proof: String, vault_id: String) -> Result<ProvenEntry, MedVaultError> {
    let checked = || -> vault_app::Result<ProvenEntry> {
        let vault: VaultId = vault_id
            .parse()
            .map_err(|_| invalid("bad-vault-id", "not the id of a vault"))?;
        let proven = EntryProof::parse(&proof)?.verify(&vault)?;
        Ok(ProvenEntry {
            index: proven.entry.index,
            time: proven.entry.time,
            event: proven.entry.act.name().to_owned(),
            log_size: proven.checkpoint.unverified().size,
            signer_replaced: !proven.signs_now,
        })
    };
    Ok(checked()?)
}

#[uniffi::export]
impl Vault {
    /// Everything that happened, oldest first: a request and its receipt are one event.
    pub async fn audit_log(&self) -> Result<Vec<AuditEvent>, MedVaultError> {
        self.read(|_, vault| {
            let entries = vault.audit_log()?;
            let events = events(&entries, false);
            let mut names = Names::read(vault, &entries)?;
            names.read_records(vault, &events)?;
            let shown = events.iter().map(|event| {
                let line = words(&names, event);
                let touch = event.touch();
                let mut records: Vec<String> = Vec::new();
                let named = touch.records.iter().copied();
                let titles = touch
                    .versions
                    .iter()
                    .filter_map(|version| names.version(version));
                for record in named.chain(titles.map(|title| title.record)) {
                    let record = record.to_string();
                    if !records.contains(&record) {
                        records.push(record);
                    }
                }
                AuditEvent {
                    index: event.entry.index,
                    time: event.time(),
                    event: event.entry.act.name().to_owned(),
                    text: sentence(&line),
                    who: line.who,
                    why: line.why,
                    outcome: event.outcome().map(|outcome| outcome.name().to_owned()),
                    grant: touch.grant.map(ToString::to_string),
                    records,
                    contact: touch
                        .people
                        .first()
                        .and_then(|owner| names.known(owner))
                        .map(str::to_owned),
                }
            });
            Ok(shown.collect())
        })
        .await
    }

    /// Proves one entry to somebody who has only the vault's id: a text to hand over, which shows nothing
    /// of the other entries.
    pub async fn prove_entry(&self, index: u64) -> Result<String, MedVaultError> {
        self.read(move |_, vault| Ok(vault.prove_entry(index)?.to_text()?))
            .await
    }

    /// Computes the whole log again: every entry, every hash, the signature.
    pub async fn verify_audit(&self) -> Result<AuditCheck, MedVaultError> {
        self.read(|_, vault| {
            let report = vault.verify_audit()?;
            let bad = report.bad;
            Ok(AuditCheck {
                entries: report.size,
                intact: bad.is_none(),
                problem: bad.map(|bad| format!("entry {}: {}", bad.index, bad.what)),
            })
        })
        .await
    }

    /// Checks every block against its hash; `deep`: opens every record too.
    pub async fn verify_blocks(&self, deep: bool) -> Result<BlockCheck, MedVaultError> {
        self.run(move |session| {
            let report = session.own_vault()?.verify_blocks(deep)?;
            Ok(BlockCheck {
                blocks: report.blocks as u64,
                missing: report.missing.iter().map(ToString::to_string).collect(),
                unreadable: report.unreadable.iter().map(ToString::to_string).collect(),
            })
        })
        .await
    }
}

/// An event in one line: `you added 2 versions`, `Dr. Bo asked for 1 version: opened, confirmed`.
fn sentence(line: &Line) -> String {
    let mut text = match line.who.is_empty() {
        true => line.what.clone(),
        false => format!("{} {}", line.who, line.what),
    };
    for more in [&line.outcome, &line.records] {
        if !more.is_empty() {
            text = format!("{text}: {more}");
        }
    }
    text
}
