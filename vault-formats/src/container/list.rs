//! The list at the end of a zip archive: where it is, and whether reading it stays within limits.
//!
//! The `zip` crate reads the list; what is here only measures it before. The crate cannot be given
//! limits, and it believes the number of members in the record at the end, which tools without the
//! 64-bit form write modulo 65,536.
//!
//! Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.12 to 4.3.16 and 4.5.1.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::view::Listing;
use super::{ContainerError, MAX_DIRECTORY_LEN, MAX_ENTRIES};

/// Length of the record at the end, without its comment.
const END_LEN: usize = 22;
/// Length of what leads to the 64-bit form of that record, which stands right before it.
const LOCATOR_LEN: u64 = 20;
/// Length of the 64-bit form.
const END64_LEN: usize = 56;
/// A number that stands in the 64-bit form.
const ELSEWHERE: u64 = u32::MAX as u64;
/// Length of a member in the list, without its name, extra fields and comment.
const HEADER_LEN: u64 = 46;
/// Most memory that the list may take once it is read, in bytes.
const MAX_MEMORY: u64 = 160 << 20;
/// Memory for a member without its name, extra fields and comment, at most.
const MEMBER_MEMORY: u64 = 448;
/// Memory for an extra field without its bytes, at most.
const FIELD_MEMORY: u64 = 80;

/// Where the list is.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u64,
    len: u64,
    /// How many bytes stand before the archive.
    shift: u64,
}

/// Finds and measures the list.
///
/// # Errors
/// [`ContainerError::NotAnArchive`], [`ContainerError::TooMany`], or the source's error.
pub(super) fn measure(mut source: impl Read + Seek) -> Result<Listing, ContainerError> {
    let span = find(&mut source)?.ok_or(ContainerError::NotAnArchive)?;
    if span.len > MAX_DIRECTORY_LEN {
        return Err(ContainerError::TooMany);
    }
    source.seek(SeekFrom::Start(span.start))?;
    let mut list = BufReader::new(source.take(span.len));
    let mut listing = Listing {
        before: span.shift,
        start: span.start.saturating_sub(span.shift),
        len: 0,
        count: 0,
        whole: true,
    };
    let mut memory = 0;
    while listing.len < span.len {
        let Some(size) = next(&mut list)? else {
            listing.whole = false;
            break;
        };
        listing.len += size.len;
        listing.count += 1;
        memory += size.memory;
        if listing.count > MAX_ENTRIES || memory > MAX_MEMORY {
            return Err(ContainerError::TooMany);
        }
    }
    Ok(listing)
}

/// What a member takes in the list and, at most, in memory.
struct Size {
    len: u64,
    memory: u64,
}

/// Passes over a member; nothing where there is none, or only a part.
fn next(list: &mut impl Read) -> io::Result<Option<Size>> {
    let mut part = |len: u64| -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        let got = list.take(len).read_to_end(&mut bytes)?;
        Ok((got as u64 == len).then_some(bytes))
    };
    let Some(fixed) = part(HEADER_LEN)?.filter(|fixed| fixed.starts_with(b"PK\x01\x02")) else {
        return Ok(None);
    };
    let len = |at| Fields(&fixed).u16(at).map_or(0, u64::from);
    let (name_len, extra_len, comment_len) = (len(28), len(30), len(32));
    let parts = (part(name_len)?, part(extra_len)?, part(comment_len)?);
    let (Some(name), Some(extra), Some(comment)) = parts else {
        return Ok(None);
    };
    let mut fields = 0;
    let mut rest = extra.as_slice();
    while let Some(len) = Fields(rest).u16(2) {
        fields += 1;
        rest = rest.get(4 + usize::from(len)..).unwrap_or_default();
    }
    // kept as it is and as text, which in the code page of DOS is up to three times as long
    let text = |bytes: &[u8]| bytes.len() as u64 * if bytes.is_ascii() { 2 } else { 4 };
    let memory = text(&name) + text(&comment) + FIELD_MEMORY * fields + 3 * extra_len;
    Ok(Some(Size {
        len: HEADER_LEN + name_len + extra_len + comment_len,
        memory: MEMBER_MEMORY + memory,
    }))
}

/// Finds the list by the record at the end: the last one that fits what stands before it.
fn find(source: &mut (impl Read + Seek)) -> io::Result<Option<Span>> {
    let len = source.seek(SeekFrom::End(0))?;
    let tail_len = len.min(END_LEN as u64 + u64::from(u16::MAX));
    let tail_start = len - tail_len;
    source.seek(SeekFrom::Start(tail_start))?;
    let mut tail = Vec::new();
    source.take(tail_len).read_to_end(&mut tail)?;
    let places = (0..tail.len().saturating_sub(END_LEN - 1)).rev();
    for at in places {
        let Some(record) = tail
            .get(at..)
            .filter(|rest| rest.starts_with(b"PK\x05\x06"))
        else {
            continue;
        };
        if let Some(span) = span(source, &Fields(record), tail_start + at as u64)? {
            return Ok(Some(span));
        }
    }
    Ok(None)
}

/// What a record at `end` says, if there is a list where it says so.
fn span(
    source: &mut (impl Read + Seek),
    record: &Fields<'_>,
    end: u64,
) -> io::Result<Option<Span>> {
    let read = || {
        let comment = usize::from(record.u16(20)?);
        let whole = record.0.len() >= END_LEN + comment && record.u16(4)? == record.u16(6)?;
        let (len, offset) = (record.u32(12)?, record.u32(16)?);
        let many = record.u16(10)? == u16::MAX;
        whole.then_some((u64::from(len), u64::from(offset), many))
    };
    let Some((mut len, mut offset, many)) = read() else {
        return Ok(None);
    };
    let mut end = end;
    if (many || len == ELSEWHERE || offset == ELSEWHERE)
        && let Some((wide_end, wide_len, wide_offset)) = span64(source, end)?
    {
        (end, len, offset) = (wide_end, wide_len, wide_offset);
    }
    // something may stand before the archive, so that it begins later than it says
    let start = end.checked_sub(len);
    let Some((start, shift)) = start.and_then(|start| Some((start, start.checked_sub(offset)?)))
    else {
        return Ok(None);
    };
    let mut signature = [0; 4];
    if len > 0 {
        source.seek(SeekFrom::Start(start))?;
        source.read_exact(&mut signature)?;
    }
    let fits = len == 0 || signature == *b"PK\x01\x02";
    Ok(fits.then_some(Span { start, len, shift }))
}

/// The 64-bit form of a record at `end`: where it stands, length and offset of the list.
fn span64(source: &mut (impl Read + Seek), end: u64) -> io::Result<Option<(u64, u64, u64)>> {
    let mut record = [0; END64_LEN];
    let Some(locator) = end.checked_sub(LOCATOR_LEN) else {
        return Ok(None);
    };
    source.seek(SeekFrom::Start(locator))?;
    let mut bytes = [0; LOCATOR_LEN as usize];
    source.read_exact(&mut bytes)?;
    if !bytes.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    let said = Fields(&bytes).u64(8);
    let before = locator.checked_sub(END64_LEN as u64);
    for at in [said, before].into_iter().flatten() {
        if at.checked_add(END64_LEN as u64).is_none_or(|e| e > locator) {
            continue;
        }
        source.seek(SeekFrom::Start(at))?;
        source.read_exact(&mut record)?;
        let fields = Fields(&record);
        if record.starts_with(b"PK\x06\x06") {
            return Ok(fields
                .u64(40)
                .zip(fields.u64(48))
                .map(|(len, offset)| (at, len, offset)));
        }
    }
    Ok(None)
}

/// Little-endian numbers at fixed places.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk::<N>().copied()
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    fn u64(&self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_le_bytes)
    }
}
