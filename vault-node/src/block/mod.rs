//! Blocks over iroh, for readers who hold a grant.
//!
//! ALPN `medvault/block/1` (`docs/SPEC.md`, section 18.3). The reader opens a stream for its signed
//! statement, then one for each request; the patient's node answers the blocks of a request one
//! after the other, as fast as the connection takes them, so that no block waits for a question.

pub(crate) mod fetch;
mod message;
pub(crate) mod serve;

pub use message::Refusal;

/// The protocol's name in the QUIC handshake.
pub(crate) const ALPN: &[u8] = b"medvault/block/1";
