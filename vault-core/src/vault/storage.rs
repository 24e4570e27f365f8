//! What a vault stands on: blocks, one head, and a lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::{BlockStore, MemoryStore, StoreError};

/// Why the place where a vault is kept could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The block store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file system refused.
    #[error("{what}: {error}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// Another process is changing the vault and did not finish in time.
    #[error("the home is in use by another command")]
    InUse,
    /// Written by a newer version of this program.
    #[error("the home is of format {found}, newer than this program ({known})")]
    Newer {
        /// Format found.
        found: u32,
        /// Newest format known.
        known: u32,
    },
    /// There is no vault here.
    #[error("there is no vault here")]
    NoVault,
    /// There is a vault here already.
    #[error("there is a vault here already")]
    Exists,
}

/// Held while a vault is being changed; others wait.
pub trait WriteGuard {}

impl<T> WriteGuard for MutexGuard<'_, T> {}

/// Where a vault is kept.
pub trait VaultStorage: Send + Sync {
    /// The blocks.
    fn blocks(&self) -> Arc<dyn BlockStore>;

    /// The newest head, `None` before the first.
    fn head(&self) -> Result<Option<Vec<u8>>, StorageError>;

    /// Replaces the head, atomically and durably.
    fn replace_head(&self, head: &[u8]) -> Result<(), StorageError>;

    /// Waits until nobody else is changing the vault.
    fn lock(&self) -> Result<Box<dyn WriteGuard + '_>, StorageError>;
}

/// A vault in memory, for tests and examples.
#[derive(Default)]
pub struct MemoryStorage {
    blocks: Arc<MemoryStore>,
    head: Mutex<Option<Vec<u8>>>,
    lock: Mutex<()>,
}

impl MemoryStorage {
    /// An empty place.
    pub fn new() -> Self {
        Self::default()
    }
}

impl VaultStorage for MemoryStorage {
    fn blocks(&self) -> Arc<dyn BlockStore> {
        self.blocks.clone()
    }

    fn head(&self) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self
            .head
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone())
    }

    fn replace_head(&self, head: &[u8]) -> Result<(), StorageError> {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Some(head.to_vec());
        Ok(())
    }

    fn lock(&self) -> Result<Box<dyn WriteGuard + '_>, StorageError> {
        Ok(Box::new(
            self.lock.lock().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}
