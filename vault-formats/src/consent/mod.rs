//! Terms of access as FHIR Consent: written as R4, read from R4 and R5.
//!
//! [`to_r4`] renders terms for other systems. FHIR has no place for a limit on opens, for conditions
//! or for a purpose in free words; those are modifier extensions, which a program that does not know
//! them must not pass over, and sentences in the narrative. [`read`] makes a draft of terms from a
//! Consent. It never opens more than the Consent does: a permission that is not understood is left
//! out, a prohibition that is not understood closes what it may touch, and [`ConsentDraft::warnings`]
//! says so.
//!
//! Sources: FHIR R4 (4.0.1) and R5 (5.0.0), resource Consent.

mod merge;
mod names;
mod narrative;
mod permits;
#[cfg(test)]
mod property_tests;
mod read;
mod rule;
mod selection;
#[cfg(test)]
mod tests;
mod time;
mod write;

use vault_core::{
    Conditions, Delivery, Digest, Extent, GrantId, PublicKey, Purpose, Scope, Terms, VaultId,
};

pub use read::{ConsentError, MAX_CONSENT_LEN, read};
pub use write::to_r4;

pub(crate) use names::{
    ACT_REASON, GRANT, KEY, PARTICIPATION, RECORD, TERMS, VAULT, coded, hex, identifier, logical,
};

/// How far an agreement has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The patient signed; no reader did yet.
    Offered,
    /// Both signed.
    InForce,
    /// Revoked, expired or declined.
    Ended,
}

/// One reader of an agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// The name that the patient knows them by.
    pub name: String,
    /// Their owner key.
    pub key: PublicKey,
    /// When they countersigned, in seconds since 1970-01-01 UTC.
    pub signed: Option<u64>,
}

/// Terms of access and what stands around them.
#[derive(Debug, Clone, Copy)]
pub struct Agreement<'a> {
    /// The patient's name.
    pub patient: &'a str,
    /// The terms.
    pub terms: &'a Terms,
    /// SHA-256 of the signed terms.
    pub digest: Digest,
    /// The readers whom the terms are for.
    pub readers: &'a [Reader],
    /// How far it has come.
    pub status: Status,
    /// When the patient signed, in seconds since 1970-01-01 UTC.
    pub signed: u64,
}

/// Whom a Consent gives access to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipient {
    /// Their name, cleaned of what cannot be shown.
    pub name: Option<String>,
    /// Their owner key, when the Consent names one.
    pub key: Option<PublicKey>,
    /// How else the Consent names them: a literal reference, or `SYSTEM|VALUE`.
    pub reference: Option<String>,
}

/// Which release of FHIR a Consent was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// 4.0 and 4.3.
    R4,
    /// 5.0.
    R5,
}

/// What a Consent would be as terms. Nothing is agreed by it: the patient looks at it, says who the
/// readers are, and signs.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsentDraft {
    /// Which release it was written in.
    pub release: Release,
    /// The vault, in a Consent of ours.
    pub vault: Option<VaultId>,
    /// The grant, in a Consent of ours.
    pub grant: Option<GrantId>,
    /// The patient's name, where the Consent has it.
    pub patient: Option<String>,
    /// Which records. Never empty.
    pub scope: Scope,
    /// Whether later records join.
    pub extent: Extent,
    /// How keys reach the readers; on request, unless a Consent of ours says otherwise.
    pub delivery: Delivery,
    /// Why.
    pub purpose: Option<Purpose>,
    /// When it ends, in seconds since 1970-01-01 UTC.
    pub expires: Option<u64>,
    /// Start, limits on opens, and conditions that nobody understands and that never hold. Those
    /// whose names begin with `fhir:` stand for parts of a Consent that may narrow it.
    pub conditions: Conditions,
    /// Whether the readers may deposit results.
    pub may_deposit: bool,
    /// Whom access is given to; empty when the Consent names nobody.
    pub readers: Vec<Recipient>,
    /// Who else may answer requests.
    pub agents: Vec<PublicKey>,
    /// What was left out or not understood, in plain words.
    pub warnings: Vec<String>,
}
