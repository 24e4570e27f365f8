//! Security labels that the patient gives and takes.

use vault_core::{IndexEntry, Label, RecordId, Relabelled, Vault};

use crate::error::Result;

/// Records that were derived from one of `wanted`, and originals of them: what one of them says, the
/// other says too, so both get a label that one is given.
pub fn relatives(all: &[IndexEntry], wanted: &[RecordId]) -> Vec<RecordId> {
    let of = |entry: &&IndexEntry| {
        let derived = entry
            .meta
            .origin
            .as_ref()
            .is_some_and(|origin| wanted.contains(origin));
        let original = || {
            let mut own = all.iter().filter(|e| wanted.contains(&e.record));
            own.any(|e| e.meta.origin == Some(entry.record))
        };
        !wanted.contains(&entry.record) && (derived || original())
    };
    all.iter().filter(of).map(|entry| entry.record).collect()
}

/// Gives `wanted` labels, and their relatives too, and takes labels off `wanted`. Returns what changed.
///
/// # Errors
/// `no-record`; whatever hinders the vault.
pub fn relabel(
    vault: &mut Vault,
    wanted: &[RecordId],
    add: &[Label],
    remove: &[Label],
) -> Result<Vec<(RecordId, Relabelled)>> {
    let relatives = relatives(&vault.records()?, wanted);
    let own = wanted.iter().map(|record| (record, remove));
    let others = relatives.iter().map(|record| (record, &[][..]));
    let mut changed = Vec::new();
    for (record, remove) in own.chain(others) {
        let relabelled = vault.relabel(record, add, remove)?;
        if relabelled.version.is_some() {
            changed.push((*record, relabelled));
        }
    }
    Ok(changed)
}
