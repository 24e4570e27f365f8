//! Deciding from the first bytes how a file must be read.

use super::ndjson::first_line_is_resource;
use super::split::{MAX_FHIR_LEN, Problem, has_extension, is_json};
use super::{RecordMeta, document};

/// How many bytes of a file [`sniff`] wants to see, at most (64 KiB).
pub const SNIFF_LEN: usize = 64 << 10;

/// How a file must be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sniffed {
    /// JSON that may be FHIR, or XML that may carry labels anywhere: read all of it and give it to
    /// [`read`](super::read), which decides.
    Fhir,
    /// JSON that may be FHIR and is too long for that, or of a length that nobody knows: give it to
    /// [`BundleReader`](super::BundleReader).
    Stream,
    /// NDJSON: give each line to [`read_line`](super::read_line), so that memory stays small.
    Ndjson,
    /// A document: its bytes can be streamed, its summary is complete.
    Document {
        /// The summary, the same that [`read`](super::read) would give.
        meta: RecordMeta,
    },
    /// Not to be added at all.
    Refused(Problem),
}

/// Whether a file that begins with these bytes is to be read as JSON: it looks like it, or has the name
/// and nothing speaks against it.
pub fn looks_like_json(prefix: &[u8], name: &str) -> bool {
    is_json(prefix.strip_prefix(b"\xef\xbb\xbf").unwrap_or(prefix), name)
}

/// The summary of a file as a document, by its first bytes and its name, whatever it holds. Formats
/// that can carry labels anywhere get the label for what is unclear unless these bytes are all.
pub fn describe(prefix: &[u8], name: &str, total_len: Option<u64>) -> RecordMeta {
    let complete = total_len.is_some_and(|len| len <= prefix.len() as u64);
    document::summary(prefix, name, complete)
}

/// Looks at the first bytes of a file, at most [`SNIFF_LEN`] of them, and its name.
///
/// `total_len` is the length of the whole file, if it is known. JSON over [`MAX_FHIR_LEN`] that shows
/// no sign of FHIR in these bytes is a document.
pub fn sniff(prefix: &[u8], name: &str, total_len: Option<u64>) -> Sniffed {
    let prefix = prefix.get(..SNIFF_LEN).unwrap_or(prefix);
    if prefix.is_empty() {
        return Sniffed::Refused(Problem {
            at: "file".to_owned(),
            what: "the file is empty".to_owned(),
        });
    }
    let body = prefix.strip_prefix(b"\xef\xbb\xbf").unwrap_or(prefix);
    let limit = MAX_FHIR_LEN as u64;
    let complete = match total_len {
        Some(len) => len <= prefix.len() as u64,
        None => prefix.len() < SNIFF_LEN,
    };
    if !is_json(body, name) {
        let meta = document::summary(prefix, name, complete);
        let must_see_all = !complete && document::may_carry_labels(&meta);
        if must_see_all && total_len.is_none_or(|len| len <= limit) {
            return Sniffed::Fhir;
        }
        return Sniffed::Document { meta };
    }
    if first_line_is_resource(body) {
        return Sniffed::Ndjson;
    }
    if total_len.map_or(complete, |len| len <= limit) {
        return Sniffed::Fhir;
    }
    if has_extension(name, &["ndjson", "jsonl"]) && contains(body, b"\"resourceType\"") {
        return Sniffed::Ndjson;
    }
    if !contains(body, b"\"resourceType\"") && !contains(body, b"\"providers\"") {
        return Sniffed::Document {
            meta: document::summary(prefix, name, complete),
        };
    }
    Sniffed::Stream
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Label, read};

    const HUGE: Option<u64> = Some(MAX_FHIR_LEN as u64 + 1);

    #[test]
    fn a_document_is_summed_up_as_read_would() {
        for (bytes, name) in [
            (&b"%PDF-1.7"[..], "scan.pdf"),
            (b"Dear colleague", "letter.txt"),
            (b"\0\x01", "x"),
        ] {
            let meta = read(bytes, name).items.remove(0).meta;
            assert_eq!(sniff(bytes, name, None), Sniffed::Document { meta });
        }
    }

    #[test]
    fn json_is_read_whole_and_ndjson_by_lines() {
        let bundle = b"{\"resourceType\":\"Bundle\",\"entry\":[";
        assert_eq!(sniff(bundle, "x", None), Sniffed::Fhir);
        assert_eq!(sniff(b"{\"url\":1}", "x.json", None), Sniffed::Fhir);
        let lines = b"\xef\xbb\xbf{\"resourceType\":\"A\"}\n{\"resourceT";
        assert_eq!(sniff(lines, "x", None), Sniffed::Ndjson);
        assert_eq!(sniff(lines, "x", HUGE), Sniffed::Ndjson);
    }

    #[test]
    fn xml_that_may_carry_labels_is_seen_whole() {
        let mut cda = b"<ClinicalDocument>".to_vec();
        cda.resize(SNIFF_LEN + 1, b' ');
        cda.extend(b"<confidentialityCode code=\"R\"/>");
        assert_eq!(sniff(&cda, "x.xml", Some(cda.len() as u64)), Sniffed::Fhir);
        assert_eq!(sniff(&cda, "x.xml", None), Sniffed::Fhir);
        let meta = read(&cda, "x.xml").items.remove(0).meta;
        assert_eq!(meta.labels, [Label::new("R").unwrap()].into());
        let Sniffed::Document { meta } = sniff(&cda, "x.xml", HUGE) else {
            panic!("a huge document is streamed");
        };
        assert_eq!(meta.labels, [Label::unclear()].into());
    }

    #[test]
    fn what_is_too_long_for_one_piece_is_streamed() {
        let bundle = b"{\"resourceType\":\"Bundle\",\"entry\":[";
        assert_eq!(sniff(bundle, "x.json", HUGE), Sniffed::Stream);
        assert_eq!(
            sniff(bundle, "x.json", HUGE.map(|len| len - 1)),
            Sniffed::Fhir
        );
        // the first line is longer than what was seen
        assert_eq!(sniff(bundle, "x.ndjson", HUGE), Sniffed::Ndjson);
        let other = sniff(b"{\"points\":[1,2", "x.json", HUGE);
        assert!(matches!(other, Sniffed::Document { .. }));
        assert!(matches!(sniff(b"", "x", Some(0)), Sniffed::Refused(_)));
        // of unknown length, and more than was seen
        let mut long = bundle.to_vec();
        long.resize(SNIFF_LEN, b' ');
        assert_eq!(sniff(&long, "x.json", None), Sniffed::Stream);
        assert_eq!(sniff(&long, "x.ndjson", None), Sniffed::Ndjson);
    }
}
