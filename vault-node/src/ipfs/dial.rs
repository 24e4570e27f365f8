//! Peers and their addresses, as the IPFS node wants them.

use rust_ipfs::swarm::dial_opts::DialOpts;
use rust_ipfs::{Multiaddr, PeerCondition, PeerId};
use vault_core::{NodeAddress, PublicKey};

use crate::address::{self, MAX_ADDRS, peer_id_bytes};
use crate::error::NodeError;

/// The peer id of a node.
pub(crate) fn peer(address: &NodeAddress) -> Result<PeerId, NodeError> {
    let id = PeerId::from_bytes(&peer_id_bytes(&address.peer));
    id.map_err(|_| NodeError::Address("peer key".into()))
}

/// The Ed25519 key behind a peer id.
pub(crate) fn peer_key(peer: &PeerId) -> Result<PublicKey, NodeError> {
    address::peer_key(&peer.to_bytes()).ok_or_else(|| NodeError::Address("peer key".into()))
}

/// How to dial a node; `fresh` even when there is a connection.
pub(crate) fn dial(address: &NodeAddress, fresh: bool) -> Result<DialOpts, NodeError> {
    let condition = if fresh {
        PeerCondition::Always
    } else {
        PeerCondition::Disconnected
    };
    Ok(DialOpts::peer_id(peer(address)?)
        .addresses(multiaddrs(address.addrs.iter().take(MAX_ADDRS))?)
        .condition(condition)
        .build())
}

/// Reads a multiaddr of the kinds that [`address::multiaddr`] takes.
pub(crate) fn multiaddr(text: &str) -> Result<Multiaddr, NodeError> {
    let addr = address::multiaddr(text)?.parse();
    addr.map_err(|_| NodeError::Address(text.to_owned()))
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
    use crate::address::{parse_peer_id, peer_address, peer_id};
    use rust_ipfs::{Keypair, Protocol};
    use vault_core::SigningKey;

    #[test]
    fn peer_ids_are_those_of_libp2p() {
        for seed in 0..=255 {
            let key = SigningKey::from_seed(&[seed; 32]).public();
            let pair = Keypair::ed25519_from_bytes([seed; 32]).unwrap();
            let id = pair.public().to_peer_id();
            assert_eq!(peer_key(&id).unwrap(), key);
            let text = format!("/ip4/192.0.2.1/tcp/1/p2p/{id}");
            let address = peer_address(&text).unwrap();
            assert_eq!(address.peer, key);
            assert_eq!(peer(&address).unwrap(), id);
            assert_eq!(peer_id(&address).unwrap(), id.to_base58());
        }
    }

    #[test]
    fn what_is_a_peer_id_is_one_for_libp2p() {
        let mut cases: Vec<Vec<u8>> = vec![vec![], vec![0], vec![0x12]];
        for code in [0x00, 0x11, 0x12, 0x13, 0x80, 0x92] {
            for len in 0..=130_u8 {
                let whole = [&[code, len][..], &vec![7; usize::from(len)]].concat();
                cases.push(whole[..whole.len() - 1].to_vec());
                cases.push([&whole[..], &[7]].concat());
                cases.push(whole);
            }
        }
        for bytes in cases {
            let text = bs58::encode(&bytes).into_string();
            let theirs = text.parse::<PeerId>().ok().map(PeerId::to_base58);
            assert_eq!(parse_peer_id(&text).ok(), theirs, "{bytes:?}");
        }
        for text in ["", "0", "l", "12D3KooW ", "Qm", "1111", "é"] {
            let theirs = text.parse::<PeerId>().ok().map(PeerId::to_base58);
            assert_eq!(parse_peer_id(text).ok(), theirs, "{text:?}");
        }
    }

    /// What [`address::multiaddr`] took while it used the parser of libp2p.
    fn plain(text: &str) -> Option<String> {
        let addr: Multiaddr = text.parse().ok()?;
        let parts: Vec<_> = addr.iter().collect();
        let ip = matches!(parts.first()?, Protocol::Ip4(_) | Protocol::Ip6(_));
        let transport = matches!(
            &parts[1..],
            [Protocol::Tcp(_)] | [Protocol::Udp(_), Protocol::QuicV1]
        );
        (ip && transport).then(|| addr.to_string())
    }

    #[test]
    fn multiaddrs_are_read_as_libp2p_reads_them() {
        let ips = [
            "/ip4/127.0.0.1",
            "/ip4/1.2.3",
            "/ip4/01.2.3.4",
            "/ip6/::1",
            "/ip6/2001:DB8:0::1",
            "/ip6/::ffff:1.2.3.4",
            "/ip6/fe80::1%eth0",
            "/ip4/::1",
            "/ip6/1.2.3.4",
            "/dns4/example.org",
            "ip4/1.2.3.4",
            "//ip4/1.2.3.4",
            "/ip6zone/x/ip6/::1",
            "",
        ];
        let ends = [
            "",
            "/",
            "/tcp",
            "/tcp/",
            "/tcp/0",
            "/tcp/1",
            "/tcp/0080",
            "/tcp/+1",
            "/tcp/65535",
            "/tcp/65536",
            "/tcp/-1",
            "/tcp/1/",
            "/tcp/1/ws",
            "/tcp/1/p2p-circuit",
            "/udp/1",
            "/udp/1/quic",
            "/udp/1/quic-v1",
            "/udp/1/quic-v1/",
            "/udp/x/quic-v1",
            "/udp/1/quic-v1/webtransport",
            "/tcp/1/quic-v1",
            "/TCP/1",
            " /tcp/1",
        ];
        for ip in ips {
            for end in ends {
                let text = format!("{ip}{end}");
                assert_eq!(address::multiaddr(&text).ok(), plain(&text), "{text}");
                assert_eq!(
                    multiaddr(&text).ok().map(|addr| addr.to_string()),
                    plain(&text)
                );
            }
        }
    }
}
