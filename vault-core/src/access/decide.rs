//! The decision: whether a request gets its keys.
//!
//! One pure function, so that every agent decides alike and anyone can check a decision later. Every
//! term of an agreement only narrows: all are asked, and one that is not understood says no.

use super::request::AccessRequest;
use crate::grant::{Condition, Delivery, MAX_CLOCK_DIFFERENCE, Terms};
use crate::ids::VersionId;

/// How an agreement stands for the reader that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The reader has no part in it.
    NotAReader,
    /// Offered, and not countersigned.
    Offered,
    /// Both sides signed these very terms.
    InForce,
    /// The patient took it back, from this reader or from all.
    Withdrawn,
    /// Its time is over.
    Ended,
}

/// What is known of an agreement besides its terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessState {
    /// How it stands for the reader that asks.
    pub standing: Standing,
    /// Opens given so far, and those set aside for others who answer.
    pub opens: u64,
    /// The same within the last 24 hours.
    pub opens_today: u64,
    /// How many more opens whoever decides may give, whatever the terms allow.
    pub allowance: Option<u64>,
}

/// Why keys are not given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DenyReason {
    /// The reader has no part in the agreement.
    NotAReader,
    /// The reader has not countersigned it.
    NotInForce,
    /// The patient took it back.
    Withdrawn,
    /// The agreement's time is over.
    Expired,
    /// The agreement's time has not come.
    TooEarly,
    /// The request names other terms than both sides signed.
    OtherTerms,
    /// The request's purpose is not the one agreed on.
    WrongPurpose,
    /// A version is not in the grant.
    NotInGrant,
    /// Fewer opens are left than keys were asked for.
    NoOpensLeft,
    /// Fewer opens are left for now than keys were asked for.
    NoOpensLeftToday,
    /// The agreement has a term that this program does not know.
    UnknownTerm(String),
    /// The clocks of the two sides are more than [`MAX_CLOCK_DIFFERENCE`] seconds apart.
    Clock,
}

impl DenyReason {
    /// The reason's short name, as the log and the answer have it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAReader => "not-a-reader",
            Self::NotInForce => "not-in-force",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::TooEarly => "too-early",
            Self::OtherTerms => "other-terms",
            Self::WrongPurpose => "wrong-purpose",
            Self::NotInGrant => "not-in-grant",
            Self::NoOpensLeft => "no-opens-left",
            Self::NoOpensLeftToday => "no-opens-left-today",
            Self::UnknownTerm(_) => "unknown-term",
            Self::Clock => "clock",
        }
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessDecision {
    /// The keys of these versions may leave, once that is logged.
    Permit(Vec<VersionId>),
    /// Nothing leaves.
    Deny(DenyReason),
}

/// Decides about a request under an agreement at `now`, in seconds since 1970-01-01 UTC.
///
/// `listed` says whether the grant's index holds a version. A request is granted as a whole or not
/// at all. That the terms and the request are authentic, and that the request names these very
/// terms, is the caller's to have checked; `same_terms` says so.
pub fn decide(
    terms: &Terms,
    request: &AccessRequest,
    same_terms: bool,
    now: u64,
    state: &AccessState,
    listed: &dyn Fn(&VersionId) -> bool,
) -> AccessDecision {
    let asked = request.versions().len() as u64;
    let refused = standing(state.standing)
        .or_else(|| clock(request, now))
        .or_else(|| (!same_terms).then_some(DenyReason::OtherTerms))
        .or_else(|| terms.has_expired(now).then_some(DenyReason::Expired))
        .or_else(|| purpose(terms, request))
        .or_else(|| (terms.conditions.iter()).find_map(|c| refuses(&c, asked, now, state)))
        .or_else(|| {
            let left = state.allowance.is_none_or(|left| asked <= left);
            (!left).then_some(DenyReason::NoOpensLeft)
        })
        .or_else(|| {
            let all = request.versions().iter().all(listed);
            (!all).then_some(DenyReason::NotInGrant)
        });
    match refused {
        Some(reason) => AccessDecision::Deny(reason),
        None => AccessDecision::Permit(request.versions().to_vec()),
    }
}

const fn standing(standing: Standing) -> Option<DenyReason> {
    match standing {
        Standing::InForce => None,
        Standing::NotAReader => Some(DenyReason::NotAReader),
        Standing::Offered => Some(DenyReason::NotInForce),
        Standing::Withdrawn => Some(DenyReason::Withdrawn),
        Standing::Ended => Some(DenyReason::Expired),
    }
}

fn clock(request: &AccessRequest, now: u64) -> Option<DenyReason> {
    (request.time().abs_diff(now) > MAX_CLOCK_DIFFERENCE).then_some(DenyReason::Clock)
}

/// Keys are asked for only where they are given on request, and for the agreed purpose.
fn purpose(terms: &Terms, request: &AccessRequest) -> Option<DenyReason> {
    if terms.delivery != Delivery::OnRequest {
        return Some(DenyReason::NotInForce);
    }
    let agreed = terms.purpose.as_ref();
    (agreed.is_some() && agreed != request.purpose()).then_some(DenyReason::WrongPurpose)
}

fn refuses(condition: &Condition, asked: u64, now: u64, state: &AccessState) -> Option<DenyReason> {
    let over = |limit: u64, given: u64| given.saturating_add(asked) > limit;
    match condition {
        Condition::From(from) => (now < *from).then_some(DenyReason::TooEarly),
        Condition::Opens(limit) => over(*limit, state.opens).then_some(DenyReason::NoOpensLeft),
        Condition::OpensPerDay(limit) => {
            over(*limit, state.opens_today).then_some(DenyReason::NoOpensLeftToday)
        }
        Condition::Unknown(name) => Some(DenyReason::UnknownTerm(name.clone())),
    }
}
