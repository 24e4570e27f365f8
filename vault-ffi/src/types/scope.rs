//! Which records a grant is over.

use vault_app::Result;
use vault_core::{ClinicalDate, Preset, Scope};

use super::record::{all, one, optional};
use crate::error::invalid;

/// Which records. Records with a sensitive label are in it only where `with_labels` names the label,
/// or `records` names the record.
#[derive(Debug, Clone, Default, PartialEq, Eq, uniffi::Record)]
pub struct ShareScope {
    /// Every record, as far as the labels allow.
    #[uniffi(default = false)]
    pub everything: bool,
    /// Records by id.
    #[uniffi(default)]
    pub records: Vec<String>,
    /// FHIR resource types, or `Document`.
    #[uniffi(default)]
    pub kinds: Vec<String>,
    /// Categories.
    #[uniffi(default)]
    pub categories: Vec<String>,
    /// Codes, with `SYSTEM|` or without.
    #[uniffi(default)]
    pub codes: Vec<String>,
    /// Earliest date, such as `2026-03`.
    #[uniffi(default)]
    pub since: Option<String>,
    /// Latest date.
    #[uniffi(default)]
    pub until: Option<String>,
    /// Sensitive labels that may be read.
    #[uniffi(default)]
    pub with_labels: Vec<String>,
    /// Labels that must not be read, whatever else holds.
    #[uniffi(default)]
    pub without_labels: Vec<String>,
    /// A scope that has a name: `emergency`, `medications`, `labs-2y`, `immunizations`, `imaging` or
    /// `everything-but-sensitive`. Nothing but labels may be given beside it.
    #[uniffi(default)]
    pub preset: Option<String>,
}

impl ShareScope {
    /// The scope as of `today`.
    pub(crate) fn parse(&self, today: &ClinicalDate) -> Result<Scope> {
        let labels = |scope: Scope| -> Result<Scope> {
            Ok(Scope {
                with_labels: all(&self.with_labels, "label")?,
                without_labels: all(&self.without_labels, "label")?,
                ..scope
            })
        };
        let chosen = Scope {
            all: self.everything,
            records: all(&self.records, "record id")?,
            kinds: all(&self.kinds, "kind")?,
            categories: all(&self.categories, "category")?,
            codes: all(&self.codes, "code")?,
            since: optional(self.since.as_deref(), "date")?,
            until: optional(self.until.as_deref(), "date")?,
            ..Scope::default()
        };
        let Some(name) = &self.preset else {
            return labels(chosen);
        };
        if chosen != Scope::default() {
            let what = "a preset says which records; leave the other choices away";
            return Err(invalid("not-understood", what));
        }
        labels(one::<Preset>(name, "preset")?.scope(today))
    }
}
