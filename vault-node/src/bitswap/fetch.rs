//! Drives a session: the calling thread waits, links to peers run on the node's runtime.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use futures::AsyncReadExt;
use rust_ipfs::{Ipfs, PeerId, Stream};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use vault_core::{Cid, NodeAddress};

use super::client::{Action, Session};
use super::engine::{Engine, Event};
use super::message::{Message, Want};
use super::responder::write;
use crate::address::peer_id;
use crate::block::{BlockSink, FetchReport};
use crate::error::NodeError;
use crate::ipfs::dial::{dial, peer};

/// Longest wait for a stream on a connection that was there before, which may be dead.
const OPEN_TIMEOUT: Duration = Duration::from_secs(2);

/// What a fetch needs of the node.
pub(crate) struct Network<'a> {
    pub(crate) engine: &'a Arc<Engine>,
    pub(crate) ipfs: &'a Ipfs,
    pub(crate) runtime: &'a Handle,
}

struct Remote {
    address: NodeAddress,
    id: PeerId,
    link: u64,
    messages: Option<UnboundedSender<Message>>,
}

struct Run<'a> {
    network: Network<'a>,
    id: u64,
    session: Session,
    remotes: Vec<Remote>,
    sender: mpsc::Sender<Event>,
    timeout: Duration,
    reason: Option<String>,
}

/// Fetches `cids`, each once, from whichever of `from` has it.
///
/// # Errors
/// A bad address, no peer reached at all, or `on_block` failing. A block that cannot be had is no
/// error but is listed in the report.
pub(crate) fn fetch(
    network: Network<'_>,
    from: &[NodeAddress],
    cids: &[Cid],
    timeout: Duration,
    on_block: &mut BlockSink<'_>,
) -> Result<FetchReport, NodeError> {
    static SESSIONS: AtomicU64 = AtomicU64::new(0);
    let mut remotes = Vec::new();
    for address in from.iter().take(Session::MAX_PEERS) {
        let id = peer(address)?;
        dial(address, false)?;
        if remotes.iter().all(|known: &Remote| known.id != id) {
            remotes.push(Remote {
                address: address.clone(),
                id,
                link: 0,
                messages: None,
            });
        }
    }
    if remotes.is_empty() {
        return Err(NodeError::Address("none given".into()));
    }
    let (sender, events) = mpsc::channel();
    let mut run = Run {
        network,
        id: SESSIONS.fetch_add(1, Ordering::Relaxed),
        session: Session::new(cids, remotes.len(), timeout, Instant::now()),
        remotes,
        sender,
        timeout,
        reason: None,
    };
    let mut report = FetchReport::default();
    let outcome = run.drive(&events, &mut report, on_block);
    run.end();
    outcome?;
    let reached = run.session.reached_any();
    report.missing = run.session.into_missing();
    if reached || report.missing.is_empty() {
        return Ok(report);
    }
    let peer = peer_id(&run.remotes.swap_remove(0).address)?;
    Err(match run.reason {
        Some(reason) => NodeError::Unreachable { peer, reason },
        None => NodeError::Timeout {
            peer,
            after: timeout,
        },
    })
}

impl Run<'_> {
    fn drive(
        &mut self,
        events: &mpsc::Receiver<Event>,
        report: &mut FetchReport,
        on_block: &mut BlockSink<'_>,
    ) -> Result<(), NodeError> {
        while !self.session.is_done() {
            while let Some(action) = self.session.poll(Instant::now()) {
                self.act(action);
            }
            let event = match events.try_recv() {
                Ok(event) => Some(event),
                Err(_) => {
                    self.session.tick(Instant::now());
                    let wait = self.session.deadline().map_or(Duration::ZERO, |deadline| {
                        deadline.saturating_duration_since(Instant::now())
                    });
                    events.recv_timeout(wait).ok()
                }
            };
            match event {
                Some(Event::Block { peer, block }) => {
                    if self.session.block(peer, &block.cid(), Instant::now()) {
                        report.blocks += 1;
                        report.bytes += block.data().len() as u64;
                        on_block(block).map_err(NodeError::Sink)?;
                    }
                }
                Some(Event::DontHave { peer, cid }) => {
                    self.session.dont_have(peer, &cid, Instant::now());
                }
                Some(Event::Connected { peer, link }) if self.remotes[peer].link == link => {
                    self.session.connected(peer, Instant::now());
                }
                Some(Event::Lost { peer, link, reason }) if self.remotes[peer].link == link => {
                    self.reason = Some(reason);
                    self.session.lost(peer, Instant::now());
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Connect { peer, fresh, pause } => {
                let remote = &mut self.remotes[peer];
                remote.link += 1;
                let (messages, queue) = unbounded_channel();
                remote.messages = Some(messages); // dropping the old one ends the old link
                let link = Link {
                    engine: Arc::clone(self.network.engine),
                    ipfs: self.network.ipfs.clone(),
                    address: remote.address.clone(),
                    id: remote.id,
                    fresh,
                    timeout: self.timeout,
                };
                let (events, number) = (self.sender.clone(), remote.link);
                self.network.runtime.spawn(async move {
                    tokio::time::sleep(pause).await;
                    let connected = || {
                        let link = number;
                        let _ = events.send(Event::Connected { peer, link });
                    };
                    if let Err(reason) = link.run(queue, connected).await {
                        let link = number;
                        let _ = events.send(Event::Lost { peer, link, reason });
                    }
                });
            }
            Action::Want { peer, cids } => {
                let remote = &self.remotes[peer];
                let router = &self.network.engine.router;
                router.expect(remote.id, &cids, (self.id, peer), &self.sender);
                if let Some(messages) = &remote.messages {
                    if remote.link > 1 {
                        // helia thinks it has sent what was lost with the connection, and for
                        // five seconds passes over a want that it knows
                        let cancels = cids.iter().map(Want::cancel).collect();
                        let _ = messages.send(Message::of_wants(cancels)); // as below
                    }
                    let wants = cids.iter().map(Want::block).collect();
                    // when the link is gone it says so itself
                    let _ = messages.send(Message::of_wants(wants));
                }
            }
        }
    }

    /// Stops expecting blocks, and tells peers about those they need not send any more.
    fn end(&mut self) {
        for (id, cids) in self.network.engine.router.forget(self.id) {
            let remote = self.remotes.iter().find(|remote| remote.id == id);
            if let Some(messages) = remote.and_then(|remote| remote.messages.as_ref()) {
                let wants = cids.iter().map(Want::cancel).collect();
                let _ = messages.send(Message::of_wants(wants));
            }
        }
    }
}

/// The way to one peer, for one session: a stream of its own.
struct Link {
    engine: Arc<Engine>,
    ipfs: Ipfs,
    address: NodeAddress,
    id: PeerId,
    fresh: bool,
    timeout: Duration,
}

impl Link {
    /// Connects, then sends what is queued until the session lets go. The error says how the peer
    /// was lost.
    async fn run(
        self,
        mut queue: UnboundedReceiver<Message>,
        connected: impl FnOnce(),
    ) -> Result<(), String> {
        let stream = tokio::time::timeout(self.timeout, self.connect())
            .await
            .map_err(|_| format!("no connection within {:?}", self.timeout))??;
        connected();
        let (mut reader, mut writer) = stream.split();
        let mut byte = [0];
        let mut ended = false;
        loop {
            tokio::select! {
                message = queue.recv() => match message {
                    Some(message) => write(&mut writer, &message.encode())
                        .await
                        .map_err(|error| error.to_string())?,
                    None => break,
                },
                // nothing is ever said on this stream; an error shows that the peer is gone, and
                // an end that it closed its half, or under yamux that it reset the stream: an
                // empty message finds out which
                read = reader.read(&mut byte), if !ended => match read {
                    Ok(0) => {
                        ended = true;
                        write(&mut writer, &Message::default().encode())
                            .await
                            .map_err(|error| error.to_string())?;
                    }
                    Ok(_) => return Err("unexpected bytes on our stream".into()),
                    Err(error) => return Err(error.to_string()),
                },
            }
        }
        let _ = futures::AsyncWriteExt::close(&mut writer).await; // nothing depends on it
        Ok(())
    }

    /// Opens a stream, on an existing connection if it still answers. One that does not is closed.
    async fn connect(&self) -> Result<Stream, String> {
        let streams = &self.engine.streams;
        let known = streams.is_connected(&self.id);
        if known && !self.fresh {
            let limit = OPEN_TIMEOUT.min(self.timeout / 4);
            let open = tokio::time::timeout(limit, streams.open(self.id));
            if let Ok(Ok(stream)) = open.await {
                return Ok(stream);
            }
        }
        let dial = dial(&self.address, known).map_err(|e| e.to_string())?;
        match self.ipfs.connect(dial).await {
            Ok(_) if known => streams.close_older(self.id),
            Ok(_) => {}
            // another session may have been faster
            Err(_) if !known && streams.is_connected(&self.id) => {}
            Err(error) => return Err(error.to_string()),
        }
        streams.open(self.id).await.map_err(|e| e.to_string())
    }
}
