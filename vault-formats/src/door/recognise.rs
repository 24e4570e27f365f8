//! What a file is, by its content.

use std::fmt;

use quick_xml::events::Event;

use crate::{apple, container, dicom, fhir, health_card, hl7v2};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// JSON: a FHIR resource, a bundle, a list, NDJSON, or something else.
    Json,
    /// FHIR XML.
    FhirXml,
    /// An HL7 CDA R2 document.
    Cda,
    /// HL7 v2 messages.
    Hl7v2,
    /// A DICOM file.
    Dicom,
    /// The `export.xml` of Apple Health.
    AppleHealth,
    /// A SMART Health Card, or a link to one.
    HealthCard,
    /// A zip archive.
    Zip,
    /// Anything else: a PDF, an image, a letter.
    Other,
}

impl Format {
    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::FhirXml => "FHIR XML",
            Self::Cda => "CDA",
            Self::Hl7v2 => "HL7 v2",
            Self::Dicom => "DICOM",
            Self::AppleHealth => "Apple Health",
            Self::HealthCard => "SMART Health Card",
            Self::Zip => "zip archive",
            Self::Other => "document",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The local name of the root element of an XML file; `None` when it is no XML.
fn xml_root(front: &[u8]) -> Option<String> {
    let (text, _, _) = match encoding_rs::Encoding::for_bom(front) {
        Some((encoding, _)) => encoding.decode(front),
        None => encoding_rs::WINDOWS_1252.decode(front),
    };
    let text = text.trim_start();
    if !text.starts_with('<') {
        return None;
    }
    let mut reader = quick_xml::Reader::from_str(text);
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) | Event::Empty(tag) => {
                return Some(tag.local_name().as_ref().to_owned());
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

/// Recognises a file by its first bytes. The name counts only where the bytes leave it open.
pub fn recognise(front: &[u8], name: &str) -> Format {
    if container::looks_like_zip(front) {
        Format::Zip
    } else if dicom::looks_like(front, name) {
        Format::Dicom
    } else if health_card::looks_like(front) || health_card::is_health_link(front) {
        Format::HealthCard
    } else if hl7v2::looks_like(front) {
        Format::Hl7v2
    } else if apple::looks_like(front) {
        Format::AppleHealth
    } else if xml_root(front).as_deref() == Some("ClinicalDocument") {
        Format::Cda
    } else if fhir::xml::looks_like(front) {
        Format::FhirXml
    } else if vault_core::record::looks_like_json(front, name) {
        Format::Json
    } else {
        Format::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_and_not_the_name() {
        let utf16: Vec<u8> = "\u{feff}<ClinicalDocument/>"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let cases: [(&[u8], Format); 16] = [
            (br#"{"resourceType":"Patient"}"#, Format::Json),
            (b"\xef\xbb\xbf [{\"a\":1}]", Format::Json),
            (br#"{"verifiableCredential":[]}"#, Format::HealthCard),
            (b"shc:/5676290952432060346029243740446031222959532654603460292540772804336028702864716745222809286133314564376531415906402203064504590856435503414245413640370636654171372412363803043756220467374075323239254334433260573601064137333912707426350769625364643945753638652852454535422237213876065244343160343405", Format::HealthCard),
            (b"shlink:/eyJ1cmwiOiJodHRwczovL2V4YW1wbGUub3JnIn0", Format::HealthCard),
            (b"MSH|^~\\&|LAB|", Format::Hl7v2),
            (b"\x0bMSH|^~\\&|LAB|", Format::Hl7v2),
            (b"<?xml version='1.0'?><HealthData locale='de'>", Format::AppleHealth),
            (b"<?xml version='1.0'?><!-- a --><x:ClinicalDocument xmlns:x='urn:hl7-org:v3'>", Format::Cda),
            (&utf16, Format::Cda),
            (b"<Patient xmlns='http://hl7.org/fhir'/>", Format::FhirXml),
            (b"PK\x03\x04rest", Format::Zip),
            (b"%PDF-1.7", Format::Other),
            (b"Dear colleague", Format::Other),
            (b"<html/>", Format::Other),
            (b"", Format::Other),
        ];
        for (front, format) in cases {
            let shown = String::from_utf8_lossy(front)
                .chars()
                .take(40)
                .collect::<String>();
            assert_eq!(recognise(front, "misleading.pdf"), format, "{shown}");
        }
        assert_eq!(recognise(b"broken", "a.json"), Format::Json);
    }
}
