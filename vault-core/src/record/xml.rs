//! XML documents: known by their root element, with the little that is read from C-CDA and FHIR.
//!
//! This looks for tags, it does not parse: enough for a date and for labels, of which rather one too
//! many is found than one too few. Sources: HL7 CDA R2, FHIR R4 section "XML representation".

use std::collections::BTreeSet;

use super::document::compact_date;
use super::{Category, Label, RecordMeta, label};

const CDA: &str = "text/xml";
const FHIR: &str = "application/fhir+xml";

/// Whether documents of this type may say anywhere that they are sensitive.
pub(super) fn may_carry_labels(media_type: &str) -> bool {
    matches!(media_type, CDA | FHIR)
}

/// Fills in what an XML document says of itself; false when `body` is not XML.
///
/// Texts that are not UTF-8 are read as far as their ASCII part goes, which tags are.
pub(super) fn describe(body: &[u8], meta: &mut RecordMeta) -> bool {
    if body.trim_ascii_start().first() != Some(&b'<') || body.contains(&0) {
        return false;
    }
    let text = String::from_utf8_lossy(body);
    let Some((root, tag)) = root(&text) else {
        return false;
    };
    let media_type = match root {
        "ClinicalDocument" => CDA,
        "svg" => "image/svg+xml",
        "html" => "text/html",
        _ if attributes_name_fhir(tag) => FHIR,
        _ => "application/xml",
    };
    meta.media_type = media_type.to_owned();
    if media_type == CDA {
        meta.category = Category::Note;
        let time = elements(&text, "effectiveTime").next();
        meta.date = time
            .and_then(|(tag, _)| attribute(tag, "value"))
            .and_then(compact_date);
        meta.labels = cda_labels(&text);
    } else if media_type == FHIR {
        meta.labels = fhir_labels(&text);
    }
    true
}

/// The local name of the root element and the text of its start tag.
fn root(text: &str) -> Option<(&str, &str)> {
    let mut rest = text.trim_start();
    loop {
        let skipped = if rest.starts_with("<?") {
            rest.split_once("?>")
        } else if rest.starts_with("<!--") {
            rest.split_once("-->")
        } else if rest.starts_with("<!") {
            rest.split_once('>')
        } else {
            break;
        };
        rest = skipped?.1.trim_start();
    }
    let tag = rest.strip_prefix('<')?;
    let tag = tag.split_once('>').map_or(tag, |(tag, _)| tag);
    let name = tag.split([' ', '\t', '\r', '\n', '/']).next()?;
    let local = name.rsplit(':').next()?;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    (local.starts_with(char::is_alphabetic) && local.chars().all(plain)).then_some((local, tag))
}

fn attributes_name_fhir(tag: &str) -> bool {
    ["\"http://hl7.org/fhir\"", "'http://hl7.org/fhir'"]
        .iter()
        .any(|namespace| tag.contains(namespace))
}

/// Labels of the header and of every section: each covers a part of this document.
fn cda_labels(text: &str) -> BTreeSet<Label> {
    elements(text, "confidentialityCode")
        .filter_map(|(tag, _)| label::from_coding(None, attribute(tag, "code")))
        .collect()
}

fn fhir_labels(text: &str) -> BTreeSet<Label> {
    let mut labels = BTreeSet::new();
    for name in ["security", "securityLabel"] {
        for (_, rest) in elements(text, name) {
            let inside = near(rest).split_once(&format!("{name}>"));
            let Some((inside, _)) = inside else {
                labels.insert(Label::unclear());
                continue;
            };
            let values = |name| elements(inside, name).map(|(tag, _)| attribute(tag, "value"));
            let systems: Vec<_> = values("system").collect();
            let codes: Vec<_> = values("code").collect();
            if codes.is_empty() {
                labels.insert(Label::unclear());
            }
            let paired = systems.len() == codes.len();
            for (n, code) in codes.into_iter().enumerate() {
                let system = systems.get(n).copied().flatten().filter(|_| paired);
                labels.extend(label::from_coding(system, code));
            }
        }
    }
    for (tag, _) in elements(text, "confidentiality") {
        labels.extend(label::from_coding(None, attribute(tag, "value")));
    }
    labels
}

/// The start tags of every element with this local name, each with the text that follows it.
fn elements<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    text.match_indices(name).filter_map(move |(at, _)| {
        let before = text.get(..at)?;
        let opened = match before.strip_suffix(':') {
            Some(prefixed) => prefixed
                .trim_end_matches(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
                .ends_with('<'),
            None => before.ends_with('<'),
        };
        let after = text.get(at + name.len()..)?;
        let whole = after.starts_with(['>', '/', ' ', '\t', '\r', '\n']);
        if !(opened && whole) {
            return None;
        }
        let tag = near(after).split_once('>').map_or("", |(tag, _)| tag);
        Some((tag, after.get(tag.len()..)?))
    })
}

/// The next 1 KiB: no tag of interest is longer, and no input makes the search for its end slow.
fn near(text: &str) -> &str {
    text.get(..text.floor_char_boundary(1024)).unwrap_or(text)
}

/// The value of an attribute in the text of a start tag.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.match_indices(name).find_map(|(at, _)| {
        tag.get(..at)?
            .ends_with(|c: char| c.is_ascii_whitespace())
            .then_some(())?;
        let value = tag.get(at + name.len()..)?.trim_start().strip_prefix('=')?;
        let value = value.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        value.get(1..)?.split_once(quote).map(|(value, _)| value)
    })
}

#[cfg(test)]
mod tests {
    use super::super::document::summary;
    use super::*;

    fn labels(text: &str) -> Vec<String> {
        let meta = summary(text.as_bytes(), "x.xml", true);
        meta.labels.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_cda_header_gives_date_and_every_confidentiality() {
        let cda = "\u{feff}<?xml version=\"1.0\"?><!-- <x> --><c:ClinicalDocument xmlns:c=\"urn:hl7-org:v3\">
            <c:effectiveTime value=\"20120806153000-0400\"/><c:effectiveTime value='2000'/>
            <c:confidentialityCode codeSystem=\"2.16.840.1.113883.5.25\" code = 'N'/>
            <c:component><c:confidentialityCode\n code=\"V\"></c:confidentialityCode></c:component>
            </c:ClinicalDocument>";
        let meta = summary(cda.as_bytes(), "ccd.xml", true);
        assert_eq!(meta.media_type, "text/xml");
        assert_eq!(meta.category, Category::Note);
        assert_eq!(meta.date, Some("2012-08-06".parse().unwrap()));
        assert_eq!(labels(cda), ["N", "V"]);
        // what was not seen is unclear
        let partly = summary(cda.as_bytes(), "ccd.xml", false);
        assert!(partly.labels.contains(&Label::unclear()));
        let unknown = "<ClinicalDocument><confidentialityCode nullFlavor=\"UNK\"/>";
        assert_eq!(labels(unknown), ["UNCLEAR"]);
    }

    #[test]
    fn fhir_security_tags_are_labels() {
        let fhir =
            |inside: &str| format!("<Patient xmlns=\"http://hl7.org/fhir\">{inside}</Patient>");
        let system = "<system value=\"http://terminology.hl7.org/CodeSystem/v3-ActCode\"/>";
        let one = format!("<meta><security>{system}<code value=\"PSY\"/></security></meta>");
        assert_eq!(labels(&fhir(&one)), ["PSY"]);
        let reason = "<system value=\"http://terminology.hl7.org/CodeSystem/v3-ActReason\"/>";
        let test =
            format!("<security>{reason}<code value=\"HTEST\"/></security><code value=\"Q\"/>");
        assert!(labels(&fhir(&test)).is_empty());
        assert_eq!(labels(&fhir("<security/>")), ["UNCLEAR"]);
        assert_eq!(labels(&fhir("<confidentiality value=\"R\"/>")), ["R"]);
        let concept = format!(
            "<securityLabel><coding>{system}<code value=\"HIV\"/></coding></securityLabel>"
        );
        assert_eq!(labels(&fhir(&concept)), ["HIV"]);
        // the same words elsewhere are not tags
        assert!(labels(&fhir("<text>security</text><x value=\"security\"/>")).is_empty());
    }

    #[test]
    fn hostile_repetition_is_not_slow() {
        let fhir = "<Patient xmlns=\"http://hl7.org/fhir\">".to_owned();
        for part in ["<security/>", "<security ", "<a:security", "<security>"] {
            let text = fhir.clone() + &part.repeat((1 << 20) / part.len());
            summary(text.as_bytes(), "x.xml", true);
        }
    }

    #[test]
    fn old_encodings_are_read_for_their_tags() {
        let latin1 = b"<ClinicalDocument><title>Caf\xe9</title><confidentialityCode code=\"R\"/>";
        let meta = summary(latin1, "x.xml", true);
        assert_eq!(meta.media_type, "text/xml");
        assert_eq!(meta.labels, [Label::new("R").unwrap()].into());
        let other = summary(b"< 5 and more", "x", true);
        assert_eq!(other.media_type, "text/plain");
    }
}
