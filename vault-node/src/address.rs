//! How to dial the node that a [`NodeAddress`] names.
//!
//! The names are public keys, so a connection proves that it ended at the right node; the
//! addresses are hints and may be wrong.

use std::net::SocketAddr;

use iroh::{EndpointAddr, EndpointId, TransportAddr};
use rust_ipfs::swarm::dial_opts::DialOpts;
use rust_ipfs::{Multiaddr, PeerCondition, PeerId, Protocol};
use vault_core::{NodeAddress, PublicKey};

use crate::error::NodeError;
use crate::relay::Relay;

/// Most addresses of each kind that are dialled; more are passed over.
const MAX_ADDRS: usize = 16;

/// Most relays that are used; more are passed over.
const MAX_RELAYS: usize = 4;

/// What stands before an Ed25519 key in its peer id: identity multihash of 36 bytes, protobuf of
/// key type 1 and 32 key bytes (libp2p specification, "Peer IDs").
const PEER_ID_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// The libp2p peer id of a node, in base58.
///
/// # Errors
/// [`NodeError::Address`] never for a key of 32 bytes; it is checked all the same.
pub fn peer_id(address: &NodeAddress) -> Result<String, NodeError> {
    Ok(peer(address)?.to_base58())
}

/// Reads a libp2p peer id and returns its base58 form, as [`crate::Access`] wants it.
///
/// # Errors
/// [`NodeError::Address`].
pub fn parse_peer_id(text: &str) -> Result<String, NodeError> {
    let id: Result<PeerId, _> = text.parse();
    let id = id.map_err(|_| NodeError::Address(text.to_owned()))?;
    Ok(id.to_base58())
}

/// Reads a multiaddr that ends with a peer id, such as `/ip4/203.0.113.1/tcp/4001/p2p/12D3…`, of a
/// node that speaks bitswap. Nothing is known of an iroh side.
///
/// # Errors
/// [`NodeError::Address`] for other kinds of addresses, and for peers with other keys than Ed25519.
pub fn peer_address(text: &str) -> Result<NodeAddress, NodeError> {
    let bad = || NodeError::Address(text.to_owned());
    let (addr, id) = text.rsplit_once("/p2p/").ok_or_else(bad)?;
    multiaddr(addr).map_err(|_| bad())?;
    let peer = peer_key(&id.parse().map_err(|_| bad())?).map_err(|_| bad())?;
    Ok(NodeAddress {
        peer,
        addrs: vec![addr.to_owned()],
        endpoint: peer,
        endpoint_addrs: Vec::new(),
        relays: Vec::new(),
    })
}

pub(crate) fn peer(address: &NodeAddress) -> Result<PeerId, NodeError> {
    let bytes = [&PEER_ID_PREFIX[..], address.peer.as_bytes()].concat();
    PeerId::from_bytes(&bytes).map_err(|_| NodeError::Address("peer key".into()))
}

/// The Ed25519 key behind a peer id.
pub(crate) fn peer_key(peer: &PeerId) -> Result<PublicKey, NodeError> {
    let bytes = peer.to_bytes();
    let key = bytes
        .strip_prefix(&PEER_ID_PREFIX)
        .and_then(|key| key.try_into().ok());
    key.map(PublicKey::from_bytes)
        .ok_or_else(|| NodeError::Address("peer key".into()))
}

/// How to dial the libp2p side; `fresh` even when there is a connection.
pub(crate) fn dial(address: &NodeAddress, fresh: bool) -> Result<DialOpts, NodeError> {
    let addrs = address.addrs.iter().take(MAX_ADDRS);
    let addrs = addrs
        .map(|text| multiaddr(text))
        .collect::<Result<_, _>>()?;
    let condition = if fresh {
        PeerCondition::Always
    } else {
        PeerCondition::Disconnected
    };
    Ok(DialOpts::peer_id(peer(address)?)
        .addresses(addrs)
        .condition(condition)
        .build())
}

/// How to dial the iroh side.
pub(crate) fn endpoint(address: &NodeAddress) -> Result<EndpointAddr, NodeError> {
    let id = EndpointId::from_bytes(address.endpoint.as_bytes())
        .map_err(|_| NodeError::Address("endpoint id".into()))?;
    let parse = |text: &String| {
        text.parse::<SocketAddr>()
            .map_err(|_| NodeError::Address(text.clone()))
    };
    let addrs: Vec<SocketAddr> = address
        .endpoint_addrs
        .iter()
        .take(MAX_ADDRS)
        .map(parse)
        .collect::<Result<_, _>>()?;
    let relays: Vec<Relay> = address
        .relays
        .iter()
        .take(MAX_RELAYS)
        .map(|text| text.parse())
        .collect::<Result<_, _>>()?;
    let direct = addrs.into_iter().map(TransportAddr::Ip);
    let relayed = relays.iter().map(|relay| TransportAddr::Relay(relay.url()));
    Ok(EndpointAddr::from_parts(id, direct.chain(relayed)))
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

/// Reads several.
pub(crate) fn multiaddrs<'a>(
    texts: impl IntoIterator<Item = &'a String>,
) -> Result<Vec<Multiaddr>, NodeError> {
    texts.into_iter().map(|text| multiaddr(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_ids_and_keys_are_two_forms_of_one_name() {
        let id: PeerId = "12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8"
            .parse()
            .unwrap();
        let address = NodeAddress {
            peer: peer_key(&id).unwrap(),
            addrs: Vec::new(),
            endpoint: PublicKey::from_bytes([7; 32]),
            endpoint_addrs: vec!["nonsense".into()],
            relays: Vec::new(),
        };
        assert_eq!(peer(&address).unwrap(), id);
        assert_eq!(peer_id(&address).unwrap(), id.to_base58());
        assert_eq!(parse_peer_id(&id.to_string()).unwrap(), id.to_base58());
        assert!(parse_peer_id("12D3KooWnonsense").is_err());
        assert!(matches!(endpoint(&address), Err(NodeError::Address(_))));
    }

    #[test]
    fn a_multiaddr_with_a_peer_id_names_a_node() {
        let id = "12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8";
        let node = peer_address(&format!("/ip4/127.0.0.1/tcp/1/p2p/{id}")).unwrap();
        assert_eq!(node.addrs, ["/ip4/127.0.0.1/tcp/1"]);
        assert_eq!(peer_id(&node).unwrap(), id);
        for bad in [
            "/ip4/127.0.0.1/tcp/1".to_owned(),
            format!("/dns4/example.org/tcp/1/p2p/{id}"),
            "/ip4/127.0.0.1/tcp/1/p2p/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG".to_owned(),
        ] {
            assert!(
                matches!(peer_address(&bad), Err(NodeError::Address(_))),
                "{bad}"
            );
        }
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
    }
}
