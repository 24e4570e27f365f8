//! Deposits over iroh: what others bring to a node, decided before a byte of it is read.
//!
//! ALPN `medvault/deposit/1` (`docs/SPEC.md`, section 18.5). One stream per deposit: an
//! announcement, the node's word whether to go ahead, the body, an answer. What is announced,
//! taken and answered is decided elsewhere; here it is bytes.

mod message;
mod send;
pub(crate) mod serve;

pub use message::{MAX_DEPOSIT_ANNOUNCEMENT, MAX_DEPOSIT_ANSWER, MAX_DEPOSIT_REFUSAL};
pub use send::DepositAnswer;
pub use serve::{DepositHandler, DepositSink, DepositStats};

/// The protocol's name in the QUIC handshake.
pub(crate) const ALPN: &[u8] = b"medvault/deposit/1";
/// Largest part of a body that is handed on at once, in bytes.
pub(crate) const PART: usize = 64 << 10;
/// Parts that wait between the network and whoever reads or writes the body.
pub(crate) const QUEUE: usize = 4;
