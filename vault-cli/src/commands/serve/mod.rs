//! `medvault serve`: the patient's node, online.

pub mod access;
mod charges;
mod deposits;
mod publishers;
mod readers;
mod start;
mod status;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use clap::Args;
use vault_core::{
    Home, NodeAddress, PublicKey, Vault, VaultStorage, WaitingDeposits, system_clock,
};
use vault_http::KuboNode;
use vault_node::Node;

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::local_socket;
use crate::log::{Event, Format, Level, Log};
use crate::network::agents::Rounds;
use crate::network::{HeadArgs, PlaceArgs, Places};
use crate::node;
use crate::place;
use crate::publish::{Attempt, Publishing};
use access::{Counts, Lodging};
use charges::HomeCharges;
use deposits::Deposits;
use readers::HomeReaders;
use start::Plan;
use status::State;

/// How often to see whether another command changed the vault.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often to see whether a grant has ended or the head wants renewing.
const TEND_EVERY: Duration = Duration::from_secs(60);

/// Longest wait for answers under way when the node is asked to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Serve the vault's blocks and head to those it is shared with
///
/// Runs until it is interrupted, and answers requests for keys under grants on request. Blocks are ciphertext and go to whoever names them, with --private
/// only to those who hold a grant; the head says nothing about what is in the vault. Other commands
/// work as usual meanwhile.
#[derive(Args)]
pub struct Serve {
    /// Address for blocks, such as /ip4/0.0.0.0/tcp/4001 [default: every interface, TCP and QUIC,
    /// on the port of last time]
    #[arg(long, value_name = "MULTIADDR")]
    listen: Vec<String>,

    /// Address for heads [default: every interface, on the port of last time]
    #[arg(long, value_name = "IP:PORT")]
    listen_heads: Option<SocketAddr>,

    /// Address under which others reach this node from outside, such as one that a router
    /// forwards: a multiaddr for blocks, IP:PORT for heads. May be repeated
    #[arg(long, value_name = "ADDR")]
    announce: Vec<String>,

    /// Give blocks only to those who hold a grant
    #[arg(long)]
    private: bool,

    /// With --private: also give blocks to this peer, such as a pinning service. May be repeated
    #[arg(long, value_name = "PEER_ID")]
    allow_peer: Vec<String>,

    /// How log lines look, on standard error
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    log: Format,

    /// What matters less than this is not logged
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "info")]
    log_level: Level,
}

/// Runs the command.
pub fn run(context: &Context, args: &Serve) -> Result<Exit> {
    let home = context.home()?;
    if local_socket::ask(home.root()).is_some() {
        return Err(
            Error::new(Exit::Home, "serving", "this home is being served already")
                .hint("`medvault status` shows by whom"),
        );
    }
    let device = context.unlock(&home)?;
    let storage: Arc<dyn VaultStorage> = place::storage(context, &home, &device.vault())?;
    let clock = system_clock();
    let vault = Vault::open(storage.clone(), device.clone(), clock.clone())?;
    let plan = Plan::new(args, &context.config(&home)?)?;
    let kubo = place::kubo_node(context, &home)?;
    if kubo.is_some() && plan.is_private() {
        return Err(
            Error::usage("the blocks are in a Kubo, which gives them to whoever asks")
                .hint("leave --private away, or `medvault move home`"),
        );
    }
    let lodging = Lodging {
        home: home.clone(),
        storage,
        device: device.clone(),
        clock: clock.clone(),
    };
    let log = Log {
        format: args.log,
        level: if context.out.quiet {
            args.log_level.min(Level::Warn)
        } else {
            args.log_level
        },
    };
    let counts = Arc::new(Counts::default());
    let places = Places::of(context, &home, &PlaceArgs::default(), &HeadArgs::default())?;
    let charges = HomeCharges::start(&home, &device, &places, log);
    let desk = access::open_desk(context, &lodging, Box::new(charges), log, &counts)?;
    let node = start::start(&home, &vault, &plan, kubo.is_none())?;
    node.set_readers(HomeReaders::new(lodging.vault()?));
    node.set_access_handler(desk);
    let waiting = WaitingDeposits::open(Arc::new(home.clone()), &device)?;
    let mut taking = lodging.vault()?;
    // what came just before a kill is waiting and not in the log
    taking.note_arrivals(&waiting)?;
    node.set_deposits(Arc::new(Deposits::new(taking, waiting, log)));
    // readers fetch the blocks from where they are
    let blocks_at = kubo.as_ref().map(KuboNode::address).transpose()?;
    let address = seen_from_outside(node.address(), blocks_at.as_ref());
    node::remember(&home, &address)?;

    let (stop, stopped) = channel();
    ctrlc::set_handler(move || {
        // nobody listens any more when the node is stopping already
        let _ = stop.send(());
    })
    .map_err(std::io::Error::other)?;
    let begun = Instant::now();
    let node = Arc::new(node);
    let _rounds = Rounds::start(lodging.vault()?, log);
    let publishing = Publishing::start(
        publishers::configured(&node, &device, &places, kubo, plan.is_private()),
        &device.ipns_key(),
        &clock,
        &(Arc::new(move |attempt| log.write(attempt_event(attempt))) as Arc<_>),
    );
    let state = Arc::new(State::new(begun, plan.is_private(), vault.head(), counts));
    let standings = Box::new(publishing.standings());
    let socket = status::open_socket(context, &home, &node, &state, standings);
    start::announce(context, log, &address)?;
    log.write(Event::Serving {
        pid: std::process::id(),
        head: vault.head().seq(),
    });
    publishing.head(vault.head());
    let mut keeper = Keeper {
        log,
        home: &home,
        node: node.clone(),
        address,
        blocks_at,
        state,
        vault,
        publishing,
        tended: None,
    };
    keeper.tend();
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(LOOK_EVERY) {
        keeper.look();
    }
    log.write(Event::Stopping);
    drop((keeper, socket));
    let cut_off = node.drain(DRAIN_TIMEOUT);
    if let Some(node) = Arc::into_inner(node) {
        node.stop();
    }
    log.write(Event::Stopped {
        seconds: begun.elapsed().as_secs(),
        cut_off,
    });
    Ok(Exit::Ok)
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

/// What is looked after while the node serves.
struct Keeper<'a> {
    log: Log,
    home: &'a Home,
    node: Arc<Node>,
    address: NodeAddress,
    /// Peer and addresses of the Kubo that has the blocks.
    blocks_at: Option<(PublicKey, Vec<String>)>,
    state: Arc<State>,
    vault: Vault,
    publishing: Publishing,
    tended: Option<Instant>,
}

impl Keeper<'_> {
    /// Takes note of what other commands did, and does what time asks for.
    fn look(&mut self) {
        let before = self.vault.head().seq();
        match self.vault.refresh() {
            Ok(()) if self.vault.head().seq() != before => {
                let head = self.vault.head().seq();
                self.log.write(Event::HeadChanged { head });
                self.new_head();
            }
            Ok(()) => {}
            Err(error) => self.failed(error),
        }
        if self.tended.is_none_or(|at| at.elapsed() >= TEND_EVERY) {
            self.tend();
        }
    }

    fn tend(&mut self) {
        self.tended = Some(Instant::now());
        match self.vault.tend() {
            Ok(true) => {
                let head = self.vault.head().seq();
                self.log.write(Event::Tended { head });
                self.new_head();
            }
            Ok(false) => {}
            Err(error) => self.failed(error),
        }
        self.look_around();
    }

    fn new_head(&mut self) {
        self.state.head(self.vault.head());
        self.publishing.head(self.vault.head());
    }

    /// Writes the node's addresses down when they have changed, for new tickets.
    fn look_around(&mut self) {
        let Ok(address) = self.node.look_around() else {
            return; // only while the node stops
        };
        let address = seen_from_outside(address, self.blocks_at.as_ref());
        if address == self.address {
            return;
        }
        if let Err(error) = node::remember(self.home, &address) {
            let error = error.code;
            return self.log.write(Event::AddressesLost { error });
        }
        let count = address.addrs.len() + address.endpoint_addrs.len();
        self.log.write(Event::AddressesChanged { count });
        self.address = address;
    }

    fn failed(&self, error: impl Into<Error>) {
        let error = error.into().code;
        self.log.write(Event::TendFailed { error });
    }
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
