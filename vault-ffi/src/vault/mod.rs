//! The vault, as an app holds it. One file for each thing that is done with it.

mod agents;
mod audit;
mod contacts;
mod copies;
mod deposits;
mod following;
mod making;
mod node;
#[cfg(not(feature = "network"))]
#[path = "offline.rs"]
mod online;
#[cfg(feature = "network")]
mod online;
mod records;
mod session;
mod sharing;
mod sync;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vault_app::{Error, Exit, Result};

use vault_core::DEFAULT_WORK_FACTOR;

use crate::error::{MedVaultError, cancelled, locked};
use crate::platform::{Platform, ProgressListener};
use crate::runtime::{self, on_thread};
use crate::types::{Setting, Unlock, VaultInfo};
use crate::work::{Control, Job};

pub use audit::check_proof;
pub use contacts::inspect_card;
pub use copies::{FileWork, RestoreWork};
pub use deposits::DepositWork;
pub use making::{check_recovery_words, create_vault, has_vault, open_vault, recover_vault};
pub use records::AddWork;
pub use sharing::{RevokeWork, join_qr_parts, qr_parts};
pub use writer::RecordWriter;

pub(crate) use session::Session;

/// A vault: its records, what is shared, and what others share.
///
/// Calls may come from any thread, several at a time; several processes may hold the same vault. Every
/// call sees what others have changed before it. What changes the vault is done whole or not at all,
/// also when the app is killed.
#[derive(uniffi::Object)]
pub struct Vault {
    home: PathBuf,
    platform: Platform,
    state: Mutex<State>,
}

/// Whether the keys are in memory.
struct State {
    /// `None` while it is locked.
    session: Option<Arc<Session>>,
    /// How often it was locked: whoever unlocks sees whether that was meanwhile.
    locked: u64,
}

#[uniffi::export]
impl Vault {
    /// Whether the keys are out of memory.
    pub fn is_locked(&self) -> bool {
        self.state().session.is_none()
    }

    /// Stops the node and every work, hangs up whoever waits for the network, waits until they have
    /// ended, up to ten seconds, and wipes the keys from memory. `Failed` with the code `still-busy`:
    /// something had not ended by then, and has keys until it does. A locked vault stays locked.
    pub async fn lock(&self) -> Result<(), MedVaultError> {
        let session = {
            let mut state = self.state();
            state.locked += 1;
            state.session.take()
        };
        let Some(session) = session else {
            return Ok(());
        };
        session.close();
        // on a thread of its own: those for calls may all be waiting for what just ends
        let (tell, heard) = tokio::sync::oneshot::channel();
        runtime::start(move || {
            let idle = session.wait_until_idle();
            drop(session);
            // nobody waits any more when the future was dropped
            let _ = tell.send(idle);
        })?;
        match heard.await {
            Ok(true) => Ok(()),
            _ => {
                let what = "something is still under way, and has keys until it ends";
                Err(Error::new(Exit::Failure, "still-busy", what).into())
            }
        }
    }

    /// Takes the keys into memory again. An unlocked vault stays as it is. When it is locked meanwhile,
    /// it stays locked, and this is `Cancelled`.
    pub async fn unlock(&self, unlock: Unlock) -> Result<(), MedVaultError> {
        let before = {
            let state = self.state();
            if state.session.is_some() {
                return Ok(());
            }
            state.locked
        };
        let (home, platform) = (self.home.clone(), self.platform.clone());
        let session = on_thread(move || Session::open(&home, &unlock, &platform)).await?;
        let mut state = self.state();
        if state.locked != before {
            session.close();
            return Err(cancelled().into());
        }
        // whoever was quicker stays
        state.session.get_or_insert(session);
        Ok(())
    }

    /// Seals a random secret in the app's key store that opens the identity from now on, beside the
    /// passphrase. Done again, it takes the place of the one before.
    pub async fn remember_in_key_store(&self) -> Result<(), MedVaultError> {
        let key_store = self.platform.key_store.clone();
        self.run(move |session| {
            let key_store = making::key_store(key_store.as_ref())?;
            vault_app::remember(session.app.home(), &session.device, &key_store)
        })
        .await
    }

    /// Makes the key store's secret worthless: only the passphrase opens the vault then. Refused
    /// when the vault has no passphrase.
    pub async fn forget_key_store(&self) -> Result<(), MedVaultError> {
        self.run(|session| vault_app::forget(session.app.home()))
            .await
    }

    /// Has this passphrase open the vault from now on, and no other. At least one character.
    pub async fn change_passphrase(&self, passphrase: String) -> Result<(), MedVaultError> {
        let passphrase = making::secret(passphrase);
        self.run(move |session| {
            vault_app::change_passphrase(
                session.app.home(),
                &session.device,
                &passphrase,
                DEFAULT_WORK_FACTOR,
            )
        })
        .await
    }

    /// The vault at a glance.
    pub async fn info(&self) -> Result<VaultInfo, MedVaultError> {
        self.read(|_, vault| {
            let card = vault.device().card(vault.name())?;
            Ok(VaultInfo {
                name: vault.name().to_owned(),
                vault_id: vault.id().to_string(),
                card: card.to_text(),
                fingerprint: card.fingerprint(),
                head: vault.head().seq(),
                records: vault.records()?.len() as u64,
                versions: vault.stats().versions as u64,
            })
        })
        .await
    }

    /// The settings of this home, those that are not set included.
    pub async fn settings(&self) -> Result<Vec<Setting>, MedVaultError> {
        self.run(|session| {
            let all = vault_app::settings(session.app.home())?.into_iter();
            Ok(all.map(|(key, values)| Setting { key, values }).collect())
        })
        .await
    }

    /// Sets a setting, or unsets it when there are no values. What runs keeps the settings with which
    /// it was started; lock and unlock for the rest.
    pub async fn set_setting(&self, key: String, values: Vec<String>) -> Result<(), MedVaultError> {
        self.run(move |session| vault_app::change_setting(session.app.home(), &key, &values))
            .await
    }
}

impl Vault {
    fn new(home: PathBuf, platform: Platform, session: Arc<Session>) -> Arc<Self> {
        Arc::new(Self {
            home,
            platform,
            state: Mutex::new(State {
                session: Some(session),
                locked: 0,
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self) -> Result<Arc<Session>> {
        self.state().session.clone().ok_or_else(locked)
    }

    /// Does `work` on a thread of the library.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Session>) -> Result<T> + Send + 'static,
    ) -> Result<T, MedVaultError> {
        let session = self.session()?;
        let done = on_thread(move || {
            let _busy = session.busy()?;
            work(&session)
        });
        Ok(done.await?)
    }

    /// Does `work` with the vault as it is now.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Session>, &mut vault_core::Vault) -> Result<T> + Send + 'static,
    ) -> Result<T, MedVaultError> {
        self.run(|session| session.with_vault(|vault| work(session, vault)))
            .await
    }

    /// The same for what changes the vault: one after the other. No thread waits for the turn.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Session>, &mut vault_core::Vault) -> Result<T> + Send + 'static,
    ) -> Result<T, MedVaultError> {
        let turn = self.session()?.turn().await;
        self.run(|session| {
            let done = session.with_vault(|vault| work(session, vault));
            drop(turn);
            done
        })
        .await
    }

    /// Begins a long work.
    fn begin<T: Clone + Send + Sync + 'static>(
        &self,
        listener: Option<Arc<dyn ProgressListener>>,
        work: impl FnOnce(&Arc<Session>, &Arc<Control>) -> Result<T> + Send + 'static,
    ) -> Result<Job<T>, MedVaultError> {
        let session = self.session()?;
        let control = Control::new(session.closing(), listener);
        Ok(Job::start(control, move |control| {
            let _busy = session.busy()?;
            work(&session, control)
        })?)
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        if let Some(session) = self.state().session.take() {
            session.close();
            session.node.stop_soon();
        }
    }
}
