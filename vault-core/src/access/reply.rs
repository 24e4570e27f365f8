//! What a request, a countersignature or a receipt is answered with.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::message::MAX_ACCESS_REPLY;
use super::report::AgentReport;
use super::request::{AccessRequest, MAX_VERSIONS};
use crate::audit::Logged;
use crate::block::Digest;
use crate::codec::{self, DecodeError};
use crate::envelope::hpke::{self, HpkeError};
use crate::envelope::{ENC_LEN, IdentityKey, RecipientKey};
use crate::keys::SecretKey;
use crate::log::{ConsistencyProof, TreeHash};

/// Why a message was not looked at further. Nothing is logged about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalCode {
    /// Not a message of this protocol, or a signature in it does not hold.
    Malformed,
    /// For a vault or log that is not answered for here.
    NotHere,
    /// Whoever signed is not known here.
    Stranger,
    /// Nothing was offered under these terms.
    NotOffered,
    /// Too many requests of this reader were turned down within the last hour.
    TooMany,
    /// It cannot be answered now; the same message may be sent again.
    Busy,
    /// This node has found its own log to be behind what a reader has seen, and answers nothing
    /// until the patient has looked at that.
    Halted,
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "it does not understand the message",
            Self::NotHere => "it does not answer for this vault",
            Self::Stranger => "it does not know who is asking",
            Self::NotOffered => "nothing was offered under these terms",
            Self::TooMany => "too many requests were turned down within the last hour",
            Self::Busy => "it cannot answer now",
            Self::Halted => "its own log is behind what a reader has seen; it answers nothing more",
        })
    }
}

/// Keys that were given out, with the proof that this was logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Released {
    /// The entry, proven to be in the log.
    pub(crate) logged: Logged,
    /// That the log contains the checkpoint the reader had seen.
    pub(crate) consistency: Vec<TreeHash>,
    /// HPKE: the encapsulated key.
    #[serde(with = "serde_bytes")]
    pub(crate) enc: Vec<u8>,
    /// HPKE: the content keys in the order of the request.
    #[serde(with = "serde_bytes")]
    pub(crate) keys: Vec<u8>,
}

/// A refusal that was logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denied {
    /// The entry, which holds the reason, proven to be in the log.
    pub(crate) logged: Logged,
    /// That the log contains the checkpoint the reader had seen.
    pub(crate) consistency: Vec<TreeHash>,
}

/// An answer. What it says is believed only after the proofs in it were checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum AccessReply {
    /// The agreement is in force, or the receipt was taken.
    Noted {},
    /// Keys.
    Released(Box<Released>),
    /// No keys.
    Denied(Box<Denied>),
    /// The log here is behind, or other than, what the reader has seen: a signed statement of what
    /// it is.
    Diverged(#[serde(with = "serde_bytes")] Vec<u8>),
    /// What an agent has done.
    Report(Box<AgentReport>),
    /// The message was not looked at further.
    Refused(RefusalCode),
}

impl AccessReply {
    /// The wire form.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let reply: Self = codec::decode(bytes, MAX_ACCESS_REPLY)?;
        let long = match &reply {
            Self::Released(released) => released.consistency.len(),
            Self::Denied(denied) => denied.consistency.len(),
            _ => 0,
        };
        match long > 128 {
            true => Err(DecodeError::Malformed),
            false => Ok(reply),
        }
    }
}

impl Released {
    pub(crate) fn consistency(&self) -> ConsistencyProof {
        ConsistencyProof(self.consistency.clone())
    }
}

impl Denied {
    pub(crate) fn consistency(&self) -> ConsistencyProof {
        ConsistencyProof(self.consistency.clone())
    }
}

/// What the sealed keys are bound to: the request, and the entry that was logged about it.
fn info(request: &Digest) -> Vec<u8> {
    [b"medvault/v1/release\0".as_slice(), request.as_bytes()].concat()
}

/// Seals content keys to the request's key of the moment. That takes a [`Logged`] entry, which only
/// a durable head gives: there is no other way for a key to leave.
pub(crate) fn seal_keys(
    request: &AccessRequest,
    logged: &Logged,
    keys: &[SecretKey],
) -> Result<(Vec<u8>, Vec<u8>), HpkeError> {
    let mut plain = Zeroizing::new(Vec::with_capacity(keys.len() * 32));
    keys.iter()
        .for_each(|key| plain.extend_from_slice(key.expose()));
    let (enc, sealed) = hpke::seal_base(
        request.key().as_bytes(),
        &info(request.digest()),
        &logged.entry,
        &plain,
    )?;
    Ok((enc.to_vec(), sealed))
}

/// Opens what [`seal_keys`] made, with the private side of the request's key of the moment.
///
/// # Errors
/// [`DecodeError::Malformed`] when it does not open or holds another number of keys.
pub(crate) fn open_keys(
    key: &IdentityKey,
    request: &Digest,
    released: &Released,
    count: usize,
) -> Result<Vec<SecretKey>, DecodeError> {
    let enc: &[u8; ENC_LEN] = (released.enc[..].try_into()).map_err(|_| DecodeError::Malformed)?;
    let plain = hpke::open_base(
        key.seed(),
        enc,
        &info(request),
        &released.logged.entry,
        &released.keys,
    );
    let plain = plain.map_err(|_| DecodeError::Malformed)?;
    let (keys, rest) = plain.as_chunks::<32>();
    if keys.len() != count || !rest.is_empty() || count > MAX_VERSIONS {
        return Err(DecodeError::Malformed);
    }
    Ok(keys.iter().map(|key| SecretKey::from_bytes(*key)).collect())
}

/// A key of the moment: its private side, and what goes into the request.
pub(crate) fn moment() -> (IdentityKey, RecipientKey) {
    let key = IdentityKey::generate();
    let public = key.recipient();
    (key, public)
}
