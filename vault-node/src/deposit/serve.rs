//! The node that takes deposits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use iroh::endpoint::{Connection, ReadError, ReadExactError, RecvStream, SendStream, VarInt};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::timeout;
use vault_core::{Ends, PublicKey};

use super::message::{HEADER_LEN, Header, MAX_DEPOSIT_ANSWER, MAX_DEPOSIT_REFUSAL, Word};
use super::{PART, QUEUE};
use crate::exchange::places::{Place, Places};
use crate::exchange::server::{ASK_TIMEOUT, Connections, Slot, WRITE_TIMEOUT, not_served, peer};
use crate::exchange::{Outgoing, code};

/// Most connections at a time, and of one peer.
const MAX_CONNECTIONS: (usize, usize) = (64, 8);
/// Most deposits at a time, and of one peer. Each takes a thread.
const MAX_DEPOSITS: (usize, usize) = (16, 4);
/// How long a body may stand still.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Room for what was sent of bodies and is not taken yet, for a connection with a deposit that may
/// go ahead, in bytes.
const BODY_WINDOW: VarInt = VarInt::from_u32(2 << 20);

/// Decides which deposits a node takes. Called on a thread that may block; at most 16 deposits at
/// a time, and 4 of one peer.
pub trait DepositHandler: Send + Sync {
    /// Decides before a byte of the body is read. `ends` are the two ends as the connection proved
    /// them, `announcement` is at most [`super::MAX_DEPOSIT_ANNOUNCEMENT`] bytes, `len` is the
    /// length of the body.
    ///
    /// # Errors
    /// The refusal that the peer gets, at most [`MAX_DEPOSIT_REFUSAL`] bytes.
    fn announced(
        &self,
        ends: &Ends,
        announcement: &[u8],
        len: u64,
    ) -> Result<Box<dyn DepositSink>, Vec<u8>>;
}

/// Takes the body of one deposit, on one thread that may block. Dropped without
/// [`finish`](Self::finish) when the deposit was broken off.
pub trait DepositSink: Send {
    /// Takes the next part of the body, at most 64 KiB. No more than `len` bytes come in all.
    ///
    /// # Errors
    /// The refusal that ends the deposit, at most [`MAX_DEPOSIT_REFUSAL`] bytes.
    fn write(&mut self, part: &[u8]) -> Result<(), Vec<u8>>;

    /// The whole body has come. Returns the answer, at most [`MAX_DEPOSIT_ANSWER`] bytes. The peer
    /// may be gone before it gets that.
    fn finish(self: Box<Self>) -> Vec<u8>;
}

/// Deposits since the node started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DepositStats {
    /// Deposits that were announced.
    pub announced: u64,
    /// Deposits that came whole and were answered.
    pub taken: u64,
    /// Connections and deposits that found no place, and deposits that were refused.
    pub refused: u64,
    /// Deposits that were broken off.
    pub broken: u64,
}

#[derive(Default)]
struct Counters {
    announced: AtomicU64,
    taken: AtomicU64,
    refused: AtomicU64,
    broken: AtomicU64,
}

/// Takes deposits.
pub(crate) struct DepositServer {
    own: PublicKey,
    pub(crate) handler: Slot<dyn DepositHandler>,
    pub(crate) connections: Arc<Connections>,
    places: Arc<Places>,
    counters: Counters,
}

/// What goes to the thread that takes the body.
enum Part {
    Data(Vec<u8>),
    /// All of it has come. A queue that ends without this is a deposit that was broken off.
    End,
}

/// How a deposit ended.
enum Outcome {
    Taken(Vec<u8>),
    Refused(Vec<u8>),
    Broken,
}

impl DepositServer {
    /// A server for the node whose endpoint id is `own`. It takes nothing until it has a handler.
    pub(crate) fn new(own: PublicKey) -> Arc<Self> {
        Arc::new(Self {
            own,
            handler: Slot::default(),
            connections: Connections::new(MAX_CONNECTIONS.0, MAX_CONNECTIONS.1),
            places: Places::new(MAX_DEPOSITS.0, MAX_DEPOSITS.1),
            counters: Counters::default(),
        })
    }

    pub(crate) fn stats(&self) -> DepositStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DepositStats {
            announced: read(&self.counters.announced),
            taken: read(&self.counters.taken),
            refused: read(&self.counters.refused),
            broken: read(&self.counters.broken),
        }
    }

    /// Serves one connection until it ends.
    pub(crate) async fn serve(
        self: &Arc<Self>,
        connection: Connection,
        newcomer: OwnedSemaphorePermit,
    ) {
        if self.handler.get().is_none() {
            count(&self.counters.refused);
            return not_served(&connection);
        }
        let client = peer(&connection);
        let link = connection.clone();
        let answer = |send, recv| {
            let (server, link) = (Arc::clone(self), link.clone());
            async move { server.exchange(&link, send, recv, client).await }
        };
        if !self.connections.serve(connection, newcomer, answer).await {
            count(&self.counters.refused);
        }
    }

    /// One deposit. `None` when the peer broke the protocol before it was let in; what goes wrong
    /// later ends this deposit and no other.
    async fn exchange(
        &self,
        link: &Connection,
        send: SendStream,
        mut recv: RecvStream,
        client: PublicKey,
    ) -> Option<()> {
        let mut send = Outgoing::new(send, code::BROKEN);
        let (announcement, len) = match timeout(ASK_TIMEOUT, announcement(&mut recv)).await {
            Ok(Ok(announced)) => announced,
            Ok(Err(GivenUp)) => return Some(()),
            Err(_) => return None,
        }?;
        let Some(_under_way) = self.connections.begin() else {
            send.otherwise = code::QUIET; // it was not taken
            return Some(());
        };
        count(&self.counters.announced);
        let Some(place) = self.places.enter(client) else {
            count(&self.counters.refused);
            return say(&mut send, Word::Busy, b"").await;
        };
        let handler = self.handler.get()?;
        let ends = Ends {
            server: self.own,
            client,
        };
        let (go, going) = oneshot::channel();
        let (parts, queue) = mpsc::channel(QUEUE);
        let worker = tokio::task::spawn_blocking(move || {
            match handler.announced(&ends, &announcement, len) {
                Ok(sink) if go.send(()).is_ok() => receive(sink, queue, place),
                Ok(_) => Outcome::Broken,
                Err(refusal) => Outcome::Refused(refusal),
            }
        });
        let whole = match going.await {
            Ok(()) => {
                link.set_receive_window(BODY_WINDOW);
                let told = send.write_all(&[Word::Yes.encode()]).await;
                told.is_ok() && feed(&mut recv, len, &parts).await
            }
            Err(_) => true, // refused; the thread says why
        };
        drop(parts);
        let outcome = worker.await.unwrap_or(Outcome::Broken); // it panicked
        match outcome {
            Outcome::Refused(refusal) if refusal.len() <= MAX_DEPOSIT_REFUSAL => {
                count(&self.counters.refused);
                let _ = recv.stop(VarInt::from_u32(0)); // fails when it has ended by itself
                say(&mut send, Word::No, &refusal).await
            }
            Outcome::Taken(answer) if whole && answer.len() <= MAX_DEPOSIT_ANSWER => {
                count(&self.counters.taken);
                say(&mut send, Word::Yes, &answer).await
            }
            _ => {
                count(&self.counters.broken);
                Some(())
            }
        }
    }
}

/// The peer has given up, or is gone.
struct GivenUp;

/// Reads an announcement and the length of the body; `None` for what is none.
async fn announcement(recv: &mut RecvStream) -> Result<Option<(Vec<u8>, u64)>, GivenUp> {
    let mut header = [0; HEADER_LEN];
    if !read(recv, &mut header).await? {
        return Ok(None);
    }
    let Some(header) = Header::decode(&header) else {
        return Ok(None);
    };
    let mut announcement = vec![0; header.announcement];
    let whole = read(recv, &mut announcement).await?;
    Ok(whole.then_some((announcement, header.body)))
}

/// Fills `into`. Returns whether there was enough.
async fn read(recv: &mut RecvStream, into: &mut [u8]) -> Result<bool, GivenUp> {
    match recv.read_exact(into).await {
        Ok(()) => Ok(true),
        Err(ReadExactError::ReadError(ReadError::Reset(_) | ReadError::ConnectionLost(_))) => {
            Err(GivenUp)
        }
        Err(_) => Ok(false),
    }
}

/// Hands a body on, as fast as it is taken. Returns whether it came whole; also when the thread
/// that takes it has ended, and will say why.
async fn feed(recv: &mut RecvStream, len: u64, parts: &mpsc::Sender<Part>) -> bool {
    let mut left = len;
    let mut buffer = vec![0; PART];
    loop {
        let part = match timeout(STALL_TIMEOUT, recv.read(&mut buffer)).await {
            Ok(Ok(Some(read))) if read as u64 <= left => {
                left -= read as u64;
                Part::Data(buffer.get(..read).unwrap_or_default().to_vec())
            }
            Ok(Ok(None)) if left == 0 => Part::End,
            _ => return false,
        };
        let last = matches!(part, Part::End);
        if parts.send(part).await.is_err() || last {
            return true;
        }
    }
}

/// Takes a body, on a thread that may block.
fn receive(
    mut sink: Box<dyn DepositSink>,
    mut queue: mpsc::Receiver<Part>,
    _place: Place,
) -> Outcome {
    while let Some(part) = queue.blocking_recv() {
        match part {
            Part::Data(data) => {
                if let Err(refusal) = sink.write(&data) {
                    return Outcome::Refused(refusal);
                }
            }
            Part::End => return Outcome::Taken(sink.finish()),
        }
    }
    Outcome::Broken
}

/// The node's last word of a deposit.
async fn say(send: &mut Outgoing, word: Word, message: &[u8]) -> Option<()> {
    let written = async {
        send.write_all(&[word.encode()]).await.ok()?;
        send.write_all(message).await.ok()?;
        send.finish().ok()?;
        send.taken().await
    };
    let _ = timeout(WRITE_TIMEOUT, written).await; // reset if the peer does not take it
    Some(())
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
