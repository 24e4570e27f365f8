//! Seeing how far an import is, and stopping it.

use std::io::{self, Read};
use std::path::Path;

use vault_core::{Added, Content, Digest, RecordId, RecordMeta};
use vault_formats::{ReadSeek, Shelf, Source};

use crate::error::{Error, Result};

/// Looks on while files are read.
pub trait Watch: Sync {
    /// So many bytes of all were read. A file that is read twice counts twice only for a while.
    fn at(&self, done: u64);

    /// Asked again and again.
    ///
    /// # Errors
    /// Any: the import stops with it, and what is not durable yet is not added.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// Nobody looks.
impl Watch for () {
    fn at(&self, _: u64) {}
}

/// A shelf that can be told to stop.
pub(super) struct WatchedShelf<'a, S> {
    inner: &'a mut S,
    watch: &'a dyn Watch,
}

impl<'a, S> WatchedShelf<'a, S> {
    pub(super) fn new(inner: &'a mut S, watch: &'a dyn Watch) -> Self {
        Self { inner, watch }
    }
}

impl<S: Shelf> Shelf for WatchedShelf<'_, S>
where
    Error: From<S::Error>,
{
    type Error = Error;

    fn known(&self, digest: &Digest) -> Option<RecordId> {
        self.inner.known(digest)
    }

    fn may_know(&self, len: u64) -> bool {
        self.inner.may_know(len)
    }

    fn has_derived(&self, origin: &RecordId) -> bool {
        self.inner.has_derived(origin)
    }

    fn add(&mut self, meta: RecordMeta, source: &str, content: Content<'_>) -> Result<Added> {
        self.watch.check()?;
        let added = self.inner.add(meta, source, content);
        // a stream that was told to stop has failed for that reason, and for no other
        self.watch.check()?;
        Ok(added?)
    }

    fn breathe(&mut self) -> Result<()> {
        self.watch.check()?;
        Ok(self.inner.breathe()?)
    }
}

/// A source whose reading is watched.
pub(super) struct WatchedSource<'a> {
    inner: &'a mut dyn Source,
    watch: &'a dyn Watch,
    done: u64,
}

impl<'a> WatchedSource<'a> {
    /// `done`: how many bytes of all came before this source.
    pub(super) fn new(inner: &'a mut dyn Source, watch: &'a dyn Watch, done: u64) -> Self {
        Self { inner, watch, done }
    }
}

impl Source for WatchedSource<'_> {
    fn open(&mut self) -> io::Result<Box<dyn Read + Send + '_>> {
        // every reading of the file begins where the file does
        self.watch.at(self.done);
        Ok(Box::new(WatchedReader {
            inner: self.inner.open()?,
            watch: self.watch,
            done: self.done,
        }))
    }

    fn front(&mut self, most: usize) -> io::Result<Vec<u8>> {
        self.inner.front(most)
    }

    fn length(&self) -> Option<u64> {
        self.inner.length()
    }

    fn reopens(&self) -> bool {
        self.inner.reopens()
    }

    fn seekable(&mut self) -> io::Result<Option<Box<dyn ReadSeek + '_>>> {
        self.inner.seekable()
    }

    fn path(&self) -> Option<&Path> {
        self.inner.path()
    }
}

struct WatchedReader<'a> {
    inner: Box<dyn Read + Send + 'a>,
    watch: &'a dyn Watch,
    done: u64,
}

impl Read for WatchedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.watch.check().is_err() {
            return Err(io::Error::other("stopped"));
        }
        let count = self.inner.read(buffer)?;
        self.done += count as u64;
        self.watch.at(self.done);
        Ok(count)
    }
}
