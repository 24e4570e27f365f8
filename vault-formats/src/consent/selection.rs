//! What a provision of a Consent selects, and which labels it is about.
//!
//! Items of a list that are not understood are left out of a permit: the rest selects less.

use std::collections::BTreeSet;

use serde_json::Value;
use vault_core::{Category, Code, Kind, Label, RecordId};

use super::names::{ANY_CODE, CATEGORY, KIND, LABEL, OWN_CODE, RECORD};
use super::read::{Notes, Unclear, items, text};

/// Which records a provision selects; one match is enough.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Selection {
    pub(super) kinds: BTreeSet<Kind>,
    pub(super) categories: BTreeSet<Category>,
    pub(super) codes: BTreeSet<Code>,
    pub(super) records: BTreeSet<RecordId>,
}

impl Selection {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it names nothing but records by their ids.
    pub(super) fn is_by_id(&self) -> bool {
        self.kinds.is_empty() && self.categories.is_empty() && self.codes.is_empty()
    }

    /// Codings of `class` (R4) or `resourceType` (R5).
    pub(super) fn classes(list: &Value, notes: &mut Notes) -> Self {
        let mut found = Self::default();
        for coding in items(list) {
            let (system, code) = system_and_code(coding);
            let kind = code.and_then(|code| Kind::new(code).ok());
            let category = code.and_then(|code| code.parse().ok());
            match (system, kind, category) {
                (CATEGORY, _, Some(category)) => {
                    found.categories.insert(category);
                }
                (
                    KIND | "http://hl7.org/fhir/resource-types" | "http://hl7.org/fhir/fhir-types",
                    Some(kind),
                    _,
                ) => {
                    found.kinds.insert(kind);
                }
                _ => notes.left_out("a class of records", code),
            }
        }
        found
    }

    /// CodeableConcepts of `code`. One without a system could mean anything and is left out.
    pub(super) fn codes(list: &Value, notes: &mut Notes) -> Self {
        let mut found = Self::default();
        for concept in items(list) {
            let before = found.codes.len();
            for coding in items(&concept["coding"]) {
                let (system, code) = system_and_code(coding);
                let code = code.and_then(|code| match system {
                    "" => None,
                    ANY_CODE => Code::from_coding(None, code),
                    OWN_CODE => code.parse().ok(),
                    system => Code::from_coding(Some(system), code),
                });
                // a coding without a system may have got none from `from_coding` either
                found.codes.extend(code);
            }
            if found.codes.len() == before {
                notes.left_out("a code", text(concept, "text"));
            }
        }
        found
    }

    /// Instances of `data`, by ids of ours.
    pub(super) fn data(list: &Value, notes: &mut Notes) -> Self {
        let mut found = Self::default();
        for data in items(list) {
            let reference = &data["reference"];
            let identifier = &reference["identifier"];
            let id = text(identifier, "value").and_then(|value| value.parse().ok());
            match (text(identifier, "system"), id) {
                (Some(RECORD), Some(id)) => {
                    if text(data, "meaning") != Some("instance") {
                        notes.warn("only the named records themselves, not what belongs to them");
                    }
                    found.records.insert(id);
                }
                _ => notes.left_out("a record", text(reference, "reference")),
            }
        }
        found
    }
}

/// A Coding's system, which may be empty, and its code.
pub(super) fn system_and_code(coding: &Value) -> (&str, Option<&str>) {
    let system = text(coding, "system").unwrap_or_default();
    (system.trim_end_matches('/'), text(coding, "code"))
}

/// Labels that are named one by one; every one must be understood.
pub(super) fn exact_labels(list: &Value) -> Result<BTreeSet<Label>, Unclear> {
    let mut labels = BTreeSet::new();
    for coding in items(list) {
        let (system, code) = system_and_code(coding);
        let known = system == LABEL || is_confidentiality(system) || is_act_code(system);
        let label = code.and_then(|code| Label::new(code).ok());
        match label.filter(|_| known) {
            Some(label) => labels.insert(label),
            None => return Err(Unclear::new("a security label", code)),
        };
    }
    Ok(labels)
}

/// The sensitive labels that are open under a permit with these security labels. In FHIR the code of a
/// confidentiality is a high-water mark, and any other label selects only what carries it: a scope
/// cannot do that.
pub(super) fn high_water(list: &Value) -> Result<BTreeSet<Label>, Unclear> {
    let mut lowest: Option<u8> = None;
    for coding in items(list) {
        let (system, code) = system_and_code(coding);
        let level = match code {
            Some("N") => 0,
            Some("R") => 1,
            Some("V") => 2,
            // records without a label are normal, and so above what is moderate or low
            _ => return Err(Unclear::new("a security label of a permit", code)),
        };
        if !is_confidentiality(system) {
            return Err(Unclear::new("a security label of a permit", code));
        }
        lowest = Some(lowest.map_or(level, |known| known.min(level)));
    }
    let level = lowest.unwrap_or(0);
    let levels = [(1, "R"), (2, "V")];
    let open = levels.into_iter().filter(|(of, _)| *of <= level);
    Ok(open.filter_map(|(_, code)| Label::new(code).ok()).collect())
}

fn is_confidentiality(system: &str) -> bool {
    system.ends_with("/v3-Confidentiality") || system.ends_with("/v3/Confidentiality")
}

fn is_act_code(system: &str) -> bool {
    system.ends_with("/v3-ActCode") || system.ends_with("/v3/ActCode")
}

#[cfg(test)]
mod tests {
    use super::super::names::{ACT_CODE, CONFIDENTIALITY};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_class_is_a_kind_or_a_category_of_ours() {
        let mut notes = Notes::default();
        let found = Selection::classes(
            &json!([
                {"system": "http://hl7.org/fhir/resource-types", "code": "Observation"},
                {"system": CATEGORY, "code": "lab"},
                {"system": "urn:ietf:bcp:13", "code": "application/hl7-cda+xml"},
                {"system": CATEGORY, "code": "weather"},
            ]),
            &mut notes,
        );
        assert_eq!(found.kinds, ["Observation".parse().unwrap()].into());
        assert_eq!(found.categories, [Category::Lab].into());
        assert_eq!(notes.into_warnings().len(), 2);
    }

    #[test]
    fn a_code_without_a_system_selects_nothing() {
        let mut notes = Notes::default();
        let concept = |system: &str| json!([{"coding": [{"system": system, "code": "4548-4"}]}]);
        let codes = |list: &Value, notes: &mut Notes| Selection::codes(list, notes).codes;
        assert!(codes(&json!([{"coding": [{"code": "4548-4"}]}]), &mut notes).is_empty());
        assert!(codes(&json!([{"text": "sugar"}]), &mut notes).is_empty());
        assert_eq!(
            codes(&concept("http://loinc.org"), &mut notes),
            ["loinc|4548-4".parse().unwrap()].into()
        );
        assert_eq!(
            codes(&concept(ANY_CODE), &mut notes),
            ["4548-4".parse().unwrap()].into()
        );
        assert_eq!(
            notes.into_warnings(),
            [
                "left out, not understood: a code",
                "left out, not understood: a code (sugar)"
            ]
        );
    }

    #[test]
    fn confidentiality_is_a_high_water_mark() {
        let marks = |codes: &[&str]| {
            let list: Vec<Value> = (codes.iter())
                .map(|code| json!({"system": CONFIDENTIALITY, "code": code}))
                .collect();
            let open = high_water(&json!(list)).ok()?;
            Some(open.iter().map(Label::to_string).collect::<Vec<_>>())
        };
        assert_eq!(marks(&["N"]), Some(vec![]));
        assert_eq!(marks(&["R"]), Some(vec!["R".to_owned()]));
        assert_eq!(marks(&["V"]), Some(vec!["R".to_owned(), "V".to_owned()]));
        assert_eq!(marks(&["V", "N"]), Some(vec![]));
        assert_eq!(marks(&["L"]), None);
        let hiv = json!([{"system": ACT_CODE, "code": "HIV"}]);
        assert!(high_water(&hiv).is_err());
        assert_eq!(exact_labels(&hiv).unwrap(), ["HIV".parse().unwrap()].into());
        assert!(exact_labels(&json!([{"code": "HIV"}])).is_err());
    }
}
