//! The home's lock: one process changes a home at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use super::files::io;
use crate::vault::{StorageError, WriteGuard};

/// How long to wait for another process.
const PATIENCE: Duration = Duration::from_secs(10);

/// The lock file, locked until it is dropped. The system releases it when the process dies.
struct Locked {
    _file: File,
}

impl WriteGuard for Locked {}

pub(super) fn acquire(path: &Path) -> Result<Box<dyn WriteGuard>, StorageError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(io("locking the home"))?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Box::new(Locked { _file: file })),
            Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => return Err(StorageError::InUse),
            Err(TryLockError::Error(error)) => return Err(io("locking the home")(error)),
        }
    }
}
