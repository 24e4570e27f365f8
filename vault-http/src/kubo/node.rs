//! Kubo as the vault's node: what it is called, and what it publishes.

use std::time::Duration;

use data_encoding::BASE64;
use serde::Deserialize;
use vault_core::{Cid, IpnsName, IpnsRecord, PublicKey};

use super::KuboError;
use super::rpc::{Command, Rpc};

/// What stands before an Ed25519 key in its protobuf form: type 1, 32 bytes of key (libp2p
/// specification, "Peer IDs").
const KEY_PREFIX: [u8; 4] = [0x08, 0x01, 0x12, 0x20];
/// The kind of event that carries a value.
const VALUE: u8 = 5;

/// A Kubo's side that faces the network.
pub struct KuboNode {
    rpc: Rpc,
}

#[derive(Deserialize)]
struct Id {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "PublicKey")]
    key: String,
    #[serde(rename = "Addresses", default)]
    addresses: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Type")]
    kind: u8,
    #[serde(rename = "Extra", default)]
    extra: String,
}

impl KuboNode {
    /// The Kubo at `url`; see [`super::KuboStore::new`]. Nobody is contacted yet.
    ///
    /// # Errors
    /// [`KuboError::Url`]; [`KuboError::OpenToken`].
    pub fn new(url: &str, token: Option<&str>) -> Result<Self, KuboError> {
        Ok(Self {
            rpc: Rpc::new(url, token)?,
        })
    }

    /// Kubo's libp2p key, and its addresses as multiaddrs without the peer id.
    ///
    /// # Errors
    /// [`KuboError::PeerKey`] when the key is not of Ed25519.
    pub fn address(&self) -> Result<(PublicKey, Vec<String>), KuboError> {
        let id: Id = self.rpc.json(&Command::new("id"))?;
        let key = BASE64.decode(id.key.as_bytes()).ok();
        let key = key.and_then(|key| key.strip_prefix(&KEY_PREFIX)?.try_into().ok());
        let key = key.ok_or_else(|| KuboError::PeerKey(id.id.clone()))?;
        let mut addrs: Vec<String> = Vec::new();
        for addr in id.addresses.unwrap_or_default() {
            let plain = addr.split("/p2p/").next().unwrap_or_default().to_owned();
            // an address behind a relay is the relay's
            if !addr.contains("/p2p-circuit") && !addrs.contains(&plain) {
                addrs.push(plain);
            }
        }
        Ok((PublicKey::from_bytes(key), addrs))
    }

    /// Hands Kubo an IPNS record to publish as its configuration says. Kubo never gets the key. A
    /// Kubo that takes part in no routing keeps the record for those who ask it.
    ///
    /// # Errors
    /// [`KuboError::Refused`] for a record that is older than one it has.
    pub fn publish(&self, name: &IpnsName, record: &IpnsRecord) -> Result<(), KuboError> {
        let command = Command::new("routing/put")
            .option("arg", format!("/ipns/{name}"))
            .option("allow-offline", "true");
        self.rpc
            .lines::<serde_json::Value>(&command.long(), Some(record.as_bytes()))?;
        Ok(())
    }

    /// Asks Kubo's routing for the newest record of a name; `None` when it finds none that is
    /// signed by the name's key and has not ended at `now`, in seconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`KuboError`].
    pub fn resolve(
        &self,
        name: &IpnsName,
        now: u64,
        timeout: Duration,
    ) -> Result<Option<IpnsRecord>, KuboError> {
        let command = Command::new("routing/get")
            .option("arg", format!("/ipns/{name}"))
            .option("timeout", format!("{}ms", timeout.as_millis()));
        let events = match self.rpc.lines::<Event>(&command, None) {
            Err(error) if error.is_missing() => return Ok(None),
            other => other?,
        };
        let values = events.iter().filter(|event| event.kind == VALUE);
        let records = values.filter_map(|event| {
            let bytes = BASE64.decode(event.extra.as_bytes()).ok()?;
            IpnsRecord::from_bytes(&bytes, name, now).ok()
        });
        Ok(records.reduce(|best, next| if next.supersedes(&best) { next } else { best }))
    }

    /// Has Kubo tell its routing that it has this block, which must be in its repository.
    ///
    /// # Errors
    /// [`KuboError::Refused`] when Kubo takes part in no routing.
    pub fn provide(&self, cid: &Cid) -> Result<(), KuboError> {
        let command = Command::new("routing/provide").option("arg", cid);
        self.rpc.lines::<serde_json::Value>(&command.long(), None)?;
        Ok(())
    }
}
