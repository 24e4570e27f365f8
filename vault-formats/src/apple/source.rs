//! The file as a stream: hashed on its way, and with a limit for one piece of XML.

use std::io::{self, BufRead, Read};

use sha2::{Digest as _, Sha256};
use vault_core::Digest;

/// Longest tag, text, comment or document type that is read, in bytes.
pub(super) const MAX_EVENT: u64 = 1024 * 1024;
const BUFFER: usize = 64 * 1024;

/// Why reading stopped before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stop {
    /// One piece of XML over the limit.
    #[error("one tag or text is longer than 1 MiB")]
    TooLong,
    /// The source failed.
    #[error("the file could not be read to its end")]
    Unreadable,
}

/// Reads through a small buffer, hashes every byte, and fails when more than [`MAX_EVENT`] bytes are
/// taken without a call of [`Source::next_event`]: an XML reader keeps one piece in memory whole.
pub(super) struct Source<'a> {
    inner: &'a mut dyn Read,
    buffer: Vec<u8>,
    /// What of the buffer was not taken yet.
    start: usize,
    end: usize,
    hash: Sha256,
    taken: u64,
    event: u64,
    stop: Option<Stop>,
}

impl<'a> Source<'a> {
    pub(super) fn new(inner: &'a mut dyn Read) -> Self {
        Self {
            inner,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            hash: Sha256::new(),
            taken: 0,
            event: 0,
            stop: None,
        }
    }

    /// The next piece of XML begins here.
    pub(super) fn next_event(&mut self) {
        self.event = 0;
    }

    /// Bytes taken so far.
    pub(super) fn offset(&self) -> u64 {
        self.taken
    }

    /// Why reading failed, where it did.
    pub(super) fn stopped(&self) -> Option<Stop> {
        self.stop
    }

    /// Reads what is left, and returns the hash of everything.
    ///
    /// # Errors
    /// [`Stop::Unreadable`] when the source fails, or failed before.
    pub(super) fn finish(mut self) -> Result<Digest, Stop> {
        while self.stop != Some(Stop::Unreadable) {
            if !self.refill() {
                break;
            }
        }
        match self.stop {
            Some(Stop::Unreadable) => Err(Stop::Unreadable),
            _ => Ok(Digest::from_bytes(self.hash.finalize().into())),
        }
    }

    /// Fills the buffer anew; false at the end and when the source fails.
    fn refill(&mut self) -> bool {
        (self.start, self.end) = (0, 0);
        loop {
            match self.inner.read(&mut self.buffer) {
                Ok(len) => {
                    self.end = len.min(self.buffer.len());
                    self.hash.update(self.buffer.get(..self.end).unwrap_or(&[]));
                    return self.end > 0;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.stop = Some(Stop::Unreadable);
                    return false;
                }
            }
        }
    }
}

impl Read for Source<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.fill_buf()?.read(out)?;
        self.consume(len);
        Ok(len)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.event > MAX_EVENT {
            self.stop = Some(Stop::TooLong);
        }
        if self.stop.is_none() && self.start >= self.end {
            self.refill();
        }
        match self.stop {
            Some(stop) => Err(io::Error::other(stop)),
            None => Ok(self.buffer.get(self.start..self.end).unwrap_or(&[])),
        }
    }

    fn consume(&mut self, len: usize) {
        let len = len.min(self.end - self.start);
        self.start += len;
        self.taken += len as u64;
        self.event += len as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_of_all_bytes_whatever_was_taken() {
        let data = vec![7; 200_000];
        for taken in [0, 1, 70_000, 200_000] {
            let mut inner = data.as_slice();
            let mut source = Source::new(&mut inner);
            let mut some = vec![0; taken];
            source.read_exact(&mut some).unwrap();
            assert_eq!(source.offset(), taken as u64);
            assert_eq!(source.finish(), Ok(Digest::of(&data)), "{taken}");
        }
    }

    #[test]
    fn too_much_at_once_fails_and_is_still_hashed() {
        let data = vec![7; 3_000_000];
        let mut inner = data.as_slice();
        let mut source = Source::new(&mut inner);
        let mut kept = Vec::new();
        assert!(source.read_to_end(&mut kept).is_err());
        assert!(kept.len() as u64 <= MAX_EVENT + BUFFER as u64);
        assert_eq!(source.stopped(), Some(Stop::TooLong));
        assert_eq!(source.finish(), Ok(Digest::of(&data)));
    }

    #[test]
    fn a_source_that_fails_has_no_hash() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        let mut inner = Broken;
        assert_eq!(Source::new(&mut inner).finish(), Err(Stop::Unreadable));
    }
}
