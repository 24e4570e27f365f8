//! Adding records and versions.

use std::collections::{BTreeSet, HashMap, HashSet};
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
use crate::record::{Kind, Label, MAX_CODES, RecordMeta, SameHash};

/// Contents up to this length are sealed in one piece when their packed form fits, in bytes.
pub(crate) const SMALL: u64 = PACKED_MAX - 16 * 1024;

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
    /// Records that others were derived from.
    origins: HashSet<RecordId>,
    /// Sensitive labels by kind, source id and title.
    labelled: HashMap<(Kind, String, String), BTreeSet<Label>>,
    name_key: SecretKey,
    report: AddReport,
    /// Versions that no commit holds yet: how many, and a hash over their ids.
    pending: u64,
    versions: Sha256,
}

impl Vault {
    /// Adds what `feed` hands over, in one commit: all of it or, on an error, nothing. A feeder that
    /// calls [`Adder::checkpoint`] keeps what it had added until then.
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
    pub(super) fn new(tx: &'t mut Transaction<'v>) -> Result<Self, VaultError> {
        let store = tx.store.clone();
        tx.vault.state.records.load(&*store)?;
        let records = || tx.vault.state.records.items();
        let known = records().filter_map(|e| Some((e.name?, e.record)));
        let known = known.collect();
        let lengths = records().map(|e| e.len).collect();
        let origins = records().filter_map(|e| e.meta.origin).collect();
        // later entries are newer versions, and only the newest counts
        let mut sensitive: HashMap<RecordId, &RecordMeta> = HashMap::new();
        for entry in records() {
            match entry.meta.is_sensitive() {
                true => sensitive.insert(entry.record, &entry.meta),
                false => sensitive.remove(&entry.record),
            };
        }
        let mut labelled: HashMap<_, BTreeSet<Label>> = HashMap::new();
        for meta in sensitive.into_values() {
            let labels = meta.labels.iter().filter(|label| label.is_sensitive());
            labelled
                .entry(source_key(meta))
                .or_default()
                .extend(labels.cloned());
        }
        let name_key = derive(
            tx.vault.state.secrets.names.expose(),
            KeyPurpose::ContentName,
        );
        Ok(Self {
            tx,
            known,
            lengths,
            origins,
            labelled,
            name_key,
            report: AddReport::default(),
            pending: 0,
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

    /// The record that holds a content with this SHA-256 already. A FHIR resource may be there with
    /// other white space, and so with another SHA-256: see [`Adder::known_content`].
    pub fn known(&self, digest: &Digest) -> Option<RecordId> {
        self.known.get(&self.name(digest)).copied()
    }

    /// The record that holds this content already. White space between the tokens of FHIR in JSON does
    /// not count.
    pub fn known_content(&self, meta: &RecordMeta, content: &[u8]) -> Option<RecordId> {
        let same = SameHash::of(meta, content);
        self.known(&same)
            .or_else(|| self.known(&content_digest(content)))
    }

    /// The record that makes an addition needless: any with this content, or, for a new version,
    /// the record itself when its newest version has it.
    fn needless(&self, about: &About, same: &Digest, digest: &Digest) -> Option<RecordId> {
        if about.anyway {
            return None;
        }
        let Some(record) = about.replaces else {
            return self.known(same).or_else(|| self.known(digest));
        };
        let newest = self
            .tx
            .vault
            .state
            .records
            .items()
            .rev()
            .find(|e| e.record == record)?;
        // names were once given by the bytes alone
        let names = [same, digest].map(|digest| Some(self.name(digest)));
        names.contains(&newest.name).then_some(record)
    }

    /// The sensitive labels that a record of the same kind, name at its source and title has: the
    /// same thing, most likely, in another state.
    pub fn labels_of_same_source(&self, meta: &RecordMeta) -> BTreeSet<Label> {
        match meta.source_id {
            Some(_) => self
                .labelled
                .get(&source_key(meta))
                .cloned()
                .unwrap_or_default(),
            None => BTreeSet::new(),
        }
    }

    /// Whether any record was derived from this one.
    pub fn has_derived(&self, origin: &RecordId) -> bool {
        self.origins.contains(origin)
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
        self.take(new, false)
    }

    /// Adds one version even when its content is there already.
    pub(super) fn add_anyway(&mut self, new: NewRecord<'_>) -> Result<Added, VaultError> {
        self.take(new, true)
    }

    fn take(&mut self, new: NewRecord<'_>, anyway: bool) -> Result<Added, VaultError> {
        let about = About {
            meta: new.meta,
            source: new.source,
            replaces: new.replaces,
            anyway,
        };
        let added = match new.content {
            Content::Bytes(content) => self.add_bytes(about, &content)?,
            Content::Stream(stream) => {
                let mut front = Zeroizing::new(vec![0; SMALL as usize + 1]);
                let got = read_up_to(stream, &mut front).map_err(BodyError::Io)?;
                front.truncate(got);
                if got as u64 <= SMALL {
                    self.add_bytes(about, &front)?
                } else {
                    let mut whole = front.chain(stream);
                    self.add_stream(about, &mut whole)?
                }
            }
        };
        self.report.added.push(added);
        Ok(added)
    }

    fn add_bytes(&mut self, about: About, content: &[u8]) -> Result<Added, VaultError> {
        let digest = content_digest(content);
        let same = SameHash::of(&about.meta, content);
        if let Some(record) = self.needless(&about, &same, &digest) {
            return Ok(Added::Known(record));
        }
        if content.len() as u64 > SMALL {
            return self.add_stream(about, &mut &*content);
        }
        let replaces = about.replaces;
        let (draft, mut entry) = self.begin(about)?;
        let vault = self.tx.vault.id();
        let (_, sealed) = seal_packed(
            body_context(&vault, &entry),
            entry.cek.plain()?,
            &draft.borrow(),
            content,
        );
        entry.len = content.len() as u64;
        self.tx.add_packed(entry.clone(), &sealed)?;
        Ok(self.note(&entry, &same, replaces))
    }

    fn add_stream(
        &mut self,
        about: About,
        content: &mut (dyn Read + Send),
    ) -> Result<Added, VaultError> {
        let (draft, mut entry) = self.begin(about.clone())?;
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
        let mut content = Comparing {
            inner: content,
            hash: SameHash::new(&about.meta),
        };
        let sealed = seal_long(
            context,
            entry.cek.plain()?,
            &draft.borrow(),
            &mut content,
            &mut sink,
        );
        let same = content.hash.finish();
        let (header, location) = match sealed {
            Ok(sealed) => sealed,
            Err(error) => {
                // a content that breaks off leaves nothing behind, and others may follow
                self.tx.drop_blocks(put);
                return Err(error.into());
            }
        };
        if let Some(record) = self.needless(&about, &same, &header.header.digest) {
            self.tx.drop_blocks(put);
            return Ok(Added::Known(record));
        }
        entry.len = header.header.len;
        entry.location = location;
        self.tx.add_long(entry.clone());
        Ok(self.note(&entry, &same, about.replaces))
    }

    /// Takes a version whose sealed body is among the vault's blocks already, put there as it is. It
    /// gets the labels that the patient gave to the same thing earlier.
    pub(super) fn adopt(&mut self, mut entry: IndexEntry, same: &Digest) {
        let labels = self.labels_of_same_source(&entry.meta);
        entry.meta.labels.extend(labels);
        self.tx.add_long(entry.clone());
        self.tx.name_last(self.name(same));
        self.origins.extend(entry.meta.origin);
        self.versions.update(entry.version.as_bytes());
        self.pending += 1;
    }

    fn note(&mut self, entry: &IndexEntry, same: &Digest, replaces: Option<RecordId>) -> Added {
        let name = self.name(same);
        self.origins.extend(entry.meta.origin);
        self.known.insert(name, entry.record);
        self.lengths.insert(entry.len);
        self.tx.name_last(name);
        self.versions.update(entry.version.as_bytes());
        self.pending += 1;
        match replaces {
            Some(_) => Added::Updated(entry.record, entry.version),
            None => Added::New(entry.record, entry.version),
        }
    }

    /// Draws ids and keys for a new version.
    fn begin(&self, about: About) -> Result<(OwnedDraft, IndexEntry), VaultError> {
        let About {
            meta,
            source,
            replaces,
            ..
        } = about;
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
            cek: crate::index::ContentKey::Plain(SecretKey::random()),
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
                    open_packed(context, entry.cek.plain()?, packed_slice(entry, &data)?)?
                        .0
                        .digest(),
                )
            }
            Location::Long { .. } => {
                let reader = LongReader::open(
                    context,
                    entry.cek.plain()?,
                    &entry.location,
                    &*self.tx.store,
                )?;
                Ok(reader.header().digest())
            }
        }
    }

    pub(super) fn finish(mut self) -> AddReport {
        self.publish();
        self.report
    }

    /// Notes in the log what was added since the last commit.
    fn publish(&mut self) {
        let count = std::mem::take(&mut self.pending);
        let versions = std::mem::take(&mut self.versions).finalize();
        if count > 0 {
            let versions = Digest::from_bytes(versions.into());
            self.tx.act(Act::Published { count, versions });
        }
    }

    /// How many versions were added since the last commit.
    pub const fn pending(&self) -> u64 {
        self.pending
    }

    /// Commits what was added so far and goes on. A long import is made durable part by part: a kill
    /// loses what came after the last checkpoint, and the same import, started again, finds the rest
    /// there already. Costs about as much as a whole small addition.
    ///
    /// # Errors
    /// [`VaultError`]; then the vault is as it was at the checkpoint before.
    pub fn checkpoint(&mut self) -> Result<(), VaultError> {
        self.publish();
        self.tx.flush()
    }
}

/// What is known of an addition besides its content.
#[derive(Clone)]
struct About {
    meta: RecordMeta,
    source: Option<String>,
    replaces: Option<RecordId>,
    /// Add it although its content is there.
    anyway: bool,
}

/// A record with more labels than a header can hold counts as unclear, and so as sensitive.
pub(crate) fn capped(mut meta: RecordMeta) -> RecordMeta {
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

/// What a record goes by at its source.
fn source_key(meta: &RecordMeta) -> (Kind, String, String) {
    let source = meta.source_id.clone().unwrap_or_default();
    (meta.kind.clone(), source, meta.title.clone())
}

/// Hashes a stream for comparison while it is sealed.
struct Comparing<'a> {
    inner: &'a mut (dyn Read + Send),
    hash: SameHash,
}

impl Read for Comparing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let got = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..got).unwrap_or_default());
        Ok(got)
    }
}

pub(crate) fn read_up_to(stream: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
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
