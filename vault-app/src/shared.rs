//! What one person shared, and the keys that are asked for to read it.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use vault_core::log::NoteError;
use vault_core::{
    CachedSource, FollowError, Following, Given, GrantView, Home, Inbox, IndexEntry, MAX_VERSIONS,
    OpenRecord, Proofs, Purpose, RecentSource, RecordId, VaultError, VersionId,
};

use crate::error::{Error, Exit, Result};
use crate::has_offer;
use crate::network::{Answered, Network, RETRIES, Wanted};
use crate::{time, words};

/// What one person shared.
pub struct SharedRecords {
    home: Arc<Home>,
    network: Arc<Network>,
    state: RefCell<State>,
    /// Versions whose keys are asked for, with the keys that came.
    unlocked: HashMap<VersionId, IndexEntry>,
    given: Vec<Given>,
}

struct State {
    following: Following,
    views: Vec<GrantView>,
    source: Arc<CachedSource>,
}

impl SharedRecords {
    /// Reads what `following` gives under the head seen last; under the newest one if blocks of
    /// that are gone.
    ///
    /// # Errors
    /// `not-accepted` when an agreement waits for a signature; whatever keeps the grants from being
    /// read.
    pub fn open(home: &Arc<Home>, network: &Arc<Network>, following: &Following) -> Result<Self> {
        let mut following = following.clone();
        let source = network.source(home, &following)?;
        let views = following.grants(network.device(), &*source, time::now());
        let (source, views) = match views {
            Err(error) if error.is_missing_block() => {
                let mut inbox = Inbox::open(home.clone(), network.device())?;
                let newest = network.newest(home, &mut inbox, &mut following)?;
                (newest.source, newest.views)
            }
            views => (source, views),
        };
        let views = match views {
            Err(FollowError::NothingShared) if has_offer(&following) => {
                let name = words::line(following.name());
                let what = format!("{name} offers access on request, and nothing is agreed on yet");
                return Err(Error::new(Exit::Terms, "not-accepted", what).hint(
                    "`medvault agreement list` shows it, `medvault agreement accept` signs it",
                ));
            }
            views => views?,
        };
        Ok(Self {
            home: home.clone(),
            network: network.clone(),
            state: RefCell::new(State {
                following,
                views,
                source,
            }),
            unlocked: HashMap::new(),
            given: Vec::new(),
        })
    }

    /// Takes the newest head, after a block was not to be had. Whether there was a newer one.
    fn renew(&self) -> Result<bool> {
        let mut state = self.state.borrow_mut();
        let before = state.following.seq();
        let mut inbox = Inbox::open(self.home.clone(), self.network.device())?;
        let newest = self
            .network
            .newest(&self.home, &mut inbox, &mut state.following)?;
        if state.following.seq() == before {
            return Ok(false);
        }
        state.source = newest.source;
        state.views = newest.views?;
        Ok(true)
    }

    /// The entry as the newest head has it, with its key if that came.
    fn current(&self, entry: &IndexEntry) -> IndexEntry {
        let state = self.state.borrow();
        let same = |other: &&IndexEntry| other.version == entry.version;
        let mut sealed = None;
        for found in state
            .views
            .iter()
            .flat_map(|view| &view.entries)
            .filter(same)
        {
            if found.opens() {
                return found.clone();
            }
            let mut given = self.given.iter();
            sealed = sealed.or_else(|| given.find_map(|given| given.unlock(found)));
        }
        sealed.unwrap_or_else(|| entry.clone())
    }

    /// The versions among `entries` whose keys must be asked for, each of which is an open; those
    /// that another grant of the same person carries are left out.
    pub fn closed(&mut self, entries: &[IndexEntry]) -> Vec<VersionId> {
        let mut closed = self.sealed(entries);
        self.take_carried(&mut closed);
        closed
    }

    /// The versions among `entries` that have no key of their own.
    fn sealed(&self, entries: &[IndexEntry]) -> Vec<VersionId> {
        let state = self.state.borrow();
        let mut order = Vec::new();
        let mut wanted = HashSet::new();
        for entry in entries {
            if !entry.opens()
                && !self.unlocked.contains_key(&entry.version)
                && wanted.insert(entry.version)
            {
                order.push(entry.version);
            }
        }
        let here = state.views.iter().flat_map(|view| &view.entries);
        let here: HashSet<VersionId> = here.map(|entry| entry.version).collect();
        order.retain(|version| here.contains(version));
        order
    }

    /// Takes keys that another grant of the same person carries.
    fn take_carried(&mut self, closed: &mut Vec<VersionId>) {
        let wanted: HashSet<VersionId> = closed.iter().copied().collect();
        let state = self.state.borrow();
        let carried = state.views.iter().flat_map(|view| &view.entries);
        for entry in carried.filter(|entry| entry.opens() && wanted.contains(&entry.version)) {
            self.unlocked.insert(entry.version, entry.clone());
        }
        closed.retain(|version| !self.unlocked.contains_key(version));
    }

    /// Asks for the keys of `versions` under one grant, and opens what came.
    fn ask_for(
        &mut self,
        view: &GrantView,
        versions: &[VersionId],
        purpose: Option<&Purpose>,
    ) -> Result<()> {
        let network = self.network.clone();
        let answered = {
            let mut inbox = Inbox::open(self.home.clone(), network.device())?;
            let following = &mut self.state.get_mut().following;
            let wanted = Wanted {
                view,
                versions,
                purpose: purpose.cloned(),
            };
            network.ask(&self.home, &mut inbox, following, &wanted)?
        };
        let Answered { given, by } = answered;
        let vault = self.state.get_mut().following.vault();
        Proofs::open(self.home.clone(), network.device()).keep(&vault, &given)?;
        for entry in &view.entries {
            if let Some(entry) = given.unlock(entry) {
                self.unlocked.insert(entry.version, entry);
            }
        }
        let receipt = |opened| given.receipt(opened, network.device(), time::now());
        let receipts = (receipt(true), receipt(false));
        self.given.push(given);
        let opened = self.check(versions);
        let receipt = match opened {
            Ok(()) => receipts.0,
            Err(_) => receipts.1,
        };
        let told = receipt.map_err(clock).and_then(|receipt| {
            let answer = network.tell(&by, &receipt)?;
            match vault_core::AccessReply::from_bytes(&answer) {
                Ok(vault_core::AccessReply::Noted {}) => Ok(()),
                Ok(vault_core::AccessReply::Refused(code)) => Err(code.into()),
                _ => Err(vault_core::AskError::Malformed.into()),
            }
        });
        if let Err(error) = told {
            network.warn(format!(
                "the confirmation did not arrive, so the log says `not confirmed`: {}",
                error.message
            ));
        }
        opened
    }

    /// Opens versions as a whole, so that every digest is checked and every block is at hand.
    fn check(&self, versions: &[VersionId]) -> Result<()> {
        for version in versions {
            if let Some(entry) = self.unlocked.get(version) {
                self.open_record(entry)?.copy_to(&mut std::io::sink())?;
            }
        }
        Ok(())
    }
}

/// A receipt is dated; a clock that is far out of range dates none.
fn clock(error: NoteError) -> Error {
    Error::new(Exit::Failure, "clock", error).hint("set the clock of this machine")
}

impl SharedRecords {
    /// The newest version of each record.
    pub fn records(&self) -> Vec<IndexEntry> {
        Following::records(&self.state.borrow().views)
    }

    /// Every version of one record, the oldest first.
    ///
    /// # Errors
    /// `no-record`.
    pub fn versions(&self, record: &RecordId) -> Result<Vec<IndexEntry>> {
        let state = self.state.borrow();
        let entries = state.views.iter().flat_map(|view| &view.entries);
        let mut found: Vec<IndexEntry> = Vec::new();
        for entry in entries.filter(|entry| entry.record == *record) {
            if found.iter().all(|known| known.version != entry.version) {
                found.push(entry.clone());
            }
        }
        if found.is_empty() {
            Err(VaultError::NoRecord(*record).into())
        } else {
            Ok(found)
        }
    }

    /// Asks for the keys of those among `entries` that are [`Self::closed`]: each uses an open of the
    /// agreement and stands in the other's audit log. Every content is opened as a whole, and the
    /// other side is told whether it did. `purpose` is why it is read; the one that was agreed on if
    /// it is left out.
    ///
    /// # Errors
    /// `denied` and other reasons why no key is given out; `answer-lost` when an open may be used
    /// although no key came; content that is not what was promised.
    pub fn unlock(&mut self, entries: &[IndexEntry], purpose: Option<&Purpose>) -> Result<()> {
        let mut closed = self.closed(entries);
        if closed.is_empty() {
            return Ok(());
        }
        let views = self.state.get_mut().views.clone();
        let mut denied = None;
        for view in views.iter().filter(|view| view.agreement.is_some()) {
            let listed: HashSet<VersionId> = view.entries.iter().map(|e| e.version).collect();
            let mut here: Vec<VersionId> = closed.clone();
            here.retain(|version| listed.contains(version));
            for versions in here.chunks(MAX_VERSIONS) {
                match self.ask_for(view, versions, purpose) {
                    Ok(()) => {}
                    // another agreement may still allow it
                    Err(error) if error.code == "denied" => {
                        denied = Some(error);
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
            closed.retain(|version| !self.unlocked.contains_key(version));
        }
        match (closed.is_empty(), denied) {
            (false, Some(error)) => Err(error),
            (false, None) => Err(vault_core::AskError::NoAgreement.into()),
            (true, _) => Ok(()),
        }
    }

    /// Opens a version's content; [`Self::unlock`] comes first where its key is given out on request.
    ///
    /// # Errors
    /// A version whose key did not come; content that does not open; blocks that are not to be had.
    pub fn open_record(&self, entry: &IndexEntry) -> Result<OpenRecord> {
        let mut wanted = self.unlocked.get(&entry.version).unwrap_or(entry).clone();
        for _ in 0..RETRIES {
            let opened = {
                let state = self.state.borrow();
                state.following.open_record(&wanted, state.source.clone())
            };
            match opened {
                Err(error) if error.missing_block().is_some() => {
                    if !self.renew()? {
                        return Err(error.into());
                    }
                    wanted = self.current(&wanted);
                }
                opened => return Ok(opened?),
            }
        }
        let state = self.state.borrow();
        Ok(state.following.open_record(&wanted, state.source.clone())?)
    }

    /// The name of whoever shares them.
    pub fn owner(&self) -> String {
        self.state.borrow().following.name().to_owned()
    }

    /// Opens the contents of many, quickly when they come in the order of the list.
    pub fn opener(&self) -> Opening<'_> {
        let source = self.state.borrow().source.clone();
        let recent = Arc::new(RecentSource::new(source));
        Box::new(move |entry| {
            let wanted = self.unlocked.get(&entry.version).unwrap_or(entry);
            let opened = {
                let state = self.state.borrow();
                state.following.open_record(wanted, recent.clone())
            };
            match opened {
                Err(error) if error.missing_block().is_some() => self.open_record(entry),
                opened => Ok(opened?),
            }
        })
    }
}

/// Opens the content of a version.
pub type Opening<'a> = Box<dyn Fn(&IndexEntry) -> Result<OpenRecord> + 'a>;

impl Drop for SharedRecords {
    fn drop(&mut self) {
        self.network.close();
    }
}
