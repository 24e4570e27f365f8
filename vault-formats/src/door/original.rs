//! An original and what was derived from it.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read};

use serde_json::Value;
use vault_core::record::FHIR_JSON;
use vault_core::{Added, Content, Label, RecordId, RecordMeta};

use super::{Current, Door, Shelf, Source, hash};
use crate::{Derived, Understood};

/// What became of an original.
pub(super) enum Kept {
    New(RecordId),
    Known(RecordId),
    /// It could not be read.
    Not,
}

impl Kept {
    /// The record that holds it.
    pub(super) const fn record(&self) -> Option<RecordId> {
        match self {
            Self::New(record) | Self::Known(record) => Some(*record),
            Self::Not => None,
        }
    }
}

impl Door<'_> {
    /// Adds an original with all that was derived from it.
    pub(super) fn understood<S: Shelf>(
        &mut self,
        shelf: &mut S,
        current: &Current<'_>,
        understood: Understood,
        source: &mut dyn Source,
    ) -> Result<Kept, S::Error> {
        for problem in &understood.problems {
            self.note(current, Some(problem.at.clone()), &problem.what);
        }
        for person in &understood.about {
            self.meet(current, person);
        }
        let mut meta = understood.meta;
        let mut derived = understood.derived;
        // the original holds all that its parts say
        for part in &mut derived {
            self.label_part(part);
            meta.labels.extend(part.meta.labels.iter().cloned());
        }
        spread_labels(&meta, &mut derived);
        let kept = self.original(shelf, current, meta, source)?;
        match &kept {
            Kept::New(record) => self.add_derived(shelf, current, derived, Some(*record))?,
            Kept::Known(record) if !shelf.has_derived(record) => {
                self.add_derived(shelf, current, derived, Some(*record))?;
            }
            Kept::Known(_) | Kept::Not => {}
        }
        Ok(kept)
    }

    /// Adds an original as it is. A large one that may be known is hashed first, for that is cheaper
    /// than sealing it in vain.
    pub(super) fn original<S: Shelf>(
        &mut self,
        shelf: &mut S,
        current: &Current<'_>,
        mut meta: RecordMeta,
        source: &mut dyn Source,
    ) -> Result<Kept, S::Error> {
        self.sensitivity.label(&mut meta);
        if meta.author.is_none() {
            meta.author = current.author.map(vault_core::record::clean_field);
        }
        if source.length().is_some_and(|len| shelf.may_know(len)) {
            match hash(source) {
                Ok(Some(digest)) => {
                    if let Some(record) = shelf.known(&digest) {
                        self.report.counts(current.format).known += 1;
                        return Ok(Kept::Known(record));
                    }
                }
                Ok(None) => {}
                Err(error) => return self.unreadable(current, &error).map(|()| Kept::Not),
            }
        }
        let reader = match source.open() {
            Ok(reader) => reader,
            Err(error) => return self.unreadable(current, &error).map(|()| Kept::Not),
        };
        let mut watched = Watched {
            inner: reader,
            error: None,
        };
        let added = shelf.add(meta.clone(), current.name, Content::Stream(&mut watched));
        match (added, watched.error) {
            // what was sealed of it belongs to no record and goes with the next change
            (Err(_), Some(error)) => self.unreadable(current, &error).map(|()| Kept::Not),
            (added, _) => Ok(self.count(current, added?, meta)),
        }
    }

    /// Gives a derived record the labels of all that it says.
    fn label_part(&self, part: &mut Derived) {
        let text = std::str::from_utf8(&part.content).unwrap_or_default();
        self.sensitivity.label_resource(&mut part.meta, text);
    }

    /// Adds what was derived from a record. A provenance of nothing new says nothing new.
    pub(super) fn add_derived<S: Shelf>(
        &mut self,
        shelf: &mut S,
        current: &Current<'_>,
        derived: Vec<Derived>,
        origin: Option<RecordId>,
    ) -> Result<(), S::Error> {
        let mut anything_new = false;
        for mut part in derived {
            if part.meta.kind.as_str() == "Provenance" && !anything_new {
                continue;
            }
            part.meta.origin = origin;
            self.label_part(&mut part);
            let meta = part.meta.clone();
            let added = shelf.add(part.meta, current.name, Content::Bytes(part.content))?;
            if let Added::New(record, _) | Added::Updated(record, _) = added {
                anything_new = true;
                self.report.counts(current.format).derived += 1;
                self.report.added.push(record);
                self.report.first.get_or_insert(meta);
            }
        }
        Ok(())
    }

    /// Counts an original.
    pub(super) fn count(&mut self, current: &Current<'_>, added: Added, meta: RecordMeta) -> Kept {
        match added {
            Added::New(record, _) | Added::Updated(record, _) => {
                self.report.counts(current.format).added += 1;
                self.report.added.push(record);
                self.report.first.get_or_insert(meta);
                Kept::New(record)
            }
            Added::Known(record) => {
                self.report.counts(current.format).known += 1;
                Kept::Known(record)
            }
        }
    }
}

/// A file inside another says nobody knows what of it, and a report what its results say: they get
/// the labels of those.
fn spread_labels(original: &RecordMeta, derived: &mut [Derived]) {
    let labels: HashMap<String, BTreeSet<Label>> = derived
        .iter()
        .filter_map(|part| Some((part.meta.source_id.clone()?, part.meta.labels.clone())))
        .collect();
    for part in derived {
        if part.meta.media_type != FHIR_JSON {
            part.meta.labels.extend(original.labels.iter().cloned());
        } else if part.meta.kind.as_str() == "DiagnosticReport" {
            let report: Option<Value> = serde_json::from_slice(&part.content).ok();
            let results = report
                .as_ref()
                .and_then(|report| report.get("result")?.as_array());
            let names = results
                .into_iter()
                .flatten()
                .filter_map(|r| r.get("reference")?.as_str());
            for own in names.filter_map(|name| labels.get(name)) {
                part.meta.labels.extend(own.iter().cloned());
            }
        }
    }
}

/// A reader that remembers its own failure, to tell it from a failure to write.
pub(super) struct Watched<'a> {
    pub(super) inner: Box<dyn Read + Send + 'a>,
    pub(super) error: Option<io::Error>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|error| {
            if error.kind() == io::ErrorKind::Interrupted {
                return error;
            }
            let told = io::Error::new(error.kind(), error.to_string());
            self.error = Some(error);
            told
        })
    }
}
