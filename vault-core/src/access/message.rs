//! The messages of the access protocol, as they travel.

use serde::{Deserialize, Serialize};

use super::acceptance::MAX_ACCEPTANCE_LEN;
use super::receipt::MAX_RECEIPT_LEN;
use super::report::MAX_QUESTION_LEN;
use super::request::MAX_REQUEST_LEN;
use crate::codec::{self, DecodeError};

/// Longest message to whoever answers requests, in bytes.
pub const MAX_ACCESS_MESSAGE: usize = 64 * 1024;
/// Longest answer, in bytes.
pub const MAX_ACCESS_REPLY: usize = 256 * 1024;

/// What can be said to the patient's node or an agent. Each holds the exact signed bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum AccessMessage {
    /// A countersignature.
    Accept(#[serde(with = "serde_bytes")] Vec<u8>),
    /// A request for keys.
    Request(#[serde(with = "serde_bytes")] Vec<u8>),
    /// A confirmation that keys arrived.
    Receipt(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The patient's question to an agent.
    Question(#[serde(with = "serde_bytes")] Vec<u8>),
}

const _: () = {
    let room = MAX_ACCESS_MESSAGE - 64;
    assert!(MAX_ACCEPTANCE_LEN < room);
    assert!(MAX_REQUEST_LEN < room);
    assert!(MAX_RECEIPT_LEN < room);
    assert!(MAX_QUESTION_LEN < room);
};

impl AccessMessage {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, MAX_ACCESS_MESSAGE)
    }
}
