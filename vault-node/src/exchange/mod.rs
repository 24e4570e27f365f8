//! What the protocols of questions and answers have in common ([`crate::access`],
//! [`crate::deposit`]): one bidirectional stream per exchange, connections that stay open, and
//! limits that make a bad peer harm only itself.

pub(crate) mod client;
pub(crate) mod places;
pub(crate) mod server;

use iroh::endpoint::{SendStream, VarInt, WriteError};

/// Why a connection is closed, or a stream of it reset.
pub(crate) mod code {
    use super::VarInt;

    /// The peer broke the protocol, or its message could not be answered.
    pub(crate) const BROKEN: VarInt = VarInt::from_u32(1);
    /// Too many connections, of this peer or in all.
    pub(crate) const BUSY: VarInt = VarInt::from_u32(2);
    /// The node does not serve this protocol.
    pub(crate) const NOT_SERVED: VarInt = VarInt::from_u32(3);
    /// The node ends what is idle. Every message that it took has its answer, so what has none was
    /// not taken, and may be sent again on another connection.
    pub(crate) const QUIET: VarInt = VarInt::from_u32(4);
    /// The sender has given up what it was sending.
    pub(crate) const ABANDONED: VarInt = VarInt::from_u32(5);
}

/// A stream that is reset unless it was ended on purpose: a message that breaks off must not look
/// like a shorter one.
pub(crate) struct Outgoing {
    stream: SendStream,
    /// What the peer is told if it breaks off.
    pub(crate) otherwise: VarInt,
}

impl Outgoing {
    pub(crate) fn new(stream: SendStream, otherwise: VarInt) -> Self {
        Self { stream, otherwise }
    }

    /// Writes all of `bytes`.
    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.stream.write_all(bytes).await
    }

    /// Writes some of `bytes`, and returns how many.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<usize, WriteError> {
        self.stream.write(bytes).await
    }

    /// Ends the stream.
    pub(crate) fn finish(&mut self) -> Result<(), WriteError> {
        self.stream.finish().map_err(WriteError::from)
    }

    /// Waits until the peer has everything, or wants no more of it. `None` when the connection
    /// was lost.
    pub(crate) async fn taken(&self) -> Option<()> {
        self.stream.stopped().await.ok().map(drop)
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        let _ = self.stream.reset(self.otherwise); // fails when it was ended, as it should
    }
}
