//! Blocks over iroh, for readers who hold a grant.
//!
//! ALPN `medvault/block/1` (`docs/SPEC.md`, section 18.3). The reader opens a stream for its signed
//! statement, then one for each request; the patient's node answers the blocks of a request one
//! after the other, as fast as the connection takes them, so that no block waits for a question.

pub(crate) mod fetch;
mod message;
pub(crate) mod serve;

use vault_core::{Block, Cid};

pub use message::Refusal;

/// The protocol's name in the QUIC handshake.
pub(crate) const ALPN: &[u8] = b"medvault/block/1";

/// What a fetch brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchReport {
    /// Blocks handed to the caller.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blocks that no peer gave: each peer said it does not have them, was lost, or stayed silent.
    pub missing: Vec<Cid>,
}

/// A caller's function that takes in one block.
pub type BlockSink<'a> =
    dyn FnMut(Block) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + 'a;
