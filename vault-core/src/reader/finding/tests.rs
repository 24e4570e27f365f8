//! Many places, true and false, in any order.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;

use super::*;
use crate::grant::{Extent, Scope, Ticket};
use crate::store::{BlockStore, MemoryStore};
use crate::vault::tests::{clock, node, record, world};
use crate::vault::{MemoryStorage, ShareRequest, Vault, VaultStorage};
use crate::{Device, NewRecord};

/// Heads of every sort, all blocks, and what a reader remembers after the ticket.
struct Stage {
    heads: BTreeMap<&'static str, Vec<u8>>,
    blocks: MemoryStore,
    /// Only what belongs to the third head.
    newest_only: MemoryStore,
    reader: Following,
    now: u64,
}

fn copy(from: &dyn BlockStore, to: &dyn BlockStore) {
    for cid in from.list().unwrap() {
        to.put(&[from.get(&cid).unwrap().unwrap()]).unwrap();
    }
}

fn add(vault: &mut Vault, text: &'static str) -> Vec<u8> {
    vault
        .add_all([record(text, text.as_bytes())] as [NewRecord<'_>; 1])
        .unwrap();
    vault.head().block().data().to_vec()
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let mut patient = world("Pat");
    let doctor = world("doctor");
    let card = doctor.vault.device().card("doctor").unwrap();
    patient.vault.add_contact("doctor", &card).unwrap();
    let before = add(&mut patient.vault, "before");
    let request = ShareRequest {
        readers: vec!["doctor".into()],
        scope: Scope {
            all: true,
            ..Scope::default()
        },
        extent: Extent::Standing,
        purpose: None,
        expires: None,
    };
    let shared = patient.vault.share(request, &node()).unwrap();
    let now = patient.time.load(Ordering::Relaxed);
    let ticket = Ticket::open(&shared.tickets[0].1, doctor.vault.device(), now).unwrap();
    let reader = Following::accept(&ticket, "pat", now);
    let first = patient.vault.head().block().data().to_vec();

    let blocks = MemoryStore::new();
    let fork = Arc::new(MemoryStorage::new());
    copy(&*patient.storage.blocks(), &*fork.blocks());
    fork.replace_head(&first).unwrap();
    // a change deletes the hashes that only the last head names
    copy(&*patient.storage.blocks(), &blocks);
    let second = add(&mut patient.vault, "second");
    copy(&*patient.storage.blocks(), &blocks);
    let third = add(&mut patient.vault, "third");
    copy(&*patient.storage.blocks(), &blocks);
    let newest_only = MemoryStore::new();
    copy(&*patient.storage.blocks(), &newest_only);
    let text = patient.vault.device().to_identity_text();
    let device = Arc::new(Device::from_identity_text(&text).unwrap());
    let mut other = Vault::open(fork.clone(), device, clock(&patient.time)).unwrap();
    let other_second = add(&mut other, "other second");
    copy(&*fork.blocks(), &blocks);
    let other_third = add(&mut other, "other third");
    copy(&*fork.blocks(), &blocks);
    let other_fourth = add(&mut other, "other fourth");
    copy(&*fork.blocks(), &blocks);
    // from a clock that runs two days ahead
    patient.time.fetch_add(48 * 3600, Ordering::Relaxed);
    let future = add(&mut patient.vault, "future");
    copy(&*patient.storage.blocks(), &blocks);
    let mut bad = third.clone();
    let at = bad.len() / 2;
    bad[at] ^= 1;
    let heads = BTreeMap::from([
        ("before", before),
        ("first", first),
        ("second", second),
        ("third", third),
        ("other second", other_second),
        ("other third", other_third),
        ("other fourth", other_fourth),
        ("future", future),
        ("foreign", doctor.vault.head().block().data().to_vec()),
        ("garbage", b"garbage".to_vec()),
        ("altered", bad),
        ("empty", Vec::new()),
    ]);
    Stage {
        heads,
        blocks,
        newest_only,
        reader,
        now,
    }
});

fn offers(names: &[&str]) -> Vec<Offer> {
    let offer = |(at, name): (usize, &&str)| Offer {
        from: Place::Gateway(format!("{name} {at}")),
        bytes: STAGE.heads[*name].clone(),
    };
    names.iter().enumerate().map(offer).collect()
}

/// A reader who has seen this head.
fn after(name: &str) -> Following {
    let mut reader = STAGE.reader.clone();
    let bytes = &STAGE.heads[name];
    reader.advance(bytes, &STAGE.blocks, STAGE.now).unwrap();
    reader
}

fn find(reader: &mut Following, names: &[&str]) -> Finding {
    reader.find(&offers(names), &STAGE.blocks, STAGE.now)
}

fn seq(name: &str) -> u64 {
    Head::from_bytes(&STAGE.heads[name]).unwrap().seq()
}

fn refusal(finding: Finding) -> (String, FollowError) {
    let (place, error) = finding.outcome().unwrap_err().unwrap();
    (place.to_string(), error)
}

#[test]
fn the_newest_true_head_is_taken_and_an_older_one_passed_over() {
    let mut reader = after("first");
    let finding = find(
        &mut reader,
        &["second", "garbage", "third", "before", "third"],
    );
    let (from, to) = (seq("first"), seq("third"));
    let passed = |at: usize| match finding.answers[at].verdict {
        Verdict::PassedOver { offered } => offered,
        _ => 0,
    };
    assert_eq!((passed(0), passed(3)), (seq("second"), seq("before")));
    assert!(matches!(finding.answers[2].verdict, Verdict::Taken(_)));
    assert!(matches!(finding.answers[4].verdict, Verdict::Taken(_)));
    assert_eq!(finding.refused().count(), 1);
    assert_eq!(finding.outcome().unwrap(), Advance::Advanced { from, to });
    assert_eq!(reader.seq(), to);

    let finding = find(&mut reader, &["third", "second"]);
    assert_eq!(finding.outcome().unwrap(), Advance::Unchanged);
    let finding = find(&mut reader, &["second", "garbage"]);
    assert!(matches!(refusal(finding).1, FollowError::Older { .. }));
    assert!(find(&mut reader, &[]).outcome().unwrap_err().is_none());
    assert_eq!(reader.seq(), to);
}

#[test]
fn a_head_whose_hashes_are_gone_is_placed_by_those_of_the_newest() {
    let mut reader = after("first");
    let offers = offers(&["second", "third", "other second"]);
    let finding = reader.find(&offers, &STAGE.newest_only, STAGE.now);
    let passed = &finding.answers[0].verdict;
    assert!(matches!(passed, Verdict::PassedOver { .. }), "{passed:?}");
    let (place, error) = refusal(finding);
    assert!(place.contains("other second"), "{place}");
    assert!(matches!(error, FollowError::Forked(_)), "{error}");
    assert_eq!(reader.seq(), seq("third"));
    let mut reader = after("first");
    let alone = reader.find(&offers[..1], &STAGE.newest_only, STAGE.now);
    assert!(matches!(refusal(alone).1, FollowError::Source(_)));
    assert_eq!(reader, after("first"));
}

#[test]
fn a_forked_head_is_loud_whoever_else_answers() {
    let mut reader = after("second");
    let finding = find(&mut reader, &["third", "other fourth"]);
    assert_eq!(finding.forked().count(), 1);
    let (place, error) = refusal(finding);
    assert!(place.contains("other fourth"), "{place}");
    assert!(matches!(error, FollowError::Forked(_)), "{error}");
    // the other continues what the reader had seen
    assert_eq!(reader.seq(), seq("third"));
}

#[test]
fn of_two_branches_that_both_continue_the_memory_none_is_taken() {
    for names in [
        ["third", "other fourth"],
        ["second", "other second"],
        ["second", "other fourth"],
        ["third", "other second"],
    ] {
        let mut reader = after("first");
        let finding = find(&mut reader, &names);
        assert_eq!(finding.forked().count(), 2, "{names:?}");
        assert_eq!(finding.taken(), None);
        assert!(matches!(refusal(finding).1, FollowError::Forked(_)));
        assert_eq!(reader, after("first"), "{names:?}");
    }
}

/// What an outcome comes to, without the order.
fn summary(finding: Finding) -> (String, Vec<String>) {
    let mut answers: Vec<String> = finding
        .answers
        .iter()
        .map(|answer| {
            let place = answer.from.to_string();
            let name = place.rsplit_once(' ').unwrap().0.to_owned();
            format!("{name}: {:?}", answer.verdict)
        })
        .collect();
    answers.sort();
    let outcome = match finding.outcome() {
        Ok(advance) => format!("{advance:?}"),
        Err(error) => format!("{:?}", error.map(|(_, error)| error)),
    };
    (outcome, answers)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_the_order_the_outcome_is_the_same_and_nothing_moves_back(
        chosen in proptest::collection::vec(0..12_usize, 0..7),
        seed in any::<u64>(),
        seen in 0..3_usize,
    ) {
        let names: Vec<&str> = STAGE.heads.keys().copied().collect();
        let chosen: Vec<&str> = chosen.iter().map(|at| names[*at]).collect();
        let seen = ["first", "second", "third"][seen];
        let mut shuffled = chosen.clone();
        shuffled.sort_by_key(|name| seed.wrapping_mul(1 + name.len() as u64 * 31 + u64::from(name.as_bytes()[0])));
        let (mut one, mut two) = (after(seen), after(seen));
        let first = find(&mut one, &chosen);
        let second = find(&mut two, &shuffled);
        prop_assert_eq!(&one, &two);
        let shown = format!("{first:?}");
        let good_outcome = first.taken().is_some() && first.forked().next().is_none();
        let loud = first.forked().next().is_some();
        prop_assert_eq!(summary(first), summary(second));

        prop_assert!(one.seq() >= seq(seen));
        let branch = |name: &&str| name.starts_with("other") && seq(name) >= seq(seen);
        let forked = chosen.iter().any(branch);
        let on_true_branch = !chosen.iter().any(|name| name.starts_with("other"))
            || seen != "first"
            || chosen.iter().any(|name| ["second", "third"].contains(name));
        if on_true_branch && forked {
            prop_assert!(loud, "{}", shown);
        }
        if !forked {
            // the newest of the true heads, if it is news
            let best = ["third", "second", "first"].iter().find(|name| chosen.contains(name));
            let to = best.map_or(0, |name| seq(name)).max(seq(seen));
            prop_assert_eq!(one.seq(), to);
            let good = best.is_some_and(|name| seq(name) >= seq(seen));
            prop_assert_eq!(good_outcome, good, "{}", shown);
        }
    }
}
