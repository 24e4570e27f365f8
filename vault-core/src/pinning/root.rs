//! The block that a service is asked to pin: the head, and canaries that only this service gets.

use ipld_core::cid::Cid as IpldCid;
use serde::{Deserialize, Serialize};

use crate::block::{Block, BlockError, Cid, Codec, Digest};
use crate::body::pad_to_class;
use crate::codec;
use crate::pins;

/// Canaries in one root.
pub const CANARIES: usize = 4;

/// What a service was given, as it is remembered. The canaries themselves are forgotten once the
/// service says that it has them: then nobody else does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenRoot {
    root: Digest,
    head: Digest,
    canaries: Vec<Digest>,
    held: bool,
}

/// A root that is being made: what to remember, and the blocks that the service will fetch.
pub struct RootBlocks {
    /// What to remember.
    pub given: GivenRoot,
    /// The root and the canaries.
    pub blocks: Vec<Block>,
}

impl GivenRoot {
    /// Makes a root over `head` with fresh canaries: dag-cbor list of links, the head's first.
    ///
    /// A canary is a random raw block of the smallest class: it looks like any sealed block.
    ///
    /// # Errors
    /// [`BlockError`] never for these lengths; it is checked all the same.
    pub fn make(head: &Cid) -> Result<RootBlocks, BlockError> {
        let mut blocks = Vec::with_capacity(CANARIES + 1);
        for _ in 0..CANARIES {
            let mut data = Vec::new();
            pad_to_class(&mut data);
            blocks.push(Block::new(Codec::Raw, data)?);
        }
        let links: Vec<IpldCid> = std::iter::once(*head)
            .chain(blocks.iter().map(Block::cid))
            .map(|cid| pins::root_link(&cid))
            .collect();
        let root = Block::new(Codec::DagCbor, codec::encode(&links))?;
        let given = Self {
            root: root.cid().digest(),
            head: head.digest(),
            canaries: blocks.iter().map(|block| block.cid().digest()).collect(),
            held: false,
        };
        blocks.push(root);
        Ok(RootBlocks { given, blocks })
    }

    /// What the service pins.
    pub const fn root(&self) -> Cid {
        Cid::new(Codec::DagCbor, self.root)
    }

    /// The head it keeps.
    pub const fn head(&self) -> Cid {
        Cid::new(Codec::DagCbor, self.head)
    }

    /// The blocks that only this service has.
    pub fn canaries(&self) -> impl Iterator<Item = Cid> {
        self.canaries.iter().map(|digest| Cid::raw(*digest))
    }

    /// The blocks that are made for the service alone: the root and the canaries.
    pub fn own_blocks(&self) -> Vec<Cid> {
        self.canaries().chain([self.root()]).collect()
    }

    /// Whether the service has said that it holds all of it.
    pub const fn is_held(&self) -> bool {
        self.held
    }

    pub(super) const fn set_held(&mut self) {
        self.held = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_links_the_head_and_canaries_that_look_sealed() {
        let head = Block::new(Codec::DagCbor, vec![0x80]).unwrap().cid();
        let made = GivenRoot::make(&head).unwrap();
        assert_eq!(made.blocks.len(), CANARIES + 1);
        let (root, canaries) = made.blocks.split_last().unwrap();
        let links: Vec<IpldCid> = codec::decode(root.data(), 1 << 20).unwrap();
        let named: Vec<Cid> = links.iter().map(|l| pins::read_link(l).unwrap()).collect();
        assert_eq!(named[0], head);
        assert!(named[1..].iter().copied().eq(made.given.canaries()));
        assert!(canaries.iter().all(|block| block.data().len() == 16_400));
        let again = GivenRoot::make(&head).unwrap();
        assert_ne!(again.given.root(), made.given.root(), "canaries are fresh");
    }
}
