//! FHIR in JSON: the core takes it apart, resource by resource.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;

use vault_core::record::{
    BundleReader, Import, MAX_FHIR_LEN, Sniffed, Streamed, read, read_line, sniff,
};
use vault_core::{Content, Label, RecordId, RecordMeta};
use zeroize::Zeroizing;

use super::original::Watched;
use super::{Current, Door, MAX_WHOLE, Shelf, Source, bytes, read_whole};
use crate::Person;

/// Longest line of NDJSON, in bytes.
const MAX_LINE: u64 = MAX_WHOLE as u64;

/// Why a stream was not read to its end.
enum Stop<E> {
    Read(io::Error),
    Shelf(E),
}

impl<E> From<io::Error> for Stop<E> {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl Door<'_> {
    pub(super) fn json<S: Shelf>(
        &mut self,
        shelf: &mut S,
        current: &Current<'_>,
        source: &mut dyn Source,
        front: &[u8],
    ) -> Result<(), S::Error> {
        match sniff(front, current.name, source.length()) {
            Sniffed::Fhir => match read_whole(source, MAX_FHIR_LEN) {
                Ok(Some(bytes)) => {
                    if let Some(listed) = manifest(&bytes) {
                        self.note(current, None, "a list of files, and no record");
                        self.missing_files(current, source, &listed);
                        return Ok(());
                    }
                    let import = read(&bytes, current.name);
                    self.import(shelf, current, import, &bytes).map(drop)
                }
                Ok(None) => self.bundle(shelf, current, source),
                Err(error) => self.unreadable(current, &error),
            },
            Sniffed::Stream => self.bundle(shelf, current, source),
            Sniffed::Ndjson => match self.lines(shelf, current, source) {
                Ok(()) => Ok(()),
                Err(Stop::Read(error)) => self.unreadable(current, &error),
                Err(Stop::Shelf(error)) => Err(error),
            },
            Sniffed::Document { meta } => self.original(shelf, current, meta, source).map(drop),
            Sniffed::Refused(problem) => {
                self.refuse(current, Some(problem.at), &problem.what);
                Ok(())
            }
        }
    }

    /// Says how many of the files that a manifest lists are not beside it.
    fn missing_files(&mut self, current: &Current<'_>, source: &dyn Source, listed: &[String]) {
        let Some(folder) = source.path().and_then(std::path::Path::parent) else {
            return;
        };
        let missing = listed
            .iter()
            .filter(|name| !folder.join(name).is_file())
            .count();
        if missing > 0 {
            let what = format!(
                "{missing} of the {} files that it lists are missing",
                listed.len()
            );
            self.note(current, None, &what);
        }
    }

    /// Adds the parts of one value. Returns their sensitive labels.
    fn import<S: Shelf>(
        &mut self,
        shelf: &mut S,
        current: &Current<'_>,
        mut import: Import,
        text: &[u8],
    ) -> Result<BTreeSet<Label>, S::Error> {
        for problem in import.problems {
            self.refuse(current, Some(problem.at), &problem.what);
        }
        // a bundle that is a record itself holds all that its parts say
        for at in (0..import.items.len()).rev() {
            let Some(item) = import.items.get_mut(at) else {
                continue;
            };
            let content = text.get(item.range.clone()).unwrap_or_default();
            let content = std::str::from_utf8(content).unwrap_or_default();
            let content = content.trim_start_matches('\u{feff}');
            self.sensitivity.label_resource(&mut item.meta, content);
            let (labels, whole) = (item.meta.labels.clone(), item.part_of);
            if let Some(whole) = whole.and_then(|whole| import.items.get_mut(whole)) {
                whole.meta.labels.extend(labels);
            }
        }
        let all = import.items.iter().flat_map(|item| &item.meta.labels);
        let sensitive = all.filter(|label| label.is_sensitive()).cloned().collect();
        let mut records: Vec<Option<RecordId>> = Vec::with_capacity(import.items.len());
        for item in import.items {
            let Some(content) = text.get(item.range) else {
                self.refuse(current, None, "a part lies outside the file");
                records.push(None);
                continue;
            };
            if item.meta.kind.as_str() == "Patient"
                && let Some(person) = Person::from_patient_json(content)
            {
                self.meet(current, &person);
            }
            let mut meta = item.meta;
            meta.origin = item
                .part_of
                .and_then(|whole| records.get(whole).copied().flatten());
            if meta.author.is_none() {
                meta.author = current.author.map(vault_core::record::clean_field);
            }
            let added = shelf.add(meta.clone(), current.name, bytes(content))?;
            records.push(self.count(current, added, meta).record());
        }
        Ok(sensitive)
    }

    /// A bundle of any length.
    fn bundle<S: Shelf>(
        &mut self,
        shelf: &mut S,
        current: &Current<'_>,
        source: &mut dyn Source,
    ) -> Result<(), S::Error> {
        let mut wholes: Vec<(Range<u64>, RecordMeta)> = Vec::new();
        let mut document = None;
        // where something sensitive stands: a bundle that is kept whole holds it, too
        let mut labels: Vec<(u64, BTreeSet<Label>)> = Vec::new();
        let reader = match source.open() {
            Ok(reader) => BufReader::with_capacity(1 << 20, reader),
            Err(error) => return self.unreadable(current, &error),
        };
        let outcome = BundleReader::new(reader, current.name).read(|found| {
            match found {
                Streamed::Piece(piece) => {
                    let text = Zeroizing::new(piece.bytes);
                    let start = piece.start;
                    let said = self.import(shelf, current, piece.import, &text);
                    let said = said.map_err(Stop::Shelf)?;
                    if !said.is_empty() {
                        labels.push((start, said));
                    }
                    shelf.breathe().map_err(Stop::Shelf)?;
                }
                Streamed::Whole { range, meta } => wholes.push((range, meta)),
                Streamed::Document { meta } => document = Some(meta),
                Streamed::Problem(problem) => {
                    self.refuse(current, Some(problem.at), &problem.what);
                }
            }
            Ok(())
        });
        match outcome {
            Ok(()) => {}
            Err(Stop::Read(error)) => return self.unreadable(current, &error),
            Err(Stop::Shelf(error)) => return Err(error),
        }
        if let Some(meta) = document {
            self.note(current, None, "too long to be understood; it is kept whole");
            self.original(shelf, current, meta, source)?;
        }
        for (range, mut meta) in wholes {
            if !source.reopens() {
                let what = "a document bundle of a stream is kept in its parts only";
                self.note(current, None, what);
                continue;
            }
            self.sensitivity.label(&mut meta);
            let inside = labels.iter().filter(|(start, _)| range.contains(start));
            meta.labels
                .extend(inside.flat_map(|(_, labels)| labels.iter().cloned()));
            let skipped = source.open().and_then(|mut reader| {
                io::copy(&mut reader.by_ref().take(range.start), &mut io::sink())?;
                Ok(reader)
            });
            let reader = match skipped {
                Ok(reader) => reader,
                Err(error) => return self.unreadable(current, &error),
            };
            let mut part = Watched {
                inner: Box::new(reader.take(range.end - range.start)),
                error: None,
            };
            let added = shelf.add(meta.clone(), current.name, Content::Stream(&mut part));
            match (added, part.error) {
                (Err(_), Some(error)) => return self.unreadable(current, &error),
                (added, _) => drop(self.count(current, added?, meta)),
            }
        }
        Ok(())
    }

    /// NDJSON, line by line.
    fn lines<S: Shelf>(
        &mut self,
        shelf: &mut S,
        current: &Current<'_>,
        source: &mut dyn Source,
    ) -> Result<(), Stop<S::Error>> {
        let mut source = BufReader::with_capacity(1 << 20, source.open()?);
        let mut line = Zeroizing::new(Vec::new());
        for number in 1.. {
            line.clear();
            let got = source
                .by_ref()
                .take(MAX_LINE)
                .read_until(b'\n', &mut line)?;
            if got == 0 {
                break;
            }
            if line.len() as u64 == MAX_LINE && line.last() != Some(&b'\n') {
                let at = format!("line {number}");
                self.refuse(current, Some(at), "the line is over 32 MiB");
                skip_line(&mut source)?;
                continue;
            }
            self.import(shelf, current, read_line(&line, number), &line)
                .and_then(|_| shelf.breathe())
                .map_err(Stop::Shelf)?;
        }
        Ok(())
    }
}

/// The files that the manifest of a FHIR bulk export lists; `None` when this is none. It is a list of
/// the files beside it and no record.
///
/// Source: HL7 FHIR Bulk Data Access, "Response - Complete Status".
fn manifest(text: &[u8]) -> Option<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Output {
        #[serde(rename = "type")]
        _kind: String,
        url: String,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Manifest {
        #[serde(rename = "transactionTime")]
        _time: String,
        #[serde(rename = "requiresAccessToken")]
        _token: bool,
        output: Vec<Output>,
    }
    // most JSON is something else, which the first lines show
    let front = text.get(..text.len().min(4096)).unwrap_or_default();
    if !front.windows(15).any(|word| word == b"transactionTime") {
        return None;
    }
    let manifest: Manifest = serde_json::from_slice(text).ok()?;
    let name = |output: Output| {
        let path = output
            .url
            .split(['?', '#'])
            .next()
            .unwrap_or_default()
            .to_owned();
        path.rsplit('/').next().map(str::to_owned)
    };
    Some(manifest.output.into_iter().filter_map(name).collect())
}

fn skip_line(source: &mut impl BufRead) -> io::Result<()> {
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
