//! The settings of a home: `config.json`, written by a program or by hand.
//!
//! Nothing here is needed to use a vault. Without the file no server is ever asked but the nodes
//! that tickets name.

use serde::Deserialize;
use serde_json::{Map, Value};
use vault_core::Home;
use vault_core::record::{Sensitivity, SensitivityRule};
use vault_http::client::BaseUrl;

use crate::error::{Error, Exit, Result};

/// Name of the file in the home.
const FILE: &str = "config.json";
/// Longest accepted file, in bytes.
const MAX_LEN: usize = 256 << 10;

/// The settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The IPFS network.
    pub ipfs: Ipfs,
    /// Conversations between people's nodes.
    pub iroh: Iroh,
    /// The patient's node.
    pub serve: Serve,
    /// What files become when they are added.
    pub import: Import,
}

/// What files become when they are added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Import {
    /// Files with keys of the issuers of SMART Health Cards.
    pub issuer_keys: Vec<std::path::PathBuf>,
    /// More codes that make a record sensitive.
    pub sensitive: Vec<SensitiveCode>,
}

impl Import {
    /// Which codes make a record sensitive: the built-in rules, and those of the settings.
    pub fn sensitivity(&self) -> Sensitivity {
        let rules = self.sensitive.iter().map(|rule| rule.0.clone());
        Sensitivity::standard().with(rules)
    }
}

/// A rule for sensitive codes, `SYSTEM|CODE = LABEL`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SensitiveCode(pub SensitivityRule);

impl TryFrom<String> for SensitiveCode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rule = text.parse::<SensitivityRule>();
        rule.map(Self).map_err(|error| error.to_string())
    }
}

/// The IPFS network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ipfs {
    /// RPC address of the Kubo that keeps the blocks.
    pub api: Option<WebUrl>,
    /// Trustless gateways to fetch from.
    pub gateways: Vec<WebUrl>,
    /// Delegated routing servers to find and publish names at.
    pub routing: Vec<WebUrl>,
    /// Part in the distributed hash table.
    pub dht: Dht,
    /// Peers to enter the hash table by, multiaddrs that end in `/p2p/ID`.
    pub bootstrap: Vec<String>,
}

/// Conversations between people's nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Iroh {
    /// Relays that help nodes behind address translation to find each other.
    pub relays: Vec<WebUrl>,
}

/// The patient's node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Serve {
    /// Multiaddrs to serve blocks at.
    pub listen: Vec<String>,
    /// Where to serve heads.
    pub listen_heads: Option<std::net::SocketAddr>,
    /// Addresses under which others reach this node from outside.
    pub announce: Vec<String>,
    /// Blocks only for those who hold a grant.
    pub private: bool,
}

/// Part taken in the distributed hash table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dht {
    /// None: nobody is asked, nothing is announced.
    #[default]
    Off,
    /// Asks and announces.
    Client,
    /// Also answers others.
    Server,
}

/// An `http` or `https` address with a host, without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct WebUrl(String);

impl WebUrl {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for WebUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let url = BaseUrl::parse(&text).map_err(|error| error.to_string())?;
        Ok(Self(url.as_str().to_owned()))
    }
}

impl std::str::FromStr for WebUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::try_from(text.to_owned())
    }
}

/// The form of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One text.
    Text,
    /// Any number of texts.
    List,
    /// `true` or `false`.
    Flag,
}

/// A setting.
#[derive(Debug)]
pub struct Key {
    /// Its name, `part.name`.
    pub name: &'static str,
    /// The form of its value.
    pub form: Form,
    /// What it does.
    pub about: &'static str,
}

impl Key {
    /// The part it belongs to, and its name in there.
    fn path(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or(("", self.name))
    }
}

const fn key(name: &'static str, form: Form, about: &'static str) -> Key {
    Key { name, form, about }
}

/// Every setting there is.
pub const KEYS: &[Key] = &[
    key(
        "ipfs.api",
        Form::Text,
        "keep the blocks in the Kubo at this RPC address",
    ),
    key(
        "ipfs.gateways",
        Form::List,
        "trustless gateways to fetch from",
    ),
    key(
        "ipfs.routing",
        Form::List,
        "delegated routing servers for the vault's name",
    ),
    key(
        "ipfs.dht",
        Form::Text,
        "part in the hash table: off, client or server",
    ),
    key(
        "ipfs.bootstrap",
        Form::List,
        "peers to enter the hash table by",
    ),
    key(
        "iroh.relays",
        Form::List,
        "relays for nodes behind address translation",
    ),
    key("serve.listen", Form::List, "multiaddrs to serve blocks at"),
    key(
        "serve.listen_heads",
        Form::Text,
        "address to serve heads at, ip:port",
    ),
    key(
        "serve.announce",
        Form::List,
        "addresses under which others reach this node",
    ),
    key(
        "import.issuer_keys",
        Form::List,
        "files with keys of the issuers of health cards",
    ),
    key(
        "import.sensitive",
        Form::List,
        "codes that make a record sensitive: icd10cm|Z71* = PSY",
    ),
    key(
        "serve.private",
        Form::Flag,
        "serve blocks only to those who hold a grant",
    ),
];

/// The setting of this name.
///
/// # Errors
/// `no-setting`.
pub fn find(name: &str) -> Result<&'static Key> {
    KEYS.iter().find(|key| key.name == name).ok_or_else(|| {
        Error::new(
            Exit::NotFound,
            "no-setting",
            format!("there is no setting `{name}`"),
        )
        .hint("`medvault config list` shows all")
    })
}

/// The file: a map of maps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct File(Map<String, Value>);

impl File {
    /// Reads the file of a home; an absent one is empty.
    ///
    /// # Errors
    /// `bad-config`; a home that cannot be read.
    pub fn read(home: &Home) -> Result<Self> {
        match home.read_file(FILE)? {
            None => Ok(Self::default()),
            Some(bytes) if bytes.len() > MAX_LEN => Err(bad("too long")),
            Some(bytes) => serde_json::from_slice(&bytes).map(Self).map_err(bad),
        }
    }

    /// The settings in it.
    ///
    /// # Errors
    /// `bad-config`.
    pub fn config(&self) -> Result<Config> {
        serde_json::from_value(Value::Object(self.0.clone())).map_err(bad)
    }

    /// The values of a setting, as texts; `None` when it is not set.
    pub fn values(&self, key: &Key) -> Option<Vec<String>> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let (part, name) = key.path();
        match self.0.get(part)?.get(name)? {
            Value::Array(list) => Some(list.iter().map(text).collect()),
            one => Some(vec![text(one)]),
        }
    }

    /// Sets a setting.
    ///
    /// # Errors
    /// When the values are none for it; then nothing is changed.
    pub fn set(&mut self, key: &Key, values: &[String]) -> Result<()> {
        let value = match (key.form, values) {
            (Form::List, values) => Value::from(values),
            (Form::Text, [one]) => Value::from(one.as_str()),
            (Form::Flag, [one]) => match one.parse::<bool>() {
                Ok(flag) => Value::from(flag),
                Err(_) => return Err(Error::usage(format!("{}: say true or false", key.name))),
            },
            _ => return Err(Error::usage(format!("{} takes one value", key.name))),
        };
        let (part, name) = key.path();
        let mut changed = self.clone();
        let table = changed.0.entry(part).or_insert_with(|| Map::new().into());
        let Some(table) = table.as_object_mut() else {
            return Err(bad(format!("`{part}` is not a map")));
        };
        table.insert(name.to_owned(), value);
        let read: Result<Config, _> = serde_json::from_value(changed.0.clone().into());
        read.map_err(|error| {
            Error::usage(format!("{}: {error}", key.name))
                .hint("`medvault config list` shows what each setting is for")
        })?;
        *self = changed;
        Ok(())
    }

    /// Takes a setting out. Returns whether it was there.
    pub fn unset(&mut self, key: &Key) -> bool {
        let (part, name) = key.path();
        let table = self.0.get_mut(part).and_then(Value::as_object_mut);
        table.is_some_and(|table| table.remove(name).is_some())
    }

    /// Writes the file. [`Home::lock`] keeps others from writing meanwhile.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn write(&self, home: &Home) -> Result<()> {
        let mut text = serde_json::to_string_pretty(&self.0).map_err(std::io::Error::from)?;
        text.push('\n');
        Ok(home.write_file(FILE, text.as_bytes())?)
    }
}

fn bad(error: impl std::fmt::Display) -> Error {
    let what = format!("{FILE} in the home: {error}");
    Error::new(Exit::Usage, "bad-config", what)
        .hint("`medvault config list` shows the settings there are")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config> {
        File(serde_json::from_str(text).unwrap()).config()
    }

    #[test]
    fn every_setting_can_be_set_and_read() {
        let mut file = File::default();
        for key in KEYS {
            let value = match key.name {
                "ipfs.dht" => "client",
                "serve.listen_heads" => "127.0.0.1:4",
                "import.sensitive" => "icd10|Z71* = PSY",
                "serve.private" => "true",
                _ => "http://127.0.0.1:5001",
            };
            assert_eq!(file.values(key), None);
            file.set(key, &[value.to_owned()]).unwrap();
            assert_eq!(file.values(key), Some(vec![value.to_owned()]));
        }
        let config = file.config().unwrap();
        assert_eq!(config.ipfs.dht, Dht::Client);
        assert_eq!(config.ipfs.gateways[0].as_str(), "http://127.0.0.1:5001");
        assert!(config.serve.private);
        for key in KEYS {
            assert!(file.unset(key));
            assert!(!file.unset(key));
        }
        assert_eq!(file.config().unwrap(), Config::default());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            r#"{"ipfs": {"api": "ftp://x"}}"#,
            r#"{"ipfs": {"api": "http://"}}"#,
            r#"{"ipfs": {"api": "http://user:word@host"}}"#,
            r#"{"ipfs": {"dht": "always"}}"#,
            r#"{"ipfs": {"other": 1}}"#,
            r#"{"other": {}}"#,
            r#"{"serve": {"listen_heads": "here"}}"#,
        ] {
            assert_eq!(parse(text).unwrap_err().code, "bad-config", "{text}");
        }
        let mut file = File::default();
        let api = find("ipfs.api").unwrap();
        assert!(file.set(api, &["nowhere".to_owned()]).is_err());
        assert!(file.set(api, &[]).is_err());
        assert_eq!(file, File::default());
        assert!(find("ipfs.other").is_err());
    }
}
