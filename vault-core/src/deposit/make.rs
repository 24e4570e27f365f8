//! The provider's side: records become a parcel for one vault.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::DepositError;
use super::note::{MAX_ENTRIES, Note, NoteEntry, message};
use super::parcel;
use crate::block::{Block, Cid, Digest};
use crate::body::long::seal_long;
use crate::body::{
    BodyContext, BodyError, HeaderDraft, Location, content_digest, file_name, seal_packed,
};
use crate::envelope::RecipientKey;
use crate::identity::{Card, Device};
use crate::ids::{DepositId, RecordId, VaultId, VersionId};
use crate::keys::SecretKey;
use crate::pack::{Packed, Packer};
use crate::record::{RecordMeta, SameHash};
use crate::store::{BlockSource, BlockStore};
use crate::vault::{Added, Content, SMALL, capped, read_up_to};

/// A vault that can be deposited to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DepositTarget {
    /// The vault.
    pub vault: VaultId,
    /// What the deposit is sealed to: the vault's inbox key or, for a mere contact, the key of the
    /// first device on the card.
    pub key: RecipientKey,
}

impl DepositTarget {
    /// The vault of a contact; `None` when the card names no device.
    pub fn of_card(card: &Card) -> Option<Self> {
        let key = card.recipients().first()?.clone();
        let vault = card.vault();
        Some(Self { vault, key })
    }
}

/// Seals records for another vault, signed by this device. Memory is bounded by a few blocks per
/// core, whatever the length of a content; the blocks go into a store of the caller's.
pub struct DepositMaker<'a> {
    device: &'a Device,
    target: DepositTarget,
    store: &'a dyn BlockStore,
    deposit: DepositId,
    now: u64,
    packer: Packer<usize>,
    entries: Vec<NoteEntry>,
    blocks: Vec<Digest>,
    known: HashMap<Digest, RecordId>,
    origins: HashSet<RecordId>,
}

impl<'a> DepositMaker<'a> {
    /// Begins a deposit. `now` is in seconds since 1970-01-01 UTC.
    pub fn new(
        device: &'a Device,
        target: DepositTarget,
        store: &'a dyn BlockStore,
        now: u64,
    ) -> Self {
        Self {
            device,
            target,
            store,
            deposit: DepositId::random(),
            now,
            packer: Packer::new(),
            entries: Vec::new(),
            blocks: Vec::new(),
            known: HashMap::new(),
            origins: HashSet::new(),
        }
    }

    /// The record of this deposit that holds a content with this SHA-256 already.
    pub fn known(&self, digest: &Digest) -> Option<RecordId> {
        self.known.get(digest).copied()
    }

    /// Whether any record was derived from this one.
    pub fn has_derived(&self, origin: &RecordId) -> bool {
        self.origins.contains(origin)
    }

    /// Adds one record, unless the deposit holds the content already. A long content is read to its
    /// end as it is sealed.
    ///
    /// # Errors
    /// [`DepositError::TooMany`], [`DepositError::Seal`], [`DepositError::Vault`] when the store
    /// fails.
    pub fn add(
        &mut self,
        meta: RecordMeta,
        source: Option<&str>,
        content: Content<'_>,
    ) -> Result<Added, DepositError> {
        if self.entries.len() == MAX_ENTRIES {
            return Err(DepositError::TooMany(MAX_ENTRIES));
        }
        let meta = capped(meta);
        match content {
            Content::Bytes(content) => self.add_bytes(meta, source, &content),
            Content::Stream(stream) => {
                let mut front = Zeroizing::new(vec![0; SMALL as usize + 1]);
                let got = read_up_to(stream, &mut front)?;
                front.truncate(got);
                if got as u64 <= SMALL {
                    return self.add_bytes(meta, source, &front);
                }
                self.add_stream(meta, source, &mut front.chain(stream))
            }
        }
    }

    fn add_bytes(
        &mut self,
        meta: RecordMeta,
        source: Option<&str>,
        content: &[u8],
    ) -> Result<Added, DepositError> {
        let names = [SameHash::of(&meta, content), content_digest(content)];
        if let Some(record) = names.iter().find_map(|name| self.known(name)) {
            return Ok(Added::Known(record));
        }
        if content.len() as u64 > SMALL {
            return self.add_stream(meta, source, &mut &*content);
        }
        let entry = self.entry(&meta);
        let context = context(&self.target.vault, &entry);
        let (_, sealed) = seal_packed(
            context,
            &entry.cek,
            &self.draft(&entry, meta.clone(), source),
            content,
        );
        let added = self.note(entry, &meta, names);
        let closed = self.packer.add(self.entries.len() - 1, &sealed)?;
        self.place(closed)?;
        Ok(added)
    }

    fn add_stream(
        &mut self,
        meta: RecordMeta,
        source: Option<&str>,
        content: &mut (dyn Read + Send),
    ) -> Result<Added, DepositError> {
        let mut entry = self.entry(&meta);
        let mut put = Vec::new();
        let store = self.store;
        let mut sink = |block: Block| {
            put.push(block.cid());
            let stored = store.put(&[block]);
            stored.map_err(|error| BodyError::Io(io::Error::other(error)))
        };
        let mut content = Comparing {
            inner: content,
            hash: SameHash::new(&meta),
        };
        let sealed = seal_long(
            context(&self.target.vault, &entry),
            &entry.cek,
            &self.draft(&entry, meta.clone(), source),
            &mut content,
            &mut sink,
        );
        let same = content.hash.finish();
        let known = match &sealed {
            Ok((header, _)) => {
                let digest = header.header.digest;
                self.known(&same).or_else(|| self.known(&digest))
            }
            Err(_) => None,
        };
        let (header, location) = match (sealed, known) {
            (Ok(sealed), None) => sealed,
            (failed, known) => {
                // best effort: in a store of parcels nothing else names these blocks
                drop(self.store.remove(&put));
                return match (failed, known) {
                    (Err(error), _) => Err(error.into()),
                    (Ok(_), Some(record)) => Ok(Added::Known(record)),
                    (Ok(_), None) => Err(BodyError::Malformed.into()),
                };
            }
        };
        entry.location = location;
        self.blocks.extend(put.iter().map(Cid::digest));
        Ok(self.note(entry, &meta, [same, header.header.digest]))
    }

    fn entry(&self, meta: &RecordMeta) -> NoteEntry {
        NoteEntry {
            record: RecordId::random(),
            version: VersionId::random(),
            kind: meta.kind.clone(),
            cek: SecretKey::random(),
            location: Location::Packed {
                block: Digest::from_bytes([0; 32]),
                offset: 0,
                len: 0,
            },
        }
    }

    fn draft(&self, entry: &NoteEntry, meta: RecordMeta, source: Option<&str>) -> HeaderDraft<'a> {
        HeaderDraft {
            vault: self.target.vault,
            record: entry.record,
            version: entry.version,
            prev: None,
            author: *self.device.signers().owner(),
            created: self.now,
            source: source.and_then(file_name),
            meta,
            key: self.device.signing(),
        }
    }

    fn note(&mut self, entry: NoteEntry, meta: &RecordMeta, names: [Digest; 2]) -> Added {
        let (record, version) = (entry.record, entry.version);
        self.known.extend(names.map(|name| (name, record)));
        self.origins.extend(meta.origin);
        self.entries.push(entry);
        Added::New(record, version)
    }

    fn place(&mut self, packs: Vec<Packed<usize>>) -> Result<(), DepositError> {
        for pack in packs {
            for (at, location) in pack.bodies {
                self.entries[at].location = location;
            }
            self.blocks.push(pack.block.cid().digest());
            self.store
                .put(&[pack.block])
                .map_err(|error| DepositError::Source(error.into()))?;
        }
        Ok(())
    }

    /// Seals the note, with one line to the patient, and makes the blocks durable.
    ///
    /// # Errors
    /// [`DepositError::Empty`], [`DepositError::TooMany`] when the note is too long,
    /// [`DepositError::DegenerateKey`].
    pub fn finish(mut self, text: Option<&str>) -> Result<Outgoing, DepositError> {
        if self.entries.is_empty() {
            return Err(DepositError::Empty);
        }
        let packs = std::mem::replace(&mut self.packer, Packer::new()).finish()?;
        self.place(packs)?;
        let records = self.entries.len();
        let note = Note {
            deposit: self.deposit,
            vault: self.target.vault,
            signers: self.device.signers().clone(),
            signer: self.device.signing().public(),
            message: text.and_then(message),
            created: self.now,
            entries: self.entries,
        };
        let note = note.seal(self.device.signing(), &self.target.key)?;
        let store = |error: crate::store::StoreError| DepositError::Source(error.into());
        self.store.put(std::slice::from_ref(&note)).map_err(store)?;
        self.store.sync().map_err(store)?;
        let mut hash = Hashed::new(io::sink());
        let bytes = parcel::write(&note, &self.blocks, self.store, &mut hash)?;
        Ok(Outgoing {
            deposit: self.deposit,
            vault: self.target.vault,
            records,
            note,
            blocks: self.blocks,
            bytes,
            digest: hash.finish(),
        })
    }
}

/// A deposit that is made: what it is called, and the blocks it consists of.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The deposit.
    pub deposit: DepositId,
    /// The vault it is for.
    pub vault: VaultId,
    /// How many records it holds.
    pub records: usize,
    /// Length of the parcel, in bytes.
    pub bytes: u64,
    /// SHA-256 of the parcel.
    pub digest: Digest,
    note: Block,
    blocks: Vec<Digest>,
}

impl Outgoing {
    /// The note's CID: the parcel's root.
    pub fn root(&self) -> Cid {
        self.note.cid()
    }

    /// Every block's CID, the note's first.
    pub fn cids(&self) -> Vec<Cid> {
        let blocks = self.blocks.iter().copied().map(Cid::raw);
        std::iter::once(self.root()).chain(blocks).collect()
    }

    /// Writes the parcel, a block in memory at a time.
    ///
    /// # Errors
    /// [`DepositError::Source`], [`DepositError::Io`]; what was written is of no use then.
    pub fn write(&self, source: &dyn BlockSource, out: impl Write) -> Result<(), DepositError> {
        parcel::write(&self.note, &self.blocks, source, out).map(drop)
    }
}

fn context<'b>(vault: &'b VaultId, entry: &'b NoteEntry) -> BodyContext<'b> {
    BodyContext {
        vault,
        record: &entry.record,
        version: &entry.version,
        kind: &entry.kind,
    }
}

/// Hashes a stream for comparison while it is sealed.
struct Comparing<'a> {
    inner: &'a mut (dyn Read + Send),
    hash: SameHash,
}

impl Read for Comparing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..got).unwrap_or_default());
        Ok(got)
    }
}

/// Hashes what passes on its way to `out`.
pub(crate) struct Hashed<W> {
    out: W,
    hash: Sha256,
}

impl<W: Write> Hashed<W> {
    pub(crate) fn new(out: W) -> Self {
        let hash = Sha256::new();
        Self { out, hash }
    }

    pub(crate) fn finish(self) -> Digest {
        Digest::from_bytes(self.hash.finalize().into())
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
