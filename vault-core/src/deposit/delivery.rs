//! What the two sides say to each other when a deposit is delivered.
//!
//! The provider *announces*: so many bytes with this hash, for this vault, on this very connection
//! or in this ticket. The patient's node refuses, or takes the bytes and confirms them with a
//! receipt. Whoever carries the bytes learns nothing from either.

use serde::{Deserialize, Serialize};

use super::decide::DepositRefusal;
use super::make::Outgoing;
use crate::block::Digest;
use crate::codec::{self, DecodeError};
use crate::grant::{Ends, MAX_CLOCK_DIFFERENCE};
use crate::identity::{Device, MAX_SIGNERS_LEN, Signers};
use crate::ids::{DepositId, VaultId};
use crate::keys::{Namespace, PublicKey, Signed, SigningKey};

/// Longest accepted announcement and answer, in bytes.
pub(crate) const MAX_MESSAGE_LEN: usize = MAX_SIGNERS_LEN + 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfferWire {
    v: u8,
    vault: VaultId,
    deposit: DepositId,
    bytes: u64,
    digest: Digest,
    time: u64,
    signer: PublicKey,
    #[serde(with = "serde_bytes")]
    signers: Vec<u8>,
    server: Option<PublicKey>,
    client: Option<PublicKey>,
}

/// Announces a deposit: on the connection between `ends` or, without them, in a ticket. `now` is in
/// seconds since 1970-01-01 UTC.
pub fn sign_announcement(
    device: &Device,
    deposit: &Outgoing,
    ends: Option<&Ends>,
    now: u64,
) -> Vec<u8> {
    let announced = Announcement {
        vault: deposit.vault,
        deposit: deposit.deposit,
        bytes: deposit.bytes,
        digest: deposit.digest,
        time: now,
        signers: device.signers().clone(),
    };
    announced.sign(device.signing(), ends)
}

/// An announcement whose signature holds. Whether it is welcome is another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The vault it is for.
    pub vault: VaultId,
    /// The deposit.
    pub deposit: DepositId,
    /// Length of the parcel, in bytes.
    pub bytes: u64,
    /// SHA-256 of the parcel.
    pub digest: Digest,
    /// When it was signed, in seconds since 1970-01-01 UTC.
    pub time: u64,
    /// The sender's signing keys.
    pub signers: Signers,
}

impl Announcement {
    pub(crate) fn sign(&self, key: &SigningKey, ends: Option<&Ends>) -> Vec<u8> {
        let wire = OfferWire {
            v: 1,
            vault: self.vault,
            deposit: self.deposit,
            bytes: self.bytes,
            digest: self.digest,
            time: self.time,
            signer: key.public(),
            signers: self.signers.as_bytes().to_vec(),
            server: ends.map(|ends| ends.server),
            client: ends.map(|ends| ends.client),
        };
        Signed::new(&wire, Namespace::DepositOffer, key).to_bytes()
    }

    /// Reads an announcement to `vault` that came over the connection between `ends` at `now`, in
    /// seconds since 1970-01-01 UTC, or without ends in a ticket, which may be of any age.
    ///
    /// # Errors
    /// [`DepositRefusal::Malformed`], [`DepositRefusal::Clock`].
    pub fn read(
        bytes: &[u8],
        vault: &VaultId,
        ends: Option<&Ends>,
        now: u64,
    ) -> Result<Self, DepositRefusal> {
        let (wire, signers) = Self::wire(bytes).ok_or(DepositRefusal::Malformed)?;
        let named = (wire.server, wire.client);
        let here = (ends.map(|ends| ends.server), ends.map(|ends| ends.client));
        if wire.vault != *vault || named != here {
            return Err(DepositRefusal::Malformed);
        }
        if ends.is_some() && wire.time.abs_diff(now) > MAX_CLOCK_DIFFERENCE {
            return Err(DepositRefusal::Clock);
        }
        Ok(Self {
            vault: wire.vault,
            deposit: wire.deposit,
            bytes: wire.bytes,
            digest: wire.digest,
            time: wire.time,
            signers,
        })
    }

    fn wire(bytes: &[u8]) -> Option<(OfferWire, Signers)> {
        let signed: Signed<OfferWire> = codec::decode(bytes, MAX_MESSAGE_LEN).ok()?;
        let signer = signed.peek().ok()?.signer;
        let wire = signed.verify(Namespace::DepositOffer, &signer).ok()?;
        let signers = Signers::from_bytes(&wire.signers).ok()?;
        (wire.v == 1 && signers.may_sign(&signer)).then_some((wire, signers))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceiptWire {
    v: u8,
    vault: VaultId,
    deposit: DepositId,
    digest: Digest,
    time: u64,
    signer: PublicKey,
    #[serde(with = "serde_bytes")]
    signers: Vec<u8>,
}

/// The patient's device confirms that a deposit arrived and waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DepositReceipt {
    /// The vault.
    pub vault: VaultId,
    /// The deposit.
    pub deposit: DepositId,
    /// SHA-256 of the parcel.
    pub digest: Digest,
    /// When it arrived, in seconds since 1970-01-01 UTC.
    pub time: u64,
    /// The signed form, to keep as a proof.
    pub bytes: Vec<u8>,
}

/// What a receipt confirms.
pub(crate) struct Receipt {
    pub(crate) vault: VaultId,
    pub(crate) deposit: DepositId,
    pub(crate) digest: Digest,
    pub(crate) time: u64,
}

impl Receipt {
    pub(crate) fn sign(&self, signers: &Signers, key: &SigningKey) -> Vec<u8> {
        let wire = ReceiptWire {
            v: 1,
            vault: self.vault,
            deposit: self.deposit,
            digest: self.digest,
            time: self.time,
            signer: key.public(),
            signers: signers.as_bytes().to_vec(),
        };
        Signed::new(&wire, Namespace::DepositReceipt, key).to_bytes()
    }
}

impl DepositReceipt {
    /// Reads a receipt for a deposit into `vault` and checks that one of its devices signed it.
    ///
    /// # Errors
    /// [`DecodeError`], also when a signature does not hold.
    pub fn from_bytes(bytes: &[u8], vault: &VaultId) -> Result<Self, DecodeError> {
        let signed: Signed<ReceiptWire> = codec::decode(bytes, MAX_MESSAGE_LEN)?;
        let malformed = |_| DecodeError::Malformed;
        let signer = signed.peek().map_err(malformed)?.signer;
        let verified = signed.verify(Namespace::DepositReceipt, &signer);
        let wire = verified.map_err(malformed)?;
        let signers = Signers::for_vault(&wire.signers, vault);
        let signers = signers.map_err(|_| DecodeError::Malformed)?;
        if wire.v != 1 || wire.vault != *vault || !signers.may_sign(&signer) {
            return Err(DecodeError::Malformed);
        }
        Ok(Self {
            vault: wire.vault,
            deposit: wire.deposit,
            digest: wire.digest,
            time: wire.time,
            bytes: bytes.to_vec(),
        })
    }
}

/// The answer to an announcement and its bytes: one of the two.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerWire {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ok: Option<serde_bytes::ByteBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

pub(crate) fn answer_taken(receipt: Vec<u8>) -> Vec<u8> {
    codec::encode(&AnswerWire {
        ok: Some(receipt.into()),
        refused: None,
    })
}

/// The answer to an announcement, or to a deposit that has come, which is not taken.
pub fn answer_refused(refusal: DepositRefusal) -> Vec<u8> {
    codec::encode(&AnswerWire {
        ok: None,
        refused: Some(refusal.code().to_owned()),
    })
}

/// Why a deposit counts as not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// The patient's node does not take it.
    #[error("{0}")]
    Refused(DepositRefusal),
    /// The patient's node answered with something that is no answer.
    #[error("the patient's node gave no valid receipt")]
    NoReceipt,
}

/// The receipt in an answer, unread.
pub(crate) fn parse_answer(answer: &[u8]) -> Result<Vec<u8>, DeliveryError> {
    let wire: AnswerWire =
        codec::decode(answer, 2 * MAX_MESSAGE_LEN).map_err(|_| DeliveryError::NoReceipt)?;
    match (wire.ok, wire.refused) {
        (Some(receipt), None) => Ok(receipt.into_vec()),
        (None, Some(code)) => Err(DepositRefusal::from_code(&code)
            .map_or(DeliveryError::NoReceipt, DeliveryError::Refused)),
        _ => Err(DeliveryError::NoReceipt),
    }
}

impl Outgoing {
    /// Reads the answer of the patient's node.
    ///
    /// # Errors
    /// [`DeliveryError::Refused`]; [`DeliveryError::NoReceipt`] also when the receipt is for
    /// something else.
    pub fn read_answer(&self, answer: &[u8]) -> Result<DepositReceipt, DeliveryError> {
        let receipt = DepositReceipt::from_bytes(&parse_answer(answer)?, &self.vault);
        receipt
            .ok()
            .filter(|r| r.deposit == self.deposit && r.digest == self.digest)
            .ok_or(DeliveryError::NoReceipt)
    }
}
