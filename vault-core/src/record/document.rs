//! Documents: everything that is not FHIR in JSON, known by its first bytes and its name.

use super::meta::clean_title;
use super::{Category, ClinicalDate, Kind, Label, RecordMeta, xml};

/// The summary of a document, from as many of its first bytes as are at hand, and its file name.
///
/// `complete` says that these are all. If they are not, a format that can carry labels anywhere gets
/// the label for what is unclear.
pub(super) fn summary(bytes: &[u8], name: &str, complete: bool) -> RecordMeta {
    let mut meta = summary_of_seen(bytes, name);
    if !complete && may_carry_labels(&meta) {
        meta.labels.insert(Label::unclear());
    }
    meta
}

/// Whether labels may stand anywhere in a document, so that all of it must be seen.
pub(super) fn may_carry_labels(meta: &RecordMeta) -> bool {
    xml::may_carry_labels(&meta.media_type)
}

fn summary_of_seen(prefix: &[u8], name: &str) -> RecordMeta {
    let name = file_name(name);
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase())
        .unwrap_or_default();
    let mut meta = RecordMeta {
        kind: Kind::document(),
        category: Category::Other,
        date: None,
        title: clean_title(name),
        labels: Default::default(),
        media_type: String::new(),
        source_id: None,
        ..RecordMeta::default()
    };
    if meta.title.is_empty() {
        meta.title = "Document".to_owned();
    }
    let body = prefix.strip_prefix(b"\xef\xbb\xbf").unwrap_or(prefix);
    if is_dicom(prefix, &extension) {
        meta.media_type = "application/dicom".to_owned();
        meta.date = dicom_date(prefix);
    } else if let Some(media_type) = magic(prefix) {
        meta.media_type = by_container(media_type, &extension).to_owned();
    } else if body.starts_with(b"MSH|") {
        meta.media_type = "application/hl7-v2".to_owned();
    } else if xml::describe(body, &mut meta) {
        // all said
    } else if let Some(text) = as_text(body) {
        meta.media_type = text_type(text, &extension).to_owned();
    } else {
        meta.media_type = by_extension(&extension)
            .filter(|media_type| !media_type.starts_with("text/"))
            .unwrap_or("application/octet-stream")
            .to_owned();
    }
    if meta.media_type.starts_with("image/") && meta.media_type != "image/svg+xml"
        || meta.media_type == "application/dicom"
    {
        meta.category = Category::Imaging;
    }
    meta
}

/// The last part of a path in either convention.
fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Formats that begin with a fixed signature.
fn magic(prefix: &[u8]) -> Option<&'static str> {
    const SIGNATURES: &[(&[u8], &str)] = &[
        (b"%PDF-", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
        (b"PK\x03\x04", "application/zip"),
        (b"PK\x05\x06", "application/zip"),
        (b"\x1f\x8b", "application/gzip"),
        (b"{\\rtf", "application/rtf"),
    ];
    SIGNATURES
        .iter()
        .find(|(signature, _)| prefix.starts_with(signature))
        .map(|(_, media_type)| *media_type)
}

/// Whether the bytes begin with a signature that rules out text.
pub(super) fn has_signature(prefix: &[u8]) -> bool {
    magic(prefix).is_some()
}

/// Office formats are zip files; only the name tells them apart.
fn by_container(media_type: &'static str, extension: &str) -> &'static str {
    match by_extension(extension) {
        Some(office) if media_type == "application/zip" && office.contains("document") => office,
        _ => media_type,
    }
}

fn by_extension(extension: &str) -> Option<&'static str> {
    let media_type = match extension {
        "csv" => "text/csv",
        "htm" | "html" => "text/html",
        "md" => "text/markdown",
        "vcf" => "text/vcard",
        "ics" => "text/calendar",
        "json" => "application/json",
        "ndjson" | "jsonl" => "application/x-ndjson",
        "smart-health-card" => "application/smart-health-card",
        "heic" => "image/heic",
        "webp" => "image/webp",
        "bmp" => "image/bmp",
        "mp3" => "audio/mpeg",
        "m4a" => "audio/mp4",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        "mov" => "video/quicktime",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "odt" => "application/vnd.oasis.opendocument.text",
        _ => return None,
    };
    Some(media_type)
}

/// The prefix as text: UTF-8 without NUL, a character cut off at the end allowed.
fn as_text(prefix: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(prefix) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(prefix.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    (!text.contains('\0')).then_some(text)
}

fn text_type(text: &str, extension: &str) -> &'static str {
    match by_extension(extension) {
        Some(known) if known.starts_with("text/") || known.contains("json") => known,
        Some("application/smart-health-card") => "application/smart-health-card",
        _ if super::split::looks_like_json(text.as_bytes()) => "application/json",
        _ => "text/plain",
    }
}

/// The day in `YYYYMMDD…`, as HL7 v3 and DICOM write it.
pub(super) fn compact_date(text: &str) -> Option<ClinicalDate> {
    let (year, month, day) = (text.get(..4)?, text.get(4..6)?, text.get(6..8)?);
    ClinicalDate::new(&format!("{year}-{month}-{day}")).ok()
}

/// DICOM part 10 files carry a signature after 128 free bytes; older ones begin with a data element
/// of group 0002 or 0008. Source: DICOM PS3.10, section 7.1 and PS3.5, section 7.1.
fn is_dicom(prefix: &[u8], extension: &str) -> bool {
    if prefix.get(128..132) == Some(b"DICM") {
        return true;
    }
    let first_element = matches!(
        prefix,
        [0x02 | 0x08, 0, element, 0, ..] if *element < 0x20
    );
    let explicit = prefix
        .get(4..6)
        .is_some_and(|vr| vr.iter().all(u8::is_ascii_uppercase));
    let implicit =
        prefix.get(6..8) == Some(&[0, 0]) && matches!(extension, "dcm" | "dicom" | "ima");
    // cut-off files: the character set, the usual first element, a few bytes late
    let character_set = prefix
        .get(..24)
        .is_some_and(|start| start.windows(6).any(|w| w == b"\x08\0\x05\0CS"));
    character_set || first_element && (explicit || implicit)
}

/// The date of the study, series, acquisition or content (0008,0020 to 0008,0023), in either
/// little-endian encoding, when it stands near the beginning.
fn dicom_date(prefix: &[u8]) -> Option<ClinicalDate> {
    (0x20..=0x23).find_map(|element| {
        let explicit = [8, 0, element, 0, b'D', b'A', 8, 0];
        let implicit = [8, 0, element, 0, 8, 0, 0, 0];
        let at = prefix
            .windows(8)
            .position(|window| window == explicit || window == implicit)?;
        compact_date(std::str::from_utf8(prefix.get(at + 8..at + 16)?).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(prefix: &[u8], name: &str) -> RecordMeta {
        super::summary(prefix, name, true)
    }

    fn media_type(prefix: &[u8], name: &str) -> String {
        summary(prefix, name).media_type
    }

    #[test]
    fn content_decides_before_the_name() {
        for (prefix, name, expected) in [
            (&b"%PDF-1.7\n"[..], "a.txt", "application/pdf"),
            (b"\x89PNG\r\n\x1a\n\0", "a.pdf", "image/png"),
            (b"\xff\xd8\xff\xe0", "scan", "image/jpeg"),
            (b"PK\x03\x04\x14", "a.bin", "application/zip"),
            (
                b"PK\x03\x04\x14",
                "letter.odt",
                "application/vnd.oasis.opendocument.text",
            ),
            (b"\xef\xbb\xbfMSH|^~\\&|", "a", "application/hl7-v2"),
            (
                b"<?xml version=\"1.0\"?><!-- <x> --><a:b/>",
                "a",
                "application/xml",
            ),
            (
                b"<Patient xmlns=\"http://hl7.org/fhir\">",
                "a",
                "application/fhir+xml",
            ),
            (b"<svg viewBox=\"0\"/>", "a", "image/svg+xml"),
            (b"Dear colleague", "letter.txt", "text/plain"),
            (b"a,b\n1,2", "table.CSV", "text/csv"),
            (b"{\"url\":1}", "shl.txt", "application/json"),
            (
                b"{\"url\":1}",
                "a.smart-health-card",
                "application/smart-health-card",
            ),
            (b"{\\rtf1", "letter.rtf", "application/rtf"),
            (b"5 < 6", "a", "text/plain"),
            (b"\0\x01\x02", "a.txt", "application/octet-stream"),
            (b"\0\x01\x02", "a.mp4", "video/mp4"),
            (b"caf\xc3", "cut.txt", "text/plain"),
            (b"caf\xe9 noir", "latin1.txt", "application/octet-stream"),
        ] {
            assert_eq!(media_type(prefix, name), expected, "{name}");
        }
    }

    #[test]
    fn dicom_with_and_without_preamble() {
        let mut file = b"II*\0".to_vec();
        file.resize(128, 0);
        file.extend(b"DICM");
        file.extend([8, 0, 0x20, 0, b'D', b'A', 8, 0]);
        file.extend(b"20040119");
        let meta = summary(&file, "x/y\\CT.dcm");
        assert_eq!(meta.media_type, "application/dicom");
        assert_eq!(meta.category, Category::Imaging);
        assert_eq!(meta.title, "CT.dcm");
        assert_eq!(meta.date, Some("2004-01-19".parse().unwrap()));
        assert_eq!(
            media_type(b"\x08\0\x05\0CS\x0a\0ISO_IR 100", "a"),
            "application/dicom"
        );
        assert_eq!(
            media_type(b"\x08\0\x05\0\x0a\0\0\0ISO", "a.dcm"),
            "application/dicom"
        );
        assert_eq!(
            media_type(b" \x08\0\x05\0CS\x0a\0ISO_IR 100 \x08\0\x08\0", "a"),
            "application/dicom"
        );
        assert_ne!(
            media_type(b"\x08\0\x05\0\x0a\0\0\0ISO", "a"),
            "application/dicom"
        );
    }

    #[test]
    fn names_are_made_safe() {
        assert_eq!(summary(b"x", "../../etc/passwd").title, "passwd");
        assert_eq!(summary(b"x", "C:\\a\\b\u{202e}c.txt").title, "bc.txt");
        assert_eq!(summary(b"x", "a/").title, "Document");
        assert_eq!(summary(b"x", "").title, "Document");
    }
}
