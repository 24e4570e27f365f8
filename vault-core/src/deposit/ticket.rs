//! The ticket of a deposit that lies on the provider's own IPFS node: where it is, and what it is.
//!
//! An age file for the patient around one dag-cbor map: `medvault-deposit:` and base64url. Whoever
//! else gets hold of it learns nothing.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::decide::DepositRefusal;
use super::delivery::{Announcement, sign_announcement};
use super::make::{DepositTarget, Outgoing};
use crate::address::NodeAddress;
use crate::block::{Cid, Codec, Digest};
use crate::codec::{self, DecodeError};
use crate::envelope::{EnvelopeError, IdentityKey, decrypt_with, encrypt_to};
use crate::identity::Device;
use crate::ids::VaultId;

/// Text before the base64url part.
const PREFIX: &str = "medvault-deposit:";

/// Longest accepted ticket, in bytes.
const MAX_TICKET_LEN: usize = 64 * 1024;

/// Why a deposit ticket was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DepositTicketError {
    /// Not of the form of a deposit ticket.
    #[error("not a medvault deposit ticket")]
    NotATicket,
    /// Sealed to other keys than this vault's.
    #[error("this deposit ticket is for someone else")]
    ForSomeoneElse,
    /// The age file is damaged.
    #[error("deposit ticket: {0}")]
    Envelope(EnvelopeError),
    /// The payload is malformed.
    #[error("deposit ticket: {0}")]
    Malformed(#[from] DecodeError),
    /// The announcement inside does not hold.
    #[error("deposit ticket: {0}")]
    Announcement(DepositRefusal),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u8,
    note: Digest,
    node: NodeAddress,
    #[serde(with = "serde_bytes")]
    announcement: Vec<u8>,
}

/// An opened deposit ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DepositTicket {
    /// The note's CID.
    pub root: Cid,
    /// The provider's node.
    pub node: NodeAddress,
    /// The announcement, in the form that [`Announcement::read`] reads.
    pub announcement: Vec<u8>,
    /// What it says.
    pub announced: Announcement,
}

impl DepositTicket {
    /// Whether a text looks like a deposit ticket.
    pub fn may_be(text: &str) -> bool {
        text.trim_start().starts_with(PREFIX)
    }

    /// Makes the ticket of a deposit that lies on `node`, as one line of text. `now` is in seconds
    /// since 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`EnvelopeError`].
    pub fn seal(
        device: &Device,
        deposit: &Outgoing,
        to: &DepositTarget,
        node: &NodeAddress,
        now: u64,
    ) -> Result<String, EnvelopeError> {
        let announcement = sign_announcement(device, deposit, None, now);
        let payload = Self::payload(deposit.root().digest(), node, announcement);
        let sealed = encrypt_to(std::slice::from_ref(&to.key), &payload, false)?;
        Ok(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&sealed)))
    }

    /// What is sealed.
    pub(crate) fn payload(note: Digest, node: &NodeAddress, announcement: Vec<u8>) -> Vec<u8> {
        codec::encode(&Wire {
            v: 1,
            note,
            node: node.clone(),
            announcement,
        })
    }

    /// Opens a ticket, among any white space, with the first of `keys` that fits.
    pub(crate) fn open(
        text: &str,
        vault: &VaultId,
        keys: &[&IdentityKey],
    ) -> Result<Self, DepositTicketError> {
        if text.len() > 2 * MAX_TICKET_LEN {
            return Err(DepositTicketError::NotATicket);
        }
        let compact: String = text.split_whitespace().collect();
        let sealed = compact
            .strip_prefix(PREFIX)
            .and_then(|body| BASE64URL_NOPAD.decode(body.as_bytes()).ok())
            .ok_or(DepositTicketError::NotATicket)?;
        let mut refused = DepositTicketError::ForSomeoneElse;
        for key in keys {
            match decrypt_with(key, &sealed, MAX_TICKET_LEN) {
                Ok(payload) => return Self::from_payload(&payload, vault),
                Err(EnvelopeError::NotForYou) => {}
                Err(error) => refused = DepositTicketError::Envelope(error),
            }
        }
        Err(refused)
    }

    /// Reads a decrypted payload.
    pub(crate) fn from_payload(bytes: &[u8], vault: &VaultId) -> Result<Self, DepositTicketError> {
        let wire: Wire = codec::decode(bytes, MAX_TICKET_LEN)?;
        if wire.v != 1 {
            return Err(DecodeError::Malformed.into());
        }
        let announced = Announcement::read(&wire.announcement, vault, None, 0)
            .map_err(DepositTicketError::Announcement)?;
        Ok(Self {
            root: Cid::new(Codec::DagCbor, wire.note),
            node: wire.node,
            announcement: wire.announcement,
            announced,
        })
    }
}
