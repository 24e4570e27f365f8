//! Appending to the tree, and a tree in memory.

use std::convert::Infallible;

use super::merkle::{EMPTY_ROOT, MAX_TREE_SIZE, TreeHash, node_hash};
use super::tiles::{
    MAX_LEVELS, TILE_HEIGHT, TILE_WIDTH, TileError, TileId, TileSource, Tree, level_len,
};

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
    use super::super::testing::{leaf, naive_root, tree};
    use super::super::tiles::root;
    use super::*;

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
    fn a_full_tree_takes_no_more() {
        let mut full = Appender::new();
        full.size = MAX_TREE_SIZE;
        let refused = full.append(leaf(0));
        assert_eq!(refused, Err(TileError::TooLarge(MAX_TREE_SIZE)));
        assert_eq!(full.size(), MAX_TREE_SIZE);
        assert_eq!(full.appended().count(), 0);
    }
}
