//! Records out again, for people and for other programs. What is written is not encrypted.

mod folder;
mod resources;

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use vault_core::{IndexEntry, OpenRecord, RecordId};
use vault_formats::export::{self, Bulk, Collection, FileNames, Folder, IpsOptions};
use vault_formats::{Moment, Person};

use crate::error::{Error, Result};
use crate::words::count;
use crate::{files, time};

pub use folder::{new_folder, refuse_existing_folder};
pub use resources::{each_text, is_clinical, is_resource, opened};

/// Largest NDJSON file, in bytes (256 MiB); longer ones go on in another.
const BULK_FILE: u64 = 256 << 20;

/// What an export is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportForm {
    /// A folder with every original, byte for byte.
    Files,
    /// One FHIR collection bundle.
    Fhir,
    /// A folder of NDJSON files, one for each resource type.
    Ndjson,
    /// An International Patient Summary.
    Ips,
}

impl ExportForm {
    /// Whether it is a folder.
    pub const fn is_folder(self) -> bool {
        matches!(self, Self::Files | Self::Ndjson)
    }

    /// Those among `entries` whose contents this form opens.
    pub fn opens(self, entries: &[IndexEntry]) -> Vec<IndexEntry> {
        match self {
            Self::Files => originals_of(entries).cloned().collect(),
            Self::Fhir | Self::Ndjson => parts(entries),
            Self::Ips => {
                let mut parts = parts(entries);
                parts.retain(is_clinical);
                parts
            }
        }
    }
}

/// Opens the content of a version.
pub type Open<'a> = dyn Fn(&IndexEntry) -> Result<OpenRecord> + 'a;

/// What is to be exported.
pub struct Exported<'a> {
    /// The newest version of each record.
    pub entries: &'a [IndexEntry],
    /// Opens one, quickly when they come in this order.
    pub open: &'a Open<'a>,
    /// The name of whoever the records are of, where it is one person.
    pub owner: Option<&'a str>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// How many records.
    pub records: usize,
    /// What was left out, and why, in words.
    pub left_out: Vec<String>,
}

/// Writes a new folder, or a file, whole or not at all. `step` hears of every record.
///
/// # Errors
/// `file-exists`; what cannot be opened or written; what `step` returns.
pub fn export_to(
    exported: &Exported<'_>,
    form: ExportForm,
    path: &Path,
    force: bool,
    step: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Written> {
    let mut counted = counting(exported.open, step);
    match form {
        ExportForm::Files => new_folder(path, |folder| {
            originals(exported.entries, &mut counted, folder)
        }),
        ExportForm::Ndjson => {
            new_folder(path, |folder| bulk(exported.entries, &mut counted, folder))
        }
        ExportForm::Fhir | ExportForm::Ips => {
            let mut written = None;
            files::write_new(path, force, |file| {
                let mut out = BufWriter::with_capacity(1 << 20, file);
                written = Some(write(exported, form, &mut out, &mut counted)?);
                out.flush().map_err(|e| Error::file(path, &e))
            })?;
            written.ok_or_else(|| vault_core::VaultError::Conflict.into())
        }
    }
}

/// Writes a form that is one file.
///
/// # Errors
/// As [`export_to`].
pub fn export_into(
    exported: &Exported<'_>,
    form: ExportForm,
    out: &mut dyn Write,
    step: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Written> {
    let mut counted = counting(exported.open, step);
    write(exported, form, out, &mut counted)
}

/// Opens one record after the other.
type OpenNext<'a> = dyn FnMut(&IndexEntry) -> Result<OpenRecord> + 'a;

fn counting<'a>(
    open: &'a Open<'a>,
    step: &'a mut dyn FnMut(u64) -> Result<()>,
) -> impl FnMut(&IndexEntry) -> Result<OpenRecord> + 'a {
    let mut done = 0;
    move |entry| {
        step(done)?;
        done += 1;
        open(entry)
    }
}

fn write(
    exported: &Exported<'_>,
    form: ExportForm,
    out: &mut dyn Write,
    open: &mut OpenNext<'_>,
) -> Result<Written> {
    match form {
        ExportForm::Ips => summary(exported, out, open),
        _ => collection(exported.entries, out, open),
    }
}

/// The bytes that came in, one file each. What was derived from a record that is exported too was
/// made by this program and is left out.
fn originals(entries: &[IndexEntry], open: &mut OpenNext<'_>, folder: &Path) -> Result<Written> {
    let mut names = FileNames::new();
    let mut records = 0;
    for entry in originals_of(entries) {
        let path = folder.join(names.name(&entry.meta, entry.record));
        let file = File::create_new(&path).map_err(|e| Error::file(&path, &e))?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        open(entry)?.copy_to(&mut out)?;
        out.flush().map_err(|e| Error::file(&path, &e))?;
        records += 1;
    }
    Ok(Written {
        records,
        left_out: Vec::new(),
    })
}

/// Without what was derived from a record among them.
fn originals_of(entries: &[IndexEntry]) -> impl Iterator<Item = &IndexEntry> {
    let there: HashSet<RecordId> = entries.iter().map(|entry| entry.record).collect();
    entries.iter().filter(move |entry| {
        let origin = entry.meta.origin;
        origin.is_none_or(|origin| !there.contains(&origin))
    })
}

/// The FHIR resources that go one by one: not bundles, whose parts are records of their own.
fn parts(entries: &[IndexEntry]) -> Vec<IndexEntry> {
    let whole = |entry: &&IndexEntry| is_resource(entry) && entry.meta.kind.as_str() != "Bundle";
    entries.iter().filter(whole).cloned().collect()
}

/// How many were no FHIR resources, in words.
fn documents(entries: &[IndexEntry]) -> Vec<String> {
    let number = |takes: &dyn Fn(&IndexEntry) -> bool| {
        entries.iter().filter(|entry| takes(entry)).count() as u64
    };
    let documents = number(&|entry| !is_resource(entry));
    let bundles = number(&|entry| is_resource(entry) && entry.meta.kind.as_str() == "Bundle");
    let mut left_out = Vec::new();
    if documents > 0 {
        let documents = count(documents, "document");
        left_out.push(format!("{documents}, which are no FHIR resources"));
    }
    if bundles > 0 {
        let bundles = count(bundles, "bundle");
        left_out.push(format!("{bundles}, whose resources are written one by one"));
    }
    left_out
}

fn collection(
    entries: &[IndexEntry],
    out: &mut dyn Write,
    open: &mut OpenNext<'_>,
) -> Result<Written> {
    let parts = parts(entries);
    let mut collection = Collection::new(out, Moment(time::now()))?;
    each_text(open, &parts, |entry, text| {
        Ok(collection.add(entry.record, &entry.meta, text)?)
    })?;
    collection.finish()?;
    Ok(Written {
        records: parts.len(),
        left_out: documents(entries),
    })
}

/// A folder on the disk.
struct OnDisk<'a>(&'a Path);

impl Folder for OnDisk<'_> {
    fn create(&mut self, name: &str) -> std::io::Result<Box<dyn Write>> {
        let file = File::create_new(self.0.join(name))?;
        Ok(Box::new(BufWriter::with_capacity(1 << 20, file)))
    }
}

fn bulk(entries: &[IndexEntry], open: &mut OpenNext<'_>, folder: &Path) -> Result<Written> {
    let parts = parts(entries);
    let moment = Moment(time::now());
    let mut bulk = Bulk::new(OnDisk(folder), moment, "medvault export", BULK_FILE);
    each_text(open, &parts, |entry, text| {
        Ok(bulk.add(&entry.meta.kind, text)?)
    })?;
    bulk.finish()?;
    Ok(Written {
        records: parts.len(),
        left_out: documents(entries),
    })
}

fn summary(
    exported: &Exported<'_>,
    out: &mut dyn Write,
    open: &mut OpenNext<'_>,
) -> Result<Written> {
    let parts = ExportForm::Ips.opens(exported.entries);
    let (mut failed, mut unreadable) = (None, Vec::new());
    let resources = opened(open, &parts, &mut unreadable);
    let resources = resources.map_while(|resource| match resource {
        Ok(resource) => Some(resource),
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    let options = IpsOptions {
        owner: exported.owner.map(Person::named),
        ..IpsOptions::default()
    };
    let made = export::ips(resources, Moment(time::now()), &options);
    if let Some(error) = failed {
        return Err(error);
    }
    let text = serde_json::to_string_pretty(&made.bundle).map_err(std::io::Error::from)?;
    writeln!(out, "{text}")?;
    let left = made.left_out.into_iter().map(|left| left.what);
    let unreadable = unreadable.iter().map(|_| "not readable as JSON".to_owned());
    Ok(Written {
        records: made.entries.values().sum(),
        left_out: left.chain(unreadable).collect(),
    })
}
