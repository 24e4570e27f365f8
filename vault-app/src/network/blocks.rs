//! Blocks from the patient's node, and from others when it has none or is silent.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use vault_core::{Block, Cid, Fetcher, Following, NodeAddress, PublicKey, SourceError};
use vault_node::{BlockSink, NodeError};

use super::patient_node::PatientNode;
use super::{Network, PATIENCE};

/// How long the patient's node may take to send a first block before gateways are asked.
const HEAD_START: Duration = Duration::from_millis(1500);

/// Fetches from the patient's node, from the gateways, and from whoever the DHT or a routing server
/// names, in this order. A node that is silent is asked after those that are known to answer.
pub(super) struct Everywhere {
    network: Arc<Network>,
    node: Arc<PatientNode>,
    /// The key of the vault's IPNS name, if the ticket gave it.
    name: Option<PublicKey>,
}

/// What a fetch brings, one by one.
enum Brought {
    Block(Block),
    End(Result<(), NodeError>),
}

impl Everywhere {
    pub(super) fn new(network: Arc<Network>, following: &Following) -> Self {
        let (address, vault) = (following.node().clone(), following.vault());
        Self {
            node: Arc::new(PatientNode::new(network.clone(), address, vault)),
            network,
            name: following.ipns().copied(),
        }
    }

    /// Starts to ask the patient's node, in a thread of its own.
    fn ask_node(&self, cids: Vec<Cid>) -> Receiver<Brought> {
        let node = self.node.clone();
        start(move |take| node.fetch(&cids, take))
    }

    /// Starts to ask others over bitswap, in a thread of its own.
    fn ask_others(&self, from: Vec<NodeAddress>, cids: Vec<Cid>) -> Receiver<Brought> {
        let network = self.network.clone();
        start(move |take| {
            let node = network.node()?;
            node.fetch(&from, &cids, PATIENCE, take).map(drop)
        })
    }

    fn is_silent(&self) -> bool {
        self.network.silent.load(Ordering::Relaxed)
    }

    fn by_gateways(&self, wanted: &mut Wanted) {
        let gateways = &self.network.places.gateways;
        if !gateways.is_empty() && !wanted.missing.is_empty() {
            match gateways.fetch(&wanted.missing) {
                Ok(blocks) => blocks.into_iter().for_each(|block| wanted.take(block)),
                Err(error) => wanted.failed = Some(error),
            }
        }
    }

    /// Asks those whom the DHT led to when it was asked for the head.
    fn by_known_in_dht(&self, wanted: &mut Wanted) {
        let known = self.name.and_then(|name| self.network.known_in_dht(&name));
        if let Some(found) = known.filter(|_| !wanted.missing.is_empty()) {
            wanted.take_all(&self.ask_others(found.providers.clone(), wanted.missing.clone()));
        }
    }

    /// Follows the vault's name in the DHT.
    fn by_dht(&self, wanted: &mut Wanted) {
        let Some(name) = self.name.filter(|_| !wanted.missing.is_empty()) else {
            return;
        };
        // whom it led to before has been asked already
        if self.network.known_in_dht(&name).is_none()
            && let Ok(Some(_)) = self.network.in_dht(&name)
        {
            self.by_known_in_dht(wanted);
        }
    }

    /// Asks those who say to have what is still missing.
    fn by_providers(&self, wanted: &mut Wanted) {
        for routing in &self.network.places.routing {
            let Some(first) = wanted.missing.first() else {
                return;
            };
            let Ok(providers) = routing.providers(first) else {
                continue;
            };
            let address = |provider: vault_http::routing::Provider| NodeAddress {
                peer: provider.peer,
                addrs: provider.addrs,
                endpoint: provider.peer,
                endpoint_addrs: Vec::new(),
                relays: Vec::new(),
            };
            let from: Vec<_> = providers.into_iter().map(address).collect();
            if !from.is_empty() {
                wanted.take_all(&self.ask_others(from, wanted.missing.clone()));
            }
        }
    }
}

/// Fetches in a thread of its own.
fn start(
    fetch: impl FnOnce(&mut BlockSink<'_>) -> Result<(), NodeError> + Send + 'static,
) -> Receiver<Brought> {
    let (to, brought) = channel();
    std::thread::spawn(move || {
        let end = fetch(&mut |block| Ok(to.send(Brought::Block(block))?));
        // the caller may have stopped listening
        let _ = to.send(Brought::End(end));
    });
    brought
}

/// What is asked for, and what of it has come.
struct Wanted {
    missing: Vec<Cid>,
    found: Vec<Block>,
    failed: Option<SourceError>,
}

impl Wanted {
    fn take(&mut self, block: Block) {
        let before = self.missing.len();
        self.missing.retain(|cid| *cid != block.cid());
        if self.missing.len() < before {
            self.found.push(block);
        }
    }

    fn end(&mut self, end: Result<(), NodeError>) {
        if let Err(error) = end {
            self.failed = Some(match error {
                NodeError::Refused { .. } => SourceError::Refused(error.to_string()),
                _ => SourceError::Network(error.to_string()),
            });
        }
    }

    /// Takes everything that comes until the fetch has ended.
    fn take_all(&mut self, from: &Receiver<Brought>) {
        for brought in from.iter() {
            match brought {
                Brought::Block(block) => self.take(block),
                Brought::End(end) => self.end(end),
            }
        }
    }
}

impl Fetcher for Everywhere {
    fn fetch(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError> {
        if self.network.has_ended() {
            let what = "the network is not used any more";
            return Err(SourceError::Network(what.to_owned()));
        }
        let mut wanted = Wanted {
            missing: cids.to_vec(),
            found: Vec::with_capacity(cids.len()),
            failed: None,
        };
        let places = &self.network.places;
        let others =
            !places.gateways.is_empty() || !places.routing.is_empty() || places.dht.is_some();
        let mut late = None;
        if others && self.is_silent() {
            self.by_known_in_dht(&mut wanted);
            self.by_gateways(&mut wanted);
        }
        if !wanted.missing.is_empty() && (!others || self.node.is_known()) {
            let brought = self.ask_node(wanted.missing.clone());
            let patience = if others { HEAD_START } else { 2 * PATIENCE };
            match brought.recv_timeout(patience) {
                Ok(Brought::Block(block)) => {
                    wanted.take(block);
                    wanted.take_all(&brought);
                }
                Ok(Brought::End(end)) => {
                    self.network.silent.store(end.is_err(), Ordering::Relaxed);
                    wanted.end(end);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.network.silent.store(true, Ordering::Relaxed);
                    late = Some(brought);
                }
                Err(RecvTimeoutError::Disconnected) => {}
            }
        }
        self.by_gateways(&mut wanted);
        if let Some(brought) = late.filter(|_| !wanted.missing.is_empty()) {
            wanted.take_all(&brought);
        }
        self.by_dht(&mut wanted);
        self.by_providers(&mut wanted);
        match wanted.failed {
            Some(error) if wanted.found.is_empty() => Err(error),
            _ => Ok(wanted.found),
        }
    }
}
