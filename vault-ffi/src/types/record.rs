//! Records, and what came of adding them.

use std::str::FromStr;

use vault_app::Result;
use vault_core::{IndexEntry, OpenRecord};

use crate::error::invalid;

/// A record, as a list shows it. Nothing of its content was fetched for this.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RecordSummary {
    /// The record: base32, 26 characters.
    pub id: String,
    /// Its newest version.
    pub version: String,
    /// FHIR resource type, or `Document`.
    pub kind: String,
    /// `lab`, `vitals`, `medication`, `immunization`, `condition`, `allergy`, `procedure`, `imaging`,
    /// `note`, `coverage`, `identity` or `other`.
    pub category: String,
    /// One line for people.
    pub title: String,
    /// When it happened, as far as the record says: `2026`, `2026-03` or `2026-03-14`.
    pub date: Option<String>,
    /// What it is about, `SYSTEM|CODE`.
    pub codes: Vec<String>,
    /// Security labels such as `PSY` or `HIV`.
    pub labels: Vec<String>,
    /// Whether a label keeps it out of scopes that do not name that label.
    pub sensitive: bool,
    /// Length of its content.
    pub bytes: u64,
    /// Media type of the content.
    pub media_type: String,
    /// When it was added, in seconds since 1970-01-01 UTC.
    pub added: u64,
    /// Who wrote, ordered or performed it, as the record says.
    pub author: Option<String>,
    /// The record that this one was derived from.
    pub origin: Option<String>,
    /// Whether the content opens with what is here. Otherwise a key has to be asked for, which the
    /// patient's log records and their terms may count.
    pub opens: bool,
}

impl From<&IndexEntry> for RecordSummary {
    fn from(entry: &IndexEntry) -> Self {
        let meta = &entry.meta;
        Self {
            id: entry.record.to_string(),
            version: entry.version.to_string(),
            kind: meta.kind.as_str().to_owned(),
            category: meta.category.to_string(),
            title: meta.title.clone(),
            date: meta.date.as_ref().map(ToString::to_string),
            codes: meta.codes.iter().map(ToString::to_string).collect(),
            labels: meta.labels.iter().map(ToString::to_string).collect(),
            sensitive: meta.is_sensitive(),
            bytes: entry.len,
            media_type: meta.media_type.clone(),
            added: entry.added,
            author: meta.author.clone(),
            origin: meta.origin.map(|origin| origin.to_string()),
            opens: entry.opens(),
        }
    }
}

/// One version of a record.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct VersionSummary {
    /// The version: base32.
    pub id: String,
    /// When it was added, in seconds since 1970-01-01 UTC.
    pub time: u64,
    /// Length of its content.
    pub bytes: u64,
    /// Who signed it: the vault's own name, or that of the contact who deposited it, where known.
    pub signed_by: String,
}

impl VersionSummary {
    pub(crate) fn new(entry: &IndexEntry, opened: &OpenRecord, signed_by: String) -> Self {
        Self {
            id: entry.version.to_string(),
            time: entry.added,
            bytes: opened.header().len,
            signed_by,
        }
    }
}

/// A record with its history.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RecordDetail {
    /// The newest version.
    pub summary: RecordSummary,
    /// Every version, oldest first.
    pub versions: Vec<VersionSummary>,
}

/// Which records. What is left away does not matter; within one list, one match is enough.
#[derive(Debug, Clone, Default, PartialEq, Eq, uniffi::Record)]
pub struct RecordFilter {
    /// FHIR resource types, or `Document`.
    #[uniffi(default)]
    pub kinds: Vec<String>,
    /// Categories.
    #[uniffi(default)]
    pub categories: Vec<String>,
    /// Codes, with `SYSTEM|` or without.
    #[uniffi(default)]
    pub codes: Vec<String>,
    /// Security labels.
    #[uniffi(default)]
    pub labels: Vec<String>,
    /// Words that all occur in the title or among the codes, in any case.
    #[uniffi(default)]
    pub text: Option<String>,
    /// Earliest date, such as `2026-03`.
    #[uniffi(default)]
    pub since: Option<String>,
    /// Latest date.
    #[uniffi(default)]
    pub until: Option<String>,
    /// How many of the matches to pass over.
    #[uniffi(default = 0)]
    pub offset: u32,
    /// At most so many; 0: all of them.
    #[uniffi(default = 0)]
    pub limit: u32,
}

impl RecordFilter {
    /// What the vault understands by it.
    pub(crate) fn parse(&self) -> Result<vault_app::RecordFilter> {
        Ok(vault_app::RecordFilter {
            kinds: all(&self.kinds, "kind")?,
            categories: all(&self.categories, "category")?,
            codes: all(&self.codes, "code")?,
            labels: all(&self.labels, "label")?,
            text: self.text.clone(),
            since: optional(self.since.as_deref(), "date")?,
            until: optional(self.until.as_deref(), "date")?,
            ..Default::default()
        })
    }

    /// The matches among `entries`, without those to be passed over.
    pub(crate) fn choose(&self, entries: Vec<IndexEntry>) -> Result<Vec<IndexEntry>> {
        let filter = self.parse()?;
        let limit = match self.limit {
            0 => usize::MAX,
            limit => limit as usize,
        };
        let matches = entries.into_iter().filter(|entry| filter.takes(entry));
        Ok(matches.skip(self.offset as usize).take(limit).collect())
    }
}

/// Reads every text of a list.
pub(crate) fn all<T: FromStr, C: FromIterator<T>>(texts: &[String], what: &str) -> Result<C>
where
    T::Err: std::fmt::Display,
{
    texts.iter().map(|text| one(text, what)).collect()
}

/// Reads a text that may be left away.
pub(crate) fn optional<T: FromStr>(text: Option<&str>, what: &str) -> Result<Option<T>>
where
    T::Err: std::fmt::Display,
{
    text.map(|text| one(text, what)).transpose()
}

/// Reads one text.
pub(crate) fn one<T: FromStr>(text: &str, what: &str) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error| invalid("not-understood", format!("not a {what}: {error}")))
}

/// What came of adding files.
#[derive(Debug, Clone, Default, PartialEq, Eq, uniffi::Record)]
pub struct AddReport {
    /// How many records were added.
    pub added: u64,
    /// How many of them were derived from a format that is not FHIR.
    pub derived: u64,
    /// How many contents were there already.
    pub known: u64,
    /// The records that were added.
    pub records: Vec<String>,
    /// What could not be taken.
    pub refused: Vec<Refusal>,
    /// What is odd about what was taken, for people.
    pub notes: Vec<String>,
}

/// Something that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Refusal {
    /// The file, as it was named.
    pub name: String,
    /// Why, for people.
    pub reason: String,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FileReport {
    /// Where it is.
    pub path: String,
    /// Its length; of a folder, the sum of its files.
    pub bytes: u64,
}

/// What came of putting a backup back.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RestoreReport {
    /// Number of the head afterwards.
    pub head: u64,
    /// Blocks that were put back.
    pub restored: u64,
    /// Blocks that were there.
    pub present: u64,
    /// Blocks that are still missing.
    pub missing: Vec<String>,
}

/// What an export is written as. None of them is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ExportForm {
    /// A folder with every original, byte for byte.
    Files,
    /// One FHIR collection bundle.
    Fhir,
    /// A folder of NDJSON files, one for each resource type.
    Ndjson,
    /// An International Patient Summary.
    Ips,
}
