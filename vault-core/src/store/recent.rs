//! The blocks that were read last, kept in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::{BlockSource, SourceError};
use crate::block::{Block, Cid};

/// How many blocks are kept: at most 8 MiB.
const KEPT: usize = 8;

/// A source that keeps the blocks it gave last. Small records lie together in blocks, so whoever
/// opens many of them in order reads and checks each block once.
pub struct RecentSource {
    inner: Arc<dyn BlockSource>,
    kept: Mutex<VecDeque<Block>>,
}

impl RecentSource {
    /// Keeps what `inner` gives.
    pub fn new(inner: Arc<dyn BlockSource>) -> Self {
        Self {
            inner,
            kept: Mutex::default(),
        }
    }
}

impl BlockSource for RecentSource {
    fn fetch(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError> {
        let [cid] = cids else {
            return self.inner.fetch(cids);
        };
        // a thread that panicked here left whole blocks
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(block) = kept.iter().find(|block| block.cid() == *cid) {
            return Ok(vec![block.clone()]);
        }
        let fetched = self.inner.fetch(cids)?;
        if let [block] = &fetched[..] {
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(block.clone());
        }
        Ok(fetched)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::block::Codec;

    struct Counting(Vec<Block>, AtomicUsize);

    impl BlockSource for Counting {
        fn fetch(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            let find = |cid: &Cid| self.0.iter().find(|block| block.cid() == *cid).cloned();
            let found = cids
                .iter()
                .map(|cid| find(cid).ok_or(SourceError::Missing(*cid)));
            found.collect()
        }
    }

    #[test]
    fn a_block_is_read_once_while_it_is_among_the_last() {
        let blocks: Vec<Block> = (0..=KEPT as u8)
            .map(|i| Block::new(Codec::Raw, vec![i]).unwrap())
            .collect();
        let counting = Arc::new(Counting(blocks.clone(), AtomicUsize::new(0)));
        let recent = RecentSource::new(counting.clone());
        let get = |i: usize| recent.fetch(&[blocks[i].cid()]).unwrap();
        let asked = || counting.1.load(Ordering::Relaxed);
        assert_eq!(
            (get(0), get(0)),
            (vec![blocks[0].clone()], vec![blocks[0].clone()])
        );
        assert_eq!(asked(), 1);
        (1..=KEPT).for_each(|i| drop(get(i)));
        get(KEPT);
        assert_eq!(asked(), 1 + KEPT);
        get(0);
        assert_eq!(asked(), 2 + KEPT);
        assert!(
            recent
                .fetch(&[Block::new(Codec::Raw, vec![99]).unwrap().cid()])
                .is_err()
        );
    }
}
