//! Other people's blocks: a store that several processes may fill at once.

use std::path::PathBuf;

use super::lock;
use crate::block::{Block, Cid};
use crate::store::{BlockStore, CarStore, StoreError};

/// A block store that takes a lock of its own for every change.
pub struct CacheStore {
    store: CarStore,
    lock: PathBuf,
}

impl CacheStore {
    pub(super) fn new(store: CarStore, lock: PathBuf) -> Self {
        Self { store, lock }
    }

    fn locked<T>(&self, change: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let _lock =
            lock::acquire(&self.lock).map_err(|e| StoreError::Io(std::io::Error::other(e)))?;
        change()
    }
}

impl BlockStore for CacheStore {
    fn put(&self, blocks: &[Block]) -> Result<(), StoreError> {
        self.locked(|| self.store.put(blocks))
    }

    fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        self.store.get(cid)
    }

    fn has(&self, cid: &Cid) -> Result<bool, StoreError> {
        self.store.has(cid)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.locked(|| self.store.sync())
    }

    fn remove(&self, cids: &[Cid]) -> Result<usize, StoreError> {
        self.locked(|| self.store.remove(cids))
    }

    fn list(&self) -> Result<Vec<Cid>, StoreError> {
        self.store.list()
    }
}
