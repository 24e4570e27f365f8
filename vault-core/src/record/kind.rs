//! The kind of a record.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name that cannot be a kind of record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a record kind: a letter followed by at most 63 letters or digits is expected")]
pub struct ParseKindError;

/// What a record is: the FHIR resource type (for example `Observation`), or `Document`.
///
/// Any well-formed name is accepted, so resource types of every FHIR release fit: an ASCII letter
/// followed by ASCII letters or digits, at most [`Kind::MAX_LEN`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kind(String);

impl Kind {
    /// Longest name, in bytes.
    pub const MAX_LEN: usize = 64;

    /// Checks and wraps a name.
    ///
    /// # Errors
    /// [`ParseKindError`] when the name is empty, too long or has other characters than ASCII
    /// letters and digits.
    pub fn new(name: &str) -> Result<Self, ParseKindError> {
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic());
        let well_formed = name.bytes().all(|b| b.is_ascii_alphanumeric());
        if starts_well && well_formed && name.len() <= Self::MAX_LEN {
            Ok(Self(name.to_owned()))
        } else {
            Err(ParseKindError)
        }
    }

    /// The kind of everything that is not a FHIR resource in JSON.
    pub fn document() -> Self {
        Self("Document".to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Kind {
    type Err = ParseKindError;

    fn from_str(name: &str) -> Result<Self, ParseKindError> {
        Self::new(name)
    }
}

impl TryFrom<String> for Kind {
    type Error = ParseKindError;

    fn try_from(name: String) -> Result<Self, ParseKindError> {
        Self::new(&name)
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        kind.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_kinds() {
        assert_eq!(
            "Observation".parse::<Kind>().unwrap().to_string(),
            "Observation"
        );
        assert_eq!(Kind::document().as_str(), "Document");
        let long = "a".repeat(65);
        for bad in ["", "1a", "Obs ervation", "Ob\u{e9}", "a-b", long.as_str()] {
            assert_eq!(bad.parse::<Kind>(), Err(ParseKindError), "{bad}");
        }
        assert!("a".repeat(64).parse::<Kind>().is_ok());
    }

    #[test]
    fn a_bad_name_does_not_come_in_through_serde() {
        assert!(serde_json::from_str::<Kind>("\"a b\"").is_err());
        assert!(serde_json::from_str::<Kind>("\"Patient\"").is_ok());
    }
}
