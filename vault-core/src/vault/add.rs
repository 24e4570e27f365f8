//! Adding records and versions.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::transaction::Transaction;
use super::{Vault, VaultError, body_context, packed_slice};
use crate::audit::Act;
use crate::block::{Block, Digest};
use crate::body::long::{LongReader, seal_long};
use crate::body::{
    BodyContext, BodyError, HeaderDraft, Location, PACKED_MAX, content_digest, file_name,
    open_packed, seal_packed,
};
use crate::ids::{RecordId, VaultId, VersionId};
use crate::index::{ContentName, IndexEntry};
use crate::keys::{KeyPurpose, SecretKey, derive};
use crate::record::{Label, MAX_CODES, RecordMeta};

/// Contents up to this length are sealed in one piece when their packed form fits, in bytes.
const SMALL: u64 = PACKED_MAX - 16 * 1024;

/// Most labels of one record that are kept one by one.
const MAX_LABELS: usize = 64;

/// A record's content on its way in.
pub enum Content<'a> {
    /// All of it.
    Bytes(Zeroizing<Vec<u8>>),
    /// A stream of unknown length, read to its end in bounded memory.
    Stream(&'a mut (dyn Read + Send)),
}

/// What is to be added.
pub struct NewRecord<'a> {
    /// What the record is.
    pub meta: RecordMeta,
    /// Name of the file it came from, without its path.
    pub source: Option<String>,
    /// The content.
    pub content: Content<'a>,
    /// The record that this is a new version of.
    pub replaces: Option<RecordId>,
}

/// What became of one addition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// A new record.
    New(RecordId, VersionId),
    /// A new version of a record.
    Updated(RecordId, VersionId),
    /// The same content is in the vault already, as this record. Nothing was added.
    Known(RecordId),
}

/// What became of several additions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddReport {
    /// One outcome per addition, in order.
    pub added: Vec<Added>,
}

impl AddReport {
    /// How many versions were added.
    pub fn new_versions(&self) -> usize {
        self.added
            .iter()
            .filter(|a| !matches!(a, Added::Known(_)))
            .count()
    }
}

/// Hands additions to a vault one by one, all of one commit.
pub struct Adder<'t, 'v> {
    tx: &'t mut Transaction<'v>,
    known: HashMap<ContentName, RecordId>,
    lengths: HashSet<u64>,
    name_key: SecretKey,
    report: AddReport,
    versions: Sha256,
}

impl Vault {
    /// Adds what `feed` hands over, in one commit: all of it or, on an error, nothing.
    ///
    /// # Errors
    /// [`VaultError`], also whatever `feed` returns.
    pub fn add<E: From<VaultError>>(
        &mut self,
        feed: impl FnOnce(&mut Adder<'_, '_>) -> Result<(), E>,
    ) -> Result<AddReport, E> {
        let mut outcome = None;
        let done = self.transact(|tx| {
            let mut adder = Adder::new(tx)?;
            match feed(&mut adder) {
                Ok(()) => Ok(adder.finish()),
                Err(error) => {
                    outcome = Some(error);
                    Err(VaultError::Conflict)
                }
            }
        });
        match (done, outcome) {
            (_, Some(error)) => Err(error),
            (Ok(report), None) => Ok(report),
            (Err(error), None) => Err(error.into()),
        }
    }

    /// Adds records whose contents are in memory.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn add_all<'a>(
        &mut self,
        records: impl IntoIterator<Item = NewRecord<'a>>,
    ) -> Result<AddReport, VaultError> {
        self.add(|adder| {
            records
                .into_iter()
                .try_for_each(|record| adder.add(record).map(drop))
        })
    }
}

impl<'t, 'v> Adder<'t, 'v> {
    fn new(tx: &'t mut Transaction<'v>) -> Result<Self, VaultError> {
        let store = tx.store.clone();
        tx.vault.state.records.load(&*store)?;
        let records = || tx.vault.state.records.items();
        let known = records().filter_map(|e| Some((e.name?, e.record)));
        let known = known.collect();
        let lengths = records().map(|e| e.len).collect();
        let name_key = derive(
            tx.vault.state.secrets.names.expose(),
            KeyPurpose::ContentName,
        );
        Ok(Self {
            tx,
            known,
            lengths,
            name_key,
            report: AddReport::default(),
            versions: Sha256::new(),
        })
    }

    fn name(&self, digest: &Digest) -> ContentName {
        #[allow(clippy::expect_used)] // HMAC takes keys of any length
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.name_key.expose()).expect("any key length");
        mac.update(digest.as_bytes());
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let mut name = [0; 16];
        name.copy_from_slice(&full[..16]);
        name
    }

    /// The record that holds a content with this SHA-256 already.
    pub fn known(&self, digest: &Digest) -> Option<RecordId> {
        self.known.get(&self.name(digest)).copied()
    }

    /// The record that makes an addition needless: any with this content, or, for a new version,
    /// the record itself when its newest version has it.
    fn already(&self, digest: &Digest, replaces: Option<RecordId>) -> Option<RecordId> {
        let Some(record) = replaces else {
            return self.known(digest);
        };
        let newest = self
            .tx
            .vault
            .state
            .records
            .items()
            .rev()
            .find(|e| e.record == record)?;
        (newest.name == Some(self.name(digest))).then_some(record)
    }

    /// Whether any record has a content of exactly `len` bytes; only then it can be known.
    pub fn has_length(&self, len: u64) -> bool {
        self.lengths.contains(&len)
    }

    /// Adds one record, unless its content is there already.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn add(&mut self, new: NewRecord<'_>) -> Result<Added, VaultError> {
        let added = match new.content {
            Content::Bytes(content) => {
                self.add_bytes(new.meta, new.source, new.replaces, &content)?
            }
            Content::Stream(stream) => {
                let mut front = Zeroizing::new(vec![0; SMALL as usize + 1]);
                let got = read_up_to(stream, &mut front).map_err(BodyError::Io)?;
                front.truncate(got);
                if got as u64 <= SMALL {
                    self.add_bytes(new.meta, new.source, new.replaces, &front)?
                } else {
                    let mut whole = front.chain(stream);
                    self.add_stream(new.meta, new.source, new.replaces, &mut whole)?
                }
            }
        };
        self.report.added.push(added);
        Ok(added)
    }

    fn add_bytes(
        &mut self,
        meta: RecordMeta,
        source: Option<String>,
        replaces: Option<RecordId>,
        content: &[u8],
    ) -> Result<Added, VaultError> {
        let digest = content_digest(content);
        if let Some(record) = self.already(&digest, replaces) {
            return Ok(Added::Known(record));
        }
        if content.len() as u64 > SMALL {
            return self.add_stream(meta, source, replaces, &mut &*content);
        }
        let (draft, mut entry) = self.begin(meta, source, replaces)?;
        let vault = self.tx.vault.id();
        let (_, sealed) = seal_packed(
            body_context(&vault, &entry),
            &entry.cek,
            &draft.borrow(),
            content,
        );
        entry.len = content.len() as u64;
        self.tx.add_packed(entry.clone(), &sealed)?;
        Ok(self.note(&entry, &digest, replaces))
    }

    fn add_stream(
        &mut self,
        meta: RecordMeta,
        source: Option<String>,
        replaces: Option<RecordId>,
        content: &mut (dyn Read + Send),
    ) -> Result<Added, VaultError> {
        let (draft, mut entry) = self.begin(meta, source, replaces)?;
        let vault = self.tx.vault.id();
        let context = BodyContext {
            vault: &vault,
            record: &entry.record,
            version: &entry.version,
            kind: &entry.meta.kind,
        };
        let mut put = Vec::new();
        let mut sink = |block: Block| {
            put.push(block.cid().digest());
            self.tx
                .put(block)
                .map_err(|e| BodyError::Io(std::io::Error::other(e)))
        };
        let (header, location) =
            seal_long(context, &entry.cek, &draft.borrow(), content, &mut sink)?;
        if let Some(record) = self.already(&header.header.digest, replaces) {
            self.tx.drop_blocks(put);
            return Ok(Added::Known(record));
        }
        entry.len = header.header.len;
        entry.location = location;
        self.tx.add_long(entry.clone());
        Ok(self.note(&entry, &header.header.digest, replaces))
    }

    fn note(&mut self, entry: &IndexEntry, digest: &Digest, replaces: Option<RecordId>) -> Added {
        let name = self.name(digest);
        self.known.insert(name, entry.record);
        self.lengths.insert(entry.len);
        self.tx.name_last(name);
        self.versions.update(entry.version.as_bytes());
        match replaces {
            Some(_) => Added::Updated(entry.record, entry.version),
            None => Added::New(entry.record, entry.version),
        }
    }

    /// Draws ids and keys for a new version.
    fn begin(
        &self,
        meta: RecordMeta,
        source: Option<String>,
        replaces: Option<RecordId>,
    ) -> Result<(OwnedDraft, IndexEntry), VaultError> {
        let prev = replaces
            .map(|record| self.header_digest(&record))
            .transpose()?;
        let device = self.tx.vault.device.clone();
        let meta = capped(meta);
        let mut summary = meta.clone();
        summary.date = summary.date.map(|date| date.to_day());
        let entry = IndexEntry {
            record: replaces.unwrap_or_else(RecordId::random),
            version: VersionId::random(),
            meta: summary,
            len: 0,
            added: self.tx.now,
            source: source.as_deref().and_then(file_name),
            location: Location::Packed {
                block: Digest::from_bytes([0; 32]),
                offset: 0,
                len: 0,
            },
            cek: SecretKey::random(),
            sealed: self.tx.seq(),
            name: None,
        };
        let draft = OwnedDraft {
            vault: self.tx.vault.id(),
            record: entry.record,
            version: entry.version,
            prev,
            created: self.tx.now,
            source: entry.source.clone(),
            meta,
            device,
        };
        Ok((draft, entry))
    }

    /// The digest of the signed header of a record's newest version.
    fn header_digest(&self, record: &RecordId) -> Result<Digest, VaultError> {
        let entries = self.tx.vault.state.records.items();
        let entry = entries
            .rev()
            .find(|e| e.record == *record)
            .ok_or(VaultError::NoRecord(*record))?;
        let vault = self.tx.vault.id();
        let context = body_context(&vault, entry);
        match &entry.location {
            Location::Packed { block, .. } => {
                let data = self.tx.block(*block)?;
                Ok(
                    open_packed(context, &entry.cek, packed_slice(entry, &data)?)?
                        .0
                        .digest(),
                )
            }
            Location::Long { .. } => {
                let reader =
                    LongReader::open(context, &entry.cek, &entry.location, &*self.tx.store)?;
                Ok(reader.header().digest())
            }
        }
    }

    fn finish(self) -> AddReport {
        let count = self.report.new_versions() as u64;
        if count > 0 {
            let versions = Digest::from_bytes(self.versions.finalize().into());
            self.tx.act(Act::Published { count, versions });
        }
        self.report
    }
}

/// A record with more labels than a header can hold counts as unclear, and so as sensitive.
fn capped(mut meta: RecordMeta) -> RecordMeta {
    if meta.labels.len() > MAX_LABELS {
        meta.labels = meta.labels.into_iter().take(MAX_LABELS).collect();
        meta.labels.insert(Label::unclear());
    }
    while meta.codes.len() > MAX_CODES {
        meta.codes.pop_last();
    }
    meta
}

/// A header draft that owns its device.
struct OwnedDraft {
    vault: VaultId,
    record: RecordId,
    version: VersionId,
    prev: Option<Digest>,
    created: u64,
    source: Option<String>,
    meta: RecordMeta,
    device: std::sync::Arc<crate::identity::Device>,
}

impl OwnedDraft {
    fn borrow(&self) -> HeaderDraft<'_> {
        HeaderDraft {
            vault: self.vault,
            record: self.record,
            version: self.version,
            prev: self.prev,
            author: *self.device.signers().owner(),
            created: self.created,
            source: self.source.clone(),
            meta: self.meta.clone(),
            key: self.device.signing(),
        }
    }
}

fn read_up_to(stream: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match stream.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}
