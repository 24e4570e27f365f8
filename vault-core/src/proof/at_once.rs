//! Many who ask at the same time, and messages that come again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::on_request::{Clinic, opens};
use super::ward::{Ward, answer, denied, releases};
use crate::access::AccessReply;
use crate::grant::{Condition, Conditions};
use crate::ids::VersionId;
use crate::reader::copy_of;
use crate::vault::tests::{World, clock, record};
use crate::vault::{Desk, DeskEvent, NoCharges, RevokeTarget, Vault};
use crate::{AskError, Asking, Digest, RefusalCode, RevokeLevel};

/// A desk on this world's vault, and what is left of the world.
fn desk(
    world: World,
) -> (
    Desk,
    Arc<crate::MemoryStorage>,
    Arc<crate::Device>,
    Arc<AtomicU64>,
) {
    let device = world.vault.device.clone();
    let failed = |event| assert!(!matches!(event, DeskEvent::Failed(_)), "{event:?}");
    let desk = Desk::open(world.vault, Box::new(NoCharges), false, Box::new(failed));
    (desk, world.storage, device, world.time)
}

/// Sends all messages at the same time, each from a thread of its own.
fn at_once(desk: &Desk, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let start = std::sync::Barrier::new(messages.len());
    std::thread::scope(|scope| {
        let threads: Vec<_> = messages
            .iter()
            .map(|message| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    desk.answer(message)
                })
            })
            .collect();
        let replies = threads.into_iter().map(|thread| thread.join().unwrap());
        replies.collect()
    })
}

#[test]
fn one_open_is_left_and_ten_devices_ask_at_once() {
    let mut ward = Ward::new(10, opens(1), &[]);
    let asking: Vec<Asking> = (0..10).map(|at| ward.asking(at, at % 4)).collect();
    let messages: Vec<Vec<u8>> = asking.iter().map(|one| one.message().to_vec()).collect();
    let Ward {
        patient, readers, ..
    } = ward;
    let (desk, storage, device, time) = desk(patient);
    let replies = at_once(&desk, &messages);
    drop(desk);
    let (mut given, mut denied) = (Vec::new(), 0);
    for ((mut reader, asking), reply) in readers.into_iter().zip(asking).zip(replies) {
        match asking.take(reader.following.as_mut().unwrap(), &reply) {
            Ok(keys) => given.push((*reader.world.vault.device().signers().owner(), keys)),
            Err(AskError::Denied { reason, .. }) => {
                assert_eq!(reason, "no-opens-left");
                denied += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((given.len(), denied), (1, 9));
    let mut vault = Vault::open(storage, device, clock(&time)).unwrap();
    let released = releases(&mut vault);
    assert_eq!(released.len(), 1);
    let asked = &released[&given[0].1.entry().index];
    assert_eq!(asked.reader, given[0].0);
    assert_eq!(vault.verify_audit().unwrap().bad, None);
}

#[test]
fn a_hundred_messages_at_once_are_all_answered_and_the_log_is_one_line() {
    let mut ward = Ward::new(1, Conditions::default(), &[]);
    let asking: Vec<Asking> = (0..100).map(|i| ward.asking(0, i % 4)).collect();
    let messages: Vec<Vec<u8>> = asking.iter().map(|one| one.message().to_vec()).collect();
    let Ward {
        patient,
        mut readers,
        ..
    } = ward;
    let before = patient.vault.head().checkpoint().size;
    let (desk, storage, device, time) = desk(patient);
    let replies = at_once(&desk, &messages);
    drop(desk);
    let mut places = BTreeSet::new();
    for (asking, reply) in asking.into_iter().zip(replies) {
        let following = readers[0].following.as_mut().unwrap();
        places.insert(asking.take(following, &reply).unwrap().entry().index);
    }
    assert_eq!(places, (before..before + 100).collect());
    let mut vault = Vault::open(storage, device, clock(&time)).unwrap();
    let released = releases(&mut vault);
    assert_eq!(released.keys().copied().collect::<BTreeSet<_>>(), places);
    let requests: BTreeSet<Digest> = released.values().map(|asked| asked.request).collect();
    assert_eq!(requests.len(), 100);
    assert_eq!(vault.verify_audit().unwrap().bad, None);
}

#[test]
fn an_old_message_gets_no_keys_after_the_revocation() {
    let per_day = Conditions::default().with(Condition::OpensPerDay(1));
    let mut ward = Ward::new(2, per_day, &[]);
    let asking = ward.asking(0, 0);
    let message = asking.message().to_vec();
    let first = answer(&mut ward.patient.vault, &message, &[]);
    assert!(matches!(first, AccessReply::Released(_)), "and it is lost");
    let target = RevokeTarget::Contact("reader 0".into());
    let vault = &mut ward.patient.vault;
    vault.revoke(&target, RevokeLevel::Rekey).unwrap();
    vault.rekey(&ward.grant, &mut |_| {}).unwrap();
    let again = answer(&mut ward.patient.vault, &message, &[]).to_bytes();
    let (reason, place) = denied(ward.take(0, asking, &again));
    assert_eq!(reason, "withdrawn");
    // that too is said once, also by a process that has just begun
    for _ in 0..2 {
        let AccessReply::Denied(same) = answer(&mut ward.patient.vault, &message, &[]) else {
            panic!()
        };
        assert_eq!(same.logged.index, place);
        ward.patient.vault.reload().unwrap();
    }
    // and what was given stays counted
    let asking = ward.asking(1, 1);
    let reply = answer(&mut ward.patient.vault, asking.message(), &[]).to_bytes();
    assert_eq!(
        denied(ward.take(1, asking, &reply)).0,
        "no-opens-left-today"
    );
}

#[test]
fn an_old_message_about_a_removed_record_holds_up_nobody() {
    let mut ward = Ward::new(2, Conditions::default(), &[]);
    let old = ward.asking(0, 0);
    let first = answer(&mut ward.patient.vault, old.message(), &[]);
    assert!(matches!(first, AccessReply::Released(_)));
    let removed = ward.patient.vault.records().unwrap()[0].record;
    ward.patient.vault.remove_records(&[removed]).unwrap();
    let new = ward.asking(1, 0);
    let messages = [old.message().to_vec(), new.message().to_vec()];
    let answers = ward.patient.vault.answer(&messages, &[]);
    assert!(answers.error.is_none(), "{:?}", answers.error);
    let [old_reply, new_reply] = &answers.replies[..] else {
        panic!()
    };
    let (old_reply, new_reply) = (old_reply.to_bytes(), new_reply.to_bytes());
    assert_eq!(denied(ward.take(0, old, &old_reply)).0, "not-in-grant");
    assert!(ward.take(1, new, &new_reply).is_ok());
}

#[test]
fn an_old_message_gets_its_keys_while_the_agreement_lasts_and_not_after() {
    let mut clinic = Clinic::in_force(opens(1));
    let version: VersionId = clinic.view().entries[0].version;
    let asking = clinic.asking(&[version]);
    let message = asking.message().to_vec();
    let released = |reply| matches!(reply, AccessReply::Released(_));
    assert!(released(clinic.answer(&message)));
    // the clocks were compared when it was answered first
    clinic.patient.time.fetch_add(23 * 3600, Ordering::Relaxed);
    assert!(released(clinic.answer(&message)));
    clinic.patient.time.fetch_add(3601, Ordering::Relaxed);
    clinic.patient.vault.reload().unwrap();
    let late = clinic.answer(&message).to_bytes();
    let taken = asking.take(clinic.following(), &late);
    assert_eq!(denied(taken).0, "clock");
}

/// Two requests from one memory, answered out of two histories.
#[test]
fn a_memory_does_not_move_to_another_history_behind_a_request_under_way() {
    for longer in [false, true] {
        let mut ward = Ward::new(1, Conditions::default(), &[]);
        let (one, two) = (ward.asking(0, 0), ward.asking(0, 1));
        let view = ward.view(0).unwrap();
        let storage = copy_of(&ward.patient.storage);
        let device = ward.patient.vault.device.clone();
        let mut twin = Vault::open(storage, device, clock(&ward.patient.time)).unwrap();
        if longer {
            twin.add_all([record("own", b"something else")]).unwrap();
        }
        let reply = answer(&mut ward.patient.vault, one.message(), &[]).to_bytes();
        ward.take(0, one, &reply).unwrap();
        let seen = ward.readers[0].following.as_ref().unwrap().checkpoint();
        let reply = answer(&mut twin, two.message(), &[]).to_bytes();
        let taken = ward.take(0, two, &reply).map(drop);
        match longer {
            false => assert!(matches!(taken, Err(AskError::Proof(_))), "{taken:?}"),
            true => assert_eq!(taken, Ok(())),
        }
        let now = ward.readers[0].following.as_ref().unwrap().checkpoint();
        assert_eq!(now, seen);
        // the next request is from what was seen
        let next = ward.ask(0, &view, 2, false).unwrap();
        let answers = twin.answer(&[next.message().to_vec()], &[]);
        assert!(answers.diverged.is_some());
        assert!(matches!(answers.replies[0], AccessReply::Diverged(_)));
        let halted = Desk::open(twin, Box::new(NoCharges), true, Box::new(|_| {}));
        let reply = AccessReply::from_bytes(&halted.answer(next.message()));
        assert_eq!(reply, Ok(AccessReply::Refused(RefusalCode::Halted)));
    }
}
