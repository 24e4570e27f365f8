//! The tree as tiles (C2SP tlog-tiles): reading roots and proofs from tiles, and appending.
//!
//! Level 0 is the sequence of all leaf hashes; level n + 1 is the sequence of the roots of the full
//! tiles (256 hashes) of level n. A tile is 256 neighbouring hashes of one level, or fewer at the
//! right edge, so each level is an append-only stream.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::convert::Infallible;

use super::merkle::{
    ConsistencyProof, EMPTY_ROOT, InclusionProof, MAX_TREE_SIZE, ProofError, TreeHash, node_hash,
};

/// Number of hashes in a full tile.
pub const TILE_WIDTH: u16 = 256;
/// Height of a full tile: log2 of [`TILE_WIDTH`].
const TILE_HEIGHT: u32 = 8;
/// Levels a tree of at most [`MAX_TREE_SIZE`] leaves can have.
const MAX_LEVELS: u8 = 8;

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
struct Tree<'a, S: TileSource> {
    source: &'a S,
    size: u64,
    read: HashMap<TileId, Vec<TreeHash>>,
}

impl<'a, S: TileSource> Tree<'a, S> {
    fn new(source: &'a S, size: u64) -> Result<Self, TileError<S::Error>> {
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
    fn node(&mut self, height: u32, index: u64) -> Result<TreeHash, TileError<S::Error>> {
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

/// Hashes that were appended to one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelTail<'a> {
    /// The level, 0 for leaf hashes.
    pub level: u8,
    /// Position of the first of these hashes within the level's stream, in hashes.
    pub start: u64,
    /// The hashes; never empty.
    pub hashes: &'a [TreeHash],
}

/// Appends leaves to a tree and says what storage has to append, per level.
///
/// Holds one hash per one-bit of the size, and the hashes not yet marked as stored.
#[derive(Debug, Clone)]
pub struct Appender {
    size: u64,
    /// Roots of the complete subtrees the tree consists of, largest first.
    peaks: Vec<TreeHash>,
    /// Size at the start, or when [`Appender::mark_stored`] was last called.
    stored: u64,
    /// Per level, the hashes beyond those of a tree of `stored` leaves.
    tails: [Vec<TreeHash>; MAX_LEVELS as usize],
}

impl Default for Appender {
    fn default() -> Self {
        Self::new()
    }
}

impl Appender {
    /// Starts an empty tree.
    pub fn new() -> Self {
        Self {
            size: 0,
            peaks: Vec::new(),
            stored: 0,
            tails: Default::default(),
        }
    }

    /// Continues a stored tree of `size` leaves. Reads the last, partial tile of each level.
    ///
    /// # Errors
    /// [`TileError`]. The source is not checked: compare [`Appender::root`] with the signed root
    /// before appending.
    pub fn resume<S: TileSource>(source: &S, size: u64) -> Result<Self, TileError<S::Error>> {
        let mut tree = Tree::new(source, size)?;
        let mut appender = Self::new();
        for height in (0..u64::BITS).rev().filter(|bit| size >> bit & 1 == 1) {
            // Leaves before this peak are those of the larger ones.
            let index = (size >> height) - 1;
            appender.peaks.push(tree.node(height, index)?);
        }
        appender.size = size;
        appender.stored = size;
        Ok(appender)
    }

    /// Number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf and returns its index. Hashes at most once per level of the binary tree.
    ///
    /// # Errors
    /// [`TileError::TooLarge`] at [`MAX_TREE_SIZE`] leaves; nothing is appended.
    pub fn append(&mut self, leaf: TreeHash) -> Result<u64, TileError<Infallible>> {
        let index = self.size;
        if index >= MAX_TREE_SIZE {
            return Err(TileError::TooLarge(index));
        }
        let mut hash = leaf;
        self.tails[0].push(hash);
        for height in 1..=index.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
            if height % TILE_HEIGHT == 0
                && let Some(tail) = self.tails.get_mut((height / TILE_HEIGHT) as usize)
            {
                tail.push(hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
        Ok(index)
    }

    /// The root of all leaves; [`EMPTY_ROOT`] without any. One hash per one-bit of the size.
    pub fn root(&self) -> TreeHash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else {
            return EMPTY_ROOT;
        };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }

    /// The hashes each level gained since the start or the last [`Appender::mark_stored`], lowest
    /// level first, levels without news left out. A level's stream is the concatenation of all it
    /// ever gained.
    pub fn appended(&self) -> impl Iterator<Item = LevelTail<'_>> {
        (0..MAX_LEVELS)
            .zip(&self.tails)
            .filter(|(_, hashes)| !hashes.is_empty())
            .map(|(level, hashes)| LevelTail {
                level,
                start: level_len(level, self.stored),
                hashes,
            })
    }

    /// The tiles that are new or have become wider since the start or the last
    /// [`Appender::mark_stored`], with their present width, lowest level first.
    pub fn changed_tiles(&self) -> impl Iterator<Item = TileId> {
        let size = self.size;
        self.appended().flat_map(move |tail| {
            let len = level_len(tail.level, size);
            let width = u64::from(TILE_WIDTH);
            (tail.start / width..len.div_ceil(width)).map(move |index| TileId {
                level: tail.level,
                index,
                width: (len - index * width).min(width) as u16,
            })
        })
    }

    /// Forgets what [`Appender::appended`] lists: storage has written it.
    pub fn mark_stored(&mut self) {
        self.stored = self.size;
        self.tails.iter_mut().for_each(Vec::clear);
    }
}

/// A tree held in memory, level by level: for replaying a whole log, and for small ones.
#[derive(Debug, Clone, Default)]
pub struct MemoryTiles {
    levels: Vec<Vec<TreeHash>>,
}

impl MemoryTiles {
    /// Takes over what `appender` gained, and marks it as stored there.
    pub fn store(&mut self, appender: &mut Appender) {
        for tail in appender.appended() {
            let level = usize::from(tail.level);
            if self.levels.len() <= level {
                self.levels.resize_with(level + 1, Vec::new);
            }
            self.levels[level].extend_from_slice(tail.hashes);
        }
        appender.mark_stored();
    }

    /// The stream of a level: all its hashes in order, empty for a level the tree has not reached.
    pub fn level(&self, level: u8) -> &[TreeHash] {
        self.levels
            .get(usize::from(level))
            .map_or(&[], Vec::as_slice)
    }
}

impl TileSource for MemoryTiles {
    type Error = Infallible;

    fn tile(&self, id: TileId) -> Result<Vec<TreeHash>, Infallible> {
        let hashes = self.level(id.level);
        let start = usize::try_from(id.start()).unwrap_or(usize::MAX);
        let end = start
            .saturating_add(usize::from(TILE_WIDTH))
            .min(hashes.len());
        Ok(hashes.get(start..end).unwrap_or_default().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::super::merkle::{leaf_hash, verify_consistency, verify_inclusion};
    use super::*;
    use proptest::prelude::*;
    use std::cell::RefCell;

    fn leaf(index: u64) -> TreeHash {
        leaf_hash(&index.to_be_bytes())
    }

    /// RFC 6962 section 2.1, word for word.
    fn naive_root(leaves: &[TreeHash]) -> TreeHash {
        match leaves {
            [] => EMPTY_ROOT,
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&naive_root(left), &naive_root(right))
            }
        }
    }

    /// RFC 6962 section 2.1.1, word for word.
    fn naive_path(index: usize, leaves: &[TreeHash]) -> Vec<TreeHash> {
        if leaves.len() == 1 {
            return vec![];
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        let (mut path, sibling) = match index.checked_sub(left.len()) {
            None => (naive_path(index, left), right),
            Some(index) => (naive_path(index, right), left),
        };
        path.push(naive_root(sibling));
        path
    }

    /// RFC 6962 section 2.1.2, word for word.
    fn naive_subproof(old: usize, leaves: &[TreeHash], whole: bool) -> Vec<TreeHash> {
        if old == leaves.len() {
            return if whole {
                vec![]
            } else {
                vec![naive_root(leaves)]
            };
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        let (mut path, sibling) = match old.checked_sub(left.len()) {
            None | Some(0) => (naive_subproof(old, left, whole), right),
            Some(old) => (naive_subproof(old, right, false), left),
        };
        path.push(naive_root(sibling));
        path
    }

    fn tree(size: u64) -> (Vec<TreeHash>, MemoryTiles, Appender) {
        let leaves: Vec<_> = (0..size).map(leaf).collect();
        let mut appender = Appender::new();
        for leaf in &leaves {
            appender.append(*leaf).unwrap();
        }
        let mut tiles = MemoryTiles::default();
        tiles.store(&mut appender);
        (leaves, tiles, appender)
    }

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
    fn every_size_to_700_matches_the_recursive_definition() {
        let (leaves, tiles, _) = tree(700);
        let mut appender = Appender::new();
        for size in 0..=700 {
            let expected = naive_root(&leaves[..size as usize]);
            assert_eq!(appender.root(), expected, "{size}");
            assert_eq!(root(&tiles, size), Ok(expected), "{size}");
            let resumed = Appender::resume(&tiles, size).unwrap();
            assert_eq!((resumed.root(), resumed.size()), (expected, size));
            if size < 700 {
                assert_eq!(appender.append(leaves[size as usize]), Ok(size));
            }
        }
    }

    #[test]
    fn levels_are_the_roots_of_full_tiles() {
        let (leaves, tiles, appender) = tree(66_000);
        assert_eq!(tiles.level(0), leaves);
        for level in 1..=2 {
            let below: Vec<_> = tiles.level(level - 1).chunks_exact(256).collect();
            let expected: Vec<_> = below.into_iter().map(naive_root).collect();
            assert_eq!(tiles.level(level), expected);
        }
        for level in 0..=u8::MAX {
            let len = tiles.level(level).len() as u64;
            assert_eq!(level_len(level, 66_000), len, "{level}");
        }
        assert_eq!(appender.root(), naive_root(&leaves));
        assert_eq!(level_len(7, u64::MAX), 255);
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
    fn appending_in_parts_gives_the_same_streams() {
        let (_, whole, _) = tree(1_000);
        let mut tiles = MemoryTiles::default();
        let mut size = 0;
        for part in [1, 254, 1, 1, 255, 0, 256, 232] {
            let mut appender = Appender::resume(&tiles, size).unwrap();
            for index in size..size + part {
                appender.append(leaf(index)).unwrap();
            }
            for tail in appender.appended() {
                assert_eq!(tail.start, tiles.level(tail.level).len() as u64);
                assert!(!tail.hashes.is_empty());
            }
            size += part;
            tiles.store(&mut appender);
            assert_eq!(appender.appended().count(), 0);
            assert_eq!(appender.changed_tiles().count(), 0);
        }
        assert_eq!(tiles.level(0), whole.level(0));
        assert_eq!(tiles.level(1), whole.level(1));
    }

    #[test]
    fn changed_tiles_name_what_grew() {
        let (_, tiles, _) = tree(300);
        let mut appender = Appender::resume(&tiles, 300).unwrap();
        for index in 300..800 {
            appender.append(leaf(index)).unwrap();
        }
        let id = |level, index, width| TileId {
            level,
            index,
            width,
        };
        let changed: Vec<_> = appender.changed_tiles().collect();
        let expected = [id(0, 1, 256), id(0, 2, 256), id(0, 3, 32), id(1, 0, 3)];
        assert_eq!(changed, expected);
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
        let mut full = Appender::new();
        full.size = MAX_TREE_SIZE;
        let refused = full.append(leaf(0));
        assert_eq!(refused, Err(TileError::TooLarge(MAX_TREE_SIZE)));
        assert_eq!(full.size(), MAX_TREE_SIZE);
    }

    fn flip(hash: &mut TreeHash, bit: usize) {
        let mut bytes = *hash.as_bytes();
        bytes[bit / 8 % 32] ^= 1 << (bit % 8);
        *hash = TreeHash::from_bytes(bytes);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn inclusion_holds_and_no_alteration_does(
            size in 1_u64..700, pick: u64, which: usize, bit in 0_usize..256, other: u64,
        ) {
            let index = pick % size;
            let (leaves, tiles, appender) = tree(size);
            let top = appender.root();
            let proof = prove_inclusion(&tiles, size, index).unwrap();
            prop_assert_eq!(&proof.0, &naive_path(index as usize, &leaves));
            prop_assert!(verify_inclusion(index, size, &leaf(index), &proof, &top).is_ok());

            let (mut bad_leaf, mut bad_root) = (leaf(index), top);
            flip(&mut bad_leaf, bit);
            flip(&mut bad_root, bit);
            prop_assert!(verify_inclusion(index, size, &bad_leaf, &proof, &top).is_err());
            prop_assert!(verify_inclusion(index, size, &leaf(index), &proof, &bad_root).is_err());
            for wrong in (0..size).filter(|wrong| *wrong != index) {
                prop_assert!(verify_inclusion(wrong, size, &leaf(index), &proof, &top).is_err());
            }
            let mut longer = proof.clone();
            longer.0.insert(which % (proof.0.len() + 1), leaf(other));
            prop_assert!(verify_inclusion(index, size, &leaf(index), &longer, &top).is_err());
            if !proof.0.is_empty() {
                let at = which % proof.0.len();
                let mut bad = proof.clone();
                flip(&mut bad.0[at], bit);
                prop_assert!(verify_inclusion(index, size, &leaf(index), &bad, &top).is_err());
                let mut shorter = proof.clone();
                shorter.0.remove(at);
                prop_assert!(verify_inclusion(index, size, &leaf(index), &shorter, &top).is_err());
            }
        }

        #[test]
        fn consistency_holds_and_no_alteration_does(
            new in 2_u64..700, pick: u64, which: usize, bit in 0_usize..256, other: u64,
        ) {
            let old = 1 + pick % (new - 1);
            let (leaves, tiles, appender) = tree(new);
            let (before, after) = (root(&tiles, old).unwrap(), appender.root());
            let proof = prove_consistency(&tiles, old, new).unwrap();
            prop_assert_eq!(&proof.0, &naive_subproof(old as usize, &leaves, true));
            prop_assert!(verify_consistency(old, &before, new, &after, &proof).is_ok());

            let (mut bad_before, mut bad_after) = (before, after);
            flip(&mut bad_before, bit);
            flip(&mut bad_after, bit);
            prop_assert!(verify_consistency(old, &bad_before, new, &after, &proof).is_err());
            prop_assert!(verify_consistency(old, &before, new, &bad_after, &proof).is_err());
            for wrong in (1..=new).filter(|wrong| *wrong != old) {
                prop_assert!(verify_consistency(wrong, &before, new, &after, &proof).is_err());
            }
            let mut longer = proof.clone();
            longer.0.insert(which % (proof.0.len() + 1), leaf(other));
            prop_assert!(verify_consistency(old, &before, new, &after, &longer).is_err());
            let at = which % proof.0.len();
            let mut bad = proof.clone();
            flip(&mut bad.0[at], bit);
            prop_assert!(verify_consistency(old, &before, new, &after, &bad).is_err());
            let mut shorter = proof.clone();
            shorter.0.remove(at);
            prop_assert!(verify_consistency(old, &before, new, &after, &shorter).is_err());
        }
    }
}
