//! Finding the newest head when several places may have one.
//!
//! Whoever passes a head on may hold back the newest, or show one branch of two. So all places are
//! heard before anything is believed, each head is held against the reader's memory, and those that
//! hold are held against each other. What comes out does not depend on who answered first.

use std::cmp::Reverse;
use std::fmt;

use super::following::{Advance, FollowError, Following};
use crate::audit::LogBlocks;
use crate::head::Head;
use crate::log::{TileError, prove_consistency, verify_consistency};
use crate::store::BlockSource;

/// Who passed on a head.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The patient's own node.
    Node,
    /// The record under the vault's name, from a gateway at this address.
    Gateway(String),
    /// The record under the vault's name, from a delegated routing server at this address.
    Routing(String),
    /// The record under the vault's name, from the distributed hash table.
    Dht,
    /// The record under the vault's name, from the Kubo at this address.
    Kubo(String),
    /// A file.
    File(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node => f.write_str("the patient's node"),
            Self::Gateway(url) => write!(f, "the gateway {url}"),
            Self::Routing(url) => write!(f, "the routing server {url}"),
            Self::Dht => f.write_str("the distributed hash table"),
            Self::Kubo(url) => write!(f, "the Kubo at {url}"),
            Self::File(path) => write!(f, "the file {path}"),
        }
    }
}

/// A head as somebody passed it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Who did.
    pub from: Place,
    /// The head's block, as it came.
    pub bytes: Vec<u8>,
}

/// What became of an offer.
#[derive(Debug)]
pub enum Verdict {
    /// It is the head that the reader now goes by.
    Taken(Advance),
    /// It is true, but an older one than the head taken.
    PassedOver {
        /// Its sequence number.
        offered: u64,
    },
    /// It was not accepted.
    Refused(FollowError),
}

/// An offer and what became of it.
#[derive(Debug)]
pub struct Answer {
    /// Who passed the head on.
    pub from: Place,
    /// What became of it.
    pub verdict: Verdict,
}

/// What came out of hearing all places.
#[derive(Debug)]
pub struct Finding {
    /// What each said, in the order of the offers.
    pub answers: Vec<Answer>,
}

impl Finding {
    /// What was taken, if anything was.
    pub fn taken(&self) -> Option<Advance> {
        self.answers.iter().find_map(|answer| match answer.verdict {
            Verdict::Taken(advance) => Some(advance),
            _ => None,
        })
    }

    /// Those who offered a head that excludes what the reader or somebody else has seen. Each is
    /// proof that two histories of the vault have been signed.
    pub fn forked(&self) -> impl Iterator<Item = (&Place, &FollowError)> {
        self.refused()
            .filter(|(_, error)| matches!(error, FollowError::Forked(_)))
    }

    /// Those whose offer was not accepted, and why.
    pub fn refused(&self) -> impl Iterator<Item = (&Place, &FollowError)> {
        self.answers
            .iter()
            .filter_map(|answer| match &answer.verdict {
                Verdict::Refused(error) => Some((&answer.from, error)),
                _ => None,
            })
    }

    /// What the whole comes to: a fork from anybody is an error, also where another place gave a
    /// good head; then what was taken; then the refusal that says most, with who gave cause.
    ///
    /// # Errors
    /// `None` when nobody offered anything.
    pub fn outcome(self) -> Result<Advance, Option<(Place, FollowError)>> {
        let taken = self.taken();
        if let Some(advance) = taken.filter(|_| self.forked().next().is_none()) {
            return Ok(advance);
        }
        let refused = self
            .answers
            .into_iter()
            .filter_map(|answer| match answer.verdict {
                Verdict::Refused(error) => Some((answer.from, error)),
                _ => None,
            });
        Err(refused.min_by_key(|(place, error)| (weight(error), place.clone())))
    }
}

/// Which refusal says most about the world: the lowest.
fn weight(error: &FollowError) -> u8 {
    match error {
        FollowError::Forked(_) => 0,
        FollowError::Older { .. } | FollowError::Behind { .. } => 1,
        FollowError::Stale(_) => 2,
        FollowError::FromTheFuture(_) => 3,
        FollowError::Source(_) | FollowError::Log(_) => 4,
        _ => 5,
    }
}

/// An offer held against what was seen before.
struct Judged {
    /// The head, if it holds in itself.
    head: Option<Head>,
    /// The memory that it would lead to.
    step: Result<(Following, Advance), FollowError>,
}

impl Judged {
    /// A head that continues what was seen.
    fn good(&self) -> Option<(&Head, &Following)> {
        let (memory, _) = self.step.as_ref().ok()?;
        Some((self.head.as_ref()?, memory))
    }
}

impl Following {
    /// Hears all offers and moves on to the newest head that continues what was seen before.
    /// `source` provides the logs' hashes.
    ///
    /// - Each head is judged by [`Following::advance`] as if it were the only one.
    /// - Of those that hold, the newest is taken and must contain the history of every other. If
    ///   one of them is not in it, none is taken: the reader cannot know which is true.
    /// - A head that is older than the one taken is passed over. Nothing ever moves back.
    pub fn find(&mut self, offers: &[Offer], source: &dyn BlockSource, now: u64) -> Finding {
        let judged: Vec<Judged> = offers
            .iter()
            .map(|offer| self.judge(offer, source, now))
            .collect();
        let newest = judged
            .iter()
            .filter_map(Judged::good)
            .max_by_key(|(head, _)| newness(head))
            .map(|(head, memory)| (head.clone(), memory.clone()));
        let against_newest = |one: &Judged| {
            let ((newest, _), head) = (newest.as_ref()?, one.head.as_ref()?);
            Some(contains(newest, head, source))
        };
        let held: Vec<_> = judged.iter().map(against_newest).collect();
        let split = judged.iter().zip(&held).any(|(one, held)| {
            one.step.is_ok() && matches!(held, Some(Err(FollowError::Forked(_))))
        });
        // whoever withholds the hashes that would show a fork must gain nothing by it
        let unproven = judged
            .iter()
            .zip(&held)
            .any(|(one, held)| one.step.is_ok() && matches!(held, Some(Err(_))));
        let taken = newest.filter(|_| !split && !unproven);
        if let Some((_, memory)) = &taken {
            *self = memory.clone();
        }
        let taken = taken.map(|(head, _)| head);
        let verdicts = judged.into_iter().zip(held);
        let answers = offers.iter().zip(verdicts);
        let answers = answers.map(|(offer, (one, held))| Answer {
            from: offer.from.clone(),
            verdict: verdict(one, held, taken.as_ref(), split),
        });
        Finding {
            answers: answers.collect(),
        }
    }

    fn judge(&self, offer: &Offer, source: &dyn BlockSource, now: u64) -> Judged {
        let mut memory = self.clone();
        Judged {
            head: Head::for_vault(&offer.bytes, &self.vault()).ok(),
            step: memory
                .advance(&offer.bytes, source, now)
                .map(|advance| (memory, advance)),
        }
    }
}

/// What became of one offer; nothing is taken where two exclude each other. `held` is how it
/// stands to the newest head.
fn verdict(
    one: Judged,
    held: Option<Result<(), FollowError>>,
    taken: Option<&Head>,
    split: bool,
) -> Verdict {
    let offered = one.head.as_ref().map_or(0, Head::seq);
    match (one.step, held, taken) {
        (Ok(_), Some(Err(error)), _) => Verdict::Refused(error),
        (Ok(_), _, None) if split => Verdict::Refused(FollowError::Forked(TWO_BRANCHES)),
        (Ok(_), _, None) => Verdict::Refused(FollowError::Log(UNPROVEN.into())),
        (Ok((_, advance)), _, taken) if one.head.as_ref() == taken => Verdict::Taken(advance),
        (Ok(_) | Err(FollowError::Older { .. } | FollowError::Behind { .. }), _, Some(_)) => {
            Verdict::PassedOver { offered }
        }
        // the hashes of its log may be gone by now; those of the newest show where it stands
        (Err(FollowError::Source(_) | FollowError::Log(_)), Some(Ok(())), Some(_)) => {
            Verdict::PassedOver { offered }
        }
        (
            Err(FollowError::Source(_) | FollowError::Log(_)),
            Some(Err(error @ FollowError::Forked(_))),
            _,
        ) => Verdict::Refused(error),
        (Err(error), _, _) => Verdict::Refused(error),
    }
}

const UNPROVEN: &str = "it could not be shown that one of two histories contains the other";
const TWO_BRANCHES: &str = "another place shows a history that excludes this one";

/// By what the newest of several heads is told (section 16.3 of the specification); the hash only
/// so that the choice never depends on the order.
fn newness(head: &Head) -> impl Ord {
    (
        head.signers().serial(),
        head.seq(),
        head.checkpoint().size,
        Reverse(head.block().cid()),
    )
}

/// The history of `newest` contains that of `other`. A head of an older signers list is not asked
/// about: whoever signed it may no longer speak for the vault.
fn contains(newest: &Head, other: &Head, source: &dyn BlockSource) -> Result<(), FollowError> {
    if newest == other || other.signers().serial() < newest.signers().serial() {
        return Ok(());
    }
    let (old, new) = (other.checkpoint(), newest.checkpoint());
    if other.seq() > newest.seq() {
        return Err(FollowError::Log("the newer log could not be had".into()));
    }
    if other.seq() == newest.seq() || old.size > new.size {
        return Err(FollowError::Forked(TWO_BRANCHES));
    }
    let blocks = LogBlocks::new(source, &newest.body.log);
    let proof = prove_consistency(&blocks, old.size, new.size).map_err(|error| match error {
        TileError::Source(error) => error.into(),
        other => FollowError::Log(other.to_string()),
    })?;
    verify_consistency(old.size, &old.root, new.size, &new.root, &proof)
        .map_err(|_| FollowError::Forked(TWO_BRANCHES))
}

#[cfg(test)]
mod tests;
