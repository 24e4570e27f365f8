//! A store with someone to ask behind it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{BlockSource, BlockStore, SourceError};
use crate::block::{Block, Cid};

/// Someone who may have blocks that the store does not: a network, another store.
pub trait Fetcher: Send + Sync {
    /// Asks for blocks. Returns those that could be had, each checked against its CID, in any
    /// order. As long as it returns some, it is asked again for the rest.
    ///
    /// # Errors
    /// [`SourceError::Network`] when nobody could be asked.
    fn fetch(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError>;
}

impl<F: Fetcher + ?Sized> Fetcher for Arc<F> {
    fn fetch(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError> {
        (**self).fetch(cids)
    }
}

/// A cache in front of a fetcher: what was fetched once is kept.
pub struct CachedSource {
    cache: Arc<dyn BlockStore>,
    fetcher: Box<dyn Fetcher>,
}

impl CachedSource {
    /// Puts `cache` in front of `fetcher`.
    pub fn new(cache: Arc<dyn BlockStore>, fetcher: Box<dyn Fetcher>) -> Self {
        Self { cache, fetcher }
    }
}

impl BlockSource for CachedSource {
    fn fetch(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError> {
        let mut found: HashMap<Cid, Block> = HashMap::new();
        let mut missing = Vec::new();
        for cid in cids {
            match self.cache.get(cid)? {
                Some(block) => drop(found.insert(*cid, block)),
                None if !missing.contains(cid) => missing.push(*cid),
                None => {}
            }
        }
        while !missing.is_empty() {
            let mut fetched = self.fetcher.fetch(&missing)?;
            let wanted: HashSet<Cid> = missing.iter().copied().collect();
            fetched.retain(|block| wanted.contains(&block.cid()));
            if fetched.is_empty() {
                break;
            }
            // kept before the rest is asked for, so that nothing is fetched twice
            self.cache.put(&fetched)?;
            found.extend(fetched.into_iter().map(|block| (block.cid(), block)));
            missing.retain(|cid| !found.contains_key(cid));
        }
        cids.iter()
            .map(|cid| found.get(cid).cloned().ok_or(SourceError::Missing(*cid)))
            .collect()
    }
}
