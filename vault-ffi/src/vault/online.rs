//! What needs the network.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use vault_app::agents::close_agents;
use vault_app::{
    Error, Exit, Network, Next, Pinning, Places, Result, ServeOptions, Serving, SharedRecords,
    Synced,
};
use vault_core::pinning::PinService;
use vault_core::{
    Following, GrantId, HeldTerms, IndexEntry, OpenRecord, PinnerAck, Purpose, Receipt, RecordId,
    RekeyProgress, RevokeTarget, VaultError,
};

use super::deposits::Made;
use super::following::offers;
use super::session::Session;
use crate::error::locked;
use crate::platform::{LogLevel, LogLine, NetworkUse};
use crate::types::{self, NodeOptions, NodeStatus, SenderSync};
use crate::work::Control;

/// How often the app is asked whether the node may go on.
const POLICY_EVERY: Duration = Duration::from_secs(5);

impl Session {
    /// A network for one call. Nothing is contacted before somebody must be asked. Locking ends it.
    fn network(&self) -> Result<Arc<Network>> {
        let places = self.app.places(Vec::new(), Vec::new())?;
        let network = self.app.network(&self.device, places);
        self.calls.add(&network);
        Ok(network)
    }

    /// The same; where the app does not allow that much of the network, one that asks nobody: what is
    /// here can be read all the same.
    fn network_for(&self, wanted: NetworkUse) -> Result<Arc<Network>> {
        if self.may_use(wanted).is_ok() {
            return self.network();
        }
        let nowhere = Places::at(Vec::new(), Vec::new())?;
        let network = self.app.network(&self.device, nowhere);
        network.hang_up();
        Ok(network)
    }

    /// What is to be said of an error of a network that asked nobody: that the app did not allow it.
    fn explain(&self, wanted: NetworkUse, error: Error) -> Error {
        match (error.exit, self.may_use(wanted)) {
            (Exit::Network, Err(refused)) => refused,
            _ => error,
        }
    }

    /// Tells agents to give no more before a grant is taken back, so that the receipt knows. Where the
    /// network may not be used they hear of it from the next head.
    pub(super) fn close_agents(&self, vault: &mut vault_core::Vault, target: &RevokeTarget) {
        let RevokeTarget::Grant(grant) = target else {
            return;
        };
        if self.may_use(NetworkUse::SmallOnly).is_ok() {
            // who cannot be asked is named in the receipt as one that has not confirmed
            if let Err(error) = close_agents(self.app.warner(), vault, &[*grant]) {
                self.app.warn(error.message);
            }
        }
    }

    /// Seals again, and moves pinning services off the old blocks where the network may be used.
    pub(super) fn rekey(
        &self,
        vault: &mut vault_core::Vault,
        grants: &[GrantId],
        each: &mut dyn FnMut(&GrantId, &RekeyProgress) -> Next,
    ) -> Result<Vec<Receipt>> {
        let mut pinning = Pinning::open(self.app.home(), vault)?;
        let warn = self.app.warner();
        match self.may_use(NetworkUse::SmallOnly) {
            Ok(()) => vault_app::rekey(vault, &mut pinning, warn, grants, each),
            // nobody is asked: the receipt says that no service has confirmed
            Err(_) => vault_app::rekey_with(vault, grants, each, &mut || {
                let services = pinning.services.list().iter();
                let unasked = |service: &PinService| PinnerAck {
                    name: service.name.to_string(),
                    deleted: 0,
                    acknowledged: false,
                };
                services.map(unasked).collect()
            }),
        }
    }
}

/// Fetches the newest of what a sender shares.
pub(super) fn sync_sender(session: &Session, name: &str) -> Result<SenderSync> {
    session.may_use(NetworkUse::SmallOnly)?;
    let mut inbox = session.inbox()?;
    let mut following = inbox.find(name)?.clone();
    let network = session.network()?;
    let home = session.app.home();
    let synced = vault_app::sync_one(&network, home, &mut inbox, &mut following, false);
    network.close();
    Ok(shown(&following, &synced?))
}

fn shown(following: &Following, synced: &Synced) -> SenderSync {
    SenderSync {
        name: following.name().to_owned(),
        head_before: synced.before,
        head: following.seq(),
        records: Following::records(&synced.views).len() as u32,
        offers: offers(following),
    }
}

/// What a sender shares, as it was fetched last.
fn shared(session: &Session, sender: &str, wanted: NetworkUse) -> Result<SharedRecords> {
    let inbox = session.inbox()?;
    let following = inbox.find(sender)?;
    let network = session.network_for(wanted)?;
    let opened = SharedRecords::open(session.app.home(), &network, following);
    opened.map_err(|error| session.explain(wanted, error))
}

/// The records that a sender shares.
pub(super) fn shared_records(session: &Session, sender: &str) -> Result<Vec<IndexEntry>> {
    Ok(shared(session, sender, NetworkUse::SmallOnly)?.records())
}

/// Opens a shared record, and asks for its key where that is needed. `read` gets what it wants of it
/// while the connection is there.
pub(super) fn open_shared<T>(
    session: &Session,
    sender: &str,
    record: &RecordId,
    purpose: Option<&str>,
    read: impl FnOnce(&OpenRecord) -> Result<T>,
) -> Result<T> {
    let purpose: Option<Purpose> = types::optional(purpose, "purpose")?;
    // contents are fetched, and a key that is asked for in vain is an open all the same
    let wanted = NetworkUse::Everything;
    let mut shared = shared(session, sender, wanted)?;
    let newest = shared.versions(record)?.pop();
    let entry = newest.ok_or(VaultError::NoRecord(*record))?;
    if !entry.opens() {
        session.may_use(wanted)?;
    }
    shared.unlock(std::slice::from_ref(&entry), purpose.as_ref())?;
    let opened = shared.open_record(&entry);
    opened
        .and_then(|opened| read(&opened))
        .map_err(|error| session.explain(wanted, error))
}

/// Signs an agreement and tells the patient's node.
pub(super) fn accept_agreement(
    session: &Session,
    mut following: Following,
    held: &HeldTerms,
) -> Result<()> {
    session.may_use(NetworkUse::SmallOnly)?;
    let mut inbox = session.inbox()?;
    let network = session.network()?;
    let home = session.app.home();
    let done = vault_app::accept_agreement(&network, home, &mut inbox, &mut following, &held.grant);
    network.close();
    done.map(drop)
}

/// Sends a deposit to the patient's node. Returns when it was confirmed.
pub(super) fn deliver(session: &Session, made: &Made<'_>, control: &Arc<Control>) -> Result<u64> {
    session.may_use(NetworkUse::Everything)?;
    let Some(address) = &made.to.node else {
        let what = format!("where the node of {} is, is not known", made.to.name);
        return Err(Error::new(Exit::Usage, "no-address", what));
    };
    let total = made.outgoing.bytes;
    let mut progress = |done: u64| {
        control.report(done, total);
        match control.is_cancelled() {
            true => Err(std::io::Error::other("cancelled")),
            false => Ok(()),
        }
    };
    let receipt = vault_app::deliver_over_iroh(
        &session.device,
        address,
        made.outgoing,
        made.store,
        session.app.home().root(),
        &mut progress,
    );
    match receipt {
        Ok(receipt) => Ok(receipt.time),
        Err(error) => Err(control.check().err().unwrap_or(error)),
    }
}

/// Networks of calls that are under way; `None` once the vault is being locked.
pub(super) struct Calls(Mutex<Option<Vec<Weak<Network>>>>);

impl Default for Calls {
    fn default() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, Option<Vec<Weak<Network>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, network: &Arc<Network>) {
        match &mut *self.lock() {
            None => network.hang_up(),
            Some(all) => {
                all.retain(|one| one.strong_count() > 0);
                all.push(Arc::downgrade(network));
            }
        }
    }

    /// Ends all of them, and those to come.
    pub(super) fn hang_up(&self) {
        let all = self.lock().take();
        for network in all.into_iter().flatten().filter_map(|one| one.upgrade()) {
            network.hang_up();
        }
    }
}

/// The node, if it runs.
#[derive(Default)]
pub(super) struct Running {
    serving: Mutex<Option<Serving>>,
    /// One at a time starts it; nobody who only looks waits for that.
    starting: Mutex<()>,
    /// The vault is being locked: it is not started any more.
    ended: AtomicBool,
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, Option<Serving>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a node that has started, unless it is not wanted any more.
    fn keep(&self, serving: Serving) -> Result<()> {
        let mut place = self.lock();
        if self.ended.load(Ordering::SeqCst) {
            drop(place);
            serving.stop();
            return Err(locked());
        }
        *place = Some(serving);
        Ok(())
    }

    /// Stops it and waits for that.
    pub(super) fn stop(&self) {
        let serving = self.lock().take();
        if let Some(serving) = serving {
            serving.stop();
        }
    }

    /// It is not to be started any more.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
    }

    /// Stops it on a thread of its own.
    pub(super) fn stop_soon(&self) {
        if let Some(serving) = self.lock().take() {
            std::thread::spawn(move || serving.stop());
        }
    }

    /// How it stands.
    pub(super) fn status(&self) -> Option<NodeStatus> {
        self.lock().as_ref().map(|serving| {
            let status = serving.status();
            NodeStatus {
                peer_id: vault_app::peer_id(&status.address).unwrap_or_default(),
                addresses: status.address.addrs,
                endpoint: status.address.endpoint_addrs,
                relays: status.address.relays,
                heads_sent: status.heads_sent,
                blocks_sent: status.blocks_sent_bitswap + status.blocks_sent_iroh,
                keys_given: status.access.released,
                keys_denied: status.access.denied,
                deposits_taken: status.deposits_taken,
            }
        })
    }
}

/// Starts the node, if it does not run yet.
pub(super) fn start_node(session: &Arc<Session>, options: &NodeOptions) -> Result<NodeStatus> {
    session.may_use(NetworkUse::Everything)?;
    let node = &session.node;
    let _starting = node.starting.lock().unwrap_or_else(PoisonError::into_inner);
    if node.lock().is_none() {
        let mut serve = ServeOptions {
            private: options.private,
            ..ServeOptions::default()
        };
        if options.local_only {
            serve.listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
            serve.listen_heads = Some(([127, 0, 0, 1], 0).into());
        }
        let (app, device) = (&session.app, &session.device);
        node.keep(Serving::start(app, device, &serve, session.log())?)?;
        watch_policy(session);
    }
    let stopped = || Error::new(Exit::Network, "stopped", "the node was stopped meanwhile");
    node.status().ok_or_else(stopped)
}

/// Stops the node when the app does not allow the network any more.
fn watch_policy(session: &Arc<Session>) {
    if session.platform.network.is_none() {
        return;
    }
    let session = Arc::downgrade(session);
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(POLICY_EVERY);
            let Some(session) = session.upgrade() else {
                return;
            };
            if session.node.lock().is_none() {
                return;
            }
            if session.may_use(NetworkUse::Everything).is_err() {
                return session.node.stop();
            }
        }
    });
}

impl Session {
    /// What the node writes down, for the app's log.
    fn log(&self) -> vault_app::Log {
        let sink = self.platform.log.clone();
        vault_app::Log::new(Arc::new(move |event| {
            let Some(sink) = &sink else { return };
            let fields = event.fields().into_iter();
            let fields = fields.map(|(name, value)| format!(" {name}={value}"));
            // a log that fails changes nothing
            let _ = sink.write(LogLine {
                time: vault_app::now(),
                level: match event.level() {
                    vault_app::log::Level::Error => LogLevel::Error,
                    vault_app::log::Level::Warn => LogLevel::Warn,
                    vault_app::log::Level::Info => LogLevel::Info,
                    vault_app::log::Level::Debug => LogLevel::Debug,
                },
                event: event.name().to_owned(),
                text: fields.fold(event.name().to_owned(), |text, field| text + &field),
            });
        }))
    }
}
