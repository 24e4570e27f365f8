//! Blocks in memory, for tests and examples.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{BlockStore, StoreError, refuse_zeros};
use crate::block::{Block, Cid};

/// A block store that forgets everything when it is dropped.
#[derive(Default)]
pub struct MemoryStore(Mutex<HashMap<Cid, Vec<u8>>>);

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn blocks(&self) -> MutexGuard<'_, HashMap<Cid, Vec<u8>>> {
        // every change is one insert or remove, so a panic elsewhere leaves the map whole
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockStore for MemoryStore {
    fn put(&self, blocks: &[Block]) -> Result<(), StoreError> {
        refuse_zeros(blocks)?;
        let mut map = self.blocks();
        for block in blocks {
            map.entry(block.cid())
                .or_insert_with(|| block.data().to_vec());
        }
        Ok(())
    }

    fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        let data = self.blocks().get(cid).cloned();
        Ok(data.and_then(|data| Block::verify(*cid, data).ok()))
    }

    fn has(&self, cid: &Cid) -> Result<bool, StoreError> {
        Ok(self.blocks().contains_key(cid))
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn remove(&self, cids: &[Cid]) -> Result<usize, StoreError> {
        let mut map = self.blocks();
        Ok(cids.iter().filter(|cid| map.remove(cid).is_some()).count())
    }

    fn list(&self) -> Result<Vec<Cid>, StoreError> {
        Ok(self.blocks().keys().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::conformance;

    #[test]
    fn conforms() {
        conformance(|| Box::new(MemoryStore::new()));
    }
}
