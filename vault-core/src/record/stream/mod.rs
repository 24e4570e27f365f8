//! FHIR in one JSON value of any length, resource by resource.
//!
//! [`read`](super::read) holds a file in memory; this holds no more than its largest resource. Both
//! find the same records, with these differences, which only the length of the file makes: a bundle
//! is known by `resourceType` or, where that comes later, by its first entry; what follows is taken
//! for that of a bundle. What was found before an error in the JSON has been handed over by then.

mod entries;
mod lists;
mod scan;

use std::io::Read;
use std::ops::Range;

use super::bundle::{self, Part};
use super::split::{
    Import, MAX_RESOURCE_LEN, Problem, TOO_MANY_VALUES, keep_whole, larger_than, read_limited,
    too_many_values,
};
use super::{FhirError, Label, RecordMeta, document, json};
use entries::BundleDraft;
use scan::{Kept, Scan, ScanError};

/// One value of the file, and the records in it.
#[derive(Debug)]
pub struct Piece {
    /// Where the value begins in the input, in bytes.
    pub start: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The records in it: usually one, more for a bundle in an entry. Ranges, and
    /// [`Item::part_of`](super::Item::part_of), are within this piece.
    pub import: Import,
}

/// What [`BundleReader`] finds.
#[derive(Debug)]
pub enum Streamed {
    /// Records.
    Piece(Piece),
    /// A bundle of type `document` or `message`, which is a record itself, has ended. Its bytes are too
    /// many to be kept: read them again. The pieces that lie within are its parts; to name it as their
    /// origin, read the file twice.
    Whole {
        /// Where it lies in the input, in bytes.
        range: Range<u64>,
        /// Its summary.
        meta: RecordMeta,
    },
    /// The whole file is one resource that is too large, or no FHIR at all: keep it as this document.
    Document {
        /// The document's summary. That of a resource has the label for what is unclear: nothing was
        /// read of it.
        meta: RecordMeta,
    },
    /// A part that could not be taken.
    Problem(Problem),
}

/// Takes a bundle, an array or a `providers` envelope apart while it is read.
pub struct BundleReader<R> {
    scan: Scan<R>,
    name: String,
    limit: usize,
}

/// Why it stopped before the end.
enum Stop<E> {
    Scan(ScanError),
    Sink(E),
}

impl<E> From<ScanError> for Stop<E> {
    fn from(error: ScanError) -> Self {
        Self::Scan(error)
    }
}

type Sink<'s, E> = &'s mut dyn FnMut(Streamed) -> Result<(), E>;

/// What the value of the file, or of a provider, turned out to be.
enum Found {
    /// Not a bundle: it was kept whole, up to the limit.
    One,
    /// All was handed over.
    Done,
}

impl<R: Read> BundleReader<R> {
    /// Reads from `reader`, to its end. `name` is the file's name; a path before it is dropped.
    pub fn new(reader: R, name: &str) -> Self {
        Self::with_limit(reader, name, MAX_RESOURCE_LEN)
    }

    fn with_limit(reader: R, name: &str, limit: usize) -> Self {
        Self {
            scan: Scan::new(reader, limit),
            name: name.to_owned(),
            limit,
        }
    }

    /// Hands what the file holds to `sink`, in the order of the file. Resources and entries over
    /// [`MAX_RESOURCE_LEN`] are problems and left out. Text that is not JSON is a problem with its place,
    /// and the last.
    ///
    /// # Errors
    /// Whatever `sink` returns, and errors of the reader.
    pub fn read<E: From<std::io::Error>>(
        mut self,
        mut sink: impl FnMut(Streamed) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.file(&mut sink) {
            Ok(()) => Ok(()),
            Err(Stop::Sink(error)) => Err(error),
            Err(Stop::Scan(ScanError::Io(error))) => Err(error.into()),
            Err(Stop::Scan(ScanError::TooDeep)) => {
                sink(problem("file", &FhirError::TooDeep.to_string()))
            }
            Err(Stop::Scan(ScanError::NotJson(at, ended))) => {
                let what = if ended {
                    "not valid JSON: the file ends too early"
                } else {
                    "not valid JSON"
                };
                sink(problem(&format!("byte {}", at + 1), what))
            }
        }
    }

    fn file<E>(&mut self, sink: Sink<'_, E>) -> Result<(), Stop<E>> {
        // one resource keeps what stands around it
        self.scan.keep();
        for byte in *b"\xef\xbb\xbf" {
            if self.scan.peek()? == Some(byte) {
                self.scan.bump();
            }
        }
        self.scan.white_space()?;
        let found = match self.scan.peek()? {
            Some(b'{') => self.object("", sink)?,
            Some(b'[') => self.array(sink)?,
            _ => {
                self.scan.value()?;
                Found::One
            }
        };
        self.scan.white_space()?;
        if self.scan.peek()?.is_some() {
            return Err(ScanError::NotJson(self.scan.position(), false).into());
        }
        if let Found::Done = found {
            return Ok(());
        }
        match self.scan.kept()? {
            Kept::Text(text) if too_many_values(&text) => self.document("{\"", true, sink),
            Kept::Text(text) => {
                let bytes = text.into_bytes();
                let import = read_limited(&bytes, &self.name, self.limit);
                let import = keep_whole(&bytes, import);
                let piece = Piece {
                    start: 0,
                    bytes,
                    import,
                };
                sink(Streamed::Piece(piece)).map_err(Stop::Sink)
            }
            Kept::TooLong => self.document("{\"", true, sink),
        }
    }

    fn document<E>(&self, front: &str, unclear: bool, sink: Sink<'_, E>) -> Result<(), Stop<E>> {
        let mut meta = document::summary(front.as_bytes(), &self.name, false);
        if unclear {
            meta.labels.insert(Label::unclear());
        }
        sink(Streamed::Document { meta }).map_err(Stop::Sink)
    }

    /// Takes one value apart that was cut out, and hands over what is in it.
    fn piece<E>(
        &mut self,
        (start, kept): (u64, Kept),
        part: Part,
        at: &str,
        draft: &mut BundleDraft,
        sink: Sink<'_, E>,
    ) -> Result<(), Stop<E>> {
        let what = match kept {
            Kept::TooLong => larger_than(self.limit),
            Kept::Text(text) if too_many_values(&text) => TOO_MANY_VALUES.to_owned(),
            Kept::Text(text) => {
                let mut import = bundle::part(&text, part, at);
                draft.add(&import);
                for problem in std::mem::take(&mut import.problems) {
                    sink(Streamed::Problem(problem)).map_err(Stop::Sink)?;
                }
                if import.items.is_empty() {
                    return Ok(());
                }
                let piece = Piece {
                    start,
                    bytes: text.into_bytes(),
                    import,
                };
                return sink(Streamed::Piece(piece)).map_err(Stop::Sink);
            }
        };
        draft.unread = true;
        sink(problem(at, &what)).map_err(Stop::Sink)
    }

    /// The name of the next member, up to its value; `None` when it is too long to be one of ours.
    fn member(&mut self) -> Result<Option<String>, ScanError> {
        let before = self.scan.position();
        let kept = self.scan.kept_so_far().map(<[u8]>::len);
        self.scan.key()?;
        let len = self.scan.position() - before;
        let name = self
            .scan
            .kept_so_far()
            .zip(kept)
            .and_then(|(all, before)| all.get(before..))
            .filter(|_| len <= 1024)
            .and_then(|name| std::str::from_utf8(name).ok())
            .and_then(|name| name.trim_end().strip_suffix(':'))
            .and_then(|name| json::text(name.trim()).map(|name| name.into_owned()));
        Ok(name)
    }

    /// The text of the next value, when it is short; something must be kept meanwhile.
    fn small_value(&mut self) -> Result<Option<String>, ScanError> {
        let kept = self.scan.kept_so_far().map(<[u8]>::len);
        self.scan.value()?;
        let all = self.scan.kept_so_far().zip(kept);
        let text = all.and_then(|(all, before)| all.get(before..));
        Ok(text.map(|text| String::from_utf8_lossy(text).into_owned()))
    }

    /// The next value, cut out, and where it begins.
    fn kept_value(&mut self) -> Result<(u64, Kept), ScanError> {
        self.scan.white_space()?;
        let start = self.scan.position();
        self.scan.keep();
        self.scan.value()?;
        Ok((start, self.scan.kept()?))
    }
}

fn problem(at: &str, what: &str) -> Streamed {
    Streamed::Problem(Problem {
        at: at.to_owned(),
        what: what.to_owned(),
    })
}

#[cfg(test)]
mod tests;
