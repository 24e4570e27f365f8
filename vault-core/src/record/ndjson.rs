//! NDJSON: one resource on each line.
//!
//! Source: FHIR Bulk Data Access, section "Output format", and the NDJSON specification.

use serde_json::value::RawValue;

use super::FhirError;
use super::bundle::add_resource;
use super::json::Members;
use super::split::{Import, TOO_MANY_VALUES, has_extension, too_many_values};

/// What lines of JSON turned out to be.
pub(super) enum Lines {
    /// FHIR, at least one line of it.
    Fhir(Import),
    /// JSON lines of something else.
    Other,
}

/// Whether the first line that is not blank is a whole resource, and another line follows.
pub(super) fn first_line_is_resource(body: &[u8]) -> bool {
    let mut lines = body.split_inclusive(|b| *b == b'\n').filter(|l| !blank(l));
    lines.next().is_some_and(|line| {
        line.ends_with(b"\n") && line.len() < body.len() && line_kind(line) == LineKind::Resource
    }) && lines.next().is_some()
}

/// Reads JSON lines where the first line does not tell; `None` when they are not JSON lines.
pub(super) fn lines_of_json(body: &[u8], base: usize, name: &str) -> Option<Lines> {
    let kinds = || {
        body.split(|b| *b == b'\n')
            .filter(|l| !blank(l))
            .map(line_kind)
    };
    let named = has_extension(name, &["ndjson", "jsonl"]);
    match kinds().next() {
        None => return None,
        Some(LineKind::Broken) if !named => return None,
        Some(_) => {}
    }
    if kinds().any(|kind| kind == LineKind::Resource) {
        Some(Lines::Fhir(lines(body, base)))
    } else if kinds().all(|kind| kind == LineKind::Json) {
        Some(Lines::Other)
    } else {
        None
    }
}

#[derive(PartialEq, Eq)]
enum LineKind {
    Resource,
    Json,
    Broken,
}

fn line_kind(line: &[u8]) -> LineKind {
    let Ok(text) = std::str::from_utf8(line) else {
        return LineKind::Broken;
    };
    match Members::parse(text) {
        Ok(members) if members.has("resourceType") => LineKind::Resource,
        Ok(_) => LineKind::Json,
        Err(_) if serde_json::from_str::<&RawValue>(text).is_ok() => LineKind::Json,
        Err(_) => LineKind::Broken,
    }
}

/// All lines of an NDJSON text that begins `base` bytes into the input.
pub(super) fn lines(body: &[u8], base: usize) -> Import {
    let mut import = Import::default();
    let mut start = base;
    for (number, line) in (1..).zip(body.split_inclusive(|b| *b == b'\n')) {
        add_line(line, start, number, &mut import);
        start += line.len();
    }
    import
}

/// Adds what line `number`, counted from 1, holds.
pub(super) fn add_line(line: &[u8], start: usize, number: usize, import: &mut Import) {
    let (start, line) = match line.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) if number == 1 => (start + 3, rest),
        _ => (start, line),
    };
    if blank(line) {
        return;
    }
    let at = format!("line {number}");
    let Ok(text) = std::str::from_utf8(line) else {
        return import.report(&at, "not valid JSON: the text is not UTF-8");
    };
    let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
    if too_many_values(trimmed) {
        return import.report(&at, TOO_MANY_VALUES);
    }
    let members = match Members::parse(trimmed) {
        Ok(members) => members,
        Err(error) if error.is_data() => {
            return import.report(&at, &FhirError::NotAnObject.to_string());
        }
        Err(error) => {
            let what = format!("not valid JSON at column {}", error.column());
            return import.report(&at, &what);
        }
    };
    add_resource((text, start), trimmed, &members, &at, import);
}

fn blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}
