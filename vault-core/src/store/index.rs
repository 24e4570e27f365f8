//! The sidecar index of a segment: a cache of what a scan of its section heads would find.
//!
//! Layout, integers little-endian: 8 bytes `MVCARIDX`, segment number u32, entry count u32,
//! covered length u64, filler bytes u64; then per block, sorted by CID: codec u8, SHA-256,
//! offset of the data u64, length u32; then the SHA-256 of all that. An index that is missing,
//! altered or of another segment is not used.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::files;
use super::segment::{HEADER_LEN, Section};
use crate::block::{Cid, Codec, Digest, MAX_BLOCK_LEN};

const MAGIC: &[u8; 8] = b"MVCARIDX";
const HEAD_LEN: usize = 32;
const ENTRY_LEN: usize = 45;
const CHECK_LEN: usize = 32;

/// What an index says before its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexHead {
    /// The segment's number.
    pub segment: u32,
    /// Up to where in the segment its sections are known, in bytes.
    pub covered: u64,
    /// How much of that is fillers, in bytes. Grows with every removal, so it tells whether two
    /// views of a segment are the same.
    pub filler: u64,
}

impl IndexHead {
    /// Reads only the head; `None` when there is no index or its head is of something else.
    pub fn read(path: &Path, segment: u32) -> io::Result<Option<Self>> {
        let mut bytes = [0; HEAD_LEN];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut bytes));
        match read {
            Ok(()) => Ok(Self::parse(&bytes, segment).map(|(head, _)| head)),
            Err(error) if absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(bytes: &[u8], segment: u32) -> Option<(Self, usize)> {
        let u32_at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let u64_at = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let head = Self {
            segment: u32_at(8)?,
            covered: u64_at(16)?,
            filler: u64_at(24)?,
        };
        let count = u32_at(12)? as usize;
        (bytes.starts_with(MAGIC) && head.segment == segment).then_some((head, count))
    }
}

/// Encodes an index; sorts `sections`.
pub(super) fn encode(head: IndexHead, sections: &mut [Section]) -> Vec<u8> {
    sections.sort_unstable_by_key(|section| (section.cid, section.offset));
    let mut bytes = Vec::with_capacity(HEAD_LEN + sections.len() * ENTRY_LEN + CHECK_LEN);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&head.segment.to_le_bytes());
    bytes.extend_from_slice(&(sections.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&head.covered.to_le_bytes());
    bytes.extend_from_slice(&head.filler.to_le_bytes());
    for section in sections {
        bytes.push(match section.cid.codec() {
            Codec::Raw => 0x55,
            Codec::DagCbor => 0x71,
        });
        bytes.extend_from_slice(section.cid.digest().as_bytes());
        bytes.extend_from_slice(&section.offset.to_le_bytes());
        bytes.extend_from_slice(&section.len.to_le_bytes());
    }
    let check = Digest::of(&bytes);
    bytes.extend_from_slice(check.as_bytes());
    bytes
}

/// Decodes the index of segment `segment`; `None` when anything about it is wrong.
pub(super) fn decode(bytes: &[u8], segment: u32) -> Option<(IndexHead, Vec<Section>)> {
    let (body, check) = bytes.split_at_checked(bytes.len().checked_sub(CHECK_LEN)?)?;
    let (head, count) = IndexHead::parse(body, segment)?;
    let entries = body.get(HEAD_LEN..)?;
    if Digest::of(body).as_bytes() != check || entries.len() != count.checked_mul(ENTRY_LEN)? {
        return None;
    }
    let sections: Option<Vec<Section>> = entries
        .chunks_exact(ENTRY_LEN)
        .map(|entry| {
            let codec = match entry[0] {
                0x55 => Codec::Raw,
                0x71 => Codec::DagCbor,
                _ => return None,
            };
            let section = Section {
                cid: Cid::new(codec, Digest::from_bytes(entry[1..33].try_into().ok()?)),
                offset: u64::from_le_bytes(entry[33..41].try_into().ok()?),
                len: u32::from_le_bytes(entry[41..45].try_into().ok()?),
            };
            let inside = section.offset > HEADER_LEN + Cid::LEN as u64
                && section.len as usize <= MAX_BLOCK_LEN
                && section.offset.checked_add(u64::from(section.len))? <= head.covered;
            inside.then_some(section)
        })
        .collect();
    Some((head, sections?))
}

/// Loads the index of a segment that is `len` bytes long; `None` when it has to be rebuilt.
pub(super) fn load(
    path: &Path,
    segment: u32,
    file: &File,
    len: u64,
) -> io::Result<Option<(IndexHead, Vec<Section>)>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some((head, sections)) = decode(&bytes, segment) else {
        return Ok(None);
    };
    // an index of another file would pass so far: compare the last block's head
    let last = sections.iter().max_by_key(|section| section.offset);
    let matches = last.map_or(Ok(true), |section| section.is_in(file))?;
    Ok((head.covered <= len && matches).then_some((head, sections)))
}

/// Writes an index beside its segment. Not synced: a torn index is rebuilt.
pub(super) fn save(path: &Path, head: IndexHead, sections: &mut [Section]) -> io::Result<()> {
    let temporary = path.with_extension("idx.tmp");
    files::write(&temporary, &encode(head, sections))?;
    fs::rename(&temporary, path)
}

fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::block;

    #[test]
    fn every_altered_byte_is_noticed() {
        let head = IndexHead {
            segment: 7,
            covered: 5000,
            filler: 120,
        };
        let mut sections: Vec<Section> = (0..5)
            .map(|at| Section {
                cid: block(at, 64).cid(),
                offset: 100 + at * 200,
                len: 64,
            })
            .collect();
        let bytes = encode(head, &mut sections);
        assert_eq!(bytes.len(), HEAD_LEN + 5 * ENTRY_LEN + CHECK_LEN);
        assert_eq!(decode(&bytes, 7), Some((head, sections)));
        assert_eq!(decode(&bytes, 8), None);
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert_eq!(decode(&altered, 7), None, "byte {at}");
            assert_eq!(decode(&bytes[..at], 7), None, "cut at {at}");
        }
    }

    #[test]
    fn entries_outside_the_covered_part_are_refused() {
        let head = IndexHead {
            segment: 1,
            covered: 163,
            filler: 0,
        };
        let section = |offset| Section {
            cid: block(1, 64).cid(),
            offset,
            len: 64,
        };
        for (offset, good) in [(54, false), (55, true), (99, true), (100, false)] {
            let bytes = encode(head, &mut [section(offset)]);
            assert_eq!(decode(&bytes, 1).is_some(), good, "{offset}");
        }
    }
}
