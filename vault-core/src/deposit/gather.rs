//! Fetching a deposit that lies on the provider's own node, block by block.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use super::note::{Note, NoteEntry, places};
use super::{DepositError, parcel};
use crate::block::{Block, Cid, Digest};
use crate::body::long::{LongReader, blocks_for};
use crate::body::{BodyContext, Location};
use crate::store::{BlockSource, BlockStore, SourceError};

/// Blocks that are asked for at once: 8 MiB of full ones.
const BATCH: usize = 32;

/// Fetches what a note names and writes the parcel. No more than `most` bytes of blocks are fetched;
/// they pass through `scratch`.
pub(crate) fn gather(
    root: &Block,
    note: &Note,
    source: &dyn BlockSource,
    scratch: &dyn BlockStore,
    most: u64,
    out: impl Write,
) -> Result<(), DepositError> {
    let source = Metered {
        source,
        scratch,
        left: AtomicU64::new(most),
    };
    let mut blocks = Vec::new();
    for entry in &note.entries {
        match &entry.location {
            Location::Packed { .. } => blocks.extend(places(&entry.location)),
            Location::Long { len, .. } => blocks.extend(long(note, entry, *len, most, &source)?),
        }
    }
    blocks.sort_unstable();
    blocks.dedup();
    let cids: Vec<Cid> = blocks.iter().copied().map(Cid::raw).collect();
    for part in cids.chunks(BATCH) {
        source.fetch(part)?;
    }
    parcel::write(root, &blocks, scratch, out).map(drop)
}

/// Every block of a long body; only its maps and its first block are fetched.
fn long(
    note: &Note,
    entry: &NoteEntry,
    len: u64,
    most: u64,
    source: &Metered<'_>,
) -> Result<Vec<Digest>, DepositError> {
    let record = entry.record;
    // the shortest block has one chunk
    if blocks_for(len) > most / crate::seal::SEALED_CHUNK_LEN as u64 {
        let what = "it is longer than the deposit";
        return Err(DepositError::Disagrees { record, what });
    }
    let context = BodyContext {
        vault: &note.vault,
        record: &entry.record,
        version: &entry.version,
        kind: &entry.kind,
    };
    LongReader::open(context, &entry.cek, &entry.location, source)
        .and_then(|reader| reader.all_blocks())
        .map_err(|error| DepositError::Body { record, error })
}

/// A source that gives so many bytes and no more, each block once.
struct Metered<'a> {
    source: &'a dyn BlockSource,
    scratch: &'a dyn BlockStore,
    left: AtomicU64,
}

impl BlockSource for Metered<'_> {
    fn fetch(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError> {
        let mut missing = Vec::new();
        for cid in cids {
            if !self.scratch.has(cid)? {
                missing.push(*cid);
            }
        }
        for block in self.source.fetch(&missing)? {
            let len = block.data().len() as u64;
            let less = |left: u64| left.checked_sub(len);
            self.left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
                .map_err(|_| SourceError::Refused("the deposit is longer than announced".into()))?;
            self.scratch.put(&[block])?;
        }
        self.scratch.fetch(cids)
    }
}
