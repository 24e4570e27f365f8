//! The terms of a grant, signed by the patient.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::condition::Conditions;
use super::directory::Relation;
use super::scope::Scope;
use crate::block::Digest;
use crate::codec::{self, DecodeError};
use crate::identity::Signers;
use crate::ids::{GrantId, VaultId};
use crate::keys::{Namespace, PublicKey, SignatureError, Signed, SigningKey};

/// Longest accepted wire form of terms, in bytes.
pub(crate) const MAX_TERMS_LEN: usize = 64 * 1024;

/// Why terms were not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// Not terms.
    #[error("grant terms: {0}")]
    Malformed(#[from] DecodeError),
    /// Not signed by a key of the vault.
    #[error("grant terms: {0}")]
    Signature(#[from] SignatureError),
    /// For another vault, grant or reader.
    #[error("grant terms belong to another grant or reader")]
    Other,
}

/// Whether records that are added later join the grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    /// New matching records and versions join.
    Standing,
    /// Only what matched when the grant was made.
    Snapshot,
}

/// How keys reach a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// Inside the grant: it works while the patient is away, and reads cannot be seen.
    Carried,
    /// One by one, on a signed request that is logged before the key leaves. Needs the reader's
    /// countersignature.
    OnRequest,
}

/// Why access is given: an HL7 v3 ActReason code such as `TREAT`, or words of the patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Purpose(String);

impl TryFrom<String> for Purpose {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        text.parse()
    }
}

impl From<Purpose> for String {
    fn from(purpose: Purpose) -> Self {
        purpose.0
    }
}

impl FromStr for Purpose {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.is_empty() || text.len() > 200 || text.chars().any(char::is_control) {
            return Err("a purpose is one line of at most 200 bytes");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What the patient agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    v: u8,
    /// The vault.
    pub vault: VaultId,
    /// The grant.
    pub grant: GrantId,
    signer: PublicKey,
    /// How keys reach the readers.
    pub delivery: Delivery,
    /// Whether later records join.
    pub extent: Extent,
    /// Which records.
    pub scope: Scope,
    /// Why.
    pub purpose: Option<Purpose>,
    /// When the grant was made, in seconds since 1970-01-01 UTC.
    pub created: u64,
    /// When it ends by itself, in seconds since 1970-01-01 UTC.
    pub expires: Option<u64>,
    /// One tag per reader, which only that reader can recognise.
    pub recipients: Vec<Digest>,
    /// What else must hold for a key to be given out. Only on request.
    #[serde(default, skip_serializing_if = "Conditions::is_empty")]
    pub conditions: Conditions,
    /// Whether the readers may deposit results.
    #[serde(
        default,
        rename = "may-deposit",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub may_deposit: bool,
    /// Owner keys of those who may answer requests besides the patient's own device.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<PublicKey>,
}

/// What goes into new terms.
pub(crate) struct TermsDraft {
    pub(crate) vault: VaultId,
    pub(crate) grant: GrantId,
    pub(crate) extent: Extent,
    pub(crate) scope: Scope,
    pub(crate) purpose: Option<Purpose>,
    pub(crate) created: u64,
    pub(crate) expires: Option<u64>,
    pub(crate) delivery: Delivery,
    pub(crate) conditions: Conditions,
    pub(crate) may_deposit: bool,
    pub(crate) agents: Vec<PublicKey>,
}

impl Terms {
    /// Signs terms for the given readers. Returns them with their wire form.
    pub(crate) fn sign(
        draft: TermsDraft,
        readers: Vec<Digest>,
        key: &SigningKey,
    ) -> (Self, Vec<u8>) {
        let terms = Self {
            v: 1,
            vault: draft.vault,
            grant: draft.grant,
            signer: key.public(),
            delivery: draft.delivery,
            extent: draft.extent,
            scope: draft.scope,
            purpose: draft.purpose,
            created: draft.created,
            expires: draft.expires,
            recipients: readers,
            conditions: draft.conditions,
            may_deposit: draft.may_deposit,
            agents: draft.agents,
        };
        let bytes = Signed::new(&terms, Namespace::Terms, key).to_bytes();
        (terms, bytes)
    }

    /// Reads terms that some key of the vault signed, now or before.
    ///
    /// # Errors
    /// [`TermsError`].
    pub fn from_bytes(bytes: &[u8], signers: &Signers) -> Result<Self, TermsError> {
        let signed: Signed<Self> = codec::decode(bytes, MAX_TERMS_LEN)?;
        let signer = signed.peek()?.signer;
        let terms = signed.verify(Namespace::Terms, &signer)?;
        if !signers.has_signed(&signer) {
            return Err(SignatureError::Invalid.into());
        }
        let carried = terms.delivery == Delivery::Carried;
        if terms.v != 1 || carried && !(terms.conditions.is_empty() && terms.agents.is_empty()) {
            return Err(DecodeError::Malformed.into());
        }
        if terms.vault != signers.vault() {
            return Err(TermsError::Other);
        }
        Ok(terms)
    }

    /// Terms whose signature was checked before, as when they came in a ticket.
    pub(crate) fn from_checked_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let signed: Signed<Self> = codec::decode(bytes, MAX_TERMS_LEN)?;
        signed.peek().map_err(|_| DecodeError::Malformed)
    }

    /// The same terms for other readers, signed anew.
    pub(crate) fn for_readers(&self, readers: Vec<Digest>, key: &SigningKey) -> (Self, Vec<u8>) {
        let draft = TermsDraft {
            vault: self.vault,
            grant: self.grant,
            extent: self.extent,
            scope: self.scope.clone(),
            purpose: self.purpose.clone(),
            created: self.created,
            expires: self.expires,
            delivery: self.delivery,
            conditions: self.conditions.clone(),
            may_deposit: self.may_deposit,
            agents: self.agents.clone(),
        };
        Self::sign(draft, readers, key)
    }

    /// Whether the terms name the reader of this relation.
    pub(crate) fn names(&self, relation: &Relation) -> bool {
        self.recipients.contains(&relation.reader_tag(&self.grant))
    }

    /// Whether the grant has ended at `now`.
    pub fn has_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
    }
}
