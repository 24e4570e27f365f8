//! The DHT calls of a node, and what it keeps for others.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rust_ipfs::{Multiaddr, PeerId, Protocol};
use vault_core::{IpnsName, IpnsRecord, NodeAddress, PublicKey};
use vault_host::dht::{self, Dht, Network, Role, Rules};

use super::IpfsSide;
use super::dial::{multiaddr, peer_key};
use crate::address;
use crate::error::NodeError;
use crate::naming::{DhtConfig, valid_record};

/// Most nodes that are asked first.
const MAX_BOOTSTRAP: usize = 64;

/// As the methods of [`crate::Node`] that ask the DHT. Keys are those of the DHT.
impl IpfsSide {
    fn dht(&self) -> Result<&Dht, NodeError> {
        self.dht.as_ref().ok_or(NodeError::DhtOff)
    }

    pub(crate) async fn put(&self, key: Vec<u8>, value: Vec<u8>) -> Result<usize, NodeError> {
        self.dht()?.put(key, value).await.map_err(failed)
    }

    pub(crate) async fn get(
        &self,
        key: Vec<u8>,
        timeout: Duration,
    ) -> Result<Vec<Vec<u8>>, NodeError> {
        self.dht()?.get(key, timeout).await.map_err(failed)
    }

    pub(crate) async fn provide(&self, key: Vec<u8>) -> Result<usize, NodeError> {
        self.dht()?.provide(key).await.map_err(failed)
    }

    pub(crate) fn stop_providing(&self, key: Vec<u8>) -> Result<(), NodeError> {
        self.dht()?.stop_providing(key);
        Ok(())
    }

    pub(crate) async fn providers(
        &self,
        key: Vec<u8>,
        timeout: Duration,
    ) -> Result<Vec<NodeAddress>, NodeError> {
        let found = self.dht()?.providers(key, timeout).await;
        let known = found.map_err(failed)?.into_iter().filter_map(|one| {
            let peer = peer_key(&one.peer).ok()?;
            let addrs = one.addrs.iter().map(ToString::to_string);
            let addrs: Vec<_> = addrs.filter(|addr| multiaddr(addr).is_ok()).collect();
            (peer != self.peer && !addrs.is_empty()).then(|| NodeAddress {
                peer,
                addrs,
                endpoint: PublicKey::from_bytes([0; 32]),
                endpoint_addrs: Vec::new(),
                relays: Vec::new(),
            })
        });
        Ok(known.collect())
    }
}

fn failed(error: dht::Error) -> NodeError {
    NodeError::Dht(error.to_string())
}

/// The settings of the IPFS node for `config`.
///
/// # Errors
/// [`NodeError::Address`] for a bootstrap node that cannot be dialled.
pub(super) fn settings(config: &DhtConfig) -> Result<dht::Config, NodeError> {
    let bootstrap = config.bootstrap.iter().take(MAX_BOOTSTRAP);
    let bootstrap = bootstrap
        .map(|text| with_peer(text))
        .collect::<Result<Vec<_>, _>>()?;
    let public = |addr: &Multiaddr| dht::fits(Network::Public, addr);
    Ok(dht::Config {
        role: match config.server {
            true => Role::Server,
            false => Role::Client,
        },
        network: match bootstrap.iter().any(|(_, addr)| public(addr)) {
            true => Network::Public,
            false => Network::Lan,
        },
        bootstrap,
        rules: Arc::new(IpnsOnly),
    })
}

/// Takes the peer id off a multiaddr that must end in one.
fn with_peer(text: &str) -> Result<(PeerId, Multiaddr), NodeError> {
    let bad = || NodeError::Address(text.to_owned());
    let mut addr: Multiaddr = text.parse().map_err(|_| bad())?;
    let Some(Protocol::P2p(peer)) = addr.pop() else {
        return Err(bad());
    };
    Ok((peer, multiaddr(&addr.to_string()).map_err(|_| bad())?))
}

/// As a server, a node keeps for others what vaults publish: IPNS records that point to a head.
struct IpnsOnly;

impl IpnsOnly {
    fn read(key: &[u8], value: &[u8]) -> Option<IpnsRecord> {
        let name = IpnsName::new(address::peer_key(key.strip_prefix(b"/ipns/")?)?);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        valid_record(value, &name, now.ok()?.as_secs())
    }
}

impl Rules for IpnsOnly {
    fn valid(&self, key: &[u8], value: &[u8]) -> bool {
        Self::read(key, value).is_some()
    }

    fn newer(&self, key: &[u8], new: &[u8], old: &[u8]) -> bool {
        match (Self::read(key, new), Self::read(key, old)) {
            (Some(new), Some(old)) => new.supersedes(&old),
            (new, _) => new.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naming::tests::record;

    #[test]
    fn a_server_keeps_records_of_names_and_nothing_else() {
        let far = 4_000_000_000;
        let (name, old) = record(1, 1, far);
        let (_, new) = record(1, 2, far);
        let (other, foreign) = record(2, 3, far);
        let key = name.routing_key();
        assert!(IpnsOnly.valid(&key, &old) && IpnsOnly.valid(&other.routing_key(), &foreign));
        assert!(IpnsOnly.newer(&key, &new, &old) && !IpnsOnly.newer(&key, &old, &new));
        assert!(!IpnsOnly.newer(&key, &old, &old));
        assert!(!IpnsOnly.valid(&key, &foreign));
        assert!(!IpnsOnly.valid(&key, b"anything"));
        assert!(!IpnsOnly.valid(b"/pk/x", &old));
        assert!(!IpnsOnly.valid(&[], &[]));
    }

    #[test]
    fn bootstrap_nodes_have_a_name_and_an_ip_address_and_tell_the_network() {
        let id = "12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8";
        let config = |addrs: &[&str]| DhtConfig {
            server: false,
            bootstrap: addrs.iter().map(|addr| format!("{addr}{id}")).collect(),
        };
        let network = |addrs: &[&str]| settings(&config(addrs)).unwrap().network;
        assert_eq!(network(&[]), Network::Lan);
        assert_eq!(network(&["/ip4/127.0.0.1/tcp/1/p2p/"]), Network::Lan);
        let public = [
            "/ip4/10.0.0.1/tcp/1/p2p/",
            "/ip4/9.9.9.9/udp/1/quic-v1/p2p/",
        ];
        assert_eq!(network(&public), Network::Public);
        for bad in [
            "/dnsaddr/example.org/p2p/",
            "/ip4/9.9.9.9/tcp/1",
            "",
            "/p2p/",
        ] {
            let parsed = settings(&config(&[bad]));
            assert!(matches!(parsed, Err(NodeError::Address(_))), "{bad}");
        }
    }
}
