//! The answering side of the access protocol.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use iroh::endpoint::{Connection, ReadError, ReadToEndError, RecvStream, SendStream, WriteError};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use vault_core::{Ends, PublicKey};

use super::{MAX_ACCESS_REPLY, MAX_ACCESS_REQUEST};
use crate::exchange::places::Turns;
use crate::exchange::server::{ASK_TIMEOUT, Connections, Slot, WRITE_TIMEOUT, not_served, peer};
use crate::exchange::{Outgoing, code};

/// Most connections at a time, and of one peer.
const MAX_CONNECTIONS: (usize, usize) = (256, 8);
/// Most messages that are with the handler at a time, and of one peer. Each takes a thread.
const MAX_THREADS: (usize, usize) = (64, 8);

/// What answers messages of the access protocol. Called on a thread that may block; several at a
/// time, at most 64 in all and 8 for one peer.
pub trait AccessHandler: Send + Sync {
    /// Answers `message`, of at most [`MAX_ACCESS_REQUEST`] bytes, with at most
    /// [`MAX_ACCESS_REPLY`]. `ends` are the two ends as the connection proved them. `None` closes
    /// the connection as broken, and so do a longer answer and a panic.
    ///
    /// A peer that lost its connection sends the same message again, so the same one may come
    /// twice.
    fn answer(&self, ends: &Ends, message: &[u8]) -> Option<Vec<u8>>;
}

/// What passed through the access protocol since the node started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccessStats {
    /// Messages that came whole.
    pub asked: u64,
    /// Messages that were answered.
    pub answered: u64,
    /// Connections that found no place, and messages that had no answer, were too long or came
    /// too slowly.
    pub refused: u64,
}

#[derive(Default)]
struct Counters {
    asked: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
}

/// Answers messages.
pub(crate) struct AccessServer {
    own: PublicKey,
    pub(crate) handler: Slot<dyn AccessHandler>,
    pub(crate) connections: Arc<Connections>,
    turns: Turns,
    counters: Counters,
}

impl AccessServer {
    /// A server for the node whose endpoint id is `own`. It answers nothing until it has a
    /// handler.
    pub(crate) fn new(own: PublicKey) -> Arc<Self> {
        Arc::new(Self {
            own,
            handler: Slot::default(),
            connections: Connections::new(MAX_CONNECTIONS.0, MAX_CONNECTIONS.1),
            turns: Turns::new(MAX_THREADS.0, MAX_THREADS.1),
            counters: Counters::default(),
        })
    }

    pub(crate) fn stats(&self) -> AccessStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        AccessStats {
            asked: read(&self.counters.asked),
            answered: read(&self.counters.answered),
            refused: read(&self.counters.refused),
        }
    }

    /// Serves one connection until it ends.
    pub(crate) async fn serve(
        self: &Arc<Self>,
        connection: Connection,
        newcomer: OwnedSemaphorePermit,
    ) {
        if self.handler.get().is_none() {
            self.refused();
            return not_served(&connection);
        }
        let client = peer(&connection);
        let link = connection.clone();
        let answer = |send, recv| {
            let (server, link) = (Arc::clone(self), link.clone());
            async move { server.exchange(&link, send, recv, client).await }
        };
        let admitted = self.connections.serve(connection, newcomer, answer).await;
        if !admitted {
            self.refused();
        }
    }

    /// One message and its answer. `None` when the peer broke the protocol or gets no answer.
    async fn exchange(
        &self,
        link: &Connection,
        send: SendStream,
        mut recv: RecvStream,
        client: PublicKey,
    ) -> Option<()> {
        let mut send = Outgoing::new(send, code::BROKEN);
        let message = timeout(ASK_TIMEOUT, recv.read_to_end(MAX_ACCESS_REQUEST)).await;
        let message = match message {
            Ok(Ok(message)) => message,
            // the peer has given it up, or is gone
            Ok(Err(ReadToEndError::Read(ReadError::Reset(_) | ReadError::ConnectionLost(_)))) => {
                return Some(());
            }
            Ok(Err(_)) | Err(_) => {
                self.refused();
                return None;
            }
        };
        let Some(_under_way) = self.connections.begin() else {
            send.otherwise = code::QUIET; // it was not taken
            return Some(());
        };
        self.counters.asked.fetch_add(1, Ordering::Relaxed);
        let turn = tokio::select! {
            turn = self.turns.wait(client) => turn?,
            _ = link.closed() => return Some(()),
        };
        let ends = Ends {
            server: self.own,
            client,
        };
        let handler = self.handler.get()?;
        let answer = tokio::task::spawn_blocking(move || {
            let _turn = turn; // for as long as the thread is taken, whatever becomes of the peer
            handler.answer(&ends, &message)
        });
        let answer = answer.await.ok().flatten();
        let Some(answer) = answer.filter(|answer| answer.len() <= MAX_ACCESS_REPLY) else {
            self.refused();
            return None;
        };
        self.counters.answered.fetch_add(1, Ordering::Relaxed);
        let write = async {
            match send.write_all(&answer).await {
                Ok(()) => send.finish().ok()?,
                Err(WriteError::Stopped(_)) => return Some(()), // it wants no answer any more
                Err(_) => return None,
            }
            send.taken().await
        };
        timeout(WRITE_TIMEOUT, write).await.ok()?
    }

    fn refused(&self) {
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
    }
}
