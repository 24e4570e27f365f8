//! Deleting blocks from CAR files, and giving the room back.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::sync::Arc;

use super::car::{CarStore, Writer};
use super::catalog::{Place, Segment};
use super::segment::{self, HEADER_LEN};
use super::{StoreError, files};
use crate::block::Cid;

/// Bytes held in memory while a segment is dissolved.
const COPY_LEN: usize = 4 << 20;

impl CarStore {
    /// Deletes blocks wherever they are, durably. Returns how many there were.
    pub(super) fn delete(&self, writer: &mut Writer, cids: &[Cid]) -> Result<usize, StoreError> {
        let mut doomed = Vec::new();
        let mut count = 0;
        for cid in cids.iter().collect::<HashSet<_>>() {
            let before = doomed.len();
            for place in self.places(cid) {
                if place.is_live()? {
                    doomed.push(place);
                }
            }
            count += usize::from(doomed.len() > before);
        }
        doomed.sort_unstable_by_key(|place| (place.number, place.section.offset));
        let dissolved = self.dissolve_dying(writer, &doomed)?;
        doomed.retain(|place| !dissolved.contains(&place.number));
        self.erase(writer, &doomed)?;
        self.compact(writer)?;
        let touched: BTreeSet<u32> = doomed.iter().map(|place| place.number).collect();
        for number in touched {
            self.save_index(number)?;
        }
        Ok(count)
    }

    /// Turns sections into fillers. First the data goes, durably, then the name: a removal that
    /// was interrupted is found again and can be repeated.
    fn erase(&self, writer: &mut Writer, places: &[Place]) -> Result<(), StoreError> {
        if places.is_empty() {
            return Ok(());
        }
        let mut touched: BTreeMap<u32, Arc<File>> = BTreeMap::new();
        for place in places {
            touched.insert(place.number, Arc::clone(&place.file));
        }
        for number in touched.keys() {
            // an index must never name what is gone
            writer.folder |= files::delete(&files::index(&self.dir, *number))?;
            if let Some(segment) = self.write().segments.get_mut(number) {
                segment.indexed = 0;
            }
        }
        writer.segments.extend(touched.keys());
        for place in places {
            segment::erase(&place.file, &place.section)?;
        }
        self.sync_written(writer)?;

        writer.segments.extend(touched.keys());
        self.write()
            .fillers
            .learn(places.iter().map(|place| &place.section));
        for place in places {
            let filler = self.read().fillers.cid(&place.section);
            if let Some(filler) = filler {
                let at = place.section.offset - Cid::LEN as u64;
                segment::write_at(&place.file, &filler.to_bytes(), at)?;
            }
        }
        self.sync_written(writer)?;
        let mut catalog = self.write();
        for place in places {
            catalog.remove(place.number, &place.section);
        }
        Ok(())
    }

    /// Dissolves the closed segments that will be mostly dead without `doomed`: a file is gone in
    /// one step, where giving back the room of its blocks one by one takes a millisecond each.
    fn dissolve_dying(
        &self,
        writer: &mut Writer,
        doomed: &[Place],
    ) -> Result<BTreeSet<u32>, StoreError> {
        let mut dying: BTreeMap<u32, u64> = BTreeMap::new();
        for place in doomed {
            *dying.entry(place.number).or_default() += place.section.total();
        }
        {
            let catalog = self.read();
            let last = catalog.last().map(|(number, _)| number);
            dying.retain(|number, len| {
                let segment = catalog.segments.get(number);
                Some(*number) != last
                    && segment.is_some_and(|segment| {
                        segment.live.saturating_sub(*len) * 2 < segment.end - HEADER_LEN
                    })
            });
        }
        let cids = doomed.iter().map(|place| place.section.cid).collect();
        for number in dying.keys() {
            self.dissolve(writer, *number, &cids)?;
        }
        Ok(dying.into_keys().collect())
    }

    /// Dissolves the segments that are mostly dead.
    fn compact(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let sparse: Vec<u32> = {
            let catalog = self.read();
            let last = catalog.last().map(|(number, _)| number);
            let is_sparse = |(number, segment): &(&u32, &Segment)| {
                let used = segment.end - HEADER_LEN;
                let closed = Some(**number) != last;
                (closed && segment.live * 2 < used) || (segment.live == 0 && used > 0)
            };
            let segments = catalog.segments.iter();
            segments
                .filter(is_sparse)
                .map(|(number, _)| *number)
                .collect()
        };
        for number in sparse {
            self.dissolve(writer, number, &HashSet::new())?;
        }
        Ok(())
    }

    /// Copies what is alive in a segment, besides `doomed`, to the last one and deletes the segment.
    fn dissolve(
        &self,
        writer: &mut Writer,
        number: u32,
        doomed: &HashSet<Cid>,
    ) -> Result<(), StoreError> {
        let (mut sections, last) = {
            let catalog = self.read();
            (
                catalog.sections(number),
                catalog.last().map(|(last, _)| last),
            )
        };
        if last == Some(number) {
            // numbers are never used again, so the highest one stays in the folder
            self.create(writer, number)?;
        }
        sections.sort_unstable_by_key(|section| section.offset);
        let mut batch = Vec::new();
        let mut len = 0;
        for section in &sections {
            if doomed.contains(&section.cid)
                || self.read_block(&section.cid, Some(number))?.is_some()
            {
                continue;
            }
            if let Some(block) = self.read_block(&section.cid, None)? {
                len += block.data().len();
                batch.push(block);
            }
            if len >= COPY_LEN {
                self.append(writer, &batch.iter().collect::<Vec<_>>())?;
                batch.clear();
                len = 0;
            }
        }
        self.append(writer, &batch.iter().collect::<Vec<_>>())?;
        self.sync_written(writer)?;
        files::delete(&files::index(&self.dir, number))?;
        files::delete(&files::segment(&self.dir, number))?;
        writer.folder = true;
        self.write().forget(number);
        self.sync_written(writer)
    }
}
