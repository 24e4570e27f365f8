//! `medvault export`: records out again, for people and for other programs.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;
use vault_core::{IndexEntry, RecordId};
use vault_formats::export::{self, Bulk, Collection, FileNames, Folder, IpsOptions};
use vault_formats::{Moment, Person};

use super::record::{AskArgs, Filter, FromArgs, Records};
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::resources::{self, is_resource};
use crate::{files, show, time};

/// Write records to files that people and other programs read
///
/// What is written is no longer encrypted. Nothing in the vault changes.
#[derive(Args)]
pub struct Export {
    /// In which form
    #[arg(long, value_enum, value_name = "FORM")]
    to: Form,

    /// The new file or, for `files` and `ndjson`, the new folder; `-` is standard output
    #[arg(short, long, value_name = "FILE|DIR|-")]
    output: PathBuf,

    /// Replace the file if it is there
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    filter: Filter,

    #[command(flatten)]
    from: FromArgs,

    #[command(flatten)]
    ask: AskArgs,
}

/// The forms of an export.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// The originals, byte for byte, one file each, in a folder
    Files,
    /// One FHIR Bundle of type collection
    Fhir,
    /// A folder with a file of lines for each resource type, and a manifest, as a FHIR bulk export
    Ndjson,
    /// An International Patient Summary: a FHIR document for any doctor anywhere
    Ips,
}

/// Length after which a file of lines is followed by another, in bytes (256 MiB).
const BULK_FILE: u64 = 256 << 20;

/// What was written.
struct Written {
    records: usize,
    left_out: Vec<String>,
}

/// Runs the command.
pub fn run(context: &Context, args: &Export) -> Result<Exit> {
    let mut records = args.from.owner().open(context)?;
    let mut entries = records.records()?;
    entries.retain(|entry| args.filter.takes(entry));
    if entries.is_empty() {
        let what = "no record is to be exported";
        return Err(Error::new(Exit::NotFound, "no-records", what)
            .hint("`medvault record list` with the same conditions shows what there is"));
    }
    if !files::is_dash(&args.output) && matches!(args.to, Form::Files | Form::Ndjson) {
        refuse_existing_folder(&args.output)?;
    } else {
        files::refuse_existing(&args.output, args.force)?;
    }
    records.unlock(context, &opened_by(args.to, &entries), &args.ask)?;
    let written = match args.to {
        Form::Files => originals(args, &*records, &entries)?,
        Form::Fhir => collection(args, &*records, &entries)?,
        Form::Ndjson => bulk(args, &*records, &entries)?,
        Form::Ips => summary(args, &*records, &entries)?,
    };
    for (reason, count) in counted(&written.left_out).into_iter().take(20) {
        context.out.note(match count {
            1 => format!("left out: {reason}"),
            n => format!("left out, {n} times: {reason}"),
        });
    }
    let place = args.output.display().to_string();
    if files::is_dash(&args.output) {
        return Ok(Exit::Ok);
    }
    if context.out.json {
        context.out.json(&json!({
            "output": place,
            "records": written.records,
            "left_out": written.left_out,
        }))?;
    } else {
        let count = show::count(written.records as u64, "record");
        context
            .out
            .print(&format!("{count} written to {place}\n"))?;
        context
            .out
            .note("It is not encrypted: keep it where nobody else looks, and delete it.");
    }
    Ok(Exit::Ok)
}

/// Each reason once, with how often it was given, in the order of first appearance.
fn counted(reasons: &[String]) -> Vec<(&str, usize)> {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for reason in reasons {
        match counted.iter_mut().find(|(known, _)| known == reason) {
            Some((_, count)) => *count += 1,
            None => counted.push((reason, 1)),
        }
    }
    counted
}

/// Every original in a file of its own.
fn originals(args: &Export, records: &dyn Records, entries: &[IndexEntry]) -> Result<Written> {
    let open = records.opener();
    let mut count = 0;
    new_folder(args, |folder| {
        let mut names = FileNames::new();
        for entry in originals_of(entries) {
            let path = folder.join(names.name(&entry.meta, entry.record));
            let file = File::create_new(&path).map_err(|e| Error::file(&path, &e))?;
            let mut out = BufWriter::with_capacity(1 << 20, file);
            open(entry)?.copy_to(&mut out)?;
            out.flush().map_err(|e| Error::file(&path, &e))?;
            count += 1;
        }
        Ok(())
    })?;
    Ok(Written {
        records: count,
        left_out: Vec::new(),
    })
}

/// What was derived from an original that is written, too, is in there.
fn originals_of(entries: &[IndexEntry]) -> impl Iterator<Item = &IndexEntry> {
    let there: HashSet<RecordId> = entries.iter().map(|entry| entry.record).collect();
    entries.iter().filter(move |entry| {
        let origin = entry.meta.origin;
        origin.is_none_or(|origin| !there.contains(&origin))
    })
}

/// Bundles hold resources that are records of their own.
fn parts(entries: &[IndexEntry]) -> Vec<IndexEntry> {
    let whole = |entry: &&IndexEntry| is_resource(entry) && entry.meta.kind.as_str() != "Bundle";
    entries.iter().filter(whole).cloned().collect()
}

/// What an export in this form opens.
fn opened_by(form: Form, entries: &[IndexEntry]) -> Vec<IndexEntry> {
    match form {
        Form::Files => originals_of(entries).cloned().collect(),
        Form::Fhir | Form::Ndjson => parts(entries),
        Form::Ips => {
            let mut parts = parts(entries);
            parts.retain(resources::is_clinical);
            parts
        }
    }
}

fn documents(entries: &[IndexEntry]) -> Vec<String> {
    let count = |takes: &dyn Fn(&IndexEntry) -> bool| {
        entries.iter().filter(|entry| takes(entry)).count() as u64
    };
    let documents = count(&|entry| !is_resource(entry));
    let bundles = count(&|entry| is_resource(entry) && entry.meta.kind.as_str() == "Bundle");
    let mut left_out = Vec::new();
    if documents > 0 {
        let documents = show::count(documents, "document");
        left_out.push(format!("{documents}, which are no FHIR resources"));
    }
    if bundles > 0 {
        let bundles = show::count(bundles, "bundle");
        left_out.push(format!("{bundles}, whose resources are written one by one"));
    }
    left_out
}

fn collection(args: &Export, records: &dyn Records, entries: &[IndexEntry]) -> Result<Written> {
    let parts = parts(entries);
    to_file(args, |out| {
        let mut collection = Collection::new(out, Moment(time::now()))?;
        resources::each_text(records, &parts, |entry, text| {
            Ok(collection.add(entry.record, &entry.meta, text)?)
        })?;
        Ok(collection.finish().map(drop)?)
    })?;
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

fn bulk(args: &Export, records: &dyn Records, entries: &[IndexEntry]) -> Result<Written> {
    let parts = parts(entries);
    new_folder(args, |folder| {
        let moment = Moment(time::now());
        let mut bulk = Bulk::new(OnDisk(folder), moment, "medvault export", BULK_FILE);
        resources::each_text(records, &parts, |entry, text| {
            Ok(bulk.add(&entry.meta.kind, text)?)
        })?;
        Ok(bulk.finish().map(drop)?)
    })?;
    Ok(Written {
        records: parts.len(),
        left_out: documents(entries),
    })
}

fn summary(args: &Export, records: &dyn Records, entries: &[IndexEntry]) -> Result<Written> {
    let mut parts = parts(entries);
    parts.retain(resources::is_clinical);
    let (mut failed, mut unreadable) = (None, Vec::new());
    let opened = resources::opened(records, &parts, &mut unreadable);
    let opened = opened.map_while(|resource| match resource {
        Ok(resource) => Some(resource),
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    let options = IpsOptions {
        owner: records.owner().map(|name| Person::named(&name)),
        ..IpsOptions::default()
    };
    let made = export::ips(opened, Moment(time::now()), &options);
    if let Some(error) = failed {
        return Err(error);
    }
    let text = serde_json::to_string_pretty(&made.bundle).map_err(std::io::Error::from)?;
    to_file(args, |out| Ok(writeln!(out, "{text}")?))?;
    Ok(Written {
        records: made.entries.values().sum(),
        left_out: {
            let made = made.left_out.into_iter().map(|left| left.what);
            let unreadable = unreadable.iter().map(|_| "not readable as JSON".to_owned());
            made.chain(unreadable).collect()
        },
    })
}

/// Writes a file that is whole or not there, or standard output.
fn to_file(args: &Export, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    if files::is_dash(&args.output) {
        let mut out = std::io::stdout().lock();
        write(&mut out)?;
        return Ok(out.flush()?);
    }
    files::write_new(&args.output, args.force, |file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        write(&mut out)?;
        out.flush().map_err(|e| Error::file(&args.output, &e))
    })
}

fn refuse_existing_folder(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        let what = format!("{} is there already", path.display());
        return Err(Error::new(Exit::Failure, "file-exists", what).hint("name a new folder"));
    }
    Ok(())
}

/// Fills a new folder that gets its name only when all is in it.
fn new_folder(args: &Export, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let path = &args.output;
    if files::is_dash(path) {
        return Err(Error::usage("a folder cannot go to standard output").hint("name one with -o"));
    }
    refuse_existing_folder(path)?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let named = |error: &std::io::Error| Error::file(path, error);
    let builder = tempfile::Builder::new()
        .prefix(".medvault-")
        .tempdir_in(parent);
    let unfinished = builder.map_err(|e| named(&e))?;
    fill(unfinished.path())?;
    let full = unfinished.keep();
    std::fs::rename(&full, path).map_err(|error| {
        // what was filled must not lie about
        let _ = std::fs::remove_dir_all(&full);
        named(&error)
    })
}
