//! Content that comes piece by piece.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use vault_app::Result;
use vault_core::{Spool, SpoolReader};

use super::{Session, Vault};
use crate::adding;
use crate::error::{MedVaultError, cancelled, invalid, locked};
use crate::runtime::on_thread;
use crate::types::AddReport;
use crate::work::{Control, Job};

/// A record that is being written. What was written lies in a temporary file, sealed under a key that
/// is in memory only; nothing of the vault is held up meanwhile. Dropped or cancelled before
/// [`RecordWriter::finish`], it leaves nothing behind.
#[derive(uniffi::Object)]
pub struct RecordWriter {
    /// Held weakly: a handle that the app keeps keeps no key after the vault is locked.
    session: Weak<Session>,
    control: Arc<Control>,
    name: String,
    stage: Mutex<Stage>,
}

/// How far a writer is.
enum Stage {
    Writing(Spool<File>),
    Adding(Arc<Job<AddReport>>),
    Cancelled,
}

impl RecordWriter {
    pub(super) fn begin(vault: &Vault, name: &str) -> Result<Arc<Self>> {
        let session = vault.session()?;
        let name = adding::file_name(name)?;
        let spool = Spool::new(tempfile::tempfile_in(session.app.home().root())?);
        Ok(Arc::new(Self {
            control: Control::new(session.closing(), None),
            session: Arc::downgrade(&session),
            name,
            stage: Mutex::new(Stage::Writing(spool)),
        }))
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, chunk: &[u8]) -> Result<()> {
        let mut stage = self.stage();
        if let Err(cancelled) = self.control.check() {
            if let Stage::Writing(_) = &*stage {
                *stage = Stage::Cancelled;
            }
            return Err(cancelled);
        }
        match &mut *stage {
            Stage::Writing(spool) => {
                let pushed = spool.push(chunk);
                self.control.report(spool.len(), 0);
                if pushed.is_err() {
                    *stage = Stage::Cancelled;
                }
                Ok(pushed?)
            }
            Stage::Adding(_) => Err(invalid("finished", "this record is finished")),
            Stage::Cancelled => Err(cancelled()),
        }
    }

    /// Begins to add what was written, if that was not begun yet.
    fn add(&self) -> Result<Arc<Job<AddReport>>> {
        let mut stage = self.stage();
        let spool = match std::mem::replace(&mut *stage, Stage::Cancelled) {
            Stage::Writing(spool) => spool,
            Stage::Adding(job) => {
                *stage = Stage::Adding(job.clone());
                return Ok(job);
            }
            Stage::Cancelled => return Err(cancelled()),
        };
        let session = self.session.upgrade().ok_or_else(locked)?;
        let name = self.name.clone();
        let job = Job::start(self.control.clone(), move |control| {
            let _busy = session.busy()?;
            let content: SpoolReader<File> = spool.finish()?;
            adding::add_stream(&session, Box::new(content), &name, control)
        })?;
        let job = Arc::new(job);
        *stage = Stage::Adding(job.clone());
        Ok(job)
    }
}

#[uniffi::export]
impl RecordWriter {
    /// Adds a piece straight from the caller's memory: no copy of it is made before it is sealed. Writes
    /// to a file, so not for the main thread. In Kotlin the buffer is a direct one.
    pub fn write(&self, chunk: &[u8]) -> Result<(), MedVaultError> {
        Ok(self.push(chunk)?)
    }

    /// The same for any thread; the piece is copied on its way.
    pub async fn write_chunk(self: Arc<Self>, chunk: Vec<u8>) -> Result<(), MedVaultError> {
        let chunk = zeroize::Zeroizing::new(chunk);
        Ok(on_thread(move || self.push(&chunk)).await?)
    }

    /// That was all: adds the record and returns what came of it. May be called again.
    pub async fn finish(&self) -> Result<AddReport, MedVaultError> {
        self.add()?.result().await
    }

    /// Throws away what was written.
    pub fn cancel(&self) {
        self.control.cancel();
        let mut stage = self.stage();
        if let Stage::Writing(_) = &*stage {
            *stage = Stage::Cancelled;
        }
    }
}

impl Drop for RecordWriter {
    fn drop(&mut self) {
        self.control.cancel();
    }
}
