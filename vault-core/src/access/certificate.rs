//! The patient's certificate for an agent: someone who answers requests on their behalf.

use serde::{Deserialize, Serialize};

use crate::address::NodeAddress;
use crate::block::Digest;
use crate::codec::{self, DecodeError};
use crate::identity::{MAX_SIGNERS_LEN, Signers, SignersError};
use crate::ids::{GrantId, VaultId};
use crate::keys::{Namespace, PublicKey, SignatureError, Signed, SigningKey};

/// Longest certificate, in bytes.
const MAX_CERTIFICATE_LEN: usize = MAX_SIGNERS_LEN + 8 * 1024;

/// Why a certificate was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not a certificate.
    #[error("agent certificate: {0}")]
    Malformed(#[from] DecodeError),
    /// Not signed by a key of the vault.
    #[error("agent certificate: {0}")]
    Signature(#[from] SignatureError),
    /// The agent's list of signing keys is not valid.
    #[error("agent certificate: {0}")]
    Signers(#[from] SignersError),
    /// Made for another vault or grant.
    #[error("the agent certificate is for another vault or grant")]
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u8,
    vault: VaultId,
    grant: GrantId,
    terms: Digest,
    #[serde(with = "serde_bytes")]
    agent: Vec<u8>,
    node: NodeAddress,
    opens: Option<u64>,
    until: u64,
    time: u64,
    signer: PublicKey,
}

/// What goes into a certificate.
pub(crate) struct CertificateDraft<'a> {
    pub(crate) vault: VaultId,
    pub(crate) grant: GrantId,
    /// SHA-256 of the signed terms.
    pub(crate) terms: Digest,
    pub(crate) agent: &'a Signers,
    pub(crate) node: NodeAddress,
    pub(crate) opens: Option<u64>,
    pub(crate) until: u64,
    pub(crate) time: u64,
}

/// A verified certificate with its exact bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentCertificate {
    /// The grant it is for.
    pub grant: GrantId,
    /// SHA-256 of the signed terms it is for.
    pub terms: Digest,
    /// The agent's signing keys; names the vault whose log the agent writes.
    pub agent: Signers,
    /// Where the agent is reached.
    pub node: NodeAddress,
    /// How many opens the agent may give. `None`: as many as the terms allow.
    pub opens: Option<u64>,
    /// Until when, in seconds since 1970-01-01 UTC.
    pub until: u64,
    /// When it was made, in seconds since 1970-01-01 UTC.
    pub time: u64,
    bytes: Vec<u8>,
}

impl AgentCertificate {
    /// Signs a certificate with a key of the vault.
    pub(crate) fn sign(draft: &CertificateDraft<'_>, key: &SigningKey) -> Vec<u8> {
        let wire = Wire {
            v: 1,
            vault: draft.vault,
            grant: draft.grant,
            terms: draft.terms,
            agent: draft.agent.as_bytes().to_vec(),
            node: draft.node.clone(),
            opens: draft.opens,
            until: draft.until,
            time: draft.time,
            signer: key.public(),
        };
        Signed::new(&wire, Namespace::AgentCertificate, key).to_bytes()
    }

    /// Reads a certificate that a key of the vault signed, now or before: it came in a head that is
    /// signed now.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn from_bytes(bytes: &[u8], signers: &Signers) -> Result<Self, CertificateError> {
        let signed: Signed<Wire> = codec::decode(bytes, MAX_CERTIFICATE_LEN)?;
        let signer = signed.peek()?.signer;
        let wire = signed.verify(Namespace::AgentCertificate, &signer)?;
        if !signers.has_signed(&signer) {
            return Err(SignatureError::Invalid.into());
        }
        if wire.v != 1 {
            return Err(DecodeError::Malformed.into());
        }
        if wire.vault != signers.vault() {
            return Err(CertificateError::Other);
        }
        Ok(Self {
            grant: wire.grant,
            terms: wire.terms,
            agent: Signers::from_bytes(&wire.agent)?,
            node: wire.node,
            opens: wire.opens,
            until: wire.until,
            time: wire.time,
            bytes: bytes.to_vec(),
        })
    }

    /// The exact bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it may still be used at `now`.
    pub const fn holds(&self, now: u64) -> bool {
        now < self.until
    }
}
