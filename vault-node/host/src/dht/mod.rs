//! The DHT of IPFS (libp2p specification, "kad-dht"), off unless it is configured.
//!
//! It is a behaviour of our own around libp2p-kad. The one that the IPFS builder can switch on speaks
//! the protocol of the public network only, and as a server it stores whatever anybody puts.

mod accepted;
mod addresses;
mod behaviour;

use std::sync::Arc;
use std::time::Duration;

use libp2p_kad::RecordKey;
use rust_ipfs::{Multiaddr, PeerId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

pub(crate) use addresses::Reach;
pub(crate) use behaviour::Behaviour;

/// Most answers that one question takes in.
const MAX_ANSWERS: usize = 32;

/// What a node does for the DHT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Asks, and answers nobody.
    Client,
    /// Keeps records for others too. Wants an address at which everybody reaches it.
    Server,
}

/// Which of the two networks of IPFS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// The public one, `/ipfs/kad/1.0.0`: public addresses only.
    Public,
    /// The one of a private network, `/ipfs/lan/kad/1.0.0`: any address.
    Lan,
}

/// Whether an address can be reached from everywhere in a network.
pub fn fits(network: Network, addr: &Multiaddr) -> bool {
    Reach(network).fits(addr)
}

/// Which records a server keeps for others.
pub trait Rules: Send + Sync {
    /// Whether `value` may be kept under `key`.
    fn valid(&self, key: &[u8], value: &[u8]) -> bool;

    /// Whether `new` replaces `old`; both were found valid under `key`.
    fn newer(&self, key: &[u8], new: &[u8], old: &[u8]) -> bool;
}

/// How a node takes part.
#[derive(Clone)]
pub struct Config {
    /// What it does for others.
    pub role: Role,
    /// In which network.
    pub network: Network,
    /// The first nodes to ask. Nobody else is contacted until they have named others.
    pub bootstrap: Vec<(PeerId, Multiaddr)>,
    /// What it keeps for others.
    pub rules: Arc<dyn Rules>,
}

/// A peer that says it has something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its name.
    pub peer: PeerId,
    /// Where it may be reached, as strangers say.
    pub addrs: Vec<Multiaddr>,
}

/// Why nothing came of a question or of an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no node to ask.
    #[error("no node of the DHT is known")]
    NoPeers,
    /// This node has no address that others could use.
    #[error("this node has no address to announce")]
    NoAddress,
    /// No node took it.
    #[error("no node of the DHT took the record")]
    Refused,
    /// Nobody answered in time.
    #[error("no answer from the DHT in time")]
    Timeout,
    /// The record is too large, or too many are announced.
    #[error("the record is too large, or too many are announced")]
    Full,
    /// The node was stopped.
    #[error("the node is stopped")]
    Stopped,
}

type Reply<T> = oneshot::Sender<Result<T, Error>>;
/// Answers as they come; dropped at the end.
type Answers<T> = mpsc::Sender<Result<T, Error>>;

/// What is asked of the swarm from outside.
enum Command {
    Put(RecordKey, Vec<u8>, Reply<usize>),
    Get(RecordKey, Answers<Vec<u8>>),
    Provide(RecordKey, Reply<usize>),
    StopProviding(RecordKey),
    Providers(RecordKey, Answers<Provider>),
}

/// Asks and announces.
#[derive(Clone)]
pub struct Dht {
    commands: mpsc::UnboundedSender<Command>,
}

impl Dht {
    /// Puts `value` under `key` with the nodes closest to it; how many took it. It is not put
    /// again by itself.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn put(&self, key: Vec<u8>, value: Vec<u8>) -> Result<usize, Error> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Put(key.into(), value, reply))?;
        answer.await.unwrap_or(Err(Error::Stopped))
    }

    /// The different values that nodes have under `key`, unchecked, at most 32 of them. Ends when
    /// the nodes closest to the key were asked, or after `timeout`.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Timeout`] only when nothing was found by then.
    pub async fn get(&self, key: Vec<u8>, timeout: Duration) -> Result<Vec<Vec<u8>>, Error> {
        let (answers, found) = mpsc::channel(MAX_ANSWERS);
        self.send(Command::Get(key.into(), answers))?;
        collect(found, timeout, |all: &mut Vec<Vec<u8>>, value| {
            if !all.contains(&value) {
                all.push(value);
            }
        })
        .await
    }

    /// Announces this node under `key`, now and every 22 hours; how many nodes were told.
    ///
    /// # Errors
    /// [`Error`]; [`Error::NoAddress`] when there is no address that fits the network, for nodes
    /// throw such an announcement away.
    pub async fn provide(&self, key: Vec<u8>) -> Result<usize, Error> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Provide(key.into(), reply))?;
        answer.await.unwrap_or(Err(Error::Stopped))
    }

    /// Announces this node under `key` no more. What is out expires within 48 hours.
    pub fn stop_providing(&self, key: Vec<u8>) {
        // fails only while the node shuts down
        let _ = self.send(Command::StopProviding(key.into()));
    }

    /// Who says it has `key`, at most 32 peers. Ends as [`Dht::get`] does.
    ///
    /// # Errors
    /// As for [`Dht::get`].
    pub async fn providers(&self, key: Vec<u8>, timeout: Duration) -> Result<Vec<Provider>, Error> {
        let (answers, found) = mpsc::channel(MAX_ANSWERS);
        self.send(Command::Providers(key.into(), answers))?;
        collect(found, timeout, |all: &mut Vec<Provider>, one| {
            match all.iter_mut().find(|known| known.peer == one.peer) {
                Some(known) => addresses::merge(&mut known.addrs, one.addrs),
                None => all.push(one),
            }
        })
        .await
    }

    fn send(&self, command: Command) -> Result<(), Error> {
        self.commands.send(command).map_err(|_| Error::Stopped)
    }
}

/// Takes in answers until there are no more, too many, or no time.
async fn collect<T>(
    mut found: mpsc::Receiver<Result<T, Error>>,
    timeout: Duration,
    add: impl Fn(&mut Vec<T>, T),
) -> Result<Vec<T>, Error> {
    let end = Instant::now() + timeout;
    let mut all = Vec::new();
    while all.len() < MAX_ANSWERS {
        match timeout_at(end, found.recv()).await {
            Ok(Some(answer)) => add(&mut all, answer?),
            Ok(None) => break,
            Err(_) if all.is_empty() => return Err(Error::Timeout),
            Err(_) => break,
        }
    }
    Ok(all)
}
