//! The pin set: every live block, sorted, linked in the clear, so that one pin keeps the vault.
//!
//! Two levels of dag-cbor lists of CID links: the root links shards, a shard links blocks. It says
//! nothing but which blocks to keep. Dummy blocks bring the count up to a Padmé length, so that the
//! count does not tell the size of the vault exactly.

use std::collections::BTreeSet;

use ipld_core::cid::Cid as IpldCid;

use crate::block::{Block, Cid, Codec, Digest};
use crate::codec::{self, DecodeError};
use crate::store::{BlockSource, SourceError};

/// Links in one shard.
const SHARD: usize = 6000;

/// Longest accepted shard or root, in bytes.
const MAX_NODE_LEN: usize = 1 << 20;

/// Why a pin set could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PinSetError {
    /// A shard could not be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Not a pin set.
    #[error("pin set: {0}")]
    Malformed(#[from] DecodeError),
}

/// A link to a block, as dag-cbor has it.
pub(crate) fn link(cid: &Cid) -> IpldCid {
    #[allow(clippy::expect_used)] // `Cid` is a CIDv1 by construction
    IpldCid::try_from(&cid.to_bytes()[..]).expect("own CIDs are valid")
}

fn unlink(link: &IpldCid) -> Result<Cid, DecodeError> {
    Cid::from_bytes(&link.to_bytes()).map_err(|_| DecodeError::Malformed)
}

/// Writes the pin set of `live`. The root is the last block.
pub(crate) fn write(live: &BTreeSet<Digest>) -> Result<Vec<Block>, DecodeError> {
    let node = |links: &[IpldCid]| {
        Block::new(Codec::DagCbor, codec::encode(&links)).map_err(|_| DecodeError::Malformed)
    };
    let links: Vec<IpldCid> = live.iter().map(|digest| link(&Cid::raw(*digest))).collect();
    let mut blocks = links
        .chunks(SHARD)
        .map(node)
        .collect::<Result<Vec<_>, _>>()?;
    let shards: Vec<IpldCid> = blocks.iter().map(|block| link(&block.cid())).collect();
    blocks.push(node(&shards)?);
    Ok(blocks)
}

/// A pin set as it is stored.
pub(crate) struct PinSet {
    /// Every live block.
    pub(crate) live: BTreeSet<Digest>,
    /// The blocks of the pin set itself: shards and root.
    pub(crate) nodes: Vec<Cid>,
}

/// What one node of a pin set names: the root its shards, a shard live blocks.
pub(crate) fn links(node: &Block) -> Result<Vec<Cid>, DecodeError> {
    let links: Vec<IpldCid> = codec::decode(node.data(), MAX_NODE_LEN)?;
    links.iter().map(unlink).collect()
}

/// Reads a pin set.
pub(crate) fn read(source: &dyn BlockSource, root: &Cid) -> Result<PinSet, PinSetError> {
    let list = |cid: &Cid| -> Result<Vec<Cid>, PinSetError> {
        let block = source
            .fetch(&[*cid])?
            .pop()
            .ok_or(SourceError::Missing(*cid))?;
        Ok(links(&block)?)
    };
    let mut nodes = list(root)?;
    let mut live = BTreeSet::new();
    for shard in &nodes {
        live.extend(list(shard)?.iter().map(Cid::digest));
    }
    nodes.push(*root);
    Ok(PinSet { live, nodes })
}

/// The link to the pin set's root, as it stands in the head's block.
pub(crate) fn root_link(root: &Cid) -> IpldCid {
    link(root)
}

/// Reads the link of a head's block.
pub(crate) fn read_link(link: &IpldCid) -> Result<Cid, DecodeError> {
    unlink(link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{BlockStore, MemoryStore};

    #[test]
    fn pin_sets_round_trip_in_shards() {
        for count in [0, 1, SHARD, SHARD + 1, 2 * SHARD + 5] {
            let live: BTreeSet<Digest> = (0..count)
                .map(|i| Digest::of(&(i as u64).to_be_bytes()))
                .collect();
            let store = MemoryStore::new();
            let blocks = write(&live).unwrap();
            store.put(&blocks).unwrap();
            let read = read(&store, &blocks.last().unwrap().cid()).unwrap();
            assert_eq!(read.live, live);
            assert_eq!(read.nodes.len(), blocks.len());
        }
    }
}
