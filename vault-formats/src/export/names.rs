//! Names for files that people can read and every file system takes.

use std::collections::BTreeSet;

use vault_core::{RecordId, RecordMeta};

/// Longest title in a name, in characters and in bytes.
const MAX_TITLE: (usize, usize) = (60, 150);
/// Characters of the record's id in a name.
const ID_PREFIX: usize = 8;

/// A name for the file of a record, for example `2024-03-12 HbA1c qdtatkta.json`: day, title, the
/// beginning of the id, and an ending that fits the media type.
///
/// It has no separators, no characters or endings that a file system refuses, does not begin with a
/// dot or a dash, and is at most 200 bytes long. Two records of one day and title differ by the
/// beginning of their ids; [`FileNames`] makes sure of it.
pub fn file_name(meta: &RecordMeta, record: RecordId) -> String {
    named(meta, record, ID_PREFIX)
}

/// Gives every record of an export a name of its own, also where upper and lower case are the same.
#[derive(Debug, Default)]
pub struct FileNames {
    given: BTreeSet<String>,
}

impl FileNames {
    /// Nothing was named yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`file_name`], with more of the id where the name was given before.
    pub fn name(&mut self, meta: &RecordMeta, record: RecordId) -> String {
        let mut name = String::new();
        for length in [ID_PREFIX, 13, usize::MAX] {
            name = named(meta, record, length);
            if self.given.insert(name.to_lowercase()) {
                break;
            }
        }
        name
    }
}

fn named(meta: &RecordMeta, record: RecordId, id_length: usize) -> String {
    let mut parts: Vec<String> = Vec::new();
    // a day has only digits and dashes
    parts.extend(meta.date.as_ref().map(|date| date.to_day().to_string()));
    parts.push(portable(&meta.title));
    parts.push(record.to_string().chars().take(id_length).collect());
    parts.retain(|part| !part.is_empty());
    format!("{}.{}", parts.join(" "), ending(&meta.media_type))
}

/// A title of letters, digits and the few signs that are safe in file names everywhere.
fn portable(title: &str) -> String {
    let mut out = String::new();
    for c in title.chars() {
        // letters of all scripts are portable; separators, wildcards and quotes are not
        let c = if c.is_alphanumeric() || matches!(c, '-' | '_' | ',' | '+' | '(' | ')') {
            c
        } else {
            ' '
        };
        if c == ' ' && (out.is_empty() || out.ends_with(' ')) {
            continue;
        }
        if c == '-' && out.is_empty() {
            continue;
        }
        if out.chars().count() >= MAX_TITLE.0 || out.len() + c.len_utf8() > MAX_TITLE.1 {
            break;
        }
        out.push(c);
    }
    out.trim_end().to_owned()
}

/// The usual ending of a media type.
fn ending(media_type: &str) -> &'static str {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    match essence.to_ascii_lowercase().as_str() {
        "application/fhir+json" | "application/json" | "application/json+fhir" => "json",
        "application/fhir+xml"
        | "application/xml"
        | "text/xml"
        | "application/xml+fhir"
        | "application/cda+xml" => "xml",
        "application/x-ndjson" | "application/fhir+ndjson" | "application/ndjson" => "ndjson",
        "application/smart-health-card" => "smart-health-card",
        "application/hl7-v2" | "application/hl7-v2+er7" | "x-application/hl7-v2+er7" => "hl7",
        "application/dicom" => "dcm",
        "application/pdf" => "pdf",
        "application/rtf" | "text/rtf" => "rtf",
        "application/zip" => "zip",
        "application/gzip" => "gz",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        "application/vnd.oasis.opendocument.text" => "odt",
        "text/plain" => "txt",
        "text/html" => "html",
        "text/csv" => "csv",
        "text/markdown" => "md",
        "text/vcard" => "vcf",
        "text/calendar" => "ics",
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/gif" => "gif",
        "image/tiff" => "tiff",
        "image/bmp" => "bmp",
        "image/webp" => "webp",
        "image/heic" => "heic",
        "image/svg+xml" => "svg",
        "audio/mpeg" => "mp3",
        "audio/mp4" => "m4a",
        "audio/wav" => "wav",
        "video/mp4" => "mp4",
        "video/quicktime" => "mov",
        _ => "bin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(date: &str, title: &str, media_type: &str) -> RecordMeta {
        RecordMeta {
            date: date.parse().ok(),
            title: title.into(),
            media_type: media_type.into(),
            ..RecordMeta::default()
        }
    }

    #[test]
    fn day_title_id_and_ending() {
        let record = RecordId::from_bytes([0x80; 16]);
        let id: String = record.to_string().chars().take(8).collect();
        for (given, expected) in [
            (
                meta(
                    "2024-03-12T08:00:00+01:00",
                    "HbA1c",
                    "application/fhir+json",
                ),
                format!("2024-03-12 HbA1c {id}.json"),
            ),
            (
                meta("2024", "../..\\a:b*c? \"<x>|", "application/pdf"),
                format!("2024 a b c x {id}.pdf"),
            ),
            (
                meta("", "--.hidden", "text/plain; charset=utf-8"),
                format!("hidden {id}.txt"),
            ),
            (meta("", "王秀英", "x/y"), format!("王秀英 {id}.bin")),
            (meta("", "\u{202e}...", "image/jpeg"), format!("{id}.jpg")),
        ] {
            assert_eq!(file_name(&given, record), expected);
        }
        for title in ["é".repeat(200), "王".repeat(200), "a ".repeat(200)] {
            assert!(file_name(&meta("2024-01-01", &title, "x"), record).len() <= 200);
        }
    }

    #[test]
    fn no_two_files_of_one_name() {
        let mut names = FileNames::new();
        let mut id = [7; 16];
        let first = names.name(&meta("", "A", "x/y"), RecordId::from_bytes(id));
        id[15] = 8;
        let second = names.name(&meta("", "a", "x/y"), RecordId::from_bytes(id));
        id[15] = 9;
        let third = names.name(&meta("", "a", "x/y"), RecordId::from_bytes(id));
        assert_eq!(first.len() + 5, second.len());
        assert_ne!(second.to_lowercase(), third.to_lowercase());
    }
}
