//! The vault: the patient's records, grants and log, and every act upon them.
//!
//! All changes go through one door, [`Vault::transact`]: lock, re-read the head, change the state
//! in memory, seal what changed, make it durable, replace the head, delete what is no longer
//! needed. A kill at any instant leaves either the old head or the new one, each with all its
//! blocks.

mod add;
mod agents;
mod agreements;
mod answer;
mod archive;
mod confirm;
mod contacts;
mod deposits;
mod desk;
mod error;
#[cfg(any(test, feature = "testing"))]
mod long_log;
mod opener;
mod pinning;
mod prove;
mod readers;
mod reading;
mod receipt;
mod recent;
mod recover;
mod rekey;
mod relabel;
mod release;
mod revoke;
mod share;
mod state;
mod storage;
mod transaction;
mod verify;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::audit::Act;
use crate::block::Cid;
use crate::body::long::LongReader;
use crate::body::{BodyContext, BodyError, Location, RecordHeader, open_packed};
use crate::grant::{ZERO, root_context};
use crate::head::Head;
use crate::identity::{Device, Signers};
use crate::ids::{GrantId, RecordId, VaultId};
use crate::index::{IndexEntry, open_object};
#[cfg(test)]
use crate::keys::RecoveryWords;
use crate::keys::{SecretKey, SignatureError};
use crate::store::{BlockSource, SourceError};

pub use add::{AddReport, Added, Adder, Content, NewRecord};
pub(crate) use add::{SMALL, capped, read_up_to};
pub use agents::{AgentRequest, ReportError};
pub use agreements::{AgentInfo, AgreementInfo};
pub use answer::{Answers, Charge};
pub(crate) use archive::body_blocks;
pub use archive::{Archive, ArchiveError, Archived};
pub use contacts::ContactInfo;
pub use deposits::{Admission, DepositAccepted, DepositView, DepositedRecord};
pub use desk::{ChargeSource, Desk, DeskEvent, NoCharges};
pub use error::VaultError;
pub use opener::Opener;
pub use receipt::{AgentStanding, PinnerAck, Receipt, ReceiptError};
pub use rekey::RekeyProgress;
pub use relabel::Relabelled;
pub use revoke::{Revocation, RevokeTarget};
pub use share::{GrantInfo, OnRequestTerms, Preview, ShareRequest, Shared};
pub use state::GrantStatus;
use state::State;
pub(crate) use state::grant_list;
pub use storage::{MemoryStorage, StorageError, VaultStorage, WriteGuard};
use transaction::Transaction;
pub use verify::{AuditReport, BadEntry, BlockReport};

/// Tells the time, in seconds since 1970-01-01 UTC.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The system's clock.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |now| now.as_secs())
    })
}

/// An open vault.
pub struct Vault {
    storage: Arc<dyn VaultStorage>,
    pub(crate) device: Arc<Device>,
    clock: Clock,
    head: Head,
    zero_key: SecretKey,
    state: State,
    /// What was asked lately, by request.
    recent: recent::Recent,
    /// The versions in the index of each grant on request that was asked for, by its pages.
    listings: HashMap<GrantId, answer::Listing>,
    /// A change failed, and the state could not be read again: it holds half of the change.
    half_changed: bool,
}

/// Counts for people, from what is loaded anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultStats {
    /// Versions of records.
    pub versions: usize,
    /// Entries of the audit log.
    pub log_entries: u64,
    /// Contacts.
    pub contacts: usize,
    /// Grants, ended ones included.
    pub grants: usize,
}

impl Vault {
    /// Makes a new vault for a device that [`Device::for_new_vault`] made, with its first head.
    ///
    /// # Errors
    /// [`StorageError::Exists`] when there is a head already; [`VaultError`] otherwise.
    pub fn create(
        storage: Arc<dyn VaultStorage>,
        device: Arc<Device>,
        name: &str,
        clock: Clock,
    ) -> Result<Self, VaultError> {
        if storage.head()?.is_some() {
            return Err(StorageError::Exists.into());
        }
        device.card(name)?;
        let serial = device.signers().serial();
        let state = State::new(&device.vault(), name);
        recover::first_head(storage, device, clock, state, Act::VaultCreated { serial })
    }

    /// Opens the vault that is kept in `storage`.
    ///
    /// # Errors
    /// [`StorageError::NoVault`]; [`VaultError::OtherVault`] when the device belongs elsewhere.
    pub fn open(
        storage: Arc<dyn VaultStorage>,
        device: Arc<Device>,
        clock: Clock,
    ) -> Result<Self, VaultError> {
        loop {
            let bytes = storage.head()?.ok_or(StorageError::NoVault)?;
            match Self::open_head(storage.clone(), device.clone(), clock.clone(), &bytes) {
                // another process has replaced the head in between, and deleted old blocks
                Err(error)
                    if error.is_missing_block() && storage.head()?.as_ref() != Some(&bytes) => {}
                done => return done,
            }
        }
    }

    pub(crate) fn open_head(
        storage: Arc<dyn VaultStorage>,
        device: Arc<Device>,
        clock: Clock,
        bytes: &[u8],
    ) -> Result<Self, VaultError> {
        let head = Head::from_bytes(bytes)?;
        if head.vault() != device.vault() {
            return Err(VaultError::OtherVault);
        }
        let blocks = storage.blocks();
        let zero_key = open_zero_key(&*blocks, &head, &device)?;
        let state = load_state(&*blocks, &head, &zero_key)?;
        Ok(Self {
            storage,
            device,
            clock,
            head,
            zero_key,
            state,
            recent: recent::Recent::default(),
            listings: HashMap::new(),
            half_changed: false,
        })
    }

    /// Reads the head again if another process has replaced it.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn refresh(&mut self) -> Result<(), VaultError> {
        let bytes = self.storage.head()?.ok_or(StorageError::NoVault)?;
        if self.half_changed || bytes != self.head.block().data() {
            self.reload()?;
        }
        Ok(())
    }

    pub(crate) fn reload(&mut self) -> Result<(), VaultError> {
        *self = Self::open(
            self.storage.clone(),
            self.device.clone(),
            self.clock.clone(),
        )?;
        Ok(())
    }

    /// The one door for changes.
    fn transact<T>(
        &mut self,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        self.transact_with(false, change)
    }

    /// The same, for a change that somebody waits for: what it replaces is left for the next one, or
    /// for [`Vault::tidy`].
    fn transact_quickly<T>(
        &mut self,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        self.transact_with(true, change)
    }

    fn transact_with<T>(
        &mut self,
        quickly: bool,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        let storage = self.storage.clone();
        let _lock = storage.lock()?;
        self.refresh()?;
        let mut transaction = match quickly {
            true => Transaction::begin_keeping(self)?,
            false => Transaction::begin(self)?,
        };
        let result =
            change(&mut transaction).and_then(|value| transaction.commit().map(|()| value));
        if result.is_err() {
            self.half_changed = true;
            self.reload()?;
        }
        result
    }

    /// Signs a fresh head when less than half of the present one's life is left, and ends grants
    /// whose time is over. Returns whether anything changed.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn tend(&mut self) -> Result<bool, VaultError> {
        let seq = self.head.seq();
        self.transact(|tx| {
            tx.expire_due()?;
            tx.renew_if_old();
            Ok(())
        })?;
        Ok(self.head.seq() != seq)
    }

    /// Deletes the blocks that quick changes have replaced.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn tidy(&mut self) -> Result<(), VaultError> {
        self.transact(|_| Ok(()))
    }

    /// The vault's id.
    pub fn id(&self) -> VaultId {
        self.head.vault()
    }

    /// The unlocked device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The newest head.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The name on the owner's card.
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// Where the vault is kept.
    pub fn storage(&self) -> &Arc<dyn VaultStorage> {
        &self.storage
    }

    pub(crate) fn now(&self) -> u64 {
        (self.clock)()
    }

    /// Counts for people.
    pub fn stats(&self) -> VaultStats {
        VaultStats {
            versions: self.state.records.len(),
            log_entries: self.head.checkpoint().size,
            contacts: self.state.contacts.len(),
            grants: self.state.grants.len(),
        }
    }

    /// The newest version of every record, in the order they were added.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn records(&mut self) -> Result<Vec<IndexEntry>, VaultError> {
        self.load_records()?;
        Ok(newest(self.state.records.items()))
    }

    /// Every version of one record, oldest first.
    ///
    /// # Errors
    /// [`VaultError::NoRecord`].
    pub fn versions(&mut self, record: &RecordId) -> Result<Vec<IndexEntry>, VaultError> {
        self.load_records()?;
        let found: Vec<_> = self
            .state
            .records
            .items()
            .filter(|e| e.record == *record)
            .cloned()
            .collect();
        if found.is_empty() {
            Err(VaultError::NoRecord(*record))
        } else {
            Ok(found)
        }
    }

    /// Every version that `wanted` takes, oldest first, in one pass over the vault. Versions of
    /// removed records are no longer there.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn find_versions(
        &mut self,
        mut wanted: impl FnMut(&IndexEntry) -> bool,
    ) -> Result<Vec<IndexEntry>, VaultError> {
        self.load_records()?;
        let found = self.state.records.items().filter(|entry| wanted(entry));
        Ok(found.cloned().collect())
    }

    fn load_records(&mut self) -> Result<(), VaultError> {
        self.reading(|vault| Ok(vault.state.records.load(&*vault.storage.blocks())?))
    }

    /// Opens a version's content.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn open_record(&self, entry: &IndexEntry) -> Result<OpenRecord, VaultError> {
        OpenRecord::open(self.head.signers(), entry, self.storage.blocks())
    }
}

/// The newest of the versions of each record, in order of first appearance.
pub(crate) fn newest<'a>(entries: impl Iterator<Item = &'a IndexEntry>) -> Vec<IndexEntry> {
    let mut place = HashMap::new();
    let mut list: Vec<IndexEntry> = Vec::new();
    for entry in entries {
        match place.get(&entry.record) {
            Some(at) => list[*at] = entry.clone(),
            None => {
                place.insert(entry.record, list.len());
                list.push(entry.clone());
            }
        }
    }
    list
}

/// What grant zero's envelopes are bound to.
fn zero_cover_context(vault: &VaultId) -> Vec<u8> {
    let mut context = b"medvault/v1/zero-cover\0\x01".to_vec();
    context.extend_from_slice(vault.as_bytes());
    context
}

fn fetch_one(source: &dyn BlockSource, cid: Cid) -> Result<Vec<u8>, SourceError> {
    let block = source
        .fetch(&[cid])?
        .pop()
        .ok_or(SourceError::Missing(cid))?;
    Ok(block.into_data())
}

/// Opens grant zero's key with the device's identity.
fn open_zero_key(
    source: &dyn BlockSource,
    head: &Head,
    device: &Device,
) -> Result<SecretKey, VaultError> {
    let zero = &head.body.zero;
    let block = fetch_one(source, Cid::raw(zero.envelopes))?;
    let context = zero_cover_context(&head.vault());
    let envelopes = open_object(device.zero_cover(), &context, &block, zero.envelopes_len)?;
    recover::find_zero_key(&envelopes, device.identity(), head)
}

fn load_state(
    source: &dyn BlockSource,
    head: &Head,
    zero_key: &SecretKey,
) -> Result<State, VaultError> {
    let zero = &head.body.zero;
    let block = fetch_one(source, Cid::raw(zero.root))?;
    let plain = open_object(
        zero_key,
        &root_context(&head.vault(), &ZERO),
        &block,
        zero.root_len,
    )?;
    Ok(State::decode(&head.vault(), &plain)?)
}

/// A record version whose body is open.
pub struct OpenRecord {
    vault: VaultId,
    entry: IndexEntry,
    header: RecordHeader,
    source: Arc<dyn BlockSource>,
    /// The content of a packed body.
    content: Option<Zeroizing<Vec<u8>>>,
}

impl OpenRecord {
    /// Opens the body, all of a packed one, the front of a long one, and checks who signed it.
    pub(crate) fn open(
        signers: &Signers,
        entry: &IndexEntry,
        source: Arc<dyn BlockSource>,
    ) -> Result<Self, VaultError> {
        let vault = signers.vault();
        let context = body_context(&vault, entry);
        let (header, content) = match &entry.location {
            Location::Packed { block, .. } => {
                let data = fetch_one(&*source, Cid::raw(*block))?;
                let (header, content) =
                    open_packed(context, entry.cek.plain()?, packed_slice(entry, &data)?)?;
                (header.header, Some(content))
            }
            Location::Long { .. } => {
                let reader =
                    LongReader::open(context, entry.cek.plain()?, &entry.location, &*source)?;
                (reader.header().header.clone(), None)
            }
        };
        // what the patient wrote is signed by a key that the owner vouches for
        if header.author == *signers.owner() && !signers.has_signed(&header.signer) {
            return Err(BodyError::Header(SignatureError::Invalid.into()).into());
        }
        Ok(Self {
            vault,
            entry: entry.clone(),
            header,
            source,
            content,
        })
    }

    /// The signed header.
    pub const fn header(&self) -> &RecordHeader {
        &self.header
    }

    /// Content bytes `at..at + len`, fewer at the end. Reads only the blocks they lie in.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn read_range(&self, at: u64, len: usize) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        if let Some(content) = &self.content {
            let start = usize::try_from(at).map_or(content.len(), |at| at.min(content.len()));
            let end = start.saturating_add(len).min(content.len());
            return Ok(Zeroizing::new(content[start..end].to_vec()));
        }
        Ok(self.reader()?.read(at, len)?)
    }

    /// Writes the whole content and checks its signed digest. What was written must be thrown
    /// away when this fails.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn copy_to(&self, out: &mut dyn Write) -> Result<(), VaultError> {
        match &self.content {
            Some(content) => out.write_all(content).map_err(BodyError::Io)?,
            None => self.reader()?.copy_to(out)?,
        }
        Ok(())
    }

    fn reader(&self) -> Result<LongReader<'_>, VaultError> {
        let context = body_context(&self.vault, &self.entry);
        Ok(LongReader::open(
            context,
            self.entry.cek.plain()?,
            &self.entry.location,
            &*self.source,
        )?)
    }
}

/// What a body is bound to, by its index entry.
pub(crate) fn body_context<'a>(vault: &'a VaultId, entry: &'a IndexEntry) -> BodyContext<'a> {
    BodyContext {
        vault,
        record: &entry.record,
        version: &entry.version,
        kind: &entry.meta.kind,
    }
}

/// The sealed body of a packed entry within its block.
pub(crate) fn packed_slice<'a>(
    entry: &IndexEntry,
    block: &'a [u8],
) -> Result<&'a [u8], VaultError> {
    let Location::Packed { offset, len, .. } = entry.location else {
        return Err(BodyError::Malformed.into());
    };
    let start = offset as usize;
    let slice = start
        .checked_add(len as usize)
        .and_then(|end| block.get(start..end));
    Ok(slice.ok_or(BodyError::Malformed)?)
}
