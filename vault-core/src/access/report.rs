//! What the patient asks an agent of theirs, and what the agent answers.

use serde::{Deserialize, Serialize};

use super::reader::{MessageError, ReaderStatement};
use crate::audit::Logged;
use crate::identity::{Device, MAX_SIGNERS_LEN};
use crate::ids::{GrantId, VaultId};
use crate::keys::{Namespace, PublicKey};
use crate::log::{MAX_NOTE_LEN, TreeHash};

/// Most entries in one report.
pub const MAX_REPORTED: usize = 32;

/// Longest question, in bytes.
pub(crate) const MAX_QUESTION_LEN: usize = MAX_SIGNERS_LEN + MAX_NOTE_LEN + 1024;

/// The patient's question: what did you do under this grant, beginning at that place of your log?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentQuestion {
    /// The patient's vault.
    pub(crate) vault: VaultId,
    /// The agent's vault, whose log is asked about.
    pub(crate) log: VaultId,
    pub(crate) grant: GrantId,
    /// First entry of the agent's log that the patient has not seen.
    pub(crate) from: u64,
    /// Whether the agent is to give no more keys under this grant, for good.
    pub(crate) close: bool,
    /// The last signed checkpoint of the agent's log the patient has seen.
    #[serde(with = "serde_bytes")]
    pub(crate) seen: Option<Vec<u8>>,
}

impl AgentQuestion {
    /// Signs the question. `now` is in seconds since 1970-01-01 UTC.
    pub(crate) fn sign(self, device: &Device, now: u64) -> Vec<u8> {
        ReaderStatement::sign(self, Namespace::AgentQuestion, device, now)
    }

    /// Reads a question, and who asks it.
    ///
    /// # Errors
    /// [`MessageError`].
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<(Self, Asker), MessageError> {
        let read: ReaderStatement<Self> =
            ReaderStatement::read(bytes, Namespace::AgentQuestion, MAX_QUESTION_LEN)?;
        let asker = Asker {
            owner: *read.signers.owner(),
            serial: read.signers.serial(),
            time: read.time,
        };
        Ok((read.say, asker))
    }
}

/// Who asks an agent, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asker {
    /// Owner key of the patient.
    pub(crate) owner: PublicKey,
    /// Serial of the patient's list of signing keys.
    pub(crate) serial: u64,
    /// In seconds since 1970-01-01 UTC.
    pub(crate) time: u64,
}

/// What an agent has done under one grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentReport {
    /// Entries of its log about this grant, each proven, from where the question began.
    pub(crate) entries: Vec<Logged>,
    /// Where the next question begins.
    pub(crate) next: u64,
    /// Whether there are more entries behind that.
    pub(crate) more: bool,
    /// Opens given in all.
    pub(crate) opens: u64,
    /// When the patient asked it to give no more, in seconds since 1970-01-01 UTC: it does not use
    /// certificates made up to then.
    pub(crate) closed: Option<u64>,
    /// The newest checkpoint of its log, signed.
    #[serde(with = "serde_bytes")]
    pub(crate) checkpoint: Vec<u8>,
    /// That this contains the checkpoint the patient had seen.
    pub(crate) consistency: Vec<TreeHash>,
}

impl AgentReport {
    /// How many requests it tells of, those turned down included. Nothing in it is believed before
    /// [`crate::Vault::take_report`] has checked it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it tells of no request.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
