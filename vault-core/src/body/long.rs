//! Long bodies: blocks of their own, random access, any length in bounded memory.
//!
//! The sealed stream is laid into slots of one sealed chunk (16,400 bytes), sixteen to a block.
//! Slot 0 of the first block holds the stream's header (salt and key commitment); chunk `k` lies
//! in slot `k + 1`. Unused bytes are random. So the block and offset of any chunk follow from its
//! number alone.
//!
//! The list of a long body's blocks is itself laid out this way, level upon level, under keys
//! derived from the content key, until at most [`TOP_MAX`] blocks remain. Those stand in the index.

use std::io::{Read, Write};
use std::sync::mpsc::sync_channel;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::header::{HeaderDraft, SignedHeader, read_front};
use super::{
    BodyContext, BodyError, FULL_BLOCK_LEN, Location, MAX_HEADER_LEN, SLOTS, pad_to_class,
};
use crate::block::{Block, Cid, Codec, Digest};
use crate::keys::{KeyPurpose, SecretKey, derive};
use crate::seal::{CHUNK_LEN, HEADER_LEN, SEALED_CHUNK_LEN, StreamKey, padme};
use crate::store::BlockSource;

mod pipeline;

/// Most blocks that an index entry names itself.
pub(crate) const TOP_MAX: usize = 4;

/// Plaintext in a full block.
const FULL_LEN: usize = SLOTS * CHUNK_LEN;

/// Plaintext in the first block, whose first slot holds the stream's header.
const FIRST_LEN: usize = (SLOTS - 1) * CHUNK_LEN;

/// Most levels of block map: enough for 16 PiB.
const MAX_DEPTH: u8 = 3;

/// Slots in use for a plaintext of `len` bytes: the header's and one for each chunk, the last of
/// which is always short.
fn slots(len: u64) -> u64 {
    len / CHUNK_LEN as u64 + 2
}

/// Blocks in use for a plaintext of `len` bytes.
pub(crate) fn blocks_for(len: u64) -> u64 {
    slots(len).div_ceil(SLOTS as u64)
}

/// Seals the sixteen slots of one block. `first` is the number of its first slot and `plain` the
/// plaintext from the block's first chunk on; the last chunk of the stream must be short.
fn seal_block(key: &StreamKey, first: u64, plain: &[u8], last: bool) -> Vec<u8> {
    let mut block = Vec::with_capacity(FULL_BLOCK_LEN);
    let mut slot = first;
    if first == 0 {
        block.extend_from_slice(&key.header());
        block.resize(SEALED_CHUNK_LEN, 0);
        crate::random::fill(&mut block[HEADER_LEN..]);
        slot = 1;
    }
    let mut chunks = plain.chunks_exact(CHUNK_LEN);
    for chunk in chunks.by_ref() {
        push_chunk(key, slot - 1, chunk, &mut block);
        slot += 1;
    }
    if last {
        push_chunk(key, slot - 1, chunks.remainder(), &mut block);
        pad_to_class(&mut block);
    }
    block
}

fn push_chunk(key: &StreamKey, index: u64, chunk: &[u8], block: &mut Vec<u8>) {
    let at = block.len();
    block.extend_from_slice(chunk);
    let tag = key.seal_chunk(index, &mut block[at..]);
    block.extend_from_slice(&tag);
}

/// Where sealed blocks go as they are made.
pub(crate) trait BlockSink {
    /// Takes one block.
    fn put(&mut self, block: Block) -> Result<(), BodyError>;
}

impl<F: FnMut(Block) -> Result<(), BodyError>> BlockSink for F {
    fn put(&mut self, block: Block) -> Result<(), BodyError> {
        self(block)
    }
}

fn raw_block(data: Vec<u8>) -> Result<Block, BodyError> {
    Block::new(Codec::Raw, data).map_err(|_| BodyError::Malformed)
}

/// Seals whatever `content` yields and hands every block to `sink`. Memory is bounded by a few
/// blocks per core, whatever the length.
pub(crate) fn seal_long(
    context: BodyContext<'_>,
    cek: &SecretKey,
    draft: &HeaderDraft<'_>,
    content: &mut (dyn Read + Send),
    sink: &mut dyn BlockSink,
) -> Result<(SignedHeader, Location), BodyError> {
    let key = StreamKey::create(cek.expose(), &context.bytes("body"));
    let offset = draft.content_offset();
    let done = pipeline::run(&key, offset, content, sink)?;
    let header = draft.finish(done.content_len, done.digest);
    let mut first = done.first_plain;
    first[..8].copy_from_slice(&header.lengths(offset));
    first[8..8 + header.bytes.len()].copy_from_slice(&header.bytes);
    let location = finish_long(
        context,
        (cek, &key),
        &first,
        done.blocks,
        done.plain_len,
        sink,
    )?;
    Ok((header, location))
}

/// Seals the first block, which had to wait for the header, and the maps.
fn finish_long(
    context: BodyContext<'_>,
    (cek, key): (&SecretKey, &StreamKey),
    first: &[u8],
    rest: Vec<Digest>,
    len: u64,
    sink: &mut dyn BlockSink,
) -> Result<Location, BodyError> {
    let block = raw_block(seal_block(key, 0, first, rest.is_empty()))?;
    let mut blocks = Vec::with_capacity(rest.len() + 1);
    blocks.push(block.cid().digest());
    blocks.extend(rest);
    sink.put(block)?;
    let (depth, top) = seal_maps(context, cek, blocks, sink)?;
    Ok(Location::Long { len, depth, top })
}

/// Moves the list of blocks into sealed maps until few enough remain.
fn seal_maps(
    context: BodyContext<'_>,
    cek: &SecretKey,
    mut blocks: Vec<Digest>,
    sink: &mut dyn BlockSink,
) -> Result<(u8, Vec<Digest>), BodyError> {
    let mut depth = 0;
    while blocks.len() > TOP_MAX {
        let key = derive(cek.expose(), KeyPurpose::BlockMap(depth));
        let stream = StreamKey::create(key.expose(), &context.bytes("block-map"));
        let list: Vec<u8> = blocks.iter().flat_map(|d| *d.as_bytes()).collect();
        let mut level = Vec::new();
        let (mut slot, mut at) = (0u64, 0usize);
        loop {
            let room = if slot == 0 { SLOTS - 1 } else { SLOTS } * CHUNK_LEN;
            let end = list.len().min(at + room);
            let last = list.len() - at < room;
            let block = raw_block(seal_block(&stream, slot, &list[at..end], last))?;
            level.push(block.cid().digest());
            sink.put(block)?;
            if last {
                break;
            }
            at = end;
            slot = level.len() as u64 * SLOTS as u64;
        }
        blocks = level;
        depth += 1;
    }
    Ok((depth, blocks))
}

/// One level of a long body, open for reading: the data (level 0) or a block map above it.
struct Level {
    key: StreamKey,
    len: u64,
}

/// The levels of a long body, from the topmost map down to the data.
struct Tree<'a> {
    source: &'a dyn BlockSource,
    levels: Vec<Level>,
    top: Vec<Digest>,
}

impl<'a> Tree<'a> {
    /// Opens every level, reading the first block of each.
    fn open(
        context: BodyContext<'_>,
        cek: &SecretKey,
        location: &Location,
        source: &'a dyn BlockSource,
    ) -> Result<Self, BodyError> {
        let Location::Long { len, depth, top } = location else {
            return Err(BodyError::Malformed);
        };
        if *depth > MAX_DEPTH || top.is_empty() || top.len() > TOP_MAX || *len > 1 << 52 {
            return Err(BodyError::Malformed);
        }
        let mut lens = vec![*len];
        for level in 0..usize::from(*depth) {
            lens.push(blocks_for(lens[level]) * 32);
        }
        if blocks_for(lens[usize::from(*depth)]) != top.len() as u64 {
            return Err(BodyError::Malformed);
        }
        let mut tree = Self {
            source,
            levels: Vec::new(),
            top: top.clone(),
        };
        for (level, len) in lens.into_iter().enumerate().rev() {
            let (key, label) = match level {
                0 => (cek.clone(), "body"),
                n => (
                    derive(cek.expose(), KeyPurpose::BlockMap(n as u8 - 1)),
                    "block-map",
                ),
            };
            let first = tree.block_digests(tree.levels.len(), 0, 1)?;
            let block = tree.load(&first)?.pop().ok_or(BodyError::Malformed)?;
            let head: &[u8; HEADER_LEN] = block.data().first_chunk().ok_or(BodyError::Malformed)?;
            let key = StreamKey::open(key.expose(), head, &context.bytes(label))?;
            tree.levels.push(Level { key, len });
        }
        Ok(tree)
    }

    /// Digests of blocks `from..to` of level `level` (0 is the topmost).
    fn block_digests(&self, level: usize, from: u64, to: u64) -> Result<Vec<Digest>, BodyError> {
        if level == 0 {
            let range = from as usize..to as usize;
            return Ok(self.top.get(range).ok_or(BodyError::Malformed)?.to_vec());
        }
        let list = self.read_level(level - 1, from * 32, ((to - from) * 32) as usize)?;
        let digests = list
            .chunks_exact(32)
            .map(|d| d.try_into().map(Digest::from_bytes));
        digests
            .collect::<Result<_, _>>()
            .map_err(|_| BodyError::Malformed)
    }

    fn load(&self, digests: &[Digest]) -> Result<Vec<Block>, BodyError> {
        let cids: Vec<Cid> = digests.iter().copied().map(Cid::raw).collect();
        Ok(self.source.fetch(&cids)?)
    }

    /// Plaintext bytes `at..at + len` of a level, fetching only the blocks they lie in.
    fn read_level(
        &self,
        level: usize,
        at: u64,
        len: usize,
    ) -> Result<Zeroizing<Vec<u8>>, BodyError> {
        let mut plain = Zeroizing::new(Vec::new());
        self.read_level_into(level, at, len, &mut plain)?;
        Ok(plain)
    }

    /// The same into a buffer that is used again and again, since wiping one is slow. What was in
    /// it before is gone.
    fn read_level_into(
        &self,
        level: usize,
        at: u64,
        len: usize,
        plain: &mut Zeroizing<Vec<u8>>,
    ) -> Result<(), BodyError> {
        let state = self.levels.get(level).ok_or(BodyError::Malformed)?;
        let end = at
            .checked_add(len as u64)
            .filter(|end| *end <= state.len)
            .ok_or(BodyError::Malformed)?;
        let (first, last) = (at / CHUNK_LEN as u64, (end.max(1) - 1) / CHUNK_LEN as u64);
        let (from, to) = ((first + 1) / SLOTS as u64, (last + 1) / SLOTS as u64 + 1);
        let blocks = match len {
            0 => Vec::new(),
            _ => self.block_digests(level, from, to)?,
        };
        self.read_blocks(level, at, len, &blocks, plain)
    }

    /// Plaintext bytes `at..at + len`, which lie in `blocks`.
    fn read_blocks(
        &self,
        level: usize,
        at: u64,
        len: usize,
        blocks: &[Digest],
        plain: &mut Zeroizing<Vec<u8>>,
    ) -> Result<(), BodyError> {
        let blocks = match len {
            0 => Vec::new(),
            _ => self.load(blocks)?,
        };
        self.open_blocks(level, at, len, &blocks, plain)
    }

    /// The same for blocks that are there.
    fn open_blocks(
        &self,
        level: usize,
        at: u64,
        len: usize,
        blocks: &[Block],
        plain: &mut Zeroizing<Vec<u8>>,
    ) -> Result<(), BodyError> {
        let state = self.levels.get(level).ok_or(BodyError::Malformed)?;
        let room = len + 2 * SEALED_CHUNK_LEN;
        if plain.capacity() < room {
            // growing in place would leave a copy behind
            *plain = Zeroizing::new(Vec::with_capacity(room));
        }
        plain.clear();
        if len == 0 {
            return Ok(());
        }
        let (first, last) = (
            at / CHUNK_LEN as u64,
            (at + len as u64 - 1) / CHUNK_LEN as u64,
        );
        let from = (first + 1) / SLOTS as u64;
        for chunk in first..=last {
            let slot = chunk + 1;
            let block = blocks
                .get((slot / SLOTS as u64 - from) as usize)
                .ok_or(BodyError::Malformed)?;
            let chunk_len = (state.len - chunk * CHUNK_LEN as u64).min(CHUNK_LEN as u64) as usize;
            let start = (slot % SLOTS as u64) as usize * SEALED_CHUNK_LEN;
            let sealed = block
                .data()
                .get(start..start + chunk_len + 16)
                .ok_or(BodyError::Malformed)?;
            let opened_at = plain.len();
            plain.extend_from_slice(sealed);
            let opened = state.key.open_chunk(chunk, &mut plain[opened_at..])?.len();
            plain.truncate(opened_at + opened);
        }
        let skip = (at - first * CHUNK_LEN as u64) as usize;
        plain.drain(..skip);
        plain.truncate(len);
        Ok(())
    }

    fn data(&self) -> usize {
        self.levels.len() - 1
    }

    /// The last chunk is short and authentic: nothing was cut off.
    fn check_end(&self) -> Result<(), BodyError> {
        let state = &self.levels[self.data()];
        let chunk = state.len / CHUNK_LEN as u64;
        let slot = chunk + 1;
        let block = slot / SLOTS as u64;
        let found = self.load(&self.block_digests(self.data(), block, block + 1)?)?;
        let start = (slot % SLOTS as u64) as usize * SEALED_CHUNK_LEN;
        let len = (state.len % CHUNK_LEN as u64) as usize + 16;
        let sealed = found.first().and_then(|b| b.data().get(start..start + len));
        let mut sealed = sealed.ok_or(BodyError::Malformed)?.to_vec();
        state.key.open_chunk(chunk, &mut sealed)?;
        Ok(())
    }
}

/// A long body open for reading at any place.
pub(crate) struct LongReader<'a> {
    tree: Tree<'a>,
    header: SignedHeader,
    content_offset: u64,
}

impl<'a> LongReader<'a> {
    /// Opens the body, reading one block of each level, and checks header and ids.
    pub(crate) fn open(
        context: BodyContext<'_>,
        cek: &SecretKey,
        location: &Location,
        source: &'a dyn BlockSource,
    ) -> Result<Self, BodyError> {
        let tree = Tree::open(context, cek, location, source)?;
        let len = tree.levels[tree.data()].len;
        let front_len = len.min((MAX_HEADER_LEN + 24) as u64) as usize;
        let front = tree.read_level(tree.data(), 0, front_len)?;
        let (header, offset) = read_front(&front)?;
        let h = &header.header;
        header.belongs_to(context)?;
        let content_offset = offset as u64;
        if content_offset
            .checked_add(h.len)
            .is_none_or(|end| end > len)
        {
            return Err(BodyError::Malformed);
        }
        Ok(Self {
            tree,
            header,
            content_offset,
        })
    }

    pub(crate) fn header(&self) -> &SignedHeader {
        &self.header
    }

    /// Content bytes `at..at + len`, at most to the content's end.
    pub(crate) fn read(&self, at: u64, len: usize) -> Result<Zeroizing<Vec<u8>>, BodyError> {
        let content_len = self.header.header.len;
        let at = at.min(content_len);
        let len = (content_len - at).min(len as u64) as usize;
        self.tree
            .read_level(self.tree.data(), self.content_offset + at, len)
    }

    /// Writes the whole content to `out` and checks its digest and the stream's authenticated
    /// end. What was written must be thrown away when this fails.
    ///
    /// The blocks of the next window are fetched while those of this one are opened: over a network
    /// the line is never idle.
    pub(crate) fn copy_to(&self, out: &mut dyn Write) -> Result<(), BodyError> {
        let mut digest = Sha256::new();
        let mut part = Zeroizing::new(Vec::new());
        std::thread::scope(|scope| {
            let (fetched, windows) = sync_channel(0);
            scope.spawn(move || {
                for (at, len) in self.windows() {
                    let blocks = self.window_blocks(at, len);
                    let failed = blocks.is_err();
                    // nobody listens when writing has failed
                    if fetched.send(blocks).is_err() || failed {
                        break;
                    }
                }
            });
            for (at, len) in self.windows() {
                let blocks = windows.recv().map_err(|_| BodyError::Malformed)??;
                let level = self.tree.data();
                self.tree.open_blocks(level, at, len, &blocks, &mut part)?;
                digest.update(&*part);
                out.write_all(&part)?;
            }
            Ok::<_, BodyError>(())
        })?;
        if <[u8; 32]>::from(digest.finalize()) != *self.header.header.digest.as_bytes() {
            return Err(BodyError::Digest);
        }
        self.tree.check_end()
    }

    /// Places and lengths in the plaintext that cover the content. They end where a block ends, so
    /// that no block is fetched twice.
    fn windows(&self) -> impl Iterator<Item = (u64, usize)> {
        const WINDOW: u64 = (16 * SLOTS * CHUNK_LEN) as u64;
        let end = self.content_offset + self.header.header.len;
        let mut at = self.content_offset;
        std::iter::from_fn(move || {
            let len = (WINDOW - (at + CHUNK_LEN as u64) % WINDOW).min(end - at);
            let window = (at, len as usize);
            at += len;
            (len > 0).then_some(window)
        })
    }

    fn window_blocks(&self, at: u64, len: usize) -> Result<Vec<Block>, BodyError> {
        let slot = |place: u64| (place / CHUNK_LEN as u64 + 1) / SLOTS as u64;
        let (from, to) = (slot(at), slot(at + len as u64 - 1) + 1);
        let digests = self.tree.block_digests(self.tree.data(), from, to)?;
        self.tree.load(&digests)
    }

    /// The stream ends where its length says, and nothing was cut off.
    pub(crate) fn check_end(&self) -> Result<(), BodyError> {
        self.tree.check_end()
    }

    /// Every block of the body: data and maps. Reads the maps, not the data.
    pub(crate) fn all_blocks(&self) -> Result<Vec<Digest>, BodyError> {
        let mut all = Vec::new();
        for (level, state) in self.tree.levels.iter().enumerate() {
            all.extend(self.tree.block_digests(level, 0, blocks_for(state.len))?);
        }
        Ok(all)
    }
}

/// Seals a long body again under another key, header and content unchanged, block for block.
pub(crate) fn reseal_long(
    context: BodyContext<'_>,
    old: &SecretKey,
    location: &Location,
    source: &dyn BlockSource,
    new: &SecretKey,
    sink: &mut dyn BlockSink,
) -> Result<Location, BodyError> {
    let tree = Tree::open(context, old, location, source)?;
    tree.check_end()?;
    let len = tree.levels[tree.data()].len;
    let count = blocks_for(len);
    let blocks = tree.block_digests(tree.data(), 0, count)?;
    let key = StreamKey::create(new.expose(), &context.bytes("body"));
    let first_len = len.min(FIRST_LEN as u64) as usize;
    let first = tree.read_level(tree.data(), 0, first_len)?;
    let fill = |number: u64, plain: &mut Zeroizing<Vec<u8>>| {
        let digest = blocks.get(number as usize).ok_or(BodyError::Malformed)?;
        let at = number * FULL_LEN as u64 - CHUNK_LEN as u64;
        let len = (len - at).min(FULL_LEN as u64) as usize;
        tree.read_blocks(tree.data(), at, len, &[*digest], plain)
    };
    let rest = pipeline::run_blocks(&key, count, &fill, sink)?;
    finish_long(context, (new, &key), &first, rest, len, sink)
}

/// Length of the padded plaintext for a content of `len` bytes after `offset` bytes of front.
fn padded(offset: usize, len: u64) -> u64 {
    padme(offset as u64 + len)
}
