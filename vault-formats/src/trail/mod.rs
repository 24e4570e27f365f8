//! The audit log for other systems: each entry as a FHIR R4 AuditEvent, and a Provenance where it
//! tells that records came into being.
//!
//! The log knows keys and ids; names of people come from whoever asks. Titles and contents of records
//! are not in it, and so are not here. The ids of the resources follow from the vault and the position
//! of an entry: the same log gives the same bytes.
//!
//! Sources: FHIR R4 (4.0.1), resources AuditEvent, Provenance and Bundle; DICOM PS3.15, annex A.5, and
//! PS3.16, CID 400 and 401; ISO 21089 lifecycle events in HL7 Terminology.

mod event;
mod kind;
mod provenance;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Write};

use serde_json::{Value, json};
use vault_core::{AuditEntry, Digest, PublicKey, RecordId, VaultId, VersionId};

use crate::Moment;
use crate::consent::{KEY, VAULT, logical};

const DEVICE: &str = "urn:medvault:device";
const DEPOSIT: &str = "urn:medvault:deposit";
const VERSION: &str = "urn:medvault:version";
/// SHA-256 over the ids of versions, in hexadecimal.
const VERSIONS: &str = "urn:medvault:versions-sha256";
const PINNER: &str = "urn:medvault:pinning-service";
const ACT: &str = "urn:medvault:act";
/// A place in a log: `VAULT/INDEX`.
const LOG_ENTRY: &str = "urn:medvault:log-entry";

/// Finds the name of whoever a key belongs to.
pub type Names<'a> = dyn Fn(&PublicKey) -> Option<String> + 'a;

/// Finds the record of a version.
pub type Records<'a> = dyn Fn(&VersionId) -> Option<RecordId> + 'a;

/// Renders the entries of one vault's log.
#[derive(Clone, Copy)]
pub struct Trail<'a> {
    vault: VaultId,
    patient: &'a str,
    names: &'a Names<'a>,
    records: Option<&'a Records<'a>>,
}

impl fmt::Debug for Trail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trail({})", self.vault)
    }
}

impl<'a> Trail<'a> {
    /// For the log of this vault. `patient` is the name to write for its owner; it may be empty.
    pub fn new(vault: VaultId, patient: &'a str, names: &'a Names<'a>) -> Self {
        Self {
            vault,
            patient,
            names,
            records: None,
        }
    }

    /// The same, which also names the records of the versions that were asked for. Without it the
    /// versions stand alone.
    #[must_use]
    pub fn with_records(self, records: &'a Records<'a>) -> Self {
        Self {
            records: Some(records),
            ..self
        }
    }

    /// One entry: an AuditEvent and, when records came into being, a Provenance.
    pub fn resources(&self, entry: &AuditEntry) -> Vec<Value> {
        let mut resources = vec![self.event(entry)];
        resources.extend(self.provenance(entry));
        resources
    }

    /// Entries as a Bundle of type `collection`, made at `when`. All of it is in memory: for a long log
    /// use [`Trail::write_lines`].
    pub fn bundle<'e>(
        &self,
        entries: impl IntoIterator<Item = &'e AuditEntry>,
        when: Moment,
    ) -> Value {
        let resources = entries.into_iter().flat_map(|entry| self.resources(entry));
        let entries: Vec<Value> = resources
            .map(|resource| json!({"fullUrl": full_url(&resource), "resource": resource}))
            .collect();
        let mut bundle = json!({
            "resourceType": "Bundle",
            "type": "collection",
            "timestamp": when.instant(),
        });
        if !entries.is_empty() {
            bundle["entry"] = json!(entries);
        }
        bundle
    }

    /// Entries as lines of NDJSON, one resource each, without the line ends. Only one entry is in
    /// memory at a time. Errors of the entries are passed on.
    pub fn lines<'t, E>(
        &'t self,
        entries: impl IntoIterator<Item = Result<AuditEntry, E>> + 't,
    ) -> impl Iterator<Item = Result<String, E>> + 't
    where
        E: 't,
    {
        entries.into_iter().flat_map(|entry| {
            let lines: Vec<Result<String, E>> = match entry {
                Ok(entry) => {
                    let resources = self.resources(&entry).into_iter();
                    resources.map(|resource| Ok(resource.to_string())).collect()
                }
                Err(error) => vec![Err(error)],
            };
            lines
        })
    }

    /// Writes [`Trail::lines`] and returns how many there were.
    ///
    /// # Errors
    /// Those of the entries and of `out`.
    pub fn write_lines<E: From<io::Error>>(
        &self,
        entries: impl IntoIterator<Item = Result<AuditEntry, E>>,
        out: &mut dyn Write,
    ) -> Result<u64, E> {
        let mut count = 0;
        for entry in entries {
            for resource in self.resources(&entry?) {
                serde_json::to_writer(&mut *out, &resource).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// The id of a resource of this kind for an entry: at most 64 characters.
    fn id(&self, prefix: &str, index: u64) -> String {
        let vault = self.vault.to_string();
        let short = vault.get(..16).unwrap_or(&vault);
        format!("medvault-{prefix}-{short}-{index}")
    }

    /// Whoever a key belongs to.
    fn person(&self, key: &PublicKey) -> Value {
        let name = (self.names)(key);
        logical(KEY, &key.to_string(), name.as_deref())
    }

    /// The owner of a vault; the name is known for the log's own only.
    fn patient(&self, vault: Option<VaultId>) -> Value {
        let vault = vault.unwrap_or(self.vault);
        let name = Some(self.patient).filter(|_| vault == self.vault);
        logical(VAULT, &vault.to_string(), name)
    }

    fn place(&self, index: u64) -> String {
        format!("{}/{index}", self.vault)
    }
}

/// A name that follows from the resource's type and id: a UUID of version 8 over SHA-256 (RFC 9562,
/// section 5.8).
fn full_url(resource: &Value) -> String {
    let text = |name: &str| resource[name].as_str().unwrap_or_default();
    let name = format!("{}/{}", text("resourceType"), text("id"));
    let digest = Digest::of(name.as_bytes());
    let mut id = [0; 16];
    id.iter_mut()
        .zip(digest.as_bytes())
        .for_each(|(to, from)| *to = *from);
    let mut number = u128::from_be_bytes(id);
    number = number & !(0xf << 76) | 8 << 76;
    number = number & !(0b11 << 62) | 0b10 << 62;
    let hex = format!("{number:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "urn:uuid:{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}
