//! One pinning service, as it is remembered.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::root::GivenRoot;

/// Longest name, in bytes.
const MAX_NAME: usize = 64;

/// The name that the patient gave a service. The service never sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceName(String);

/// The name cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a service's name has 1 to 64 bytes, no space and no control characters")]
pub struct ServiceNameError;

impl FromStr for ServiceName {
    type Err = ServiceNameError;

    fn from_str(text: &str) -> Result<Self, ServiceNameError> {
        let plain = |c: char| !c.is_control() && !c.is_whitespace();
        if text.is_empty() || text.len() > MAX_NAME || !text.chars().all(plain) {
            return Err(ServiceNameError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for ServiceName {
    type Error = ServiceNameError;

    fn try_from(text: String) -> Result<Self, ServiceNameError> {
        text.parse()
    }
}

impl From<ServiceName> for String {
    fn from(name: ServiceName) -> Self {
        name.0
    }
}

impl ServiceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the service's token comes from. The token itself is never kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenSource {
    /// The first line of a file.
    File(PathBuf),
    /// The first line that a shell command prints.
    Command(String),
}

/// What the last check of a service found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verified {
    /// When, in seconds since 1970-01-01 UTC.
    pub time: u64,
    /// Blocks that were asked for.
    pub sampled: u64,
    /// Those that the service could not give.
    pub missing: u64,
}

/// A pinning service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinService {
    /// What the patient calls it.
    pub name: ServiceName,
    /// Where its API is, a URL.
    pub endpoint: String,
    /// Where its token comes from.
    pub token: TokenSource,
    /// Every root it was asked to keep and may still keep, oldest first.
    pub roots: Vec<GivenRoot>,
    /// Multiaddrs of its own peers, as it named them last.
    pub delegates: Vec<String>,
    /// The last check.
    pub verified: Option<Verified>,
}

impl PinService {
    /// A service that has been given nothing yet.
    pub const fn new(name: ServiceName, endpoint: String, token: TokenSource) -> Self {
        Self {
            name,
            endpoint,
            token,
            roots: Vec::new(),
            delegates: Vec::new(),
            verified: None,
        }
    }

    /// The newest root that it said it holds.
    pub fn held(&self) -> Option<&GivenRoot> {
        self.roots.iter().rev().find(|root| root.is_held())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert!("home-server".parse::<ServiceName>().is_ok());
        for bad in ["", "a b", "a\nb", "\u{1b}[2J", &"a".repeat(65)] {
            assert!(bad.parse::<ServiceName>().is_err(), "{bad:?}");
        }
    }
}
