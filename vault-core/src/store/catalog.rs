//! What a store knows about its segments and blocks, in memory: about 64 bytes a block.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use super::files;
use super::index::{self, IndexHead};
use super::segment::{self, Fillers, HEADER_LEN, Section};
use crate::block::Cid;

/// More new bytes than this are looked up in the segment's index first.
const LONG_TAIL: u64 = 4 << 20;
/// How often the folder is listed again when it changes meanwhile.
const MAX_LISTINGS: usize = 32;

/// One segment as it was last seen.
pub(super) struct Segment {
    /// Stays readable after another process deleted the segment.
    pub file: Arc<File>,
    /// Where the known sections end; what lies behind is new or torn.
    pub end: u64,
    /// Up to where the index on disk covers it; 0 without one.
    pub indexed: u64,
    /// Sections after that.
    pub unindexed: usize,
    /// Length of the live sections, in bytes.
    pub live: u64,
    /// Length of the fillers, in bytes.
    pub filler: u64,
    /// Sections in the tail that do not match their CID: a write that never became durable.
    pub bad: Vec<Section>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Location {
    segment: u32,
    len: u32,
    offset: u64,
}

impl Location {
    const fn section(self, cid: Cid) -> Section {
        Section {
            cid,
            offset: self.offset,
            len: self.len,
        }
    }
}

/// A place where a block may be found.
pub(super) struct Place {
    pub number: u32,
    pub file: Arc<File>,
    pub section: Section,
}

impl Place {
    /// Whether the segment still exists and holds the section there.
    pub fn is_live(&self) -> io::Result<bool> {
        Ok(files::live_len(&self.file)?.is_some() && self.section.is_in(&self.file)?)
    }
}

/// All segments and the places of all blocks.
#[derive(Default)]
pub(super) struct Catalog {
    pub segments: BTreeMap<u32, Segment>,
    pub fillers: Fillers,
    /// While this process appends, nothing on disk is news.
    pub writing: bool,
    blocks: HashMap<Cid, Location>,
    /// Further places of blocks that are stored more than once, as after a kill while a segment
    /// was compacted.
    copies: HashMap<Cid, Vec<Location>>,
}

impl Catalog {
    /// Every place of a block.
    pub fn places(&self, cid: &Cid) -> Vec<Place> {
        let first = self.blocks.get(cid);
        let more = self.copies.get(cid).into_iter().flatten();
        let places = first.into_iter().chain(more).filter_map(|location| {
            Some(Place {
                number: location.segment,
                file: Arc::clone(&self.segments.get(&location.segment)?.file),
                section: location.section(*cid),
            })
        });
        places.collect()
    }

    /// Every block's CID.
    pub fn cids(&self) -> Vec<Cid> {
        self.blocks.keys().copied().collect()
    }

    /// The live sections of one segment.
    pub fn sections(&self, number: u32) -> Vec<Section> {
        let copies = self.copies.iter();
        let copies = copies.flat_map(|(cid, copies)| copies.iter().map(move |copy| (cid, copy)));
        let all = self.blocks.iter().chain(copies);
        all.filter(|(_, location)| location.segment == number)
            .map(|(cid, location)| location.section(*cid))
            .collect()
    }

    /// The segment with the highest number: the only one that grows.
    pub fn last(&self) -> Option<(u32, &Segment)> {
        let (number, segment) = self.segments.last_key_value()?;
        Some((*number, segment))
    }

    /// Adds a block that was found or written at the end of a segment.
    pub fn insert(&mut self, number: u32, section: &Section) {
        let location = Location {
            segment: number,
            len: section.len,
            offset: section.offset,
        };
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.live += section.total();
        }
        match self.blocks.entry(section.cid) {
            Entry::Vacant(entry) => {
                entry.insert(location);
            }
            Entry::Occupied(_) => self.copies.entry(section.cid).or_default().push(location),
        }
    }

    /// Forgets a section whose place was taken by a filler.
    pub fn remove(&mut self, number: u32, section: &Section) {
        let gone =
            |location: &Location| location.segment == number && location.offset == section.offset;
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.live -= section.total();
            segment.filler += section.total();
        }
        if let Some(copies) = self.copies.get_mut(&section.cid) {
            copies.retain(|copy| !gone(copy));
        }
        if self.blocks.get(&section.cid).is_some_and(gone) {
            self.blocks.remove(&section.cid);
        }
        self.promote(section.cid);
    }

    /// Forgets a whole segment.
    pub fn forget(&mut self, number: u32) {
        self.segments.remove(&number);
        self.blocks.retain(|_, location| location.segment != number);
        for copies in self.copies.values_mut() {
            copies.retain(|copy| copy.segment != number);
        }
        for cid in self.copies.keys().copied().collect::<Vec<_>>() {
            self.promote(cid);
        }
    }

    /// Lets a copy stand in for a first place that is gone.
    fn promote(&mut self, cid: Cid) {
        let Some(copies) = self.copies.get_mut(&cid) else {
            return;
        };
        if !self.blocks.contains_key(&cid)
            && let Some(copy) = copies.pop()
        {
            self.blocks.insert(cid, copy);
        }
        if copies.is_empty() {
            self.copies.remove(&cid);
        }
    }

    /// Takes up segments and sections that other processes added, and drops segments that they
    /// deleted.
    pub fn refresh(&mut self, dir: &Path) -> io::Result<()> {
        if self.writing {
            return Ok(());
        }
        let mut numbers = files::segments(dir)?;
        for _ in 0..MAX_LISTINGS {
            let known: Vec<u32> = self.segments.keys().copied().collect();
            for number in known {
                if numbers.binary_search(&number).is_err() {
                    self.forget(number);
                }
            }
            for number in &numbers {
                self.refresh_segment(dir, *number, Some(number) == numbers.last())?;
            }
            // a block can move to a new segment between two steps of one listing
            let now = files::segments(dir)?;
            if now == numbers {
                return Ok(());
            }
            numbers = now;
        }
        Err(io::Error::new(
            ErrorKind::ResourceBusy,
            "segments keep changing",
        ))
    }

    fn refresh_segment(&mut self, dir: &Path, number: u32, last: bool) -> io::Result<()> {
        let Some(segment) = self.segments.get(&number) else {
            return self.load(dir, number, last);
        };
        match files::live_len(&segment.file)? {
            None => self.forget(number),
            Some(len) if len.max(HEADER_LEN) < segment.end || len > segment.end + LONG_TAIL => {
                self.reload(dir, number, last)?;
            }
            Some(len) => self.grow(number, len, last)?,
        }
        Ok(())
    }

    /// Also notices what other processes removed inside segments, for a full list.
    pub fn refresh_removals(&mut self, dir: &Path) -> io::Result<()> {
        self.refresh(dir)?;
        if self.writing {
            return Ok(());
        }
        let last = self.last().map(|(number, _)| number);
        for number in self.segments.keys().copied().collect::<Vec<_>>() {
            let head = IndexHead::read(&files::index(dir, number), number)?;
            let filler = self.segments.get(&number).map(|segment| segment.filler);
            if head.map(|head| head.filler) != filler {
                self.reload(dir, number, last == Some(number))?;
            }
        }
        Ok(())
    }

    fn reload(&mut self, dir: &Path, number: u32, last: bool) -> io::Result<()> {
        self.forget(number);
        self.load(dir, number, last)
    }

    /// Reads a segment's index and what was appended after it.
    fn load(&mut self, dir: &Path, number: u32, last: bool) -> io::Result<()> {
        let file = match files::open(&files::segment(dir, number)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let len = file.metadata()?.len();
        let index = index::load(&files::index(dir, number), number, &file, len)?;
        let mut segment = Segment {
            file: Arc::new(file),
            end: HEADER_LEN,
            indexed: 0,
            unindexed: 0,
            live: 0,
            filler: 0,
            bad: Vec::new(),
        };
        let sections = index.map_or_else(Vec::new, |(head, sections)| {
            segment.end = head.covered;
            segment.indexed = head.covered;
            segment.filler = head.filler;
            sections
        });
        self.segments.insert(number, segment);
        self.blocks.reserve(sections.len());
        for section in &sections {
            self.insert(number, section);
        }
        self.grow(number, len, last)
    }

    /// Takes up the sections between the known end and `len`. In the last segment they may
    /// never have become durable, so each one is checked against its CID, and the end is set
    /// after the last good one.
    fn grow(&mut self, number: u32, len: u64, last: bool) -> io::Result<()> {
        let Some(segment) = self.segments.get_mut(&number) else {
            return Ok(());
        };
        if len <= segment.end {
            return Ok(());
        }
        let file = Arc::clone(&segment.file);
        let found = segment::scan(&file, segment.end, len)?;
        self.fillers.learn(&found);
        let mut pending = Vec::new();
        for section in found {
            let filler = self.fillers.is_filler(&section);
            if !filler && last && section.read(&file)?.is_none() {
                pending.push(section);
                continue;
            }
            let Some(segment) = self.segments.get_mut(&number) else {
                return Ok(());
            };
            segment.bad.append(&mut pending);
            segment.end = section.end();
            segment.unindexed += 1;
            if filler {
                segment.filler += section.total();
            } else {
                self.insert(number, &section);
            }
        }
        Ok(())
    }
}
