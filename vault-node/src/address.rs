//! How to dial the node that a [`NodeAddress`] names.
//!
//! The names are public keys, so a connection proves that it ended at the right node; the
//! addresses are hints and may be wrong.

use std::net::{IpAddr, SocketAddr};

use iroh::{EndpointAddr, EndpointId, TransportAddr};
use vault_core::{NodeAddress, PublicKey};

use crate::error::NodeError;
use crate::relay::Relay;

/// Most addresses of each kind that are dialled; more are passed over.
pub(crate) const MAX_ADDRS: usize = 16;

/// Most relays that are used; more are passed over.
const MAX_RELAYS: usize = 4;

/// What stands before an Ed25519 key in its peer id: identity multihash of 36 bytes, protobuf of
/// key type 1 and 32 key bytes (libp2p specification, "Peer IDs").
const PEER_ID_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
/// Longest key that stands in its peer id as it is, in bytes of protobuf.
const MAX_INLINE_KEY: usize = 42;
/// Longest peer id, in bytes: code, length, and a hash.
const MAX_PEER_ID: usize = 66;

/// The libp2p peer id of a node, in base58.
///
/// # Errors
/// [`NodeError::Address`] never for a key of 32 bytes; it is checked all the same.
pub fn peer_id(address: &NodeAddress) -> Result<String, NodeError> {
    Ok(bs58::encode(peer_id_bytes(&address.peer)).into_string())
}

/// Reads a libp2p peer id and returns its base58 form, as [`crate::Access`] wants it.
///
/// # Errors
/// [`NodeError::Address`].
pub fn parse_peer_id(text: &str) -> Result<String, NodeError> {
    let id = decode_peer_id(text).ok_or_else(|| NodeError::Address(text.to_owned()))?;
    Ok(bs58::encode(id).into_string())
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
    let id = decode_peer_id(id).ok_or_else(bad)?;
    let peer = peer_key(&id).ok_or_else(bad)?;
    Ok(NodeAddress {
        peer,
        addrs: vec![addr.to_owned()],
        endpoint: peer,
        endpoint_addrs: Vec::new(),
        relays: Vec::new(),
    })
}

/// Reads a peer id of any key: a short key as it is, or the hash of a long one.
fn decode_peer_id(text: &str) -> Option<Vec<u8>> {
    let mut id = vec![0; MAX_PEER_ID];
    let len = bs58::decode(text).onto(&mut id[..]).ok()?;
    id.truncate(len);
    match id.as_slice() {
        [0x00, len, key @ ..] if key.len() == usize::from(*len) && key.len() <= MAX_INLINE_KEY => {
            Some(id)
        }
        [0x12, len, hash @ ..] if hash.len() == usize::from(*len) => Some(id),
        _ => None,
    }
}

/// The peer id of an Ed25519 key, as bytes.
pub(crate) fn peer_id_bytes(key: &PublicKey) -> Vec<u8> {
    [&PEER_ID_PREFIX[..], key.as_bytes()].concat()
}

/// The Ed25519 key behind a peer id; `None` for one of another kind.
pub(crate) fn peer_key(id: &[u8]) -> Option<PublicKey> {
    let key = id.strip_prefix(&PEER_ID_PREFIX)?;
    key.try_into().ok().map(PublicKey::from_bytes)
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
/// a name server or a relay. Returns its usual form.
pub(crate) fn multiaddr(text: &str) -> Result<String, NodeError> {
    read_multiaddr(text).ok_or_else(|| NodeError::Address(text.to_owned()))
}

fn read_multiaddr(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.strip_prefix('/')?.split('/').collect();
    let [version, ip, transport, port, rest @ ..] = parts.as_slice() else {
        return None;
    };
    let ip = match *version {
        "ip4" => IpAddr::V4(ip.parse().ok()?),
        "ip6" => IpAddr::V6(ip.parse().ok()?),
        _ => return None,
    };
    let port: u16 = port.parse().ok()?;
    match (*transport, rest) {
        ("tcp", []) => Some(format!("/{version}/{ip}/tcp/{port}")),
        ("udp", ["quic-v1"]) => Some(format!("/{version}/{ip}/udp/{port}/quic-v1")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_ids_and_keys_are_two_forms_of_one_name() {
        let id = "12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8";
        let address = NodeAddress {
            peer: peer_key(&decode_peer_id(id).unwrap()).unwrap(),
            addrs: Vec::new(),
            endpoint: PublicKey::from_bytes([7; 32]),
            endpoint_addrs: vec!["nonsense".into()],
            relays: Vec::new(),
        };
        assert_eq!(peer_id(&address).unwrap(), id);
        assert_eq!(parse_peer_id(id).unwrap(), id);
        let hashed = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG";
        assert_eq!(parse_peer_id(hashed).unwrap(), hashed);
        let long = "1".repeat(1000);
        for bad in ["", "1", "12D3KooWnonsense", &id[1..], &long] {
            assert!(parse_peer_id(bad).is_err(), "{bad}");
        }
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
        for good in ["/ip4/127.0.0.1/udp/1/quic-v1", "/ip6/::1/tcp/1"] {
            assert_eq!(multiaddr(good).unwrap(), good);
        }
        assert_eq!(
            multiaddr("/ip6/2001:DB8:0::1/tcp/01").unwrap(),
            "/ip6/2001:db8::1/tcp/1"
        );
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
