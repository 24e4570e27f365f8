//! Answers a peer's wants on a stream of our own, as bitswap asks.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::AsyncWriteExt;
use rust_ipfs::{PeerId, Stream};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::engine::{Engine, lock};
use super::message::{MAX_ENTRIES, Message, Want};
use super::server::{Answer, Ledger};

/// Wants that are worked on at a time; a cancel does not reach these any more.
const BATCH: usize = 32;
/// How long the answering stream stays open with nothing to say.
const IDLE: Duration = Duration::from_secs(5);
/// Time to open a stream.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Time to send one message; a peer that reads more slowly is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// One peer that is being answered.
#[derive(Default)]
pub(crate) struct Serving {
    state: Mutex<(Ledger, Message)>,
    wake: Notify,
}

impl Serving {
    fn take(&self) -> (Message, Answer) {
        let (ledger, refused) = &mut *lock(&self.state);
        (std::mem::take(refused), Answer::new(ledger.take(BATCH)))
    }

    fn is_empty(&self) -> bool {
        let (ledger, refused) = &*lock(&self.state);
        ledger.is_empty() && refused.is_empty()
    }
}

impl Engine {
    /// Puts a want list on the peer's ledger, and starts to answer it if nobody does.
    pub(crate) fn serve(self: &Arc<Self>, peer: PeerId, wants: Vec<Want>, full: bool) {
        let mut all = lock(&self.serving);
        let serving = all.get(&peer).cloned().unwrap_or_else(|| {
            let serving = Arc::<Serving>::default();
            all.insert(peer, Arc::clone(&serving));
            tokio::spawn(Arc::clone(self).answer(peer, Arc::clone(&serving)));
            serving
        });
        {
            let (ledger, refused) = &mut *lock(&serving.state);
            let mut more = ledger.receive(wants, full).presences;
            more.truncate(MAX_ENTRIES - refused.presences.len().min(MAX_ENTRIES));
            refused.presences.append(&mut more);
        }
        serving.wake.notify_one();
    }

    /// Runs until the peer has wanted nothing for a while, or is lost.
    async fn answer(self: Arc<Self>, peer: PeerId, serving: Arc<Serving>) {
        let mut stream = None;
        loop {
            let (refused, answer) = serving.take();
            let sent = async {
                if !refused.is_empty() {
                    self.send(peer, &mut stream, &refused.encode()).await?;
                }
                self.send_all(peer, &mut stream, answer).await
            };
            let lost = sent.await.is_err();
            if !lost && !serving.is_empty() {
                continue;
            }
            if !lost && timeout(IDLE, serving.wake.notified()).await.is_ok() {
                continue;
            }
            let mut all = lock(&self.serving);
            if lost || serving.is_empty() {
                all.remove(&peer);
                break;
            }
        }
        if let Some(mut stream) = stream {
            let _ = stream.close().await; // nothing more to say either way
        }
    }

    /// Sends an answer message by message, reading the next blocks while the last ones travel.
    async fn send_all(
        self: &Arc<Self>,
        peer: PeerId,
        stream: &mut Option<Stream>,
        answer: Answer,
    ) -> io::Result<()> {
        let mut next = self.build(peer, answer);
        loop {
            let (answer, message) = next.await.map_err(io::Error::other)?;
            let Some((bytes, blocks, size)) = message else {
                return Ok(());
            };
            next = self.build(peer, answer);
            self.send(peer, stream, &bytes).await?;
            let counters = &self.counters;
            counters.blocks_sent.fetch_add(blocks, Ordering::Relaxed);
            counters.bytes_sent.fetch_add(size, Ordering::Relaxed);
        }
    }

    /// Reads blocks and encodes one message on a thread that may block. Returns the message with
    /// its count of blocks and of their bytes.
    #[allow(clippy::type_complexity)]
    fn build(
        self: &Arc<Self>,
        peer: PeerId,
        mut answer: Answer,
    ) -> tokio::task::JoinHandle<(Answer, Option<(Vec<u8>, u64, u64)>)> {
        let engine = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let store = engine.permits(&peer).then_some(&*engine.store);
            let message = answer.next(store).map(|message| {
                let size: usize = message.payload.iter().map(|p| p.data.len()).sum();
                let blocks = message.payload.len() as u64;
                (message.encode(), blocks, size as u64)
            });
            (answer, message)
        })
    }

    /// Writes one message. A stream that the peer has reset is opened anew, once.
    async fn send(
        &self,
        peer: PeerId,
        stream: &mut Option<Stream>,
        bytes: &[u8],
    ) -> io::Result<()> {
        if let Some(open) = stream
            && write(open, bytes).await.is_ok()
        {
            return Ok(());
        }
        *stream = None;
        let opened = timeout(OPEN_TIMEOUT, self.streams.open(peer)).await?;
        let mut open = opened.map_err(io::Error::other)?;
        write(&mut open, bytes).await?;
        *stream = Some(open);
        Ok(())
    }
}

/// Writes a whole message in the time it may take.
pub(crate) async fn write<W>(stream: &mut W, bytes: &[u8]) -> io::Result<()>
where
    W: futures::AsyncWrite + Unpin,
{
    let write = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    timeout(WRITE_TIMEOUT, write).await?
}
