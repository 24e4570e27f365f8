//! Which records to show.

use clap::Args;
use vault_core::{Category, ClinicalDate, Code, IndexEntry, Kind, Label};

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
            && (self.code.is_empty()
                || (self.code.iter()).any(|wanted| meta.codes.iter().any(|c| c.matches(wanted))))
            && holds(&self.source, entry.source.iter().map(String::as_str))
            && holds(&self.author, meta.author.iter().map(String::as_str))
            && holds(
                &self.text,
                std::iter::once(&meta.title[..]).chain(meta.codes.iter().map(Code::as_str)),
            )
    }
}

/// Whether every wanted word is somewhere in the texts.
fn holds<'a>(wanted: &Option<String>, texts: impl Iterator<Item = &'a str>) -> bool {
    let Some(wanted) = wanted else { return true };
    let text = texts.collect::<Vec<_>>().join(" ").to_lowercase();
    let wanted = wanted.to_lowercase();
    wanted.split_whitespace().all(|word| text.contains(word))
}
