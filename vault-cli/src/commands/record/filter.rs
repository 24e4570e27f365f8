//! Which records to show.

use clap::Args;
use vault_app::RecordFilter;
use vault_core::{Category, ClinicalDate, Code, Kind, Label};

/// Conditions on records; all that are given must hold.
#[derive(Args)]
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

    /// Code, such as 4548-4 or loinc|4548-4; may be repeated
    #[arg(long, value_name = "CODE")]
    code: Vec<Code>,

    /// Earliest clinical date: 2024, 2024-03 or 2024-03-09
    #[arg(long, value_name = "DATE")]
    since: Option<ClinicalDate>,

    /// Latest clinical date
    #[arg(long, value_name = "DATE")]
    until: Option<ClinicalDate>,

    /// Words in the name of the file it came from, in any case
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,

    /// Words in the name of who wrote or ordered it, in any case
    #[arg(long, value_name = "TEXT")]
    author: Option<String>,

    /// Words in the title or among the codes, in any case
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
}

impl Filter {
    /// The conditions.
    pub fn conditions(&self) -> RecordFilter {
        RecordFilter {
            kinds: self.kind.clone(),
            categories: self.category.clone(),
            labels: self.label.clone(),
            codes: self.code.clone(),
            since: self.since.clone(),
            until: self.until.clone(),
            source: self.source.clone(),
            author: self.author.clone(),
            text: self.text.clone(),
        }
    }
}
