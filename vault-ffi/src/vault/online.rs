//! What needs the network.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

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
use crate::platform::{LogLevel, LogLine, NetworkUse};
use crate::types::{self, NodeOptions, NodeStatus, SenderSync};
use crate::work::Control;

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
    pub(super) fn close_agents(
        &self,
        vault: &mut vault_core::Vault,
        target: &RevokeTarget,
    ) -> Result<()> {
        let RevokeTarget::Grant(grant) = target else {
            return Ok(());
        };
        if self.may_use(NetworkUse::SmallOnly).is_ok() {
            close_agents(self.app.warner(), vault, &[*grant])?;
        }
        Ok(())
    }

    /// Seals again, and moves pinning services off the old blocks where the network may be used.
    pub(super) fn rekey(
        &self,
        vault: &mut vault_core::Vault,
        grants: &[GrantId],
        progress: &mut dyn FnMut(&RekeyProgress) -> Result<()>,
    ) -> Result<Vec<Receipt>> {
        let mut pinning = Pinning::open(self.app.home(), vault)?;
        let mut stopped = None;
        let mut each = |_: &GrantId, step: &RekeyProgress| match progress(step) {
            Ok(()) => Next::Go,
            Err(error) => {
                stopped = Some(error);
                Next::Stop
            }
        };
        let done = match self.may_use(NetworkUse::SmallOnly) {
            Ok(()) => vault_app::rekey(vault, &mut pinning, self.app.warner(), grants, &mut each),
            // nobody is asked: the receipt says that no service has confirmed
            Err(_) => vault_app::rekey_with(vault, grants, &mut each, &mut || {
                let services = pinning.services.list().iter();
                let unasked = |service: &PinService| PinnerAck {
                    name: service.name.to_string(),
                    deleted: 0,
                    acknowledged: false,
                };
                services.map(unasked).collect()
            }),
        };
        match stopped {
            Some(error) => Err(error),
            None => done,
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

/// Opens a shared record, and asks for its key where that is needed.
pub(super) fn open_shared(
    session: &Session,
    sender: &str,
    record: &RecordId,
    purpose: Option<&str>,
) -> Result<OpenRecord> {
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
    opened.map_err(|error| session.explain(wanted, error))
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
    let mut progress = |done: u64| control.report(done, total);
    let receipt = vault_app::deliver_over_iroh(
        &session.device,
        address,
        made.outgoing,
        made.store,
        &mut progress,
    )?;
    Ok(receipt.time)
}

/// Networks of calls that are under way.
#[derive(Default)]
pub(super) struct Calls(Mutex<Vec<Weak<Network>>>);

impl Calls {
    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Network>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, network: &Arc<Network>) {
        let mut all = self.lock();
        all.retain(|one| one.strong_count() > 0);
        all.push(Arc::downgrade(network));
    }

    /// Ends all of them.
    pub(super) fn hang_up(&self) {
        for network in self.lock().drain(..).filter_map(|one| one.upgrade()) {
            network.hang_up();
        }
    }
}

/// The node, if it runs.
#[derive(Default)]
pub(super) struct Running(Mutex<Option<Serving>>);

impl Running {
    fn lock(&self) -> MutexGuard<'_, Option<Serving>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops it and waits for that.
    pub(super) fn stop(&self) {
        let serving = self.lock().take();
        if let Some(serving) = serving {
            serving.stop();
        }
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
pub(super) fn start_node(session: &Session, options: &NodeOptions) -> Result<NodeStatus> {
    session.may_use(NetworkUse::Everything)?;
    let mut running = session.node.lock();
    if running.is_none() {
        let mut serve = ServeOptions {
            private: options.private,
            ..ServeOptions::default()
        };
        if options.local_only {
            serve.listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
            serve.listen_heads = Some(([127, 0, 0, 1], 0).into());
        }
        *running = Some(Serving::start(
            &session.app,
            &session.device,
            &serve,
            session.log(),
        )?);
    }
    drop(running);
    let stopped = || Error::new(Exit::Network, "stopped", "the node was stopped meanwhile");
    session.node.status().ok_or_else(stopped)
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
