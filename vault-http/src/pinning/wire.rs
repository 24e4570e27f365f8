//! The JSON of the API: what we send, and the part of what comes back that we use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vault_core::pinning::{PinStatus, RequestId};

use super::{PinRequest, PinningError, RemotePin};

/// Most delegates that are taken from one answer.
const MAX_DELEGATES: usize = 20;

/// Longest multiaddr, in bytes.
const MAX_ADDR: usize = 512;

/// Longest detail that is kept, in characters.
const MAX_DETAIL: usize = 200;

/// Object `Pin`, as we send it.
#[derive(Serialize)]
pub(super) struct PinWire {
    cid: String,
    /// Some services insist on a name. It is drawn anew each time and tells nothing.
    name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    origins: Vec<String>,
}

impl PinWire {
    pub(super) fn new(request: &PinRequest<'_>, most: usize) -> Self {
        let name: [u8; 8] = vault_core::random::array();
        Self {
            cid: request.cid.to_string(),
            name: name.iter().map(|byte| format!("{byte:02x}")).collect(),
            origins: request.origins.iter().take(most).cloned().collect(),
        }
    }
}

/// Object `PinResults`.
#[derive(Deserialize)]
pub(super) struct PinResults {
    pub(super) count: u64,
    pub(super) results: Vec<PinStatusWire>,
}

impl PinResults {
    /// When the oldest of the page was made: what the next page comes before.
    pub(super) fn oldest(&self) -> Option<String> {
        let made = self.results.iter().filter_map(|pin| pin.created.clone());
        made.min_by_key(|text| text.parse::<jiff::Timestamp>().ok())
    }
}

/// Object `PinStatus`.
#[derive(Deserialize)]
pub(super) struct PinStatusWire {
    requestid: String,
    status: Status,
    created: Option<String>,
    pin: PinRead,
    #[serde(default)]
    delegates: Option<Vec<String>>,
    #[serde(default)]
    info: Option<BTreeMap<String, serde_json::Value>>,
}

/// Object `Pin`, as it comes back.
#[derive(Deserialize)]
struct PinRead {
    cid: String,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Status {
    Queued,
    Pinning,
    Pinned,
    Failed,
}

impl PinStatusWire {
    pub(super) fn parse(self) -> Result<RemotePin, PinningError> {
        let request: RequestId = self
            .requestid
            .parse()
            .map_err(|_| PinningError::Nonsense("a request id cannot be used"))?;
        let mut delegates = self.delegates.unwrap_or_default();
        delegates
            .retain(|addr| addr.len() <= MAX_ADDR && addr.bytes().all(|b| b.is_ascii_graphic()));
        delegates.truncate(MAX_DELEGATES);
        let details = self
            .info
            .as_ref()
            .and_then(|info| info.get("status_details"));
        Ok(RemotePin {
            request,
            status: match self.status {
                Status::Queued => PinStatus::Queued,
                Status::Pinning => PinStatus::Pinning,
                Status::Pinned => PinStatus::Pinned,
                Status::Failed => PinStatus::Failed,
            },
            cid: self.pin.cid,
            delegates,
            details: details.and_then(serde_json::Value::as_str).map(printable),
        })
    }
}

fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_DETAIL)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"requestid":"UniqueIdOfPinRequest","status":"failed",
        "created":"2020-07-27T17:32:28.276Z","unknown":[1],
        "pin":{"cid":"QmCIDToBePinned","name":"x","origins":[],"meta":{"a":"b"}},
        "delegates":["/ip4/203.0.113.1/tcp/4001/p2p/QmServicePeerId","bad\n"],
        "info":{"status_details":"no \u001bpeers","more":{"x":1}}}"#;

    #[test]
    fn the_specifications_example_is_read_and_unknown_fields_are_passed_over() {
        let wire: PinStatusWire = serde_json::from_str(GOOD).unwrap();
        let pin = wire.parse().unwrap();
        assert_eq!(pin.request.as_str(), "UniqueIdOfPinRequest");
        assert_eq!(pin.status, PinStatus::Failed);
        assert_eq!(pin.delegates.len(), 1);
        assert_eq!(pin.details.as_deref(), Some("no peers"));
    }

    #[test]
    fn what_we_use_is_read_strictly() {
        for (from, to) in [
            ("\"failed\"", "\"lost\""),
            ("\"failed\"", "7"),
            ("\"requestid\":\"UniqueIdOfPinRequest\",", ""),
            ("\"cid\":\"QmCIDToBePinned\",", ""),
        ] {
            assert!(serde_json::from_str::<PinStatusWire>(&GOOD.replace(from, to)).is_err());
        }
        let odd = GOOD.replace("UniqueId", "Unique Id");
        let wire: PinStatusWire = serde_json::from_str(&odd).unwrap();
        assert!(wire.parse().is_err());
    }

    #[test]
    fn no_mutation_panics() {
        for _ in 0..20_000 {
            let mut bytes = GOOD.as_bytes().to_vec();
            let random: [u8; 8] = vault_core::random::array();
            let at = usize::from(u16::from_le_bytes([random[0], random[1]])) % bytes.len();
            match random[2] % 3 {
                0 => bytes[at] = random[3],
                1 => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
            if let Ok(wire) = serde_json::from_slice::<PinStatusWire>(&bytes) {
                let _ = wire.parse();
            }
        }
    }

    #[test]
    fn names_tell_nothing_and_differ() {
        let cid: vault_core::Cid = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"
            .parse()
            .unwrap();
        let origins = vec!["/ip4/127.0.0.1/tcp/1/p2p/x".to_owned(); 30];
        let request = PinRequest {
            cid,
            origins: &origins,
        };
        let [a, b] = [(); 2].map(|()| PinWire::new(&request, 20));
        assert_eq!(a.name.len(), 16);
        assert_ne!(a.name, b.name);
        assert_eq!(a.origins.len(), 20);
        let json = serde_json::to_value(&a).unwrap();
        assert_eq!(json.as_object().unwrap().len(), 3);
    }
}
