//! The vault's own records.

use std::path::PathBuf;
use std::sync::Arc;

use vault_app::{Error, Result};
use vault_core::{IndexEntry, OpenRecord, RecordId, VaultError};

use super::Vault;
use crate::adding;
use crate::error::{MedVaultError, invalid};
use crate::files;
use crate::platform::ProgressListener;
use crate::types::{self, AddReport, RecordDetail, RecordFilter, RecordSummary, VersionSummary};
use crate::vault::copies::FileWork;
use crate::vault::writer::RecordWriter;
use crate::work::handle;

/// Longest content that is handed over in memory, in bytes. What is longer goes to a file.
pub(super) const MAX_IN_MEMORY: u64 = 64 << 20;

handle! {
    /// Files on their way into the vault.
    AddWork: [AddReport]
}

#[uniffi::export]
impl Vault {
    /// Adds content at hand as a file of that name: recognised by its content, so that a FHIR bundle
    /// becomes one record for each resource. For what is longer than some megabytes use
    /// [`Vault::add_file`] or [`Vault::add_stream`]: this one is copied on its way.
    pub async fn add(&self, content: Vec<u8>, name: String) -> Result<AddReport, MedVaultError> {
        let content = zeroize::Zeroizing::new(content);
        self.write(move |session, vault| adding::add_bytes(session, vault, &content, &name))
            .await
    }

    /// Adds a file, a zip archive, or a folder of files, which may be of any size: it is never in
    /// memory as a whole.
    #[uniffi::method(default(listener = None))]
    pub fn add_file(
        &self,
        path: String,
        listener: Option<Arc<dyn ProgressListener>>,
    ) -> Result<Arc<AddWork>, MedVaultError> {
        let job = self.begin(listener, move |session, control| {
            adding::add_path(session, PathBuf::from(path), control)
        })?;
        Ok(AddWork::of(job))
    }

    /// Adds content that comes piece by piece, as a file of that name.
    pub fn add_stream(&self, name: String) -> Result<Arc<RecordWriter>, MedVaultError> {
        Ok(RecordWriter::begin(self, &name)?)
    }

    /// The records that match, newest version of each, in the order in which they came.
    pub async fn records(&self, filter: RecordFilter) -> Result<Vec<RecordSummary>, MedVaultError> {
        self.read(move |_, vault| {
            let chosen = filter.choose(vault.records()?)?;
            Ok(chosen.iter().map(RecordSummary::from).collect())
        })
        .await
    }

    /// A record with its history.
    pub async fn record(&self, id: String) -> Result<RecordDetail, MedVaultError> {
        self.read(move |_, vault| {
            let record = types::id(&id, "record")?;
            let versions = vault.versions(&record)?;
            let newest = versions.last().ok_or(VaultError::NoRecord(record))?;
            let summary = RecordSummary::from(newest);
            let mut history = Vec::new();
            for entry in &versions {
                let opened = vault.open_record(entry)?;
                let author = opened.header().author;
                let signed_by = match author == *vault.device().signers().owner() {
                    true => vault.name().to_owned(),
                    false => vault
                        .depositor_name(&author)?
                        .unwrap_or_else(|| author.to_string()),
                };
                history.push(VersionSummary::new(entry, &opened, signed_by));
            }
            Ok(RecordDetail {
                summary,
                versions: history,
            })
        })
        .await
    }

    /// The content of a record's newest version, of at most 64 MiB; longer ones are `InvalidInput`
    /// with the code `too-long`, and go through [`Vault::content_to_file`] or in parts.
    pub async fn content(&self, id: String) -> Result<Vec<u8>, MedVaultError> {
        self.read(move |_, vault| in_memory(&open_newest(vault, &id)?))
            .await
    }

    /// Some of the content: from the byte `offset` on, at most `length` bytes and at most 64 MiB,
    /// fewer at the end. Reads only the blocks they lie in.
    pub async fn content_range(
        &self,
        id: String,
        offset: u64,
        length: u32,
    ) -> Result<Vec<u8>, MedVaultError> {
        self.read(move |_, vault| range(&open_newest(vault, &id)?, offset, length))
            .await
    }

    /// Writes the content into a new file, whole or not at all. Refused when something is there.
    #[uniffi::method(default(listener = None))]
    pub fn content_to_file(
        &self,
        id: String,
        path: String,
        listener: Option<Arc<dyn ProgressListener>>,
    ) -> Result<Arc<FileWork>, MedVaultError> {
        let job = self.begin(listener, move |session, control| {
            let opened = session.with_vault(|vault| open_newest(vault, &id))?;
            files::write_record(&opened, &PathBuf::from(path), control)
        })?;
        Ok(FileWork::of(job))
    }

    /// Adds a new version of a record: one of the same kind. Labels that the patient gave stay.
    pub async fn update(
        &self,
        id: String,
        content: Vec<u8>,
    ) -> Result<RecordSummary, MedVaultError> {
        let content = zeroize::Zeroizing::new(content);
        self.write(move |session, vault| {
            let record = types::id(&id, "record")?;
            let entry = newest(vault, &record)?;
            adding::update(session, vault, &entry, &content)?;
            Ok((&newest(vault, &record)?).into())
        })
        .await
    }

    /// Removes records with all their versions, from every grant too. The audit log keeps that it
    /// happened.
    pub async fn remove(&self, ids: Vec<String>) -> Result<(), MedVaultError> {
        self.write(move |_, vault| Ok(vault.remove_records(&types::ids(&ids, "record")?)?))
            .await
    }

    /// Gives records these security labels besides those they have, and takes others away. Grants
    /// follow at once; what was read before cannot be called back.
    pub async fn label(
        &self,
        ids: Vec<String>,
        add: Vec<String>,
        remove: Vec<String>,
    ) -> Result<(), MedVaultError> {
        self.write(move |_, vault| {
            adding::label(vault, &types::ids(&ids, "record")?, &add, &remove)
        })
        .await
    }
}

/// The newest version among `versions` of one record, or any one by its id.
pub(super) fn newest(vault: &mut vault_core::Vault, record: &RecordId) -> Result<IndexEntry> {
    let newest = vault.versions(record)?.pop();
    Ok(newest.ok_or(VaultError::NoRecord(*record))?)
}

fn open_newest(vault: &mut vault_core::Vault, record: &str) -> Result<OpenRecord> {
    let entry = newest(vault, &types::id(record, "record")?)?;
    Ok(vault.open_record(&entry)?)
}

/// All of a content, if it is not too long.
pub(super) fn in_memory(opened: &OpenRecord) -> Result<Vec<u8>> {
    let len = opened.header().len;
    if len > MAX_IN_MEMORY {
        return Err(too_long());
    }
    let mut content = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
    opened.copy_to(&mut content)?;
    Ok(content)
}

/// Part of a content.
pub(super) fn range(opened: &OpenRecord, offset: u64, length: u32) -> Result<Vec<u8>> {
    if u64::from(length) > MAX_IN_MEMORY {
        return Err(too_long());
    }
    Ok(opened.read_range(offset, length as usize)?.to_vec())
}

fn too_long() -> Error {
    invalid(
        "too-long",
        "more than 64 MiB at once; write it to a file, or take it in parts",
    )
}
