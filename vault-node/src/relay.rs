//! iroh relays, and addresses that others see.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use iroh::RelayUrl;

use crate::address::multiaddr;
use crate::error::NodeError;

/// The URL of an iroh relay: `https://`, or `http://` to a loopback address.
///
/// A relay passes sealed packets on between endpoints that cannot reach each other, and helps them
/// to find a direct way. It sees who talks to whom and how much, never what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay(RelayUrl);

impl Relay {
    pub(crate) fn url(&self) -> RelayUrl {
        self.0.clone()
    }
}

impl FromStr for Relay {
    type Err = NodeError;

    fn from_str(text: &str) -> Result<Self, NodeError> {
        let bad = || NodeError::Address(text.to_owned());
        let url: RelayUrl = text.parse().map_err(|_| bad())?;
        let host = url.host_str().ok_or_else(bad)?;
        let local = host
            .trim_matches(['[', ']'])
            .parse()
            .is_ok_and(|ip: IpAddr| ip.is_loopback());
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        match url.scheme() {
            "https" if plain => Ok(Self(url)),
            "http" if plain && local => Ok(Self(url)),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An address under which the node is reached from outside, such as one that a router forwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announced {
    /// For blocks over bitswap: a multiaddr of an IP address with TCP or QUIC.
    Blocks(String),
    /// For heads and blocks over iroh: a UDP address.
    Iroh(SocketAddr),
}

impl FromStr for Announced {
    type Err = NodeError;

    fn from_str(text: &str) -> Result<Self, NodeError> {
        let bad = || NodeError::Address(text.to_owned());
        if text.starts_with('/') {
            let addr = multiaddr(text)?;
            let nowhere = ["/ip4/0.0.0.0/", "/ip6/::/"];
            let open = addr.contains("/tcp/0") || addr.contains("/udp/0");
            let usable = !open && nowhere.iter().all(|start| !addr.starts_with(start));
            return usable.then_some(Self::Blocks(addr)).ok_or_else(bad);
        }
        let addr: SocketAddr = text.parse().map_err(|_| bad())?;
        let usable = !addr.ip().is_unspecified() && addr.port() != 0;
        usable.then_some(Self::Iroh(addr)).ok_or_else(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relays_speak_tls_unless_they_are_on_this_machine() {
        for good in [
            "https://relay.example.org",
            "https://relay.example.org:8443/",
            "http://127.0.0.1:3340",
            "http://[::1]:3340/",
        ] {
            let relay: Relay = good.parse().unwrap();
            assert_eq!(relay.to_string().parse::<Relay>().unwrap(), relay);
        }
        for bad in [
            "",
            "relay.example.org",
            "http://relay.example.org",
            "http://192.0.2.1:80",
            "http://localhost.example.org",
            "https://user:word@relay.example.org",
            "https://relay.example.org/?token=1",
            "ftp://127.0.0.1",
        ] {
            assert!(
                matches!(bad.parse::<Relay>(), Err(NodeError::Address(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn announced_addresses_lead_somewhere() {
        let addr = "/ip4/192.0.2.1/tcp/4001";
        assert_eq!(
            addr.parse::<Announced>().unwrap(),
            Announced::Blocks(addr.into())
        );
        assert!(matches!(
            "[2001:db8::1]:4002".parse(),
            Ok(Announced::Iroh(_))
        ));
        for bad in [
            "192.0.2.1",
            "0.0.0.0:4001",
            "192.0.2.1:0",
            "/ip4/0.0.0.0/tcp/4001",
            "/ip4/192.0.2.1/tcp/0",
            "/dns4/example.org/tcp/4001",
        ] {
            assert!(bad.parse::<Announced>().is_err(), "{bad}");
        }
    }
}
