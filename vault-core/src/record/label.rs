//! Sensitivity labels.
//!
//! Source: HL7 terminology, value sets ActInformationSensitivityPolicy and
//! InformationSensitivityPolicy (code system v3-ActCode), and code system v3-Confidentiality.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that cannot be a label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a label: 1 to 32 letters, digits, '-', '_' or '.' are expected")]
pub struct ParseLabelError;

/// One security label of a record: an HL7 code in upper case, for example `PSY` or `R`.
///
/// Unclear means sensitive: every code that is not known to be harmless is a reason to leave the
/// record out of a scope that does not name the label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

impl Label {
    /// Longest label, in bytes.
    pub const MAX_LEN: usize = 32;

    /// Checks a code and wraps it in upper case.
    ///
    /// # Errors
    /// [`ParseLabelError`] when the code is empty, too long or has other characters than ASCII
    /// letters, digits, `-`, `_` and `.`.
    pub fn new(code: &str) -> Result<Self, ParseLabelError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if !code.is_empty() && code.len() <= Self::MAX_LEN && code.bytes().all(plain) {
            Ok(Self(code.to_ascii_uppercase()))
        } else {
            Err(ParseLabelError)
        }
    }

    /// The label for a security tag that cannot be understood. It is sensitive.
    pub fn unclear() -> Self {
        Self("UNCLEAR".to_owned())
    }

    /// The code, in upper case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a record with this label stays out of a scope unless the label is named.
    ///
    /// True for everything except the confidentiality codes unrestricted, low, moderate and normal.
    pub fn is_sensitive(&self) -> bool {
        !matches!(self.0.as_str(), "U" | "L" | "M" | "N")
    }

    /// What the code means, in plain words, where it is known.
    pub fn meaning(&self) -> Option<&'static str> {
        MEANINGS
            .iter()
            .find(|(code, _)| *code == self.0)
            .map(|(_, meaning)| *meaning)
    }
}

const MEANINGS: &[(&str, &str)] = &[
    ("ADOL", "adolescent"),
    ("BH", "behavioural health"),
    ("CEL", "publicly known person"),
    ("COGN", "cognitive disability"),
    ("DEMO", "demographics"),
    ("DIA", "diagnosis"),
    ("DRGIS", "medication"),
    ("DVD", "developmental disability"),
    ("EMOTDIS", "emotional disturbance"),
    ("EMP", "employee of the clinic"),
    ("ETH", "substance abuse"),
    ("ETHUD", "alcohol use"),
    ("GDIS", "genetic disease"),
    ("HIV", "HIV or AIDS"),
    ("IDS", "infectious disease"),
    ("L", "low confidentiality"),
    ("M", "moderate confidentiality"),
    ("MH", "mental health"),
    ("MST", "military sexual trauma"),
    ("N", "normal confidentiality"),
    ("OPIOIDUD", "opioid use"),
    ("PDS", "closed by default"),
    ("PHY", "closed by the physician"),
    ("PRS", "closed by the patient"),
    ("PSY", "psychiatry"),
    ("PSYTHPN", "psychotherapy note"),
    ("R", "restricted"),
    ("SCA", "sickle cell disease"),
    ("SDV", "sexual assault or domestic violence"),
    ("SEX", "sexuality and reproductive health"),
    ("SICKLE", "sickle cell disease"),
    ("SPI", "specially protected"),
    ("STD", "sexually transmitted disease"),
    ("SUD", "substance use"),
    (
        "TBOO",
        "withheld until a clinician has spoken with the patient",
    ),
    ("U", "unrestricted"),
    ("UNCLEAR", "a security tag that could not be understood"),
    ("V", "very restricted"),
    ("VIO", "violence"),
    ("VIP", "publicly known person"),
];

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Label {
    type Err = ParseLabelError;

    fn from_str(code: &str) -> Result<Self, ParseLabelError> {
        Self::new(code)
    }
}

impl TryFrom<String> for Label {
    type Error = ParseLabelError;

    fn try_from(code: String) -> Result<Self, ParseLabelError> {
        Self::new(&code)
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

/// The label for one security coding, or nothing when it says nothing about sensitivity.
///
/// Codings of the systems for integrity, provenance and purpose of use (for example `HTEST` or
/// `SUBSETTED`) carry no sensitivity. Codings of systems that are not known are unclear, and so
/// sensitive, whatever their code looks like.
pub(super) fn from_coding(system: Option<&str>, code: Option<&str>) -> Option<Label> {
    let name = system.unwrap_or_default().trim_end_matches('/');
    if matches!(
        name.rsplit(['/', ':']).next(),
        Some("v3-ObservationValue" | "ObservationValue" | "v3-ActReason" | "ActReason")
    ) || name.ends_with("2.16.840.1.113883.5.1063")
        || name.ends_with("2.16.840.1.113883.5.8")
    {
        return None;
    }
    let label = code.and_then(|code| Label::new(code.trim()).ok());
    let confidentiality = name.ends_with("Confidentiality")
        || name.ends_with("2.16.840.1.113883.5.25")
        || name.is_empty();
    Some(match label {
        Some(label) if label.is_sensitive() || confidentiality => label,
        _ => Label::unclear(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_upper_case_and_plain() {
        assert_eq!(Label::new("psy").unwrap().as_str(), "PSY");
        let long = "A".repeat(33);
        for bad in ["", "a b", "\u{e9}", long.as_str()] {
            assert_eq!(Label::new(bad), Err(ParseLabelError));
        }
    }

    #[test]
    fn unclear_means_sensitive() {
        for code in ["PSY", "HIV", "SDV", "SEX", "ETH", "R", "V", "BRANDNEW"] {
            assert!(Label::new(code).unwrap().is_sensitive(), "{code}");
        }
        for code in ["U", "L", "M", "N", "n"] {
            assert!(!Label::new(code).unwrap().is_sensitive(), "{code}");
        }
        assert!(Label::unclear().is_sensitive());
    }

    #[test]
    fn meanings_are_sorted_and_each_is_a_label() {
        assert!(MEANINGS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(MEANINGS.iter().all(|(code, _)| Label::new(code).is_ok()));
        assert_eq!(Label::new("HIV").unwrap().meaning(), Some("HIV or AIDS"));
        assert_eq!(Label::new("X1").unwrap().meaning(), None);
    }

    #[test]
    fn codings_of_every_release_and_of_strangers() {
        let text = |system, code| from_coding(system, code).map(|label| label.to_string());
        let act = Some("http://terminology.hl7.org/CodeSystem/v3-ActCode");
        let old_act = Some("http://hl7.org/fhir/v3/ActCode");
        let confidentiality = Some("http://hl7.org/fhir/v3/Confidentiality");
        assert_eq!(text(act, Some("PSY")).as_deref(), Some("PSY"));
        assert_eq!(text(old_act, Some("hiv")).as_deref(), Some("HIV"));
        assert_eq!(text(confidentiality, Some("N")).as_deref(), Some("N"));
        assert_eq!(text(None, Some("R")).as_deref(), Some("R"));
        // not about sensitivity
        let reason = Some("http://terminology.hl7.org/CodeSystem/v3-ActReason");
        let value = Some("http://hl7.org/fhir/v3/ObservationValue");
        assert_eq!(text(reason, Some("HTEST")), None);
        assert_eq!(text(value, Some("SUBSETTED")), None);
        // strangers: an innocent-looking code of another system is not innocent
        let local = Some("https://clinic.example/tags");
        assert_eq!(text(local, Some("VIP")).as_deref(), Some("VIP"));
        assert_eq!(text(local, Some("N")).as_deref(), Some("UNCLEAR"));
        assert_eq!(text(act, Some("has space")).as_deref(), Some("UNCLEAR"));
        assert_eq!(text(act, None).as_deref(), Some("UNCLEAR"));
    }
}
