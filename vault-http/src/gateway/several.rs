//! Several gateways as one source of blocks.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use vault_core::{Block, BlockStore, Cid, Fetcher, SourceError, StoreError};

use super::{DagScope, Gateway, GatewayError};
use crate::client::HttpError;

/// Requests under way at once.
const PARALLEL: usize = 8;
/// Failures in a row after which a gateway is asked last.
const PATIENCE: u32 = 3;
/// How often all gateways are asked for a block when each failed in a way that may pass.
const ROUNDS: u32 = 2;
/// Bytes handed to a store at once.
const BATCH: usize = 8 << 20;
/// Longest wait between two rounds, whatever a gateway asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// What there is to say against a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Its address.
    pub url: String,
    /// What it did last.
    pub what: String,
    /// Whether it gave false bytes. It was not asked again then.
    pub is_false: bool,
}

/// How one gateway has behaved so far.
struct Standing {
    gateway: Gateway,
    failures: AtomicU32,
    shut_out: AtomicBool,
    last: Mutex<Option<String>>,
}

/// A list of gateways, in the order of preference.
///
/// One that gives false bytes is not asked again; one that fails several times in a row is asked
/// last. This is remembered for as long as the value lives.
pub struct Gateways {
    list: Vec<Standing>,
}

impl Gateways {
    /// Takes gateways in the order in which they are to be asked.
    pub fn new(gateways: Vec<Gateway>) -> Self {
        let standing = |gateway| Standing {
            gateway,
            failures: AtomicU32::new(0),
            shut_out: AtomicBool::new(false),
            last: Mutex::new(None),
        };
        Self {
            list: gateways.into_iter().map(standing).collect(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The gateways.
    pub fn iter(&self) -> impl Iterator<Item = &Gateway> {
        self.list.iter().map(|standing| &standing.gateway)
    }

    /// What there is to say against any of them. A block that one does not have is no fault.
    pub fn complaints(&self) -> Vec<Complaint> {
        self.list.iter().filter_map(Standing::complaint).collect()
    }

    /// Fetches one block from the first gateway that gives it.
    ///
    /// # Errors
    /// [`SourceError::Missing`] when a gateway answered and none has it; [`SourceError::Network`]
    /// when none could be asked.
    pub fn block(&self, cid: &Cid) -> Result<Block, SourceError> {
        let mut answered = false;
        let mut last = None;
        for round in 0..ROUNDS {
            let mut pause = None;
            for standing in self.in_order() {
                match standing.gateway.block(cid) {
                    Ok(block) => {
                        standing.failures.store(0, Ordering::Relaxed);
                        return Ok(block);
                    }
                    Err(error) => {
                        answered |= error.is_absent();
                        standing.note(&error);
                        if let GatewayError::Http(error) = &error
                            && error.is_passing()
                        {
                            pause = pause.max(Some(pause_after(error)));
                        }
                        last = Some(error.to_string());
                    }
                }
            }
            match pause {
                Some(pause) if round + 1 < ROUNDS => std::thread::sleep(pause),
                _ => break,
            }
        }
        match last {
            Some(error) if !answered => Err(SourceError::Network(error)),
            None => Err(SourceError::Network("no gateway is left to ask".into())),
            Some(_) => Err(SourceError::Missing(*cid)),
        }
    }

    /// Copies `wanted` blocks, all of which hang on `root`, into `store`: as one CAR where a gateway
    /// gives one, and what then is missing one by one. Returns how many came.
    ///
    /// # Errors
    /// [`SourceError::Store`]; [`SourceError::Network`] when no gateway could be asked. Blocks that
    /// no gateway has are no error.
    pub fn copy(
        &self,
        root: &Cid,
        wanted: &[Cid],
        store: &dyn BlockStore,
    ) -> Result<u64, SourceError> {
        let mut missing = Vec::new();
        for cid in wanted {
            if !store.has(cid)? {
                missing.push(*cid);
            }
        }
        let before = missing.len();
        let all: HashSet<Cid> = wanted.iter().copied().collect();
        for standing in self.in_order() {
            if missing.is_empty() {
                break;
            }
            let mut batch = Batch::new(store);
            let came = standing
                .gateway
                .car(root, DagScope::All, &all, &mut |block| batch.put(block));
            batch.flush()?;
            let mut left = Vec::new();
            for cid in missing {
                if !store.has(&cid)? {
                    left.push(cid);
                }
            }
            missing = left;
            match came {
                Ok(_) => break,
                Err(GatewayError::Store(error)) => return Err(error.into()),
                Err(error) => standing.note(&error),
            }
        }
        let mut came = before - missing.len();
        for part in missing.chunks(PARALLEL * PARALLEL) {
            let blocks = self.fetch(part)?;
            came += blocks.len();
            store.put(&blocks)?;
        }
        store.sync()?;
        Ok(came as u64)
    }

    /// Those that may be asked: first the ones that work.
    fn in_order(&self) -> Vec<&Standing> {
        let mut order: Vec<_> = self
            .list
            .iter()
            .filter(|standing| !standing.shut_out.load(Ordering::Relaxed))
            .collect();
        order.sort_by_key(|standing| standing.failures.load(Ordering::Relaxed) >= PATIENCE);
        order
    }
}

/// How long to wait before a gateway that failed like this is asked again.
fn pause_after(error: &HttpError) -> Duration {
    let asked_for = error.retry_after().unwrap_or(Duration::from_millis(200));
    asked_for.min(LONGEST_PAUSE)
}

impl Standing {
    fn note(&self, error: &GatewayError) {
        if error.is_absent() {
            self.failures.store(0, Ordering::Relaxed);
            return;
        }
        if error.is_false() {
            self.shut_out.store(true, Ordering::Relaxed);
        }
        self.failures.fetch_add(1, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(error.to_string());
    }

    fn complaint(&self) -> Option<Complaint> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Complaint {
            url: self.gateway.url().to_owned(),
            what: last.clone()?,
            is_false: self.shut_out.load(Ordering::Relaxed),
        })
    }
}

impl Fetcher for Gateways {
    fn fetch(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError> {
        let next = AtomicUsize::new(0);
        let blocks = Mutex::new(Vec::with_capacity(cids.len()));
        let failed = Mutex::new(None);
        std::thread::scope(|scope| {
            for _ in 0..PARALLEL.min(cids.len()) {
                scope.spawn(|| {
                    while let Some(cid) = cids.get(next.fetch_add(1, Ordering::Relaxed)) {
                        match self.block(cid) {
                            Ok(block) => lock(&blocks).push(block),
                            Err(SourceError::Missing(_)) => {}
                            Err(error) => {
                                *lock(&failed) = Some(error);
                                // nobody is there to be asked for the rest either
                                next.store(cids.len(), Ordering::Relaxed);
                            }
                        }
                    }
                });
            }
        });
        let blocks = blocks.into_inner().unwrap_or_else(PoisonError::into_inner);
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        match failed {
            Some(error) if blocks.is_empty() => Err(error),
            _ => Ok(blocks),
        }
    }
}

/// Blocks on their way into a store, put together.
struct Batch<'a> {
    store: &'a dyn BlockStore,
    blocks: Vec<Block>,
    held: usize,
}

impl<'a> Batch<'a> {
    fn new(store: &'a dyn BlockStore) -> Self {
        Self {
            store,
            blocks: Vec::new(),
            held: 0,
        }
    }

    fn put(&mut self, block: Block) -> Result<(), StoreError> {
        self.held += block.data().len();
        self.blocks.push(block);
        if self.held >= BATCH {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.held = 0;
        self.store.put(&std::mem::take(&mut self.blocks))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
