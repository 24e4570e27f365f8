//! What is known about a record without opening its body.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};

use super::{Category, ClinicalDate, Code, Kind, Label};
use crate::ids::RecordId;

/// Longest title and file name, in characters.
pub const MAX_TITLE_CHARS: usize = 200;
/// Longest media type and source id, in characters.
const MAX_FIELD_CHARS: usize = 128;
/// Most codes of one record.
pub const MAX_CODES: usize = 6;

/// The header summary of a record: what lists, searches and scopes go by.
///
/// Texts are clean however the value was made: no control or direction-changing characters, and no
/// more than their limit. In a strict encoding a summary that is not clean is refused, in others it
/// is cleaned while it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordMeta {
    /// FHIR resource type, or `Document`.
    #[serde(rename = "k")]
    pub kind: Kind,
    /// The coarse shelf.
    #[serde(rename = "c")]
    pub category: Category,
    /// When it happened, as far as the record says.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub date: Option<ClinicalDate>,
    /// One line for people, at most [`MAX_TITLE_CHARS`] characters.
    #[serde(rename = "t", deserialize_with = "title")]
    pub title: String,
    /// Security labels, from the record itself.
    #[serde(rename = "l", default, skip_serializing_if = "BTreeSet::is_empty")]
    pub labels: BTreeSet<Label>,
    /// Media type of the record's bytes, for example `application/fhir+json`.
    #[serde(rename = "m", deserialize_with = "field")]
    pub media_type: String,
    /// The record's name at its source, for example `Observation/123`.
    #[serde(
        rename = "s",
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_field"
    )]
    pub source_id: Option<String>,
    /// What it is about: codes of terminologies, at most [`MAX_CODES`].
    #[serde(
        rename = "x",
        default,
        skip_serializing_if = "BTreeSet::is_empty",
        deserialize_with = "few_codes"
    )]
    pub codes: BTreeSet<Code>,
    /// Who wrote, ordered or performed it, as the record says: a person or an organisation.
    #[serde(
        rename = "a",
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "optional_field"
    )]
    pub author: Option<String>,
    /// The record that this one was derived from; its content is the original.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<RecordId>,
}

impl Default for RecordMeta {
    /// A document of which nothing is known.
    fn default() -> Self {
        Self {
            kind: Kind::document(),
            category: Category::Other,
            date: None,
            title: String::new(),
            labels: BTreeSet::new(),
            media_type: "application/octet-stream".to_owned(),
            source_id: None,
            codes: BTreeSet::new(),
            author: None,
            origin: None,
        }
    }
}

impl RecordMeta {
    /// Whether any label keeps the record out of scopes that do not name it.
    pub fn is_sensitive(&self) -> bool {
        self.labels.iter().any(Label::is_sensitive)
    }
}

fn title<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|text| clean(&text, MAX_TITLE_CHARS))
}

fn field<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|text| clean(&text, MAX_FIELD_CHARS))
}

fn optional_field<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(|text| clean(&text, MAX_FIELD_CHARS)))
}

/// No more than the first [`MAX_CODES`]; a strict encoding with more is refused.
fn few_codes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<Code>, D::Error> {
    let codes = BTreeSet::<Code>::deserialize(deserializer)?;
    Ok(codes.into_iter().take(MAX_CODES).collect())
}

/// A title made fit to print: white space becomes single spaces, control and direction-changing
/// characters go, and it ends after [`MAX_TITLE_CHARS`] characters.
pub fn clean_title(text: &str) -> String {
    clean(text, MAX_TITLE_CHARS)
}

/// The same for an author, a media type or a source id: at most 128 characters.
pub fn clean_field(text: &str) -> String {
    clean(text, MAX_FIELD_CHARS)
}

/// One line fit to print, of at most `limit` characters.
pub(crate) fn clean(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut left = limit;
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() {
            gap = !out.is_empty();
        } else if !c.is_control() && !changes_direction(c) {
            let needed = 1 + usize::from(gap);
            if left < needed {
                break;
            }
            left -= needed;
            if gap {
                out.push(' ');
            }
            gap = false;
            out.push(c);
        }
    }
    out
}

/// Characters that reorder or hide what a terminal shows (Unicode UAX #9, explicit formatting).
fn changes_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{DecodeError, decode, encode};

    fn sample() -> RecordMeta {
        RecordMeta {
            kind: Kind::new("Observation").unwrap(),
            category: Category::Lab,
            date: Some("2024-03".parse().unwrap()),
            title: "Haemoglobin".into(),
            labels: ["PSY", "R"].map(|l| Label::new(l).unwrap()).into(),
            media_type: "application/fhir+json".into(),
            source_id: Some("Observation/123".into()),
            codes: ["loinc|718-7".parse().unwrap()].into(),
            author: Some("Dr Lind".into()),
            origin: Some(RecordId::from_bytes([7; 16])),
        }
    }

    #[test]
    fn strict_round_trip_with_and_without_the_optional_parts() {
        let mut meta = sample();
        assert!(meta.is_sensitive());
        assert_eq!(decode(&encode(&meta), 1000), Ok(meta.clone()));
        meta.date = None;
        meta = RecordMeta {
            source_id: None,
            author: None,
            origin: None,
            ..meta
        };
        meta.codes.clear();
        meta.labels.clear();
        assert!(!meta.is_sensitive());
        assert_eq!(decode(&encode(&meta), 1000), Ok(meta.clone()));
        assert!(encode(&meta).len() < 60);
        let json = serde_json::to_string(&meta).unwrap();
        assert_eq!(serde_json::from_str::<RecordMeta>(&json).unwrap(), meta);
    }

    #[test]
    fn foreign_text_cannot_reach_a_terminal_raw() {
        let meta = RecordMeta {
            title: "a\u{1b}[2J".into(),
            ..sample()
        };
        assert_eq!(
            decode::<RecordMeta>(&encode(&meta), 1000),
            Err(DecodeError::NotCanonical)
        );
        let json = serde_json::to_string(&meta).unwrap();
        assert_eq!(
            serde_json::from_str::<RecordMeta>(&json).unwrap().title,
            "a[2J"
        );
    }

    #[test]
    fn titles_are_cleaned_on_character_boundaries() {
        assert_eq!(clean_title("  a \n\t b\u{7}\u{202e}c "), "a bc");
        assert_eq!(clean_title("\u{1b}"), "");
        assert_eq!(clean_title(&"\u{e9}".repeat(300)), "\u{e9}".repeat(200));
        let words = "ab ".repeat(100);
        let cut = clean_title(&words);
        assert!(cut.chars().count() <= 200 && !cut.ends_with(' '));
        // cleaning a clean text changes nothing
        assert_eq!(clean_title(&cut), cut);
        assert_eq!(clean_field(&"x".repeat(200)).len(), 128);
    }
}
