//! The receipt of a revocation: what it gave, and what it could not.

use serde::{Deserialize, Serialize};

use crate::audit::RevokeLevel;
use crate::block::Digest;
use crate::codec::{self, DecodeError};
use crate::identity::Signers;
use crate::ids::{GrantId, VaultId, VersionId};
use crate::keys::{Namespace, PublicKey, SignatureError, Signed, SigningKey};

/// Longest accepted receipt, in bytes.
const MAX_RECEIPT_LEN: usize = 64 * 1024;

/// Why a receipt was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not a receipt.
    #[error("receipt: {0}")]
    Malformed(#[from] DecodeError),
    /// Not signed by a key of the vault.
    #[error("receipt: {0}")]
    Signature(#[from] SignatureError),
}

/// Someone who kept copies of the old blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnerAck {
    /// Who: `this device`, or a pinning service.
    pub name: String,
    /// Blocks deleted or unpinned there.
    pub deleted: u64,
    /// Whether it confirmed.
    pub acknowledged: bool,
}

/// A signed statement of what a revocation achieved.
///
/// With a carried grant the keys were in the reader's hands from the start: reads cannot be seen,
/// and what was fetched cannot be called back. The receipt says so by counting every version that
/// was readable as one that could have been opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    v: u8,
    /// The vault.
    pub vault: VaultId,
    signer: PublicKey,
    /// The grant.
    pub grant: GrantId,
    /// Owner keys of the readers that were shut out.
    pub readers: Vec<PublicKey>,
    /// When, in seconds since 1970-01-01 UTC.
    pub time: u64,
    /// How far it went.
    pub level: RevokeLevel,
    /// Versions known to have been opened. `None`: a carried grant cannot tell.
    pub opened: Option<u64>,
    /// Versions that could have been opened and copied.
    pub could_have_opened: u64,
    /// SHA-256 over the digests of the grant's sealed index pages at that moment: what exactly was
    /// in it.
    pub index: Digest,
    /// Versions of the grant whose key never left, and now never will (R3). Always 0 for a carried
    /// grant.
    pub never_delivered: u64,
    /// Versions sealed again under new keys.
    pub rekeyed: u64,
    /// Who kept the old blocks, and whether they are gone.
    pub pinners: Vec<PinnerAck>,
    /// Position of the revocation in the audit log.
    pub log_index: u64,
    /// On request: the versions whose keys were given out, sorted; at most 2,000 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opened_versions: Vec<VersionId>,
    /// On request: those who answered besides the patient's device.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentStanding>,
}

/// Most versions that a receipt lists; the log has them all.
pub(super) const MAX_LISTED: usize = 2000;

/// How an agent stood when a receipt was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentStanding {
    /// The agent's owner key.
    pub agent: PublicKey,
    /// Whether it has confirmed that it gives no more.
    pub closed: bool,
    /// When its certificate ends, in seconds since 1970-01-01 UTC.
    pub until: u64,
}

/// What came of a grant on request.
pub(super) struct Opened {
    /// Versions whose keys were given out.
    pub(super) count: u64,
    /// The same by name, sorted.
    pub(super) versions: Vec<VersionId>,
    /// Versions whose keys may have been given out: agents have not said.
    pub(super) uncertain: u64,
    /// Versions whose keys never left.
    pub(super) never: u64,
    pub(super) agents: Vec<AgentStanding>,
}

impl Opened {
    /// What a receipt says of it.
    pub(super) fn of_receipt(receipt: &Receipt) -> Option<Self> {
        let count = receipt.opened?;
        Some(Self {
            count,
            versions: receipt.opened_versions.clone(),
            uncertain: receipt.could_have_opened.saturating_sub(count),
            never: receipt.never_delivered,
            agents: receipt.agents.clone(),
        })
    }
}

/// What goes into a receipt.
pub(super) struct ReceiptDraft {
    pub(super) vault: VaultId,
    pub(super) grant: GrantId,
    pub(super) readers: Vec<PublicKey>,
    pub(super) time: u64,
    pub(super) level: RevokeLevel,
    pub(super) could_have_opened: u64,
    pub(super) index: Digest,
    pub(super) rekeyed: u64,
    pub(super) pinners: Vec<PinnerAck>,
    pub(super) log_index: u64,
    /// On request: what is known of the keys.
    pub(super) opened: Option<Opened>,
}

impl Receipt {
    /// Signs a receipt. Returns it with its wire form.
    pub(super) fn sign(draft: ReceiptDraft, key: &SigningKey) -> (Self, Vec<u8>) {
        let opened = draft.opened.as_ref();
        let receipt = Self {
            v: 1,
            vault: draft.vault,
            signer: key.public(),
            grant: draft.grant,
            readers: draft.readers,
            time: draft.time,
            level: draft.level,
            opened: opened.map(|opened| opened.count),
            could_have_opened: (opened.map(|opened| opened.count + opened.uncertain))
                .unwrap_or(draft.could_have_opened),
            index: draft.index,
            never_delivered: opened.map_or(0, |opened| opened.never),
            rekeyed: draft.rekeyed,
            pinners: draft.pinners,
            log_index: draft.log_index,
            opened_versions: (draft.opened.iter())
                .flat_map(|opened| opened.versions.iter().take(MAX_LISTED).copied())
                .collect(),
            agents: draft.opened.map_or_else(Vec::new, |opened| opened.agents),
        };
        let bytes = Signed::new(&receipt, Namespace::Receipt, key).to_bytes();
        (receipt, bytes)
    }

    /// Reads a receipt that some key of the vault signed, now or before. A key that signed before
    /// may have been lost: what makes a receipt count is its digest in the audit log.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn from_bytes(bytes: &[u8], signers: &Signers) -> Result<Self, ReceiptError> {
        let signed: Signed<Self> = codec::decode(bytes, MAX_RECEIPT_LEN)?;
        let signer = signed.peek()?.signer;
        let receipt = signed.verify(Namespace::Receipt, &signer)?;
        if !signers.has_signed(&signer) || receipt.vault != signers.vault() {
            return Err(SignatureError::Invalid.into());
        }
        if receipt.v != 1 {
            return Err(DecodeError::Malformed.into());
        }
        Ok(receipt)
    }
}
