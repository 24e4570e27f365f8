//! Entries and their commitments.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::block::Digest;
use crate::codec::{self, DecodeError};
use crate::grant::Purpose;
use crate::ids::{DepositId, DeviceId, GrantId, RecordId, VaultId, VersionId};
use crate::index::{Item, decode_items, encode_items};
use crate::keys::{KeyPurpose, PublicKey, SecretKey, derive};
use crate::log::{TreeHash, leaf_hash};

/// Longest accepted entry, in bytes.
pub(crate) const MAX_ENTRY_LEN: usize = 64 * 1024;

/// How far a revocation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RevokeLevel {
    /// R1: no future record, version or key.
    Stop,
    /// R2: what was readable is sealed again under new keys and the old blocks are deleted.
    Rekey,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// The vault was made.
    VaultCreated {
        /// Serial of the first signers list.
        serial: u64,
    },
    /// The vault was rebuilt from the recovery words; other devices no longer sign.
    VaultRecovered {
        /// Serial of the new signers list.
        serial: u64,
        /// The head it was rebuilt from.
        from_seq: u64,
    },
    /// A contact's card was added or replaced.
    ContactAdded {
        /// The contact's owner key.
        contact: PublicKey,
        /// The name given to it.
        name: String,
    },
    /// The patient compared fingerprints with the contact.
    ContactVerified {
        /// The contact's owner key.
        contact: PublicKey,
    },
    /// Records or new versions were added.
    Published {
        /// How many versions.
        count: u64,
        /// SHA-256 over their version ids, in order.
        versions: Digest,
    },
    /// Records were removed with all their versions.
    Removed {
        /// The records.
        records: Vec<RecordId>,
    },
    /// A grant was made.
    Granted {
        /// The grant.
        grant: GrantId,
        /// The readers' owner keys.
        readers: Vec<PublicKey>,
        /// SHA-256 of the signed terms.
        terms: Digest,
        /// Versions readable at once.
        count: u64,
    },
    /// Versions joined a standing grant.
    Joined {
        /// The grant.
        grant: GrantId,
        /// How many versions.
        count: u64,
    },
    /// A grant, or one reader's part in it, was withdrawn.
    Revoked {
        /// The grant.
        grant: GrantId,
        /// The readers shut out.
        readers: Vec<PublicKey>,
        /// How far it went.
        level: RevokeLevel,
    },
    /// A grant reached its end.
    Expired {
        /// The grant.
        grant: GrantId,
    },
    /// Versions that a revoked reader could read were sealed again.
    Rekeyed {
        /// The grant whose reader was shut out.
        grant: GrantId,
        /// How many versions.
        count: u64,
        /// Whether nothing is left to do.
        done: bool,
    },
    /// A receipt was issued.
    Receipt {
        /// The grant.
        grant: GrantId,
        /// SHA-256 of the signed receipt.
        receipt: Digest,
    },
    /// A pinning service keeps copies from now on, of this and every later head.
    Pinned {
        /// The name given to it.
        service: String,
        /// Where it is.
        endpoint: String,
    },
    /// A pinning service was told to keep nothing any more.
    Unpinned {
        /// The name given to it.
        service: String,
        /// Whether it confirmed.
        confirmed: bool,
    },
    /// A pinning service was asked for a sample of the blocks it was given.
    PinVerified {
        /// The name given to it.
        service: String,
        /// Blocks asked for.
        sampled: u64,
        /// Those it did not give.
        missing: u64,
        /// Canaries among those asked for.
        canaries: u64,
        /// Chance in thousandths that the loss looked for would have been seen.
        confidence: u64,
    },
    /// A reader countersigned the terms of an on-request grant: from now on they are in force.
    Agreed {
        /// The grant.
        grant: GrantId,
        /// The reader's owner key.
        reader: PublicKey,
        /// SHA-256 of the signed terms.
        terms: Digest,
        /// SHA-256 of the signed acceptance.
        acceptance: Digest,
    },
    /// Keys were given out on request. Written before they left.
    Released(Asked),
    /// A request was turned down.
    Denied {
        /// What was asked.
        asked: Asked,
        /// Why, as a short name.
        reason: String,
    },
    /// The reader confirmed that keys arrived, and countersigned the checkpoint they came with.
    Receipted {
        /// Position of the release in the log.
        release: u64,
        /// The reader's owner key.
        reader: PublicKey,
        /// SHA-256 of the signed receipt.
        receipt: Digest,
        /// Whether the reader says that everything opened.
        opened: bool,
    },
    /// Someone may answer requests on the patient's behalf.
    AgentAdded {
        /// The grant.
        grant: GrantId,
        /// The agent's owner key.
        agent: PublicKey,
        /// How many opens it may give. `None`: as many as it is asked for.
        opens: Option<u64>,
        /// Until when, in seconds since 1970-01-01 UTC.
        until: u64,
    },
    /// An agent may no longer answer.
    AgentRemoved {
        /// The grant.
        grant: GrantId,
        /// The agent's owner key.
        agent: PublicKey,
    },
    /// An agent told what it had done; its releases and denials were entered before this.
    AgentReported {
        /// The grant.
        grant: GrantId,
        /// The agent's owner key.
        agent: PublicKey,
        /// Opens it has given in all.
        opens: u64,
        /// Whether it will give no more.
        closed: bool,
    },
    /// What a contact may deposit was changed.
    DepositLimit {
        /// The contact's owner key.
        contact: PublicKey,
        /// Most bytes that may wait for a decision; 0 when deposits are not taken.
        bytes: u64,
    },
    /// A contact deposited something; it waits for a decision.
    Deposited {
        /// The contact's owner key.
        contact: PublicKey,
        /// The deposit.
        deposit: DepositId,
        /// Its length as it came, in bytes.
        bytes: u64,
    },
    /// A deposit was taken into the vault.
    DepositAccepted {
        /// The contact's owner key.
        contact: PublicKey,
        /// The deposit.
        deposit: DepositId,
        /// How many versions it held.
        count: u64,
    },
    /// A deposit was deleted unread or unwanted.
    DepositDeclined {
        /// The contact's owner key.
        contact: PublicKey,
        /// The deposit.
        deposit: DepositId,
    },
}

/// A request for keys, as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Whose records: another vault than the log's own when an agent answered for its patient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultId>,
    /// The grant.
    pub grant: GrantId,
    /// The reader's owner key.
    pub reader: PublicKey,
    /// The versions whose keys were asked for.
    pub versions: Vec<VersionId>,
    /// Why, in the reader's words.
    pub purpose: Option<Purpose>,
    /// SHA-256 of the signed request.
    pub request: Digest,
    /// The agent that answered, and where in its own log that stands. `None`: this device did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
}

/// Where an agent logged what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Via {
    /// The agent's owner key.
    pub agent: PublicKey,
    /// Position in the agent's log.
    pub index: u64,
    /// When the agent answered, in seconds since 1970-01-01 UTC.
    pub time: u64,
}

impl Act {
    /// The act's short name, as it is shown and filtered by.
    pub fn name(&self) -> &'static str {
        match self {
            Self::VaultCreated { .. } => "vault-created",
            Self::VaultRecovered { .. } => "vault-recovered",
            Self::ContactAdded { .. } => "contact-added",
            Self::ContactVerified { .. } => "contact-verified",
            Self::Published { .. } => "published",
            Self::Removed { .. } => "removed",
            Self::Granted { .. } => "granted",
            Self::Joined { .. } => "joined",
            Self::Revoked { .. } => "revoked",
            Self::Expired { .. } => "expired",
            Self::Rekeyed { .. } => "rekeyed",
            Self::Receipt { .. } => "receipt",
            Self::Pinned { .. } => "pinned",
            Self::Unpinned { .. } => "unpinned",
            Self::PinVerified { .. } => "pin-verified",
            Self::Agreed { .. } => "agreed",
            Self::Released(_) => "released",
            Self::Denied { .. } => "denied",
            Self::Receipted { .. } => "receipted",
            Self::AgentAdded { .. } => "agent-added",
            Self::AgentRemoved { .. } => "agent-removed",
            Self::AgentReported { .. } => "agent-reported",
            Self::DepositLimit { .. } => "deposit-limit",
            Self::Deposited { .. } => "deposited",
            Self::DepositAccepted { .. } => "deposit-accepted",
            Self::DepositDeclined { .. } => "deposit-declined",
        }
    }
}

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEntry {
    /// Position in the log, from 0.
    pub index: u64,
    /// When, in seconds since 1970-01-01 UTC.
    pub time: u64,
    /// The device that did it.
    pub device: DeviceId,
    /// What happened.
    pub act: Act,
}

impl AuditEntry {
    /// The entry's exact bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, MAX_ENTRY_LEN)
    }
}

/// An entry's exact bytes, as they lie in the sealed pages of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SealedEntry(#[serde(with = "serde_bytes")] pub(crate) Vec<u8>);

impl Item for SealedEntry {
    fn weight(&self) -> usize {
        self.0.len() + 5
    }

    fn encode_page(items: &[Self]) -> Vec<u8> {
        encode_items(items)
    }

    fn decode_page(bytes: &[u8]) -> Result<Vec<Self>, DecodeError> {
        decode_items(bytes)
    }
}

/// The leaf of entry `index`: RFC 6962 leaf hash of the commitment
/// `SHA-256("medvault/v1/log-leaf" 0x00 salt entry)`; the salt is derived from the log secret.
pub(crate) fn leaf(log_secret: &SecretKey, index: u64, entry: &[u8]) -> TreeHash {
    salted_leaf(&salt(log_secret, index), entry)
}

/// The same with the salt given, for who has only one entry.
pub(crate) fn salted_leaf(salt: &[u8; 32], entry: &[u8]) -> TreeHash {
    leaf_hash(&commitment(salt, entry))
}

/// What entry `index` is salted with.
pub(crate) fn salt(log_secret: &SecretKey, index: u64) -> Zeroizing<[u8; 32]> {
    let base = derive(log_secret.expose(), KeyPurpose::LeafSalt);
    let digest = Sha256::new()
        .chain_update(base.expose())
        .chain_update(index.to_be_bytes())
        .finalize();
    Zeroizing::new(digest.into())
}

fn commitment(salt: &[u8; 32], entry: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(b"medvault/v1/log-leaf\0")
        .chain_update(salt)
        .chain_update(entry)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_round_trip_and_leaves_are_salted() {
        let entry = AuditEntry {
            index: 3,
            time: 1_790_000_000,
            device: DeviceId::random(),
            act: Act::Revoked {
                grant: GrantId::random(),
                readers: vec![],
                level: RevokeLevel::Stop,
            },
        };
        let bytes = entry.to_bytes();
        assert_eq!(AuditEntry::from_bytes(&bytes).unwrap(), entry);
        let secret = SecretKey::random();
        let a = leaf(&secret, 3, &bytes);
        assert_eq!(a, leaf(&secret, 3, &bytes));
        assert_ne!(a, leaf(&secret, 4, &bytes));
        assert_ne!(a, leaf(&SecretKey::random(), 3, &bytes));
    }
}
