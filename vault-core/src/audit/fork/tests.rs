//! Honest histories and others, with every mixture of what the two sides can show.

use proptest::prelude::*;

use super::*;
use crate::audit::LogStatement;
use crate::block::Digest;
use crate::fuzzing::{device, known_signers, owner};
use crate::head::{Head, HeadBody, log_origin};
use crate::identity::Signers;
use crate::keys::SigningKey;
use crate::log::{Checkpoint, SignedCheckpoint, leaf_hash};
use crate::samples;

/// A log whose entries are these numbers.
fn leaves(entries: &[u64]) -> Vec<TreeHash> {
    let hash = |entry: &u64| leaf_hash(&entry.to_be_bytes());
    entries.iter().map(hash).collect()
}

fn checkpoint(entries: &[u64]) -> SignedCheckpoint {
    let leaves = leaves(entries);
    let size = leaves.len() as u64;
    let origin = log_origin(&samples::vault());
    let log = Checkpoint {
        origin: origin.clone(),
        size,
        root: roots_at(&leaves, &[size])[0],
    };
    log.sign(&origin, device().dalek()).unwrap()
}

fn head(entries: &[u64], seq: u64, time: u64) -> Head {
    let body = HeadBody {
        seq,
        time,
        checkpoint: checkpoint(entries).as_bytes().to_vec(),
        ..samples::head_body()
    };
    Head::sign(&body, &device()).unwrap()
}

fn evidence(entries: &[u64], head: Option<Head>, shown: bool) -> Evidence {
    let leaves = shown.then(|| leaves(entries));
    Evidence::new(known_signers(), checkpoint(entries), head, leaves).unwrap()
}

/// What the vault states at `time` with a log of these entries, asked by one who has seen others.
fn statement(entries: &[u64], time: u64, seen: Option<&[u64]>) -> Vec<u8> {
    let seen = seen.map(|seen| {
        let log = checkpoint(seen).unverified().clone();
        (log.size, log.root)
    });
    let log = checkpoint(entries);
    let request = Digest::of(b"request");
    let vault = samples::vault();
    LogStatement::sign(&vault, &request, seen, time, log.as_bytes(), &device())
}

fn check(a: &Evidence, b: &Evidence) -> ForkVerdict {
    let verdict = check_fork(a, b).unwrap();
    assert_eq!(check_fork(b, a).unwrap(), verdict, "the order says nothing");
    verdict
}

fn forked(fork: Fork) -> ForkVerdict {
    let replaced = false;
    ForkVerdict::Forked { fork, replaced }
}

const HONEST: &[u64] = &[1, 2, 3, 4, 5];
const BRANCH: &[u64] = &[1, 2, 3, 9, 9, 9, 9];

#[test]
fn what_is_shown_decides_what_is_said() {
    let (short, long) = (&HONEST[..3], HONEST);
    let consistent = ForkVerdict::Consistent {
        shorter: 3,
        longer: 5,
    };
    let shown = |entries, shown| evidence(entries, None, shown);
    assert_eq!(check(&shown(short, false), &shown(long, true)), consistent);
    assert_eq!(check(&shown(short, true), &shown(long, true)), consistent);
    let unknown = ForkVerdict::Undetermined { needs: 5 };
    assert_eq!(check(&shown(short, true), &shown(long, false)), unknown);
    assert_eq!(check(&shown(short, false), &shown(long, false)), unknown);
    let same = ForkVerdict::Consistent {
        shorter: 5,
        longer: 5,
    };
    assert_eq!(check(&shown(long, false), &shown(long, false)), same);

    let entry = forked(Fork::Entry { index: 3 });
    assert_eq!(check(&shown(HONEST, true), &shown(BRANCH, true)), entry);
    let prefix = forked(Fork::Prefix { size: 5 });
    assert_eq!(check(&shown(HONEST, false), &shown(BRANCH, true)), prefix);
    let unknown = ForkVerdict::Undetermined { needs: 7 };
    assert_eq!(check(&shown(HONEST, true), &shown(BRANCH, false)), unknown);
    let roots = forked(Fork::Roots { size: 5 });
    let branch = shown(&BRANCH[..5], false);
    assert_eq!(check(&shown(HONEST, false), &branch), roots);
}

#[test]
fn two_heads_of_one_number_exclude_each_other() {
    let one = evidence(HONEST, Some(head(HONEST, 9, 100)), true);
    let renewed = evidence(HONEST, Some(head(HONEST, 10, 200)), true);
    let other = evidence(HONEST, Some(head(HONEST, 9, 101)), true);
    assert!(matches!(
        check(&one, &renewed),
        ForkVerdict::Consistent { .. }
    ));
    assert_eq!(check(&one, &other), forked(Fork::Heads { seq: 9 }));
}

#[test]
fn other_vaults_are_not_compared() {
    let stranger = SigningKey::from_seed(&[9; 32]);
    let signers = Signers::new(&stranger, 1, vec![device().public()], vec![]);
    let origin = log_origin(&signers.vault());
    let log = Checkpoint {
        origin: origin.clone(),
        ..checkpoint(HONEST).unverified().clone()
    };
    let signed = log.sign(&origin, device().dalek()).unwrap();
    let other = Evidence::new(signers, signed, None, None).unwrap();
    let refused = check_fork(&evidence(HONEST, None, true), &other);
    assert_eq!(
        refused,
        Err(ForkError::OtherVault(samples::vault(), other.vault()))
    );
}

#[test]
fn a_fork_between_two_lists_of_keys_is_said_to_be_one() {
    let later = Signers::new(&owner(), 8, vec![device().public()], vec![]);
    let branch = Evidence::new(later, checkpoint(BRANCH), None, Some(leaves(BRANCH))).unwrap();
    let verdict = check(&evidence(HONEST, None, true), &branch);
    let fork = Fork::Entry { index: 3 };
    let replaced = true;
    assert_eq!(verdict, ForkVerdict::Forked { fork, replaced });
}

fn rolled_back(basis: Basis) -> ForkVerdict {
    ForkVerdict::RolledBack {
        roll_back: RollBack {
            longer: 5,
            shorter: 3,
            basis,
        },
        replaced: false,
    }
}

#[test]
fn an_answer_with_a_shorter_log_than_the_question_named_proves_a_roll_back() {
    let seen = evidence(HONEST, None, true);
    let stated = |bytes: Vec<u8>| evidence(&HONEST[..3], None, true).with_statement(&bytes);
    let answer = stated(statement(&HONEST[..3], 7, Some(HONEST))).unwrap();
    assert_eq!(check(&seen, &answer), rolled_back(Basis::Asked));
    // a reader cannot make one up by claiming to have seen what was never signed
    let claimed = stated(statement(&HONEST[..3], 7, Some(BRANCH))).unwrap();
    assert!(matches!(
        check(&seen, &claimed),
        ForkVerdict::Consistent { .. }
    ));
    let undated = stated(statement(&HONEST[..3], 7, None)).unwrap();
    assert!(matches!(
        check(&seen, &undated),
        ForkVerdict::Consistent { .. }
    ));
}

#[test]
fn a_later_date_or_number_on_a_shorter_log_is_a_roll_back_too() {
    let seen = evidence(HONEST, Some(head(HONEST, 9, 100)), true);
    let answer = |time| {
        let bare = evidence(&HONEST[..3], Some(head(&HONEST[..3], 7, 50)), true);
        bare.with_statement(&statement(&HONEST[..3], time, None))
            .unwrap()
    };
    let clock = Basis::Clock {
        longer: 100,
        shorter: 101,
    };
    assert_eq!(check(&seen, &answer(101)), rolled_back(clock));
    for honest in [50, 99, 100] {
        let verdict = check(&seen, &answer(honest));
        assert!(
            matches!(verdict, ForkVerdict::Consistent { .. }),
            "{honest}"
        );
    }
    let back = evidence(&HONEST[..3], Some(head(&HONEST[..3], 10, 100)), true);
    let numbered = Basis::Numbered {
        longer: 9,
        shorter: 10,
    };
    assert_eq!(check(&seen, &back), rolled_back(numbered));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// One log that grows by honest acts; two moments of it, each with whatever can be shown.
    #[test]
    fn honest_histories_are_never_called_forked(
        steps in prop::collection::vec((0_u64..20, 0_u64..50), 1..20),
        picks in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        shown in (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
        asked in (any::<bool>(), any::<bool>()),
    ) {
        // (size, number, time) of every head; a step of nothing is a renewal
        let (mut size, mut time) = (1, 1_000);
        let mut heads = vec![(size, 1, time)];
        for (seq, (more, later)) in (2..).zip(&steps) {
            size += more;
            time += later;
            heads.push((size, seq, time));
        }
        let entries: Vec<u64> = (0..size).collect();
        let side = |at: usize, with_head: bool, with_leaves: bool, asked: bool| {
            let (size, seq, time) = heads[at];
            let log = &entries[..size as usize];
            let head = with_head.then(|| head(log, seq, time));
            let side = evidence(log, head, with_leaves);
            // asked before the next head was made, by one who has seen an earlier log
            match asked {
                true => {
                    let seen = &entries[..heads[at / 2].0 as usize];
                    side.with_statement(&statement(log, time, Some(seen))).unwrap()
                }
                false => side,
            }
        };
        let (i, j) = (picks.0.index(heads.len()), picks.1.index(heads.len()));
        let a = side(i, shown.0, shown.1, asked.0);
        let b = side(j, shown.2, shown.3, asked.1);
        let verdict = check(&a, &b);
        let fine = matches!(
            verdict,
            ForkVerdict::Consistent { .. } | ForkVerdict::Undetermined { .. }
        );
        prop_assert!(fine, "{verdict:?}");
        let (larger, leaves) = if heads[i].0 >= heads[j].0 { (i, shown.1) } else { (j, shown.3) };
        if leaves {
            let longer = heads[larger].0;
            let shorter = heads[i].0.min(heads[j].0);
            prop_assert_eq!(verdict, ForkVerdict::Consistent { shorter, longer });
        }
    }

    /// Two logs that part at some point.
    #[test]
    fn other_histories_always_are_when_the_longer_one_is_shown(
        common in 0_u64..60, one in 1_u64..60, other in 1_u64..60,
        shown: bool, heads: bool,
    ) {
        let log = |branch: u64, more: u64| -> Vec<u64> {
            (0..common).chain((0..more).map(|entry| branch * 1_000 + entry)).collect()
        };
        let (short, long) = (one.min(other), one.max(other));
        let (short, long) = (log(1, short), log(2, long));
        let head = |log: &[u64], seq| heads.then(|| head(log, seq, 100));
        let a = evidence(&short, head(&short, 5), shown);
        let b = evidence(&long, head(&long, 6), true);
        match check(&a, &b) {
            ForkVerdict::Forked { fork: Fork::Entry { index }, .. } => {
                prop_assert!(shown);
                prop_assert_eq!(index, common);
            }
            ForkVerdict::Forked { fork: Fork::Roots { size }, .. } => {
                prop_assert_eq!((size, size), (short.len() as u64, long.len() as u64));
            }
            ForkVerdict::Forked { fork: Fork::Prefix { size }, .. } => {
                prop_assert_eq!(size, short.len() as u64);
            }
            verdict => prop_assert!(false, "{verdict:?}"),
        }
    }
}

/// Whoever found a lost device signs another history and puts the present list beside it.
#[test]
fn a_history_that_a_replaced_key_signed_is_told_apart() {
    let new = SigningKey::from_seed(&[77; 32]);
    let signers = Signers::new(&owner(), 8, vec![new.public()], vec![device().public()]);
    let origin = log_origin(&samples::vault());
    let log = checkpoint(HONEST).unverified().clone();
    let log = log.sign(&origin, new.dalek()).unwrap();
    let honest = Evidence::new(signers.clone(), log, None, Some(leaves(HONEST))).unwrap();
    let forged = checkpoint(BRANCH);
    let shown = Some(leaves(BRANCH));
    let forged = Evidence::new(signers.clone(), forged, None, shown).unwrap();
    let fork = Fork::Entry { index: 3 };
    let replaced = true;
    let expected = ForkVerdict::Forked { fork, replaced };
    assert_eq!(check(&honest, &forged), expected);
    let request = Digest::of(b"request");
    let stated = LogStatement::sign(
        &samples::vault(),
        &request,
        Some((5, honest.checkpoint().root)),
        5,
        checkpoint(&HONEST[..3]).as_bytes(),
        &device(),
    );
    let stated = Evidence::of_statement(&stated, &signers).unwrap();
    let verdict = check(&honest, &stated);
    assert!(
        matches!(verdict, ForkVerdict::RolledBack { replaced: true, .. }),
        "{verdict:?}"
    );
}
