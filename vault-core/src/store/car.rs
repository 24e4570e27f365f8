//! Blocks in a folder of CAR files.
//!
//! One process writes at a time (the vault's lock sees to that), any number read. Blocks are
//! appended to the last segment; a segment of about 256 MiB is closed for good. What lies behind
//! a segment's index was perhaps never synced: it is checked on opening, and a torn end is cut
//! off by the next writer. Deleted blocks are overwritten where they lie; a segment with less
//! than half of its bytes alive is dissolved into the last one.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::catalog::{Catalog, Place, Segment};
use super::index::{self, IndexHead};
use super::segment::{self, HEADER, HEADER_LEN, Section, section_len};
use super::{BlockStore, StoreError, files, refuse_zeros};
use crate::block::{Block, Cid};
use crate::car::section_head;

/// Length at which a segment is closed, in bytes.
const SEGMENT_LEN: u64 = 256 << 20;
/// The last segment's index is renewed on a sync once this many bytes lie behind it.
const UNINDEXED_LEN: u64 = 2 << 20;
/// The same for sections.
const UNINDEXED_SECTIONS: usize = 256;

/// A block store in a folder of append-only CARv1 files that any IPFS tool can import.
pub struct CarStore {
    pub(super) dir: PathBuf,
    segment_len: u64,
    catalog: RwLock<Catalog>,
    writer: Mutex<Writer>,
}

/// What was written and not yet synced.
#[derive(Default)]
pub(super) struct Writer {
    /// Segments with unsynced bytes.
    pub segments: BTreeSet<u32>,
    /// Whether names in the folder changed.
    pub folder: bool,
}

impl CarStore {
    /// Opens the store in `dir`; a folder that is not there is made, for its owner only.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::with_segment_len(dir, SEGMENT_LEN)
    }

    /// Opens a store that closes segments at another length.
    pub(super) fn with_segment_len(dir: &Path, segment_len: u64) -> Result<Self, StoreError> {
        files::create_dir(dir)?;
        let mut catalog = Catalog::default();
        catalog.refresh(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            segment_len,
            catalog: RwLock::new(catalog),
            writer: Mutex::default(),
        })
    }

    // No code panics while it holds one of these locks with a change half made.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Catalog> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Catalog> {
        self.catalog.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn places(&self, cid: &Cid) -> Vec<Place> {
        self.read().places(cid)
    }

    /// Reads a block from the first place that still has it, besides segment `without`.
    pub(super) fn read_block(&self, cid: &Cid, without: Option<u32>) -> io::Result<Option<Block>> {
        for place in self.places(cid) {
            if Some(place.number) != without
                && files::live_len(&place.file)?.is_some()
                && let Some(block) = place.section.read(&place.file)?
            {
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    fn is_live(&self, cid: &Cid) -> io::Result<bool> {
        for place in self.places(cid) {
            if place.is_live()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Catches up with earlier writers and mends what one of them left when it was killed.
    fn take_over(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let mut catalog = self.write();
        catalog.refresh(&self.dir)?;
        let Some((number, last)) = catalog.last() else {
            return Ok(());
        };
        let file = Arc::clone(&last.file);
        let (end, empty) = (last.end, last.live == 0 && last.filler == 0);
        let len = file.metadata()?.len();
        if last.bad.is_empty() && len == end && segment::has_header(&file)? {
            return Ok(());
        }
        writer.segments.insert(number);
        if !segment::has_header(&file)? {
            let mut found = HEADER;
            let whole = segment::read_at(&file, &mut found, 0)?;
            if empty && whole && found.iter().any(|byte| *byte != 0) {
                let name = files::segment(&self.dir, number);
                let name = name.file_name().unwrap_or_default().to_string_lossy();
                return Err(StoreError::Damaged(format!("{name} is not a segment")));
            }
            segment::write_at(&file, &HEADER, 0)?;
        }
        file.set_len(end)?;
        let bad = catalog.segments.get_mut(&number);
        let bad = bad.map(|segment| std::mem::take(&mut segment.bad));
        for section in bad.unwrap_or_default() {
            if let Some(cid) = catalog.fillers.cid(&section) {
                segment::erase(&file, &section)?;
                let at = section.offset - Cid::LEN as u64;
                segment::write_at(&file, &cid.to_bytes(), at)?;
            }
            if let Some(segment) = catalog.segments.get_mut(&number) {
                segment.filler += section.total();
            }
        }
        Ok(())
    }

    /// Changes files while no other thread takes what is half done for another process's work.
    /// After a failure everything is read anew.
    fn exclusively<T>(
        &self,
        change: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write().writing = true;
        let result = change();
        let mut catalog = self.write();
        catalog.writing = false;
        if result.is_err() {
            *catalog = Catalog::default();
        }
        result
    }

    /// Appends blocks; their segments are in `writer` afterwards.
    pub(super) fn append(
        &self,
        writer: &mut Writer,
        mut blocks: &[&Block],
    ) -> Result<(), StoreError> {
        while let Some(first) = blocks.first() {
            let (number, file, end) = self.room(writer, first)?;
            let mut at = end;
            let mut sections = Vec::new();
            let mut heads = Vec::new();
            for block in blocks {
                let len = block.data().len() as u32;
                if !sections.is_empty() && at + section_len(len) > self.segment_len {
                    break;
                }
                let head = section_head(block.cid(), len);
                let section = Section {
                    cid: block.cid(),
                    offset: at + head.len() as u64,
                    len,
                };
                at = section.end();
                heads.push(head);
                sections.push(section);
            }
            let (now, later) = blocks.split_at(sections.len());
            let parts = heads.iter().zip(now);
            let parts: Vec<&[u8]> = parts
                .flat_map(|(head, block)| [head.as_slice(), block.data()])
                .collect();
            if let Err(error) = segment::append(&file, end, &parts) {
                // what cannot be cut off now is cut off by the next writer
                let _ = file.set_len(end);
                return Err(error.into());
            }
            let mut catalog = self.write();
            writer.segments.insert(number);
            if let Some(segment) = catalog.segments.get_mut(&number) {
                segment.end = at;
                segment.unindexed += sections.len();
            }
            for section in &sections {
                catalog.insert(number, section);
            }
            blocks = later;
        }
        Ok(())
    }

    /// The segment that takes the next block, and where it ends.
    fn room(
        &self,
        writer: &mut Writer,
        block: &Block,
    ) -> Result<(u32, Arc<File>, u64), StoreError> {
        let last = {
            let catalog = self.read();
            let last = catalog.last();
            last.map(|(number, segment)| (number, Arc::clone(&segment.file), segment.end))
        };
        let need = section_len(block.data().len() as u32);
        match last {
            Some((number, file, end)) if end == HEADER_LEN || end + need <= self.segment_len => {
                Ok((number, file, end))
            }
            Some((number, file, _)) => {
                file.sync_data()?;
                writer.segments.remove(&number);
                self.save_index(number)?;
                self.create(writer, number)
            }
            None => self.create(writer, 0),
        }
    }

    /// Starts the segment after segment `last`, which is durable.
    pub(super) fn create(
        &self,
        writer: &mut Writer,
        last: u32,
    ) -> Result<(u32, Arc<File>, u64), StoreError> {
        let number = last
            .checked_add(1)
            .filter(|number| *number < 100_000_000)
            .ok_or_else(|| StoreError::Damaged("no segment number left".into()))?;
        let path = files::segment(&self.dir, number);
        let mut catalog = self.write();
        let file = Arc::new(files::options().create_new(true).open(path)?);
        writer.folder = true;
        writer.segments.insert(number);
        segment::write_at(&file, &HEADER, 0)?;
        catalog.segments.insert(
            number,
            Segment {
                file: Arc::clone(&file),
                end: HEADER_LEN,
                indexed: 0,
                unindexed: 0,
                live: 0,
                filler: 0,
                bad: Vec::new(),
            },
        );
        Ok((number, file, HEADER_LEN))
    }

    /// Writes the index of a segment that was synced.
    pub(super) fn save_index(&self, number: u32) -> io::Result<()> {
        let mut catalog = self.write();
        let mut sections = catalog.sections(number);
        let Some(segment) = catalog.segments.get_mut(&number) else {
            return Ok(());
        };
        let head = IndexHead {
            segment: number,
            covered: segment.end,
            filler: segment.filler,
        };
        index::save(&files::index(&self.dir, number), head, &mut sections)?;
        segment.indexed = segment.end;
        segment.unindexed = 0;
        Ok(())
    }

    pub(super) fn sync_written(&self, writer: &mut Writer) -> Result<(), StoreError> {
        while let Some(number) = writer.segments.first().copied() {
            let file = self
                .read()
                .segments
                .get(&number)
                .map(|s| Arc::clone(&s.file));
            if let Some(file) = file {
                file.sync_data()?;
            }
            writer.segments.remove(&number);
        }
        if writer.folder {
            files::sync_dir(&self.dir)?;
            writer.folder = false;
        }
        Ok(())
    }

    /// Renews indexes that are missing or lag behind. Everything must be synced.
    fn renew_indexes(&self) -> io::Result<()> {
        let lagging: Vec<u32> = {
            let catalog = self.read();
            let last = catalog.last().map(|(number, _)| number);
            let lags = |(number, segment): &(&u32, &Segment)| {
                let behind = segment.end - segment.indexed.max(HEADER_LEN);
                let closed = Some(**number) != last;
                behind >= UNINDEXED_LEN
                    || segment.unindexed >= UNINDEXED_SECTIONS
                    || (closed && behind > 0)
            };
            let segments = catalog.segments.iter();
            segments.filter(lags).map(|(number, _)| *number).collect()
        };
        lagging
            .into_iter()
            .try_for_each(|number| self.save_index(number))
    }
}

impl BlockStore for CarStore {
    fn put(&self, blocks: &[Block]) -> Result<(), StoreError> {
        refuse_zeros(blocks)?;
        let mut writer = self.writer();
        self.take_over(&mut writer)?;
        let mut seen = HashSet::new();
        let mut fresh = Vec::with_capacity(blocks.len());
        for block in blocks {
            if seen.insert(block.cid()) && self.read_block(&block.cid(), None)?.is_none() {
                fresh.push(block);
            }
        }
        self.exclusively(|| self.append(&mut writer, &fresh))
    }

    fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        if let Some(block) = self.read_block(cid, None)? {
            return Ok(Some(block));
        }
        self.write().refresh(&self.dir)?;
        Ok(self.read_block(cid, None)?)
    }

    fn has(&self, cid: &Cid) -> Result<bool, StoreError> {
        if self.is_live(cid)? {
            return Ok(true);
        }
        self.write().refresh(&self.dir)?;
        Ok(self.is_live(cid)?)
    }

    fn sync(&self) -> Result<(), StoreError> {
        let mut writer = self.writer();
        if writer.segments.is_empty() && !writer.folder {
            return Ok(());
        }
        self.sync_written(&mut writer)?;
        Ok(self.renew_indexes()?)
    }

    fn remove(&self, cids: &[Cid]) -> Result<usize, StoreError> {
        let mut writer = self.writer();
        self.take_over(&mut writer)?;
        self.exclusively(|| self.delete(&mut writer, cids))
    }

    fn list(&self) -> Result<Vec<Cid>, StoreError> {
        let mut catalog = self.write();
        catalog.refresh_removals(&self.dir)?;
        Ok(catalog.cids())
    }
}
