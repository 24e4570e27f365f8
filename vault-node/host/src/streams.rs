//! Streams for bitswap: a libp2p behaviour that hands every inbound stream on and opens outbound
//! ones.
//!
//! Made here and not with `libp2p-stream`, which drops an inbound stream when another one is still
//! waiting to be picked up, and opens streams on any connection of a peer, the dead ones too.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::future::{Ready, ready};
use libp2p_core::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use rust_ipfs::swarm::derive_prelude::{
    ConnectionDenied, ConnectionHandler, ConnectionId, Endpoint, FromSwarm, Multiaddr,
    NetworkBehaviour, PeerId, PortUse, THandlerOutEvent, ToSwarm,
};
use rust_ipfs::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use rust_ipfs::swarm::{CloseConnection, ConnectionHandlerEvent, NotifyHandler, SubstreamProtocol};
use rust_ipfs::{Stream, StreamProtocol};
use tokio::sync::{mpsc, oneshot};

/// Protocol names, the preferred one first. The message format is the same for both.
const PROTOCOLS: [StreamProtocol; 2] = [
    StreamProtocol::new("/ipfs/bitswap/1.2.0"),
    StreamProtocol::new("/ipfs/bitswap/1.1.0"),
];

/// Why no stream could be opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    /// There is no connection to the peer.
    #[error("not connected")]
    NotConnected,
    /// The peer would not have it.
    #[error("the peer refused the stream: {0}")]
    Refused(String),
}

type Opened = oneshot::Sender<Result<Stream, OpenError>>;

/// What is asked of the swarm from outside.
enum Request {
    Open(PeerId, Opened),
    /// Every connection, or every one but the newest.
    Close(PeerId, Keep),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    None,
    Newest,
}

/// Opens streams from outside the swarm.
#[derive(Clone)]
pub struct Streams {
    requests: mpsc::UnboundedSender<Request>,
    peers: Arc<Mutex<HashMap<PeerId, Vec<ConnectionId>>>>,
}

impl Streams {
    /// Opens a stream on the newest connection to `peer`. Does not dial.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(&self, peer: PeerId) -> Result<Stream, OpenError> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(Request::Open(peer, reply))
            .map_err(|_| OpenError::NotConnected)?;
        answer.await.unwrap_or(Err(OpenError::NotConnected))
    }

    /// Closes all connections to `peer`.
    pub fn close(&self, peer: PeerId) {
        // fails only while the node shuts down, which closes them too
        let _ = self.requests.send(Request::Close(peer, Keep::None));
    }

    /// Closes all connections to `peer` but the newest.
    pub fn close_older(&self, peer: PeerId) {
        let _ = self.requests.send(Request::Close(peer, Keep::Newest)); // as above
    }

    /// Closes all connections to everyone.
    pub fn close_all(&self) {
        let peers: Vec<_> = lock(&self.peers).keys().copied().collect();
        for peer in peers {
            self.close(peer);
        }
    }

    /// Whether there is any connection to `peer`.
    pub fn is_connected(&self, peer: &PeerId) -> bool {
        lock(&self.peers).contains_key(peer)
    }

    /// How many peers are connected.
    pub fn count(&self) -> usize {
        lock(&self.peers).len()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The behaviour to plug into the node.
pub(crate) struct Behaviour {
    inbound: mpsc::UnboundedSender<(PeerId, Stream)>,
    requests: mpsc::UnboundedReceiver<Request>,
    peers: Arc<Mutex<HashMap<PeerId, Vec<ConnectionId>>>>,
    closing: VecDeque<(PeerId, ConnectionId)>,
}

impl Behaviour {
    /// The behaviour, the handle that opens streams, and the inbound streams of all peers.
    pub(crate) fn new() -> (Self, Streams, mpsc::UnboundedReceiver<(PeerId, Stream)>) {
        let (inbound, accepted) = mpsc::unbounded_channel();
        let (sender, requests) = mpsc::unbounded_channel();
        let peers = Arc::default();
        let streams = Streams {
            requests: sender,
            peers: Arc::clone(&peers),
        };
        let behaviour = Self {
            inbound,
            requests,
            peers,
            closing: VecDeque::new(),
        };
        (behaviour, streams, accepted)
    }

    fn handler(&self, peer: PeerId) -> Handler {
        Handler {
            peer,
            inbound: self.inbound.clone(),
            asked: VecDeque::new(),
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => {
                let mut peers = lock(&self.peers);
                let connections = peers.entry(event.peer_id).or_default();
                connections.push(event.connection_id);
            }
            FromSwarm::ConnectionClosed(event) => {
                let mut peers = lock(&self.peers);
                if let Some(connections) = peers.get_mut(&event.peer_id) {
                    connections.retain(|id| *id != event.connection_id);
                    if connections.is_empty() {
                        peers.remove(&event.peer_id);
                    }
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Infallible, Open>> {
        loop {
            if let Some((peer_id, connection)) = self.closing.pop_front() {
                return Poll::Ready(ToSwarm::CloseConnection {
                    peer_id,
                    connection: CloseConnection::One(connection),
                });
            }
            let Poll::Ready(Some(request)) = self.requests.poll_recv(cx) else {
                return Poll::Pending;
            };
            let peers = lock(&self.peers);
            let connections = |peer| peers.get(peer).map_or(&[][..], Vec::as_slice);
            match request {
                Request::Close(peer, keep) => {
                    let all = connections(&peer);
                    let kept = usize::from(keep == Keep::Newest).min(all.len());
                    let close = all[..all.len() - kept].iter();
                    self.closing.extend(close.map(|id| (peer, *id)));
                }
                Request::Open(peer_id, reply) => match connections(&peer_id).last() {
                    Some(newest) => {
                        return Poll::Ready(ToSwarm::NotifyHandler {
                            peer_id,
                            handler: NotifyHandler::One(*newest),
                            event: Open(reply),
                        });
                    }
                    // the asker may have given up
                    None => drop(reply.send(Err(OpenError::NotConnected))),
                },
            }
        }
    }
}

/// Asks a connection to open a stream.
#[derive(Debug)]
pub(crate) struct Open(Opened);

/// The part of the behaviour that lives with one connection.
pub(crate) struct Handler {
    peer: PeerId,
    inbound: mpsc::UnboundedSender<(PeerId, Stream)>,
    asked: VecDeque<Opened>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = Infallible;
    type InboundProtocol = Upgrade;
    type OutboundProtocol = Upgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Opened;

    fn listen_protocol(&self) -> SubstreamProtocol<Upgrade> {
        SubstreamProtocol::new(Upgrade, ())
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Upgrade, Opened, Infallible>> {
        match self.asked.pop_front() {
            Some(reply) => Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(Upgrade, reply),
            }),
            None => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, Open(reply): Open) {
        self.asked.push_back(reply);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Upgrade, Upgrade, (), Opened>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol, ..
            }) => {
                // fails only while the node shuts down
                let _ = self.inbound.send((self.peer, protocol));
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol,
                info,
            }) => drop(info.send(Ok(protocol))),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                drop(info.send(Err(OpenError::Refused(error.to_string()))));
            }
            _ => {}
        }
    }
}

/// Negotiates one of [`PROTOCOLS`] and keeps the bare stream.
pub(crate) struct Upgrade;

impl UpgradeInfo for Upgrade {
    type Info = StreamProtocol;
    type InfoIter = std::array::IntoIter<StreamProtocol, 2>;

    fn protocol_info(&self) -> Self::InfoIter {
        PROTOCOLS.into_iter()
    }
}

impl InboundUpgrade<Stream> for Upgrade {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}

impl OutboundUpgrade<Stream> for Upgrade {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}
