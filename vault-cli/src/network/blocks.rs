//! Blocks from the patient's node, and from others when it has none or is silent.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use vault_core::{Block, Cid, Fetcher, NodeAddress, SourceError};
use vault_node::{Node, NodeError};

use super::{Network, PATIENCE};

/// How long the patient's node may take to send a first block before gateways are asked.
const HEAD_START: Duration = Duration::from_millis(1500);

/// Fetches from the patient's node over bitswap, from the gateways, and from whoever a routing
/// server names, in this order. A node that is silent is asked last.
pub(super) struct Everywhere {
    network: Arc<Network>,
    from: NodeAddress,
}

/// What a fetch over bitswap brings, one by one.
enum Brought {
    Block(Block),
    End(Result<(), NodeError>),
}

impl Everywhere {
    pub(super) const fn new(network: Arc<Network>, from: NodeAddress) -> Self {
        Self { network, from }
    }

    /// Starts to fetch in a thread of its own.
    fn start(&self, from: Vec<NodeAddress>, cids: Vec<Cid>) -> Receiver<Brought> {
        let (to, brought) = channel();
        let network = self.network.clone();
        std::thread::spawn(move || {
            let mut take = |block: Block| -> Result<(), Box<dyn Error + Send + Sync>> {
                Ok(to.send(Brought::Block(block))?)
            };
            let fetch = |node: Arc<Node>| node.fetch(&from, &cids, PATIENCE, &mut take);
            let end = network.node().and_then(fetch).map(drop);
            // the caller may have stopped listening
            let _ = to.send(Brought::End(end));
        });
        brought
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
                wanted.take_all(&self.start(from, wanted.missing.clone()));
            }
        }
    }
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
            self.failed = Some(SourceError::Network(error.to_string()));
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
        let mut wanted = Wanted {
            missing: cids.to_vec(),
            found: Vec::with_capacity(cids.len()),
            failed: None,
        };
        let places = &self.network.places;
        let others = !places.gateways.is_empty() || !places.routing.is_empty();
        let mut late = None;
        if others && self.is_silent() {
            self.by_gateways(&mut wanted);
        }
        if !wanted.missing.is_empty() && (!others || !self.from.addrs.is_empty()) {
            let brought = self.start(vec![self.from.clone()], wanted.missing.clone());
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
        self.by_providers(&mut wanted);
        match wanted.failed {
            Some(error) if wanted.found.is_empty() => Err(error),
            _ => Ok(wanted.found),
        }
    }
}
