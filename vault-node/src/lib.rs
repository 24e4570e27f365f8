//! MedVault on the network: the only crate that links an IPFS node and iroh.
//!
//! - [`Node`]: an embedded IPFS node and an iroh endpoint behind a blocking interface
//! - [`HeadSource`]: where a node takes the signed heads from that it gives out
//! - [`Access`]: who may read blocks
//!
//! Blocks travel over bitswap, in an implementation of our own inside the embedded node (see
//! `bitswap`), so that any IPFS node can fetch from us and we from it; heads travel over iroh.
//! Nothing here is trusted: every block is checked against its CID and every head is signed.
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod address;
mod bitswap;
mod error;
mod head;
mod node;
mod nothing;

pub use address::{peer_address, peer_id};
pub use bitswap::engine::{Access, Stats};
pub use bitswap::fetch::{BlockSink, FetchReport};
pub use error::NodeError;
pub use head::HeadSource;
pub use node::{Node, NodeConfig};
