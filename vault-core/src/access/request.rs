//! A reader's request for content keys.

use serde::{Deserialize, Serialize};

use super::reader::{MessageError, ReaderStatement};
use crate::block::Digest;
use crate::codec::DecodeError;
use crate::envelope::RecipientKey;
use crate::grant::Purpose;
use crate::identity::{Device, MAX_SIGNERS_LEN};
use crate::ids::{GrantId, VaultId, VersionId};
use crate::keys::{Namespace, PublicKey};
use crate::log::MAX_NOTE_LEN;

/// Most versions in one request.
pub const MAX_VERSIONS: usize = 64;

/// Longest request, in bytes.
pub(crate) const MAX_REQUEST_LEN: usize = MAX_SIGNERS_LEN + MAX_NOTE_LEN + 8 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestDraft {
    /// Whose records.
    pub(crate) vault: VaultId,
    pub(crate) grant: GrantId,
    /// SHA-256 of the signed terms that both sides signed.
    pub(crate) terms: Digest,
    pub(crate) versions: Vec<VersionId>,
    pub(crate) purpose: Option<Purpose>,
    /// A key of the moment to seal the answer to.
    pub(crate) key: RecipientKey,
    /// Whose log the answer is to be written in: the vault's own, or an agent's.
    pub(crate) log: VaultId,
    /// The last signed checkpoint of that log the reader has seen.
    #[serde(with = "serde_bytes")]
    pub(crate) seen: Option<Vec<u8>>,
}

impl RequestDraft {
    /// Signs the request. `now` is in seconds since 1970-01-01 UTC.
    pub(crate) fn sign(self, device: &Device, now: u64) -> Vec<u8> {
        ReaderStatement::sign(self, Namespace::AccessRequest, device, now)
    }
}

/// A verified request with its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRequest {
    said: ReaderStatement<RequestDraft>,
    digest: Digest,
}

impl AccessRequest {
    /// Reads a request and checks that a device signed it which its owner vouches for.
    ///
    /// # Errors
    /// [`MessageError`]; also for no version, more than [`MAX_VERSIONS`], or one named twice.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MessageError> {
        let said: ReaderStatement<RequestDraft> =
            ReaderStatement::read(bytes, Namespace::AccessRequest, MAX_REQUEST_LEN)?;
        let versions = &said.say.versions;
        let mut sorted = versions.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if versions.is_empty() || versions.len() > MAX_VERSIONS || sorted.len() != versions.len() {
            return Err(DecodeError::Malformed.into());
        }
        Ok(Self {
            said,
            digest: Digest::of(bytes),
        })
    }

    /// SHA-256 of the signed request, by which log and receipt name it.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Whose records are asked for.
    pub const fn vault(&self) -> &VaultId {
        &self.said.say.vault
    }

    /// The grant.
    pub const fn grant(&self) -> &GrantId {
        &self.said.say.grant
    }

    /// SHA-256 of the signed terms that the reader believes in force.
    pub const fn terms(&self) -> &Digest {
        &self.said.say.terms
    }

    /// The versions whose keys are asked for.
    pub fn versions(&self) -> &[VersionId] {
        &self.said.say.versions
    }

    /// Why they are asked for.
    pub const fn purpose(&self) -> Option<&Purpose> {
        self.said.say.purpose.as_ref()
    }

    /// Whose log the answer is to be written in.
    pub const fn log(&self) -> &VaultId {
        &self.said.say.log
    }

    /// The last signed checkpoint of that log the reader has seen.
    pub fn seen(&self) -> Option<&[u8]> {
        self.said.say.seen.as_deref()
    }

    /// The key of the moment to seal the answer to.
    pub(crate) const fn key(&self) -> &RecipientKey {
        &self.said.say.key
    }

    /// Owner key of the reader.
    pub const fn reader(&self) -> &PublicKey {
        self.said.signers.owner()
    }

    /// Serial of the reader's list of keys.
    pub(crate) const fn serial(&self) -> u64 {
        self.said.signers.serial()
    }

    /// When it was signed, in seconds since 1970-01-01 UTC.
    pub const fn time(&self) -> u64 {
        self.said.time
    }
}
