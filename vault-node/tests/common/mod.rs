//! What the tests share: a store in memory, parties with fixed keys, and blocks.
#![allow(dead_code)] // each test file uses its own part

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use vault_core::{Block, BlockStore, Cid, Codec, NodeAddress, StoreError, VaultId};
use vault_node::{Access, DhtConfig, HeadSource, Node, NodeConfig, NodeError, Relay, peer_id};

/// Blocks in memory.
#[derive(Default)]
pub struct Memory(Mutex<HashMap<Cid, Block>>);

impl BlockStore for Memory {
    fn put(&self, blocks: &[Block]) -> Result<(), StoreError> {
        let named = blocks.iter().map(|block| (block.cid(), block.clone()));
        self.0.lock().unwrap().extend(named);
        Ok(())
    }

    fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        Ok(self.0.lock().unwrap().get(cid).cloned())
    }

    fn has(&self, cid: &Cid) -> Result<bool, StoreError> {
        Ok(self.0.lock().unwrap().contains_key(cid))
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn remove(&self, cids: &[Cid]) -> Result<usize, StoreError> {
        let mut blocks = self.0.lock().unwrap();
        Ok(cids
            .iter()
            .filter(|cid| blocks.remove(cid).is_some())
            .count())
    }

    fn list(&self) -> Result<Vec<Cid>, StoreError> {
        Ok(self.0.lock().unwrap().keys().copied().collect())
    }
}

/// Heads by vault.
#[derive(Default, Clone)]
pub struct Heads(pub Vec<(VaultId, Vec<u8>)>);

impl HeadSource for Heads {
    fn head(&self, vault: &VaultId) -> Option<Vec<u8>> {
        let found = self.0.iter().find(|(known, _)| known == vault);
        found.map(|(_, head)| head.clone())
    }
}

/// What a node is started from, more than once if need be.
pub struct Party {
    pub seed: u8,
    pub listen: Vec<String>,
    pub iroh_listen: Option<SocketAddr>,
    pub relays: Vec<Relay>,
    pub access: Access,
    pub dht: Option<DhtConfig>,
    pub store: Arc<Memory>,
    pub heads: Heads,
}

impl Party {
    pub fn new(seed: u8, listen: &[&str]) -> Self {
        Self {
            seed,
            listen: listen.iter().map(ToString::to_string).collect(),
            iroh_listen: Some("127.0.0.1:0".parse().unwrap()),
            relays: Vec::new(),
            access: Access::Public,
            dht: None,
            store: Arc::default(),
            heads: Heads::default(),
        }
    }

    pub fn try_start(&self) -> Result<Node, NodeError> {
        let mut config = NodeConfig::new([self.seed; 32], [self.seed; 32]);
        config.listen = self.listen.clone();
        config.iroh_listen = self.iroh_listen;
        config.relays = self.relays.clone();
        config.access = self.access.clone();
        config.dht.clone_from(&self.dht);
        Node::start(config, self.store.clone(), Arc::new(self.heads.clone()))
    }

    pub fn start(&self) -> Node {
        self.try_start().unwrap()
    }

    /// Tries until the ports are free.
    pub fn start_soon(&self) -> Node {
        for _ in 0..100 {
            match self.try_start() {
                Ok(node) => return node,
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
        self.start()
    }
}

/// A node that only fetches, with keys of its own.
pub fn client() -> Node {
    static SEED: AtomicU8 = AtomicU8::new(100);
    let seed = SEED.fetch_add(1, Ordering::Relaxed);
    Node::start_client_only([seed; 32], [seed; 32]).unwrap()
}

/// `count` different blocks of `len` bytes.
pub fn blocks(count: usize, len: usize) -> Vec<Block> {
    (0..count)
        .map(|i| {
            let mut state = i as u64 + 1;
            let data = (0..len).map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
                (state >> 56) as u8
            });
            Block::new(Codec::Raw, data.collect()).unwrap()
        })
        .collect()
}

/// Fetches blocks, checks each against what was wanted, and returns what is missing.
pub fn fetch_all(node: &Node, from: &[NodeAddress], wanted: &[Block]) -> Vec<Cid> {
    let mut rest: HashMap<_, _> = wanted.iter().map(|b| (b.cid(), b.clone())).collect();
    let cids: Vec<_> = wanted.iter().map(Block::cid).collect();
    let report = node
        .fetch(from, &cids, Duration::from_secs(20), &mut |block| {
            assert_eq!(rest.remove(&block.cid()), Some(block));
            Ok(())
        })
        .unwrap();
    assert_eq!(report.missing.len(), rest.len());
    assert!(report.missing.iter().all(|cid| rest.contains_key(cid)));
    report.missing
}

/// A node's first address with its peer id, as a bootstrap node is named.
pub fn first_address(node: &Node) -> String {
    let address = node.address();
    format!("{}/p2p/{}", address.addrs[0], peer_id(&address).unwrap())
}
