//! The tree as tiles (C2SP tlog-tiles): reading roots and proofs from tiles.
//!
//! Level 0 is the sequence of all leaf hashes; level n + 1 is the sequence of the roots of the full
//! tiles (256 hashes) of level n. A tile is 256 neighbouring hashes of one level, or fewer at the
//! right edge, so each level is an append-only stream.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::merkle::{
    ConsistencyProof, EMPTY_ROOT, InclusionProof, MAX_TREE_SIZE, ProofError, TreeHash, node_hash,
};

/// Number of hashes in a full tile.
pub const TILE_WIDTH: u16 = 256;
/// Height of a full tile: log2 of [`TILE_WIDTH`].
pub(super) const TILE_HEIGHT: u32 = 8;
/// Levels a tree of at most [`MAX_TREE_SIZE`] leaves can have.
pub(super) const MAX_LEVELS: u8 = 8;

/// The address of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TileId {
    /// Level, 0 for leaf hashes.
    pub level: u8,
    /// Position within the level, in tiles.
    pub index: u64,
    /// Number of hashes, 1 to 256; less than 256 only for the last tile of a level.
    pub width: u16,
}

impl TileId {
    /// Position of the tile's first hash within its level's stream, in hashes.
    pub const fn start(&self) -> u64 {
        self.index * TILE_WIDTH as u64
    }
}

/// Where tiles come from. What it returns is not trusted: see [`TileError`] and the functions here.
pub trait TileSource {
    /// Why a tile could not be read.
    type Error;

    /// The hashes of a tile. More than `id.width` may be returned when the tree has grown since;
    /// only the first `id.width` are used.
    ///
    /// # Errors
    /// Whatever keeps the source from reading the tile.
    fn tile(&self, id: TileId) -> Result<Vec<TreeHash>, Self::Error>;
}

/// Why something could not be computed from tiles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileError<E> {
    /// The source failed.
    #[error("tile could not be read")]
    Source(#[source] E),
    /// The source returned fewer hashes than the tile has.
    #[error("tile {index} of level {level} has fewer than {width} hashes", level = .0.level, index = .0.index, width = .0.width)]
    Short(TileId),
    /// More leaves than [`MAX_TREE_SIZE`].
    #[error("tree of {0} leaves is too large")]
    TooLarge(u64),
    /// There is no such proof: an index outside the tree, or an old size above the new one.
    #[error(transparent)]
    NoSuchProof(ProofError),
}

/// Number of hashes at `level` of a tree of `size` leaves: `size / 256^level`, rounded down.
pub const fn level_len(level: u8, size: u64) -> u64 {
    if level >= MAX_LEVELS {
        return 0;
    }
    size >> (TILE_HEIGHT * level as u32)
}

/// The root of the first `size` leaves. Reads at most one tile per level.
///
/// # Errors
/// [`TileError`]. The result is only as good as the source: compare it with a signed root.
pub fn root<S: TileSource>(source: &S, size: u64) -> Result<TreeHash, TileError<S::Error>> {
    let mut tree = Tree::new(source, size)?;
    if size == 0 {
        return Ok(EMPTY_ROOT);
    }
    tree.range(0, size)
}

/// The proof that leaf `index` is in the tree of `size` leaves (RFC 9162 section 2.1.3.1). Reads at
/// most two tiles per level.
///
/// # Errors
/// [`TileError`]. The source is not checked: whoever gets the proof verifies it against a signed
/// root.
pub fn prove_inclusion<S: TileSource>(
    source: &S,
    size: u64,
    index: u64,
) -> Result<InclusionProof, TileError<S::Error>> {
    let mut tree = Tree::new(source, size)?;
    if index >= size {
        let error = ProofError::IndexOutOfRange { index, size };
        return Err(TileError::NoSuchProof(error));
    }
    let (mut low, mut high) = (0, size);
    let mut path = Vec::new();
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            path.push(tree.range(middle, high)?);
            high = middle;
        } else {
            path.push(tree.range(low, middle)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(InclusionProof(path))
}

/// The proof that the tree of `new` leaves extends the tree of `old` leaves (RFC 9162 section
/// 2.1.4.1); empty if `old` is zero or equals `new`. Reads at most two tiles per level.
///
/// # Errors
/// [`TileError`]. The source is not checked: whoever gets the proof verifies it against signed
/// roots.
pub fn prove_consistency<S: TileSource>(
    source: &S,
    old: u64,
    new: u64,
) -> Result<ConsistencyProof, TileError<S::Error>> {
    let mut tree = Tree::new(source, new)?;
    if old > new {
        return Err(TileError::NoSuchProof(ProofError::Shrunk { old, new }));
    }
    let mut path = Vec::new();
    if old == 0 {
        return Ok(ConsistencyProof(path));
    }
    let (mut low, mut high) = (0, new);
    while high != old {
        let middle = low + split(high - low);
        if old <= middle {
            path.push(tree.range(middle, high)?);
            high = middle;
        } else {
            path.push(tree.range(low, middle)?);
            low = middle;
        }
    }
    // At low == 0 the remaining range is the whole old tree, whose root the verifier has.
    if low != 0 {
        path.push(tree.range(low, high)?);
    }
    path.reverse();
    Ok(ConsistencyProof(path))
}

/// The largest power of two below `len`, for `len` > 1: where RFC 6962 splits a tree.
const fn split(len: u64) -> u64 {
    1 << (len - 1).ilog2()
}

/// Root of 2^n hashes.
fn fold(hashes: &[TreeHash]) -> TreeHash {
    match hashes {
        [] => EMPTY_ROOT,
        [hash] => *hash,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&fold(left), &fold(right))
        }
    }
}

/// A tree of a known size over a source; reads each tile once.
pub(super) struct Tree<'a, S: TileSource> {
    source: &'a S,
    size: u64,
    read: HashMap<TileId, Vec<TreeHash>>,
}

impl<'a, S: TileSource> Tree<'a, S> {
    pub(super) fn new(source: &'a S, size: u64) -> Result<Self, TileError<S::Error>> {
        if size > MAX_TREE_SIZE {
            return Err(TileError::TooLarge(size));
        }
        Ok(Self {
            source,
            size,
            read: HashMap::new(),
        })
    }

    /// Root of the complete subtree over leaves `index << height` to `(index + 1) << height`, which
    /// must lie within the tree.
    pub(super) fn node(
        &mut self,
        height: u32,
        index: u64,
    ) -> Result<TreeHash, TileError<S::Error>> {
        let level = (height / TILE_HEIGHT) as u8;
        let within = height % TILE_HEIGHT;
        let first = index << within;
        let start = first - first % u64::from(TILE_WIDTH);
        let id = TileId {
            level,
            index: start / u64::from(TILE_WIDTH),
            width: (level_len(level, self.size) - start).min(u64::from(TILE_WIDTH)) as u16,
        };
        let hashes = match self.read.entry(id) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.source.tile(id).map_err(TileError::Source)?),
        };
        let offset = (first - start) as usize;
        hashes
            .get(..usize::from(id.width))
            .and_then(|hashes| hashes.get(offset..offset + (1 << within)))
            .map(fold)
            .ok_or(TileError::Short(id))
    }

    /// Hash of the leaves `low..high`, a range that RFC 6962's recursion visits: not empty, and
    /// `low` a multiple of the smallest power of two that is not below its length.
    fn range(&mut self, low: u64, high: u64) -> Result<TreeHash, TileError<S::Error>> {
        let len = high - low;
        if len.is_power_of_two() {
            let height = len.ilog2();
            return self.node(height, low >> height);
        }
        let middle = low + split(len);
        let left = self.range(low, middle)?;
        Ok(node_hash(&left, &self.range(middle, high)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::append::{Appender, MemoryTiles};
    use super::super::merkle::{verify_consistency, verify_inclusion};
    use super::super::testing::{leaf, tree};
    use super::*;
    use std::cell::RefCell;
    use std::convert::Infallible;

    /// Counts the tiles read, and returns exactly the width asked for.
    struct Counted<'a>(&'a MemoryTiles, RefCell<Vec<TileId>>);

    impl TileSource for Counted<'_> {
        type Error = Infallible;

        fn tile(&self, id: TileId) -> Result<Vec<TreeHash>, Infallible> {
            self.1.borrow_mut().push(id);
            let mut hashes = self.0.tile(id)?;
            hashes.truncate(usize::from(id.width));
            Ok(hashes)
        }
    }

    #[test]
    fn proofs_over_three_levels_read_few_tiles() {
        let (_, tiles, appender) = tree(66_000);
        for size in [65_535, 65_536, 65_537, 65_792, 66_000] {
            let new_root = root(&tiles, size).unwrap();
            for index in [0, 255, 256, 4_711, 65_279, 65_534, size - 1] {
                let source = Counted(&tiles, RefCell::default());
                let proof = prove_inclusion(&source, size, index).unwrap();
                assert!(source.1.borrow().len() <= 6);
                let verified = verify_inclusion(index, size, &leaf(index), &proof, &new_root);
                assert_eq!(verified, Ok(()));
            }
            for old in [1, 255, 256, 257, 4_711, 65_535, size - 1, size] {
                let source = Counted(&tiles, RefCell::default());
                let proof = prove_consistency(&source, old, size).unwrap();
                assert!(source.1.borrow().len() <= 6);
                let old_root = root(&tiles, old).unwrap();
                let verified = verify_consistency(old, &old_root, size, &new_root, &proof);
                assert_eq!(verified, Ok(()));
            }
        }
        let source = Counted(&tiles, RefCell::default());
        let resumed = Appender::resume(&source, 66_000).unwrap();
        assert_eq!(resumed.root(), appender.root());
        assert_eq!(source.1.borrow().len(), 3, "one tile per level");
    }

    #[test]
    fn a_source_that_lacks_hashes_and_impossible_questions_are_errors() {
        let (_, tiles, _) = tree(300);
        let short = TileId {
            level: 0,
            index: 1,
            width: 45,
        };
        assert_eq!(root(&tiles, 301), Err(TileError::Short(short)));
        let index = prove_inclusion(&tiles, 300, 300);
        assert!(matches!(index, Err(TileError::NoSuchProof(_))));
        let shrunk = prove_consistency(&tiles, 300, 299);
        assert!(matches!(shrunk, Err(TileError::NoSuchProof(_))));
        let large = MAX_TREE_SIZE + 1;
        assert_eq!(root(&tiles, large), Err(TileError::TooLarge(large)));
        assert!(root(&tiles, MAX_TREE_SIZE).is_err());
    }
}
