//! The answering side: admits connections and hands each of their streams on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use iroh::endpoint::{Connection, RecvStream, SendStream, VarInt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use vault_core::PublicKey;

use super::{code, places::Places};

/// Time for a message to arrive, and for the first one to begin.
pub(crate) const ASK_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for an answer to arrive at the peer.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection stays open without a further message.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Streams of one connection that are answered at a time.
pub(crate) const MAX_STREAMS: usize = 16;

/// What answers for the application; nothing does until it is set.
pub(crate) struct Slot<T: ?Sized>(RwLock<Option<Arc<T>>>);

impl<T: ?Sized> Default for Slot<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T: ?Sized> Slot<T> {
    /// From now on it is this.
    pub(crate) fn set(&self, new: Arc<T>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(new);
    }

    /// What it is now.
    pub(crate) fn get(&self) -> Option<Arc<T>> {
        let current = self.0.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Connections of one protocol.
pub(crate) struct Connections {
    places: Arc<Places>,
    stop: watch::Sender<bool>,
    under_way: AtomicUsize,
}

/// An exchange under way, which a node that stops waits for.
pub(crate) struct UnderWay(Arc<Connections>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Connections {
    /// At most `all` of them, and `each` of one peer.
    pub(crate) fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self {
            places: Places::new(all, each),
            stop: watch::channel(false).0,
            under_way: AtomicUsize::new(0),
        })
    }

    /// Begins an exchange; `None` when the node stops.
    pub(crate) fn begin(self: &Arc<Self>) -> Option<UnderWay> {
        // counted first: either this is seen by `drain`, or `drain` is seen here
        self.under_way.fetch_add(1, Ordering::SeqCst);
        let begun = UnderWay(Arc::clone(self));
        (!*self.stop.borrow()).then_some(begun)
    }

    /// Takes no further messages, and waits for the exchanges under way. Returns how many are
    /// still under way after `limit`.
    pub(crate) async fn drain(&self, limit: Duration) -> usize {
        self.stop.send_replace(true);
        let begun = Instant::now();
        while self.under_way.load(Ordering::SeqCst) > 0 && begun.elapsed() < limit {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.under_way.load(Ordering::SeqCst)
    }

    /// Serves one connection until it ends: `answer` gets each of its streams, and returns `None`
    /// to close the connection as broken. Returns whether the connection was admitted.
    ///
    /// `newcomer` is given back as soon as it is.
    pub(crate) async fn serve<F>(
        &self,
        connection: Connection,
        newcomer: OwnedSemaphorePermit,
        answer: impl Fn(SendStream, RecvStream) -> F,
    ) -> bool
    where
        F: Future<Output = Option<()>> + Send + 'static,
    {
        let mut stop = self.stop.subscribe();
        let Some(_place) = self.places.enter(peer(&connection)) else {
            connection.close(code::BUSY, b"");
            return false;
        };
        drop(newcomer);
        let slots = Arc::new(Semaphore::new(MAX_STREAMS));
        let mut patience = ASK_TIMEOUT;
        loop {
            let next = async {
                let slot = Arc::clone(&slots).acquire_owned().await.ok()?;
                Some((slot, timeout(patience, connection.accept_bi()).await))
            };
            let next = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                next = next => next,
            };
            patience = IDLE_TIMEOUT;
            match next {
                Some((slot, Ok(Ok((send, recv))))) => {
                    let (work, connection) = (answer(send, recv), connection.clone());
                    tokio::spawn(async move {
                        if work.await.is_none() {
                            connection.close(code::BROKEN, b"");
                        }
                        drop(slot);
                    });
                }
                // one slot is ours: what is answered for long is not idle
                Some((_slot, Err(_))) if slots.available_permits() < MAX_STREAMS - 1 => {}
                Some((_slot, Err(_))) => break,
                Some((_, Ok(Err(_)))) | None => return true, // lost
            }
        }
        // what is being answered may end
        tokio::select! {
            _ = slots.acquire_many(MAX_STREAMS as u32) => {}
            _ = connection.closed() => {}
        }
        connection.close(code::QUIET, b"");
        true
    }
}

/// The endpoint id that the connection proved.
pub(crate) fn peer(connection: &Connection) -> PublicKey {
    PublicKey::from_bytes(*connection.remote_id().as_bytes())
}

/// Closes a connection for a protocol that the node does not serve.
pub(crate) fn not_served(connection: &Connection) {
    connection.close(code::NOT_SERVED, b"");
}

/// Room for what peers send before it is read, for each connection; windows of QUIC as sent in the
/// handshake.
pub(crate) const RECEIVE_WINDOW: VarInt = VarInt::from_u32(256 << 10);
