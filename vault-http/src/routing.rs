//! Delegated routing: who has a block, and what stands under a name, asked of a server that takes
//! part in the network for us.
//!
//! Nothing it says is trusted: a record carries the signature of its name, and a provider is only
//! an address at which blocks may be had. Source: specs.ipfs.tech/routing/http-routing-v1.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use serde::Deserialize;
use vault_core::{Cid, IpnsError, IpnsName, IpnsRecord, MAX_IPNS_RECORD_LEN, PublicKey};

use crate::client::{BaseUrl, Http, HttpError, Method, Options, Timeouts};

/// How long a server may take; it may have to ask a whole network.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(30),
    silence: Duration::from_secs(30),
    total: Some(Duration::from_secs(60)),
};

const IPNS_RECORD: &str = "application/vnd.ipfs.ipns-record";
const LINES: &str = "application/x-ndjson";
/// Longest list of providers that is read, in bytes.
const MAX_LIST: u64 = 1 << 20;
/// Most providers that are taken.
const MAX_PROVIDERS: usize = 32;
/// Most addresses of a provider that are taken.
const MAX_ADDRS: usize = 16;

/// Why a routing server's answer was not taken.
#[derive(Debug, thiserror::Error)]
pub enum RoutingError {
    /// There was no answer, or it was a refusal.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The server knows no record under this name.
    #[error("no record is known under this name")]
    NoRecord,
    /// The record is not one of the name that was asked for.
    #[error(transparent)]
    Record(#[from] IpnsError),
}

/// Somebody who says to have a block, and whom we can dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// The libp2p key.
    pub peer: PublicKey,
    /// Multiaddrs without the peer id: IP with TCP or QUIC.
    pub addrs: Vec<String>,
}

/// One delegated routing server.
#[derive(Clone)]
pub struct Routing {
    http: Http,
}

impl Routing {
    /// A server at an address such as `https://routing.example`; `/routing/v1` below it may be
    /// named or not. Nothing is contacted yet.
    ///
    /// # Errors
    /// None for a parsed address; the client's rules are checked all the same.
    pub fn new(base: BaseUrl) -> Result<Self, HttpError> {
        Self::with_timeouts(base, TIMEOUTS)
    }

    /// The same with another patience.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_timeouts(base: BaseUrl, timeouts: Timeouts) -> Result<Self, HttpError> {
        let shorter = base.as_str().strip_suffix("/routing/v1");
        let base = shorter
            .and_then(|text| BaseUrl::parse(text).ok())
            .unwrap_or(base);
        let options = Options {
            timeouts,
            redirects: 0,
        };
        let http = Http::with_options(base, None, options)?;
        Ok(Self { http })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        self.http.base().as_str()
    }

    /// Fetches the record under a name and checks it; `now` in seconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`RoutingError`].
    pub fn get_name(&self, name: &IpnsName, now: u64) -> Result<IpnsRecord, RoutingError> {
        let name_text = name.to_string();
        let answer = self
            .http
            .get(&["routing", "v1", "ipns", &name_text])
            .header("accept", IPNS_RECORD)
            .send()
            .map_err(|error| match error {
                HttpError::NotFound { .. } => RoutingError::NoRecord,
                other => other.into(),
            })?;
        // servers of the newer specification say "no record" with 200 and a text
        let is_record = |kind: &str| kind.starts_with(IPNS_RECORD);
        if !answer.header("content-type").is_some_and(is_record) {
            return Err(RoutingError::NoRecord);
        }
        let bytes = answer.bytes(MAX_IPNS_RECORD_LEN as u64)?;
        Ok(IpnsRecord::from_bytes(&bytes, name, now)?)
    }

    /// Hands in the record of a name, for the network to keep.
    ///
    /// # Errors
    /// [`RoutingError::Http`].
    pub fn put_name(&self, name: &IpnsName, record: &IpnsRecord) -> Result<(), RoutingError> {
        let name_text = name.to_string();
        self.http
            .request(Method::Put, &["routing", "v1", "ipns", &name_text])
            .send_reader(IPNS_RECORD, &mut record.as_bytes())?;
        Ok(())
    }

    /// Asks who has a block. Those whom we cannot dial are left out.
    ///
    /// # Errors
    /// [`RoutingError::Http`].
    pub fn providers(&self, cid: &Cid) -> Result<Vec<Provider>, RoutingError> {
        let cid_text = cid.to_string();
        let answer = self
            .http
            .get(&["routing", "v1", "providers", &cid_text])
            .header("accept", format!("{LINES}, application/json;q=0.9"))
            .send();
        let answer = match answer {
            Err(HttpError::NotFound { .. }) => return Ok(Vec::new()),
            other => other?,
        };
        let in_lines = answer
            .header("content-type")
            .is_some_and(|kind| kind.starts_with(LINES));
        let bytes = answer.bytes(MAX_LIST)?;
        read_providers(&bytes, in_lines)
            .ok_or_else(|| HttpError::Malformed("not a list of providers".into()).into())
    }
}

impl fmt::Debug for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Routing({})", self.url())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    providers: Option<Vec<serde_json::Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Peer {
    schema: String,
    #[serde(rename = "ID")]
    id: String,
    #[serde(default)]
    addrs: Option<Vec<String>>,
    #[serde(default)]
    protocols: Option<Vec<String>>,
}

/// Reads a list in either form; `None` when it is in neither. Entries of schemas that we do not
/// know are passed over, as the specification asks.
fn read_providers(bytes: &[u8], in_lines: bool) -> Option<Vec<Provider>> {
    let values: Vec<serde_json::Value> = match in_lines {
        true => bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.trim_ascii().is_empty())
            .map(|line| serde_json::from_slice(line).ok())
            .collect::<Option<_>>()?,
        false => serde_json::from_slice::<List>(bytes).ok()?.providers?,
    };
    let peers = values.into_iter().filter_map(|value| provider(value).ok()?);
    Some(peers.take(MAX_PROVIDERS).collect())
}

fn provider(value: serde_json::Value) -> Result<Option<Provider>, serde_json::Error> {
    let peer: Peer = serde_json::from_value(value)?;
    let by_bitswap = peer
        .protocols
        .as_ref()
        .is_none_or(|list| list.is_empty() || list.iter().any(|name| name == "transport-bitswap"));
    let Ok(name) = peer.id.parse::<IpnsName>() else {
        return Ok(None);
    };
    let addrs = peer.addrs.unwrap_or_default();
    let addrs: Vec<String> = addrs
        .iter()
        .filter_map(|addr| dialable(addr, &name))
        .take(MAX_ADDRS)
        .collect();
    let wanted = peer.schema == "peer" && by_bitswap && !addrs.is_empty();
    Ok(wanted.then_some(Provider {
        peer: *name.key(),
        addrs,
    }))
}

/// The address without the peer id, if it is of a kind that our node dials: an IP address with TCP
/// or QUIC.
fn dialable(addr: &str, name: &IpnsName) -> Option<String> {
    let plain = match addr.split_once("/p2p/") {
        Some((plain, id)) if id.parse() == Ok(*name) => plain,
        Some(_) => return None,
        None => addr,
    };
    let parts: Vec<&str> = plain.strip_prefix('/')?.split('/').collect();
    let (ip, port) = match parts.as_slice() {
        [family, ip, "tcp", port] | [family, ip, "udp", port, "quic-v1"] => {
            let ip = match *family {
                "ip4" => ip.parse::<Ipv4Addr>().is_ok(),
                "ip6" => ip.parse::<Ipv6Addr>().is_ok(),
                _ => false,
            };
            (ip, port)
        }
        _ => return None,
    };
    let port = port.parse::<u16>().is_ok_and(|port| port > 0);
    (ip && port).then(|| plain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5";
    const OTHER: &str = "12D3KooWRndVhVZPCiQwHBBBdg769GyrPUW13zxwqQyf9r3ANaba";

    fn peer(schema: &str, id: &str, addrs: &[&str], protocols: &str) -> String {
        format!(
            r#"{{"Schema":"{schema}","ID":"{id}","Addrs":{addrs:?},"Protocols":{protocols},"Extra":1}}"#
        )
    }

    #[test]
    fn both_forms_of_a_list_are_read() {
        let addr = "/ip4/127.0.0.1/tcp/4001";
        let one = peer("peer", ID, &[addr], r#"["transport-bitswap"]"#);
        let two = peer("peer", OTHER, &[addr], "null");
        let other = peer("unknown", ID, &[addr], "[]");
        let lines = format!("{one}\n{other}\n\n{two}\n");
        let list = format!(r#"{{"Providers":[{one},{{"Schema":7}},{other},{two}]}}"#);
        let read = read_providers(lines.as_bytes(), true).unwrap();
        assert_eq!(read_providers(list.as_bytes(), false).unwrap(), read);
        let keys: Vec<_> = read.iter().map(|p| IpnsName::new(p.peer)).collect();
        assert_eq!(keys, [ID.parse().unwrap(), OTHER.parse().unwrap()]);
        assert!(read.iter().all(|provider| provider.addrs == [addr]));
        for (bytes, in_lines) in [
            (&b"{"[..], true),
            (b"[]", false),
            (b"{}", false),
            (b"", false),
            (b"\xff", true),
        ] {
            assert_eq!(read_providers(bytes, in_lines), None, "{bytes:?}");
        }
        assert_eq!(read_providers(b"", true).unwrap(), []);
    }

    #[test]
    fn only_those_whom_we_can_dial_are_taken() {
        let one = |id: &str, addrs: &[&str], protocols: &str| {
            let line = peer("peer", id, addrs, protocols);
            read_providers(line.as_bytes(), true).unwrap().pop()
        };
        let name: IpnsName = ID.parse().unwrap();
        let with_id = format!("/ip6/::1/udp/4001/quic-v1/p2p/{ID}");
        let good = one(ID, &[&with_id, "/dns4/example.org/tcp/1"], "[]").unwrap();
        assert_eq!(good.addrs, ["/ip6/::1/udp/4001/quic-v1"]);
        assert_eq!(good.peer, *name.key());
        for bad in [
            format!("/ip4/127.0.0.1/tcp/4001/p2p/{OTHER}"),
            format!("/ip4/127.0.0.1/tcp/4001/p2p/{ID}/p2p-circuit"),
            "/ip4/127.0.0.1/tcp/4001/ws".into(),
            "/ip4/127.0.0.1/udp/4001".into(),
            "/ip4/::1/tcp/4001".into(),
            "/ip4/127.0.0.1/tcp/0".into(),
            "/ip4/127.0.0.1/tcp/x".into(),
            "ip4/127.0.0.1/tcp/1".into(),
            String::new(),
        ] {
            assert_eq!(one(ID, &[&bad], "[]"), None, "{bad}");
        }
        let addr = "/ip4/127.0.0.1/tcp/4001";
        assert_eq!(one(ID, &[addr], r#"["transport-graphsync"]"#), None);
        let rsa = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG";
        assert_eq!(one(rsa, &[addr], "[]"), None);
    }

    #[test]
    fn lists_without_end_are_cut() {
        let addrs = ["/ip4/127.0.0.1/tcp/4001"; 100];
        let line = peer("peer", ID, &addrs, "[]");
        let read = read_providers([line.as_str(); 100].join("\n").as_bytes(), true).unwrap();
        assert_eq!(read.len(), MAX_PROVIDERS);
        assert_eq!(read[0].addrs.len(), MAX_ADDRS);
    }
}
