//! A file as the zip library is to see it: up to its list of members, then one record that ends it.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// Length of what stands after the list: the record at the end in 64 bits, what leads to it, and the
/// record in 32 bits.
const TAIL_LEN: usize = 56 + 20 + 22;

/// Where a list of members is, and how much of it can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listing {
    /// Bytes that stand before the archive.
    pub before: u64,
    /// Where the list begins, counted from the begin of the archive.
    pub start: u64,
    /// Bytes of members.
    pub len: u64,
    /// Members.
    pub count: usize,
    /// Whether that is all of it.
    pub whole: bool,
}

/// An archive with one list, at its end.
///
/// An archive can hold several records that each claim to end it, and a count that does not fit the
/// list. The library tries one after the other and believes the count, so it is shown none but the
/// one whose list was measured.
pub(super) struct View<R> {
    source: BufReader<R>,
    before: u64,
    /// Bytes of the source that are shown.
    len: u64,
    tail: [u8; TAIL_LEN],
    at: u64,
}

impl<R: Read + Seek> View<R> {
    pub(super) fn new(source: R, listing: &Listing) -> io::Result<Self> {
        let mut source = BufReader::new(source);
        source.seek(SeekFrom::Start(listing.before))?;
        Ok(Self {
            source,
            before: listing.before,
            len: listing.start.saturating_add(listing.len),
            tail: tail(listing),
            at: 0,
        })
    }
}

/// The records after a list. Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.14 to 4.3.16.
fn tail(listing: &Listing) -> [u8; TAIL_LEN] {
    let count = listing.count as u64;
    let mut bytes = Vec::with_capacity(TAIL_LEN);
    bytes.extend(b"PK\x06\x06");
    bytes.extend(44_u64.to_le_bytes());
    bytes.extend([45, 0, 45, 0]);
    bytes.extend([0; 8]);
    for number in [count, count, listing.len, listing.start] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend(listing.start.saturating_add(listing.len).to_le_bytes());
    bytes.extend(b"\x01\0\0\0PK\x05\x06\0\0\0\0");
    bytes.extend([0xff; 12]);
    bytes.extend([0; 2]);
    let mut tail = [0; TAIL_LEN];
    for (place, byte) in tail.iter_mut().zip(bytes) {
        *place = byte;
    }
    tail
}

impl<R: Read> Read for View<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = match self.len.checked_sub(self.at) {
            Some(left) if left > 0 => (&mut self.source).take(left).read(buffer)?,
            _ => {
                let from = usize::try_from(self.at - self.len).unwrap_or(usize::MAX);
                self.tail.get(from..).unwrap_or_default().read(buffer)?
            }
        };
        self.at += got as u64;
        Ok(got)
    }
}

impl<R: Seek> Seek for View<R> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        let target = match position {
            SeekFrom::Start(target) => Some(target),
            SeekFrom::End(by) => (self.len + TAIL_LEN as u64).checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let target = target.ok_or(io::ErrorKind::InvalidInput)?;
        if target != self.at && target < self.len {
            self.source.seek(SeekFrom::Start(self.before + target))?;
        }
        self.at = target;
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn what_is_shown() {
        let listing = Listing {
            before: 2,
            start: 3,
            len: 4,
            count: 1,
            whole: true,
        };
        let mut view = View::new(Cursor::new(b"xxabcLISTzzz"), &listing).unwrap();
        let mut all = Vec::new();
        view.read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), 7 + 98);
        assert!(all.starts_with(b"abcLISTPK\x06\x06"));
        // the record is said to be where it is
        assert_eq!(all[7 + 56 + 8..7 + 56 + 16], 7_u64.to_le_bytes());
        assert_eq!(all[7 + 76..7 + 80], *b"PK\x05\x06");
        for at in (0..=all.len()).rev() {
            assert_eq!(view.seek(SeekFrom::Start(at as u64)).unwrap(), at as u64);
            let mut rest = Vec::new();
            view.read_to_end(&mut rest).unwrap();
            assert_eq!(rest, all[at..]);
        }
        assert_eq!(view.seek(SeekFrom::End(-104)).unwrap(), 1);
        assert_eq!(view.seek(SeekFrom::Current(1)).unwrap(), 2);
        let mut two = [0; 2];
        view.read_exact(&mut two).unwrap();
        assert_eq!(two, *b"cL");
        assert!(view.seek(SeekFrom::Current(-5)).is_err());
        view.seek(SeekFrom::Start(u64::MAX)).unwrap();
        assert_eq!(view.read(&mut two).unwrap(), 0);
    }
}
