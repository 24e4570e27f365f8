//! What this home answers for as an agent of others, kept fresh while it serves.
//!
//! The newest head of a patient that the inbox remembers, and the pages that the cache holds, say
//! what is answered for: so it works while the patient is offline, after a restart too, until the
//! head or the certificate runs out. Whoever asks never waits for the network.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use vault_core::{
    Block, BlockSource, CachedSource, Charge, ChargeSource, Cid, Device, Fetcher, FollowError,
    Following, Home, Inbox, SourceError, VaultId,
};

use crate::app::App;
use crate::error::{Error, Result};
use crate::log::{Event, Log};
use crate::network::{Calls, Network, Places};
use crate::time;

/// How often to see whether another command changed the inbox.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often to ask a patient for a newer head.
const SYNC_EVERY: Duration = Duration::from_secs(60);
/// How soon again when somebody asks in vain, or when pages are missing.
const SYNC_AGAIN: Duration = Duration::from_secs(5);
/// Most patients that are asked at a time.
const AT_A_TIME: usize = 4;
/// How often pages that the cache does not have are looked for there, for one head.
const TRIES: u32 = 10;
/// Longest time that asking one patient takes.
const LOST_AFTER: Duration = Duration::from_secs(180);

/// What is known, for the desk.
#[derive(Default)]
struct Known {
    /// Every grant this home answers for, by patient.
    charges: HashMap<VaultId, Vec<Arc<Charge>>>,
    /// Every vault in the inbox.
    followed: HashSet<VaultId>,
}

/// Number, length and time of a file.
type Stamp = (u64, u64, i64, i64);

/// What the watching thread is told.
enum Message {
    /// Somebody got nothing who asked for records of this vault.
    Missed(VaultId),
    /// A patient was asked.
    Synced(VaultId, Synced),
    Stop,
}

/// What came of asking one patient.
struct Synced {
    error: Option<Error>,
    read: Option<Read>,
}

/// What a head says.
struct Read {
    seq: u64,
    charges: Vec<Arc<Charge>>,
    /// Whether everything could be read.
    complete: bool,
}

/// What this home answers for. Ends its thread when dropped.
pub(super) struct HomeCharges {
    known: Arc<Mutex<Known>>,
    tell: SyncSender<Message>,
    calls: Arc<Calls>,
}

impl HomeCharges {
    /// Reads what the inbox and the cache say, and begins to keep it fresh. What changes is
    /// written down; so is it when the inbox cannot be read, and then nothing is answered for.
    pub(super) fn start(app: &App, device: &Arc<Device>, places: &Places, log: Log) -> Self {
        let calls = Arc::<Calls>::default();
        let (sender, messages) = sync_channel(64);
        let known = Arc::<Mutex<Known>>::default();
        let mut watch = Watch {
            patients: Patients {
                home: app.home().clone(),
                device: device.clone(),
                places: places.clone(),
                calls: calls.clone(),
            },
            known: known.clone(),
            seen: HashMap::new(),
            lost: HashSet::new(),
            asked: HashMap::new(),
            under_way: HashMap::new(),
            silent: HashSet::new(),
            count: 0,
            inbox: None,
            failed: false,
            own: sender.clone(),
            log,
        };
        watch.look();
        std::thread::spawn(move || watch.run(&messages));
        Self {
            known,
            tell: sender,
            calls,
        }
    }
}

impl ChargeSource for HomeCharges {
    fn charges(&mut self) -> Vec<Arc<Charge>> {
        let known = lock(&self.known);
        known.charges.values().flatten().cloned().collect()
    }

    fn follows(&mut self, vault: &VaultId) -> bool {
        lock(&self.known).followed.contains(vault)
    }

    fn missed(&mut self, vault: &VaultId) {
        // when many ask, one of them is heard
        let _ = self.tell.try_send(Message::Missed(*vault));
    }
}

impl Drop for HomeCharges {
    fn drop(&mut self) {
        self.calls.hang_up();
        // the thread may have ended by itself
        let _ = self.tell.send(Message::Stop);
    }
}

/// Where patients are asked, and what they said is remembered.
#[derive(Clone)]
struct Patients {
    home: Arc<Home>,
    device: Arc<Device>,
    places: Places,
    /// Hung up when the node stops.
    calls: Arc<Calls>,
}

impl Patients {
    /// What tells whether the inbox's file is another than before; it is always replaced whole.
    fn stamp(&self) -> Option<Stamp> {
        let file = self.home.root().join("inbox").symlink_metadata().ok()?;
        Some((file.ino(), file.len(), file.mtime(), file.mtime_nsec()))
    }

    fn inbox(&self) -> Result<Inbox> {
        Ok(Inbox::open(self.home.clone(), &self.device)?)
    }

    /// What the newest known head of a patient says.
    fn read(&self, following: &Following, source: &dyn BlockSource) -> Read {
        let views = following.grants(&self.device, source, time::now());
        let complete = !matches!(&views, Err(FollowError::Source(_)));
        let charges = views.unwrap_or_default();
        let charges = charges
            .iter()
            .filter_map(|view| following.charge(view, &self.device));
        Read {
            seq: following.seq(),
            charges: charges.map(Arc::new).collect(),
            complete,
        }
    }

    /// The same with nobody asked.
    fn read_here(&self, following: &Following) -> Result<Read> {
        let source = CachedSource::new(self.home.cache()?, Box::new(Nobody));
        Ok(self.read(following, &source))
    }

    /// Asks everywhere for the newest head of a patient and reads it.
    fn sync(&self, vault: &VaultId) -> Synced {
        // one network for each: that a patient is silent says nothing about the others
        let network = Network::unheard(self.device.clone(), self.places.clone());
        self.calls.add(&network);
        let read = || {
            let mut inbox = self.inbox()?;
            let mut following = inbox.find(&vault.to_string())?.clone();
            let synced = network.sync(&self.home, &mut inbox, &mut following);
            let source = network.source(&self.home, &following)?;
            Ok((synced, self.read(&following, &*source)))
        };
        let outcome: Result<_> = read();
        network.close();
        match outcome {
            Ok((synced, read)) => Synced {
                error: synced.err(),
                read: Some(read),
            },
            Err(error) => Synced {
                error: Some(error),
                read: None,
            },
        }
    }
}

/// Keeps what is known fresh.
struct Watch {
    patients: Patients,
    known: Arc<Mutex<Known>>,
    /// The newest head that was read of every followed vault, and how often in vain.
    seen: HashMap<VaultId, (u64, u32)>,
    /// Patients whose newest head could not be read though an earlier one made this home an agent.
    lost: HashSet<VaultId>,
    /// When a patient was asked last.
    asked: HashMap<VaultId, Instant>,
    under_way: HashMap<VaultId, Instant>,
    silent: HashSet<VaultId>,
    count: usize,
    /// The inbox's file when it was read last.
    inbox: Option<Stamp>,
    /// The inbox could not be read.
    failed: bool,
    own: SyncSender<Message>,
    log: Log,
}

impl Watch {
    fn run(mut self, messages: &Receiver<Message>) {
        let mut looked = Instant::now();
        loop {
            self.sync_due();
            match messages.recv_timeout(LOOK_EVERY) {
                Ok(Message::Missed(vault)) => self.missed(vault),
                Ok(Message::Synced(vault, synced)) => self.synced(vault, synced),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            if looked.elapsed() >= LOOK_EVERY {
                looked = Instant::now();
                self.look();
            }
        }
    }

    /// Takes note of what other commands did with the inbox.
    fn look(&mut self) {
        let stamp = self.patients.stamp();
        let waits = self.seen.values().any(|(_, tries)| *tries > 0);
        if stamp == self.inbox && !waits && !self.failed {
            return;
        }
        let read = self.read_inbox();
        if let Err(error) = &read
            && !self.failed
        {
            self.log.write(Event::TendFailed { error: error.code });
        }
        self.failed = read.is_err();
        self.inbox = stamp;
    }

    fn read_inbox(&mut self) -> Result<()> {
        let inbox = self.patients.inbox()?;
        let followed: HashSet<VaultId> = inbox.list().iter().map(Following::vault).collect();
        self.seen.retain(|vault, _| followed.contains(vault));
        self.lost.retain(|vault| followed.contains(vault));
        let mut known = lock(&self.known);
        known.charges.retain(|vault, _| followed.contains(vault));
        known.followed = followed;
        drop(known);
        for following in inbox.list() {
            let (vault, seq) = (following.vault(), following.seq());
            let tries = match self.seen.get(&vault) {
                Some((seen, tries)) if *seen == seq => *tries,
                _ => TRIES,
            };
            if tries > 0 {
                let read = self.patients.read_here(following)?;
                let left = if read.complete { 0 } else { tries - 1 };
                self.take(vault, read);
                self.seen.insert(vault, (seq, left));
            }
        }
        self.count();
        Ok(())
    }

    /// What the newest head says counts at once, and what it does not say any more ends.
    fn take(&mut self, vault: VaultId, read: Read) {
        let mut known = lock(&self.known);
        let before = match read.charges.is_empty() {
            true => known.charges.remove(&vault).is_some(),
            false => known.charges.insert(vault, read.charges).is_some(),
        };
        let lost = !read.complete && !known.charges.contains_key(&vault);
        if lost && before {
            self.lost.insert(vault);
        } else if !lost {
            self.lost.remove(&vault);
        }
    }

    fn count(&mut self) {
        let count = lock(&self.known).charges.values().map(Vec::len).sum();
        if count != self.count {
            self.count = count;
            self.log.write(Event::ChargesChanged { count });
        }
    }

    /// Asks those patients whose time has come.
    fn sync_due(&mut self) {
        self.under_way
            .retain(|_, since| since.elapsed() < LOST_AFTER);
        let agents: Vec<VaultId> = lock(&self.known).charges.keys().copied().collect();
        let lost = self.lost.iter().map(|vault| (*vault, SYNC_AGAIN));
        let due: Vec<VaultId> = (agents.into_iter().map(|vault| (vault, SYNC_EVERY)))
            .chain(lost)
            .filter(|(vault, every)| self.may_ask(vault, *every))
            .map(|(vault, _)| vault)
            .collect();
        due.into_iter().for_each(|vault| self.begin(vault));
    }

    fn missed(&mut self, vault: VaultId) {
        if self.seen.contains_key(&vault) && self.may_ask(&vault, SYNC_AGAIN) {
            self.begin(vault);
        }
    }

    fn may_ask(&self, vault: &VaultId, every: Duration) -> bool {
        let last = self.asked.get(vault);
        last.is_none_or(|at| at.elapsed() >= every) && !self.under_way.contains_key(vault)
    }

    /// Asks a patient on a thread of its own, when not too many are asked already.
    fn begin(&mut self, vault: VaultId) {
        if self.under_way.len() >= AT_A_TIME {
            return;
        }
        self.asked.insert(vault, Instant::now());
        self.under_way.insert(vault, Instant::now());
        let (patients, own) = (self.patients.clone(), self.own.clone());
        std::thread::spawn(move || {
            let synced = patients.sync(&vault);
            // nobody listens any more when the node stops
            let _ = own.send(Message::Synced(vault, synced));
        });
    }

    fn synced(&mut self, vault: VaultId, synced: Synced) {
        self.under_way.remove(&vault);
        match &synced.error {
            Some(error) if self.silent.insert(vault) => {
                self.log.write(Event::PatientSilent { error: error.code });
            }
            None if self.silent.remove(&vault) => self.log.write(Event::PatientHeard),
            _ => {}
        }
        // another command may have seen a newer head, or have let the patient go, meanwhile
        let seen = self.seen.get(&vault).map(|(seq, _)| *seq);
        if let (Some(read), Some(seen)) = (synced.read, seen)
            && read.seq >= seen
        {
            let left = if read.complete { 0 } else { TRIES };
            self.seen.insert(vault, (read.seq, left));
            self.take(vault, read);
            self.count();
        }
    }
}

/// A source that asks nobody.
struct Nobody;

impl Fetcher for Nobody {
    fn fetch(&self, _: &[Cid]) -> std::result::Result<Vec<Block>, SourceError> {
        Ok(Vec::new())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
