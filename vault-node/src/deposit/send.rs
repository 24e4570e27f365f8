//! The sending side of deposits.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::Duration;

use iroh::endpoint::{Connection, RecvStream, WriteError};
use tokio::sync::mpsc;
use tokio::time::timeout;
use vault_core::{Ends, NodeAddress};

use super::message::{
    Header, MAX_DEPOSIT_ANNOUNCEMENT, MAX_DEPOSIT_ANSWER, MAX_DEPOSIT_REFUSAL, Word,
};
use super::serve::DepositHandler;
use super::{ALPN, PART, QUEUE};
use crate::error::NodeError;
use crate::exchange::Outgoing;
use crate::exchange::client::{Asked, Failure, protocol};
use crate::node::Node;

/// Bytes that leave a connection on which nothing but its upkeep is sent, at most, within a
/// timeout of the usual lengths.
const UPKEEP: u64 = 16 << 10;

/// How a node answered a deposit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DepositAnswer {
    /// It does not take it, and says why: at most [`MAX_DEPOSIT_REFUSAL`] bytes.
    Refused(Vec<u8>),
    /// It has taken all of it: at most [`MAX_DEPOSIT_ANSWER`] bytes, a receipt for example.
    Answered(Vec<u8>),
}

enum Event {
    /// The node wants the body.
    Go,
    Done(Result<DepositAnswer, NodeError>),
}

impl Node {
    /// Takes deposits as `handler` decides, from now on. Until then the node closes connections
    /// for them.
    pub fn set_deposits(&self, handler: Arc<dyn DepositHandler>) {
        self.services().deposits.handler.set(handler);
    }

    /// Brings `len` bytes of `body` to the node at `to`, with an announcement of at most
    /// [`MAX_DEPOSIT_ANNOUNCEMENT`] bytes made for the connection between the two ends. Reads
    /// `body` on this thread and only when the node wants it, as fast as the node takes it: about
    /// 3 MiB of it are under way at most.
    ///
    /// `timeout` is how long the node may stay silent, or take nothing.
    ///
    /// # Errors
    /// [`NodeError::TooLong`]; [`NodeError::Source`] when `body` cannot be read or is shorter than
    /// `len`; [`NodeError::Address`]; [`NodeError::Unreachable`]; [`NodeError::Timeout`];
    /// [`NodeError::NotServed`] when the node takes no deposits; [`NodeError::Refused`] when it has
    /// no room at the moment; [`NodeError::Protocol`] when it breaks the deposit off. After
    /// [`NodeError::Unreachable`] and [`NodeError::Timeout`] the node may have taken all of it.
    pub fn send_deposit(
        &self,
        to: &NodeAddress,
        announcement: &dyn Fn(&Ends) -> Vec<u8>,
        body: &mut dyn Read,
        len: u64,
        timeout: Duration,
    ) -> Result<DepositAnswer, NodeError> {
        let announcement = announcement(&Ends {
            server: to.endpoint,
            client: self.endpoint_id(),
        });
        if announcement.len() > MAX_DEPOSIT_ANNOUNCEMENT {
            return Err(NodeError::TooLong {
                len: announcement.len(),
                max: MAX_DEPOSIT_ANNOUNCEMENT,
            });
        }
        let header = Header {
            body: len,
            announcement: announcement.len(),
        };
        let sending = Sending {
            asked: Asked::new(self.endpoint(), self.kept(), to, ALPN)?,
            begin: [header.encode(), announcement].concat(),
            len,
            limit: timeout,
        };
        let (parts, queue) = mpsc::channel(QUEUE);
        let (events, happened) = std::sync::mpsc::channel();
        self.spawn(async move {
            let done = sending.run(queue, &events).await;
            if matches!(&done, Err(error) if !matches!(error, NodeError::Refused { .. })) {
                sending.asked.forget();
            }
            let _ = events.send(Event::Done(done)); // the caller may have failed to read
        })?;
        let mut parts = Some(parts);
        loop {
            match happened.recv().map_err(|_| NodeError::Stopped)? {
                Event::Go => {
                    let read = parts.take().map(|parts| pump(body, len, &parts));
                    read.transpose().map_err(NodeError::Source)?;
                }
                Event::Done(done) => return done,
            }
        }
    }
}

/// Reads a body for as long as it is wanted.
fn pump(body: &mut dyn Read, len: u64, parts: &mpsc::Sender<Vec<u8>>) -> std::io::Result<()> {
    let mut left = len;
    while left > 0 {
        let most = left.min(PART as u64);
        let mut part = Vec::with_capacity(most as usize);
        Read::take(&mut *body, most).read_to_end(&mut part)?;
        if (part.len() as u64) < most {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        left -= most;
        if parts.blocking_send(part).is_err() {
            return Ok(()); // it ended; the event says how
        }
    }
    Ok(())
}

/// One deposit, on the node's runtime.
struct Sending {
    asked: Asked,
    begin: Vec<u8>,
    len: u64,
    /// How long the node may stay silent.
    limit: Duration,
}

/// A deposit that was announced, and the node's first word.
struct Announced {
    link: Connection,
    send: Outgoing,
    recv: RecvStream,
    word: Word,
}

impl Sending {
    async fn run(
        &self,
        parts: mpsc::Receiver<Vec<u8>>,
        events: &std::sync::mpsc::Sender<Event>,
    ) -> Result<DepositAnswer, NodeError> {
        let mut announced = match self.announce().await {
            Err(failure) if failure.unheard => {
                self.asked.forget();
                self.announce().await
            }
            other => other,
        }?;
        if announced.word == Word::Yes {
            let _ = events.send(Event::Go); // the caller is waiting for it
            self.body(&mut announced, parts).await?;
            announced.word = self.word(&announced.link, &mut announced.recv).await?;
        }
        let Announced {
            link,
            mut recv,
            word,
            send: _send,
        } = announced;
        let most = match word {
            Word::Yes => MAX_DEPOSIT_ANSWER,
            Word::No => MAX_DEPOSIT_REFUSAL,
            Word::Busy => return Err(self.asked.busy()),
        };
        let message = self.within(recv.read_to_end(most)).await?;
        let message = message.map_err(|error| self.asked.read_to_end(&link, &error).error)?;
        Ok(match word {
            Word::Yes => DepositAnswer::Answered(message),
            Word::No | Word::Busy => DepositAnswer::Refused(message),
        })
    }

    async fn announce(&self) -> Result<Announced, Failure> {
        let (link, mut send, mut recv) = self.within(self.asked.open()).await??;
        let written = self.within(send.write_all(&self.begin)).await?;
        written.map_err(|error| self.asked.wrote(&link, &error))?;
        let word = self.word(&link, &mut recv).await?;
        Ok(Announced {
            link,
            send,
            recv,
            word,
        })
    }

    async fn word(&self, link: &Connection, recv: &mut RecvStream) -> Result<Word, Failure> {
        let mut byte = [0];
        let read = self.within(recv.read_exact(&mut byte)).await?;
        read.map_err(|error| self.asked.read_exact(link, &error))?;
        let word = Word::decode(byte[0]);
        word.ok_or_else(|| protocol("unknown answer to a deposit").into())
    }

    /// Sends the body. Returns also when the node wants no more of it, and will say why.
    async fn body(
        &self,
        to: &mut Announced,
        mut parts: mpsc::Receiver<Vec<u8>>,
    ) -> Result<(), NodeError> {
        let mut left = self.len;
        while left > 0 {
            let Some(part) = parts.recv().await else {
                return Err(NodeError::Source(ErrorKind::UnexpectedEof.into()));
            };
            left = left.saturating_sub(part.len() as u64);
            let mut rest = &part[..];
            while !rest.is_empty() {
                match self.within(to.send.write(rest)).await? {
                    Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                    Err(WriteError::Stopped(_)) => return Ok(()),
                    Err(error) => return Err(self.asked.wrote(&to.link, &error).error),
                }
            }
        }
        if let Err(error) = to.send.finish()
            && !matches!(error, WriteError::Stopped(_))
        {
            return Err(self.asked.wrote(&to.link, &error).error);
        }
        // what was written is still on its way: a slow line is not a silent node
        let mut before = to.link.stats().udp_tx.bytes;
        while timeout(self.limit, to.send.taken()).await.is_err() {
            let now = to.link.stats().udp_tx.bytes;
            if now - before < UPKEEP {
                return Err(self.asked.timed_out(self.limit));
            }
            before = now;
        }
        Ok(())
    }

    async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T, NodeError> {
        let done = timeout(self.limit, work).await;
        done.map_err(|_| self.asked.timed_out(self.limit))
    }
}
