//! What can go wrong on the network.

use std::time::Duration;

use vault_core::VaultId;

use crate::block::Refusal;

/// Why a node could not start, or could not fetch what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// An address in the configuration or in a ticket cannot be used.
    #[error("not a usable address: {0}")]
    Address(String),
    /// The node could not listen or its network stack did not start.
    #[error("the node could not start: {0}")]
    Start(String),
    /// No peer could be reached at any of its addresses.
    #[error("cannot reach {peer}: {reason}")]
    Unreachable {
        /// The peer id or endpoint id that was dialled.
        peer: String,
        /// What the network said.
        reason: String,
    },
    /// The peer gave no answer in the given time.
    #[error("no answer from {peer} within {after:?}")]
    Timeout {
        /// The peer id or endpoint id that was asked.
        peer: String,
        /// The time that was given.
        after: Duration,
    },
    /// The peer was reached and has no head for this vault.
    #[error("the peer has no head of vault {0}")]
    HeadNotFound(VaultId),
    /// The peer does not give what was asked to this one, or has no room.
    #[error("{peer} refuses: {why}")]
    Refused {
        /// The endpoint id that was asked.
        peer: String,
        /// What it says.
        why: Refusal,
    },
    /// The peer was reached and does not take part in this.
    #[error("{peer} does not answer such requests")]
    NotServed {
        /// The endpoint id that was asked.
        peer: String,
    },
    /// A message to a peer is over the limit of its protocol. Nothing was sent.
    #[error("a message of {len} bytes is over the limit of {max}")]
    TooLong {
        /// Its length, in bytes.
        len: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    Protocol(String),
    /// The caller's own function for taking in a block failed.
    #[error("a fetched block could not be stored: {0}")]
    Sink(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The caller's own data could not be read to be sent.
    #[error("what is to be sent could not be read: {0}")]
    Source(#[source] std::io::Error),
    /// This node takes no part in the DHT.
    #[error("this node takes no part in the DHT")]
    DhtOff,
    /// Nothing came of a question to the DHT, or of an announcement.
    #[error("{0}")]
    Dht(String),
    /// This build has no IPFS node: the crate was compiled without the feature `ipfs`.
    #[error("this build has no IPFS node")]
    NotBuilt,
    /// The node was stopped.
    #[error("the node is stopped")]
    Stopped,
}
