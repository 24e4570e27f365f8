//! The waiting room: deposits that have arrived and that the patient has not decided about.
//!
//! Each is one file in the home's folder `deposits`, outside the vault's blocks and served to
//! nobody. What counts stands in one sealed list, written whole: a file that the list does not name
//! is a leftover and is swept. Source of the rules: `docs/SPEC.md`, section 21.5.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::decide::{DepositLimit, DepositRefusal, Earlier, may_deposit};
use super::incoming::{Incoming, Reserved};
use super::{DepositError, Parcel, parcel};
use crate::block::{Block, Digest};
use crate::car::CarReader;
use crate::codec::{self, DecodeError};
use crate::home::Home;
use crate::identity::Device;
use crate::ids::{DepositId, VaultId};
use crate::keys::{PublicKey, SecretKey};
use crate::seal::{OpenError, open, seal};
use crate::vault::StorageError;

/// The list's file in the home.
const LIST: &str = "deposits/list";

/// Longest accepted list, in bytes.
const MAX_LIST_LEN: usize = 64 << 20;

/// How long a deposit is remembered after the decision, in seconds (30 days): as long, a second
/// delivery gets the first one's receipt.
const MEMORY: u64 = 30 * 24 * 3600;

const DAY: u64 = 24 * 3600;

/// Why the waiting room could not be used.
#[derive(Debug, thiserror::Error)]
pub enum WaitingError {
    /// The home failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A file could not be read or written.
    #[error("deposits: {0}")]
    Io(#[from] io::Error),
    /// The list is damaged or belongs to another device.
    #[error("deposits: {0}")]
    Seal(#[from] OpenError),
    /// The list is malformed.
    #[error("deposits: {0}")]
    Malformed(#[from] DecodeError),
    /// No deposit of this id waits.
    #[error("no deposit {0} waits")]
    NotFound(DepositId),
    /// It is not taken.
    #[error("{0}")]
    Refused(DepositRefusal),
}

/// How far a deposit has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// It is here and not in the log yet.
    Arrived,
    /// It waits for the patient.
    Waiting,
    /// The patient has decided.
    Settled,
}

/// A deposit that has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitingDeposit {
    /// The deposit.
    pub deposit: DepositId,
    /// The sender's owner key.
    pub owner: PublicKey,
    /// SHA-256 of the parcel.
    pub digest: Digest,
    /// Its length, in bytes.
    pub bytes: u64,
    /// When it arrived, in seconds since 1970-01-01 UTC.
    pub time: u64,
    pub(crate) stage: Stage,
}

impl WaitingDeposit {
    /// Whether the log does not tell of it yet.
    pub(crate) fn is_unlogged(&self) -> bool {
        self.stage == Stage::Arrived
    }

    /// Whether the patient has decided about it.
    pub(crate) fn is_settled(&self) -> bool {
        self.stage == Stage::Settled
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListWire {
    v: u8,
    deposits: Vec<WaitingDeposit>,
}

/// The waiting room of a home.
pub struct WaitingDeposits {
    home: Arc<Home>,
    key: SecretKey,
    vault: VaultId,
    folder: PathBuf,
    reserved: Arc<Mutex<Reserved>>,
}

impl WaitingDeposits {
    /// Opens the waiting room and sweeps out what interrupted deliveries left behind.
    ///
    /// # Errors
    /// [`WaitingError`].
    pub fn open(home: Arc<Home>, device: &Device) -> Result<Self, WaitingError> {
        let folder = home.deposits()?;
        let this = Self {
            key: device.local_state_key(),
            vault: device.vault(),
            home,
            folder,
            reserved: Arc::default(),
        };
        let home = this.home.clone();
        let _lock = home.lock_deposits()?;
        this.sweep()?;
        Ok(this)
    }

    fn context(&self) -> Vec<u8> {
        [
            b"medvault/v1/deposits\0\x01".as_slice(),
            self.vault.as_bytes(),
        ]
        .concat()
    }

    fn read(&self) -> Result<Vec<WaitingDeposit>, WaitingError> {
        let Some(sealed) = self.home.read_file(LIST)? else {
            return Ok(Vec::new());
        };
        let plain = Zeroizing::new(open(self.key.expose(), &self.context(), &sealed)?);
        let wire: ListWire = codec::decode(&plain, MAX_LIST_LEN)?;
        match wire.v {
            1 => Ok(wire.deposits),
            _ => Err(DecodeError::Malformed.into()),
        }
    }

    /// Lock, read, change, write whole.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Vec<WaitingDeposit>) -> Result<T, WaitingError>,
    ) -> Result<T, WaitingError> {
        let _lock = self.home.lock_deposits()?;
        let mut deposits = self.read()?;
        let value = change(&mut deposits)?;
        let newest = deposits.iter().map(|row| row.time).max().unwrap_or(0);
        deposits
            .retain(|row| row.stage != Stage::Settled || row.time.saturating_add(MEMORY) >= newest);
        let plain = Zeroizing::new(codec::encode(&ListWire { v: 1, deposits }));
        let sealed = seal(self.key.expose(), &self.context(), &plain);
        self.home.write_file(LIST, &sealed)?;
        Ok(value)
    }

    /// Deletes files that the list does not name, but those that another process is writing.
    fn sweep(&self) -> Result<(), WaitingError> {
        let listed = self.read()?;
        let is_kept = |name: &str| {
            let waits = |row: &WaitingDeposit| {
                row.stage != Stage::Settled && parcel_name(&row.deposit) == name
            };
            name == "list" || listed.iter().any(waits)
        };
        for file in fs::read_dir(&self.folder)? {
            let path = file?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !is_kept(&name) && !is_written(&path) {
                // best effort: what stays is found again the next time
                drop(fs::remove_file(&path));
            }
        }
        Ok(())
    }

    /// Deposits that wait for a decision, in the order they came.
    ///
    /// # Errors
    /// [`WaitingError`].
    pub fn list(&self) -> Result<Vec<WaitingDeposit>, WaitingError> {
        let mut deposits = self.read()?;
        deposits.retain(|row| row.stage != Stage::Settled);
        Ok(deposits)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`WaitingError::NotFound`].
    pub fn find(&self, deposit: &DepositId) -> Result<WaitingDeposit, WaitingError> {
        let found = self.list()?.into_iter().find(|row| row.deposit == *deposit);
        found.ok_or(WaitingError::NotFound(*deposit))
    }

    /// A deposit of this sender that arrived before, whatever became of it.
    pub(crate) fn known(
        &self,
        deposit: &DepositId,
    ) -> Result<Option<WaitingDeposit>, WaitingError> {
        Ok(self.read()?.into_iter().find(|row| row.deposit == *deposit))
    }

    /// What a sender has deposited before `now`, deliveries under way included.
    pub(crate) fn earlier(&self, owner: &PublicKey, now: u64) -> Result<Earlier, WaitingError> {
        let mut earlier = earlier(&self.read()?, owner, now);
        for (_, bytes) in self.reserved().values().filter(|(who, _)| who == owner) {
            earlier.waiting = earlier.waiting.saturating_add(*bytes);
            earlier.today += 1;
        }
        Ok(earlier)
    }

    /// Whether a deposit is on its way into this waiting room.
    pub(crate) fn is_arriving(&self, deposit: &DepositId) -> bool {
        self.reserved().contains_key(deposit)
    }

    fn reserved(&self) -> MutexGuard<'_, Reserved> {
        // every change is one insert or remove, so a panic elsewhere leaves the map whole
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a temporary file for a parcel of `bytes` bytes with this hash, if it is known.
    ///
    /// # Errors
    /// [`DepositRefusal::Busy`] when the same deposit is arriving already.
    pub(crate) fn begin(
        &self,
        owner: PublicKey,
        deposit: DepositId,
        bytes: u64,
        digest: Option<Digest>,
    ) -> Result<Incoming, WaitingError> {
        let mut reserved = self.reserved();
        if reserved.contains_key(&deposit) {
            return Err(WaitingError::Refused(DepositRefusal::Busy));
        }
        let _lock = self.home.lock_deposits()?;
        let name = data_encoding::HEXLOWER.encode(&crate::random::array::<8>());
        let path = self.folder.join(format!(".{name}.tmp"));
        let file = crate::home::create_private(&path)?;
        file.lock()?;
        reserved.insert(deposit, (owner, bytes));
        let (file, announced) = ((file, path), (bytes, digest));
        let reserved = self.reserved.clone();
        Ok(Incoming::new(file, owner, deposit, announced, reserved))
    }

    /// Keeps a parcel that has arrived: checks its length and hash and, against `limit`, what has
    /// come meanwhile; syncs it, names it and lists it.
    ///
    /// # Errors
    /// [`WaitingError::Refused`].
    pub(crate) fn keep(
        &self,
        mut incoming: Incoming,
        limit: Option<&DepositLimit>,
        now: u64,
    ) -> Result<WaitingDeposit, WaitingError> {
        let digest = incoming.check().map_err(WaitingError::Refused)?;
        incoming.file.sync_all()?;
        let arrived = WaitingDeposit {
            deposit: incoming.deposit,
            owner: incoming.owner,
            digest,
            bytes: incoming.bytes,
            time: now,
            stage: Stage::Arrived,
        };
        self.change(|deposits| {
            // what was declined may be added again by hand, never by its sender
            let again = |row: &WaitingDeposit| limit.is_none() && row.is_settled();
            let known = |row: &WaitingDeposit| row.deposit == arrived.deposit;
            if deposits.iter().any(|row| known(row) && !again(row)) {
                return Err(WaitingError::Refused(DepositRefusal::Already));
            }
            deposits.retain(|row| !known(row));
            if let Some(limit) = limit {
                let earlier = earlier(deposits, &arrived.owner, now);
                may_deposit(Some(limit), earlier, arrived.bytes).map_err(WaitingError::Refused)?;
            }
            let place = self.folder.join(parcel_name(&arrived.deposit));
            if let Some(path) = &incoming.path {
                fs::rename(path, &place)?;
            }
            incoming.path = None;
            crate::home::sync_dir(&self.folder)?;
            deposits.push(arrived.clone());
            Ok(())
        })?;
        Ok(arrived)
    }

    /// Marks a deposit as entered in the log.
    pub(crate) fn noted(&self, deposit: &DepositId) -> Result<(), WaitingError> {
        self.change(|deposits| {
            let row = deposits.iter_mut().find(|row| row.deposit == *deposit);
            if let Some(row) = row.filter(|row| row.stage == Stage::Arrived) {
                row.stage = Stage::Waiting;
            }
            Ok(())
        })
    }

    /// Forgets a deposit that the patient has decided about, and deletes its parcel.
    ///
    /// # Errors
    /// [`WaitingError`].
    pub fn settle(&self, deposit: &DepositId) -> Result<(), WaitingError> {
        self.change(|deposits| {
            for row in deposits.iter_mut().filter(|row| row.deposit == *deposit) {
                row.stage = Stage::Settled;
            }
            Ok(())
        })?;
        match fs::remove_file(self.folder.join(parcel_name(deposit))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Opens the parcel of a deposit that waits.
    ///
    /// # Errors
    /// [`DepositError`].
    pub fn parcel(&self, deposit: &DepositId) -> Result<Parcel<File>, DepositError> {
        let parcel = Parcel::open(File::open(self.folder.join(parcel_name(deposit)))?)?;
        match parcel.deposit() == *deposit {
            true => Ok(parcel),
            false => Err(DepositError::NotAParcel("it is another deposit")),
        }
    }

    /// The note of a deposit that waits, and nothing else of it.
    pub(crate) fn note(&self, deposit: &DepositId) -> Result<Block, DepositError> {
        let file = File::open(self.folder.join(parcel_name(deposit)))?;
        parcel::first_block(&mut CarReader::new(io::BufReader::new(file))?)
    }
}

fn parcel_name(deposit: &DepositId) -> String {
    format!("{deposit}.car")
}

fn earlier(deposits: &[WaitingDeposit], owner: &PublicKey, now: u64) -> Earlier {
    let mut earlier = Earlier::default();
    for row in deposits.iter().filter(|row| row.owner == *owner) {
        if row.stage != Stage::Settled {
            earlier.waiting = earlier.waiting.saturating_add(row.bytes);
        }
        // a clock that was set back must not open the door
        earlier.today += u64::from(row.time.saturating_add(DAY) > now);
    }
    earlier
}

/// Whether some process is writing this file.
fn is_written(path: &Path) -> bool {
    let file = File::open(path);
    file.is_ok_and(|file| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)))
}
