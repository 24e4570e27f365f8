//! Contacts, grants, receipts, and what others share.

use vault_core::{Condition, ContactInfo, GrantInfo, HeldTerms, RevokeLevel as Level};

use super::record::RecordSummary;
use super::scope::ShareScope;

/// A contact.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ContactSummary {
    /// The name given to it here.
    pub name: String,
    /// The id of its vault.
    pub vault_id: String,
    /// Twelve words for its key, to be compared with what the person sees.
    pub fingerprint: String,
    /// Whether they were compared.
    pub verified: bool,
    /// When it was added, in seconds since 1970-01-01 UTC.
    pub added: u64,
    /// What it may deposit, if that was said.
    pub deposit_limit: Option<DepositLimit>,
}

impl From<&ContactInfo> for ContactSummary {
    fn from(contact: &ContactInfo) -> Self {
        Self {
            name: contact.name.clone(),
            vault_id: contact.card.vault().to_string(),
            fingerprint: contact.card.fingerprint(),
            verified: contact.verified.is_some(),
            added: contact.added,
            deposit_limit: contact.deposits.map(|limit| DepositLimit {
                bytes: limit.bytes,
                per_day: limit.per_day,
            }),
        }
    }
}

/// What a contact may deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct DepositLimit {
    /// Most bytes that may wait for a decision at once.
    pub bytes: u64,
    /// Most deposits in 24 hours.
    pub per_day: u32,
}

/// What a scope opens and what stays closed.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SharePreview {
    /// Records that become readable.
    pub included: Vec<RecordSummary>,
    /// Records that were asked for and stay closed.
    pub withheld: Vec<Withheld>,
    /// How many records were not asked for.
    pub not_selected: u64,
}

/// A record that stays closed.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Withheld {
    /// The record.
    pub record: String,
    /// Its title.
    pub title: String,
    /// Why, for people.
    pub reason: String,
}

/// What is to be shared, with whom, and on which terms.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ShareRequest {
    /// Names of the contacts that may read.
    pub readers: Vec<String>,
    /// Which records.
    pub scope: ShareScope,
    /// Whether records that are added later join.
    #[uniffi(default = true)]
    pub standing: bool,
    /// When it ends by itself, in seconds since 1970-01-01 UTC.
    #[uniffi(default)]
    pub expires: Option<u64>,
    /// Why: a code such as `TREAT`, or a line of words.
    #[uniffi(default)]
    pub purpose: Option<String>,
    /// Keys are given out one by one, on request. Without it they travel inside the grant.
    #[uniffi(default)]
    pub on_request: Option<OnRequest>,
    /// Share also with a contact whose fingerprint nobody has compared.
    #[uniffi(default = false)]
    pub even_unverified: bool,
}

/// On request: every open is logged before its key leaves, and may be counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, uniffi::Record)]
pub struct OnRequest {
    /// Not before this moment, in seconds since 1970-01-01 UTC.
    #[uniffi(default)]
    pub not_before: Option<u64>,
    /// At most so many opens.
    #[uniffi(default)]
    pub opens: Option<u64>,
    /// At most so many opens in 24 hours.
    #[uniffi(default)]
    pub opens_per_day: Option<u64>,
    /// Whether the readers may deposit results.
    #[uniffi(default = false)]
    pub may_deposit: bool,
    /// Contacts that may answer requests besides this device.
    #[uniffi(default)]
    pub agents: Vec<String>,
}

/// A grant that was made.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ShareResult {
    /// The grant: base32.
    pub grant: String,
    /// A ticket for each reader, to be handed over as text or QR. It opens nothing for anyone else.
    pub tickets: Vec<ReaderTicket>,
}

/// A ticket and whom it is for.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ReaderTicket {
    /// Name of the contact.
    pub reader: String,
    /// `medvault-ticket:…`
    pub ticket: String,
}

/// How a grant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum GrantStatus {
    /// In force.
    Active,
    /// Ended by itself.
    Expired,
    /// Taken back.
    Revoked,
    /// Taken back; its records are still being sealed again.
    Rekeying,
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct GrantSummary {
    /// The grant: base32.
    pub id: String,
    /// How it stands.
    pub status: GrantStatus,
    /// Names of the readers.
    pub readers: Vec<String>,
    /// On request: readers who have not agreed yet.
    pub offered: Vec<String>,
    /// Record versions in it.
    pub versions: u64,
    /// When it was made, in seconds since 1970-01-01 UTC.
    pub created: u64,
    /// When it ends by itself.
    pub expires: Option<u64>,
    /// Why it was given.
    pub purpose: Option<String>,
    /// Whether keys are given out one by one.
    pub on_request: bool,
    /// On request: opens given so far.
    pub opens: u64,
    /// Whether later records join.
    pub standing: bool,
}

impl From<&GrantInfo> for GrantSummary {
    fn from(grant: &GrantInfo) -> Self {
        let terms = &grant.terms;
        let agreement = grant.agreement.as_ref();
        Self {
            id: grant.id.to_string(),
            status: match grant.status {
                _ if grant.rekey_pending => GrantStatus::Rekeying,
                vault_core::GrantStatus::Active => GrantStatus::Active,
                vault_core::GrantStatus::Expired => GrantStatus::Expired,
                vault_core::GrantStatus::Revoked => GrantStatus::Revoked,
            },
            readers: grant.readers.clone(),
            offered: agreement.map_or_else(Vec::new, |info| info.offered.clone()),
            versions: grant.versions,
            created: terms.created,
            expires: terms.expires,
            purpose: terms.purpose.as_ref().map(ToString::to_string),
            on_request: agreement.is_some(),
            opens: agreement.map_or(0, |info| info.opens),
            standing: terms.extent == vault_core::Extent::Standing,
        }
    }
}

/// How far a revocation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum RevokeLevel {
    /// R1: no future record, version or key. Immediate.
    Stop,
    /// R2: what was readable is also sealed again under new keys, and the old blocks deleted.
    Rekey,
}

impl From<RevokeLevel> for Level {
    fn from(level: RevokeLevel) -> Self {
        match level {
            RevokeLevel::Stop => Self::Stop,
            RevokeLevel::Rekey => Self::Rekey,
        }
    }
}

/// What a revocation achieved. Nobody can call back what was read or copied before, and this says
/// how much that is.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Receipt {
    /// The grant.
    pub grant: String,
    /// How far it went: `R1` or `R2`; versions that were never delivered (R3) are counted below.
    pub level: String,
    /// Who was shut out.
    pub readers: Vec<String>,
    /// When, in seconds since 1970-01-01 UTC.
    pub time: u64,
    /// Versions known to have been opened; none where keys travelled inside the grant, which cannot
    /// tell.
    pub opened: Option<u64>,
    /// Versions that could have been opened and copied.
    pub could_have_opened: u64,
    /// Versions whose key never left, and now never will (R3).
    pub never_delivered: u64,
    /// Versions sealed again.
    pub rekeyed: u64,
    /// Agents that have not confirmed that they give out nothing more.
    pub agents_open: u32,
    /// Who kept the old blocks.
    pub pinners: Vec<PinnerState>,
    /// The receipt for people, several lines.
    pub text: String,
}

/// Someone who kept copies of old blocks.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PinnerState {
    /// Who: `this device`, or a pinning service.
    pub name: String,
    /// Whether it confirmed that they are gone.
    pub acknowledged: bool,
    /// Blocks deleted there.
    pub deleted: u64,
}

/// Someone who shares something.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SenderSummary {
    /// The name here.
    pub name: String,
    /// The id of their vault.
    pub vault_id: String,
    /// The name they go by.
    pub patient: String,
    /// Number of the newest head that was seen; 0 before anything was fetched.
    pub head: u64,
    /// Tickets taken.
    pub tickets: u32,
    /// Agreements that wait for a signature.
    pub offers: u32,
}

/// What fetching the newest from a sender brought.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SenderSync {
    /// The sender.
    pub name: String,
    /// Number of the head before.
    pub head_before: u64,
    /// And now.
    pub head: u64,
    /// Records that can be read or asked for now.
    pub records: u32,
    /// Agreements that wait for a signature.
    pub offers: u32,
}

/// An agreement on access on request, on the reader's side.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct AgreementSummary {
    /// The grant.
    pub grant: String,
    /// The sender, by the name here.
    pub sender: String,
    /// Whether it was signed here.
    pub accepted: bool,
    /// When it ends by itself, in seconds since 1970-01-01 UTC.
    pub expires: Option<u64>,
    /// Why access is given.
    pub purpose: Option<String>,
    /// Whether results may be deposited.
    pub may_deposit: bool,
    /// Not before this moment, in seconds since 1970-01-01 UTC.
    pub not_before: Option<u64>,
    /// At most so many opens.
    pub opens: Option<u64>,
    /// At most so many opens in 24 hours.
    pub opens_per_day: Option<u64>,
    /// Conditions that this version does not know: under them no key is given out.
    pub unknown_conditions: Vec<String>,
}

impl AgreementSummary {
    pub(crate) fn new(sender: &str, held: &HeldTerms) -> Self {
        let terms = &held.terms;
        let mut this = Self {
            grant: held.grant.to_string(),
            sender: sender.to_owned(),
            accepted: held.accepted.is_some(),
            expires: terms.expires,
            purpose: terms.purpose.as_ref().map(ToString::to_string),
            may_deposit: terms.may_deposit,
            not_before: None,
            opens: None,
            opens_per_day: None,
            unknown_conditions: Vec::new(),
        };
        for condition in terms.conditions.iter() {
            match condition {
                Condition::From(from) => this.not_before = Some(from),
                Condition::Opens(opens) => this.opens = Some(opens),
                Condition::OpensPerDay(opens) => this.opens_per_day = Some(opens),
                Condition::Unknown(name) => this.unknown_conditions.push(name.to_string()),
            }
        }
        this
    }
}
