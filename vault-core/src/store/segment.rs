//! One segment: an append-only CARv1 file.
//!
//! A segment is a header without roots, then sections: `varint(36 + len) || CID || data`. A copy
//! of the folder can be imported with any tool that reads CAR files. Source: IPLD CARv1
//! specification; unsigned varints after the multiformats specification.
//!
//! The place of a deleted block is taken by a *filler*: a section of the same length, all zero,
//! under the raw CID of that many zero bytes. The file stays a valid CAR, and on Linux the zeros
//! take no room on disk.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, ErrorKind};

use sha2::{Digest as _, Sha256};

use crate::block::{Block, Cid, Codec, Digest, MAX_BLOCK_LEN};
#[cfg(test)]
use crate::car::section_head;
use crate::car::{parse_varint, varint};

/// The CARv1 header `{"roots": [], "version": 1}`, with its length before it.
pub(super) const HEADER: [u8; 18] = *b"\x11\xa2eroots\x80gversion\x01";
/// Length of [`HEADER`], in bytes: where the first section starts.
pub(super) const HEADER_LEN: u64 = HEADER.len() as u64;
/// Longest section head: a varint of at most 3 bytes (1 MiB + 36) and the CID.
const MAX_HEAD: usize = 3 + Cid::LEN;
/// Bytes in one write. Linux 6.18 with ext4 takes two to six times as long over the same data in
/// writes of 4 MiB and more.
#[cfg(unix)]
const WRITE_LEN: usize = (1 << 20) + (64 << 10);

/// Shorter sections are overwritten with zeros: giving back their room costs 0.5 ms and more with
/// ext4, each time. Compaction gives it back later.
const PUNCH_LEN: u32 = 128 << 10;

/// A section as its head tells it; the data is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Section {
    /// The name under which the data is stored.
    pub cid: Cid,
    /// Where the data starts in the file.
    pub offset: u64,
    /// Length of the data, in bytes.
    pub len: u32,
}

impl Section {
    /// Where the section ends in the file.
    pub const fn end(&self) -> u64 {
        self.offset + self.len as u64
    }

    /// Length with its head, in bytes.
    pub fn total(&self) -> u64 {
        section_len(self.len)
    }

    /// Whether the file still holds this section here.
    pub fn is_in(&self, file: &File) -> io::Result<bool> {
        let mut head = [0; Cid::LEN];
        let there = read_at(file, &mut head, self.offset - Cid::LEN as u64)?;
        Ok(there && head == self.cid.to_bytes())
    }

    /// Reads the block; `None` when its bytes are not there or do not match the CID.
    pub fn read(&self, file: &File) -> io::Result<Option<Block>> {
        let mut data = vec![0; self.len as usize];
        if !read_at(file, &mut data, self.offset)? {
            return Ok(None);
        }
        Ok(Block::verify(self.cid, data).ok())
    }
}

/// Length of a section with `len` bytes of data, head included.
pub(super) fn section_len(len: u32) -> u64 {
    let body = Cid::LEN as u64 + u64::from(len);
    body + varint(body).len() as u64
}

/// Reads a section's head: data length, CID, length of the head. Only what `section_head`
/// writes is accepted, so lengths can be computed back.
fn parse_head(bytes: &[u8]) -> Option<(u32, Cid, usize)> {
    let (body, width) = parse_varint(bytes)?;
    let len = body.checked_sub(Cid::LEN as u64)?;
    if len > MAX_BLOCK_LEN as u64 {
        return None;
    }
    let cid = Cid::from_bytes(bytes.get(width..width + Cid::LEN)?).ok()?;
    Some((u32::try_from(len).ok()?, cid, width + Cid::LEN))
}

/// Whether the file starts as a segment does.
pub(super) fn has_header(file: &File) -> io::Result<bool> {
    let mut found = [0; HEADER.len()];
    Ok(read_at(file, &mut found, 0)? && found == HEADER)
}

/// Lists the whole sections between `from` and `len`, reading only their heads.
pub(super) fn scan(file: &File, from: u64, len: u64) -> io::Result<Vec<Section>> {
    let mut sections = Vec::new();
    let mut at = from;
    let mut buffer = [0; MAX_HEAD];
    while at < len {
        let room = usize::try_from(len - at).map_or(MAX_HEAD, |room| room.min(MAX_HEAD));
        let buffer = &mut buffer[..room];
        if !read_at(file, buffer, at)? {
            break;
        }
        let Some((data_len, cid, head_len)) = parse_head(buffer) else {
            break;
        };
        let section = Section {
            cid,
            offset: at + head_len as u64,
            len: data_len,
        };
        if section.end() > len {
            break;
        }
        at = section.end();
        sections.push(section);
    }
    Ok(sections)
}

/// The CIDs of fillers, by length. One pass over 1 MiB of zeros at most names them all.
#[derive(Default)]
pub(super) struct Fillers(HashMap<u32, Digest>);

impl Fillers {
    /// Prepares for the lengths of `sections`.
    pub fn learn<'a>(&mut self, sections: impl IntoIterator<Item = &'a Section>) {
        let lengths = sections.into_iter().map(|section| section.len);
        let missing: BTreeSet<u32> = lengths.filter(|len| !self.0.contains_key(len)).collect();
        let zeros = [0; 4096];
        let mut hash = Sha256::new();
        let mut hashed = 0;
        for len in missing {
            while hashed < len {
                let step = (len - hashed).min(zeros.len() as u32);
                hash.update(&zeros[..step as usize]);
                hashed += step;
            }
            let digest = Digest::from_bytes(hash.clone().finalize().into());
            self.0.insert(len, digest);
        }
    }

    /// The CID of the filler that takes this section's place; `None` before
    /// [`Fillers::learn`].
    pub fn cid(&self, section: &Section) -> Option<Cid> {
        self.0.get(&section.len).copied().map(Cid::raw)
    }

    /// Whether the section is a filler.
    pub fn is_filler(&self, section: &Section) -> bool {
        section.cid.codec() == Codec::Raw && self.cid(section) == Some(section.cid)
    }
}

/// Turns a section's data into zeros and gives the room back where the system can.
pub(super) fn erase(file: &File, section: &Section) -> io::Result<()> {
    if section.len == 0 || (section.len >= PUNCH_LEN && punch(file, section)?) {
        return Ok(());
    }
    write_at(file, &vec![0; section.len as usize], section.offset)
}

/// Punches a hole; `false` when this file system cannot.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn punch(file: &File, section: &Section) -> io::Result<bool> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    loop {
        match fallocate(file, flags, section.offset, u64::from(section.len)) {
            Ok(()) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn punch(_: &File, _: &Section) -> io::Result<bool> {
    Ok(false)
}

/// Writes `parts` one after the other from `offset`, about [`WRITE_LEN`] at a time.
#[cfg(unix)]
pub(super) fn append(mut file: &File, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
    use std::io::{IoSlice, Seek as _, SeekFrom, Write as _};

    // reads and other writes name their offset, so the cursor is ours
    file.seek(SeekFrom::Start(offset))?;
    let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        let mut len = 0;
        let fits = rest.iter().take_while(|part| {
            len += part.len();
            len <= WRITE_LEN
        });
        let count = fits.count().max(1);
        match file.write_vectored(&rest[..count]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes `parts` one after the other from `offset`.
#[cfg(windows)]
pub(super) fn append(file: &File, mut offset: u64, parts: &[&[u8]]) -> io::Result<()> {
    for part in parts {
        write_at(file, part, offset)?;
        offset += part.len() as u64;
    }
    Ok(())
}

/// Fills `buffer` from `offset`; `false` when the file ends before.
#[cfg(unix)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    use std::os::unix::fs::FileExt;
    match file.read_exact_at(buffer, offset) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes all of `bytes` at `offset`.
#[cfg(unix)]
pub(super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    file.write_all_at(bytes, offset)
}

/// Fills `buffer` from `offset`; `false` when the file ends before.
#[cfg(windows)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    use std::os::windows::fs::FileExt;
    let mut done = 0;
    while done < buffer.len() {
        match file.seek_read(&mut buffer[done..], offset + done as u64) {
            Ok(0) => return Ok(false),
            Ok(read) => done += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Writes all of `bytes` at `offset`.
#[cfg(windows)]
pub(super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    let mut done = 0;
    while done < bytes.len() {
        match file.seek_write(&bytes[done..], offset + done as u64) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => done += written,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::block;

    #[test]
    fn heads_round_trip_and_nothing_else_is_read() {
        for len in [0, 1, 91, 92, 16_347, 16_348, 262_400, MAX_BLOCK_LEN as u32] {
            let cid = block(u64::from(len), 64).cid();
            let bytes = section_head(cid, len);
            assert_eq!(parse_head(&bytes), Some((len, cid, bytes.len())));
            assert_eq!(section_len(len), (bytes.len() + len as usize) as u64);
            assert_eq!(parse_head(&bytes[..bytes.len() - 1]), None);
        }
        let cid = block(1, 64).cid();
        assert_eq!(
            parse_head(&section_head(cid, MAX_BLOCK_LEN as u32 + 1)),
            None
        );
        let mut padded = section_head(cid, 0); // 36 = 0x24, here as two bytes
        padded.splice(..1, [0xa4, 0x00]);
        assert_eq!(parse_head(&padded), None);
        assert_eq!(parse_head(&[0; 50]), None);
    }

    #[test]
    fn fillers_are_the_cids_of_zeros() {
        let mut fillers = Fillers::default();
        let section = |len: u32| Section {
            cid: Cid::raw(Digest::of(&vec![0; len as usize])),
            offset: 0,
            len,
        };
        let lengths = [5000, 0, 1, 4096, 262_400, MAX_BLOCK_LEN as u32];
        fillers.learn(&lengths.map(section));
        for len in lengths {
            assert!(fillers.is_filler(&section(len)), "{len}");
        }
        let other = Section {
            cid: section(2).cid,
            ..section(1)
        };
        assert!(!fillers.is_filler(&other));
    }
}
