//! MedVault on the network: the only crate that links an IPFS node and iroh.
//!
//! - [`Node`]: an embedded IPFS node and an iroh endpoint behind a blocking interface
//! - [`HeadSource`]: where a node takes the signed heads from that it gives out
//! - [`Access`]: who may read blocks over bitswap
//! - [`AccessHandler`], [`DepositHandler`]: what answers requests for access, and takes deposits
//! - [`Relay`], [`Announced`]: how a node behind a router is reached
//!
//! Blocks travel over bitswap, in an implementation of our own inside the embedded node (see
//! `bitswap`), so that any IPFS node can fetch from us and we from it; heads travel over iroh, and
//! so do blocks for those who hold a grant (see `block`), requests for access (`access`) and deposits
//! (`deposit`).
//! Nothing here is trusted: every block is checked against its CID and every head is signed.
//!
//! # Features
//! `ipfs` (on by default): the embedded IPFS node. Without it, as for phones, a [`Node`] is an iroh
//! endpoint only. The interface stays the same: the node still has a peer id, but no addresses go
//! with it; fetching over bitswap and every call of the DHT give [`NodeError::NotBuilt`].
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod accept;
mod access;
mod address;
#[cfg(feature = "ipfs")]
mod bitswap;
mod block;
mod config;
mod deposit;
mod endpoint;
mod error;
mod exchange;
mod head;
#[cfg(feature = "ipfs")]
mod ipfs;
#[cfg(not(feature = "ipfs"))]
#[path = "ipfs/absent.rs"]
mod ipfs;
mod naming;
mod node;
mod nothing;
mod relay;

pub use access::{AccessHandler, AccessStats, MAX_ACCESS_REPLY, MAX_ACCESS_REQUEST};
pub use address::{parse_peer_id, peer_address, peer_id};
pub use block::fetch::Route;
pub use block::serve::ReaderSource;
pub use block::{BlockSink, FetchReport, Refusal};
pub use config::{Access, IrohStats, NodeConfig, Stats};
pub use deposit::{
    DepositAnswer, DepositHandler, DepositSink, DepositStats, MAX_DEPOSIT_ANNOUNCEMENT,
    MAX_DEPOSIT_ANSWER, MAX_DEPOSIT_REFUSAL,
};
pub use error::NodeError;
pub use head::HeadSource;
pub use naming::{DhtConfig, best_record};
pub use node::Node;
pub use relay::{Announced, Relay};
