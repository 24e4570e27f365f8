//! The lossless splitter: from the bytes of a file to records, each an exact range of those bytes.

use std::ops::Range;

use super::bundle::whole;
use super::json::too_deep;
use super::ndjson::{Lines, add_line, first_line_is_resource, lines, lines_of_json};
use super::{FhirError, RecordMeta, document};

/// Largest FHIR JSON document that is read in one piece, in bytes (256 MiB).
///
/// NDJSON may be longer: it is read line by line, see [`read_line`].
pub const MAX_FHIR_LEN: usize = 256 << 20;

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
/// broken entry or line is a problem and the rest goes on. JSON that is broken as a whole is one
/// problem and no item. Everything else is one document covering all of the input.
///
/// Never fails and never panics, whatever the input.
pub fn read(bytes: &[u8], name: &str) -> Import {
    keep_whole(bytes, read_limited(bytes, name, MAX_FHIR_LEN))
}

/// A file that is one resource and nothing else keeps its byte order mark and white space: what
/// goes in comes out byte for byte.
fn keep_whole(bytes: &[u8], mut import: Import) -> Import {
    if let ([item], []) = (&mut import.items[..], &import.problems[..]) {
        let before = bytes.get(..item.range.start).unwrap_or_default();
        let after = bytes.get(item.range.end..).unwrap_or_default();
        let before = before.strip_prefix(b"\xef\xbb\xbf").unwrap_or(before);
        if before.iter().chain(after).all(u8::is_ascii_whitespace) {
            item.range = 0..bytes.len();
        }
    }
    import
}

/// Takes one line of an NDJSON file apart; `number` counts from 1, ranges are relative to `line`.
///
/// A blank line holds nothing. The line end may be left on.
pub fn read_line(line: &[u8], number: usize) -> Import {
    let mut import = Import::default();
    add_line(line, 0, number, &mut import);
    import
}

fn read_limited(bytes: &[u8], name: &str, limit: usize) -> Import {
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
        "a FHIR file of {} MiB is too large to read in one piece: split it into parts of at most \
         {} MiB, or convert it to NDJSON",
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
            }],
            problems: Vec::new(),
        }
    }

    pub(super) fn report(&mut self, at: &str, what: &str) {
        self.problems.push(Problem {
            at: at.to_owned(),
            what: what.to_owned(),
        });
    }
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
