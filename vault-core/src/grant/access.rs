//! Who may fetch blocks from a patient's node that does not give them to everyone.
//!
//! A reader signs, with a device key, a statement that names both ends of the very connection it is
//! used on. The connection proves both ends, so the statement is of no use on any other. The
//! patient's node looks the reader up among those who hold a grant; it needs no key of the vault
//! for that. Format: `docs/SPEC.md`, section 18.3.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError};
use crate::identity::{Device, MAX_SIGNERS_LEN, Signers, SignersError};
use crate::ids::VaultId;
use crate::keys::{Namespace, PublicKey, SignatureError, Signed, SigningKey};

/// Longest accepted statement, in bytes.
pub const MAX_BLOCK_ACCESS_LEN: usize = MAX_SIGNERS_LEN + 1024;

/// How far the two clocks may be apart, in seconds.
pub const MAX_CLOCK_DIFFERENCE: u64 = 600;

/// Why a statement does not open the door.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessRefusal {
    /// Not a statement.
    #[error("statement: {0}")]
    Malformed(#[from] DecodeError),
    /// A signature does not hold, or the device is not on its owner's list.
    #[error("statement: {0}")]
    Signature(#[from] SignatureError),
    /// The reader's list of signing keys is not valid.
    #[error("statement: {0}")]
    Signers(#[from] SignersError),
    /// Made for another vault.
    #[error("the statement is for another vault")]
    OtherVault,
    /// Made for another connection.
    #[error("the statement is for another connection")]
    OtherConnection,
    /// The clocks are too far apart.
    #[error(
        "the clocks of the two sides are {apart} seconds apart, {MAX_CLOCK_DIFFERENCE} at most are allowed"
    )]
    Clock {
        /// How far, in seconds.
        apart: u64,
    },
    /// The signer holds no grant, or signs with a list of keys that has been replaced.
    #[error("this reader holds no grant")]
    NotAReader,
}

/// The two ends of a connection, as the connection itself has proved them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// iroh endpoint id of the patient's node.
    pub server: PublicKey,
    /// iroh endpoint id of the reader's node.
    pub client: PublicKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u8,
    vault: VaultId,
    server: PublicKey,
    client: PublicKey,
    time: u64,
    signer: PublicKey,
    #[serde(with = "serde_bytes")]
    signers: Vec<u8>,
}

/// States that the owner of `device` asks for blocks of `vault` on the connection between `ends`.
/// `now` is in seconds since 1970-01-01 UTC.
pub fn sign_block_access(device: &Device, vault: &VaultId, ends: &Ends, now: u64) -> Vec<u8> {
    sign(device.signers(), device.signing(), vault, ends, now)
}

fn sign(signers: &Signers, key: &SigningKey, vault: &VaultId, ends: &Ends, time: u64) -> Vec<u8> {
    let wire = Wire {
        v: 1,
        vault: *vault,
        server: ends.server,
        client: ends.client,
        time,
        signer: key.public(),
        signers: signers.as_bytes().to_vec(),
    };
    Signed::new(&wire, Namespace::BlockAccess, key).to_bytes()
}

/// A statement of the reader that the fuzzing entries know.
#[cfg(test)]
pub(crate) fn block_access_sample() -> Vec<u8> {
    let ends = Ends {
        server: PublicKey::from_bytes([3; 32]),
        client: PublicKey::from_bytes([4; 32]),
    };
    let (signers, key) = (crate::fuzzing::known_signers(), crate::fuzzing::device());
    let vault = VaultId::from_bytes([3; 32]);
    sign(&signers, &key, &vault, &ends, 1_790_000_000)
}

/// Someone whose statement was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockReader {
    owner: PublicKey,
    serial: u64,
}

impl BlockReader {
    /// The reader's owner key.
    pub const fn owner(&self) -> &PublicKey {
        &self.owner
    }
}

/// Who may fetch blocks of a vault at a moment: the members of grants in force, and the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockReaders {
    vault: VaultId,
    /// Owner keys, each with the lowest serial of a signers list that is still accepted.
    owners: BTreeMap<PublicKey, u64>,
}

impl BlockReaders {
    /// Nobody yet.
    pub const fn new(vault: VaultId) -> Self {
        Self {
            vault,
            owners: BTreeMap::new(),
        }
    }

    /// Admits the owner of `signers`, with this list or a newer one.
    pub fn admit(&mut self, signers: &Signers) {
        let serial = self.owners.entry(*signers.owner()).or_default();
        *serial = signers.serial().max(*serial);
    }

    /// How many are admitted.
    pub fn count(&self) -> usize {
        self.owners.len()
    }

    /// Checks a statement that came over the connection between `ends` at `now`, in seconds since
    /// 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`AccessRefusal`].
    pub fn check(
        &self,
        statement: &[u8],
        ends: &Ends,
        now: u64,
    ) -> Result<BlockReader, AccessRefusal> {
        let signed: Signed<Wire> = codec::decode(statement, MAX_BLOCK_ACCESS_LEN)?;
        let wire = signed.verify(Namespace::BlockAccess, &signed.peek()?.signer)?;
        if wire.v != 1 {
            return Err(DecodeError::Malformed.into());
        }
        let signers = Signers::from_bytes(&wire.signers)?;
        if !signers.may_sign(&wire.signer) {
            return Err(SignatureError::Invalid.into());
        }
        if wire.vault != self.vault {
            return Err(AccessRefusal::OtherVault);
        }
        if (wire.server, wire.client) != (ends.server, ends.client) {
            return Err(AccessRefusal::OtherConnection);
        }
        let apart = wire.time.abs_diff(now);
        if apart > MAX_CLOCK_DIFFERENCE {
            return Err(AccessRefusal::Clock { apart });
        }
        let reader = BlockReader {
            owner: *signers.owner(),
            serial: signers.serial(),
        };
        match self.holds(&reader) {
            true => Ok(reader),
            false => Err(AccessRefusal::NotAReader),
        }
    }

    /// Whether someone whose statement was accepted earlier is still admitted.
    pub fn holds(&self, reader: &BlockReader) -> bool {
        let lowest = self.owners.get(&reader.owner);
        lowest.is_some_and(|lowest| reader.serial >= *lowest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::RecoveryWords;

    const NOW: u64 = 1_790_000_000;
    const VAULT: VaultId = VaultId::from_bytes([3; 32]);
    const ENDS: Ends = Ends {
        server: PublicKey::from_bytes([4; 32]),
        client: PublicKey::from_bytes([5; 32]),
    };

    fn device() -> Device {
        Device::for_new_vault(&RecoveryWords::generate(), 7)
    }

    fn readers(device: &Device) -> BlockReaders {
        let mut readers = BlockReaders::new(VAULT);
        readers.admit(device.signers());
        readers
    }

    #[test]
    fn a_member_gets_in_within_ten_minutes_of_either_clock() {
        let device = device();
        let readers = readers(&device);
        for now in [NOW - 600, NOW, NOW + 600] {
            let statement = sign_block_access(&device, &VAULT, &ENDS, now);
            let reader = readers.check(&statement, &ENDS, NOW).unwrap();
            assert_eq!(reader.owner(), device.signers().owner());
            assert!(readers.holds(&reader));
        }
        for (now, apart) in [(NOW - 601, 601), (NOW + 86_400, 86_400)] {
            let statement = sign_block_access(&device, &VAULT, &ENDS, now);
            let refused = readers.check(&statement, &ENDS, NOW);
            assert_eq!(refused, Err(AccessRefusal::Clock { apart }));
        }
    }

    #[test]
    fn a_statement_is_of_no_use_elsewhere() {
        let device = device();
        let readers = readers(&device);
        let other = PublicKey::from_bytes([6; 32]);
        let statement = sign_block_access(&device, &VAULT, &ENDS, NOW);
        for ends in [
            Ends {
                server: other,
                ..ENDS
            },
            Ends {
                client: other,
                ..ENDS
            },
        ] {
            let refused = readers.check(&statement, &ends, NOW);
            assert_eq!(refused, Err(AccessRefusal::OtherConnection));
        }
        let elsewhere = VaultId::from_bytes([9; 32]);
        let statement = sign_block_access(&device, &elsewhere, &ENDS, NOW);
        let refused = readers.check(&statement, &ENDS, NOW);
        assert_eq!(refused, Err(AccessRefusal::OtherVault));
    }

    #[test]
    fn strangers_and_those_who_were_shut_out_do_not_get_in() {
        let device = device();
        let mut readers = readers(&device);
        let stranger = sign_block_access(&super::tests::device(), &VAULT, &ENDS, NOW);
        let refused = readers.check(&stranger, &ENDS, NOW);
        assert_eq!(refused, Err(AccessRefusal::NotAReader));

        let statement = sign_block_access(&device, &VAULT, &ENDS, NOW);
        let reader = readers.check(&statement, &ENDS, NOW).unwrap();
        readers.owners.clear();
        assert!(!readers.holds(&reader));
        let refused = readers.check(&statement, &ENDS, NOW);
        assert_eq!(refused, Err(AccessRefusal::NotAReader));
    }

    #[test]
    fn a_device_that_its_owner_has_replaced_does_not_get_in() {
        let owner = SigningKey::from_seed(&[1; 32]);
        let (old, new) = (
            SigningKey::from_seed(&[2; 32]),
            SigningKey::from_seed(&[8; 32]),
        );
        let before = Signers::new(&owner, 7, vec![old.public()], vec![]);
        let after = Signers::new(&owner, 8, vec![new.public()], vec![old.public()]);
        let mut readers = BlockReaders::new(VAULT);
        readers.admit(&before);
        let statement = sign(&before, &old, &VAULT, &ENDS, NOW);
        assert!(readers.check(&statement, &ENDS, NOW).is_ok());
        readers.admit(&after);
        assert_eq!(readers.count(), 1);
        let refused = readers.check(&statement, &ENDS, NOW);
        assert_eq!(refused, Err(AccessRefusal::NotAReader));
        // the old key under the new list
        let forged = sign(&after, &old, &VAULT, &ENDS, NOW);
        let refused = readers.check(&forged, &ENDS, NOW);
        assert_eq!(
            refused,
            Err(AccessRefusal::Signature(SignatureError::Invalid))
        );
        // a card that is older than what the reader shows now
        let mut readers = BlockReaders::new(VAULT);
        readers.admit(&before);
        let statement = sign(&after, &new, &VAULT, &ENDS, NOW);
        assert!(readers.check(&statement, &ENDS, NOW).is_ok());
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let device = device();
        let readers = readers(&device);
        let statement = sign_block_access(&device, &VAULT, &ENDS, NOW);
        assert!(statement.len() <= MAX_BLOCK_ACCESS_LEN);
        for at in 0..statement.len() {
            let mut altered = statement.clone();
            altered[at] ^= 1;
            assert!(readers.check(&altered, &ENDS, NOW).is_err(), "{at}");
        }
        for len in 0..statement.len() {
            assert!(readers.check(&statement[..len], &ENDS, NOW).is_err());
        }
        let long = vec![0; MAX_BLOCK_ACCESS_LEN + 1];
        assert!(readers.check(&long, &ENDS, NOW).is_err());
    }
}
