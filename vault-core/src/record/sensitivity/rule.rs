//! One rule, and its text form.

use std::fmt;
use std::str::FromStr;

use super::systems::plain;
use crate::record::{Code, Label};

/// A text that is not a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a sensitivity rule: `icd10|F32* = PSY`, for example, is expected")]
pub struct ParseRuleError;

/// Which codes of a system a rule is about; ICD codes without their point, all in upper case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    Exactly(String),
    Prefix(String),
    /// From the first to the last, with all that begins like them.
    Range(String, String),
    /// `?` is any one character; when it is open, more may follow.
    Mask {
        mask: String,
        open: bool,
    },
}

/// One rule: codes of one system give a label.
///
/// Written `SYSTEM|CODE = LABEL`, `SYSTEM|PREFIX* = LABEL` or `SYSTEM|FIRST..LAST = LABEL`; after a `#`
/// there may be a sentence about it. In a code or a prefix, `?` stands for exactly one character:
/// `icd10cm|T39.??2* = PSY` is about the sixth one, for the point of an ICD code does not count.
/// `icd10` stands for its national modifications, too, `icd10pcs` for every name of ICD-10-PCS, and an
/// empty system for any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensitivityRule {
    pub(super) system: String,
    pub(super) pattern: Pattern,
    written: String,
    label: Label,
    why: String,
}

impl SensitivityRule {
    pub(super) fn new(system: &str, pattern: &str, label: Label, why: &str) -> Option<Self> {
        // whatever stands for a code must be one
        let checked = |code: &str| Code::from_coding(Some(system), code);
        let (first, last) = match pattern.split_once("..") {
            Some((first, last)) => (first.trim(), Some(last.trim())),
            None => (pattern.trim(), None),
        };
        let prefix = first.strip_suffix('*');
        let code = checked(prefix.unwrap_or(first))?;
        let own = code.system();
        let plain = |code: &Code| plain(own, code.code());
        let masked = first.contains('?');
        // something of a code has to be named
        if masked && !first.chars().any(char::is_alphanumeric) {
            return None;
        }
        let pattern = match (last, prefix) {
            (Some(_), Some(_)) => return None,
            (Some(last), None) if masked || last.contains('?') => return None,
            (Some(last), None) => {
                let last = checked(last).filter(|last| plain(last) >= plain(&code))?;
                Pattern::Range(plain(&code), plain(&last))
            }
            (None, prefix) if masked => Pattern::Mask {
                mask: plain(&code),
                open: prefix.is_some(),
            },
            (None, Some(_)) => Pattern::Prefix(plain(&code)),
            (None, None) => Pattern::Exactly(plain(&code)),
        };
        let written = match last {
            Some(last) => format!("{first}..{last}"),
            None => first.to_owned(),
        };
        Some(Self {
            system: own.to_owned(),
            pattern,
            written,
            label,
            why: crate::record::clean_title(why),
        })
    }

    /// The label that it gives.
    pub const fn label(&self) -> &Label {
        &self.label
    }

    /// A sentence about what its codes mean; empty for a rule that came without.
    pub fn explanation(&self) -> &str {
        &self.why
    }

    /// Whether a code, as [`plain`] writes it, is one of those that it is about.
    pub(super) fn hits(&self, code: &str) -> bool {
        match &self.pattern {
            Pattern::Exactly(exactly) => code == exactly,
            Pattern::Prefix(prefix) => code.starts_with(prefix.as_str()),
            Pattern::Range(first, last) => {
                let head = |len: usize| code.get(..len).unwrap_or(code);
                head(first.len()) >= first.as_str() && head(last.len()) <= last.as_str()
            }
            Pattern::Mask { mask, open } => {
                let mut rest = code.chars();
                mask.chars()
                    .all(|wanted| rest.next().is_some_and(|c| wanted == '?' || wanted == c))
                    && (*open || rest.next().is_none())
            }
        }
    }
}

impl fmt::Display for SensitivityRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{} = {}", self.system, self.written, self.label)
    }
}

impl FromStr for SensitivityRule {
    type Err = ParseRuleError;

    fn from_str(text: &str) -> Result<Self, ParseRuleError> {
        let (rule, why) = text.split_once(" #").unwrap_or((text, ""));
        let (codes, label) = rule.rsplit_once('=').ok_or(ParseRuleError)?;
        let label = Label::new(label.trim()).map_err(|_| ParseRuleError)?;
        let (system, pattern) = codes.trim().rsplit_once('|').ok_or(ParseRuleError)?;
        Self::new(system, pattern, label, why).ok_or(ParseRuleError)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hits(rule: &str, code: &str) -> bool {
        let rule: SensitivityRule = rule.parse().unwrap();
        rule.hits(&plain(&rule.system, code))
    }

    #[test]
    fn one_position_of_a_code() {
        for (rule, code, expected) in [
            ("icd10cm|T39.?X2* = PSY", "T39.1X2A", true),
            ("icd10cm|T39.?X2* = PSY", "T391X2A", true),
            ("icd10cm|T39.?X2* = PSY", "t39.0x2", true),
            ("icd10cm|T39.?X2* = PSY", "T39.1X1A", false),
            ("icd10cm|T39.?X2* = PSY", "T39.1X", false),
            ("icd10cm|T39.?X2 = PSY", "T39.1X2", true),
            ("icd10cm|T39.?X2 = PSY", "T39.1X2A", false),
            ("snomed|1?3 = PSY", "1\u{e9}3", true),
            ("snomed|1?3 = PSY", "13", false),
        ] {
            assert_eq!(hits(rule, code), expected, "{rule} {code}");
        }
        for bad in [
            "icd10|? = ETH",
            "icd10|???* = ETH",
            "icd10|F1?..F19 = ETH",
            "icd10|F10..F1? = ETH",
        ] {
            assert_eq!(bad.parse::<SensitivityRule>(), Err(ParseRuleError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_text_form_says_all(text in "[a-z0-9]{0,6}\\|[A-F0-9.?*\u{e9}]{0,9} ?= ?[A-Z]{0,4}", code in "\\PC{0,9}") {
            if let Ok(rule) = text.parse::<SensitivityRule>() {
                let again: SensitivityRule = rule.to_string().parse().unwrap();
                prop_assert_eq!(&again, &rule);
                prop_assert_eq!(again.hits(&code), rule.hits(&code));
            }
        }

        #[test]
        fn odd_texts_never_panic(text in "[\\PC|=?*.# ]{0,40}") {
            let _ = text.parse::<SensitivityRule>();
        }
    }
}
