//! The list of signing keys that the owner key vouches for.
//!
//! The owner key lives only in the recovery words. It signs one small list: which device keys may
//! sign for the vault now, and which did so before. The list has a serial number that only grows;
//! a reader that has seen serial 7 refuses a head that comes with serial 6.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::codec::{self, DecodeError};
use crate::ids::VaultId;
use crate::keys::{Namespace, PublicKey, SignatureError, Signed, SigningKey};

/// Longest accepted wire form of a signers list, in bytes.
pub const MAX_SIGNERS_LEN: usize = 16 * 1024;

/// The vault that belongs to an owner key: SHA-256 over `medvault/v1/vault-id` 0x00 and the key.
pub fn vault_id(owner: &PublicKey) -> VaultId {
    let digest = Sha256::new()
        .chain_update(b"medvault/v1/vault-id\0")
        .chain_update(owner.as_bytes())
        .finalize();
    VaultId::from_bytes(digest.into())
}

/// Why a signers list was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignersError {
    /// Not a signers list.
    #[error("signers list: {0}")]
    Malformed(#[from] DecodeError),
    /// The owner's signature does not hold.
    #[error("signers list: {0}")]
    Signature(#[from] SignatureError),
    /// The list belongs to another owner than expected.
    #[error("signers list belongs to another vault")]
    OtherVault,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u8,
    owner: PublicKey,
    serial: u64,
    keys: Vec<PublicKey>,
    former: Vec<PublicKey>,
}

/// A verified list of the keys that may sign for a vault, with the exact signed bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signers {
    owner: PublicKey,
    serial: u64,
    keys: Vec<PublicKey>,
    former: Vec<PublicKey>,
    bytes: Vec<u8>,
}

impl Signers {
    /// Signs a new list with the owner key.
    pub(crate) fn new(
        owner: &SigningKey,
        serial: u64,
        keys: Vec<PublicKey>,
        former: Vec<PublicKey>,
    ) -> Self {
        let wire = Wire {
            v: 1,
            owner: owner.public(),
            serial,
            keys,
            former,
        };
        let bytes = Signed::new(&wire, Namespace::Signers, owner).to_bytes();
        Self::from_wire(wire, bytes)
    }

    fn from_wire(wire: Wire, bytes: Vec<u8>) -> Self {
        Self {
            owner: wire.owner,
            serial: wire.serial,
            keys: wire.keys,
            former: wire.former,
            bytes,
        }
    }

    /// Reads a list and checks the owner's signature.
    ///
    /// # Errors
    /// [`SignersError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignersError> {
        let signed: Signed<Wire> = codec::decode(bytes, MAX_SIGNERS_LEN)?;
        let wire = signed.verify(Namespace::Signers, &signed.peek()?.owner)?;
        if wire.v != 1 {
            return Err(DecodeError::Malformed.into());
        }
        Ok(Self::from_wire(wire, bytes.to_vec()))
    }

    /// Reads a list that must belong to `vault`.
    ///
    /// # Errors
    /// [`SignersError`].
    pub fn for_vault(bytes: &[u8], vault: &VaultId) -> Result<Self, SignersError> {
        let signers = Self::from_bytes(bytes)?;
        if signers.vault() == *vault {
            Ok(signers)
        } else {
            Err(SignersError::OtherVault)
        }
    }

    /// The owner's public key.
    pub const fn owner(&self) -> &PublicKey {
        &self.owner
    }

    /// The vault's id, derived from the owner key.
    pub fn vault(&self) -> VaultId {
        vault_id(&self.owner)
    }

    /// Grows with every change of the list.
    pub const fn serial(&self) -> u64 {
        self.serial
    }

    /// Whether `key` may sign for the vault now.
    pub fn may_sign(&self, key: &PublicKey) -> bool {
        self.keys.contains(key)
    }

    /// Whether `key` may sign now, or did so before a recovery.
    pub fn has_signed(&self, key: &PublicKey) -> bool {
        self.may_sign(key) || self.former.contains(key)
    }

    /// Keys that may sign now.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// All keys that ever were on the list.
    pub(crate) fn all_keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter().chain(&self.former)
    }

    /// The signed wire form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_can_make_a_list() {
        let owner = SigningKey::from_seed(&[1; 32]);
        let device = SigningKey::from_seed(&[2; 32]).public();
        let list = Signers::new(&owner, 7, vec![device], vec![]);
        let read = Signers::for_vault(list.as_bytes(), &vault_id(&owner.public())).unwrap();
        assert_eq!(read, list);
        assert!(read.may_sign(&device));

        let mallory = SigningKey::from_seed(&[9; 32]);
        let forged = Signers::new(&mallory, 8, vec![mallory.public()], vec![]);
        assert_eq!(
            Signers::for_vault(forged.as_bytes(), &vault_id(&owner.public())),
            Err(SignersError::OtherVault)
        );
        // the owner's name over mallory's signature
        let wire = Wire {
            v: 1,
            owner: owner.public(),
            serial: 8,
            keys: vec![],
            former: vec![],
        };
        let bytes = Signed::new(&wire, Namespace::Signers, &mallory).to_bytes();
        assert_eq!(
            Signers::from_bytes(&bytes),
            Err(SignersError::Signature(SignatureError::Invalid))
        );
    }
}
