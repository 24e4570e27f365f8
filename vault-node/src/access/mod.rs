//! Questions about access, and their answers, over iroh.
//!
//! ALPN `medvault/access/1` (`docs/SPEC.md`, section 18.5). One stream per message: the asker
//! writes one message and ends the stream, the node answers with one and ends it. The connection
//! stays open, so that each further message costs one round trip. What the messages say is
//! decided elsewhere; here they are bytes.

mod ask;
pub(crate) mod serve;

pub use serve::{AccessHandler, AccessStats};

/// The protocol's name in the QUIC handshake.
pub(crate) const ALPN: &[u8] = b"medvault/access/1";
/// Longest message to a node, in bytes.
pub const MAX_ACCESS_REQUEST: usize = 64 << 10;
/// Longest answer of a node, in bytes.
pub const MAX_ACCESS_REPLY: usize = 256 << 10;
