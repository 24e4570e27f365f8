//! What was asked lately: found again when a message comes twice, and counted for limits by the day.
//!
//! All of it follows from the end of the log, and is read from there.

use std::collections::HashMap;

use super::{Vault, VaultError};
use crate::audit::{Act, Asked, AuditEntry};
use crate::block::Digest;
use crate::ids::{GrantId, VaultId};
use crate::keys::PublicKey;

/// How far back, in seconds: the longest time that a limit looks back.
const WINDOW: u64 = 24 * 3600;
/// Within this time so many requests of one reader are turned down and logged, in seconds.
const DENIED_WINDOW: u64 = 3600;
/// Most of them.
const MAX_DENIED: usize = 60;

/// An answer that was logged.
#[derive(Debug, Clone)]
pub(super) struct RecentAnswer {
    /// Position in the log.
    pub(super) index: u64,
    pub(super) asked: Asked,
    pub(super) time: u64,
    pub(super) released: bool,
    pub(super) receipted: bool,
    /// Where it was turned down when it came again, after it had got its keys.
    turned_down: Option<u64>,
}

impl RecentAnswer {
    /// Position of the entry that turned it down, at first or later.
    pub(super) fn denied(&self) -> Option<u64> {
        self.turned_down
            .or_else(|| (!self.released).then_some(self.index))
    }
}

/// Answers of the last 24 hours.
#[derive(Default)]
pub(super) struct Recent {
    /// Entries of the log from here on have not been looked at.
    upto: u64,
    /// By which time the older ones were forgotten.
    looked: u64,
    by_request: HashMap<Digest, RecentAnswer>,
    by_index: HashMap<u64, Digest>,
}

impl Recent {
    pub(super) fn get(&self, request: &Digest) -> Option<&RecentAnswer> {
        self.by_request.get(request)
    }

    /// Takes note of an entry.
    pub(super) fn note(&mut self, index: u64, time: u64, act: &Act) {
        let (asked, released) = match act {
            Act::Released(asked) if asked.via.is_none() => (asked, true),
            Act::Denied { asked, .. } if asked.via.is_none() => (asked, false),
            Act::Receipted { release, .. } => {
                let request = self.by_index.get(release);
                let answer = request.and_then(|request| self.by_request.get_mut(request));
                if let Some(answer) = answer {
                    answer.receipted = true;
                }
                return;
            }
            _ => return,
        };
        let earlier = self.by_request.get_mut(&asked.request);
        if let Some(earlier) = earlier.filter(|earlier| earlier.released && !released) {
            // what was given stays counted
            earlier.turned_down = Some(index);
            return;
        }
        self.by_index.insert(index, asked.request);
        let answer = RecentAnswer {
            index,
            asked: asked.clone(),
            time,
            released,
            receipted: false,
            turned_down: None,
        };
        self.by_request.insert(asked.request, answer);
    }

    /// Opens given by this vault's device under a grant within the last 24 hours.
    pub(super) fn opens(&self, vault: Option<&VaultId>, grant: &GrantId, now: u64) -> u64 {
        let answers = self.by_request.values();
        let given = answers.filter(|answer| {
            answer.released
                && answer.asked.vault.as_ref() == vault
                && answer.asked.grant == *grant
                && answer.time.saturating_add(WINDOW) > now
        });
        given.map(|answer| answer.asked.versions.len() as u64).sum()
    }

    /// Whether a reader was turned down so often that it is not answered for a while.
    pub(super) fn is_tiring(&self, reader: &PublicKey, now: u64) -> bool {
        let denied = self.by_request.values().filter(|answer| {
            !answer.released
                && answer.asked.reader == *reader
                && answer.time.saturating_add(DENIED_WINDOW) > now
        });
        denied.take(MAX_DENIED).count() == MAX_DENIED
    }

    fn forget_before(&mut self, time: u64) {
        self.by_request.retain(|_, answer| answer.time >= time);
        let by_request = &self.by_request;
        self.by_index
            .retain(|_, request| by_request.contains_key(request));
    }
}

impl Vault {
    /// Brings what was asked lately up to the newest head.
    pub(super) fn look_back(&mut self) -> Result<(), VaultError> {
        let size = self.head.checkpoint().size;
        let now = self.now();
        if now < self.recent.looked {
            // the clock was set back: what was forgotten counts again
            self.recent = Recent::default();
        }
        self.recent.looked = now;
        if self.recent.upto == size {
            return Ok(());
        }
        let since = now.saturating_sub(WINDOW);
        let upto = self.recent.upto;
        let blocks = self.storage.blocks();
        self.state.audit.load_back(&*blocks, |entry| {
            AuditEntry::from_bytes(&entry.0)
                .is_ok_and(|entry| entry.index > upto && entry.time >= since)
        })?;
        let mut news = Vec::new();
        for sealed in self.state.audit.items().rev() {
            let entry = AuditEntry::from_bytes(&sealed.0)?;
            if entry.index < upto || entry.time < since {
                break;
            }
            news.push(entry);
        }
        for entry in news.iter().rev() {
            self.recent.note(entry.index, entry.time, &entry.act);
        }
        self.recent.upto = size;
        self.recent.forget_before(since);
        Ok(())
    }
}
