//! The node, and keeping up to date.

use super::share::SenderSync;

/// How a node is started. What else it needs is in the settings: `iroh.relays`, `serve.announce`.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NodeOptions {
    /// Listen on 127.0.0.1 only, for tests.
    #[uniffi(default = false)]
    pub local_only: bool,
    /// Give blocks only to those who hold a grant.
    #[uniffi(default = true)]
    pub private: bool,
}

/// A running node.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NodeStatus {
    /// Its name on the IPFS network.
    pub peer_id: String,
    /// Where it gives out blocks over bitswap; none in a build without rust-ipfs.
    pub addresses: Vec<String>,
    /// Where it is reached over iroh.
    pub endpoint: Vec<String>,
    /// Relays that lead to it.
    pub relays: Vec<String>,
    /// Heads given out since it started.
    pub heads_sent: u64,
    /// Blocks sent.
    pub blocks_sent: u64,
    /// Requests for keys that were granted.
    pub keys_given: u64,
    /// Requests for keys that were turned down.
    pub keys_denied: u64,
    /// Deposits that came whole.
    pub deposits_taken: u64,
}

/// What keeping up to date brought.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SyncReport {
    /// Whether everything was done in the time given.
    pub finished: bool,
    /// Number of the own head.
    pub head: u64,
    /// Whether the own head was renewed, or grants whose time was over were ended.
    pub renewed: bool,
    /// Senders from whom the newest was fetched.
    pub senders: Vec<SenderSync>,
    /// Deposits that wait for a decision.
    pub deposits_waiting: u32,
    /// What failed, one line each, for people.
    pub problems: Vec<String>,
}
