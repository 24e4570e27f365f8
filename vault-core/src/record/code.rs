//! Codes of terminologies: what a record is about, in a form that any system understands.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that cannot be a code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a code: for example 4548-4, loinc|4548-4 or http://loinc.org|4548-4 is expected")]
pub struct ParseCodeError;

/// Well-known code systems: short name, FHIR URI, OID, and the abbreviations of HL7 v2 table 0396.
///
/// Sources: HL7 Terminology, FHIR R4 "Using Codes", HL7 v2.5.1 table 0396.
const SYSTEMS: &[(&str, &str, &str, &[&str])] = &[
    (
        "loinc",
        "http://loinc.org",
        "2.16.840.1.113883.6.1",
        &["LN"],
    ),
    (
        "snomed",
        "http://snomed.info/sct",
        "2.16.840.1.113883.6.96",
        &["SCT", "SNM", "SNOMED", "SNOMED-CT"],
    ),
    (
        "rxnorm",
        "http://www.nlm.nih.gov/research/umls/rxnorm",
        "2.16.840.1.113883.6.88",
        &["RXNORM"],
    ),
    (
        "cvx",
        "http://hl7.org/fhir/sid/cvx",
        "2.16.840.1.113883.12.292",
        &["CVX"],
    ),
    (
        "mvx",
        "http://hl7.org/fhir/sid/mvx",
        "2.16.840.1.113883.12.227",
        &["MVX"],
    ),
    (
        "ndc",
        "http://hl7.org/fhir/sid/ndc",
        "2.16.840.1.113883.6.69",
        &["NDC"],
    ),
    (
        "icd10cm",
        "http://hl7.org/fhir/sid/icd-10-cm",
        "2.16.840.1.113883.6.90",
        &["I10C", "ICD-10-CM", "ICD10CM"],
    ),
    (
        "icd10",
        "http://hl7.org/fhir/sid/icd-10",
        "2.16.840.1.113883.6.3",
        &["I10", "ICD-10"],
    ),
    (
        "icd9cm",
        "http://hl7.org/fhir/sid/icd-9-cm",
        "2.16.840.1.113883.6.103",
        &["I9", "I9C", "I9CDX", "ICD9"],
    ),
    (
        "icd11",
        "http://id.who.int/icd/release/11/mms",
        "2.16.840.1.113883.6.347",
        &[],
    ),
    (
        "cpt",
        "http://www.ama-assn.org/go/cpt",
        "2.16.840.1.113883.6.12",
        &["C4", "CPT"],
    ),
    (
        "hcpcs",
        "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
        "2.16.840.1.113883.6.285",
        &["HCPCS"],
    ),
    (
        "atc",
        "http://www.whocc.no/atc",
        "2.16.840.1.113883.6.73",
        &["ATC"],
    ),
    (
        "unii",
        "http://fdasis.nlm.nih.gov",
        "2.16.840.1.113883.4.9",
        &["UNII"],
    ),
    (
        "dcm",
        "http://dicom.nema.org/resources/ontology/DCM",
        "1.2.840.10008.2.16.4",
        &["DCM"],
    ),
];

/// A code and the system it belongs to.
///
/// Written `SYSTEM|CODE`. A well-known system goes by its short name (`loinc`, `snomed`, `rxnorm`,
/// `cvx`, `icd10cm`, …), any other by its URI or OID; a code of no known system begins with `|`.
/// Codes are compared as written, systems by identity, whichever of their names was given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(String);

impl Code {
    /// Longest code with its system, in bytes.
    pub const MAX_LEN: usize = 128;

    /// The code of a coding: `system` is a FHIR URI, an OID (also as `urn:oid:…`), an abbreviation
    /// of HL7 v2, or nothing. `None` when there is no code that can be kept.
    pub fn from_coding(system: Option<&str>, code: &str) -> Option<Self> {
        let system = system.map_or("", str::trim);
        let text = format!("{}|{}", short_name(system), code.trim());
        Self::checked(&text)
    }

    fn checked(text: &str) -> Option<Self> {
        let (system, code) = text.split_once('|')?;
        let plain = |c: char| !c.is_control() && !c.is_whitespace() && c != '|';
        let well_formed = !code.is_empty()
            && text.len() <= Self::MAX_LEN
            && system.chars().all(plain)
            // a code may have single spaces inside (FHIR R4, data type code)
            && code.chars().all(|c| plain(c) || c == ' ')
            && !code.contains("  ")
            && code.trim() == code
            && super::clean(text, Self::MAX_LEN) == text;
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The system's short name, URI or OID; empty when it is not known.
    pub fn system(&self) -> &str {
        self.0.split_once('|').map_or("", |(system, _)| system)
    }

    /// The code itself.
    pub fn code(&self) -> &str {
        self.0.split_once('|').map_or("", |(_, code)| code)
    }

    /// The system as FHIR names it: a URI, or nothing.
    pub fn system_uri(&self) -> Option<String> {
        let system = self.system();
        let known = SYSTEMS.iter().find(|(short, ..)| *short == system);
        match known {
            Some((_, uri, ..)) => Some((*uri).to_owned()),
            None if system.is_empty() => None,
            None if is_oid(system) => Some(format!("urn:oid:{system}")),
            None => Some(system.to_owned()),
        }
    }

    /// Whether it is of a system that goes by a short name.
    pub(super) fn is_well_known(&self) -> bool {
        let system = self.system();
        SYSTEMS.iter().any(|(short, ..)| *short == system)
    }

    /// Whether this code is the one asked for. One without a system stands for the code in any.
    pub fn matches(&self, wanted: &Self) -> bool {
        self.code().eq_ignore_ascii_case(wanted.code())
            && (wanted.system().is_empty() || wanted.system() == self.system())
    }

    /// `SYSTEM|CODE`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_oid(text: &str) -> bool {
    text.contains('.') && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

pub(super) fn short_name(system: &str) -> &str {
    let plain = system.strip_prefix("urn:oid:").unwrap_or(system);
    let uri = plain.trim_end_matches('/');
    let known = SYSTEMS.iter().find(|(short, name, oid, others)| {
        *oid == plain
            || *name == uri
            || short.eq_ignore_ascii_case(plain)
            || others.iter().any(|other| other.eq_ignore_ascii_case(plain))
    });
    known.map_or(plain, |(short, ..)| short)
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Code {
    type Err = ParseCodeError;

    fn from_str(text: &str) -> Result<Self, ParseCodeError> {
        let (system, code) = text.rsplit_once('|').unwrap_or(("", text));
        Self::from_coding(Some(system), code).ok_or(ParseCodeError)
    }
}

impl TryFrom<String> for Code {
    type Error = ParseCodeError;

    fn try_from(text: String) -> Result<Self, ParseCodeError> {
        // one spelling for a code, so that encodings stay canonical
        match text.parse::<Self>() {
            Ok(code) if code.0 == text => Ok(code),
            _ => Err(ParseCodeError),
        }
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_system_is_the_same_system() {
        for system in [
            "http://loinc.org",
            "http://loinc.org/",
            "2.16.840.1.113883.6.1",
            "urn:oid:2.16.840.1.113883.6.1",
            "LN",
            "loinc",
        ] {
            let code = Code::from_coding(Some(system), "4548-4").unwrap();
            assert_eq!(code.as_str(), "loinc|4548-4", "{system}");
            assert_eq!(code.system_uri().unwrap(), "http://loinc.org");
        }
        let local = Code::from_coding(Some("urn:oid:1.2.3"), "x y").unwrap();
        assert_eq!(local.as_str(), "1.2.3|x y");
        assert_eq!(local.system_uri().unwrap(), "urn:oid:1.2.3");
        let bare = Code::from_coding(None, "718-7").unwrap();
        assert_eq!((bare.as_str(), bare.system_uri()), ("|718-7", None));
    }

    #[test]
    fn a_question_without_a_system_stands_for_any() {
        let stored: Code = "http://loinc.org|4548-4".parse().unwrap();
        for (wanted, hit) in [
            ("4548-4", true),
            ("loinc|4548-4", true),
            ("LN|4548-4", true),
            ("snomed|4548-4", false),
            ("4548", false),
        ] {
            assert_eq!(stored.matches(&wanted.parse().unwrap()), hit, "{wanted}");
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        let long = "1".repeat(200);
        for bad in [
            "",
            "loinc|",
            " ",
            "a  b",
            "a\u{7}b",
            "x|y\u{202e}",
            long.as_str(),
        ] {
            assert_eq!(bad.parse::<Code>(), Err(ParseCodeError), "{bad:?}");
        }
        // one spelling only, where bytes are compared
        assert!(serde_json::from_str::<Code>("\"http://loinc.org|1\"").is_err());
        assert!(serde_json::from_str::<Code>("\"loinc|1\"").is_ok());
    }

    #[test]
    fn names_of_systems_are_distinct() {
        let mut names: Vec<String> = Vec::new();
        for (short, uri, oid, others) in SYSTEMS {
            names.extend([*short, *uri, *oid].map(str::to_ascii_lowercase));
            let others = others.iter().map(|other| other.to_ascii_lowercase());
            names.extend(others.filter(|other| other != short));
        }
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
