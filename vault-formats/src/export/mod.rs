//! Records written for other programs: FHIR collections, bulk NDJSON, patient summaries.
//!
//! [`Collection`] and [`Bulk`] write every record as it is, one after the other; [`ips`] makes the
//! document that a clinic abroad wants to see; [`FileNames`] names the files of an export.

mod bulk;
mod collection;
#[cfg(test)]
mod hostile_tests;
mod ips;
mod ips_kept;
mod ips_sections;
mod links;
mod minify;
mod names;
mod r4;
mod r4_clinical;
mod r4_elements;
mod r4_narrative;
mod r4_old;
mod r4_parts;

use serde::{Serialize, Serializer};
use serde_json::Value;
use vault_core::{RecordId, RecordMeta};

pub use bulk::{Bulk, Folder};
pub use collection::Collection;
pub use ips::{IpsDocument, IpsOptions, ips};
pub use minify::{NotJson, minify};
pub use names::{FileNames, file_name};

/// One FHIR resource of a vault: the newest version of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// The record that holds it.
    pub record: RecordId,
    /// Its summary.
    pub meta: RecordMeta,
    /// The resource, of any release of FHIR.
    pub json: Value,
}

/// A record, or a part of one, that could not be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The record.
    #[serde(serialize_with = "id")]
    pub record: RecordId,
    /// What was left out or why, for people.
    pub what: String,
}

fn id<S: Serializer>(id: &RecordId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}
