//! A place for a vault that fails on request: at one of its writing operations the process dies, or
//! that one operation fails and the rest goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::support::storage_of;
use crate::store::{BlockStore, StoreError};
use crate::vault::{MemoryStorage, StorageError, VaultStorage, WriteGuard};
use crate::{Block, Cid, Codec};

/// How the chosen operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process dies before anything of it is done.
    DiesBefore,
    /// The process dies when half of it is done; a head is wholly replaced.
    DiesWithin,
    /// It fails and does nothing; whatever follows works.
    Fails,
}

/// What becomes of blocks that were put and not synced when the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsynced {
    Lost,
    Kept,
    EveryOther,
    /// Heads and pin sets are kept, and none of the blocks that they name.
    LinksOnly,
}

struct Disk {
    durable: BTreeMap<Cid, Block>,
    unsynced: BTreeMap<Cid, Block>,
    head: Option<Vec<u8>>,
    /// Writing operations until the fault.
    left: usize,
    fault: Fault,
    dead: bool,
    /// Whether the fault has come.
    struck: bool,
}

fn refusal() -> StoreError {
    StoreError::Io(std::io::Error::other("the disk is gone"))
}

impl Disk {
    /// Counts one writing operation. Returns how much of it to do, of `whole`, and whether it then
    /// fails.
    fn write(&mut self, whole: usize) -> Result<(usize, bool), StoreError> {
        if self.dead {
            return Err(refusal());
        }
        if self.left > 0 {
            self.left -= 1;
            return Ok((whole, false));
        }
        if self.struck {
            return Ok((whole, false));
        }
        self.struck = true;
        self.dead = self.fault != Fault::Fails;
        let part = if self.fault == Fault::DiesWithin {
            whole.div_ceil(2)
        } else {
            0
        };
        Ok((part, true))
    }
}

fn outcome(fails: bool) -> Result<(), StoreError> {
    if fails { Err(refusal()) } else { Ok(()) }
}

struct FaultyStore(Arc<Mutex<Disk>>);

impl FaultyStore {
    fn alive(&self) -> Result<MutexGuard<'_, Disk>, StoreError> {
        let disk = self.0.lock().unwrap();
        if disk.dead { Err(refusal()) } else { Ok(disk) }
    }
}

impl BlockStore for FaultyStore {
    fn put(&self, blocks: &[Block]) -> Result<(), StoreError> {
        let mut disk = self.0.lock().unwrap();
        let (part, fails) = disk.write(blocks.len())?;
        for block in &blocks[..part] {
            if !disk.durable.contains_key(&block.cid()) {
                disk.unsynced.insert(block.cid(), block.clone());
            }
        }
        outcome(fails)
    }

    fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        let disk = self.alive()?;
        Ok(disk
            .durable
            .get(cid)
            .or_else(|| disk.unsynced.get(cid))
            .cloned())
    }

    fn has(&self, cid: &Cid) -> Result<bool, StoreError> {
        Ok(self.get(cid)?.is_some())
    }

    fn sync(&self) -> Result<(), StoreError> {
        let mut disk = self.0.lock().unwrap();
        let (part, fails) = disk.write(2)?;
        if part == 2 {
            let unsynced = std::mem::take(&mut disk.unsynced);
            disk.durable.extend(unsynced);
        }
        outcome(fails)
    }

    fn remove(&self, cids: &[Cid]) -> Result<usize, StoreError> {
        let mut disk = self.0.lock().unwrap();
        let (part, fails) = disk.write(cids.len())?;
        let mut count = 0;
        for cid in &cids[..part] {
            let gone = (disk.durable.remove(cid), disk.unsynced.remove(cid));
            count += usize::from(gone.0.is_some() || gone.1.is_some());
        }
        outcome(fails).map(|()| count)
    }

    fn list(&self) -> Result<Vec<Cid>, StoreError> {
        let disk = self.alive()?;
        Ok(disk
            .durable
            .keys()
            .chain(disk.unsynced.keys())
            .copied()
            .collect())
    }
}

pub(super) struct FaultyStorage {
    disk: Arc<Mutex<Disk>>,
    lock: Mutex<()>,
}

impl FaultyStorage {
    /// Holds `blocks` and `head`, all durable; the fault comes at writing operation `at`, from 0.
    pub(super) fn new(blocks: &[Block], head: Option<Vec<u8>>, at: usize, fault: Fault) -> Self {
        let durable = blocks
            .iter()
            .map(|block| (block.cid(), block.clone()))
            .collect();
        let disk = Disk {
            durable,
            unsynced: BTreeMap::new(),
            head,
            left: at,
            fault,
            dead: false,
            struck: false,
        };
        Self {
            disk: Arc::new(Mutex::new(disk)),
            lock: Mutex::new(()),
        }
    }

    /// Whether the fault has come.
    pub(super) fn struck(&self) -> bool {
        self.disk.lock().unwrap().struck
    }

    /// How many blocks have been put and not synced.
    pub(super) fn unsynced(&self) -> usize {
        self.disk.lock().unwrap().unsynced.len()
    }

    /// What the next process finds.
    pub(super) fn remains(&self, unsynced: Unsynced) -> Arc<MemoryStorage> {
        let disk = self.disk.lock().unwrap();
        let kept = |at: usize, block: &Block| match unsynced {
            Unsynced::Lost => false,
            Unsynced::Kept => true,
            Unsynced::EveryOther => at.is_multiple_of(2),
            Unsynced::LinksOnly => block.cid().codec() == Codec::DagCbor,
        };
        let late = disk
            .unsynced
            .values()
            .enumerate()
            .filter(|(at, block)| kept(*at, block));
        let blocks: Vec<Block> = (disk.durable.values())
            .chain(late.map(|(_, block)| block))
            .cloned()
            .collect();
        storage_of(&blocks, disk.head.as_deref())
    }
}

impl VaultStorage for FaultyStorage {
    fn blocks(&self) -> Arc<dyn BlockStore> {
        Arc::new(FaultyStore(self.disk.clone()))
    }

    fn head(&self) -> Result<Option<Vec<u8>>, StorageError> {
        let disk = self.disk.lock().unwrap();
        if disk.dead {
            Err(refusal().into())
        } else {
            Ok(disk.head.clone())
        }
    }

    fn replace_head(&self, head: &[u8]) -> Result<(), StorageError> {
        let mut disk = self.disk.lock().unwrap();
        let (part, fails) = disk.write(1)?;
        if part == 1 {
            disk.head = Some(head.to_vec());
        }
        Ok(outcome(fails)?)
    }

    fn lock(&self) -> Result<Box<dyn WriteGuard + '_>, StorageError> {
        Ok(Box::new(self.lock.lock().unwrap()))
    }
}
