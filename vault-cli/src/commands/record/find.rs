//! Finding one record by a prefix of its id.

use vault_core::{IndexEntry, RecordId};

use super::source::Records;
use crate::error::Result;
use vault_app::Ids;

/// The newest version of the record that `text` begins, and all ids, to shorten by.
pub fn find(records: &mut dyn Records, text: &str) -> Result<(IndexEntry, Ids)> {
    let newest = records.records()?;
    let ids = Ids::new(newest.iter().map(|entry| entry.record));
    let id: RecordId = ids.find(text, "record", "record list")?;
    let found = newest.into_iter().find(|entry| entry.record == id);
    let entry = found.ok_or(vault_core::VaultError::NoRecord(id))?;
    Ok((entry, ids))
}
