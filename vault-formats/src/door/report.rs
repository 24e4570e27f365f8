//! What became of an import.

use std::collections::BTreeMap;

use vault_core::{RecordId, RecordMeta};

use super::Format;
use crate::{Person, SamePerson};

/// Most refusals, notes and other people that are kept one by one.
const MOST_KEPT: usize = 10_000;

/// Something that is said about a file or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The file, as the person named it; a member of an archive behind it.
    pub file: String,
    /// The place in it, if not all of it.
    pub at: Option<String>,
    /// What is to be said.
    pub what: String,
}

/// A file about somebody else than the vault's patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// The file.
    pub file: String,
    /// Whom it is about.
    pub person: Person,
    /// How much speaks against it.
    pub same: SamePerson,
}

/// Counts of one format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files, members of archives among them.
    pub files: u64,
    /// Originals that were added.
    pub added: u64,
    /// Records that were derived from them.
    pub derived: u64,
    /// Originals that were there already.
    pub known: u64,
    /// Files and parts that were refused.
    pub refused: u64,
}

/// What became of an import.
#[derive(Debug, Default)]
pub struct Report {
    /// By format.
    pub formats: BTreeMap<Format, Counts>,
    /// Every record that was added, derived ones among them.
    pub added: Vec<RecordId>,
    /// The summary of the first record that was added.
    pub first: Option<RecordMeta>,
    /// What was not taken, and why; the first 10,000.
    pub refused: Vec<Remark>,
    /// What was taken and not wholly understood; the first 10,000.
    pub notes: Vec<Remark>,
    /// Files about somebody else; the first 10,000.
    pub strangers: Vec<Stranger>,
}

impl Report {
    /// The sum over all formats.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for counts in self.formats.values() {
            total.files += counts.files;
            total.added += counts.added;
            total.derived += counts.derived;
            total.known += counts.known;
            total.refused += counts.refused;
        }
        total
    }

    /// Whether nothing at all was taken.
    pub fn is_empty(&self) -> bool {
        let total = self.total();
        total.added + total.derived + total.known == 0
    }

    pub(super) fn counts(&mut self, format: Format) -> &mut Counts {
        self.formats.entry(format).or_default()
    }

    pub(super) fn refuse(&mut self, format: Format, remark: Remark) {
        self.counts(format).refused += 1;
        if self.refused.len() < MOST_KEPT {
            self.refused.push(remark);
        }
    }

    pub(super) fn note(&mut self, remark: Remark) {
        if self.notes.len() < MOST_KEPT {
            self.notes.push(remark);
        }
    }

    pub(super) fn stranger(&mut self, stranger: Stranger) {
        if self.strangers.len() < MOST_KEPT && !self.strangers.contains(&stranger) {
            self.strangers.push(stranger);
        }
    }
}
