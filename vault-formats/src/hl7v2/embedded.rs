//! Files inside messages: OBX of type ED.
//!
//! Source: HL7 v2.5.1 section 2.A.24 (encapsulated data), tables 0191, 0291 and 0299.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Value, json};
use vault_core::record::{clean_field, clean_title};
use vault_core::{Category, RecordMeta};

use super::escape::hex;
use super::fields::{Rep, Segment};
use super::output::Output;

/// Adds the file of an ED as a record and returns the Attachment that names it. The bytes are in
/// that record only. `None`, and a problem, when there is no file that can be read.
pub(super) fn embedded_file(
    obx: &Segment<'_>,
    place: String,
    category: Category,
    out: &mut Output,
) -> Option<Value> {
    let rep = obx.rep(5);
    let Some((data, rep)) = rep.and_then(|rep| Some((rep.raw_sub(5, 1)?, rep))) else {
        out.report(place, "an embedded file without data");
        return None;
    };
    if data.trim().is_empty() {
        out.report(place, "an embedded file without data");
        return None;
    }
    let encoding = rep.comp(4).unwrap_or_default().to_uppercase();
    let content = match encoding.as_str() {
        // line ends inside are escaped by some
        "BASE64" => base64(data).or_else(|| base64(&rep.comp(5)?)),
        "HEX" => hex(&data.replace(char::is_whitespace, "")),
        _ => rep.comp(5).map(String::into_bytes),
    };
    let Some(content) = content.filter(|content| !content.is_empty()) else {
        out.report(place, "an embedded file that cannot be decoded");
        return None;
    };
    let media_type = media_type(&rep, &content);
    let title = obx.coded(3).and_then(|coded| coded.words());
    let title = clean_title(&title.unwrap_or_else(|| "Embedded file".to_owned()));
    let meta = RecordMeta {
        category,
        date: obx.time(14).and_then(|time| time.clinical()),
        title: title.clone(),
        media_type: media_type.clone(),
        codes: obx
            .coded(3)
            .map(|c| c.codes().take(6).collect())
            .unwrap_or_default(),
        author: obx
            .text(23)
            .or_else(|| obx.person(16))
            .map(|name| clean_field(&name)),
        ..RecordMeta::default()
    };
    let size = content.len();
    out.add_file(meta, content);
    Some(json!({"contentType": media_type, "title": title, "size": size}))
}

/// Base64 as it is found: with white space inside, and with or without padding.
fn base64(data: &str) -> Option<Vec<u8>> {
    let forgiving = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&STANDARD, forgiving);
    let plain = data.replace(char::is_whitespace, "");
    engine.decode(plain).ok()
}

/// The media type: by the first bytes, which do not lie, else as the message says.
fn media_type(rep: &Rep<'_>, content: &[u8]) -> String {
    let known: &[(&[u8], &str)] = &[
        (b"%PDF-", "application/pdf"),
        (b"{\\rtf", "application/rtf"),
        (b"\x89PNG\r\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
    ];
    if let Some((_, name)) = known.iter().find(|(magic, _)| content.starts_with(magic)) {
        return (*name).to_owned();
    }
    let kind = rep.comp(2).unwrap_or_default().to_lowercase();
    let subtype = rep.comp(3).unwrap_or_default().to_lowercase();
    let plain = |text: &str| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'+');
        !text.is_empty() && text.len() <= 60 && text.bytes().all(fits)
    };
    match (kind.as_str(), subtype.as_str()) {
        (_, "html") => "text/html".to_owned(),
        (_, "xml" | "x-hl7-cda-level-one") => "application/xml".to_owned(),
        ("text" | "ft" | "tx", "" | "plain" | "octet-stream") => "text/plain".to_owned(),
        ("application" | "image" | "text" | "audio" | "video", subtype) if plain(subtype) => {
            format!("{kind}/{subtype}")
        }
        _ => "application/octet-stream".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hl7v2::frames::message;
    use crate::{Deriver, Moment};
    use vault_core::Digest;

    fn read(ed: &str) -> (Vec<crate::Derived>, usize) {
        let text = format!("MSH|^~\\&|A\rOBX|1|ED|18842-5^Letter^LN||{ed}||||||F|||20240309\r");
        let message = message(text.as_bytes(), 1, &mut Vec::new()).unwrap();
        let obx = message.first("OBX").unwrap();
        let deriver = Deriver::new(Digest::of(b"x"), Moment(0), [].into());
        let mut out = Output::new(deriver, Vec::new());
        embedded_file(&obx, "here".into(), Category::Note, &mut out);
        let (derived, problems) = out.finish("a test");
        (derived, problems.len())
    }

    #[test]
    fn files_of_several_encodings() {
        for (ed, media_type, content) in [
            (
                "^application^pdf^Base64^JVBERi0xLjQ=",
                "application/pdf",
                &b"%PDF-1.4"[..],
            ),
            (
                "^AP^Octet-stream^Base64^e1xydGYx\\.br\\IHh9",
                "application/rtf",
                b"{\\rtf1 x}",
            ),
            ("^IM^PNG^Hex^89504E470D0A", "image/png", b"\x89PNG\r\n"),
            ("^TEXT^plain^A^a \\T\\ b", "text/plain", b"a & b"),
            (
                "^application^zip^Base64^UEsDBA",
                "application/zip",
                b"PK\x03\x04",
            ),
        ] {
            let (derived, problems) = read(ed);
            assert_eq!(problems, 0, "{ed}");
            assert_eq!(derived[0].content.as_slice(), content, "{ed}");
            let meta = &derived[0].meta;
            assert_eq!(meta.media_type, media_type, "{ed}");
            assert_eq!(meta.title, "Letter");
            assert_eq!(meta.date.as_ref().unwrap().as_str(), "2024-03-09");
        }
        for bad in [
            "^application^pdf^Base64^",
            "^application^pdf^Base64^%%%",
            "x",
        ] {
            let (derived, problems) = read(bad);
            assert_eq!((derived.len(), problems), (0, 1), "{bad}");
        }
    }
}
