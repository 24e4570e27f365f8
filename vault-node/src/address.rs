//! How to reach a node: what a ticket carries.

use std::net::SocketAddr;

use iroh::{EndpointAddr, EndpointId, TransportAddr};
use rust_ipfs::swarm::dial_opts::DialOpts;
use rust_ipfs::{Multiaddr, PeerCondition, PeerId, Protocol};
use serde::{Deserialize, Serialize};

use crate::error::NodeError;

/// Most addresses of each kind that are dialled; more are passed over.
const MAX_ADDRS: usize = 16;

/// A node's two names and the addresses under which each was reachable when this was written.
///
/// The names are public keys, so a connection proves that it ended at the right node; the
/// addresses are hints and may be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeAddress {
    /// libp2p peer id, in base58. Blocks are fetched from it.
    pub peer_id: String,
    /// Multiaddrs of the libp2p side, without the peer id.
    pub addrs: Vec<String>,
    /// iroh endpoint id: an Ed25519 public key. Heads are fetched from it.
    #[serde(with = "serde_bytes")]
    pub endpoint_id: [u8; 32],
    /// Addresses of the iroh side, written as text.
    #[serde(with = "as_text")]
    pub endpoint_addrs: Vec<SocketAddr>,
}

impl NodeAddress {
    pub(crate) fn peer(&self) -> Result<PeerId, NodeError> {
        self.peer_id
            .parse()
            .map_err(|_| NodeError::Address(self.peer_id.clone()))
    }

    /// How to dial the libp2p side; `fresh` even when there is a connection.
    pub(crate) fn dial(&self, fresh: bool) -> Result<DialOpts, NodeError> {
        let addrs = self.addrs.iter().take(MAX_ADDRS);
        let addrs = addrs
            .map(|text| multiaddr(text))
            .collect::<Result<_, _>>()?;
        let condition = if fresh {
            PeerCondition::Always
        } else {
            PeerCondition::Disconnected
        };
        Ok(DialOpts::peer_id(self.peer()?)
            .addresses(addrs)
            .condition(condition)
            .build())
    }

    /// How to dial the iroh side.
    pub(crate) fn endpoint(&self) -> Result<EndpointAddr, NodeError> {
        let id = EndpointId::from_bytes(&self.endpoint_id)
            .map_err(|_| NodeError::Address("endpoint id".into()))?;
        let addrs = self.endpoint_addrs.iter().take(MAX_ADDRS);
        Ok(EndpointAddr::from_parts(
            id,
            addrs.copied().map(TransportAddr::Ip),
        ))
    }
}

/// Reads a multiaddr of the kinds we can dial: an IP address with TCP or QUIC, nothing that needs
/// a name server or a relay.
pub(crate) fn multiaddr(text: &str) -> Result<Multiaddr, NodeError> {
    let bad = || NodeError::Address(text.to_owned());
    let addr: Multiaddr = text.parse().map_err(|_| bad())?;
    let parts: Vec<_> = addr.iter().collect();
    match parts.as_slice() {
        [Protocol::Ip4(_) | Protocol::Ip6(_), Protocol::Tcp(_)]
        | [
            Protocol::Ip4(_) | Protocol::Ip6(_),
            Protocol::Udp(_),
            Protocol::QuicV1,
        ] => Ok(addr),
        _ => Err(bad()),
    }
}

/// Socket addresses as text, in every format.
mod as_text {
    use super::{Deserialize, SocketAddr};
    use serde::{Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(addrs: &[SocketAddr], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(addrs.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Vec<SocketAddr>, D::Error> {
        let texts = Vec::<String>::deserialize(d)?;
        let parsed = texts.iter().map(|text| text.parse());
        parsed
            .collect::<Result<_, _>>()
            .map_err(|_| D::Error::custom("not a socket address"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> NodeAddress {
        NodeAddress {
            peer_id: "12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8".into(),
            addrs: vec!["/ip4/127.0.0.1/tcp/1".into()],
            endpoint_id: [7; 32],
            endpoint_addrs: vec!["[::1]:5".parse().unwrap()],
        }
    }

    #[test]
    fn round_trips_through_cbor() {
        let bytes = serde_ipld_dagcbor::to_vec(&address()).unwrap();
        assert!(bytes.windows(7).any(|w| w == b"[::1]:5"));
        let back: NodeAddress = serde_ipld_dagcbor::from_slice(&bytes).unwrap();
        assert_eq!(back, address());
    }

    #[test]
    fn only_plain_ip_addresses_are_dialled() {
        assert!(multiaddr("/ip4/127.0.0.1/udp/1/quic-v1").is_ok());
        assert!(multiaddr("/ip6/::1/tcp/1").is_ok());
        for bad in [
            "",
            "x",
            "/dns4/example.org/tcp/1",
            "/ip4/1.2.3.4/udp/1",
            "/ip4/1.2.3.4/tcp/1/ws",
            "/ip4/1.2.3.4/tcp/1/p2p-circuit",
        ] {
            assert!(
                matches!(multiaddr(bad), Err(NodeError::Address(_))),
                "{bad}"
            );
        }
        let mut bad = address();
        bad.peer_id.push('0');
        assert!(bad.dial(false).is_err());
    }
}
