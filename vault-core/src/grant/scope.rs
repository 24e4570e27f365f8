//! A grant's scope: a predicate over what the index says of a record.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::RecordId;
use crate::record::{Category, ClinicalDate, Kind, Label, RecordMeta};

/// Which records a grant opens. All conditions must hold; within `records`, `kinds` and
/// `categories` together one match is enough, and a scope with none of them and without `all`
/// selects nothing.
///
/// Records with a sensitive label stay out unless the label is named in `with_labels` or the record
/// itself is named in `records`.
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
    /// Not one of the records, kinds or categories asked for.
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
        !self.all && self.records.is_empty() && self.kinds.is_empty() && self.categories.is_empty()
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
            || self.categories.contains(&meta.category);
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
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
