//! From bytes to XML that is safe to parse: encoding, limits, the root element.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Largest document that is parsed, in bytes (32 MiB).
pub(super) const MAX_LEN: usize = 32 << 20;
/// Most nodes of a document.
pub(super) const MAX_NODES: u32 = 600_000;
/// Most attributes of a document; the parser reserves room for each `=` in it.
const MAX_EQUALS: usize = 600_000;
/// Most attributes of one element.
const MAX_TAG_ATTRIBUTES: usize = 128;
/// Deepest nesting of elements.
const MAX_DEPTH: usize = 200;
/// Most namespaces in scope, and most of them noted in all.
const MAX_SCOPE: usize = 256;
const MAX_SCOPES: usize = 2_000_000;

/// The text of a document, and whether bytes in it did not fit its encoding.
///
/// A byte order mark decides, then zero bytes around the first `<`, then the XML declaration, then
/// UTF-8. What claims to be UTF-8 and is not is read as Windows-1252, which old systems write.
/// Source: XML 1.0, appendix F.
pub(super) fn decode(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    let (encoding, bom) = match Encoding::for_bom(bytes) {
        Some((encoding, len)) => (encoding, len),
        None => (declared(bytes), 0),
    };
    let body = bytes.get(bom..).unwrap_or_default();
    let (text, wrong) = encoding.decode_without_bom_handling(body);
    if wrong && encoding == UTF_8 {
        drop(text);
        return (WINDOWS_1252.decode_without_bom_handling(body).0, true);
    }
    (text, wrong)
}

fn declared(bytes: &[u8]) -> &'static Encoding {
    match bytes {
        [b'<', 0, ..] => return UTF_16LE,
        [0, b'<', ..] => return UTF_16BE,
        _ => {}
    }
    let head = bytes.get(..bytes.len().min(256)).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let Some((declaration, _)) = head.trim_start().split_once("?>") else {
        return UTF_8;
    };
    let label = declaration
        .starts_with("<?xml")
        .then(|| declaration.split_once("encoding"))
        .flatten()
        .and_then(|(_, rest)| rest.trim_start().strip_prefix('='))
        .and_then(|rest| rest.trim_start().split(['"', '\'']).nth(1));
    match label.and_then(|label| Encoding::for_label(label.as_bytes())) {
        // single bytes that say they are pairs
        Some(encoding) if encoding != UTF_16LE && encoding != UTF_16BE => encoding,
        _ => UTF_8,
    }
}

/// Whether the first element of a text is a `ClinicalDocument`, whatever follows.
pub(super) fn begins_like_a_document(text: &str) -> bool {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        let skipped = if rest.starts_with("<?") {
            rest.split_once("?>")
        } else if rest.starts_with("<!--") {
            rest.split_once("-->")
        } else if rest.starts_with("<!") {
            // an internal subset ends with its own bracket
            let end = match (rest.find('>'), rest.find('[')) {
                (Some(close), Some(open)) if open < close => rest.find("]>").map(|at| at + 1),
                (close, _) => close,
            };
            end.and_then(|end| Some((rest.get(..end)?, rest.get(end + 1..)?)))
        } else {
            break;
        };
        let Some((_, after)) = skipped else {
            return false;
        };
        rest = after.trim_start();
    }
    let Some(tag) = rest.strip_prefix('<') else {
        return false;
    };
    let end = tag.find([' ', '\t', '\r', '\n', '/', '>']);
    let name = tag.get(..end.unwrap_or(tag.len())).unwrap_or_default();
    name.rsplit(':').next() == Some("ClinicalDocument")
}

/// Whether the parser's time and memory stay within bounds; else what is too much.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    if text.bytes().filter(|b| *b == b'=').count() > MAX_EQUALS {
        return Err("too many attributes");
    }
    if text.bytes().filter(|b| *b == b'<').count() > 2 * MAX_NODES as usize {
        return Err("too many elements");
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    // namespaces in scope at every open element
    let mut scopes: Vec<usize> = Vec::new();
    let mut noted = 0usize;
    while let Some(open) = find(bytes, at, b"<") {
        let tag = bytes.get(open..).unwrap_or_default();
        let past = |end: &[u8]| find(bytes, open, end).map(|found| found + end.len());
        let next = if tag.starts_with(b"<!--") {
            past(b"-->")
        } else if tag.starts_with(b"<![CDATA[") {
            past(b"]]>")
        } else if tag.starts_with(b"<?") {
            past(b"?>")
        } else if tag.starts_with(b"</") {
            scopes.pop();
            past(b">")
        } else {
            let tag = start_tag(tag);
            if tag.attributes > MAX_TAG_ATTRIBUTES {
                return Err("an element with too many attributes");
            }
            let scope = scopes.last().copied().unwrap_or(0) + tag.namespaces;
            noted += if tag.namespaces > 0 { scope } else { 0 };
            if scope > MAX_SCOPE || noted > MAX_SCOPES {
                return Err("too many namespaces");
            }
            if !tag.empty {
                scopes.push(scope);
            }
            if scopes.len() > MAX_DEPTH {
                return Err("nested too deep");
            }
            Some(open + tag.len)
        };
        // what never ends is the parser's to refuse
        let Some(next) = next else { break };
        at = next;
    }
    Ok(())
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    let first = what.first()?;
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|b| b == first)?;
        if bytes.get(at..)?.starts_with(what) {
            return Some(at);
        }
        at += 1;
    }
}

#[derive(Default)]
struct Tag {
    len: usize,
    attributes: usize,
    namespaces: usize,
    empty: bool,
}

fn start_tag(bytes: &[u8]) -> Tag {
    let mut tag = Tag::default();
    let mut quote = None;
    for (at, &byte) in bytes.iter().enumerate() {
        tag.len = at + 1;
        match quote {
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None => match byte {
                b'"' | b'\'' => quote = Some(byte),
                b'=' => tag.attributes += 1,
                b'x' if bytes.get(at..).unwrap_or_default().starts_with(b"xmlns") => {
                    tag.namespaces += 1;
                }
                b'>' => {
                    tag.empty = at > 0 && bytes.get(at - 1) == Some(&b'/');
                    break;
                }
                _ => {}
            },
        }
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_by_mark_by_zeros_and_by_declaration() {
        let utf16 = |text: &str, big: bool| -> Vec<u8> {
            let pair = |unit: u16| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            };
            text.encode_utf16().flat_map(pair).collect()
        };
        let text = "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a>Zo\u{eb}</a>";
        for bytes in [
            utf16(text, true),
            utf16(text, false),
            utf16(&format!("\u{feff}{text}"), true),
            utf16(&format!("\u{feff}{text}"), false),
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
        ] {
            assert_eq!(decode(&bytes), (text.into(), false));
        }
        let latin = b"<?xml version='1.0' encoding = 'ISO-8859-1'?><a>Zo\xeb</a>";
        assert!(decode(latin).0.ends_with("Zo\u{eb}</a>"));
        assert!(!decode(latin).1);
        let (mended, wrong) = decode(b"<a>Zo\xeb</a>");
        assert_eq!((mended.as_ref(), wrong), ("<a>Zo\u{eb}</a>", true));
    }

    #[test]
    fn only_clinical_documents_begin_like_one() {
        for yes in [
            "<ClinicalDocument/>",
            "\u{feff} <?xml version='1.0'?><!-- <a> --><h:ClinicalDocument xmlns:h='x'>",
            "<!DOCTYPE a [<!ENTITY b 'c>'>]><ClinicalDocument",
        ] {
            assert!(begins_like_a_document(yes), "{yes}");
        }
        for no in [
            "",
            "ClinicalDocument",
            "<a><ClinicalDocument/>",
            "<ClinicalDocuments>",
            "<!--",
        ] {
            assert!(!begins_like_a_document(no), "{no}");
        }
    }

    #[test]
    fn what_would_cost_too_much_is_refused() {
        assert_eq!(
            check("<a b='<' c=\"=\"><!-- <x> --><![CDATA[<y>]]><d/></a>"),
            Ok(())
        );
        assert_eq!(check(&"<a>".repeat(201)), Err("nested too deep"));
        assert_eq!(check(&"<a></a><b/>".repeat(1000)), Ok(()));
        let attributes: String = (0..200).map(|n| format!(" a{n}=''")).collect();
        assert_eq!(
            check(&format!("<a{attributes}>")),
            Err("an element with too many attributes")
        );
        assert_eq!(check(&"=".repeat(600_001)), Err("too many attributes"));
        assert_eq!(check(&"<a/>".repeat(1_200_001)), Err("too many elements"));
        let spaces: String = (0..100).map(|n| format!(" xmlns:a{n}='u'")).collect();
        assert_eq!(
            check(&format!("<a{spaces}>").repeat(3)),
            Err("too many namespaces")
        );
    }
}
