//! The FHIR resources among records, opened one after the other.

use vault_core::record::FHIR_JSON;
use vault_core::{IndexEntry, OpenRecord, RecordId};
use vault_formats::Resource;
use zeroize::Zeroizing;

use crate::error::{Error, Exit, Result};

/// Whether a record is a FHIR resource in JSON.
pub fn is_resource(entry: &IndexEntry) -> bool {
    entry.meta.media_type == FHIR_JSON
}

/// Whether it is one that tells of the patient: not of bills, of bundles whose parts are records of
/// their own, or of who did what with a record.
pub fn is_clinical(entry: &IndexEntry) -> bool {
    let other = [
        "AuditEvent",
        "Bundle",
        "Claim",
        "ClaimResponse",
        "ExplanationOfBenefit",
        "Provenance",
    ];
    is_resource(entry) && !other.contains(&entry.meta.kind.as_str())
}

fn texts<'a>(
    mut open: impl FnMut(&IndexEntry) -> Result<OpenRecord> + 'a,
    entries: &'a [IndexEntry],
) -> impl Iterator<Item = Result<(&'a IndexEntry, Zeroizing<String>)>> {
    let resources = entries.iter().filter(|entry| is_resource(entry));
    resources.map(move |entry| {
        let mut bytes = Zeroizing::new(Vec::with_capacity(entry.len as usize));
        open(entry)?.copy_to(&mut *bytes)?;
        let text = String::from_utf8(std::mem::take(&mut *bytes)).map_err(|_| unreadable(entry))?;
        Ok((entry, Zeroizing::new(text)))
    })
}

/// Hands the text of every resource among `entries` to `take`, in their order; others are passed
/// over.
///
/// # Errors
/// What cannot be opened or is no text; what `take` returns.
pub fn each_text(
    open: impl FnMut(&IndexEntry) -> Result<OpenRecord>,
    entries: &[IndexEntry],
    mut take: impl FnMut(&IndexEntry, &str) -> Result<()>,
) -> Result<()> {
    texts(open, entries).try_for_each(|opened| {
        let (entry, text) = opened?;
        take(entry, text.trim_start_matches('\u{feff}'))
    })
}

/// Every resource among `entries`, parsed, in their order. Those that are no JSON go to `unreadable`.
pub fn opened<'a>(
    open: impl FnMut(&IndexEntry) -> Result<OpenRecord> + 'a,
    entries: &'a [IndexEntry],
    unreadable: &'a mut Vec<RecordId>,
) -> impl Iterator<Item = Result<Resource>> {
    texts(open, entries).filter_map(|opened| {
        let (entry, text) = match opened {
            Ok(opened) => opened,
            Err(error) => return Some(Err(error)),
        };
        let Ok(json) = serde_json::from_str(text.trim_start_matches('\u{feff}')) else {
            unreadable.push(entry.record);
            return None;
        };
        Some(Ok(Resource {
            record: entry.record,
            meta: entry.meta.clone(),
            json,
        }))
    })
}

fn unreadable(entry: &IndexEntry) -> Error {
    let what = format!("record {} is no FHIR resource", entry.record);
    Error::new(Exit::Integrity, "not-fhir", what)
        .hint("`medvault doctor --deep` checks every record")
}
