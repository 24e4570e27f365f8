//! Signatures: Ed25519 over `medvault/v1/<namespace>` 0x00 and the exact bytes.

use std::fmt;
use std::marker::PhantomData;

use data_encoding::BASE32_NOPAD;
use ed25519_dalek::Signer;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec;

/// What a signature is about. A signature of one namespace is never valid in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// The owner's list of signing keys of their devices.
    Signers,
    /// A contact card.
    Card,
    /// The header inside a body.
    RecordHeader,
    /// The payload of an envelope.
    Envelope,
    /// The terms of a grant.
    Terms,
    /// A vault's head.
    Head,
    /// A ticket's payload.
    Ticket,
    /// A receipt of a revocation.
    Receipt,
    /// A reader's request for blocks, for one connection.
    BlockAccess,
    /// A reader's countersignature under the terms of an on-request grant.
    Acceptance,
    /// A reader's request for content keys.
    AccessRequest,
    /// A reader's confirmation that content keys arrived.
    AccessReceipt,
    /// The patient's certificate for someone who answers requests on their behalf.
    AgentCertificate,
    /// The patient's question to an agent for what it has done.
    AgentQuestion,
    /// What a vault says about its log to one who asked.
    LogStatement,
    /// The note of a deposit.
    Deposit,
    /// The announcement of a deposit.
    DepositOffer,
    /// The confirmation that a deposit arrived.
    DepositReceipt,
}

impl Namespace {
    fn label(self) -> &'static str {
        match self {
            Self::Signers => "signers",
            Self::Card => "card",
            Self::RecordHeader => "record-header",
            Self::Envelope => "envelope",
            Self::Terms => "terms",
            Self::Head => "head",
            Self::Ticket => "ticket",
            Self::Receipt => "receipt",
            Self::BlockAccess => "block-access",
            Self::Acceptance => "acceptance",
            Self::AccessRequest => "access-request",
            Self::AccessReceipt => "access-receipt",
            Self::AgentCertificate => "agent-certificate",
            Self::AgentQuestion => "agent-question",
            Self::LogStatement => "log-statement",
            Self::Deposit => "deposit",
            Self::DepositOffer => "deposit-offer",
            Self::DepositReceipt => "deposit-receipt",
        }
    }

    fn message(self, bytes: &[u8]) -> Vec<u8> {
        let mut message = Vec::with_capacity(40 + bytes.len());
        message.extend_from_slice(b"medvault/v1/");
        message.extend_from_slice(self.label().as_bytes());
        message.push(0);
        message.extend_from_slice(bytes);
        message
    }
}

/// A signature that does not hold, or a key that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The signature is not by this key over these bytes in this namespace.
    #[error("signature does not verify")]
    Invalid,
    /// What was signed is not of the expected form.
    #[error("signed payload: {0}")]
    Payload(#[from] codec::DecodeError),
}

/// An Ed25519 public key, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublicKey(#[serde(with = "serde_bytes")] [u8; 32]);

impl PublicKey {
    /// Wraps key bytes; whether they are a point is checked on use.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Checks a signature (RFC 8032, strict: no small-order keys, canonical encodings only).
    ///
    /// # Errors
    /// [`SignatureError::Invalid`].
    pub fn verify(
        &self,
        namespace: Namespace,
        bytes: &[u8],
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        self.verifying_key()?
            .verify_strict(
                &namespace.message(bytes),
                &ed25519_dalek::Signature::from_bytes(&signature.0),
            )
            .map_err(|_| SignatureError::Invalid)
    }

    /// The key in the form of the signature library, for signed notes.
    pub(crate) fn verifying_key(&self) -> Result<ed25519_dalek::VerifyingKey, SignatureError> {
        ed25519_dalek::VerifyingKey::from_bytes(&self.0).map_err(|_| SignatureError::Invalid)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// An Ed25519 signature, 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signature(#[serde(with = "serde_bytes")] [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

/// An Ed25519 signing key. Wiped when dropped; never printed.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Draws a fresh key.
    pub fn random() -> Self {
        Self::from_seed(&zeroize::Zeroizing::new(crate::random::array()))
    }

    /// The key of a 32-byte seed (RFC 8032, section 5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs `bytes` in `namespace`.
    pub fn sign(&self, namespace: Namespace, bytes: &[u8]) -> Signature {
        Signature(self.0.sign(&namespace.message(bytes)).to_bytes())
    }

    /// The key in the form of the signature library, for signed notes.
    pub(crate) fn dalek(&self) -> &ed25519_dalek::SigningKey {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, ..)", self.public())
    }
}

/// A value with the exact bytes that were signed: `{"p": payload, "s": signature}`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed<T> {
    #[serde(rename = "p", with = "serde_bytes")]
    payload: Vec<u8>,
    #[serde(rename = "s")]
    signature: Signature,
    #[serde(skip)]
    kind: PhantomData<fn() -> T>,
}

#[cfg(any(test, feature = "fuzzing"))]
impl Signed<()> {
    /// Signs bytes as they are, so that a fuzzer gets past the signature.
    pub(crate) fn raw(payload: &[u8], namespace: Namespace, key: &SigningKey) -> Vec<u8> {
        codec::encode(&Self {
            payload: payload.to_vec(),
            signature: key.sign(namespace, payload),
            kind: PhantomData,
        })
    }
}

impl<T: Serialize + DeserializeOwned> Signed<T> {
    /// Encodes and signs `value`.
    pub fn new(value: &T, namespace: Namespace, key: &SigningKey) -> Self {
        let payload = codec::encode(value);
        let signature = key.sign(namespace, &payload);
        Self {
            payload,
            signature,
            kind: PhantomData,
        }
    }

    /// Reads the payload only to learn who claims to have signed it. Nothing in it may be
    /// trusted until [`Signed::verify`] has said yes.
    pub(crate) fn peek(&self) -> Result<T, SignatureError> {
        Ok(codec::decode(&self.payload, self.payload.len())?)
    }

    /// Checks the signature over the exact bytes, then decodes them.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self, namespace: Namespace, key: &PublicKey) -> Result<T, SignatureError> {
        key.verify(namespace, &self.payload, &self.signature)?;
        self.peek()
    }

    /// The wire form.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }
}

impl<T> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signed({} bytes)", self.payload.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_only_for_its_key_namespace_and_bytes() {
        let key = SigningKey::from_seed(&[3; 32]);
        let signed = Signed::new(&"hello".to_owned(), Namespace::Card, &key);
        assert_eq!(
            signed.verify(Namespace::Card, &key.public()),
            Ok("hello".to_owned())
        );
        assert_eq!(
            signed.verify(Namespace::Head, &key.public()),
            Err(SignatureError::Invalid)
        );
        let other = SigningKey::random().public();
        assert_eq!(
            signed.verify(Namespace::Card, &other),
            Err(SignatureError::Invalid)
        );

        let mut bytes = signed.to_bytes();
        let last_of_payload = bytes.iter().position(|b| *b == b'o').unwrap();
        bytes[last_of_payload] = b'x';
        let altered: Signed<String> = codec::decode(&bytes, 200).unwrap();
        assert_eq!(
            altered.verify(Namespace::Card, &key.public()),
            Err(SignatureError::Invalid)
        );
    }

    #[test]
    fn low_order_keys_never_verify() {
        let identity_point = PublicKey::from_bytes({
            let mut bytes = [0; 32];
            bytes[0] = 1;
            bytes
        });
        let forged = Signature([0; 64]);
        assert!(
            identity_point
                .verify(Namespace::Head, b"", &forged)
                .is_err()
        );
    }

    #[test]
    fn secrets_do_not_print() {
        let key = SigningKey::from_seed(&[3; 32]);
        assert!(!format!("{key:?}").contains("030303"));
    }
}
