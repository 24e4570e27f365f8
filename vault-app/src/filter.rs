//! Which records to show.

use vault_core::{Category, ClinicalDate, Code, IndexEntry, Kind, Label};

/// Which records. What is empty does not matter; within one list one match is enough.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordFilter {
    /// FHIR resource types, or `Document`.
    pub kinds: Vec<Kind>,
    /// Categories.
    pub categories: Vec<Category>,
    /// Security labels.
    pub labels: Vec<Label>,
    /// Codes of what a record is about.
    pub codes: Vec<Code>,
    /// Earliest clinical date. Records without a date stay out when a date is asked for.
    pub since: Option<ClinicalDate>,
    /// Latest clinical date.
    pub until: Option<ClinicalDate>,
    /// Words that all occur in the name of the file it came from.
    pub source: Option<String>,
    /// Words that all occur in the name of whoever wrote it.
    pub author: Option<String>,
    /// Words that all occur in the title or among the codes.
    pub text: Option<String>,
}

impl RecordFilter {
    /// Whether an entry is among them.
    pub fn takes(&self, entry: &IndexEntry) -> bool {
        let meta = &entry.meta;
        let dated = self.since.is_some() || self.until.is_some();
        let in_time = meta
            .date
            .as_ref()
            .is_some_and(|date| date.overlaps(self.since.as_ref(), self.until.as_ref()));
        (self.kinds.is_empty() || self.kinds.contains(&meta.kind))
            && (self.categories.is_empty() || self.categories.contains(&meta.category))
            && (self.labels.is_empty() || self.labels.iter().any(|l| meta.labels.contains(l)))
            && (!dated || in_time)
            && (self.codes.is_empty()
                || (self.codes.iter()).any(|wanted| meta.codes.iter().any(|c| c.matches(wanted))))
            && holds(&self.source, entry.source.iter().map(String::as_str))
            && holds(&self.author, meta.author.iter().map(String::as_str))
            && holds(
                &self.text,
                std::iter::once(&meta.title[..]).chain(meta.codes.iter().map(Code::as_str)),
            )
    }
}

/// Whether every word occurs somewhere, in any case.
fn holds<'a>(wanted: &Option<String>, texts: impl Iterator<Item = &'a str>) -> bool {
    let Some(wanted) = wanted else { return true };
    let text = texts.collect::<Vec<_>>().join(" ").to_lowercase();
    let wanted = wanted.to_lowercase();
    wanted.split_whitespace().all(|word| text.contains(word))
}
