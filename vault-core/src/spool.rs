//! Content that comes slowly, set aside until it is whole.
//!
//! What is taken in lies sealed, in chunks of C2SP `chunked-encryption` under a random key that is in
//! memory only: a file that is left behind by a kill opens for nobody. While content is set aside no
//! lock of the vault is held.

use std::io::{self, Read, Seek, SeekFrom, Write};

use zeroize::Zeroizing;

use crate::random;
use crate::seal::{CHUNK_LEN, StreamKey, TAG_LEN};

/// A place where content is set aside: a temporary file, or memory.
pub struct Spool<F> {
    place: F,
    key: StreamKey,
    /// The chunk that is not full yet.
    chunk: Zeroizing<Vec<u8>>,
    /// Chunks that were sealed.
    sealed: u64,
    /// A chunk could not be written: it is sealed, and must not be sealed again.
    failed: bool,
}

impl<F: Write + Seek> Spool<F> {
    /// Begins an empty one in `place`, which must be empty.
    pub fn new(place: F) -> Self {
        let key: Zeroizing<[u8; 32]> = Zeroizing::new(random::array());
        Self {
            place,
            key: StreamKey::create(&key, b"medvault spool"),
            // room for a chunk with its tag at once: growing would leave copies behind
            chunk: Zeroizing::new(Vec::with_capacity(CHUNK_LEN + TAG_LEN)),
            sealed: 0,
            failed: false,
        }
    }

    /// Takes in more.
    ///
    /// # Errors
    /// When the place cannot be written to; then it is of no use any more.
    pub fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        while !bytes.is_empty() {
            let room = CHUNK_LEN - self.chunk.len();
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            self.chunk.extend_from_slice(now);
            bytes = rest;
            if self.chunk.len() == CHUNK_LEN {
                self.seal()?;
            }
        }
        Ok(())
    }

    /// How many bytes were taken in.
    pub fn len(&self) -> u64 {
        self.sealed * CHUNK_LEN as u64 + self.chunk.len() as u64
    }

    /// Whether nothing was taken in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Seals the chunk and writes it.
    fn seal(&mut self) -> io::Result<()> {
        self.check()?;
        self.failed = true;
        let tag = self.key.seal_chunk(self.sealed, &mut self.chunk);
        self.chunk.extend_from_slice(&tag);
        self.place.write_all(&self.chunk)?;
        self.chunk.clear();
        self.sealed += 1;
        self.failed = false;
        Ok(())
    }

    fn check(&self) -> io::Result<()> {
        match self.failed {
            true => Err(io::Error::other("what came before could not be written")),
            false => Ok(()),
        }
    }

    /// That was all: what was taken in can be read, once.
    ///
    /// # Errors
    /// When the place cannot be written to or rewound.
    pub fn finish(mut self) -> io::Result<SpoolReader<F>> {
        // the last chunk is shorter than the others, and may be empty
        self.seal()?;
        self.place.flush()?;
        self.place.seek(SeekFrom::Start(0))?;
        Ok(SpoolReader {
            place: self.place,
            key: self.key,
            chunk: self.chunk,
            at: 0,
            plain: 0,
            opened: 0,
            chunks: self.sealed,
        })
    }
}

/// What was set aside, on its way back.
pub struct SpoolReader<F> {
    place: F,
    key: StreamKey,
    chunk: Zeroizing<Vec<u8>>,
    /// Where in the opened chunk.
    at: usize,
    /// Length of the opened chunk.
    plain: usize,
    opened: u64,
    chunks: u64,
}

impl<F: Read> SpoolReader<F> {
    /// Opens the next chunk.
    fn next(&mut self) -> io::Result<()> {
        let last = self.opened + 1 == self.chunks;
        self.chunk.clear();
        let limit = (CHUNK_LEN + TAG_LEN) as u64;
        let read = (&mut self.place).take(limit).read_to_end(&mut self.chunk)?;
        if !last && read < CHUNK_LEN + TAG_LEN {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let opened = self.key.open_chunk(self.opened, &mut self.chunk);
        self.plain = opened.map_err(io::Error::other)?.len();
        (self.at, self.opened) = (0, self.opened + 1);
        Ok(())
    }
}

impl<F: Read> Read for SpoolReader<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.plain && self.opened < self.chunks {
            self.next()?;
        }
        let rest = &self.chunk[self.at..self.plain];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn through(pieces: &[&[u8]]) -> Vec<u8> {
        let mut spool = Spool::new(Cursor::new(Vec::new()));
        pieces.iter().for_each(|piece| spool.push(piece).unwrap());
        let mut content = Vec::new();
        let len = spool.len();
        spool.finish().unwrap().read_to_end(&mut content).unwrap();
        assert_eq!(content.len() as u64, len);
        content
    }

    #[test]
    fn what_goes_in_comes_out() {
        for len in [0, 1, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, 3 * CHUNK_LEN] {
            let content: Vec<u8> = (0..len).map(|n| n as u8).collect();
            assert_eq!(through(&[&content]), content);
            let (one, other) = content.split_at(len / 3);
            assert_eq!(through(&[one, b"", other]), content);
        }
    }

    #[test]
    fn after_a_failure_nothing_is_sealed_again() {
        /// Takes nothing.
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        impl Seek for Full {
            fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
                Ok(0)
            }
        }
        let mut spool = Spool::new(Full);
        let first = spool.push(&[1; CHUNK_LEN]).unwrap_err();
        assert_eq!(first.kind(), io::ErrorKind::StorageFull);
        assert!(spool.push(&[1; 10]).is_err());
        assert!(spool.finish().is_err());
    }

    #[test]
    fn what_lies_there_is_sealed_and_cannot_be_changed() {
        let content = vec![b'p'; 2 * CHUNK_LEN];
        let sealed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut spool = Spool::new(Cursor::new(Vec::new()));
            spool.push(&content).unwrap();
            let mut reader = spool.finish().unwrap();
            change(reader.place.get_mut());
            let lies = reader.place.get_ref().clone();
            (lies, reader.read_to_end(&mut Vec::new()).is_ok())
        };
        let (lies, read) = sealed(&|_| {});
        assert!(read && !lies.windows(8).any(|window| window == [b'p'; 8]));
        assert!(!sealed(&|bytes| bytes[5] ^= 1).1);
        assert!(!sealed(&|bytes| bytes.truncate(CHUNK_LEN)).1);
        assert!(!sealed(&|bytes| bytes.truncate(2 * (CHUNK_LEN + TAG_LEN))).1);
    }
}
