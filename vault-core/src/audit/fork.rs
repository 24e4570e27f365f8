//! Holding two pieces of evidence against each other.
//!
//! A log only grows. Two signed states of it are honest if one is the beginning of the other; the
//! leaf hashes of the longer one show that. Whatever is said here follows from signatures and
//! hashes alone, so anyone comes to the same result.

use super::evidence::Evidence;
use crate::ids::VaultId;
use crate::log::{Appender, TreeHash};

/// Why two pieces of evidence cannot be held against each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForkError {
    /// They are about two vaults.
    #[error("the evidence is about two different vaults, {0} and {1}")]
    OtherVault(VaultId, VaultId),
}

/// What two different histories differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// The entry at this place: both sides show the hashes of their entries.
    Entry {
        /// The first entry that differs, from 0.
        index: u64,
    },
    /// Two logs of one size have different roots.
    Roots {
        /// Number of entries.
        size: u64,
    },
    /// The longer log does not begin with the shorter one.
    Prefix {
        /// Size of the shorter one.
        size: u64,
    },
    /// Two heads have one number.
    Heads {
        /// The number.
        seq: u64,
    },
}

/// How it is known that the shorter log was signed after the longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The statement over the shorter log answers a request that named size and root of the longer
    /// one. Nobody could have named that root before it was signed. No clock is involved.
    Asked,
    /// The head with the shorter log has the higher number. No clock is involved.
    Numbered {
        /// Number of the head with the longer log.
        longer: u64,
        /// Number of the head with the shorter log.
        shorter: u64,
    },
    /// By the vault's own clock. That the clock ran ahead when the shorter log was stated is not
    /// excluded.
    Clock {
        /// When the longer log was signed, in seconds since 1970-01-01 UTC.
        longer: u64,
        /// When the shorter log was signed, likewise.
        shorter: u64,
    },
}

/// A longer log was signed before a shorter one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollBack {
    /// Size of the longer log.
    pub longer: u64,
    /// Size of the shorter log, signed later.
    pub shorter: u64,
    /// How the order is known.
    pub basis: Basis,
}

/// What two pieces of evidence show together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForkVerdict {
    /// Keys of the vault signed two histories that exclude each other.
    Forked {
        /// What they differ in.
        fork: Fork,
        /// The two sides come with different lists of signing keys, or a key signed that was
        /// replaced: a recovery from an old copy of the blocks leaves such a trace, and so does a
        /// lost device that goes on signing.
        replaced: bool,
    },
    /// The vault went back to an older state.
    RolledBack {
        /// What was signed in which order.
        roll_back: RollBack,
        /// As for [`ForkVerdict::Forked`].
        replaced: bool,
    },
    /// One history: the shorter log is the beginning of the longer one, or they are the same.
    Consistent {
        /// Entries of the shorter log.
        shorter: u64,
        /// Entries of the longer log.
        longer: u64,
    },
    /// The evidence does not say enough.
    Undetermined {
        /// Evidence with the hashes of all entries of a log of at least this size would decide.
        needs: u64,
    },
}

/// A signed size and root.
type State<'a> = (u64, &'a TreeHash);

/// Holds two pieces of evidence against each other, with everything that each holds.
///
/// Histories of which one continues the other are never called forked; two that exclude each other
/// always are, if the hashes of the longer one are there.
///
/// # Errors
/// [`ForkError::OtherVault`].
pub fn check_fork(a: &Evidence, b: &Evidence) -> Result<ForkVerdict, ForkError> {
    if a.vault() != b.vault() {
        return Err(ForkError::OtherVault(a.vault(), b.vault()));
    }
    let replaced = a.signers.serial() != b.signers.serial() || by_replaced_key(a, b);
    if let Some(fork) = forked(a, b) {
        return Ok(ForkVerdict::Forked { fork, replaced });
    }
    if let Some(roll_back) = rolled_back(a, b) {
        return Ok(ForkVerdict::RolledBack {
            roll_back,
            replaced,
        });
    }
    let all = states([a, b]);
    let shorter = a.checkpoint().size.min(b.checkpoint().size);
    let largest = all.iter().max_by_key(|(size, _)| *size);
    let longer = largest.map_or(0, |(size, _)| *size);
    let shown = [a, b]
        .into_iter()
        .any(|side| side.has_leaves() && side.checkpoint().size == longer);
    let same = all
        .iter()
        .all(|state| state.0 == 0 || Some(state) == largest);
    Ok(match shown || same {
        true => ForkVerdict::Consistent { shorter, longer },
        false => ForkVerdict::Undetermined { needs: longer },
    })
}

/// Whether anything in the evidence holds only by a key that was replaced, by the newer of the two
/// lists: whoever found a lost device can sign with that, and put the present list beside it.
fn by_replaced_key(a: &Evidence, b: &Evidence) -> bool {
    let newer = match a.signers.serial() < b.signers.serial() {
        true => &b.signers,
        false => &a.signers,
    };
    [a, b]
        .iter()
        .any(|side| side.signed_by().any(|key| !newer.may_sign(key)))
}

/// Every size and root that is signed in the evidence.
fn states<'a>(sides: [&'a Evidence; 2]) -> Vec<State<'a>> {
    let mut all = Vec::new();
    for side in sides {
        let stated = side.statement().map(|statement| statement.checkpoint());
        let logs = [Some(side.checkpoint()), stated].into_iter().flatten();
        all.extend(logs.map(|log| (log.size, &log.root)));
    }
    all
}

fn forked(a: &Evidence, b: &Evidence) -> Option<Fork> {
    if let (Some(a), Some(b)) = (&a.leaves, &b.leaves)
        && let Some(index) = a.iter().zip(b).position(|(a, b)| a != b)
    {
        let index = index as u64;
        return Some(Fork::Entry { index });
    }
    let all = states([a, b]);
    for (at, one) in all.iter().enumerate() {
        let other = all[..at]
            .iter()
            .find(|other| other.0 == one.0 && other.1 != one.1);
        if other.is_some() {
            return Some(Fork::Roots { size: one.0 });
        }
    }
    for leaves in [&a.leaves, &b.leaves].into_iter().flatten() {
        let within: Vec<State<'_>> = all
            .iter()
            .copied()
            .filter(|(size, _)| *size <= leaves.len() as u64)
            .collect();
        let sizes: Vec<u64> = within.iter().map(|(size, _)| *size).collect();
        let roots = roots_at(leaves, &sizes);
        let broken = within
            .iter()
            .zip(&roots)
            .find(|(state, root)| state.1 != *root);
        if let Some(((size, _), _)) = broken {
            return Some(Fork::Prefix { size: *size });
        }
    }
    let (a, b) = (a.head()?, b.head()?);
    (a.seq() == b.seq() && a.block() != b.block()).then(|| Fork::Heads { seq: a.seq() })
}

fn rolled_back(a: &Evidence, b: &Evidence) -> Option<RollBack> {
    let all = states([a, b]);
    for statement in [a, b].iter().filter_map(|side| side.statement()) {
        let Some((size, root)) = statement.seen() else {
            continue;
        };
        let shorter = statement.checkpoint().size;
        if shorter < size && all.contains(&(size, &root)) {
            return Some(RollBack {
                longer: size,
                shorter,
                basis: Basis::Asked,
            });
        }
    }
    by_number(a, b).or_else(|| by_clock(a, b))
}

fn by_number(a: &Evidence, b: &Evidence) -> Option<RollBack> {
    let (a, b) = (a.head()?, b.head()?);
    let (old, new) = match a.seq() < b.seq() {
        true => (a, b),
        false => (b, a),
    };
    let (longer, shorter) = (old.checkpoint().size, new.checkpoint().size);
    (shorter < longer).then(|| RollBack {
        longer,
        shorter,
        basis: Basis::Numbered {
            longer: old.seq(),
            shorter: new.seq(),
        },
    })
}

/// Statements against whatever else is dated. Heads among themselves go by their numbers.
fn by_clock(a: &Evidence, b: &Evidence) -> Option<RollBack> {
    let heads = [a, b].into_iter().filter_map(Evidence::head);
    let heads = heads.map(|head| (head.time(), head.checkpoint().size, false));
    let stated = [a, b].into_iter().filter_map(Evidence::statement);
    let stated = stated.map(|said| (said.time(), said.checkpoint().size, true));
    let dated: Vec<(u64, u64, bool)> = heads.chain(stated).collect();
    for (early, longer, by_request) in &dated {
        for (late, shorter, answered) in &dated {
            if (*by_request || *answered) && early < late && shorter < longer {
                return Some(RollBack {
                    longer: *longer,
                    shorter: *shorter,
                    basis: Basis::Clock {
                        longer: *early,
                        shorter: *late,
                    },
                });
            }
        }
    }
    None
}

/// The roots of the first so many leaves, for every one of `sizes`; each is at most the number of
/// leaves.
pub(super) fn roots_at(leaves: &[TreeHash], sizes: &[u64]) -> Vec<TreeHash> {
    let mut log = Appender::new();
    let mut roots = vec![log.root(); sizes.len()];
    for leaf in leaves {
        // a log in memory is far from the largest there can be
        if log.append(*leaf).is_err() {
            break;
        }
        // what a store would have to write is of no use here
        log.mark_stored();
        for (root, _) in roots
            .iter_mut()
            .zip(sizes)
            .filter(|(_, s)| **s == log.size())
        {
            *root = log.root();
        }
    }
    roots
}

#[cfg(test)]
mod tests;
