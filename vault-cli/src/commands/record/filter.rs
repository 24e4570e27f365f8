//! Which records to show.

use clap::Args;
use vault_core::{Category, ClinicalDate, IndexEntry, Kind, Label};

/// Conditions on records; all that are given must hold.
#[derive(Args, Default)]
pub struct Filter {
    /// FHIR resource type or `Document`; may be repeated
    #[arg(long, value_name = "KIND")]
    kind: Vec<Kind>,

    /// Category, such as lab or imaging; may be repeated
    #[arg(long, value_name = "CATEGORY")]
    category: Vec<Category>,

    /// Label, such as PSY or HIV; may be repeated
    #[arg(long, value_name = "LABEL")]
    label: Vec<Label>,

    /// Earliest clinical date: 2024, 2024-03 or 2024-03-09
    #[arg(long, value_name = "DATE")]
    since: Option<ClinicalDate>,

    /// Latest clinical date
    #[arg(long, value_name = "DATE")]
    until: Option<ClinicalDate>,

    /// Words in the title, in any case
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
}

impl Filter {
    /// Whether a record is to be shown.
    pub fn takes(&self, entry: &IndexEntry) -> bool {
        let meta = &entry.meta;
        let dated = self.since.is_some() || self.until.is_some();
        let in_time = meta
            .date
            .as_ref()
            .is_some_and(|date| date.overlaps(self.since.as_ref(), self.until.as_ref()));
        (self.kind.is_empty() || self.kind.contains(&meta.kind))
            && (self.category.is_empty() || self.category.contains(&meta.category))
            && (self.label.is_empty() || self.label.iter().any(|l| meta.labels.contains(l)))
            && (!dated || in_time)
            && self.text.as_ref().is_none_or(|text| {
                let title = meta.title.to_lowercase();
                text.to_lowercase()
                    .split_whitespace()
                    .all(|word| title.contains(word))
            })
    }
}
