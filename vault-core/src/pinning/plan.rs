//! What to do next at a service: a decision from what is remembered and what the service lists.
//!
//! The plan is safe to carry out in order, to stop after any step, and to make anew. The pin of
//! before goes only once the service says that it holds the new one, and everything that is not
//! the newest goes in the end.

use std::fmt;
use std::str::FromStr;

use super::root::GivenRoot;
use crate::block::Cid;

/// Longest request id, in bytes.
const MAX_REQUEST_ID: usize = 256;

/// The name that a service gave a request. It is only ever handed back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(String);

/// Not a request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service's request id cannot be used")]
pub struct RequestIdError;

impl FromStr for RequestId {
    type Err = RequestIdError;

    fn from_str(text: &str) -> Result<Self, RequestIdError> {
        let fits = (1..=MAX_REQUEST_ID).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned())).ok_or(RequestIdError)
    }
}

impl RequestId {
    /// As the service wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a service says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinStatus {
    /// Waiting for its turn.
    Queued,
    /// Being fetched.
    Pinning,
    /// Held. This is what the service says; whether it is so, a check shows.
    Pinned,
    /// Given up.
    Failed,
}

impl PinStatus {
    /// The word of the Pinning Service API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Pinning => "pinning",
            Self::Pinned => "pinned",
            Self::Failed => "failed",
        }
    }
}

/// One request as the service lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPin {
    /// Its name at the service.
    pub request: RequestId,
    /// What it pins.
    pub root: Cid,
    /// How far it is.
    pub status: PinStatus,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make a root over the wanted head and remember it.
    Make,
    /// Ask the service to pin this root.
    Ask(Cid),
    /// Note that the service holds this root, and forget the canaries.
    Settle(Cid),
    /// Withdraw a request.
    Drop(RequestId),
    /// Forget a root of which the service lists nothing any more.
    Forget(Cid),
    /// The service is at work: look again later.
    Wait(Cid),
}

/// What to do so that the service holds `head` and nothing else of ours.
///
/// `fresh` asks for a new root even when the newest is over `head` already, so that the service
/// goes through all blocks once more.
pub fn plan(roots: &[GivenRoot], listed: &[ListedPin], head: &Cid, fresh: bool) -> Vec<Step> {
    let Some(newest) = roots.last().filter(|root| root.head() == *head && !fresh) else {
        return vec![Step::Make];
    };
    let target = newest.root();
    let of_target: Vec<&ListedPin> = listed.iter().filter(|pin| pin.root == target).collect();
    let best = of_target
        .iter()
        .find(|pin| pin.status == PinStatus::Pinned)
        .or_else(|| of_target.iter().find(|pin| pin.status != PinStatus::Failed));
    if best.is_none() && newest.is_held() {
        // it was held and is gone: what only the service had was forgotten here when it said so, and
        // nobody could fetch that root again
        return vec![Step::Make];
    }
    let mut steps = Vec::new();
    let drop = |pin: &ListedPin| Step::Drop(pin.request.clone());
    // beside the best, no second request for the same root
    let others = |pin: &&&ListedPin| best.is_none_or(|best| best.request != pin.request);
    steps.extend(of_target.iter().filter(others).map(|pin| drop(pin)));
    let is_held = best.is_some_and(|pin| pin.status == PinStatus::Pinned);
    // until the new root is held, the newest one that is stays
    let kept = match is_held {
        true => None,
        false => last_hold(&roots[..roots.len() - 1], listed),
    };
    match best {
        None => steps.push(Step::Ask(target)),
        Some(_) if is_held && !newest.is_held() => steps.push(Step::Settle(target)),
        Some(_) => {}
    }
    for old in &roots[..roots.len() - 1] {
        if kept == Some(old.root()) {
            continue;
        }
        let before = steps.len();
        let of_old = listed.iter().filter(|pin| pin.root == old.root());
        steps.extend(of_old.map(drop));
        if steps.len() == before {
            steps.push(Step::Forget(old.root()));
        }
    }
    if best.is_some() && !is_held {
        steps.push(Step::Wait(target));
    }
    steps
}

/// The newest of the older roots that the service still holds: one that it lists as pinned, else
/// one that it held before and has not given up.
fn last_hold(older: &[GivenRoot], listed: &[ListedPin]) -> Option<Cid> {
    let has = |root: &GivenRoot, wanted: &dyn Fn(PinStatus) -> bool| {
        let mut pins = listed.iter().filter(|pin| pin.root == root.root());
        pins.any(|pin| wanted(pin.status))
    };
    let pinned = |root: &&GivenRoot| has(root, &|status| status == PinStatus::Pinned);
    let held = |root: &&GivenRoot| root.is_held() && has(root, &|s| s != PinStatus::Failed);
    let mut newest_first = older.iter().rev();
    let hold = newest_first.clone().find(pinned);
    Some(hold.or_else(|| newest_first.find(held))?.root())
}

/// What to do so that the service holds nothing of ours.
pub fn plan_removal(roots: &[GivenRoot], listed: &[ListedPin]) -> Vec<Step> {
    let mut steps = Vec::new();
    for root in roots {
        let before = steps.len();
        let of_root = listed.iter().filter(|pin| pin.root == root.root());
        steps.extend(of_root.map(|pin| Step::Drop(pin.request.clone())));
        if steps.len() == before {
            steps.push(Step::Forget(root.root()));
        }
    }
    steps
}
