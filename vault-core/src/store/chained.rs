//! Two block stores that are read as one.

use std::sync::Arc;

use super::{BlockStore, StoreError};
use crate::block::{Block, Cid};

/// Reads from two stores, and writes to the first: a node that serves the vault's blocks serves
/// those beside them too.
pub struct ChainedStore {
    first: Arc<dyn BlockStore>,
    second: Arc<dyn BlockStore>,
}

impl ChainedStore {
    /// Puts `second` behind `first`.
    pub fn new(first: Arc<dyn BlockStore>, second: Arc<dyn BlockStore>) -> Self {
        Self { first, second }
    }
}

impl BlockStore for ChainedStore {
    fn put(&self, blocks: &[Block]) -> Result<(), StoreError> {
        self.first.put(blocks)
    }

    fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        match self.first.get(cid)? {
            Some(block) => Ok(Some(block)),
            None => self.second.get(cid),
        }
    }

    fn has(&self, cid: &Cid) -> Result<bool, StoreError> {
        Ok(self.first.has(cid)? || self.second.has(cid)?)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.first.sync()
    }

    fn remove(&self, cids: &[Cid]) -> Result<usize, StoreError> {
        self.first.remove(cids)
    }

    fn list(&self) -> Result<Vec<Cid>, StoreError> {
        let mut cids = self.first.list()?;
        cids.extend(self.second.list()?);
        cids.sort_unstable();
        cids.dedup();
        Ok(cids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Codec;
    use crate::store::MemoryStore;

    #[test]
    fn both_are_read_and_only_the_first_is_written() {
        let block = |text: &str| Block::new(Codec::Raw, text.as_bytes().to_vec()).unwrap();
        let stores = [Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new())];
        stores[1].put(&[block("b")]).unwrap();
        let chain = ChainedStore::new(stores[0].clone(), stores[1].clone());
        chain.put(&[block("a")]).unwrap();
        assert_eq!(chain.get(&block("a").cid()).unwrap(), Some(block("a")));
        assert_eq!(chain.get(&block("b").cid()).unwrap(), Some(block("b")));
        assert!(!chain.has(&block("c").cid()).unwrap());
        assert_eq!(chain.list().unwrap().len(), 2);
        assert_eq!(stores[1].list().unwrap().len(), 1);
        assert_eq!(chain.remove(&[block("b").cid()]).unwrap(), 0);
    }
}
