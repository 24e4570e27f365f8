//! The record: which head the name points to, until when, and the signature over both.

use ed25519_dalek::Signer as _;
use serde::{Deserialize, Serialize};

use super::name::IpnsName;
use super::time;
use super::wire::Entry;
use crate::block::{Cid, Codec};
use crate::codec;
use crate::head::{HEAD_LIFETIME, Head};
use crate::identity::Device;
use crate::keys::SigningKey;

/// Longest accepted record, in bytes (the limit of the specification).
pub const MAX_IPNS_RECORD_LEN: usize = 10 * 1024;

/// How long a record lives at most, in seconds: as long as a DHT keeps it.
pub const IPNS_LIFETIME: u64 = 48 * 3600;

/// How long whoever resolves the name may answer from memory, in seconds.
pub const IPNS_TTL: u64 = 300;

const VALUE_PREFIX: &str = "/ipfs/";
const SIGNED_PREFIX: &[u8] = b"ipns-signature:";
/// Length of an Ed25519 signature, in bytes.
const SIGNATURE_LEN: usize = 64;
/// `EOL`, the only type of validity: the record ends at a time.
const EOL: u64 = 0;

/// Why a record was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IpnsError {
    /// Over [`MAX_IPNS_RECORD_LEN`].
    #[error("IPNS record of {0} bytes is over the limit of 10 KiB")]
    TooLarge(usize),
    /// Not a record of the specification.
    #[error("malformed IPNS record")]
    Malformed,
    /// Not signed by the key of the name.
    #[error("IPNS record: the signature does not verify")]
    Signature,
    /// The fields outside the signature say something else than those under it.
    #[error("IPNS record: the old fields differ from the signed ones")]
    Mismatch,
    /// It does not point to a head.
    #[error("IPNS record: the value is not the path of a head")]
    Value,
    /// It has ended, at this time in seconds since 1970-01-01 UTC.
    #[error("IPNS record: it ended at {0}")]
    Expired(u64),
}

/// What is signed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    #[serde(rename = "TTL")]
    ttl: u64,
    #[serde(rename = "Value", with = "serde_bytes")]
    value: Vec<u8>,
    #[serde(rename = "Sequence")]
    sequence: u64,
    #[serde(rename = "Validity", with = "serde_bytes")]
    validity: Vec<u8>,
    #[serde(rename = "ValidityType")]
    validity_type: u64,
}

/// A record whose signature holds and which has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpnsRecord {
    bytes: Vec<u8>,
    head: Cid,
    sequence: u64,
    validity: Vec<u8>,
    valid_until: u64,
    ttl: u64,
}

impl IpnsRecord {
    /// Signs a record for a vault's head, under the vault's own name.
    ///
    /// Its sequence number is the head's, so that everyone who knows both prefers the newer head;
    /// signed again later for the same head, it wins by its later end. It ends with the head, but
    /// after [`IPNS_LIFETIME`] at the latest.
    pub fn for_head(device: &Device, head: &Head, now: u64) -> Self {
        let until = head
            .valid_until()
            .min(head.time().saturating_add(HEAD_LIFETIME))
            .min(now.saturating_add(IPNS_LIFETIME));
        Self::sign(&device.ipns_key(), head.block().cid(), head.seq(), until)
    }

    /// Signs a record: the name of `key` points to `head` until `valid_until`, in seconds since
    /// 1970-01-01 UTC.
    pub fn sign(key: &SigningKey, head: Cid, sequence: u64, valid_until: u64) -> Self {
        let valid_until = valid_until.min(time::LAST);
        let data = Data {
            ttl: IPNS_TTL * 1_000_000_000,
            value: format!("{VALUE_PREFIX}{head}").into_bytes(),
            sequence,
            validity: time::to_text(valid_until).into_bytes(),
            validity_type: EOL,
        };
        let bytes = encode(&data, key);
        Self {
            bytes,
            head,
            sequence,
            validity: data.validity,
            valid_until,
            ttl: IPNS_TTL,
        }
    }

    /// Reads a record that must be signed by the key of `name` and not have ended at `now`, in
    /// seconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`IpnsError`].
    pub fn from_bytes(bytes: &[u8], name: &IpnsName, now: u64) -> Result<Self, IpnsError> {
        if bytes.len() > MAX_IPNS_RECORD_LEN {
            return Err(IpnsError::TooLarge(bytes.len()));
        }
        let entry = Entry::from_bytes(bytes)?;
        let (Some(signed), Some(signature)) = (entry.data, entry.signature_v2) else {
            return Err(IpnsError::Malformed);
        };
        let old_len = entry.signature_v1.map_or(SIGNATURE_LEN, <[u8]>::len);
        if old_len != SIGNATURE_LEN {
            return Err(IpnsError::Malformed);
        }
        let key_of_name = &name.peer_id_bytes()[2..];
        if entry.public_key.is_some_and(|key| key != key_of_name) {
            return Err(IpnsError::Signature);
        }
        let message = [SIGNED_PREFIX, signed].concat();
        let signature =
            ed25519_dalek::Signature::from_slice(signature).map_err(|_| IpnsError::Signature)?;
        name.key()
            .verifying_key()
            .and_then(|key| {
                let verified = key.verify_strict(&message, &signature);
                verified.map_err(|_| crate::keys::SignatureError::Invalid)
            })
            .map_err(|_| IpnsError::Signature)?;

        let data: Data =
            codec::decode(signed, MAX_IPNS_RECORD_LEN).map_err(|_| IpnsError::Malformed)?;
        check_old_fields(&entry, &data)?;
        if data.validity_type != EOL {
            return Err(IpnsError::Malformed);
        }
        let valid_until = time::from_text(&data.validity).ok_or(IpnsError::Malformed)?;
        if now > valid_until {
            return Err(IpnsError::Expired(valid_until));
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            head: head_of(&data.value).ok_or(IpnsError::Value)?,
            sequence: data.sequence,
            validity: data.validity,
            valid_until,
            ttl: data.ttl / 1_000_000_000,
        })
    }

    /// The wire form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is signed.
    #[cfg(test)]
    pub(crate) fn data(&self) -> Vec<u8> {
        let entry = Entry::from_bytes(&self.bytes);
        entry
            .ok()
            .and_then(|entry| entry.data)
            .unwrap_or_default()
            .to_vec()
    }

    /// The block of the head it points to.
    pub const fn head(&self) -> Cid {
        self.head
    }

    /// The number by which the newer of two records is told.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// When it ends, in whole seconds since 1970-01-01 UTC.
    pub const fn valid_until(&self) -> u64 {
        self.valid_until
    }

    /// How long whoever resolves the name may answer from memory, in seconds.
    pub const fn ttl(&self) -> u64 {
        self.ttl
    }

    /// Whether everyone who has both takes this one: the higher number wins, then the later end.
    pub fn supersedes(&self, other: &Self) -> bool {
        (self.sequence, self.valid_until, &self.validity)
            > (other.sequence, other.valid_until, &other.validity)
    }
}

fn encode(data: &Data, key: &SigningKey) -> Vec<u8> {
    let signed = codec::encode(data);
    let sign = |parts: &[&[u8]]| key.dalek().sign(&parts.concat()).to_bytes();
    let old_signature = sign(&[&data.value, &data.validity, b"EOL"]);
    let signature = sign(&[SIGNED_PREFIX, &signed]);
    Entry {
        value: Some(&data.value),
        signature_v1: Some(&old_signature),
        validity_type: Some(data.validity_type),
        validity: Some(&data.validity),
        sequence: Some(data.sequence),
        ttl: Some(data.ttl),
        public_key: None,
        signature_v2: Some(&signature),
        data: Some(&signed),
    }
    .to_bytes()
}

/// A record around any bytes, signed, so that a fuzzer gets past the signature.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn sign_raw(data: &[u8], key: &SigningKey) -> Vec<u8> {
    let signature = key.dalek().sign(&[SIGNED_PREFIX, data].concat()).to_bytes();
    Entry {
        signature_v2: Some(&signature),
        data: Some(data),
        ..Entry::default()
    }
    .to_bytes()
}

/// The fields of version 1 say what the signed ones say, or are not there at all. Their own
/// signature counts for nothing (specification, "Record Verification").
fn check_old_fields(entry: &Entry<'_>, data: &Data) -> Result<(), IpnsError> {
    let none = entry.value.is_none()
        && entry.signature_v1.is_none()
        && entry.validity_type.is_none()
        && entry.validity.is_none()
        && entry.sequence.is_none()
        && entry.ttl.is_none();
    // protobuf leaves out numbers that are 0
    let same = entry.value == Some(&data.value)
        && entry.validity == Some(&data.validity)
        && entry.validity_type.unwrap_or(0) == data.validity_type
        && entry.sequence.unwrap_or(0) == data.sequence
        && entry.ttl.unwrap_or(0) == data.ttl;
    if none || same {
        Ok(())
    } else {
        Err(IpnsError::Mismatch)
    }
}

/// The CID in `/ipfs/<cid>`, which must be that of a head: dag-cbor, in its one text form.
fn head_of(value: &[u8]) -> Option<Cid> {
    let text = std::str::from_utf8(value).ok()?;
    let text = text.strip_prefix(VALUE_PREFIX)?;
    let cid: Cid = text.parse().ok()?;
    (cid.codec() == Codec::DagCbor && cid.to_string() == text).then_some(cid)
}

#[cfg(test)]
mod tests;
