//! Proofs that keys were given out, kept sealed on the reader's device.
//!
//! Each shows to third parties that a request was answered, and that this stands in the log of
//! whoever answered. One small file for each, so that commands that run at once do not disturb each
//! other and nothing is written twice.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::asking::Given;
use crate::audit::{EntryProof, EntryProofError};
use crate::codec::{self, DecodeError};
use crate::home::Home;
use crate::identity::Device;
use crate::ids::VaultId;
use crate::keys::SecretKey;
use crate::log::MAX_NOTE_LEN;
use crate::seal::{OpenError, open, seal};
use crate::vault::StorageError;

/// The folder in the home.
const FOLDER: &str = "proofs";

/// Longest accepted proof, in bytes.
const MAX_KEPT_LEN: usize = MAX_NOTE_LEN + 256 * 1024;

/// Why proofs could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum ProofsError {
    /// The home failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A file is damaged or belongs to another device.
    #[error("proof {name}: {error}")]
    Seal {
        /// The file.
        name: String,
        /// What is wrong with it.
        error: OpenError,
    },
    /// A file is malformed.
    #[error("proof {name}: {error}")]
    Malformed {
        /// The file.
        name: String,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// A proof does not hold.
    #[error(transparent)]
    Proof(#[from] EntryProofError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u8,
    vault: VaultId,
    proof: String,
}

/// A proof that was kept.
#[derive(Debug, Clone)]
pub struct KeptProof {
    /// Its file's name: the beginning of the request's SHA-256, in hexadecimal digits.
    pub name: String,
    /// Whose records the keys are of.
    pub vault: VaultId,
    /// The proof. Its log is that of the vault, or of an agent of the patient's.
    pub proof: EntryProof,
}

/// The proofs in a home.
pub struct Proofs {
    home: Arc<Home>,
    key: SecretKey,
    own: VaultId,
}

impl Proofs {
    /// Those of a home; nothing is read yet.
    pub fn open(home: Arc<Home>, device: &Device) -> Self {
        Self {
            home,
            key: device.local_state_key(),
            own: device.vault(),
        }
    }

    fn context(&self, name: &str) -> Vec<u8> {
        let label = b"medvault/v1/kept-proof\0\x01".as_slice();
        [label, self.own.as_bytes(), name.as_bytes()].concat()
    }

    /// Keeps the proof of keys for records of `vault`. Returns its name; the same again is the same
    /// file.
    ///
    /// # Errors
    /// [`ProofsError`].
    pub fn keep(&self, vault: &VaultId, given: &Given) -> Result<String, ProofsError> {
        let name: String = (given.request().as_bytes().iter().take(16))
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let wire = Wire {
            v: 1,
            vault: *vault,
            proof: given.proof().to_text()?,
        };
        let sealed = seal(
            self.key.expose(),
            &self.context(&name),
            &codec::encode(&wire),
        );
        self.home.make_folder(FOLDER)?;
        self.home.write_file(&format!("{FOLDER}/{name}"), &sealed)?;
        Ok(name)
    }

    /// Names of all that are kept, sorted.
    ///
    /// # Errors
    /// [`ProofsError::Storage`].
    pub fn names(&self) -> Result<Vec<String>, ProofsError> {
        Ok(self.home.list_folder(FOLDER)?)
    }

    /// Reads one; `None` when there is none of this name. What it proves is for
    /// [`EntryProof::verify`] to say.
    ///
    /// # Errors
    /// [`ProofsError`].
    pub fn read(&self, name: &str) -> Result<Option<KeptProof>, ProofsError> {
        let Some(sealed) = self.home.read_file(&format!("{FOLDER}/{name}"))? else {
            return Ok(None);
        };
        let named = || name.to_owned();
        let plain = open(self.key.expose(), &self.context(name), &sealed);
        let plain = plain.map_err(|error| ProofsError::Seal {
            name: named(),
            error,
        })?;
        let wire: Result<Wire, DecodeError> = codec::decode(&plain, MAX_KEPT_LEN);
        let wire = wire.and_then(|wire| match wire.v {
            1 => Ok(wire),
            _ => Err(DecodeError::Malformed),
        });
        let wire = wire.map_err(|error| ProofsError::Malformed {
            name: named(),
            error,
        })?;
        Ok(Some(KeptProof {
            name: named(),
            vault: wire.vault,
            proof: EntryProof::parse(&wire.proof)?,
        }))
    }
}
