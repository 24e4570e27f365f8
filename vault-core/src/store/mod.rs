//! Where blocks live: the [`BlockStore`] trait and the stores that this project ships.

mod cached;
mod car;
mod catalog;
mod chained;
mod files;
mod index;
mod memory;
mod recent;
mod removal;
mod segment;

#[cfg(test)]
mod car_tests;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod figures;

pub use cached::{CachedSource, Fetcher};
pub use car::CarStore;
pub use chained::ChainedStore;
pub use memory::MemoryStore;
pub use recent::RecentSource;

use crate::block::{Block, Cid, Codec};

/// Why a block store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("block store: {0}")]
    Io(#[from] std::io::Error),
    /// What is on disk is not a block store of this version.
    #[error("block store is damaged: {0}")]
    Damaged(String),
    /// A raw block that is empty or holds nothing but zero bytes: stores use such blocks to fill
    /// the place of deleted ones. Nothing sealed ever looks like that.
    #[error("a block of nothing but zero bytes cannot be stored")]
    ZeroBlock,
    /// The program that keeps the blocks could not be asked, or refused.
    #[error("{0}")]
    Remote(String),
}

/// Fails when one of `blocks` is what [`StoreError::ZeroBlock`] describes.
///
/// # Errors
/// [`StoreError::ZeroBlock`].
pub fn refuse_zeros(blocks: &[Block]) -> Result<(), StoreError> {
    let zeros =
        |block: &Block| block.cid().codec() == Codec::Raw && block.data().iter().all(|b| *b == 0);
    if blocks.iter().any(zeros) {
        return Err(StoreError::ZeroBlock);
    }
    Ok(())
}

/// A set of blocks, by CID.
///
/// Implementations are safe to use from several threads and check every block against its CID on
/// the way out. Writers are serialised by the vault's lock, not by the store.
pub trait BlockStore: BlockSource {
    /// Adds blocks. They are readable at once but durable only after [`BlockStore::sync`].
    /// Adding a block that is already there does nothing; one that is there but damaged is
    /// written again.
    ///
    /// # Errors
    /// [`StoreError::ZeroBlock`], and then nothing was added; [`StoreError::Io`].
    fn put(&self, blocks: &[Block]) -> Result<(), StoreError>;

    /// Reads a block; `None` when it is not there or no longer matches its CID.
    fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError>;

    /// Whether a block is there, without reading it.
    fn has(&self, cid: &Cid) -> Result<bool, StoreError>;

    /// Makes everything put so far durable.
    fn sync(&self) -> Result<(), StoreError>;

    /// Deletes blocks for good, durably when it returns. Unknown CIDs are passed over.
    /// Returns how many were deleted.
    fn remove(&self, cids: &[Cid]) -> Result<usize, StoreError>;

    /// Every block's CID, in no particular order.
    fn list(&self) -> Result<Vec<Cid>, StoreError>;

    /// Told before a head takes the place of the one before, all of whose blocks are durable by
    /// then. Where blocks stay only while something holds them, this takes hold of everything
    /// below `head`; elsewhere it does nothing.
    ///
    /// # Errors
    /// As the store's; then the head is not replaced.
    fn hold(&self, head: &Cid) -> Result<(), StoreError> {
        let _ = head;
        Ok(())
    }
}

/// Why blocks could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nobody who was asked has this block, or it is damaged.
    #[error("block {0} is missing")]
    Missing(Cid),
    /// The local store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The network failed.
    #[error("{0}")]
    Network(String),
    /// The other side does not give blocks to this reader.
    #[error("{0}")]
    Refused(String),
}

/// Somewhere blocks come from: a store, or a store with a network behind it.
pub trait BlockSource: Send + Sync {
    /// Fetches blocks, each checked against its CID, in the order asked for.
    ///
    /// # Errors
    /// [`SourceError::Missing`] names the first block that could not be had.
    fn fetch(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError>;
}

/// A block store as the only source.
impl<S: BlockStore> BlockSource for S {
    fn fetch(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError> {
        cids.iter()
            .map(|cid| self.get(cid)?.ok_or(SourceError::Missing(*cid)))
            .collect()
    }
}
