//! Which addresses mean something in which network, and those of peers that told us theirs.

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, Ipv6Addr};

use rust_ipfs::{Multiaddr, PeerId, Protocol};

use super::Network;

/// Most addresses that are kept of one peer.
const MAX_ADDRS: usize = 16;
/// Most peers whose addresses are kept.
const MAX_PEERS: usize = 512;

/// Whether an address can be reached from where the network is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach(pub(crate) Network);

impl Reach {
    /// In the public network, private addresses are other people's machines: they are neither
    /// dialled nor told.
    pub(crate) fn fits(self, addr: &Multiaddr) -> bool {
        match (addr.iter().next(), self.0) {
            (Some(Protocol::Ip4(ip)), Network::Public) => public_v4(ip),
            (Some(Protocol::Ip6(ip)), Network::Public) => public_v6(ip),
            (Some(Protocol::Ip4(ip)), Network::Lan) => !ip.is_unspecified(),
            (Some(Protocol::Ip6(ip)), Network::Lan) => !ip.is_unspecified(),
            // names need a name server, which this node never asks
            _ => false,
        }
    }

    /// The addresses that fit, at most sixteen.
    pub(crate) fn fitting(self, addrs: impl IntoIterator<Item = Multiaddr>) -> Vec<Multiaddr> {
        let fitting = addrs.into_iter().filter(|addr| self.fits(addr));
        fitting.take(MAX_ADDRS).collect()
    }
}

fn public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    !(a == 0
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_documentation()
        || a >= 240
        || shared)
}

/// Global unicast, 2000::/3, without the addresses for documentation.
fn public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    a & 0xe000 == 0x2000 && (a, b) != (0x2001, 0xdb8)
}

/// Adds addresses that are new, up to the limit.
pub(crate) fn merge(known: &mut Vec<Multiaddr>, more: Vec<Multiaddr>) {
    for addr in more {
        if known.len() < MAX_ADDRS && !known.contains(&addr) {
            known.push(addr);
        }
    }
}

/// The addresses that connected peers told us. The node hears each once, so they are kept for a
/// while after the peer has left.
#[derive(Default)]
pub(crate) struct Told {
    peers: HashMap<PeerId, Known>,
    order: VecDeque<PeerId>,
}

#[derive(Default)]
struct Known {
    addrs: Vec<Multiaddr>,
    /// It is a server, so its addresses belong into the routing table.
    server: bool,
}

impl Told {
    /// Notes an address; whether it belongs into the routing table.
    pub(crate) fn address(&mut self, peer: PeerId, addr: &Multiaddr) -> bool {
        let known = self.known(peer);
        merge(&mut known.addrs, vec![addr.clone()]);
        known.server
    }

    /// Notes that a peer is a server of the DHT; the addresses for the routing table.
    pub(crate) fn server(&mut self, peer: PeerId) -> Vec<Multiaddr> {
        let known = self.known(peer);
        known.server = true;
        known.addrs.clone()
    }

    fn known(&mut self, peer: PeerId) -> &mut Known {
        if !self.peers.contains_key(&peer) {
            if self.order.len() >= MAX_PEERS
                && let Some(oldest) = self.order.pop_front()
            {
                self.peers.remove(&oldest);
            }
            self.order.push_back(peer);
        }
        self.peers.entry(peer).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_stay_in_private_networks() {
        let (public, lan) = (Reach(Network::Public), Reach(Network::Lan));
        for (addr, everywhere, here) in [
            ("/ip4/9.9.9.9/tcp/4001", true, true),
            ("/ip6/2620:fe::9/udp/4001/quic-v1", true, true),
            ("/ip4/127.0.0.1/tcp/4001", false, true),
            ("/ip4/10.1.2.3/tcp/4001", false, true),
            ("/ip4/172.16.0.1/tcp/4001", false, true),
            ("/ip4/192.168.1.1/tcp/4001", false, true),
            ("/ip4/169.254.1.1/tcp/4001", false, true),
            ("/ip4/100.64.0.1/tcp/4001", false, true),
            ("/ip6/::1/tcp/4001", false, true),
            ("/ip6/fd00::1/tcp/4001", false, true),
            ("/ip6/fe80::1/tcp/4001", false, true),
            ("/ip6/2001:db8::1/tcp/4001", false, true),
            ("/ip4/0.0.0.0/tcp/4001", false, false),
            ("/ip4/240.0.0.1/tcp/4001", false, true),
            ("/dns4/example.org/tcp/4001", false, false),
        ] {
            let parsed: Multiaddr = addr.parse().unwrap();
            assert_eq!(public.fits(&parsed), everywhere, "{addr}");
            assert_eq!(lan.fits(&parsed), here, "{addr}");
        }
    }

    #[test]
    fn what_peers_tell_is_kept_within_limits() {
        let mut told = Told::default();
        let addr = |port: usize| format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
        let peer = PeerId::random();
        for port in 1..40 {
            assert!(!told.address(peer, &addr(port)));
        }
        assert_eq!(told.server(peer).len(), MAX_ADDRS);
        assert!(told.address(peer, &addr(1)));
        for _ in 0..MAX_PEERS {
            told.address(PeerId::random(), &addr(1));
        }
        assert_eq!(told.peers.len(), MAX_PEERS);
        assert!(!told.address(peer, &addr(1)), "forgotten by now");
    }
}
