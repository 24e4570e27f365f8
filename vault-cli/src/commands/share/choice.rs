//! Which records are shared: the options that make a scope.

use std::collections::BTreeSet;

use clap::Args;
use vault_core::{Category, ClinicalDate, Code, Kind, Label, Preset, RecordId, Scope};

use crate::error::{Error, Result};
use crate::time;
use vault_app::Ids;

/// Which records.
#[derive(Args)]
pub struct Choice {
    /// Records, by their ids or the beginnings of them
    #[arg(value_name = "RECORD")]
    records: Vec<String>,

    /// FHIR resource type or `Document`; may be repeated
    #[arg(long, value_name = "KIND")]
    kind: Vec<Kind>,

    /// Category, such as lab or imaging; may be repeated
    #[arg(long, value_name = "CATEGORY")]
    category: Vec<Category>,

    /// Code, such as 4548-4 or loinc|4548-4; may be repeated
    #[arg(long, value_name = "CODE")]
    code: Vec<Code>,

    /// A scope with a name, such as emergency or labs-2y: `medvault scope list` explains them.
    /// Other conditions add to what it selects, or narrow it
    #[arg(long, value_name = "NAME")]
    scope: Option<Preset>,

    /// Every record, as far as the other conditions allow
    #[arg(long)]
    all: bool,

    /// Earliest clinical date
    #[arg(long, value_name = "DATE")]
    since: Option<ClinicalDate>,

    /// Latest clinical date
    #[arg(long, value_name = "DATE")]
    until_date: Option<ClinicalDate>,

    /// Let records with this sensitive label in; may be repeated
    #[arg(long, value_name = "LABEL")]
    with_label: Vec<Label>,

    /// Keep records with this label out, whatever else holds; may be repeated
    #[arg(long, value_name = "LABEL")]
    without_label: Vec<Label>,
}

impl Choice {
    /// The scope that they make.
    pub fn scope(&self, ids: &Ids) -> Result<Scope> {
        let records: Result<BTreeSet<RecordId>> = self
            .records
            .iter()
            .map(|text| ids.find(text, "record", "record list"))
            .collect();
        let mut scope = match self.scope {
            Some(preset) => preset.scope(&time::today()?),
            None => Scope::default(),
        };
        scope.all |= self.all;
        scope.records.extend(records?);
        scope.kinds.extend(self.kind.iter().cloned());
        scope.categories.extend(self.category.iter().copied());
        scope.codes.extend(self.code.iter().cloned());
        scope.with_labels.extend(self.with_label.iter().cloned());
        scope
            .without_labels
            .extend(self.without_label.iter().cloned());
        if self.since.is_some() {
            scope.since.clone_from(&self.since);
        }
        if self.until_date.is_some() {
            scope.until.clone_from(&self.until_date);
        }
        if scope.is_empty() {
            return Err(Error::usage("nothing is named that is to be shared")
                .hint("name records, --scope, --kind, --category, --code or --all"));
        }
        Ok(scope)
    }
}
