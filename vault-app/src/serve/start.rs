//! Bringing the node up: where it listens, and to whom it gives what.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use vault_core::{Home, Vault, VaultId, VaultStorage};
use vault_node::{
    Access, Announced, DhtConfig, HeadSource, Node, NodeConfig, Relay, parse_peer_id,
};

use super::ServeOptions;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::network::dht_settings;
use crate::{node_address, pinning};

/// Gives out the head of the one vault in this home.
struct HomeHead {
    storage: Arc<dyn VaultStorage>,
    vault: VaultId,
}

impl HeadSource for HomeHead {
    fn head(&self, vault: &VaultId) -> Option<Vec<u8>> {
        if *vault != self.vault {
            return None;
        }
        self.storage.head().ok().flatten()
    }
}

/// What to serve and where: the options, and the home's settings where they are silent.
pub(super) struct Plan {
    listen: Vec<String>,
    listen_heads: Option<SocketAddr>,
    announced: Vec<Announced>,
    relays: Vec<Relay>,
    access: Access,
    dht: Option<DhtConfig>,
}

impl Plan {
    /// Puts options and settings together.
    pub(super) fn new(options: &ServeOptions, config: &Config) -> Result<Self> {
        let or = |given: &[String], set: &[String]| match given.is_empty() {
            true => set.to_vec(),
            false => given.to_vec(),
        };
        let private = options.private || config.serve.private;
        let peers: HashSet<String> = all(&options.allow_peer, |text| {
            parse_peer_id(text).map_err(|_| {
                not_an_address("a peer id", text)
                    .hint("write it as the other program shows it, such as 12D3KooW...")
            })
        })?;
        if !private && !peers.is_empty() {
            return Err(Error::usage("without --private blocks go to every peer")
                .hint("add --private, or leave --allow-peer away"));
        }
        Ok(Self {
            listen: or(&options.listen, &config.serve.listen),
            listen_heads: options.listen_heads.or(config.serve.listen_heads),
            announced: all(&or(&options.announce, &config.serve.announce), |text| {
                text.parse().map_err(|_| {
                    not_an_address("an address that others can reach", text).hint(
                        "write /ip4/203.0.113.5/tcp/4001 for blocks, 203.0.113.5:4002 for heads",
                    )
                })
            })?,
            relays: all(&config.iroh.relays, |url| {
                url.as_str().parse().map_err(|_| {
                    not_an_address("the address of a relay", url.as_str())
                        .hint("a relay has an https address: `medvault config set iroh.relays URL`")
                })
            })?,
            access: match private {
                true => Access::Peers(peers),
                false => Access::Public,
            },
            dht: dht_settings(config),
        })
    }

    /// Whether blocks go to readers only.
    pub(super) fn is_private(&self) -> bool {
        self.access != Access::Public
    }

    fn listen(&self, port: u16) -> Vec<String> {
        match self.listen.is_empty() {
            true => vec![
                format!("/ip4/0.0.0.0/tcp/{port}"),
                format!("/ip4/0.0.0.0/udp/{port}/quic-v1"),
            ],
            false => self.listen.clone(),
        }
    }

    /// Heads are given out where blocks are: on loopback only if the blocks are.
    fn listen_heads(&self, port: u16) -> SocketAddr {
        let all = &self.listen;
        let local = !all.is_empty() && all.iter().all(|addr| addr.starts_with("/ip4/127."));
        let ip = if local { [127, 0, 0, 1] } else { [0, 0, 0, 0] };
        let default = SocketAddr::from((ip, port));
        self.listen_heads.unwrap_or(default)
    }
}

fn all<A, B, C: FromIterator<B>>(items: &[A], read: impl Fn(&A) -> Result<B>) -> Result<C> {
    items.iter().map(read).collect()
}

fn not_an_address(what: &str, text: &str) -> Error {
    Error::usage(format!("`{text}` is not {what}"))
}

/// Starts the node: on the ports of last time unless others are asked for.
///
/// Without `serves_blocks` it gives out heads, and blocks to readers over iroh, and no more.
pub(super) fn start(home: &Home, vault: &Vault, plan: &Plan, serves_blocks: bool) -> Result<Node> {
    let device = vault.device();
    let storage = vault.storage().clone();
    let blocks = pinning::served(home, &*storage)?;
    let start = |ports: (u16, u16)| {
        let mut config = NodeConfig::new(*device.libp2p_seed(), *device.iroh_seed());
        config.listen = match serves_blocks {
            true => plan.listen(ports.0),
            false => Vec::new(),
        };
        config.iroh_listen = Some(plan.listen_heads(ports.1));
        config.relays = plan.relays.clone();
        config.announced = plan.announced.clone();
        config.access = plan.access.clone();
        config.dht.clone_from(&plan.dht);
        let heads = Arc::new(HomeHead {
            storage: storage.clone(),
            vault: vault.id(),
        });
        Node::start(config, blocks.clone(), heads)
    };
    let ports = node_address::last_node_address(home)
        .as_ref()
        .map_or((0, 0), node_address::ports);
    let chosen = !plan.listen.is_empty() && plan.listen_heads.is_some();
    match start(ports) {
        // the ports of last time are taken: any will do, and new tickets will name them
        Err(_) if !chosen && ports != (0, 0) => Ok(start((0, 0))?),
        other => Ok(other?),
    }
}
