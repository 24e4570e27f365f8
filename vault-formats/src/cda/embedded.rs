//! Documents whose body is a file of another format.
//!
//! Source: HL7 CDA R2, nonXMLBody; HL7 v3 data types, ED.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use vault_core::record::clean_field;

use super::reader::{Node, attr, child, is_null};

/// Padding is often missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A file that lies in a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Its media type.
    pub(super) media_type: String,
    /// Its bytes.
    pub(super) content: Vec<u8>,
}

/// The file in a nonXMLBody. It is never larger than the document.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn content(body: Node<'_>) -> Result<File, &'static str> {
    let text = child(body, "text").filter(|text| !is_null(*text));
    let text = text.ok_or("the body is empty")?;
    if attr(text, "compression").is_some() {
        return Err("the body is compressed: it was not taken out");
    }
    let mut written = text
        .children()
        .filter_map(|node| node.text().filter(|_| node.is_text()));
    if attr(text, "representation") != Some("B64") {
        let content: String = written.collect();
        if content.trim().is_empty() {
            return Err(match child(text, "reference") {
                Some(_) => "the body is another file, which is not in the document",
                None => "the body is empty",
            });
        }
        return Ok(File {
            media_type: "text/plain".into(),
            content: content.into_bytes(),
        });
    }
    let mut packed = Vec::new();
    written.try_for_each(|part| {
        packed.extend(part.bytes().filter(|b| !b.is_ascii_whitespace()));
        Some(())
    });
    let content = BASE64
        .decode(packed)
        .map_err(|_| "the body is not valid base64")?;
    if content.is_empty() {
        return Err("the body is empty");
    }
    Ok(File {
        media_type: media_type(attr(text, "mediaType")),
        content,
    })
}

/// A media type in lower case without parameters; what is none says nothing about the bytes.
fn media_type(text: Option<&str>) -> String {
    let text = text
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    let text = clean_field(&text.to_ascii_lowercase());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | '_');
    match text.split_once('/') {
        Some((a, b)) if !a.is_empty() && !b.is_empty() && (a.to_owned() + b).chars().all(plain) => {
            text
        }
        _ => "application/octet-stream".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<File, &'static str> {
        let xml = format!("<nonXMLBody>{text}</nonXMLBody>");
        content(roxmltree::Document::parse(&xml).unwrap().root_element())
    }

    #[test]
    fn files_in_base64_and_as_text() {
        let pdf =
            of("<text mediaType='Application/PDF' representation='B64'> JVBE\n Ri0x LjQ</text>")
                .unwrap();
        assert_eq!(
            (pdf.media_type.as_str(), pdf.content.as_slice()),
            ("application/pdf", b"%PDF-1.4".as_slice())
        );
        let text = of("<text mediaType='text/plain'>All is well &amp; good.</text>").unwrap();
        assert_eq!(
            (text.media_type.as_str(), text.content.as_slice()),
            ("text/plain", b"All is well & good.".as_slice())
        );
        let odd = of("<text mediaType='a b' representation='B64'>AA==</text>").unwrap();
        assert_eq!(
            (odd.media_type.as_str(), odd.content.as_slice()),
            ("application/octet-stream", [0].as_slice())
        );
    }

    #[test]
    fn what_cannot_be_taken_out_is_told() {
        for (text, what) in [
            ("", "the body is empty"),
            ("<text nullFlavor='NI'/>", "the body is empty"),
            (
                "<text representation='B64'>%%%</text>",
                "the body is not valid base64",
            ),
            (
                "<text><reference value='x.pdf'/></text>",
                "the body is another file, which is not in the document",
            ),
            (
                "<text representation='B64' compression='DF'>AA==</text>",
                "the body is compressed: it was not taken out",
            ),
        ] {
            assert_eq!(of(text), Err(what), "{text}");
        }
    }
}
