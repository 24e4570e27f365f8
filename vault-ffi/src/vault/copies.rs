//! Copies: backups, what is put back from them, and exports.

use std::path::PathBuf;
use std::sync::Arc;

use vault_app::export::{Exported, export_to};
use vault_app::{Error, Exit, Result};
use vault_core::CarReader;

use super::Vault;
use crate::error::MedVaultError;
use crate::files;
use crate::platform::ProgressListener;
use crate::types::{ExportForm, FileReport, RecordFilter, RestoreReport};
use crate::work::handle;

handle! {
    /// A file on its way to the disk: whole, or not there.
    FileWork: [FileReport]
}

handle! {
    /// A backup that is being put back.
    RestoreWork: [RestoreReport]
}

#[uniffi::export]
impl Vault {
    /// Writes the whole vault, encrypted as it is, into one new file (a CAR). With the 24 words it
    /// brings everything back.
    #[uniffi::method(default(listener = None))]
    pub fn backup(
        &self,
        path: String,
        listener: Option<Arc<dyn ProgressListener>>,
    ) -> Result<Arc<FileWork>, MedVaultError> {
        let job = self.begin(listener, move |session, control| {
            let mut vault = session.own_vault()?;
            files::write_archive(&PathBuf::from(path), control, || Ok(vault.backup()?))
        })?;
        Ok(FileWork::of(job))
    }

    /// Puts back what a backup of this vault has and the vault has lost. Nothing that is newer here is
    /// replaced.
    #[uniffi::method(default(listener = None))]
    pub fn restore(
        &self,
        path: String,
        listener: Option<Arc<dyn ProgressListener>>,
    ) -> Result<Arc<RestoreWork>, MedVaultError> {
        let job = self.begin(listener, move |session, control| {
            let path = PathBuf::from(path);
            let file = std::fs::File::open(&path).map_err(|error| Error::file(&path, &error))?;
            let total = file.metadata().map_or(0, |meta| meta.len());
            let input = files::interruptible(file, control);
            let car = CarReader::new(input).map_err(|error| vault_app::car_error(&path, error))?;
            let _turn = session.turn_of(control)?;
            let storage = session.app.place()?.storage(
                session.app.options(),
                session.app.home(),
                &session.device.vault(),
            )?;
            let clock = vault_core::system_clock();
            let device = session.device.clone();
            let restored = vault_core::Vault::restore(storage, device, clock, car, &mut |at| {
                control.report(at, total.max(at));
            });
            control.check()?;
            let restored = restored.map_err(|error| vault_app::restore_error(&path, error))?;
            Ok(RestoreReport {
                head: restored.head,
                restored: restored.restored,
                present: restored.present,
                missing: restored.missing.iter().map(ToString::to_string).collect(),
            })
        })?;
        Ok(RestoreWork::of(job))
    }

    /// Writes the records that match, unencrypted, for other programs: a new file, or for
    /// [`ExportForm::Files`] and [`ExportForm::Ndjson`] a new folder.
    #[uniffi::method(default(listener = None))]
    pub fn export(
        &self,
        form: ExportForm,
        filter: RecordFilter,
        path: String,
        listener: Option<Arc<dyn ProgressListener>>,
    ) -> Result<Arc<FileWork>, MedVaultError> {
        let job = self.begin(listener, move |session, control| {
            let mut vault = session.own_vault()?;
            let entries = filter.choose(vault.records()?)?;
            if entries.is_empty() {
                let what = "no record is to be exported";
                return Err(Error::new(Exit::NotFound, "no-records", what));
            }
            let path = PathBuf::from(path);
            let total = entries.len() as u64;
            let mut step = |done: u64| -> Result<()> {
                control.report(done, total);
                control.check()
            };
            let opener = vault.opener();
            let exported = Exported {
                entries: &entries,
                open: &|entry| Ok(opener.open(entry)?),
                owner: Some(vault.name()),
            };
            export_to(&exported, form.into(), &path, false, &mut step)?;
            control.report(total, total);
            files::written(path)
        })?;
        Ok(FileWork::of(job))
    }
}

impl From<ExportForm> for vault_app::export::ExportForm {
    fn from(form: ExportForm) -> Self {
        match form {
            ExportForm::Files => Self::Files,
            ExportForm::Fhir => Self::Fhir,
            ExportForm::Ndjson => Self::Ndjson,
            ExportForm::Ips => Self::Ips,
        }
    }
}
