//! Where the log's hashes lie: per level one stream of hashes, cut into blocks in the clear.
//!
//! A block holds 8,192 hashes, which are 32 whole tiles of C2SP tlog-tiles; the last block of a
//! level is shorter. The head names the blocks.

use crate::block::{Block, Cid, Codec, Digest};
use crate::log::{Appender, TileId, TileSource, TreeHash, level_len};
use crate::store::{BlockSource, SourceError};

/// Hashes in a full block.
pub(crate) const HASHES_PER_BLOCK: u64 = 8192;

/// Why a tile could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TileReadError {
    /// The block could not be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The block is not what the head says.
    #[error("the log's hashes are malformed")]
    Malformed,
}

/// What a longer log needs: all its blocks per level, the new blocks, and the replaced ones.
pub(crate) type Extension = (Vec<Vec<Digest>>, Vec<Block>, Vec<Digest>);

/// The hashes of a log of known size, read from blocks as needed.
pub(crate) struct LogBlocks<'a> {
    source: &'a dyn BlockSource,
    levels: &'a [Vec<Digest>],
}

impl<'a> LogBlocks<'a> {
    pub(crate) fn new(source: &'a dyn BlockSource, levels: &'a [Vec<Digest>]) -> Self {
        Self { source, levels }
    }

    fn block(&self, level: u8, number: u64) -> Result<Vec<TreeHash>, TileReadError> {
        let digest = self
            .levels
            .get(usize::from(level))
            .and_then(|blocks| blocks.get(usize::try_from(number).ok()?))
            .ok_or(TileReadError::Malformed)?;
        let block = self
            .source
            .fetch(&[Cid::raw(*digest)])?
            .pop()
            .ok_or(TileReadError::Malformed)?;
        TreeHash::split(block.data()).ok_or(TileReadError::Malformed)
    }

    /// Every leaf hash, in order.
    pub(crate) fn leaves(&self, size: u64) -> Result<Vec<TreeHash>, TileReadError> {
        let mut leaves = Vec::new();
        for number in 0..size.div_ceil(HASHES_PER_BLOCK) {
            leaves.extend(self.block(0, number)?);
            // a block may be longer than ours are
            if leaves.len() as u64 > size {
                return Err(TileReadError::Malformed);
            }
        }
        if leaves.len() as u64 == size {
            Ok(leaves)
        } else {
            Err(TileReadError::Malformed)
        }
    }

    /// Writes what `appender` gained since a log of `old_size`. Returns the new list of blocks per
    /// level, the new blocks, and the blocks that were replaced.
    pub(crate) fn extend(
        &self,
        appender: &Appender,
        old_size: u64,
    ) -> Result<Extension, TileReadError> {
        let mut levels = self.levels.to_vec();
        let (mut blocks, mut dropped) = (Vec::new(), Vec::new());
        for tail in appender.appended() {
            let level = usize::from(tail.level);
            if levels.len() <= level {
                levels.resize(level + 1, Vec::new());
            }
            let old_len = level_len(tail.level, old_size);
            let mut hashes = Vec::new();
            if !old_len.is_multiple_of(HASHES_PER_BLOCK) {
                hashes = self.block(tail.level, old_len / HASHES_PER_BLOCK)?;
                dropped.extend(levels[level].pop());
            }
            hashes.extend_from_slice(tail.hashes);
            for part in hashes.chunks(HASHES_PER_BLOCK as usize) {
                let block = Block::new(Codec::Raw, TreeHash::concat(part))
                    .map_err(|_| TileReadError::Malformed)?;
                levels[level].push(block.cid().digest());
                blocks.push(block);
            }
        }
        Ok((levels, blocks, dropped))
    }
}

impl TileSource for LogBlocks<'_> {
    type Error = TileReadError;

    fn tile(&self, id: TileId) -> Result<Vec<TreeHash>, TileReadError> {
        let first = id.index * 256;
        let block = self.block(id.level, first / HASHES_PER_BLOCK)?;
        let start = (first % HASHES_PER_BLOCK) as usize;
        let end = block.len().min(start + 256);
        Ok(block
            .get(start..end)
            .ok_or(TileReadError::Malformed)?
            .to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{
        leaf_hash, prove_consistency, prove_inclusion, verify_consistency, verify_inclusion,
    };
    use crate::store::{BlockStore, MemoryStore};

    #[test]
    fn a_log_grows_in_blocks_and_proves_itself() {
        let store = MemoryStore::new();
        let mut levels: Vec<Vec<Digest>> = Vec::new();
        let mut size = 0u64;
        let mut roots = Vec::new();
        for batch in [1u64, 1, 254, 1, 8000, 300, 9000] {
            let mut appender = Appender::resume(&LogBlocks::new(&store, &levels), size).unwrap();
            for i in size..size + batch {
                appender.append(leaf_hash(&i.to_be_bytes())).unwrap();
            }
            let (new, blocks, dropped) = LogBlocks::new(&store, &levels)
                .extend(&appender, size)
                .unwrap();
            store.put(&blocks).unwrap();
            store
                .remove(&dropped.into_iter().map(Cid::raw).collect::<Vec<_>>())
                .unwrap();
            levels = new;
            size += batch;
            roots.push((size, appender.root()));
        }
        let blocks = LogBlocks::new(&store, &levels);
        let (new_size, new_root) = roots[roots.len() - 1];
        for (old_size, old_root) in &roots {
            let proof = prove_consistency(&blocks, *old_size, new_size).unwrap();
            verify_consistency(*old_size, old_root, new_size, &new_root, &proof).unwrap();
        }
        let proof = prove_inclusion(&blocks, new_size, 8200).unwrap();
        verify_inclusion(
            8200,
            new_size,
            &leaf_hash(&8200u64.to_be_bytes()),
            &proof,
            &new_root,
        )
        .unwrap();
        assert_eq!(blocks.leaves(size).unwrap().len() as u64, size);
    }
}
