//! A vault's blocks in Kubo.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use vault_core::{Block, BlockStore, Cid, Codec, StoreError, VaultId};

use super::KuboError;
use super::batch::{LIST, car, list};
use super::pins::{self, Pins, Use};
use super::rpc::{Command, Rpc};

/// Blocks are sent when this many bytes have come together.
const BATCH: usize = 16 << 20;
/// Blocks that one command deletes: their names make up its URL.
const REMOVED_AT_ONCE: usize = 500;
/// How often blocks are sent again that Kubo's collector took before they were pinned.
const ATTEMPTS: usize = 5;

/// A vault's blocks in Kubo's repository.
///
/// A block is in this store when one of the store's own pins holds it: Kubo may delete any other
/// at any time. So the blocks that Kubo keeps for others are never listed, and never deleted
/// while a pin of theirs holds them.
///
/// Blocks that were put wait in memory, up to 16 MiB, and go to Kubo as a CAR; a pin on a list of
/// them holds them until [`BlockStore::hold`] has pinned a head above them.
pub struct KuboStore {
    rpc: Rpc,
    batch: usize,
    state: Mutex<State>,
}

struct State {
    pins: Pins,
    asked: bool,
    waiting: HashMap<Cid, Block>,
    waiting_len: usize,
}

#[derive(Deserialize)]
struct Removed {
    #[serde(rename = "Hash")]
    hash: String,
    #[serde(rename = "Error", default)]
    error: String,
}

impl KuboStore {
    /// The blocks of `vault` in the Kubo at `url`. `token` is what Kubo's own `--api-auth` takes.
    /// Nobody is contacted yet.
    ///
    /// # Errors
    /// [`KuboError::Url`]; [`KuboError::OpenToken`].
    pub fn new(url: &str, token: Option<&str>, vault: &VaultId) -> Result<Self, KuboError> {
        Ok(Self::named(
            Rpc::new(url, token)?,
            format!("medvault-{vault}"),
        ))
    }

    fn named(rpc: Rpc, name: String) -> Self {
        Self {
            rpc,
            batch: BATCH,
            state: Mutex::new(State {
                pins: Pins::new(name),
                asked: false,
                waiting: HashMap::new(),
                waiting_len: 0,
            }),
        }
    }

    /// Sends blocks as soon as this many bytes wait, instead of 16 MiB.
    #[must_use]
    pub fn with_batch(mut self, bytes: usize) -> Self {
        self.batch = bytes;
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // every change leaves the state whole, or asks Kubo again
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the store has a block, as far as pins tell.
    fn is_held(&self, cid: &Cid) -> Result<bool, KuboError> {
        let mut state = self.state();
        if state.asked && state.pins.hold(cid) {
            return Ok(true);
        }
        // another process may have changed the vault
        state.refresh(&self.rpc)?;
        Ok(state.pins.hold(cid))
    }
}

impl State {
    fn refresh(&mut self, rpc: &Rpc) -> Result<(), KuboError> {
        self.pins.refresh(rpc)?;
        self.asked = true;
        Ok(())
    }

    fn held(&self) -> HashSet<Cid> {
        let pins = self.pins.holding();
        pins.flat_map(|(_, pin)| pin.blocks.iter().copied())
            .collect()
    }

    /// Sends the waiting blocks, and has pins hold them.
    fn flush(&mut self, rpc: &Rpc) -> Result<(), KuboError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        if !self.asked {
            // a head that has its pin already must not be given another
            self.refresh(rpc)?;
        }
        let blocks: Vec<&Block> = self.waiting.values().collect();
        send(rpc, &mut self.pins, &blocks)?;
        self.waiting.clear();
        self.waiting_len = 0;
        Ok(())
    }

    /// Deletes blocks. Others that the same pins hold are held by new ones first; a kill in
    /// between leaves either the old pins, or a note of what is still to be deleted.
    fn remove(&mut self, rpc: &Rpc, cids: &HashSet<Cid>) -> Result<(), KuboError> {
        let touched: Vec<Cid> = self
            .pins
            .holding()
            .filter(|(_, pin)| pin.blocks.iter().any(|cid| cids.contains(cid)))
            .map(|(root, _)| *root)
            .collect();
        if touched.is_empty() {
            return Ok(());
        }
        let stay: BTreeSet<Cid> = touched
            .iter()
            .filter_map(|root| self.pins.get(root))
            .flat_map(|pin| &pin.blocks)
            .filter(|cid| !cids.contains(cid))
            .filter(|cid| {
                let mut others = self.pins.holding();
                !others.any(|(root, pin)| !touched.contains(root) && pin.blocks.contains(cid))
            })
            .copied()
            .collect();
        hold(
            rpc,
            &mut self.pins,
            &stay.into_iter().collect::<Vec<_>>(),
            &[],
        )?;
        let mut gone: Vec<Cid> = cids.iter().copied().collect();
        gone.extend(self.release_nodes(&touched));
        for part in gone.chunks(LIST) {
            let note = list(part);
            import(rpc, &[&note])?;
            self.pins.add(rpc, note.cid(), Use::Gone)?;
        }
        for root in &touched {
            self.pins.remove(rpc, root)?;
        }
        self.finish(rpc)
    }

    /// Of these pins, the lists: blocks that are none of the store's.
    fn release_nodes(&self, roots: &[Cid]) -> Vec<Cid> {
        let is_list = |root: &&Cid| self.pins.get(root).is_some_and(|pin| pin.used == Use::List);
        roots.iter().filter(is_list).copied().collect()
    }

    /// Finishes deletions that were begun.
    fn finish(&mut self, rpc: &Rpc) -> Result<(), KuboError> {
        for note in self.pins.of(Use::Gone) {
            let Some(pin) = self.pins.get(&note) else {
                continue;
            };
            // Kubo names blocks by their hash alone
            let held: HashSet<_> = self.held().iter().map(Cid::digest).collect();
            let lists: HashSet<_> = self.pins.of(Use::List).into_iter().collect();
            let gone = pin.blocks.iter();
            let gone = gone.filter(|cid| !held.contains(&cid.digest()) && !lists.contains(cid));
            let gone: Vec<Cid> = gone.copied().collect();
            delete(rpc, &gone)?;
            self.pins.remove(rpc, &note)?;
            delete(rpc, &[note])?;
        }
        Ok(())
    }

    /// Lets go of the pins for new blocks that `head` holds now.
    fn drop_covered(&mut self, rpc: &Rpc, head: &Cid) -> Result<(), KuboError> {
        let Some(below) = self.pins.get(head).map(|pin| pin.blocks.clone()) else {
            return Ok(());
        };
        let covered: Vec<Cid> = self
            .pins
            .holding()
            .filter(|(_, pin)| pin.used != Use::Head && pin.blocks.is_subset(&below))
            .map(|(root, _)| *root)
            .collect();
        let lists = self.release_nodes(&covered);
        for root in &covered {
            self.pins.remove(rpc, root)?;
        }
        delete(rpc, &lists)
    }
}

/// Sends blocks and pins them, again if Kubo's collector came in between.
fn send(rpc: &Rpc, pins: &mut Pins, blocks: &[&Block]) -> Result<(), KuboError> {
    let cids: Vec<Cid> = blocks.iter().map(|block| block.cid()).collect();
    for attempt in 1.. {
        match hold(rpc, pins, &cids, blocks) {
            Err(error) if error.is_missing() && attempt < ATTEMPTS => {}
            done => return done,
        }
    }
    Ok(())
}

/// Has new pins hold `cids`, after sending `blocks`.
fn hold(rpc: &Rpc, pins: &mut Pins, cids: &[Cid], blocks: &[&Block]) -> Result<(), KuboError> {
    let is_raw = |cid: &&Cid| cid.codec() == Codec::Raw;
    let raw: Vec<Cid> = cids.iter().filter(is_raw).copied().collect();
    let lists: Vec<Block> = raw.chunks(LIST).map(list).collect();
    let all: Vec<&Block> = blocks.iter().copied().chain(&lists).collect();
    if !all.is_empty() {
        import(rpc, &all)?;
    }
    for list in &lists {
        pins.add(rpc, list.cid(), Use::List)?;
    }
    for cid in cids.iter().filter(|cid| !is_raw(cid)) {
        if pins.get(cid).is_none() {
            pins.add(rpc, *cid, Use::Single)?;
        }
    }
    Ok(())
}

/// Puts blocks into Kubo's repository, held by nothing yet.
fn import(rpc: &Rpc, blocks: &[&Block]) -> Result<(), KuboError> {
    let command = Command::offline("dag/import")
        .option("pin-roots", "false")
        .option("fast-provide-root", "false");
    let car = car(blocks.iter().copied()).map_err(|error| rpc.refused(error.to_string()))?;
    rpc.lines::<serde_json::Value>(&command.long(), Some(&car))?;
    Ok(())
}

/// Deletes blocks from Kubo's repository, but those that a pin of someone else's holds.
fn delete(rpc: &Rpc, cids: &[Cid]) -> Result<(), KuboError> {
    for part in cids.chunks(REMOVED_AT_ONCE) {
        let command = Command::offline("block/rm").option("force", "true");
        let answer = rpc.lines::<Removed>(&command.args(part).long(), None)?;
        if answer.len() != part.len() {
            return Err(rpc.refused("it stopped in the middle of a deletion"));
        }
        for removed in answer {
            let kept = removed.error.contains("pinned") || removed.error.contains("not found");
            if !removed.error.is_empty() && !kept {
                let Removed { hash, error } = removed;
                return Err(rpc.refused(format!("deleting {hash}: {error}")));
            }
        }
    }
    Ok(())
}

impl BlockStore for KuboStore {
    fn put(&self, blocks: &[Block]) -> Result<(), StoreError> {
        vault_core::refuse_zeros(blocks)?;
        let mut state = self.state();
        for block in blocks {
            if state.waiting.insert(block.cid(), block.clone()).is_none() {
                state.waiting_len += block.data().len();
            }
            if state.waiting_len >= self.batch {
                state.flush(&self.rpc)?;
            }
        }
        Ok(())
    }

    fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        if let Some(block) = self.state().waiting.get(cid) {
            return Ok(Some(block.clone()));
        }
        match self.is_held(cid)? {
            true => Ok(pins::block(&self.rpc, cid)?),
            false => Ok(None),
        }
    }

    fn has(&self, cid: &Cid) -> Result<bool, StoreError> {
        if self.state().waiting.contains_key(cid) {
            return Ok(true);
        }
        if !self.is_held(cid)? {
            return Ok(false);
        }
        let command = Command::offline("block/stat").option("arg", cid);
        match self.rpc.bytes(&command, 1 << 16) {
            Ok(_) => Ok(true),
            Err(error) if error.is_missing() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Kubo syncs what it takes in before it answers.
    fn sync(&self) -> Result<(), StoreError> {
        Ok(self.state().flush(&self.rpc)?)
    }

    fn remove(&self, cids: &[Cid]) -> Result<usize, StoreError> {
        let mut state = self.state();
        state.refresh(&self.rpc)?;
        state.finish(&self.rpc)?;
        let held = state.held();
        let mut gone = HashSet::new();
        let mut count = HashSet::new();
        for cid in cids {
            if let Some(block) = state.waiting.remove(cid) {
                state.waiting_len -= block.data().len();
                count.insert(*cid);
            }
            if held.contains(cid) {
                gone.insert(*cid);
                count.insert(*cid);
            }
        }
        state.remove(&self.rpc, &gone)?;
        Ok(count.len())
    }

    fn list(&self) -> Result<Vec<Cid>, StoreError> {
        let mut state = self.state();
        state.refresh(&self.rpc)?;
        let mut all = state.held();
        all.extend(state.waiting.keys());
        Ok(all.into_iter().collect())
    }

    fn hold(&self, head: &Cid) -> Result<(), StoreError> {
        let mut state = self.state();
        state.flush(&self.rpc)?;
        state.refresh(&self.rpc)?;
        if state.pins.get(head).is_none_or(|pin| pin.used != Use::Head) {
            state.pins.add(&self.rpc, *head, Use::Head)?;
        }
        Ok(state.drop_covered(&self.rpc, head)?)
    }
}
