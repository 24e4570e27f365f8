//! An unlocked vault: its keys, and everything that runs with them.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use vault_app::{App, Options, Result};
use vault_core::{Device, Home, Inbox};

use super::making;
use super::online::{Calls, Running};
use crate::error::locked;
use crate::platform::{LogLevel, LogLine, LogSink, NetworkUse, Platform};
use crate::runtime;
use crate::types::Unlock;
use crate::work::Control;

/// Longest wait for what runs to end.
const LONGEST_END: Duration = Duration::from_secs(10);

/// An unlocked vault. The keys are wiped when the last who holds it lets go.
pub(crate) struct Session {
    pub(crate) app: App,
    pub(super) device: Arc<Device>,
    #[cfg_attr(not(feature = "network"), allow(dead_code))] // the policy and the node's log
    pub(super) platform: Platform,
    pub(super) node: Running,
    /// Networks of calls that are under way.
    pub(super) calls: Calls,
    vault: Mutex<vault_core::Vault>,
    /// Held by whoever changes the vault in this process.
    changing: Arc<tokio::sync::Mutex<()>>,
    closing: Arc<AtomicBool>,
    /// How many calls and works are under way, and who waits for none.
    at_work: Mutex<usize>,
    idle: Condvar,
}

impl Session {
    pub(super) fn open(path: &Path, unlock: &Unlock, platform: &Platform) -> Result<Arc<Self>> {
        let home = Home::open(path)?;
        let device = making::device(&home, unlock, platform)?;
        Self::with(home, device, platform)
    }

    pub(super) fn with(home: Home, device: Arc<Device>, platform: &Platform) -> Result<Arc<Self>> {
        let app = App::open(home, Options::default(), warn_into(platform.log.clone()))?;
        let vault = app.vault(&device)?;
        Ok(Arc::new(Self {
            app,
            device,
            platform: platform.clone(),
            node: Running::default(),
            calls: Calls::default(),
            vault: Mutex::new(vault),
            changing: Arc::default(),
            closing: Arc::default(),
            at_work: Mutex::default(),
            idle: Condvar::new(),
        }))
    }

    /// Set once the vault is being locked.
    pub(super) fn closing(&self) -> Arc<AtomicBool> {
        self.closing.clone()
    }

    /// Tells everything to stop, and waits for nothing.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.node.end();
        self.calls.hang_up();
    }

    /// Waits until what was told to stop has stopped: the node, and what is under way up to ten
    /// seconds. Returns whether nothing is under way.
    pub(super) fn wait_until_idle(&self) -> bool {
        self.node.stop();
        let until = Instant::now() + LONGEST_END;
        let mut at_work = lock(&self.at_work);
        while *at_work > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.idle.wait_timeout(at_work, left);
            at_work = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Counts whoever holds the answer as under way. Fails once the vault is being locked.
    pub(super) fn busy(self: &Arc<Self>) -> Result<Busy> {
        *lock(&self.at_work) += 1;
        let busy = Busy(self.clone());
        match self.closing.load(Ordering::Relaxed) {
            true => Err(locked()),
            false => Ok(busy),
        }
    }

    /// Waits until nobody else in this process changes the vault, first come first served. The home's
    /// own lock, which is for other processes, is waited for only some seconds.
    pub(super) async fn turn(&self) -> Turn {
        self.changing.clone().lock_owned().await
    }

    /// The same for the thread of a work, until the work is to stop.
    pub(crate) fn turn_of(&self, control: &Control) -> Result<Turn> {
        let turn = self.turn();
        runtime::wait_for(turn, || control.check())
    }

    /// The vault as it is now, also after another process changed it. One call at a time.
    pub(super) fn with_vault<T>(
        &self,
        work: impl FnOnce(&mut vault_core::Vault) -> Result<T>,
    ) -> Result<T> {
        let mut vault = match self.vault.lock() {
            Ok(vault) => vault,
            // a call panicked with the vault in hand: what it had in memory is not to be trusted
            Err(poisoned) => {
                let mut vault = poisoned.into_inner();
                *vault = self.app.vault(&self.device)?;
                self.vault.clear_poison();
                vault
            }
        };
        vault.refresh()?;
        work(&mut vault)
    }

    /// What others share, as it is remembered now.
    pub(super) fn inbox(&self) -> Result<Inbox> {
        Ok(Inbox::open(self.app.home().clone(), &self.device)?)
    }

    /// The vault once more, for a long work: short calls go on meanwhile.
    pub(crate) fn own_vault(&self) -> Result<vault_core::Vault> {
        self.app.vault(&self.device)
    }

    /// Fails unless the app allows that much of the network now.
    #[cfg_attr(not(feature = "network"), allow(dead_code))] // nothing asks then
    pub(super) fn may_use(&self, wanted: NetworkUse) -> Result<()> {
        let allowed = match &self.platform.network {
            None => NetworkUse::Everything,
            Some(policy) => policy.allowed().unwrap_or(NetworkUse::Nothing),
        };
        if allowed >= wanted {
            return Ok(());
        }
        let (code, what) = match allowed {
            NetworkUse::Nothing => (
                "network-not-allowed",
                "the app does not allow the network now",
            ),
            _ => (
                "network-small-only",
                "the app allows only small exchanges over the network now",
            ),
        };
        Err(vault_app::Error::new(vault_app::Exit::Network, code, what))
    }
}

/// Warnings of the application go to the app's log. They are for people and may name senders, so the
/// text is not passed on; that there was one is.
fn warn_into(sink: Option<Arc<dyn LogSink>>) -> vault_app::Warn {
    Arc::new(move |_| {
        if let Some(sink) = &sink {
            // a log that fails changes nothing
            let _ = sink.write(LogLine {
                time: vault_app::now(),
                level: LogLevel::Warn,
                event: "warning".to_owned(),
                text: "something needs a look; the call's own answer says what".to_owned(),
            });
        }
    })
}

/// Whoever holds this changes the vault.
pub(crate) type Turn = tokio::sync::OwnedMutexGuard<()>;

/// Something is under way while this is held.
pub(super) struct Busy(Arc<Session>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut at_work = lock(&self.0.at_work);
        *at_work -= 1;
        if *at_work == 0 {
            self.0.idle.notify_all();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
