//! One entry of a log, proven to somebody who has only the vault's public key.
//!
//! The leaf in the public tree is a salted commitment. Whoever is given entry and salt computes it
//! again; the hashes lead from there to the signed root, and the owner's list of signing keys from
//! the vault's id to the key that signed it. Nothing is learned about any other entry.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::act::{AuditEntry, MAX_ENTRY_LEN, salted_leaf};
use crate::codec::{self, DecodeError};
use crate::head::log_origin;
use crate::identity::{Signers, SignersError, vault_id};
use crate::ids::VaultId;
use crate::keys::PublicKey;
use crate::log::{
    Checkpoint, CheckpointError, InclusionProof, LogProof, LogProofError, MAX_PATH,
    MAX_PROOF_EXTRA, NoteError, SignedCheckpoint, TreeHash, verify_inclusion,
};

/// Why a proof of an entry was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryProofError {
    /// The proof's text, its checkpoint or its hashes.
    #[error(transparent)]
    Log(#[from] LogProofError),
    /// What stands beside the hashes is not entry, salt and signers.
    #[error("the proof does not hold an entry: {0}")]
    Extra(DecodeError),
    /// The owner's list of signing keys does not hold, or is of another vault.
    #[error(transparent)]
    Signers(#[from] SignersError),
    /// The entry is not one that this program can read.
    #[error("the proven entry: {0}")]
    Entry(DecodeError),
    /// The entry says that it stands elsewhere in the log.
    #[error("the entry says that it is number {said}, the proof that it is number {proven}")]
    Misplaced {
        /// What the entry says.
        said: u64,
        /// Where the proof has it.
        proven: u64,
    },
}

/// An entry that was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The entry.
    pub entry: AuditEntry,
    /// Size and root of the log that holds it, with all signatures.
    pub checkpoint: SignedCheckpoint,
    /// The key of the vault that signed them.
    pub signer: PublicKey,
    /// Whether that key may sign for the vault now, by the list that came with the proof. If not,
    /// it was replaced since, in a recovery.
    pub signs_now: bool,
}

/// One entry with what shows that it is in the log; for a conversation in which the list of
/// signing keys is known.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Logged {
    #[serde(with = "serde_bytes")]
    pub(crate) entry: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub(crate) salt: [u8; 32],
    pub(crate) index: u64,
    #[serde(deserialize_with = "short_path")]
    pub(crate) inclusion: InclusionProof,
    #[serde(with = "serde_bytes")]
    pub(crate) checkpoint: Vec<u8>,
}

impl Logged {
    /// Checks everything against the vault whose list is given: that one of its keys, now or
    /// formerly, signed a log that holds this entry at this place.
    ///
    /// # Errors
    /// [`EntryProofError`].
    pub(crate) fn verify(&self, signers: &Signers) -> Result<Proven, EntryProofError> {
        let checkpoint = SignedCheckpoint::parse(&self.checkpoint).map_err(LogProofError::from)?;
        let signer = log_signer(&checkpoint, signers)?;
        let Checkpoint { size, root, .. } = checkpoint.unverified();
        let leaf = self.leaf();
        verify_inclusion(self.index, *size, &leaf, &self.inclusion, root)
            .map_err(LogProofError::from)?;
        let entry = AuditEntry::from_bytes(&self.entry).map_err(EntryProofError::Entry)?;
        if entry.index != self.index {
            return Err(EntryProofError::Misplaced {
                said: entry.index,
                proven: self.index,
            });
        }
        Ok(Proven {
            entry,
            checkpoint,
            signer,
            signs_now: signers.may_sign(&signer),
        })
    }

    pub(crate) fn leaf(&self) -> TreeHash {
        salted_leaf(&self.salt, &self.entry)
    }
}

impl fmt::Debug for Logged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Logged(entry {}, ..)", self.index)
    }
}

fn short_path<'de, D: Deserializer<'de>>(input: D) -> Result<InclusionProof, D::Error> {
    let path = InclusionProof::deserialize(input)?;
    match path.0.len() <= MAX_PATH {
        true => Ok(path),
        false => Err(serde::de::Error::custom("too many hashes")),
    }
}

/// The key, now or formerly on the list, that signed a checkpoint of this vault's log.
pub(super) fn log_signer(
    checkpoint: &SignedCheckpoint,
    signers: &Signers,
) -> Result<PublicKey, LogProofError> {
    let origin = log_origin(&signers.vault());
    if checkpoint.unverified().origin != origin {
        return Err(LogProofError::OtherLog);
    }
    for key in signers.all_keys() {
        let Ok(verifying) = key.verifying_key() else {
            continue;
        };
        match checkpoint.verify(&origin, &verifying) {
            Ok(_) => return Ok(*key),
            Err(CheckpointError::Note(NoteError::NotSigned)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(CheckpointError::Note(NoteError::NotSigned).into())
}

/// Reads a checkpoint of the log of the vault whose list is given, if one of its keys, now or
/// formerly, signed it.
pub(crate) fn signed_checkpoint(bytes: &[u8], signers: &Signers) -> Option<SignedCheckpoint> {
    signed_checkpoint_by(bytes, signers).map(|(checkpoint, _)| checkpoint)
}

/// The same, with the key that signed it.
pub(crate) fn signed_checkpoint_by(
    bytes: &[u8],
    signers: &Signers,
) -> Option<(SignedCheckpoint, PublicKey)> {
    let checkpoint = SignedCheckpoint::parse(bytes).ok()?;
    let signer = log_signer(&checkpoint, signers).ok()?;
    Some((checkpoint, signer))
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extra {
    v: u8,
    #[serde(with = "serde_bytes")]
    entry: Vec<u8>,
    #[serde(with = "serde_bytes")]
    salt: [u8; 32],
    #[serde(with = "serde_bytes")]
    signers: Vec<u8>,
}

/// A proof that stands alone: a C2SP tlog-proof that carries entry, salt and signers.
#[derive(Clone, PartialEq, Eq)]
pub struct EntryProof {
    logged: Logged,
    signers: Signers,
}

impl EntryProof {
    pub(crate) const fn new(logged: Logged, signers: Signers) -> Self {
        Self { logged, signers }
    }

    /// The text; files of it end in `.tlog-proof`.
    ///
    /// # Errors
    /// [`EntryProofError`] if it could not be read again.
    pub fn to_text(&self) -> Result<String, EntryProofError> {
        let Logged {
            entry,
            salt,
            index,
            inclusion,
            checkpoint,
        } = self.logged.clone();
        let extra = Extra {
            v: 1,
            entry,
            salt,
            signers: self.signers.as_bytes().to_vec(),
        };
        let checkpoint = SignedCheckpoint::parse(&checkpoint).map_err(LogProofError::from)?;
        let proof = LogProof {
            extra: Some(codec::encode(&extra)),
            index,
            inclusion,
            checkpoint,
        };
        Ok(proof.to_text())
    }

    /// Reads a text. Only the owner's signature on the list of keys is checked yet.
    ///
    /// # Errors
    /// [`EntryProofError`].
    pub fn parse(text: &str) -> Result<Self, EntryProofError> {
        let proof = LogProof::parse(text)?;
        let extra = proof.extra.unwrap_or_default();
        let extra: Extra =
            codec::decode(&extra, MAX_PROOF_EXTRA).map_err(EntryProofError::Extra)?;
        if extra.v != 1 || extra.entry.len() > MAX_ENTRY_LEN {
            return Err(EntryProofError::Extra(DecodeError::Malformed));
        }
        let logged = Logged {
            entry: extra.entry,
            salt: extra.salt,
            index: proof.index,
            inclusion: proof.inclusion,
            checkpoint: proof.checkpoint.as_bytes().to_vec(),
        };
        Ok(Self::new(logged, Signers::from_bytes(&extra.signers)?))
    }

    /// The vault that the proof claims to be of. Compare it with one known from elsewhere.
    pub fn claimed_vault(&self) -> VaultId {
        self.signers.vault()
    }

    /// Checks that the log of `vault` holds the entry.
    ///
    /// # Errors
    /// [`EntryProofError`]; [`SignersError::OtherVault`] when the proof is of another vault.
    pub fn verify(&self, vault: &VaultId) -> Result<Proven, EntryProofError> {
        if self.signers.vault() != *vault {
            return Err(SignersError::OtherVault.into());
        }
        self.logged.verify(&self.signers)
    }

    /// The same for who knows the owner's public key.
    ///
    /// # Errors
    /// As [`EntryProof::verify`].
    pub fn verify_owner(&self, owner: &PublicKey) -> Result<Proven, EntryProofError> {
        self.verify(&vault_id(owner))
    }
}

impl fmt::Debug for EntryProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryProof({:?})", self.logged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::known_signers;
    use crate::keys::SigningKey;
    use crate::log::ProofError;
    use crate::samples;

    fn verify(text: &str) -> Result<Proven, EntryProofError> {
        EntryProof::parse(text)?.verify(&samples::vault())
    }

    #[test]
    fn an_entry_is_proven_by_the_vaults_id_or_key_alone() {
        let text = samples::entry_proof().to_text().unwrap();
        let proof = EntryProof::parse(&text).unwrap();
        let proven = proof.verify(&samples::vault()).unwrap();
        assert_eq!(proven.entry, samples::audit_entries()[4]);
        let all = samples::audit_entries().len() as u64;
        assert_eq!(proven.checkpoint.unverified().size, all);
        assert_eq!(proven.signer, crate::fuzzing::device().public());
        assert!(proven.signs_now);
        assert_eq!(proof.verify_owner(known_signers().owner()), Ok(proven));
        let other = VaultId::from_bytes([1; 32]);
        assert_eq!(proof.claimed_vault(), samples::vault());
        assert_eq!(proof.verify(&other), Err(SignersError::OtherVault.into()));
        assert_eq!(EntryProof::parse(&text), Ok(proof));
    }

    #[test]
    fn nothing_in_a_proof_can_be_exchanged() {
        let good = samples::entry_proof();
        let failed = |change: &dyn Fn(&mut EntryProof)| {
            let mut proof = good.clone();
            change(&mut proof);
            verify(&proof.to_text().unwrap()).unwrap_err()
        };
        let mismatch = EntryProofError::Log(LogProofError::Inclusion(ProofError::RootMismatch));
        assert_eq!(failed(&|p| p.logged.salt[0] ^= 1), mismatch);
        assert_eq!(failed(&|p| p.logged.index = 5), mismatch);
        let other = samples::audit_entries()[5].to_bytes();
        assert_eq!(failed(&|p| p.logged.entry = other.clone()), mismatch);

        // another owner's list, or one of this owner that does not name the device
        let owner = SigningKey::from_seed(&[9; 32]);
        let device = crate::fuzzing::device().public();
        let foreign = Signers::new(&owner, 9, vec![device], vec![]);
        let refused = failed(&|p| p.signers = foreign.clone());
        assert_eq!(refused, SignersError::OtherVault.into());
        let not_signed = LogProofError::Checkpoint(NoteError::NotSigned.into());
        let empty = Signers::new(&crate::fuzzing::owner(), 9, vec![], vec![]);
        assert_eq!(failed(&|p| p.signers = empty.clone()), not_signed.into());
    }

    #[test]
    fn a_former_key_proves_too_and_is_said_to_be_one() {
        let mut proof = samples::entry_proof();
        let device = crate::fuzzing::device().public();
        proof.signers = Signers::new(&crate::fuzzing::owner(), 8, vec![], vec![device]);
        assert!(!verify(&proof.to_text().unwrap()).unwrap().signs_now);
    }

    #[test]
    fn an_entry_of_another_place_is_refused_although_it_was_logged() {
        let misplaced = samples::proof_of(|entries| entries.swap(4, 5));
        let refused = verify(&misplaced.to_text().unwrap());
        let (said, proven) = (5, 4);
        assert_eq!(refused, Err(EntryProofError::Misplaced { said, proven }));
    }

    #[test]
    fn a_path_of_more_hashes_than_any_tree_has_is_not_decoded() {
        let mut logged = samples::entry_proof().logged;
        logged.inclusion.0 = vec![TreeHash::from_bytes([1; 32]); MAX_PATH];
        let bytes = codec::encode(&logged);
        assert_eq!(
            codec::decode::<Logged>(&bytes, bytes.len()),
            Ok(logged.clone())
        );
        logged.inclusion.0.push(TreeHash::from_bytes([1; 32]));
        let bytes = codec::encode(&logged);
        let refused = codec::decode::<Logged>(&bytes, bytes.len());
        assert_eq!(refused, Err(DecodeError::Malformed));
    }
}
