//! The node that serves a home: heads, blocks, keys on request, deposits.

mod access;
mod charges;
mod deposits;
mod keeper;
mod local_socket;
mod publishers;
mod readers;
mod start;
mod status;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vault_core::{
    Device, Home, HomeStorage, NodeAddress, PublicKey, Vault, WaitingDeposits, system_clock,
};
use vault_http::KuboNode;
use vault_node::Node;

use crate::app::App;
use crate::error::{Error, Exit, Result};
use crate::log::{Event, Log};
use crate::network::agents::Rounds;
use crate::node_address;
use crate::place;
use crate::publish::{Attempt, Publishing, Standing};
use crate::running_node::ask_running_node;
use access::Counts;
use charges::HomeCharges;
use deposits::Deposits;
use keeper::Keeper;
use local_socket::StatusSocket;
use readers::HomeReaders;
use start::Plan;
use status::State;

pub use access::{SETTLE, unsettled};
pub use status::{AccessStatus, Status};

/// Longest wait for answers under way when the node is asked to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// What to serve and where. What is left out is as the settings say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServeOptions {
    /// Multiaddrs to serve blocks at. Without any here and in the settings: every interface, on the
    /// ports of last time.
    pub listen: Vec<String>,
    /// Where to serve heads, and blocks to readers over iroh.
    pub listen_heads: Option<SocketAddr>,
    /// Addresses under which others reach this node from outside: multiaddrs for blocks, `ip:port`
    /// for heads.
    pub announce: Vec<String>,
    /// Blocks only for those who hold a grant.
    pub private: bool,
    /// With `private`: peers that get blocks all the same, such as a pinning service.
    pub allow_peer: Vec<String>,
}

/// A running node. Dropping it stops it.
pub struct Serving {
    // dropped before `ending`, which stops the node when it is the last to have it
    node: Arc<Node>,
    standings: Standings,
    state: Arc<State>,
    address: NodeAddress,
    _rounds: Rounds,
    ending: Ending,
}

/// What is to be done when the node stops.
struct Ending {
    node: Option<Arc<Node>>,
    begun: Instant,
    log: Log,
    socket: Option<StatusSocket>,
    keeper: Option<(Sender<()>, JoinHandle<()>)>,
}

/// Where the vault lives, to open it once more over the same storage.
#[derive(Clone)]
struct Lodging {
    app: App,
    storage: Arc<HomeStorage>,
    device: Arc<Device>,
}

impl Lodging {
    /// Opens the vault, for a thread of its own.
    fn vault(&self) -> Result<Vault> {
        let (storage, device) = (self.storage.clone(), self.device.clone());
        Ok(Vault::open(storage, device, system_clock())?)
    }
}

/// How the publishers stand; may be asked from several threads.
type Standings = Arc<dyn Fn() -> Vec<Standing> + Send + Sync>;

/// Fails when a node serves this home already, in this process or another.
///
/// # Errors
/// `serving`.
pub fn refuse_if_served(home: &Home) -> Result<()> {
    match ask_running_node(home.root()) {
        None => Ok(()),
        Some(_) => Err(
            Error::new(Exit::Home, "serving", "this home is being served already")
                .hint("`medvault status` shows by whom"),
        ),
    }
}

impl Serving {
    /// Starts the node. From then on it looks every two seconds whether the vault was changed, ends
    /// grants and renews the head when that is due, publishes heads as the settings say, answers
    /// requests for keys and takes deposits.
    ///
    /// # Errors
    /// `serving`; options that cannot be; a vault that does not open; addresses that are taken.
    pub fn start(
        app: &App,
        device: &Arc<Device>,
        options: &ServeOptions,
        log: Log,
    ) -> Result<Self> {
        Self::start_and(app, device, options, log, |_| Ok(()))
    }

    /// The same; `up` hears where the node is when it can be reached, before anything is logged.
    ///
    /// # Errors
    /// As [`Self::start`]; what `up` returns, and then the node is stopped.
    pub fn start_and(
        app: &App,
        device: &Arc<Device>,
        options: &ServeOptions,
        log: Log,
        up: impl FnOnce(&NodeAddress) -> Result<()>,
    ) -> Result<Self> {
        let home = app.home();
        refuse_if_served(home)?;
        let lodging = Lodging {
            app: app.clone(),
            storage: app.storage(&device.vault())?,
            device: device.clone(),
        };
        let vault = lodging.vault()?;
        let plan = Plan::new(options, app.config())?;
        let kubo = place::kubo::of(app)?;
        if kubo.is_some() && plan.is_private() {
            return Err(
                Error::usage("the blocks are in a Kubo, which gives them to whoever asks")
                    .hint("leave --private away, or `medvault move home`"),
            );
        }
        let counts = Arc::new(Counts::default());
        let places = app.places(Vec::new(), Vec::new())?;
        let charges = HomeCharges::start(app, device, &places, log.clone());
        let desk = access::open_desk(&lodging, Box::new(charges), log.clone(), &counts)?;
        let node = start::start(home, &vault, &plan, kubo.is_none())?;
        node.set_readers(HomeReaders::new(lodging.vault()?));
        node.set_access_handler(desk);
        let begun = Instant::now();
        let state = Arc::new(State::new(begun, plan.is_private(), vault.head(), counts));
        let waiting = WaitingDeposits::open(home.clone(), device)?;
        let mut taking = lodging.vault()?;
        // what came just before a kill is waiting and not in the log
        taking.note_arrivals(&waiting)?;
        node.set_deposits(Arc::new(Deposits::new(
            taking,
            waiting,
            log.clone(),
            state.clone(),
        )));
        // readers fetch the blocks from where they are
        let blocks_at = kubo.as_ref().map(KuboNode::address).transpose()?;
        let address = seen_from_outside(node.address(), blocks_at.as_ref());
        node_address::remember(home, &address)?;

        let node = Arc::new(node);
        let rounds = Rounds::start(lodging.vault()?, log.clone());
        let report = {
            let log = log.clone();
            Arc::new(move |attempt| log.write(attempt_event(attempt))) as Arc<_>
        };
        let publishing = Publishing::start(
            publishers::configured(&node, device, &places, kubo, plan.is_private()),
            &device.ipns_key(),
            &system_clock(),
            &report,
        );
        let standings: Standings = Arc::new(publishing.standings());
        let socket = open_socket(app, &node, &state, &standings);
        let mut serving = Self {
            node: node.clone(),
            standings,
            state: state.clone(),
            address: address.clone(),
            _rounds: rounds,
            ending: Ending {
                node: Some(node.clone()),
                begun,
                log: log.clone(),
                socket,
                keeper: None,
            },
        };
        up(&address)?;
        log.write(Event::Serving {
            pid: std::process::id(),
            head: vault.head().seq(),
        });
        publishing.head(vault.head());
        let keeper = Keeper {
            app: app.clone(),
            log,
            node,
            address,
            blocks_at,
            state,
            vault,
            publishing,
            tended: None,
        };
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || keeper.run(&stopped));
        serving.ending.keeper = Some((stop, thread));
        Ok(serving)
    }

    /// Where the node was when it started; tickets say so.
    pub fn address(&self) -> &NodeAddress {
        &self.address
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        Status::of(&self.node, &self.state, (self.standings)())
    }

    /// Lets running answers end, at most for five seconds, and stops. Returns how many were cut off.
    pub fn stop(self) -> usize {
        let Self {
            node, mut ending, ..
        } = self;
        drop(node);
        ending.run()
    }
}

impl Ending {
    fn run(&mut self) -> usize {
        let Some(node) = self.node.take() else {
            return 0;
        };
        self.log.write(Event::Stopping);
        if let Some((stop, thread)) = self.keeper.take() {
            drop(stop);
            // one that panicked has ended too
            let _ = thread.join();
        }
        self.socket = None;
        let cut_off = node.drain(DRAIN_TIMEOUT);
        if let Some(node) = Arc::into_inner(node) {
            node.stop();
        }
        self.log.write(Event::Stopped {
            seconds: self.begun.elapsed().as_secs(),
            cut_off,
        });
        cut_off
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.run();
    }
}

/// Opens the socket for `medvault status`; without one the node serves all the same.
fn open_socket(
    app: &App,
    node: &Arc<Node>,
    state: &Arc<State>,
    standings: &Standings,
) -> Option<StatusSocket> {
    let (node, state, standings) = (Arc::downgrade(node), state.clone(), standings.clone());
    let socket = StatusSocket::open(app.home().root(), move || match node.upgrade() {
        Some(node) => Status::of(&node, &state, standings()).to_json(),
        None => serde_json::json!({"serving": false}),
    });
    socket
        .map_err(|error| app.warn(format!("no status socket: {error}")))
        .ok()
}

/// The node's address for tickets, with another node's for the blocks if they are there.
fn seen_from_outside(
    mut address: NodeAddress,
    blocks_at: Option<&(PublicKey, Vec<String>)>,
) -> NodeAddress {
    if let Some((peer, addrs)) = blocks_at {
        address.peer = *peer;
        address.addrs.clone_from(addrs);
    }
    address
}

fn attempt_event(attempt: Attempt) -> Event {
    match attempt {
        Attempt::Published {
            by,
            seq,
            valid_until,
        } => Event::Published {
            by,
            head: seq,
            valid_until,
        },
        Attempt::Failed {
            by,
            seq,
            error,
            again,
        } => Event::PublishFailed {
            by,
            head: seq,
            error,
            again,
        },
    }
}
