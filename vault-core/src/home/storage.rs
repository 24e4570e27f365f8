//! A vault kept in a home.

use std::sync::Arc;

use super::Home;
use crate::store::{BlockStore, CarStore};
use crate::vault::{StorageError, VaultStorage, WriteGuard};

const HEAD_FILE: &str = "head";

/// A vault's storage on the file system: a folder of CAR files and a head file.
pub struct HomeStorage {
    home: Home,
    blocks: Arc<CarStore>,
}

impl HomeStorage {
    pub(super) fn open(home: Home) -> Result<Self, StorageError> {
        let blocks = Arc::new(CarStore::open(&home.root().join("blocks"))?);
        Ok(Self { home, blocks })
    }
}

impl VaultStorage for HomeStorage {
    fn blocks(&self) -> Arc<dyn BlockStore> {
        self.blocks.clone()
    }

    fn head(&self) -> Result<Option<Vec<u8>>, StorageError> {
        self.home.read_file(HEAD_FILE)
    }

    fn replace_head(&self, head: &[u8]) -> Result<(), StorageError> {
        self.home.write_file(HEAD_FILE, head)
    }

    fn lock(&self) -> Result<Box<dyn WriteGuard + '_>, StorageError> {
        self.home.lock()
    }
}
