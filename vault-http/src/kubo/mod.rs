//! Kubo, the IPFS node that many people run already: the vault's blocks in its repository, under
//! named pins, and its network as the vault's.
//!
//! Kubo is not trusted: what it hands out is checked by its hash, and it learns what any IPFS node
//! learns that keeps the vault.

mod batch;
mod node;
mod pins;
mod rpc;
mod store;

use vault_core::StoreError;

pub use node::KuboNode;
pub use store::KuboStore;

/// Why Kubo could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum KuboError {
    /// Not a URL of the form `http://HOST:PORT` or `https://…`.
    #[error("not the URL of a Kubo RPC: {0:?}")]
    Url(String),
    /// A token for a Kubo elsewhere, over a line that anyone can read.
    #[error("a token is not sent over plain http to {0}")]
    OpenToken(String),
    /// Nobody answers, or the answer broke off.
    #[error("kubo at {url} does not answer: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// Kubo wants a token, or another one.
    #[error("kubo at {0} refuses access without the right token")]
    Unauthorized(String),
    /// Kubo said no.
    #[error("kubo at {url}: {message}")]
    Refused {
        /// Where.
        url: String,
        /// What it said.
        message: String,
    },
    /// Kubo's key is of a kind that tickets cannot name.
    #[error("kubo's peer id {0} is not an Ed25519 key; tickets need one")]
    PeerKey(String),
}

impl KuboError {
    /// Whether Kubo said that it does not have a block. It has no code for that, only words.
    fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { message, .. }
            if message.contains("not found") || message.contains("could not find"))
    }
}

impl From<KuboError> for StoreError {
    fn from(error: KuboError) -> Self {
        Self::Remote(error.to_string())
    }
}
