//! The node: started, looked at, stopped, and stopped when the app does not allow it any more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vault_app::{Error, Exit, Result, ServeOptions, Serving};

use crate::error::locked;
use crate::platform::{LogLevel, LogLine, NetworkUse};
use crate::types::{NodeOptions, NodeStatus};
use crate::vault::Session;

/// How often the app is asked whether the node may go on.
const POLICY_EVERY: Duration = Duration::from_secs(5);

/// The node, if it runs.
#[derive(Default)]
pub(in crate::vault) struct Running {
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
    pub(in crate::vault) fn stop(&self) {
        let serving = self.lock().take();
        if let Some(serving) = serving {
            serving.stop();
        }
    }

    /// It is not to be started any more.
    pub(in crate::vault) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
    }

    /// Stops it on a thread of its own.
    pub(in crate::vault) fn stop_soon(&self) {
        if let Some(serving) = self.lock().take() {
            std::thread::spawn(move || serving.stop());
        }
    }

    /// How it stands.
    pub(in crate::vault) fn status(&self) -> Option<NodeStatus> {
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
pub(in crate::vault) fn start_node(
    session: &Arc<Session>,
    options: &NodeOptions,
) -> Result<NodeStatus> {
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
