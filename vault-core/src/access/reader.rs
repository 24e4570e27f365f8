//! What every signed message of a reader has in common: who signed it, and when.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError};
use crate::identity::{Device, Signers, SignersError};
use crate::keys::{Namespace, PublicKey, SignatureError, Signed, SigningKey};

/// Why a reader's message was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not of the expected form.
    #[error("message: {0}")]
    Malformed(#[from] DecodeError),
    /// A signature does not hold, or the device is not on its owner's list.
    #[error("message: {0}")]
    Signature(#[from] SignatureError),
    /// The list of signing keys is not valid.
    #[error("message: {0}")]
    Signers(#[from] SignersError),
}

/// A statement with the key that signed it and the owner's list that admits that key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<T> {
    v: u8,
    say: T,
    /// In seconds since 1970-01-01 UTC.
    time: u64,
    signer: PublicKey,
    #[serde(with = "serde_bytes")]
    signers: Vec<u8>,
}

/// A verified statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReaderStatement<T> {
    pub(crate) say: T,
    pub(crate) time: u64,
    /// The device key that signed.
    pub(crate) signer: PublicKey,
    pub(crate) signers: Signers,
}

impl<T: Serialize + DeserializeOwned> ReaderStatement<T> {
    /// Signs a statement with a device's key.
    pub(crate) fn sign(say: T, namespace: Namespace, device: &Device, time: u64) -> Vec<u8> {
        Self::sign_with(say, namespace, device.signers(), device.signing(), time)
    }

    pub(crate) fn sign_with(
        say: T,
        namespace: Namespace,
        signers: &Signers,
        key: &SigningKey,
        time: u64,
    ) -> Vec<u8> {
        let wire = Wire {
            v: 1,
            say,
            time,
            signer: key.public(),
            signers: signers.as_bytes().to_vec(),
        };
        Signed::new(&wire, namespace, key).to_bytes()
    }

    /// Reads a statement of at most `max_len` bytes and checks that a device signed it which its
    /// owner vouches for. Whose it is, is in [`ReaderStatement::signers`].
    ///
    /// # Errors
    /// [`MessageError`].
    pub(crate) fn read(
        bytes: &[u8],
        namespace: Namespace,
        max_len: usize,
    ) -> Result<Self, MessageError> {
        let signed: Signed<Wire<T>> = codec::decode(bytes, max_len)?;
        let signer = signed.peek()?.signer;
        let wire = signed.verify(namespace, &signer)?;
        if wire.v != 1 {
            return Err(DecodeError::Malformed.into());
        }
        let signers = Signers::from_bytes(&wire.signers)?;
        if !signers.may_sign(&signer) {
            return Err(SignatureError::Invalid.into());
        }
        Ok(Self {
            say: wire.say,
            time: wire.time,
            signer,
            signers,
        })
    }
}
