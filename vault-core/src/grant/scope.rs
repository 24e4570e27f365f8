//! A grant's scope: a predicate over what the index says of a record.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::RecordId;
use crate::record::{Category, ClinicalDate, Code, Kind, Label, RecordMeta};

/// Which records a grant opens. All conditions must hold; within `records`, `kinds`, `categories`
/// and `codes` together one match is enough, and a scope with none of them and without `all`
/// selects nothing.
///
/// Records with a sensitive label stay out unless the label is named in `with_labels` or the record
/// itself is named in `records`. A record that was derived from another is decided by itself, like
/// any: its original may stay out, and may come in without it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Every record, as far as the other conditions allow.
    #[serde(default)]
    pub all: bool,
    /// Records by id.
    #[serde(default)]
    pub records: BTreeSet<RecordId>,
    /// FHIR resource types or document kinds.
    #[serde(default)]
    pub kinds: BTreeSet<Kind>,
    /// Categories.
    #[serde(default)]
    pub categories: BTreeSet<Category>,
    /// Codes of what a record is about; one without a system stands for the code in any.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub codes: BTreeSet<Code>,
    /// Earliest clinical date. Records without a date stay out when a date is asked for.
    #[serde(default)]
    pub since: Option<ClinicalDate>,
    /// Latest clinical date.
    #[serde(default)]
    pub until: Option<ClinicalDate>,
    /// Sensitive labels that may be read.
    #[serde(default)]
    pub with_labels: BTreeSet<Label>,
    /// Labels that must not be read, whatever else holds.
    #[serde(default)]
    pub without_labels: BTreeSet<Label>,
}

/// Why a record is not in a scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Not one of the records, kinds, categories or codes asked for.
    NotSelected,
    /// Outside the dates asked for.
    Date,
    /// Dates were asked for and the record has none.
    Undated,
    /// Carries a label that was excluded.
    Excluded(Label),
    /// Carries a sensitive label that was not named.
    Sensitive(Label),
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotSelected => f.write_str("not selected"),
            Self::Date => f.write_str("outside the dates"),
            Self::Undated => f.write_str("has no date"),
            Self::Excluded(label) => write!(f, "label {label} is excluded"),
            Self::Sensitive(label) => write!(f, "sensitive label {label} is not named"),
        }
    }
}

/// Whether a record is in a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is.
    Included,
    /// It is not.
    Left(Reason),
}

impl Scope {
    /// Whether the scope names nothing at all.
    pub fn is_empty(&self) -> bool {
        !self.all
            && self.records.is_empty()
            && self.kinds.is_empty()
            && self.categories.is_empty()
            && self.codes.is_empty()
    }

    /// Decides over one record.
    pub fn decide(&self, record: &RecordId, meta: &RecordMeta) -> Decision {
        match self.reason_against(record, meta) {
            None => Decision::Included,
            Some(reason) => Decision::Left(reason),
        }
    }

    /// Whether the record is in the scope.
    pub fn includes(&self, record: &RecordId, meta: &RecordMeta) -> bool {
        self.reason_against(record, meta).is_none()
    }

    fn reason_against(&self, record: &RecordId, meta: &RecordMeta) -> Option<Reason> {
        let named = self.records.contains(record);
        let selected = self.all
            || named
            || self.kinds.contains(&meta.kind)
            || self.categories.contains(&meta.category)
            || self.is_about(&meta.codes);
        if !selected {
            return Some(Reason::NotSelected);
        }
        if let Some(label) = meta
            .labels
            .iter()
            .find(|label| self.without_labels.contains(label))
        {
            return Some(Reason::Excluded(label.clone()));
        }
        let unnamed = |label: &&Label| label.is_sensitive() && !self.with_labels.contains(label);
        if !named && let Some(label) = meta.labels.iter().find(unnamed) {
            return Some(Reason::Sensitive(label.clone()));
        }
        if self.since.is_none() && self.until.is_none() {
            return None;
        }
        match &meta.date {
            None => Some(Reason::Undated),
            Some(date) if date.is_within(self.since.as_ref(), self.until.as_ref()) => None,
            Some(_) => Some(Reason::Date),
        }
    }

    fn is_about(&self, codes: &BTreeSet<Code>) -> bool {
        let asked_for = |code: &Code| self.codes.iter().any(|wanted| code.matches(wanted));
        codes.iter().any(asked_for)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};

    fn meta(category: Category, labels: &[&str], date: Option<&str>) -> RecordMeta {
        RecordMeta {
            kind: "Observation".parse().unwrap(),
            category,
            date: date.map(|d| d.parse().unwrap()),
            title: String::new(),
            labels: labels.iter().map(|l| l.parse().unwrap()).collect(),
            media_type: String::new(),
            source_id: None,
            ..RecordMeta::default()
        }
    }

    #[test]
    fn sensitive_records_must_be_named() {
        let id = RecordId::random();
        let hiv = meta(Category::Lab, &["HIV"], None);
        let all = Scope {
            all: true,
            ..Scope::default()
        };
        let label: Label = "HIV".parse().unwrap();
        assert_eq!(
            all.decide(&id, &hiv),
            Decision::Left(Reason::Sensitive(label.clone()))
        );
        let named = Scope {
            with_labels: [label.clone()].into(),
            ..all.clone()
        };
        assert!(named.includes(&id, &hiv));
        let by_id = Scope {
            records: [id].into(),
            ..Scope::default()
        };
        assert!(by_id.includes(&id, &hiv));
        let never = Scope {
            without_labels: [label.clone()].into(),
            ..named
        };
        assert_eq!(
            never.decide(&id, &hiv),
            Decision::Left(Reason::Excluded(label))
        );
    }

    #[test]
    fn dates_and_shelves() {
        let id = RecordId::random();
        let labs = Scope {
            categories: [Category::Lab].into(),
            since: Some("2020".parse().unwrap()),
            ..Scope::default()
        };
        assert!(labs.includes(&id, &meta(Category::Lab, &[], Some("2021-05-01"))));
        assert_eq!(
            labs.decide(&id, &meta(Category::Lab, &[], None)),
            Decision::Left(Reason::Undated)
        );
        assert_eq!(
            labs.decide(&id, &meta(Category::Lab, &[], Some("2019-12-31"))),
            Decision::Left(Reason::Date)
        );
        assert_eq!(
            labs.decide(&id, &meta(Category::Note, &[], Some("2021"))),
            Decision::Left(Reason::NotSelected)
        );
        assert!(!Scope::default().includes(&id, &meta(Category::Lab, &[], None)));
        assert!(Scope::default().is_empty());
    }

    #[test]
    fn codes_select_like_kinds_do() {
        let id = RecordId::random();
        let about = |codes: &[&str], labels: &[&str]| RecordMeta {
            codes: codes.iter().map(|code| code.parse().unwrap()).collect(),
            ..meta(Category::Lab, labels, None)
        };
        let scope = |code: &str| Scope {
            codes: [code.parse().unwrap()].into(),
            ..Scope::default()
        };
        let result = about(&["loinc|4548-4", "1.2.3|HbA1c"], &[]);
        for (code, hit) in [
            ("loinc|4548-4", true),
            ("4548-4", true),
            ("1.2.3|hba1c", true),
            ("snomed|4548-4", false),
            ("loinc|4548", false),
        ] {
            assert_eq!(scope(code).includes(&id, &result), hit, "{code}");
        }
        assert!(!scope("4548-4").is_empty());
        assert!(!scope("4548-4").includes(&id, &about(&[], &[])));
        assert!(!scope("4548-4").includes(&id, &about(&["loinc|4548-4"], &["HIV"])));
        // what it was derived from plays no part
        let derived = RecordMeta {
            origin: Some(RecordId::random()),
            ..result
        };
        assert!(scope("4548-4").includes(&id, &derived));
    }

    #[test]
    fn scopes_without_codes_keep_their_bytes() {
        let old = Scope {
            all: true,
            ..Scope::default()
        };
        let bytes = encode(&old);
        assert!(!bytes.windows(5).any(|window| window == b"codes"));
        assert_eq!(decode::<Scope>(&bytes, 1000), Ok(old.clone()));
        let new = Scope {
            codes: ["loinc|4548-4".parse().unwrap()].into(),
            ..old
        };
        assert_eq!(decode::<Scope>(&encode(&new), 1000), Ok(new));
    }
}
