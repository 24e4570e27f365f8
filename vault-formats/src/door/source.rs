//! Where the bytes of a file come from.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

/// What is kept in memory of a source that can be read only once, in bytes (32 MiB). A whole file
/// up to this size is understood as if it lay on a disk.
const ONCE_FRONT: usize = 32 << 20;

/// Bytes that can be read from their beginning, most of them more than once.
pub trait Source {
    /// A reader at the beginning.
    ///
    /// # Errors
    /// When it cannot be opened; a source that can be read only once, the second time.
    fn open(&mut self) -> io::Result<Box<dyn Read + Send + '_>>;

    /// The first bytes, at most `most` of them.
    ///
    /// # Errors
    /// When they cannot be read.
    fn front(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let mut front = Vec::new();
        self.open()?.take(most as u64).read_to_end(&mut front)?;
        Ok(front)
    }

    /// How many bytes there are, where that is known.
    fn length(&self) -> Option<u64>;

    /// Whether it can be opened again.
    fn reopens(&self) -> bool {
        true
    }

    /// For what must be read out of order.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn seekable(&mut self) -> io::Result<Option<Box<dyn ReadSeek + '_>>> {
        Ok(None)
    }

    /// Where it lies on the disk.
    fn path(&self) -> Option<&Path> {
        None
    }
}

/// A reader that can go to any place.
pub trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

/// A file on the disk.
pub struct OnDisk {
    path: PathBuf,
    len: u64,
}

impl OnDisk {
    /// The file at `path`.
    ///
    /// # Errors
    /// When it cannot be opened, or is no regular file: a pipe is read by [`Once`].
    pub fn new(path: &Path) -> io::Result<Self> {
        // asked before it is opened: opening a pipe waits for whoever writes into it
        let meta = std::fs::metadata(path)?;
        if !meta.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        File::open(path)?;
        Ok(Self {
            path: path.to_owned(),
            len: meta.len(),
        })
    }
}

impl Source for OnDisk {
    fn open(&mut self) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(File::open(&self.path)?))
    }

    fn length(&self) -> Option<u64> {
        Some(self.len)
    }

    fn seekable(&mut self) -> io::Result<Option<Box<dyn ReadSeek + '_>>> {
        Ok(Some(Box::new(File::open(&self.path)?)))
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }
}

/// Bytes in memory.
pub struct InMemory<'a>(pub &'a [u8]);

impl Source for InMemory<'_> {
    fn open(&mut self) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(self.0))
    }

    fn length(&self) -> Option<u64> {
        Some(self.0.len() as u64)
    }

    fn seekable(&mut self) -> io::Result<Option<Box<dyn ReadSeek + '_>>> {
        Ok(Some(Box::new(Cursor::new(self.0))))
    }
}

/// A stream that can be read only once, such as standard input. Its first 32 MiB are kept.
pub struct Once {
    front: Vec<u8>,
    rest: Option<Box<dyn Read + Send>>,
}

impl Once {
    /// Reads the front of `stream`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn new(mut stream: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut front = Vec::new();
        let limit = ONCE_FRONT as u64;
        stream.by_ref().take(limit).read_to_end(&mut front)?;
        let rest = (front.len() == ONCE_FRONT).then_some(stream);
        Ok(Self { front, rest })
    }
}

impl Drop for Once {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.front);
    }
}

impl Source for Once {
    fn open(&mut self) -> io::Result<Box<dyn Read + Send + '_>> {
        let front = &self.front[..];
        if front.len() < ONCE_FRONT {
            return Ok(Box::new(front));
        }
        let rest = self.rest.take();
        let rest = rest.ok_or_else(|| io::Error::other("it can be read only once"))?;
        Ok(Box::new(front.chain(rest)))
    }

    fn front(&mut self, most: usize) -> io::Result<Vec<u8>> {
        Ok(self.front.iter().take(most).copied().collect())
    }

    fn length(&self) -> Option<u64> {
        self.reopens().then_some(self.front.len() as u64)
    }

    fn reopens(&self) -> bool {
        self.front.len() < ONCE_FRONT
    }

    fn seekable(&mut self) -> io::Result<Option<Box<dyn ReadSeek + '_>>> {
        let whole = self.reopens();
        Ok(whole.then(|| Box::new(Cursor::new(&self.front[..])) as Box<dyn ReadSeek>))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(source: &mut dyn Source) -> Vec<u8> {
        let mut bytes = Vec::new();
        source.open().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_short_stream_is_like_a_file_and_a_long_one_is_read_once() {
        let mut short = Once::new(Box::new(&b"hello"[..])).unwrap();
        assert_eq!(all(&mut short), b"hello");
        assert_eq!(all(&mut short), b"hello");
        assert_eq!((short.length(), short.reopens()), (Some(5), true));
        assert!(short.seekable().unwrap().is_some());

        let len = ONCE_FRONT as u64 + 10;
        let mut long = Once::new(Box::new(io::repeat(7).take(len))).unwrap();
        assert_eq!(long.front(3).unwrap(), [7; 3]);
        assert_eq!((long.length(), long.reopens()), (None, false));
        assert!(long.seekable().unwrap().is_none());
        assert_eq!(all(&mut long).len() as u64, len);
        assert!(long.open().is_err());
    }
}
