//! A vault kept in a home.

use std::sync::Arc;

use super::Home;
use crate::block::{Block, Codec};
use crate::store::{BlockStore, CarStore, StoreError};
use crate::vault::{StorageError, VaultStorage, WriteGuard};

const HEAD_FILE: &str = "head";

/// A vault's storage on the file system: a head file, and a folder of CAR files or another store
/// for the blocks.
pub struct HomeStorage {
    home: Home,
    blocks: Arc<dyn BlockStore>,
}

impl HomeStorage {
    pub(super) fn open(home: Home) -> Result<Self, StorageError> {
        let blocks = Arc::new(CarStore::open(&home.root().join("blocks"))?);
        Ok(Self::with_blocks(home, blocks))
    }

    pub(super) const fn with_blocks(home: Home, blocks: Arc<dyn BlockStore>) -> Self {
        Self { home, blocks }
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
        let block = Block::new(Codec::DagCbor, head.to_vec())
            .map_err(|error| StoreError::Damaged(error.to_string()))?;
        self.blocks.hold(&block.cid())?;
        self.home.write_file(HEAD_FILE, head)
    }

    fn lock(&self) -> Result<Box<dyn WriteGuard + '_>, StorageError> {
        self.home.lock()
    }
}
