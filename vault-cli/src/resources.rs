//! The FHIR resources among records, opened one after the other.

use vault_core::record::FHIR_JSON;
use vault_core::{IndexEntry, RecordId};
use vault_formats::Resource;
use zeroize::Zeroizing;

use crate::commands::record::Records;
use crate::error::{Error, Exit, Result};

/// Whether a record is a FHIR resource in JSON.
pub fn is_resource(entry: &IndexEntry) -> bool {
    entry.meta.media_type == FHIR_JSON
}

/// Whether a resource says something about somebody's health: not about money, and not about other
/// records.
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

/// The text of each resource among `entries`, in their order.
fn texts<'a>(
    records: &'a dyn Records,
    entries: &'a [IndexEntry],
) -> impl Iterator<Item = Result<(&'a IndexEntry, Zeroizing<String>)>> {
    let open = records.opener();
    let resources = entries.iter().filter(|entry| is_resource(entry));
    resources.map(move |entry| {
        let mut bytes = Zeroizing::new(Vec::with_capacity(entry.len as usize));
        open(entry)?.copy_to(&mut *bytes)?;
        let text = String::from_utf8(std::mem::take(&mut *bytes)).map_err(|_| unreadable(entry))?;
        Ok((entry, Zeroizing::new(text)))
    })
}

/// Hands over the text of each resource among `entries`, in their order.
pub fn each_text(
    records: &dyn Records,
    entries: &[IndexEntry],
    mut take: impl FnMut(&IndexEntry, &str) -> Result<()>,
) -> Result<()> {
    texts(records, entries).try_for_each(|opened| {
        let (entry, text) = opened?;
        take(entry, text.trim_start_matches('\u{feff}'))
    })
}

/// The resources among `entries`, taken apart one after the other.
///
/// JSON that cannot be read (half of a surrogate pair, for example) says nothing to anybody; such
/// records go into `unreadable`, and the others are not kept from view by them.
pub fn opened<'a>(
    records: &'a dyn Records,
    entries: &'a [IndexEntry],
    unreadable: &'a mut Vec<RecordId>,
) -> impl Iterator<Item = Result<Resource>> {
    texts(records, entries).filter_map(|opened| {
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
