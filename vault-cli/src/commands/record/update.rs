//! `medvault record update`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use vault_core::{Added, Content, Digest, IndexEntry, Label, RecordId, RecordMeta, Vault};
use vault_formats::{OnDisk, Report, Shelf, VaultShelf};

use super::find::find;
use super::intake::Intake;
use crate::context::Context;
use crate::error::{Error, Exit, Result};

/// Add a new version of a record
///
/// The file must hold exactly one record. Earlier versions stay; standing grants that hold the
/// record get the new version too. What was derived from the earlier version makes way for what is
/// derived from the new one.
#[derive(Args)]
pub struct Update {
    /// The record, by its id or the beginning of it
    #[arg(value_name = "RECORD")]
    record: String,

    /// The new content
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs the command.
pub fn run(context: &Context, args: &Update) -> Result<Exit> {
    let (home, mut vault) = context.home_and_vault()?;
    let (entry, ids) = find(&mut vault, &args.record)?;
    let before = derived_from(&mut vault, &entry.record)?;
    let intake = Intake::new(context, &home, &mut vault, &[])?;
    let mut door = intake.door();
    let shown = args.file.display().to_string();
    let mut source = OnDisk::new(&args.file).map_err(|e| Error::file(&args.file, &e))?;
    let (mut outcome, mut kept) = (None, HashSet::new());
    vault.add(|adder| -> Result<()> {
        let mut shelf = OneRecord {
            inner: VaultShelf::replacing(adder, entry.record),
            wanted: &entry.meta,
            before: &before,
            file: &args.file,
            outcome: None,
            kept: HashSet::new(),
        };
        door.take(&mut shelf, &mut source, &shown)?;
        (outcome, kept) = (shelf.outcome, shelf.kept);
        refuse_what_was_refused(args, door.report())
    })?;
    // a study is put together from all of its images: one new image makes no new study
    let is_image = entry.meta.media_type == "application/dicom";
    let gone = before
        .iter()
        .filter(|old| !is_image && !kept.contains(&old.record));
    let gone: Vec<RecordId> = gone.map(|old| old.record).collect();
    let (version, message) = match outcome {
        Some(Added::New(_, version) | Added::Updated(_, version)) => {
            if !gone.is_empty() {
                vault.remove_records(&gone)?;
            }
            let text = format!("{} has a new version", ids.short(entry.record));
            (Some(version.to_string()), text)
        }
        Some(Added::Known(record)) if record != entry.record => {
            let known = ids.short(record);
            let what = format!("this content is there already, as record {known}");
            return Err(refused(&args.file, &what));
        }
        _ => (
            None,
            "this content is there already; nothing was added".to_owned(),
        ),
    };
    if context.out.json {
        context
            .out
            .json(&json!({"record": entry.record.to_string(), "version": version}))?;
    } else {
        context.out.print(&format!("{message}\n"))?;
    }
    Ok(Exit::Ok)
}

fn derived_from(vault: &mut Vault, origin: &RecordId) -> Result<Vec<IndexEntry>> {
    let records = vault.records()?;
    let derived = records
        .iter()
        .filter(|entry| entry.meta.origin.as_ref() == Some(origin));
    Ok(derived.cloned().collect())
}

fn refuse_what_was_refused(args: &Update, report: &Report) -> Result<()> {
    match report.refused.first() {
        Some(remark) => {
            let at = remark
                .at
                .as_ref()
                .map_or(String::new(), |at| format!("{at}: "));
            Err(refused(&args.file, &format!("{at}{}", remark.what)))
        }
        None => Ok(()),
    }
}

/// Takes one original, and what is derived from it.
struct OneRecord<'a, 's, 't, 'v> {
    inner: VaultShelf<'s, 't, 'v>,
    wanted: &'a RecordMeta,
    /// What was derived from the version before.
    before: &'a [IndexEntry],
    file: &'a Path,
    outcome: Option<Added>,
    /// What is derived from the new version, there before or not.
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
            // `record label` takes labels off, a new version does not
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
                self.file,
                "the file holds several records, not one",
            ));
        }
        if meta.kind != self.wanted.kind {
            let (is, holds) = (self.wanted.kind.as_str(), meta.kind.as_str());
            let what = format!("the record is a {is} and the file holds a {holds}");
            return Err(refused(self.file, &what));
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

fn refused(file: &Path, why: &str) -> Error {
    Error::new(
        Exit::Failure,
        "refused",
        format!("{}: {why}", file.display()),
    )
}
