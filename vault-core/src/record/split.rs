//! The lossless splitter: from the bytes of a file to records, each an exact range of those bytes.

use std::ops::Range;

use super::bundle::whole;
use super::json::too_deep;
use super::ndjson::{Lines, add_line, first_line_is_resource, lines, lines_of_json};
use super::{FhirError, RecordMeta, document};

/// Largest FHIR JSON document that is read in one piece, in bytes (16 MiB).
///
/// A larger one is read as a stream, see [`BundleReader`](super::BundleReader), and NDJSON line by
/// line, see [`read_line`].
pub const MAX_FHIR_LEN: usize = 16 << 20;

/// Largest resource, bundle entry or line of NDJSON in a longer file, in bytes (32 MiB).
pub const MAX_RESOURCE_LEN: usize = 32 << 20;

/// Most values in one resource that is read: whatever is written, memory stays small.
const MAX_VALUES: usize = 2 << 20;

/// What is said of a resource with more.
pub(super) const TOO_MANY_VALUES: &str = "more values in one resource than can be read";

/// Most problems of one file that are listed.
const MAX_PROBLEMS: usize = 1000;

/// What a file holds.
#[derive(Debug, Default)]
pub struct Import {
    /// The records, in the order of the file.
    pub items: Vec<Item>,
    /// The parts that could not be taken, and why.
    pub problems: Vec<Problem>,
}

/// One record in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where its bytes lie in the input. They are the record, unchanged.
    pub range: Range<usize>,
    /// Its summary.
    pub meta: RecordMeta,
    /// The place in [`Import::items`] of the bundle that this is a part of: one of type `document` or
    /// `message`, which is an item itself and covers its parts.
    pub part_of: Option<usize>,
}

/// A part of a file that could not be taken. The rest of the file is not affected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what}")]
pub struct Problem {
    /// Where: for example `entry 12` (counted from 1), `line 7` or `file`.
    pub at: String,
    /// What is wrong, in words.
    pub what: String,
}

/// Takes the bytes of one file apart. `name` is the file's name; a path before it is dropped.
///
/// Every resource of a FHIR bundle (of any type, also one in another), of a bare array, of a
/// `providers` envelope, or of an NDJSON file becomes one item; a single resource is one item. A
/// bundle of type `document` or `message` is an item before its parts, see [`Item::part_of`]. A
/// broken entry or line is a problem and the rest goes on. JSON that is broken as a whole is one
/// problem and no item. Everything else is one document covering all of the input.
///
/// Never fails and never panics, whatever the input.
pub fn read(bytes: &[u8], name: &str) -> Import {
    keep_whole(bytes, read_limited(bytes, name, MAX_FHIR_LEN))
}

/// A file that is one resource and nothing else keeps its byte order mark and white space: what
/// goes in comes out byte for byte.
pub(super) fn keep_whole(bytes: &[u8], mut import: Import) -> Import {
    if let ([item], []) = (&mut import.items[..], &import.problems[..]) {
        let before = bytes.get(..item.range.start).unwrap_or_default();
        let after = bytes.get(item.range.end..).unwrap_or_default();
        let before = before.strip_prefix(b"\xef\xbb\xbf").unwrap_or(before);
        let bundle = item.meta.kind.as_str() == "Bundle";
        if !bundle && before.iter().chain(after).all(u8::is_ascii_whitespace) {
            item.range = 0..bytes.len();
        }
    }
    import
}

/// Takes one line of an NDJSON file apart; `number` counts from 1, ranges are relative to `line`.
///
/// A blank line holds nothing. The line end may be left on. A line over [`MAX_RESOURCE_LEN`] is a
/// problem: whoever takes lines from a stream need not keep more of one.
pub fn read_line(line: &[u8], number: usize) -> Import {
    let mut import = Import::default();
    if line.len() > MAX_RESOURCE_LEN {
        import.report(&format!("line {number}"), &larger_than(MAX_RESOURCE_LEN));
        return import;
    }
    add_line(line, 0, number, &mut import);
    import
}

pub(super) fn read_limited(bytes: &[u8], name: &str, limit: usize) -> Import {
    if bytes.is_empty() {
        return Import::problem("file", "the file is empty");
    }
    let start = if bytes.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    let body = bytes.get(start..).unwrap_or_default();
    if !is_json(body, name) {
        return Import::document(bytes, name);
    }
    if first_line_is_resource(body) {
        return lines(body, start);
    }
    if body.len() > limit {
        return too_large(body.len());
    }
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => {
            let at = format!("byte {}", start + error.valid_up_to() + 1);
            return Import::problem(&at, "not valid JSON: the text is not UTF-8");
        }
    };
    let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
    match whole(trimmed, text, start) {
        Ok(Some(import)) => import,
        Ok(None) if too_deep(trimmed) => Import::problem("file", &FhirError::TooDeep.to_string()),
        Ok(None) => Import::document(bytes, name),
        Err(error) => match lines_of_json(body, start, name) {
            Some(Lines::Fhir(import)) => import,
            Some(Lines::Other) => Import::document(bytes, name),
            None => {
                let before = text.len() - text.trim_start_matches([' ', '\t', '\r', '\n']).len();
                let skipped = text.get(..before).unwrap_or_default();
                broken(skipped, &error)
            }
        },
    }
}

pub(super) fn too_large(len: usize) -> Import {
    let what = format!(
        "a FHIR file of {} MiB is too large to read in one piece of at most {} MiB",
        len.div_ceil(1 << 20),
        MAX_FHIR_LEN >> 20
    );
    Import::problem("file", &what)
}

fn broken(skipped: &str, error: &serde_json::Error) -> Import {
    let lines = skipped.matches('\n').count();
    let line = error.line() + lines;
    let at = format!("line {line}, column {}", error.column());
    let what = if error.is_eof() {
        "not valid JSON: the file ends too early"
    } else {
        "not valid JSON"
    };
    Import::problem(&at, what)
}

impl Import {
    fn problem(at: &str, what: &str) -> Self {
        let mut import = Self::default();
        import.report(at, what);
        import
    }

    fn document(bytes: &[u8], name: &str) -> Self {
        let prefix = bytes.get(..super::SNIFF_LEN).unwrap_or(bytes);
        let complete = prefix.len() == bytes.len();
        let mut meta = document::summary(prefix, name, complete);
        if !complete && document::may_carry_labels(&meta) && bytes.len() <= MAX_FHIR_LEN {
            meta = document::summary(bytes, name, true);
        }
        Self {
            items: vec![Item {
                range: 0..bytes.len(),
                meta,
                part_of: None,
            }],
            problems: Vec::new(),
        }
    }

    pub(super) fn report(&mut self, at: &str, what: &str) {
        if self.is_full() {
            return;
        }
        self.problems.push(Problem {
            at: at.to_owned(),
            what: what.to_owned(),
        });
        if self.problems.len() == MAX_PROBLEMS {
            self.problems.push(Problem {
                at: "file".to_owned(),
                what: "there are more problems, which are not listed".to_owned(),
            });
        }
    }

    /// Whether further problems go unlisted.
    pub(super) fn is_full(&self) -> bool {
        self.problems.len() > MAX_PROBLEMS
    }
}

/// What is said of a part that is left out for its size.
pub(super) fn larger_than(limit: usize) -> String {
    format!(
        "larger than {} MiB and was left out",
        limit.div_ceil(1 << 20)
    )
}

/// Whether a resource has so many values that reading it would take memory out of proportion.
pub(super) fn too_many_values(text: &str) -> bool {
    text.len() > MAX_VALUES && text.bytes().filter(|b| *b == b',').count() > MAX_VALUES
}

/// Whether to read the bytes as JSON: they begin like it, or the name says so.
pub(super) fn is_json(body: &[u8], name: &str) -> bool {
    let named = has_extension(name, &["json", "ndjson", "jsonl"]);
    looks_like_json(body) || (named && !document::has_signature(body))
}

/// Whether bytes begin like a JSON object or array; prose and RTF may begin with a bracket,
/// too, so the next character counts.
pub(super) fn looks_like_json(bytes: &[u8]) -> bool {
    let mut visible = bytes.iter().filter(|b| !b.is_ascii_whitespace());
    match (visible.next(), visible.next()) {
        (Some(b'{'), next) => matches!(next, None | Some(b'"' | b'}')),
        (Some(b'['), next) => matches!(next, Some(b'{')),
        _ => false,
    }
}

pub(super) fn has_extension(name: &str, extensions: &[&str]) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, own)| extensions.iter().any(|e| own.eq_ignore_ascii_case(e)))
}

#[cfg(test)]
mod tests;
