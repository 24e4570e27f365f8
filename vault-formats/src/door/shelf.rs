//! Where records are put.

use std::collections::HashMap;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use vault_core::record::same_content;
use vault_core::{Added, Adder, Content, Digest, NewRecord, RecordId, RecordMeta, VaultError};

/// Where records are put: a vault, or nowhere.
pub trait Shelf {
    /// Why a record cannot be put there.
    type Error: From<VaultError>;

    /// The record that holds a content with this SHA-256 already.
    fn known(&self, digest: &Digest) -> Option<RecordId>;

    /// Whether a content of this length may be there already, in bytes.
    fn may_know(&self, len: u64) -> bool;

    /// Whether anything was derived from this record.
    fn has_derived(&self, origin: &RecordId) -> bool;

    /// Puts one record there.
    ///
    /// # Errors
    /// When it cannot be kept. What cannot be *read* is an error of the content's stream.
    fn add(
        &mut self,
        meta: RecordMeta,
        source: &str,
        content: Content<'_>,
    ) -> Result<Added, Self::Error>;

    /// A file, or a part that stands for itself, is in with all that was derived from it: a good
    /// moment to make it durable.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn breathe(&mut self) -> Result<(), Self::Error>;
}

/// Versions after which an import is made durable.
const PART_VERSIONS: u64 = 20_000;
/// Bytes after which an import is made durable (1 GiB).
const PART_BYTES: u64 = 1 << 30;
/// Time after which an import is made durable.
const PART_TIME: Duration = Duration::from_secs(20);

/// A vault. A long import is made durable part by part.
pub struct VaultShelf<'s, 't, 'v> {
    adder: &'s mut Adder<'t, 'v>,
    bytes: u64,
    since: Instant,
    replaces: Option<RecordId>,
}

impl<'s, 't, 'v> VaultShelf<'s, 't, 'v> {
    /// New records.
    pub fn new(adder: &'s mut Adder<'t, 'v>) -> Self {
        Self {
            adder,
            bytes: 0,
            since: Instant::now(),
            replaces: None,
        }
    }

    /// The first record is a new version of `record`; what is derived from it is new.
    pub fn replacing(adder: &'s mut Adder<'t, 'v>, record: RecordId) -> Self {
        let replaces = Some(record);
        Self {
            replaces,
            ..Self::new(adder)
        }
    }
}

impl Shelf for VaultShelf<'_, '_, '_> {
    type Error = VaultError;

    fn known(&self, digest: &Digest) -> Option<RecordId> {
        self.adder.known(digest).filter(|_| self.replaces.is_none())
    }

    fn may_know(&self, len: u64) -> bool {
        self.adder.has_length(len)
    }

    fn has_derived(&self, origin: &RecordId) -> bool {
        self.adder.has_derived(origin)
    }

    fn add(
        &mut self,
        mut meta: RecordMeta,
        source: &str,
        content: Content<'_>,
    ) -> Result<Added, VaultError> {
        // a portal hands out the same resource again, a little newer: what the patient said of the
        // one before holds for this one
        meta.labels.extend(self.adder.labels_of_same_source(&meta));
        let new = |content| NewRecord {
            meta,
            source: Some(source.to_owned()),
            content,
            replaces: self.replaces.take(),
        };
        match content {
            Content::Bytes(bytes) => {
                self.bytes += bytes.len() as u64;
                self.adder.add(new(Content::Bytes(bytes)))
            }
            Content::Stream(stream) => {
                let mut counted = Counted { stream, bytes: 0 };
                let added = self.adder.add(new(Content::Stream(&mut counted)));
                self.bytes += counted.bytes;
                added
            }
        }
    }

    fn breathe(&mut self) -> Result<(), VaultError> {
        let long = self.adder.pending() >= PART_VERSIONS
            || self.bytes >= PART_BYTES
            || self.since.elapsed() >= PART_TIME;
        if long && self.adder.pending() > 0 {
            self.adder.checkpoint()?;
            self.bytes = 0;
            self.since = Instant::now();
        }
        Ok(())
    }
}

struct Counted<'a> {
    stream: &'a mut (dyn Read + Send),
    bytes: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.stream.read(buffer)?;
        self.bytes += got as u64;
        Ok(got)
    }
}

/// Nowhere: tells what would happen.
pub struct DryShelf<'s, 't, 'v> {
    adder: &'s Adder<'t, 'v>,
    would: HashMap<Digest, RecordId>,
}

impl<'s, 't, 'v> DryShelf<'s, 't, 'v> {
    /// Beside this vault.
    pub fn new(adder: &'s Adder<'t, 'v>) -> Self {
        Self {
            adder,
            would: HashMap::new(),
        }
    }
}

impl Shelf for DryShelf<'_, '_, '_> {
    type Error = VaultError;

    fn known(&self, digest: &Digest) -> Option<RecordId> {
        self.adder.known(digest)
    }

    fn may_know(&self, len: u64) -> bool {
        self.adder.has_length(len)
    }

    fn has_derived(&self, origin: &RecordId) -> bool {
        self.adder.has_derived(origin)
    }

    fn add(
        &mut self,
        meta: RecordMeta,
        _source: &str,
        content: Content<'_>,
    ) -> Result<Added, VaultError> {
        let digest = match content {
            Content::Bytes(bytes) => {
                if let Some(record) = self.adder.known_content(&meta, &bytes) {
                    return Ok(Added::Known(record));
                }
                same_content(&meta, &bytes)
            }
            Content::Stream(stream) => {
                let mut hash = Sha256::new();
                let copied = io::copy(
                    &mut io::BufReader::with_capacity(1 << 20, stream),
                    &mut hash,
                );
                copied.map_err(vault_core::BodyError::Io)?;
                Digest::from_bytes(hash.finalize().into())
            }
        };
        if let Some(record) = self.adder.known(&digest) {
            return Ok(Added::Known(record));
        }
        if let Some(record) = self.would.get(&digest) {
            return Ok(Added::Known(*record));
        }
        let record = RecordId::random();
        self.would.insert(digest, record);
        Ok(Added::New(record, vault_core::VersionId::random()))
    }

    fn breathe(&mut self) -> Result<(), VaultError> {
        Ok(())
    }
}
