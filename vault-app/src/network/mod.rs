//! The network: a node that starts only when somebody must be asked, and the
//! servers that the settings name.

mod access;
pub mod agents;
mod blocks;
mod calls;
mod dht;
mod forks;
mod heads;
mod names;
mod newest;
mod patient_node;
mod peers;
mod places;
mod recover;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vault_core::{
    Advance, BlockSource, CachedSource, Cid, Device, FollowError, Following, Home, Inbox, Place,
    PublicKey, Verdict,
};
use vault_http::client::BaseUrl;
use vault_http::gateway::GatewayError;
use vault_http::routing::RoutingError;
use vault_node::Node;

use crate::app::{App, Warn};
use crate::error::{Error, Exit, REFUSED, Result};
use crate::evidence::with_evidence;
use crate::time;

pub(crate) use access::{Answered, Wanted};
pub use calls::Calls;
pub(crate) use dht::settings as dht_settings;
pub use names::publish_name;
pub(crate) use newest::RETRIES;
pub use peers::PeersFetch;
pub use places::{GivenHead, Places};
pub use recover::copy_vault;

/// How long another node may stay silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where to ask, and a node without listeners that is started at the first question.
pub struct Network {
    device: Arc<Device>,
    places: Places,
    /// Where warnings go, if anywhere.
    warn: Option<Warn>,
    node: Mutex<Option<Arc<Node>>>,
    /// The patient's node does not answer: others are asked first.
    silent: AtomicBool,
    /// Nobody is to be asked.
    ended: AtomicBool,
    /// Where the DHT led to, by the name's key.
    found: Mutex<HashMap<PublicKey, Arc<dht::Found>>>,
}

impl Network {
    /// A network that has not been used yet.
    pub fn new(device: Arc<Device>, places: Places, warn: Warn) -> Arc<Self> {
        Self::with(device, places, Some(warn))
    }

    /// The same for where nobody listens: it warns of nothing.
    pub fn unheard(device: Arc<Device>, places: Places) -> Arc<Self> {
        Self::with(device, places, None)
    }

    fn with(device: Arc<Device>, places: Places, warn: Option<Warn>) -> Arc<Self> {
        Arc::new(Self {
            device,
            places,
            warn,
            node: Mutex::new(None),
            silent: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            found: Mutex::default(),
        })
    }

    /// The device that asks.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Tells what must not be missed, where somebody listens.
    pub fn warn(&self, text: impl std::fmt::Display) {
        if let Some(warn) = &self.warn {
            warn(&text.to_string());
        }
    }

    /// Ends what is under way: whoever waits for an answer gets an error instead, and nobody is asked
    /// any more.
    pub fn hang_up(&self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(node) = &*lock(&self.node) {
            node.hang_up();
        }
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    fn node(&self) -> Result<Arc<Node>, vault_node::NodeError> {
        let mut node = lock(&self.node);
        // looked at under the lock: whoever hangs up afterwards finds the node
        if self.has_ended() {
            return Err(vault_node::NodeError::Stopped);
        }
        if let Some(node) = &*node {
            return Ok(node.clone());
        }
        // keys of the moment: two commands at once must not look like one peer, for then one of
        // them gets the other's blocks; and nobody learns from a connection who is asking
        let seeds = (random_seed()?, random_seed()?);
        let started = Arc::new(Node::start_client(
            seeds.0,
            seeds.1,
            self.places.dht.clone(),
        )?);
        *node = Some(started.clone());
        Ok(started)
    }

    /// Blocks of one followed vault: from the cache, else from the patient's node, else from other
    /// places.
    ///
    /// # Errors
    /// When the cache cannot be opened.
    pub fn source(
        self: &Arc<Self>,
        home: &Home,
        following: &Following,
    ) -> Result<Arc<CachedSource>> {
        let fetcher = blocks::Everywhere::new(self.clone(), following);
        Ok(Arc::new(CachedSource::new(
            home.cache()?,
            Box::new(fetcher),
        )))
    }

    /// Asks everywhere for the newest head and takes the newest that continues what was seen.
    ///
    /// # Errors
    /// When no place has a head, or none that may be believed.
    pub fn sync(
        self: &Arc<Self>,
        home: &Home,
        inbox: &mut Inbox,
        following: &mut Following,
    ) -> Result<Advance> {
        let asked = self.ask_all(home, following)?;
        let source = self.source(home, following)?;
        let hashes_before = following.log_blocks();
        let finding = following.find(&asked.offers, &*source, time::now());
        let taken = finding.taken().is_some();
        if taken {
            inbox.remember(following)?;
            self.keep_log(home, following, &*source, &hashes_before)?;
        }
        let several = asked.offers.len() + asked.failures.len() > 1;
        for answer in &finding.answers {
            match &answer.verdict {
                Verdict::PassedOver { offered } => self.warn(format!(
                    "{} has only an older head ({offered}); the newer one was taken",
                    answer.from
                )),
                Verdict::Refused(error) if taken => {
                    self.warn(format!("{}: {error}", answer.from));
                }
                _ => {}
            }
        }
        for (place, error) in &asked.failures {
            // a server that knows no head is no news where another does
            let news = !taken || *place == Place::Node || error.exit == Exit::Integrity;
            if several && news {
                self.warn(format!("{place}: {}", error.message));
            }
        }
        let contradicting = forks::contradicting(&asked.offers, &finding);
        finding.outcome().map_err(|refused| match refused {
            Some((place, error)) => {
                let proves = matches!(error, FollowError::Forked(_) | FollowError::Older { .. });
                let mut error = Error::from(error);
                error.message = format!("{place}: {}", error.message);
                if proves {
                    let heads = &contradicting;
                    let warn = |text: &str| self.warn(text);
                    error = with_evidence(&warn, error, home, following, heads, &*source);
                }
                error
            }
            None => asked.no_answer(),
        })
    }

    /// Closes connections, if there are any (the next question opens new ones), and says who gave false blocks.
    pub fn close(&self) {
        for complaint in self.places.gateways.complaints() {
            if complaint.is_false {
                self.warn(format!(
                    "the gateway {} gave false bytes and was not asked again: {}",
                    complaint.url, complaint.what
                ));
            }
        }
        let node = lock(&self.node).take();
        if let Some(node) = node.and_then(Arc::into_inner) {
            node.stop();
        }
    }
}

impl App {
    /// Where heads and blocks may be had besides the patient's node: these gateways, then what the
    /// settings name, and heads that somebody handed over.
    ///
    /// # Errors
    /// `bad-config`.
    pub fn places(&self, gateways: Vec<BaseUrl>, heads: Vec<GivenHead>) -> Result<Places> {
        Places::of(self, gateways, heads)
    }

    /// A network that has not been used yet; warnings go where the app's go.
    pub fn network(&self, device: &Arc<Device>, places: Places) -> Arc<Network> {
        Network::new(device.clone(), places, self.warner().clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn random_seed() -> Result<[u8; 32], vault_node::NodeError> {
    let mut seed = [0; 32];
    let failed = |error: getrandom::Error| vault_node::NodeError::Start(error.to_string());
    getrandom::fill(&mut seed).map_err(failed)?;
    Ok(seed)
}

/// Fetches bodies ahead of time, so that they can be read offline. Returns how many blocks.
pub(crate) fn prefetch(source: &dyn BlockSource, cids: &[Cid]) -> Result<usize> {
    let mut count = 0;
    for part in cids.chunks(64) {
        count += source.fetch(part)?.len();
    }
    Ok(count)
}

impl From<vault_node::NodeError> for Error {
    fn from(error: vault_node::NodeError) -> Self {
        use vault_node::NodeError as E;
        let text = error.to_string();
        match error {
            E::Unreachable { .. } | E::Timeout { .. } => Self::new(Exit::Network, "offline", text)
                .hint("the other side must be running `medvault serve`; try again later"),
            E::Refused { .. } => Self::new(Exit::Terms, "refused", text).hint(REFUSED),
            E::NotBuilt => Self::new(Exit::Failure, "not-built", text),
            E::HeadNotFound(_) => Self::new(Exit::Network, "no-head", text)
                .hint("ask for a fresh ticket: this node does not have the vault"),
            E::Start(_) => Self::new(Exit::Network, "node-start", text)
                .hint("is another `medvault serve` running on these ports?"),
            E::Dht(_) => Self::new(Exit::Network, "dht", text).hint(
                "`medvault config get ipfs.bootstrap` shows who is asked first; a node that \
                 announces needs an address that others reach: serve.announce",
            ),
            E::Address(_) => Self::new(Exit::Network, "bad-address", text),
            _ => Self::new(Exit::Network, "network", text),
        }
    }
}

impl From<GatewayError> for Error {
    fn from(error: GatewayError) -> Self {
        match error.is_false() {
            true => Self::new(Exit::Integrity, "false-gateway", error)
                .hint("name another with `--gateway URL`"),
            false => Self::new(Exit::Network, "gateway", error)
                .hint("try again later, or name another with `--gateway URL`"),
        }
    }
}

impl From<RoutingError> for Error {
    fn from(error: RoutingError) -> Self {
        match error {
            RoutingError::Record(_) => Self::new(Exit::Integrity, "false-record", error)
                .hint("`medvault config get ipfs.routing` shows who was asked"),
            _ => Self::new(Exit::Network, "routing", error)
                .hint("try again later; `medvault config get ipfs.routing` shows who was asked"),
        }
    }
}
