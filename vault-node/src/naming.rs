//! Finding and being found through the DHT: IPNS records, and who has a block.
//!
//! Off unless the configuration says otherwise. Whoever watches the DHT then sees that this node
//! publishes or asks for a name; the name is a key that says nothing about a person, but the
//! address of the node goes with it.
//!
//! Of a vault, only the block of the newest head is announced. A reader comes to it by the name,
//! and a node that has the head has the rest: the head links to the pin set, and the node serves
//! or keeps all that this lists. So everything else is asked from the same node over bitswap.
//! Announcing every block would cost a record each on twenty nodes and show how many there are.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rust_ipfs::{Multiaddr, PeerId, Protocol};
use vault_core::{Cid, IpnsName, IpnsRecord, MAX_IPNS_RECORD_LEN, NodeAddress, PublicKey};
use vault_host::dht::{self, Network, Role, Rules};

use crate::address::{multiaddr, peer_key};
use crate::error::NodeError;
use crate::node::Node;

/// Most nodes that are asked first.
const MAX_BOOTSTRAP: usize = 64;

/// How a node takes part in the DHT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DhtConfig {
    /// Whether it keeps records for others too. For a node that everybody can reach.
    pub server: bool,
    /// The nodes to ask first: multiaddrs of IP addresses that end in `/p2p/` and a peer id. When
    /// none of them is a public address, this is a private network, with the protocol that IPFS
    /// has for those.
    pub bootstrap: Vec<String>,
}

impl Node {
    /// Puts a signed record under `name`; how many nodes of the DHT took it. They keep it until it
    /// ends, at most 48 hours.
    ///
    /// # Errors
    /// [`NodeError::DhtOff`]; [`NodeError::Dht`] when there was nobody to take it.
    pub fn publish_name(&self, name: &IpnsName, record: &[u8]) -> Result<usize, NodeError> {
        let (key, value) = (name.routing_key(), record.to_vec());
        self.ask_dht(|dht| async move { dht.put(key, value).await })
    }

    /// All records that the DHT has under `name`, as they are: strangers may have put there what
    /// they like. [`best_record`] chooses.
    ///
    /// # Errors
    /// [`NodeError::DhtOff`]; [`NodeError::Dht`] when nobody answered within `timeout`.
    pub fn resolve_names(
        &self,
        name: &IpnsName,
        timeout: Duration,
    ) -> Result<Vec<Vec<u8>>, NodeError> {
        let key = name.routing_key();
        self.ask_dht(|dht| async move { dht.get(key, timeout).await })
    }

    /// Announces that this node has a block, now and every 22 hours; how many nodes were told.
    ///
    /// # Errors
    /// [`NodeError::DhtOff`]; [`NodeError::Dht`] when there was nobody to tell, or there is no
    /// address at which others reach this node.
    pub fn provide(&self, cid: &Cid) -> Result<usize, NodeError> {
        let key = provider_key(cid);
        self.ask_dht(|dht| async move { dht.provide(key).await })
    }

    /// Announces a block no more. What is out expires by itself, within 48 hours.
    ///
    /// # Errors
    /// [`NodeError::DhtOff`].
    pub fn stop_providing(&self, cid: &Cid) -> Result<(), NodeError> {
        let key = provider_key(cid);
        self.dht()?.stop_providing(key);
        Ok(())
    }

    /// Who says it has a block, other than this node, for [`Node::fetch`]. Only peers with
    /// Ed25519 keys and addresses that can be dialled are listed. Their endpoint id is not known:
    /// it stands for nobody and has no address.
    ///
    /// # Errors
    /// As for [`Node::resolve_names`].
    pub fn find_providers(
        &self,
        cid: &Cid,
        timeout: Duration,
    ) -> Result<Vec<NodeAddress>, NodeError> {
        let key = provider_key(cid);
        let found = self.ask_dht(|dht| async move { dht.providers(key, timeout).await })?;
        let own = self.address().peer;
        let known = found.into_iter().filter_map(|one| {
            let peer = peer_key(&one.peer).ok()?;
            let addrs = one.addrs.iter().map(ToString::to_string);
            let addrs: Vec<_> = addrs.filter(|addr| multiaddr(addr).is_ok()).collect();
            (peer != own && !addrs.is_empty()).then(|| NodeAddress {
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

/// The record that everybody takes: signed under `name`, not ended at `now` (in seconds since
/// 1970-01-01 UTC), with the highest number.
pub fn best_record(records: &[Vec<u8>], name: &IpnsName, now: u64) -> Option<IpnsRecord> {
    let valid = records.iter().filter_map(|bytes| read(bytes, name, now));
    valid.reduce(|best, next| match next.supersedes(&best) {
        true => next,
        false => best,
    })
}

fn read(bytes: &[u8], name: &IpnsName, now: u64) -> Option<IpnsRecord> {
    if bytes.len() > MAX_IPNS_RECORD_LEN {
        return None;
    }
    IpnsRecord::from_bytes(bytes, name, now).ok()
}

/// Providers are filed under the hash alone, whatever the codec.
fn provider_key(cid: &Cid) -> Vec<u8> {
    // version and codec are one byte each
    cid.to_bytes()[2..].to_vec()
}

impl DhtConfig {
    pub(crate) fn parse(&self) -> Result<dht::Config, NodeError> {
        let bootstrap = self.bootstrap.iter().take(MAX_BOOTSTRAP);
        let bootstrap = bootstrap
            .map(|text| with_peer(text))
            .collect::<Result<Vec<_>, _>>()?;
        let public = |addr: &Multiaddr| dht::fits(Network::Public, addr);
        Ok(dht::Config {
            role: match self.server {
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
        let peer = PeerId::from_bytes(key.strip_prefix(b"/ipns/")?).ok()?;
        let name = IpnsName::new(peer_key(&peer).ok()?);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        read(value, &name, now.ok()?.as_secs())
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
    use vault_core::{Block, Codec, SigningKey};

    fn record(seed: u8, sequence: u64, until: u64) -> (IpnsName, Vec<u8>) {
        let key = SigningKey::from_seed(&[seed; 32]);
        let head = Block::new(Codec::DagCbor, vec![0xa0]).unwrap().cid();
        let record = IpnsRecord::sign(&key, head, sequence, until);
        (IpnsName::new(key.public()), record.as_bytes().to_vec())
    }

    #[test]
    fn the_highest_number_wins_and_nothing_forged_or_ended_counts() {
        let (name, first) = record(1, 1, 1000);
        let (_, second) = record(1, 2, 1000);
        let (_, ended) = record(1, 3, 99);
        let (_, forged) = record(2, 9, 1000);
        let mut changed = second.clone();
        changed.reverse();
        let all = [second, ended, first.clone(), forged, changed, vec![]];
        let best = best_record(&all, &name, 100).unwrap();
        assert_eq!(best.sequence(), 2);
        assert_eq!(best_record(&all, &name, 1001), None);
        assert_eq!(
            best_record(&all[2..3], &name, 100).unwrap().as_bytes(),
            first
        );
    }

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
        let network = |addrs: &[&str]| config(addrs).parse().unwrap().network;
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
            let parsed = config(&[bad]).parse();
            assert!(matches!(parsed, Err(NodeError::Address(_))), "{bad}");
        }
    }
}
