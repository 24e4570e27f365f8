//! What a parcel must be before anything of it is believed.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read, Seek, Write};

use super::DepositError;
use super::note::{Note, NoteEntry, places};
use super::parcel::Parcel;
use crate::block::{Cid, Digest};
use crate::body::long::{LongReader, blocks_for};
use crate::body::{BodyContext, BodyError, Location, RecordHeader, open_packed};
use crate::ids::RecordId;
use crate::index::IndexEntry;
use crate::record::{SameHash, Sensitivity};
use crate::store::{BlockSource, SourceError};
use crate::vault::capped;

/// How much of a deposit is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Small bodies whole; of long ones the header, the maps and the end.
    Headers,
    /// Everything.
    Contents,
}

/// A record of a deposit that holds.
#[derive(Debug)]
pub(crate) struct Checked {
    /// As the vault would list it; `sealed` is not set.
    pub(crate) entry: IndexEntry,
    /// The labels that its author signed.
    pub(crate) header: RecordHeader,
    /// Hash by which the same content is found again; `None` when it was not read.
    pub(crate) same: Option<Digest>,
}

/// Checks a parcel against its opened note: every record is new and opens with its key as what its
/// author signed, the author is the one who signed the note, places do not overlap or lead out of
/// the parcel, and every block belongs to a record. Records get the labels that `sensitivity` finds.
pub(crate) fn check<R: Read + Seek + Send>(
    parcel: &Parcel<R>,
    note: &Note,
    sensitivity: &Sensitivity,
    depth: Depth,
) -> Result<Vec<Checked>, DepositError> {
    if note.entries.is_empty() {
        return Err(DepositError::NotAParcel("it holds no record"));
    }
    let mut records = HashSet::new();
    let mut versions = HashSet::new();
    for entry in &note.entries {
        if !records.insert(entry.record) || !versions.insert(entry.version) {
            return Err(disagrees(entry, "it is there twice"));
        }
        if places(&entry.location)
            .iter()
            .any(|at| parcel.block_len(at).is_none())
        {
            return Err(disagrees(entry, "its blocks are not in the deposit"));
        }
    }
    let checking = Checking {
        parcel,
        note,
        sensitivity,
        depth,
        records,
    };
    let mut used = HashSet::new();
    let mut checked: Vec<Option<Checked>> = Vec::new();
    checked.resize_with(note.entries.len(), || None);
    for (digest, places) in packs(&note.entries) {
        used.insert(digest);
        let block = parcel.fetch(&[Cid::raw(digest)])?.pop();
        let block = block.ok_or(SourceError::Missing(Cid::raw(digest)))?;
        let mut free = 0;
        for (offset, len, at) in places {
            let entry = &note.entries[at];
            let end = offset.saturating_add(len);
            if offset < free {
                return Err(disagrees(entry, "it overlaps another"));
            }
            free = end;
            let sealed = block.data().get(offset as usize..end as usize);
            let sealed = sealed.ok_or_else(|| disagrees(entry, "its place is not in the block"))?;
            checked[at] = Some(checking.packed(entry, sealed)?);
        }
    }
    for (at, entry) in note.entries.iter().enumerate() {
        if checked[at].is_none() {
            checked[at] = Some(checking.long(entry, &mut used)?);
        }
    }
    if parcel.digests().any(|digest| !used.contains(digest)) {
        return Err(DepositError::NotAParcel("a block belongs to no record"));
    }
    Ok(checked.into_iter().flatten().collect())
}

fn disagrees(entry: &NoteEntry, what: &'static str) -> DepositError {
    let record = entry.record;
    DepositError::Disagrees { record, what }
}

/// The packed entries of each block: offset, length, position in the note, in order of offset.
fn packs(entries: &[NoteEntry]) -> BTreeMap<Digest, Vec<(u32, u32, usize)>> {
    let mut packs: BTreeMap<Digest, Vec<_>> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        if let Location::Packed { block, offset, len } = entry.location {
            packs.entry(block).or_default().push((offset, len, at));
        }
    }
    packs.values_mut().for_each(|places| places.sort_unstable());
    packs
}

struct Checking<'a, R> {
    parcel: &'a Parcel<R>,
    note: &'a Note,
    sensitivity: &'a Sensitivity,
    depth: Depth,
    records: HashSet<RecordId>,
}

impl<R: Read + Seek + Send> Checking<'_, R> {
    fn packed(&self, entry: &NoteEntry, sealed: &[u8]) -> Result<Checked, DepositError> {
        let opened = open_packed(self.context(entry), &entry.cek, sealed);
        let (header, content) = opened.map_err(|error| in_body(entry, error))?;
        let same = SameHash::of(&header.header.meta, &content);
        let mut checked = self.header(entry, header.header, Some(same))?;
        let meta = &mut checked.entry.meta;
        match std::str::from_utf8(&content) {
            Ok(text) => self.sensitivity.label_resource(meta, text),
            Err(_) => self.sensitivity.label(meta),
        };
        Ok(checked)
    }

    fn long(&self, entry: &NoteEntry, used: &mut HashSet<Digest>) -> Result<Checked, DepositError> {
        let fits = match entry.location {
            Location::Long { len, .. } => blocks_for(len) <= self.parcel.blocks() as u64,
            Location::Packed { .. } => false,
        };
        if !fits {
            return Err(disagrees(entry, "it is longer than the deposit"));
        }
        let in_body = |error| in_body(entry, error);
        let (context, location) = (self.context(entry), &entry.location);
        let reader =
            LongReader::open(context, &entry.cek, location, self.parcel).map_err(in_body)?;
        let blocks = reader.all_blocks().map_err(in_body)?;
        if blocks
            .iter()
            .any(|digest| self.parcel.block_len(digest).is_none())
        {
            return Err(disagrees(entry, "its blocks are not in the deposit"));
        }
        if blocks.into_iter().any(|digest| !used.insert(digest)) {
            return Err(disagrees(entry, "it shares a block with another"));
        }
        let header = reader.header().header.clone();
        let same = match self.depth {
            Depth::Headers => {
                reader.check_end().map_err(in_body)?;
                None
            }
            Depth::Contents => {
                let mut hash = Hashing(SameHash::new(&header.meta));
                reader.copy_to(&mut hash).map_err(in_body)?;
                Some(hash.0.finish())
            }
        };
        let mut checked = self.header(entry, header, same)?;
        self.sensitivity.label(&mut checked.entry.meta);
        Ok(checked)
    }

    fn context<'b>(&'b self, entry: &'b NoteEntry) -> BodyContext<'b> {
        BodyContext {
            vault: &self.note.vault,
            record: &entry.record,
            version: &entry.version,
            kind: &entry.kind,
        }
    }

    /// The header is one that the sender may have signed for a new record.
    fn header(
        &self,
        entry: &NoteEntry,
        header: RecordHeader,
        same: Option<Digest>,
    ) -> Result<Checked, DepositError> {
        if header.author != *self.note.signers.owner() || header.signer != self.note.signer {
            return Err(disagrees(entry, "it is signed by someone else"));
        }
        if header.prev.is_some() {
            return Err(disagrees(entry, "it is a version of another record"));
        }
        let foreign = |origin: &RecordId| !self.records.contains(origin);
        if header.meta.origin.as_ref().is_some_and(foreign) {
            return Err(disagrees(entry, "it claims to come from another record"));
        }
        let mut meta = capped(header.meta.clone());
        if meta != header.meta {
            return Err(disagrees(entry, "it has too many labels or codes"));
        }
        meta.date = meta.date.map(|date| date.to_day());
        let entry = IndexEntry {
            record: entry.record,
            version: entry.version,
            meta,
            len: header.len,
            added: header.created,
            source: header.source.clone(),
            location: entry.location.clone(),
            cek: crate::index::ContentKey::Plain(entry.cek.clone()),
            sealed: 0,
            name: None,
        };
        Ok(Checked {
            entry,
            header,
            same,
        })
    }
}

fn in_body(entry: &NoteEntry, error: BodyError) -> DepositError {
    let record = entry.record;
    DepositError::Body { record, error }
}

/// Hashes what is written to it.
struct Hashing(SameHash);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
