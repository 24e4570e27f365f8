//! Reads bitswap streams and hands each part of a message to the side it concerns.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, mpsc};
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt};
use rust_ipfs::{PeerId, Stream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use vault_core::{Block, BlockStore, Cid};
use vault_host::Streams;

use super::message::{Message, Payload, Presence, decode_len};
use super::responder::Serving;
use crate::config::{Access, Stats};

/// Most bitswap streams of one peer that are read at a time.
const MAX_STREAMS: usize = 16;
/// Most that are open at a time: Kubo sends every message on a stream of its own, and does not
/// send again what was on one that is reset. More than a want window, with room for two.
const MAX_OPEN: usize = 128;
/// Time for the rest of a message once it has begun.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) blocks_sent: AtomicU64,
    pub(crate) bytes_sent: AtomicU64,
    pub(crate) blocks_received: AtomicU64,
    pub(crate) bytes_received: AtomicU64,
    pub(crate) blocks_refused: AtomicU64,
}

/// What a session hears from the network. Peers are named by their place in the session.
pub(crate) enum Event {
    Connected {
        peer: usize,
        link: u64,
    },
    Lost {
        peer: usize,
        link: u64,
        reason: String,
    },
    Block {
        peer: usize,
        block: Block,
    },
    DontHave {
        peer: usize,
        cid: Cid,
    },
}

/// A session that waits for a block of a peer.
struct Waiter {
    session: u64,
    peer: usize,
    events: mpsc::Sender<Event>,
}

/// Which sessions wait for which block of which peer. A block nobody waits for is thrown away.
#[derive(Default)]
pub(crate) struct Router(Mutex<HashMap<PeerId, HashMap<Cid, Vec<Waiter>>>>);

impl Router {
    /// Registers a session for blocks it is about to ask `from` for.
    pub(crate) fn expect(
        &self,
        from: PeerId,
        cids: &[Cid],
        (session, peer): (u64, usize),
        events: &mpsc::Sender<Event>,
    ) {
        let mut peers = lock(&self.0);
        let wanted = peers.entry(from).or_default();
        for cid in cids {
            let waiters = wanted.entry(*cid).or_default();
            waiters.retain(|waiter| waiter.session != session);
            waiters.push(Waiter {
                session,
                peer,
                events: events.clone(),
            });
        }
    }

    /// Removes a session. Returns what nobody waits for any more, by peer, to be cancelled.
    pub(crate) fn forget(&self, session: u64) -> HashMap<PeerId, Vec<Cid>> {
        let mut idle: HashMap<PeerId, Vec<Cid>> = HashMap::new();
        lock(&self.0).retain(|peer, wanted| {
            wanted.retain(|cid, waiters| {
                waiters.retain(|waiter| waiter.session != session);
                if waiters.is_empty() {
                    idle.entry(*peer).or_default().push(*cid);
                }
                !waiters.is_empty()
            });
            !wanted.is_empty()
        });
        idle
    }

    fn waits_for(&self, from: &PeerId) -> bool {
        lock(&self.0).contains_key(from)
    }

    fn take(&self, from: &PeerId, cid: &Cid) -> Vec<Waiter> {
        let mut peers = lock(&self.0);
        let Some(wanted) = peers.get_mut(from) else {
            return Vec::new();
        };
        let waiters = wanted.remove(cid).unwrap_or_default();
        if wanted.is_empty() {
            peers.remove(from);
        }
        waiters
    }
}

/// The shared state of all bitswap tasks of a node.
pub(crate) struct Engine {
    pub(crate) streams: Streams,
    pub(crate) store: Arc<dyn BlockStore>,
    pub(crate) access: RwLock<Access>,
    pub(crate) router: Router,
    pub(crate) serving: Mutex<HashMap<PeerId, Arc<Serving>>>,
    pub(crate) counters: Counters,
    open: Mutex<HashMap<PeerId, Gate>>,
}

/// The streams of one peer.
struct Gate {
    open: usize,
    turns: Arc<Semaphore>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    pub(crate) fn new(streams: Streams, store: Arc<dyn BlockStore>, access: Access) -> Arc<Self> {
        Arc::new(Self {
            streams,
            store,
            access: RwLock::new(access),
            router: Router::default(),
            serving: Mutex::default(),
            counters: Counters::default(),
            open: Mutex::default(),
        })
    }

    /// Whether `peer` may read blocks.
    pub(crate) fn permits(&self, peer: &PeerId) -> bool {
        let access = self.access.read().unwrap_or_else(PoisonError::into_inner);
        match &*access {
            Access::Public => true,
            Access::Peers(peers) => peers.contains(&peer.to_base58()),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            blocks_sent: get(&self.counters.blocks_sent),
            bytes_sent: get(&self.counters.bytes_sent),
            blocks_received: get(&self.counters.blocks_received),
            bytes_received: get(&self.counters.bytes_received),
            blocks_refused: get(&self.counters.blocks_refused),
            peers: self.streams.count(),
        }
    }

    /// Picks up every inbound stream until the node stops.
    pub(crate) async fn accept(self: Arc<Self>, mut inbound: UnboundedReceiver<(PeerId, Stream)>) {
        while let Some((peer, stream)) = inbound.recv().await {
            let turns = {
                let mut open = lock(&self.open);
                let gate = open.entry(peer).or_insert_with(|| Gate {
                    open: 0,
                    turns: Arc::new(Semaphore::new(MAX_STREAMS)),
                });
                if gate.open == MAX_OPEN {
                    continue; // dropping the stream resets it
                }
                gate.open += 1;
                Arc::clone(&gate.turns)
            };
            let engine = Arc::clone(&self);
            tokio::spawn(async move {
                // never closed, so it is given in the end
                let _turn = turns.acquire().await;
                if engine.read(peer, stream).await.is_err() {
                    engine.streams.close(peer);
                }
                let mut open = lock(&engine.open);
                if let Some(gate) = open.get_mut(&peer) {
                    gate.open -= 1;
                    if gate.open == 0 {
                        open.remove(&peer);
                    }
                }
            });
        }
    }

    /// Reads messages to the end of the stream. An error means that the peer broke the protocol.
    async fn read(self: &Arc<Self>, peer: PeerId, mut stream: Stream) -> io::Result<()> {
        while let Some(bytes) = read_frame(&mut stream).await? {
            let message = Message::decode(&bytes).map_err(invalid)?;
            drop(bytes);
            if message.full || !message.wants.is_empty() {
                self.serve(peer, message.wants, message.full);
            }
            for presence in message.presences {
                self.take_presence(&peer, &presence);
            }
            for payload in message.payload {
                self.take_payload(&peer, payload);
            }
        }
        Ok(())
    }

    fn take_presence(&self, from: &PeerId, presence: &Presence) {
        let Ok(cid) = Cid::from_bytes(&presence.cid) else {
            return;
        };
        if presence.have {
            return;
        }
        for Waiter { peer, events, .. } in self.router.take(from, &cid) {
            // the session may have just ended
            let _ = events.send(Event::DontHave { peer, cid });
        }
    }

    fn take_payload(&self, from: &PeerId, payload: Payload) {
        // hash only what can have been asked for
        let block = self.router.waits_for(from).then(|| payload.into_block());
        let waiters = match block.flatten() {
            Some(block) => (self.router.take(from, &block.cid()), Some(block)),
            None => (Vec::new(), None),
        };
        let (waiters, Some(block)) = waiters else {
            self.counters.blocks_refused.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let len = block.data().len() as u64;
        if waiters.is_empty() {
            self.counters.blocks_refused.fetch_add(1, Ordering::Relaxed);
        } else {
            let counters = &self.counters;
            counters.blocks_received.fetch_add(1, Ordering::Relaxed);
            counters.bytes_received.fetch_add(len, Ordering::Relaxed);
        }
        for Waiter { peer, events, .. } in waiters {
            let block = block.clone();
            let _ = events.send(Event::Block { peer, block });
        }
    }
}

fn invalid(error: super::wire::WireError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Reads one length-prefixed message. `None` at the end of the stream, also when the peer reset
/// it. An error only for what no honest peer sends.
async fn read_frame<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::with_capacity(4);
    let len = loop {
        let mut byte = [0];
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return Ok(None),
        }
        if let Some((len, _)) = decode_len(&head).map_err(invalid)? {
            break len;
        }
    };
    // memory grows with what arrives, not with what is announced
    let mut bytes = Vec::with_capacity(len.min(256 << 10));
    let mut rest = stream.take(len as u64);
    match tokio::time::timeout(MESSAGE_TIMEOUT, rest.read_to_end(&mut bytes)).await {
        Ok(Ok(_)) if bytes.len() == len => Ok(Some(bytes)),
        _ => Ok(None),
    }
}
