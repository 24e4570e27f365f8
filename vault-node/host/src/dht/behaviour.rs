//! libp2p-kad, with our rules around it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p_core::Endpoint;
use libp2p_core::transport::PortUse;
use libp2p_kad::store::MemoryStore;
use libp2p_kad::{
    Behaviour as Kademlia, Caching, Config as KadConfig, Event, GetProvidersOk, GetRecordOk,
    InboundRequest, Mode, PutRecordError, QueryId, QueryResult, Quorum, Record, StoreInserts,
};
use rust_ipfs::swarm::behaviour::NewExternalAddrOfPeer;
use rust_ipfs::swarm::{
    ConnectionDenied, ExternalAddresses, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use rust_ipfs::{ConnectionId, Multiaddr, PeerId, StreamProtocol};
use tokio::sync::mpsc;

use super::accepted::{Accepted, store};
use super::addresses::Told;
use super::{Answers, Command, Config, Dht, Error, Network, Provider, Reach, Reply, Role};

/// How long records of values and of providers are good for (IPFS Kademlia specification).
const EXPIRE_AFTER: Duration = Duration::from_secs(48 * 3600);
/// How often what is provided is announced again (same specification).
const PROVIDE_EVERY: Duration = Duration::from_secs(22 * 3600);
/// Longest time for one question or announcement.
const QUERY_TIMEOUT: Duration = Duration::from_secs(60);

/// The behaviour to plug into the node.
pub(crate) struct Behaviour {
    kad: Kademlia<MemoryStore>,
    reach: Reach,
    accepted: Accepted,
    told: Told,
    own: ExternalAddresses,
    commands: mpsc::UnboundedReceiver<Command>,
    waiting: HashMap<QueryId, Waiting>,
}

/// Who waits for the end of a query.
enum Waiting {
    Put(Reply<usize>),
    Get(Answers<Vec<u8>>),
    Provide(Reply<usize>),
    Providers(Answers<Provider>),
}

impl Behaviour {
    /// The behaviour, and the handle that asks it.
    pub(crate) fn new(peer: PeerId, config: Config) -> (Self, Dht) {
        let protocol = match config.network {
            Network::Public => StreamProtocol::new("/ipfs/kad/1.0.0"),
            Network::Lan => StreamProtocol::new("/ipfs/lan/kad/1.0.0"),
        };
        let mut settings = KadConfig::new(protocol);
        settings
            .set_record_filtering(StoreInserts::FilterBoth)
            .set_record_ttl(Some(EXPIRE_AFTER))
            .set_provider_record_ttl(Some(EXPIRE_AFTER))
            .set_provider_publication_interval(Some(PROVIDE_EVERY))
            // who published a record publishes it again, signed anew; nobody else does
            .set_publication_interval(None)
            .set_replication_interval(None)
            .set_caching(Caching::Disabled)
            .set_query_timeout(QUERY_TIMEOUT);
        let mut kad = Kademlia::with_config(peer, store(peer), settings);
        kad.set_mode(Some(match config.role {
            Role::Client => Mode::Client,
            Role::Server => Mode::Server,
        }));
        for (peer, addr) in config.bootstrap {
            kad.add_address(&peer, addr);
        }
        let (sender, commands) = mpsc::unbounded_channel();
        let reach = Reach(config.network);
        let behaviour = Self {
            kad,
            reach,
            accepted: Accepted::new(reach, config.rules),
            told: Told::default(),
            own: ExternalAddresses::default(),
            commands,
            waiting: HashMap::new(),
        };
        (behaviour, Dht { commands: sender })
    }

    fn command(&mut self, command: Command) {
        let alone = self.kad.kbuckets().next().is_none();
        match command {
            Command::StopProviding(key) => self.kad.stop_providing(&key),
            // whoever asked may have given up, here and below
            Command::Put(.., reply) | Command::Provide(_, reply) if alone => {
                let _ = reply.send(Err(Error::NoPeers));
            }
            Command::Get(_, answers) if alone => drop(answers.try_send(Err(Error::NoPeers))),
            Command::Providers(_, answers) if alone => {
                drop(answers.try_send(Err(Error::NoPeers)));
            }
            Command::Put(key, value, reply) => {
                match self.kad.put_record(Record::new(key, value), Quorum::All) {
                    Ok(query) => drop(self.waiting.insert(query, Waiting::Put(reply))),
                    Err(_) => drop(reply.send(Err(Error::Full))),
                }
            }
            Command::Provide(_, reply) if self.own.as_slice().is_empty() => {
                let _ = reply.send(Err(Error::NoAddress));
            }
            Command::Provide(key, reply) => match self.kad.start_providing(key) {
                Ok(query) => drop(self.waiting.insert(query, Waiting::Provide(reply))),
                Err(_) => drop(reply.send(Err(Error::Full))),
            },
            Command::Get(key, answers) => {
                let query = self.kad.get_record(key);
                self.waiting.insert(query, Waiting::Get(answers));
            }
            Command::Providers(key, answers) => {
                let query = self.kad.get_providers(key);
                self.waiting.insert(query, Waiting::Providers(answers));
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::InboundRequest {
                request:
                    InboundRequest::PutRecord {
                        record: Some(record),
                        ..
                    },
            } => self.accepted.record(self.kad.store_mut(), record),
            Event::InboundRequest {
                request:
                    InboundRequest::AddProvider {
                        record: Some(record),
                    },
            } => self.accepted.provider(self.kad.store_mut(), record),
            // a server that dialled us: only it can tell where it listens
            Event::UnroutablePeer { peer } => {
                for addr in self.told.server(peer) {
                    self.kad.add_address(&peer, addr);
                }
            }
            Event::OutboundQueryProgressed {
                id,
                result,
                stats,
                step,
            } => {
                self.progress(id, result, stats.num_successes() as usize);
                if step.last {
                    self.waiting.remove(&id);
                }
            }
            _ => {}
        }
    }

    fn progress(&mut self, id: QueryId, result: QueryResult, reached: usize) {
        match result {
            QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(found))) => {
                if let Some(Waiting::Get(answers)) = self.waiting.get(&id)
                    && answers.try_send(Ok(found.record.value)).is_err()
                {
                    self.finish(id); // enough, or nobody waits any more
                }
            }
            QueryResult::GetProviders(Ok(GetProvidersOk::FoundProviders { providers, .. })) => {
                for peer in providers {
                    let addrs = self.reach.fitting(self.addresses(peer));
                    let provider = Provider { peer, addrs };
                    if let Some(Waiting::Providers(answers)) = self.waiting.get(&id)
                        && answers.try_send(Ok(provider)).is_err()
                    {
                        self.finish(id);
                    }
                }
            }
            QueryResult::PutRecord(result) => {
                let took = match result {
                    // as many as the specification wants
                    Ok(_) => libp2p_kad::K_VALUE.get(),
                    Err(
                        PutRecordError::QuorumFailed { success, .. }
                        | PutRecordError::Timeout { success, .. },
                    ) => success.len(),
                };
                if let Some(Waiting::Put(reply)) = self.waiting.remove(&id) {
                    let _ = reply.send(some(took));
                }
            }
            QueryResult::StartProviding(result) => {
                if let Some(Waiting::Provide(reply)) = self.waiting.remove(&id) {
                    let _ = reply.send(match result {
                        Ok(_) => some(reached),
                        Err(_) => Err(Error::Timeout),
                    });
                }
            }
            _ => {}
        }
    }

    /// Ends a query before its time; its last event removes who waits.
    fn finish(&mut self, id: QueryId) {
        if let Some(mut query) = self.kad.query_mut(&id) {
            query.finish();
        }
    }

    /// Where a peer is, as the routing table and the queries under way have it.
    fn addresses(&mut self, peer: PeerId) -> Vec<Multiaddr> {
        // the one question that leads to what the answers of a query said; it changes nothing
        let unused = ConnectionId::new_unchecked(0);
        let known =
            self.kad
                .handle_pending_outbound_connection(unused, Some(peer), &[], Endpoint::Dialer);
        let mut addrs = Vec::new();
        let bare = |addr: Multiaddr| {
            addr.into_iter()
                .filter(|part| !matches!(part, rust_ipfs::Protocol::P2p(_)))
                .collect()
        };
        let known = known.unwrap_or_default().into_iter().map(bare);
        super::addresses::merge(&mut addrs, known.collect());
        addrs
    }
}

fn some(reached: usize) -> Result<usize, Error> {
    match reached {
        0 => Err(Error::Refused),
        reached => Ok(reached),
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = <Kademlia<MemoryStore> as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let kad = &mut self.kad;
        kad.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        addr: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let kad = &mut self.kad;
        kad.handle_established_outbound_connection(connection, peer, addr, role, port)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addrs: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let kad = &mut self.kad;
        let known = kad.handle_pending_outbound_connection(connection, peer, addrs, role)?;
        Ok(self.reach.fitting(known))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.own.on_swarm_event(&event);
        if let FromSwarm::NewExternalAddrOfPeer(NewExternalAddrOfPeer { peer_id, addr }) = event
            && self.reach.fits(addr)
            && self.told.address(peer_id, addr)
        {
            self.kad.add_address(&peer_id, addr.clone());
        }
        self.kad.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let kad = &mut self.kad;
        kad.on_connection_handler_event(peer, connection, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        loop {
            match self.kad.poll(cx) {
                Poll::Ready(ToSwarm::GenerateEvent(event)) => self.event(event),
                Poll::Ready(ToSwarm::Dial { opts }) => return Poll::Ready(ToSwarm::Dial { opts }),
                Poll::Ready(ToSwarm::NotifyHandler {
                    peer_id,
                    handler,
                    event,
                }) => {
                    return Poll::Ready(ToSwarm::NotifyHandler {
                        peer_id,
                        handler,
                        event,
                    });
                }
                // hints about others' addresses: nobody else in this node wants them
                Poll::Ready(_) => {}
                Poll::Pending => match self.commands.poll_recv(cx) {
                    Poll::Ready(Some(command)) => self.command(command),
                    Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                },
            }
        }
    }
}
