//! The network, as commands use it: a node that starts only when somebody must be asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use vault_core::{Advance, BlockSource, CachedSource, Cid, Device, Following, Home, Inbox};
use vault_node::Node;

use crate::error::{Error, Exit, Result};
use crate::fetch_iroh::PatientNode;
use crate::time;

/// How long another node may stay silent.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A node without listeners, started at the first question.
pub struct Network {
    device: Arc<Device>,
    node: Mutex<Option<Arc<Node>>>,
}

impl Network {
    /// A network that has not been used yet.
    pub fn new(device: Arc<Device>) -> Arc<Self> {
        Arc::new(Self {
            device,
            node: Mutex::new(None),
        })
    }

    /// The device that asks.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The node, started now if it was not yet.
    pub fn node(&self) -> Result<Arc<Node>, vault_node::NodeError> {
        let mut node = self.node.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = &*node {
            return Ok(node.clone());
        }
        // keys of the moment: two commands at once must not look like one peer, for then one of
        // them gets the other's blocks; and nobody learns from a connection who is asking
        let seeds = (random_seed()?, random_seed()?);
        let started = Arc::new(Node::start_client_only(seeds.0, seeds.1)?);
        *node = Some(started.clone());
        Ok(started)
    }

    /// Blocks of one followed vault: from the cache, else from the patient's node.
    pub fn source(
        self: &Arc<Self>,
        home: &Home,
        following: &Following,
    ) -> Result<Arc<CachedSource>> {
        let address = following.node().clone();
        let fetcher = PatientNode::new(self.clone(), address, following.vault());
        Ok(Arc::new(CachedSource::new(
            home.cache()?,
            Box::new(fetcher),
        )))
    }

    /// Asks the patient's node for the newest head and takes it if it continues what was seen.
    pub fn sync(
        self: &Arc<Self>,
        home: &Home,
        inbox: &mut Inbox,
        following: &mut Following,
    ) -> Result<Advance> {
        let node = following.node();
        if node.endpoint_addrs.is_empty() && node.relays.is_empty() {
            let what = "the ticket does not say where the patient's node is";
            return Err(Error::new(Exit::Network, "no-address", what).hint(
                "ask the patient to run `medvault serve`, and for the ticket that \
                 `medvault grant ticket` prints then",
            ));
        }
        let head = self
            .node()?
            .fetch_head(following.node(), &following.vault(), PATIENCE)?;
        let source = self.source(home, following)?;
        let advance = following.advance(&head, &*source, time::now())?;
        inbox.remember(following)?;
        Ok(advance)
    }

    /// Closes connections, if there are any.
    pub fn close(&self) {
        let node = self
            .node
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(node) = node.and_then(Arc::into_inner) {
            node.stop();
        }
    }
}

fn random_seed() -> Result<[u8; 32], vault_node::NodeError> {
    let mut seed = [0; 32];
    let failed = |error: getrandom::Error| vault_node::NodeError::Start(error.to_string());
    getrandom::fill(&mut seed).map_err(failed)?;
    Ok(seed)
}

/// Fetches bodies ahead of time, so that they can be read offline. Returns how many blocks.
pub fn prefetch(source: &dyn BlockSource, cids: &[Cid]) -> Result<usize> {
    let mut count = 0;
    for part in cids.chunks(64) {
        count += source.fetch(part)?.len();
    }
    Ok(count)
}

/// What to do when a node gives no blocks to this reader.
pub const REFUSED: &str = "ask the patient whether the grant is still in force, and see whether \
                           this machine's clock is right";

impl From<vault_node::NodeError> for Error {
    fn from(error: vault_node::NodeError) -> Self {
        use vault_node::NodeError as E;
        let text = error.to_string();
        match error {
            E::Unreachable { .. } | E::Timeout { .. } => Self::new(Exit::Network, "offline", text)
                .hint("the other side must be running `medvault serve`; try again later"),
            E::Refused { .. } => Self::new(Exit::Terms, "refused", text).hint(REFUSED),
            E::HeadNotFound(_) => Self::new(Exit::Network, "no-head", text)
                .hint("ask for a fresh ticket: this node does not have the vault"),
            E::Start(_) => Self::new(Exit::Network, "node-start", text)
                .hint("is another `medvault serve` running on these ports?"),
            E::Address(_) => Self::new(Exit::Network, "bad-address", text),
            _ => Self::new(Exit::Network, "network", text),
        }
    }
}
