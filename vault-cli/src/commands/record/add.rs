//! `medvault record add`.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use vault_core::record::{Import, MAX_FHIR_LEN, SNIFF_LEN, Sniffed, read, read_line, sniff};
use vault_core::{
    Added, Adder, Category, Content, Digest, Kind, Label, NewRecord, RecordId, RecordMeta,
};
use zeroize::Zeroizing;

use super::input::{Input, Refusal, collect};
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::ids::Ids;
use crate::output::{BAD, Output, paint};
use crate::{progress, show};

/// Longest line of NDJSON, in bytes.
const MAX_LINE: u64 = 64 << 20;

/// Add files as records
///
/// A FHIR bundle or NDJSON file becomes one record per resource, each byte kept as it is. Any other
/// file becomes one document. Content that is in the vault already is not added again. What cannot
/// be taken is named, the rest is added, and the exit code is 4.
#[derive(Args)]
pub struct Add {
    /// Files, folders, or `-` for standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    paths: Vec<PathBuf>,

    /// Show what would be added and change nothing
    #[arg(long)]
    dry_run: bool,

    /// File name to keep for standard input
    #[arg(long, value_name = "NAME", default_value = "stdin")]
    name: String,

    /// Keep each file whole, as one document, also where it is FHIR. Labels inside are not read, so
    /// such a record is shared only by its id
    #[arg(long, visible_alias = "kind-less")]
    as_document: bool,
}

/// What became of all inputs.
#[derive(Default)]
struct Tally {
    added: Vec<(RecordId, RecordMeta)>,
    known: u64,
    refused: Vec<Refusal>,
    /// With `--dry-run`: contents that would be added.
    would: HashSet<Digest>,
}

/// Runs the command.
pub fn run(context: &Context, args: Add) -> Result<Exit> {
    let mut tally = Tally::default();
    let inputs = collect(&args.paths, &args.name, &mut tally.refused)?;
    let mut vault = context.vault()?;
    let bar = progress::bar(context.out, inputs.len() as u64, "files");
    let fed = vault.add(|adder| -> Result<()> {
        for input in &inputs {
            let mut feed = Feed {
                adder,
                tally: &mut tally,
                args: &args,
                input,
            };
            feed.input()?;
            bar.inc(1);
        }
        match args.dry_run {
            true => Err(Error::new(Exit::Ok, "dry-run", "")),
            false => Ok(()),
        }
    });
    bar.finish_and_clear();
    match fed {
        Ok(_) => {}
        Err(error) if args.dry_run && error.code == "dry-run" => {}
        Err(error) => return Err(error),
    }
    let ids = Ids::new(vault.records()?.iter().map(|entry| entry.record));
    report(context.out, &args, &tally, &ids)?;
    Ok(match (tally.refused.is_empty(), tally.is_empty()) {
        (true, _) => Exit::Ok,
        (false, true) => Exit::Failure,
        (false, false) => Exit::Partial,
    })
}

impl Tally {
    /// Whether nothing at all was taken.
    fn is_empty(&self) -> bool {
        self.added.is_empty() && self.known == 0 && self.would.is_empty()
    }

    fn new_count(&self, dry_run: bool) -> u64 {
        match dry_run {
            true => self.would.len() as u64,
            false => self.added.len() as u64,
        }
    }
}

fn report(out: Output, args: &Add, tally: &Tally, ids: &Ids) -> Result<()> {
    let new = tally.new_count(args.dry_run);
    if out.json {
        return out.json(&json!({
            "dry_run": args.dry_run,
            "added": new,
            "known": tally.known,
            "records": tally.added.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(),
            "refused": tally.refused.iter().map(refusal_json).collect::<Vec<_>>(),
        }));
    }
    for refusal in &tally.refused {
        let at = refusal
            .at
            .as_ref()
            .map_or(String::new(), |at| format!(", {at}"));
        out.say(format!(
            "{} {}{at}: {}",
            paint(BAD, "refused:"),
            refusal.file,
            refusal.why
        ));
    }
    if let [(id, meta)] = &tally.added[..] {
        out.print(&format!(
            "{}  {}  {}\n",
            ids.short(id),
            meta.kind.as_str(),
            meta.title
        ))?;
    }
    let verb = if args.dry_run {
        "would be added"
    } else {
        "added"
    };
    let mut parts = vec![format!("{} {verb}", show::count(new, "record"))];
    if tally.known > 0 {
        parts.push(format!("{} already there", tally.known));
    }
    if !tally.refused.is_empty() {
        parts.push(format!("{} refused", tally.refused.len()));
    }
    out.print(&format!("{}\n", parts.join(", ")))
}

fn refusal_json(refusal: &Refusal) -> Value {
    json!({"file": refusal.file, "at": refusal.at, "why": refusal.why})
}

/// Feeds one input to the vault.
struct Feed<'a, 'f, 't, 'v> {
    adder: &'f mut Adder<'t, 'v>,
    tally: &'f mut Tally,
    args: &'a Add,
    input: &'a Input,
}

impl Feed<'_, '_, '_, '_> {
    fn input(&mut self) -> Result<()> {
        match &self.input.path {
            None => self.source(std::io::stdin(), None),
            Some(path) => match File::open(path).and_then(|file| Ok((file.metadata()?, file))) {
                Ok((meta, file)) => {
                    let len = meta.is_file().then_some(meta.len());
                    self.source(file, len)
                }
                Err(error) => {
                    self.refuse(None, &Error::from_io(&error).message);
                    Ok(())
                }
            },
        }
    }

    fn source(&mut self, mut source: impl Read + Send, len: Option<u64>) -> Result<()> {
        let mut front = Zeroizing::new(Vec::with_capacity(SNIFF_LEN));
        if let Err(error) = source
            .by_ref()
            .take(SNIFF_LEN as u64)
            .read_to_end(&mut front)
        {
            self.refuse(None, &Error::from_io(&error).message);
            return Ok(());
        }
        let sniffed = match sniff(&front, &self.input.name, len) {
            Sniffed::Refused(_) if self.args.as_document && !front.is_empty() => Sniffed::Fhir,
            sniffed => sniffed,
        };
        let complete = front.len() < SNIFF_LEN;
        let rest = (&front[..]).chain(source);
        match sniffed {
            Sniffed::Document { meta } => self.document(meta, len, rest, complete),
            Sniffed::Fhir | Sniffed::Ndjson if self.args.as_document => {
                self.document(unread(&self.input.name), len, rest, complete)
            }
            Sniffed::Fhir => self.whole(rest),
            Sniffed::Ndjson => self.lines(BufReader::with_capacity(1 << 20, rest)),
            Sniffed::Refused(problem) => {
                self.refuse(None, &problem.what);
                Ok(())
            }
        }
    }

    /// A file that is read in one piece and split.
    fn whole(&mut self, source: impl Read) -> Result<()> {
        let mut bytes = Zeroizing::new(Vec::new());
        let read_all = source.take(MAX_FHIR_LEN as u64 + 1).read_to_end(&mut bytes);
        if let Err(error) = read_all {
            self.refuse(None, &Error::from_io(&error).message);
            return Ok(());
        }
        let import = read(&bytes, &self.input.name);
        self.import(import, &bytes)
    }

    /// A file that is read line by line.
    fn lines(&mut self, mut source: impl BufRead) -> Result<()> {
        let mut line = Zeroizing::new(Vec::new());
        for number in 1.. {
            line.clear();
            match source.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) if line.len() as u64 == MAX_LINE && line.last() != Some(&b'\n') => {
                    self.refuse(Some(format!("line {number}")), "the line is over 64 MiB");
                    if skip_line(&mut source).is_err() {
                        break;
                    }
                }
                Ok(_) => self.import(read_line(&line, number), &line)?,
                Err(error) => {
                    let why = Error::from_io(&error).message;
                    self.refuse(Some(format!("line {number}")), &why);
                    break;
                }
            }
        }
        Ok(())
    }

    fn import(&mut self, import: Import, bytes: &[u8]) -> Result<()> {
        for problem in import.problems {
            let at = (problem.at != "file").then_some(problem.at);
            self.refuse(at, &problem.what);
        }
        for item in import.items {
            let Some(content) = bytes.get(item.range) else {
                self.refuse(None, "a part lies outside the file");
                continue;
            };
            if self.args.dry_run {
                self.foresee(Digest::of(content));
                continue;
            }
            self.add(item.meta, Content::Bytes(Zeroizing::new(content.to_vec())))?;
        }
        Ok(())
    }

    /// A file that is streamed. A large one that may be known is hashed first, for that is cheaper
    /// than sealing it in vain.
    fn document(
        &mut self,
        meta: RecordMeta,
        len: Option<u64>,
        mut rest: impl Read + Send,
        complete: bool,
    ) -> Result<()> {
        let may_be_known = len.is_some_and(|len| !complete && self.adder.has_length(len));
        if self.args.dry_run {
            return self.hash_then(&mut rest, |feed, digest| {
                feed.foresee(digest);
                Ok(())
            });
        }
        if may_be_known && let Some(path) = &self.input.path {
            let mut known = false;
            let file = File::open(path).map_err(|e| Error::file(path, &e))?;
            self.hash_then(&mut { file }, |feed, digest| {
                known = feed.adder.known(&digest).is_some();
                Ok(())
            })?;
            if known {
                self.tally.known += 1;
                return Ok(());
            }
        }
        let shown = self.input.shown();
        let mut watched = Watched {
            inner: &mut rest,
            error: None,
        };
        let added = self.add(meta, Content::Stream(&mut watched));
        match (added, watched.error) {
            (Err(_), Some(why)) => Err(Error::new(
                Exit::Failure,
                "read",
                format!("{shown}: {why}; nothing was added"),
            )
            .hint("leave this file out and run the command again")),
            (added, _) => added,
        }
    }

    fn hash_then(
        &mut self,
        source: &mut impl Read,
        then: impl FnOnce(&mut Self, Digest) -> Result<()>,
    ) -> Result<()> {
        let mut hash = Sha256::new();
        match std::io::copy(&mut BufReader::with_capacity(1 << 20, source), &mut hash) {
            Ok(_) => then(self, Digest::from_bytes(hash.finalize().into())),
            Err(error) => {
                self.refuse(None, &Error::from_io(&error).message);
                Ok(())
            }
        }
    }

    /// Notes what would become of a content.
    fn foresee(&mut self, digest: Digest) {
        if self.adder.known(&digest).is_some() || !self.tally.would.insert(digest) {
            self.tally.known += 1;
        }
    }

    fn add(&mut self, meta: RecordMeta, content: Content<'_>) -> Result<()> {
        let new = NewRecord {
            meta: meta.clone(),
            source: Some(self.input.name.clone()),
            content,
            replaces: None,
        };
        match self.adder.add(new)? {
            Added::New(record, _) | Added::Updated(record, _) => {
                self.tally.added.push((record, meta));
            }
            Added::Known(_) => self.tally.known += 1,
        }
        Ok(())
    }

    fn refuse(&mut self, at: Option<String>, why: &str) {
        self.tally.refused.push(Refusal {
            file: self.input.shown(),
            at,
            why: why.to_owned(),
        });
    }
}

/// A reader that remembers its own failure, to tell it from a failure to write.
struct Watched<'a, R> {
    inner: &'a mut R,
    error: Option<String>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| {
            if error.kind() != std::io::ErrorKind::Interrupted {
                self.error = Some(Error::from_io(error).message);
            }
        })
    }
}

fn skip_line(source: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = source.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let (used, done) = match buffer.iter().position(|b| *b == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), false),
        };
        source.consume(used);
        if done {
            return Ok(());
        }
    }
}

/// The summary of a structured file that is kept without being read.
fn unread(name: &str) -> RecordMeta {
    RecordMeta {
        kind: Kind::document(),
        category: Category::Other,
        date: None,
        title: name.to_owned(),
        labels: [Label::unclear()].into(),
        media_type: "application/json".to_owned(),
        source_id: None,
        ..RecordMeta::default()
    }
}
