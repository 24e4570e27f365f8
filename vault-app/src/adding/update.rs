//! A new version of one record.

use std::collections::HashSet;

use vault_core::{
    Added, Content, Digest, IndexEntry, Label, RecordId, RecordMeta, Vault, VersionId,
};
use vault_formats::{Report, Shelf, Source, VaultShelf};

use crate::error::{Error, Exit, Result};
use crate::intake::Intake;

/// What became of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    /// The record has this version now.
    Version(VersionId),
    /// It had this content already.
    Known,
    /// This content is in the vault as another record. Nothing was changed.
    Elsewhere(RecordId),
}

/// Adds the content of `source` as a new version of the record that `entry` is of: of the same kind,
/// and one record. What was derived from the version before is derived anew. Labels stay.
/// `shown` names the source in messages.
///
/// # Errors
/// `refused` when the content is not one record of that kind, and nothing is changed.
pub fn update_record(
    vault: &mut Vault,
    intake: &Intake,
    entry: &IndexEntry,
    source: &mut dyn Source,
    shown: &str,
) -> Result<Updated> {
    let before = derived_from(vault, &entry.record)?;
    let mut door = intake.door();
    let (mut outcome, mut kept) = (None, HashSet::new());
    vault.add(|adder| -> Result<()> {
        let mut shelf = OneRecord {
            inner: VaultShelf::replacing(adder, entry.record),
            wanted: &entry.meta,
            before: &before,
            shown,
            outcome: None,
            kept: HashSet::new(),
        };
        door.take(&mut shelf, source, shown)?;
        (outcome, kept) = (shelf.outcome, shelf.kept);
        refuse_what_was_refused(shown, door.report())
    })?;
    // a study is put together from all of its images: one new image makes no new study
    let is_image = entry.meta.media_type == "application/dicom";
    let gone = before
        .iter()
        .filter(|old| !is_image && !kept.contains(&old.record));
    let gone: Vec<RecordId> = gone.map(|old| old.record).collect();
    match outcome {
        Some(Added::New(_, version) | Added::Updated(_, version)) => {
            if !gone.is_empty() {
                vault.remove_records(&gone)?;
            }
            Ok(Updated::Version(version))
        }
        Some(Added::Known(record)) if record != entry.record => Ok(Updated::Elsewhere(record)),
        _ => Ok(Updated::Known),
    }
}

/// Records that were derived from one, as they are now.
fn derived_from(vault: &mut Vault, origin: &RecordId) -> Result<Vec<IndexEntry>> {
    let records = vault.records()?;
    let derived = records
        .iter()
        .filter(|entry| entry.meta.origin.as_ref() == Some(origin));
    Ok(derived.cloned().collect())
}

/// One record either gets its new version or nothing happens.
fn refuse_what_was_refused(shown: &str, report: &Report) -> Result<()> {
    match report.refused.first() {
        Some(remark) => {
            let at = remark
                .at
                .as_ref()
                .map_or(String::new(), |at| format!("{at}: "));
            Err(refused(shown, &format!("{at}{}", remark.what)))
        }
        None => Ok(()),
    }
}

/// A vault that takes one record, as a new version of another, and what is derived from it.
struct OneRecord<'a, 's, 't, 'v> {
    inner: VaultShelf<'s, 't, 'v>,
    /// What the record was.
    wanted: &'a RecordMeta,
    /// What was derived from the version before.
    before: &'a [IndexEntry],
    shown: &'a str,
    outcome: Option<Added>,
    /// Derived records that are in the vault with this version.
    kept: HashSet<RecordId>,
}

impl Shelf for OneRecord<'_, '_, '_, '_> {
    type Error = Error;

    fn known(&self, _: &Digest) -> Option<RecordId> {
        None
    }

    fn may_know(&self, _: u64) -> bool {
        false
    }

    fn has_derived(&self, _: &RecordId) -> bool {
        // a version that is there already has what was derived from it
        matches!(self.outcome, Some(Added::Known(_)))
    }

    fn add(&mut self, mut meta: RecordMeta, source: &str, content: Content<'_>) -> Result<Added> {
        let sensitive = |meta: &RecordMeta| -> Vec<Label> {
            let labels = meta.labels.iter().filter(|label| label.is_sensitive());
            labels.cloned().collect()
        };
        if meta.origin.is_some() {
            // `relabel` takes labels off, a new version does not
            let same = self
                .before
                .iter()
                .filter(|old| old.meta.kind == meta.kind && old.meta.title == meta.title);
            let labels: Vec<Label> = same.flat_map(|old| sensitive(&old.meta)).collect();
            meta.labels.extend(labels);
            let added = self.inner.add(meta, source, content)?;
            let (Added::New(record, _) | Added::Updated(record, _) | Added::Known(record)) = added;
            self.kept.insert(record);
            return Ok(added);
        }
        if self.outcome.is_some() {
            return Err(refused(
                self.shown,
                "the file holds several records, not one",
            ));
        }
        if meta.kind != self.wanted.kind {
            let (is, holds) = (self.wanted.kind.as_str(), meta.kind.as_str());
            let what = format!("the record is a {is} and the file holds a {holds}");
            return Err(refused(self.shown, &what));
        }
        meta.labels.extend(sensitive(self.wanted));
        let added = self.inner.add(meta, source, content)?;
        self.outcome = Some(added);
        Ok(added)
    }

    fn breathe(&mut self) -> Result<()> {
        // one record is one change
        Ok(())
    }
}

fn refused(shown: &str, why: &str) -> Error {
    Error::new(Exit::Failure, "refused", format!("{shown}: {why}"))
}
