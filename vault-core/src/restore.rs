//! Blocks back from a backup, into a vault whose identity is at hand.
//!
//! A backup repairs: blocks that the vault's head names and that are gone or damaged are put back.
//! It can also be newer than the vault, a copy of the home that was left behind: then its head is
//! taken over, by the rules that bind readers. It never moves a vault back.

use std::collections::HashSet;
use std::io::Read;
use std::sync::Arc;

use crate::block::{Block, Cid};
use crate::car::{CarError, CarReader, CarSection};
use crate::head::{Head, HeadError};
use crate::identity::Device;
use crate::pins;
use crate::reader::{FollowError, check_time, continues};
use crate::store::{BlockStore, StoreError};
use crate::vault::{Clock, StorageError, Vault, VaultError, VaultStorage};

#[cfg(test)]
mod tests;

/// Bytes handed to the store at once.
const BATCH: usize = 8 << 20;

/// Why a backup was not taken. The vault is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It is cut off, damaged, or no CAR file.
    #[error(transparent)]
    Car(#[from] CarError),
    /// A CAR file, but it does not begin with the head of a vault.
    #[error("not a backup: it does not begin with the head of a vault")]
    NotABackup,
    /// A backup of somebody else's vault.
    #[error("the backup is of another vault")]
    OtherVault,
    /// It was made after a recovery on another device, which ended this one's right to sign.
    #[error("the backup was made after a recovery: this device no longer belongs to the vault")]
    Replaced,
    /// It is newer than the vault, and blocks of it are missing.
    #[error("{} blocks are missing from the backup, the first is {}", .0.len(), .0[0])]
    Incomplete(Vec<Cid>),
    /// Its head was refused: older than the vault's, of a forked history, or from the future.
    #[error(transparent)]
    Head(#[from] FollowError),
    /// The vault or the place where it is kept failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<StorageError> for RestoreError {
    fn from(error: StorageError) -> Self {
        Self::Vault(error.into())
    }
}

impl From<StoreError> for RestoreError {
    fn from(error: StoreError) -> Self {
        Self::Vault(error.into())
    }
}

/// What came of a backup.
#[derive(Debug)]
pub struct Restored {
    /// Sequence number of the vault's head before; `None` when it had none.
    pub before: Option<u64>,
    /// Sequence number of the vault's head now.
    pub head: u64,
    /// Sequence number of the backup's head.
    pub offered: u64,
    /// Blocks that were put back.
    pub restored: u64,
    /// Blocks that were there already.
    pub present: u64,
    /// Sections that are no block of this vault's head.
    pub passed_over: u64,
    /// What was wrong with the file: its end, and blocks that did not match their names.
    pub flaws: Vec<CarError>,
    /// Blocks that the vault's head names and that are still not there.
    pub missing: Vec<Cid>,
}

/// How the backup's head stands to the vault's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Older,
    Same,
    Newer,
}

impl Vault {
    /// Takes blocks from a backup of this device's vault, and its head if it is newer. `progress`
    /// hears how many bytes of the file were read. After a kill, run it again.
    ///
    /// # Errors
    /// [`RestoreError`]; no block of the backup stays then.
    pub fn restore<R: Read>(
        storage: Arc<dyn VaultStorage>,
        device: Arc<Device>,
        clock: Clock,
        mut car: CarReader<R>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Restored, RestoreError> {
        let lock_on = storage.clone();
        let _lock = lock_on.lock()?;
        let store = storage.blocks();
        let seen = seen_head(&*storage, &device)?;
        let head = first_head(&mut car)?;
        let standing = compare(&head, seen.as_ref(), &device, clock())?;
        let wanted = match (standing, &seen) {
            (Standing::Older, Some(seen)) => named(&*store, seen)?,
            _ => HashSet::from([head.block().cid(), head.pins()]),
        };
        let mut taker = Taker {
            store: &*store,
            root: (standing != Standing::Older).then(|| head.pins()),
            shards: HashSet::new(),
            wanted,
            batch: Vec::new(),
            held: 0,
            fresh: Vec::new(),
            present: 0,
            passed_over: 0,
            flaws: Vec::new(),
        };
        let outcome = (|| {
            taker.take(head.block().clone())?;
            taker.read(&mut car, progress)?;
            let now_named = match (standing, &seen) {
                (Standing::Older, Some(seen)) => seen,
                _ => &head,
            };
            let missing = missing(&*store, now_named)?;
            let restored = taker.fresh.len() as u64;
            match standing {
                Standing::Newer => {
                    if !missing.is_empty() {
                        return Err(match taker.flaws.pop() {
                            Some(flaw) => flaw.into(),
                            None => RestoreError::Incomplete(missing),
                        });
                    }
                    if let Some(seen) = &seen {
                        let known = seen.checkpoint();
                        continues((known.size, &known.root), &head, &*store)?;
                    }
                    let bytes = head.block().data();
                    Self::open_head(storage.clone(), device.clone(), clock.clone(), bytes)?;
                    storage.replace_head(bytes)?;
                }
                Standing::Older if restored == 0 && missing.is_empty() => {
                    return Err(older(&head, seen.as_ref()).into());
                }
                Standing::Older | Standing::Same => {}
            }
            Ok(Restored {
                before: seen.as_ref().map(Head::seq),
                head: now_named.seq(),
                offered: head.seq(),
                restored,
                present: taker.present,
                passed_over: taker.passed_over,
                flaws: std::mem::take(&mut taker.flaws),
                missing,
            })
        })();
        // a head that could not be made durable may be in place all the same
        let in_place = storage
            .head()
            .map(|now| now.as_deref() == Some(head.block().data()));
        if outcome.is_err() && matches!(in_place, Ok(false)) && !taker.fresh.is_empty() {
            // what is left is swept up by the next change
            drop(store.remove(&taker.fresh));
        }
        outcome
    }
}

/// The vault's own head. One that does not read is as good as none: heads are replaced whole, so
/// only a fault of the disk can have damaged it.
fn seen_head(storage: &dyn VaultStorage, device: &Device) -> Result<Option<Head>, VaultError> {
    let Some(bytes) = storage.head()? else {
        return Ok(None);
    };
    match Head::for_vault(&bytes, &device.vault()) {
        Ok(head) => Ok(Some(head)),
        Err(HeadError::OtherVault) => Err(VaultError::OtherVault),
        Err(_) => Ok(None),
    }
}

/// The head with which a backup begins.
fn first_head<R: Read>(car: &mut CarReader<R>) -> Result<Head, RestoreError> {
    let root = car.roots().first().copied();
    match car.next().transpose()? {
        Some(CarSection::Block(block)) if Some(block.cid()) == root => {
            Head::from_bytes(block.data()).map_err(|_| RestoreError::NotABackup)
        }
        _ => Err(RestoreError::NotABackup),
    }
}

fn compare(
    head: &Head,
    seen: Option<&Head>,
    device: &Device,
    now: u64,
) -> Result<Standing, RestoreError> {
    if head.vault() != device.vault() {
        return Err(RestoreError::OtherVault);
    }
    let serial = seen.map_or(0, |seen| seen.signers().serial());
    let serial = serial.max(device.signers().serial());
    let seq = seen.map_or(0, Head::seq);
    if head.signers().serial() < serial || head.seq() < seq {
        return match seen {
            Some(_) => Ok(Standing::Older),
            None => Err(older(head, seen).into()),
        };
    }
    if let Some(seen) = seen.filter(|seen| seen.seq() == head.seq()) {
        return match seen.block() == head.block() {
            true => Ok(Standing::Same),
            false => Err(FollowError::Forked("two heads with the same number").into()),
        };
    }
    if !head.signers().may_sign(&device.signing().public()) {
        return Err(RestoreError::Replaced);
    }
    check_time(head, now)?;
    Ok(Standing::Newer)
}

fn older(head: &Head, seen: Option<&Head>) -> FollowError {
    FollowError::Older {
        offered: head.seq(),
        seen: seen.map_or(0, Head::seq),
    }
}

/// Every block that a head names, and its own.
fn named(store: &dyn BlockStore, head: &Head) -> Result<HashSet<Cid>, VaultError> {
    let pins = pins::read(store, &head.pins())?;
    let live = pins.live.into_iter().map(Cid::raw);
    let own = [head.block().cid()];
    Ok(pins.nodes.into_iter().chain(live).chain(own).collect())
}

/// The blocks that a head names and that are not there, or damaged; the first node of the pin set
/// that is not there hides the rest.
fn missing(store: &dyn BlockStore, head: &Head) -> Result<Vec<Cid>, VaultError> {
    let named = match named(store, head) {
        Ok(named) => named,
        Err(error) => match error.missing_block() {
            Some(cid) => return Ok(vec![cid]),
            None => return Err(error),
        },
    };
    let mut missing = Vec::new();
    for cid in named {
        if store.get(&cid)?.is_none() {
            missing.push(cid);
        }
    }
    missing.sort();
    Ok(missing)
}

/// Puts those blocks of a file into a store that the head names.
struct Taker<'a> {
    store: &'a dyn BlockStore,
    /// The pin set's root, where the file's own pin set says what is wanted.
    root: Option<Cid>,
    shards: HashSet<Cid>,
    wanted: HashSet<Cid>,
    batch: Vec<Block>,
    held: usize,
    /// Blocks that were not there before.
    fresh: Vec<Cid>,
    present: u64,
    passed_over: u64,
    flaws: Vec<CarError>,
}

impl Taker<'_> {
    fn read<R: Read>(
        &mut self,
        car: &mut CarReader<R>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), VaultError> {
        while let Some(section) = car.next() {
            match section {
                Ok(CarSection::Block(block)) => self.take(block)?,
                Ok(CarSection::Filler | CarSection::Foreign) => self.passed_over += 1,
                Err(flaw) => self.flaws.push(flaw),
            }
            progress(car.bytes_read());
        }
        self.flush()?;
        Ok(self.store.sync()?)
    }

    fn take(&mut self, block: Block) -> Result<(), VaultError> {
        let cid = block.cid();
        if !self.wanted.remove(&cid) {
            self.passed_over += 1;
            return Ok(());
        }
        if self.root == Some(cid) {
            self.shards = pins::links(&block)?.into_iter().collect();
            self.wanted.extend(&self.shards);
        } else if self.shards.contains(&cid) {
            self.wanted.extend(pins::links(&block)?);
        }
        if self.store.get(&cid)?.is_some() {
            self.present += 1;
            return Ok(());
        }
        self.fresh.push(cid);
        self.held += block.data().len();
        self.batch.push(block);
        if self.held >= BATCH {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), VaultError> {
        self.store.put(&self.batch)?;
        self.batch.clear();
        self.held = 0;
        Ok(())
    }
}
