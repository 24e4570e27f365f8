//! Reports of agents: what in them can be found out to be untrue, and what cannot.

use super::on_request::opens;
use super::practice::{Practice, answer, proof_error, why};
use super::support::{head, now};
use crate::access::{AccessMessage, AccessReply, AgentQuestion, AgentReport, MAX_REPORTED};
use crate::audit::{Act, check_fork};
use crate::grant::Conditions;
use crate::ids::GrantId;
use crate::reader::copy_of;
use crate::vault::Vault;
use crate::vault::tests::{clock, record, world};
use crate::{AskError, ForkVerdict, RefusalCode};

/// A report of two releases and one denial.
fn lively() -> (Practice, AgentReport) {
    let mut practice = Practice::with_agent(opens(4), Some(2));
    assert_eq!(why(practice.ask_agent(&[0])), "given");
    assert_eq!(why(practice.ask_agent(&[1])), "given");
    assert_eq!(why(practice.ask_agent(&[2])), "no-opens-left");
    let report = practice.reported(false);
    assert_eq!(report.entries.len(), 3);
    (practice, report)
}

#[test]
fn a_report_that_was_altered_is_found_out() {
    let (mut practice, honest) = lively();
    let before = head(&practice.patient);
    let mut refused = |change: &dyn Fn(&mut AgentReport)| {
        let mut report = honest.clone();
        change(&mut report);
        let what = proof_error(practice.take(report));
        assert_eq!(head(&practice.patient), before, "nothing is changed");
        what
    };
    let not_in_log = "an entry is not in its log";
    let order = "the entries are out of order";
    let place = "it does not go on where the one before ended";
    for at in [0, 10, 40] {
        assert_eq!(refused(&|r| r.entries[0].entry[at] ^= 1), not_in_log);
    }
    assert_eq!(refused(&|r| r.entries[1].salt[0] ^= 1), not_in_log);
    assert_eq!(refused(&|r| r.entries[1].index += 1), not_in_log);
    assert_eq!(refused(&|r| r.entries.swap(0, 1)), order);
    assert_eq!(refused(&|r| r.entries.push(r.entries[0].clone())), order);
    assert_eq!(refused(&|r| r.next = r.entries[2].index), order);
    assert_eq!(refused(&|r| r.next = u64::MAX), place);
    let fewer = "it counts fewer opens than it has proven";
    assert_eq!(refused(&|r| r.opens = 1), fewer);
    assert_eq!(
        refused(&|r| r.checkpoint[3] ^= 1),
        "its checkpoint is not signed"
    );

    // about another grant, or the agent's own acts
    let own = practice.agent.world.vault.logged(0).unwrap();
    let mut report = honest.clone();
    report.entries.insert(0, own);
    let what = proof_error(practice.take(report));
    assert_eq!(what, "an entry is about something else");

    assert!(!practice.take(honest.clone()).unwrap());
    assert_eq!(proof_error(practice.take(honest)), order, "not twice");
}

#[test]
fn a_report_does_not_take_back_what_was_reported() {
    let (mut practice, report) = lively();
    practice.take(report).unwrap();
    let mut back = practice.reported(false);
    assert!(back.entries.is_empty());
    back.next = 0;
    let what = proof_error(practice.take(back));
    assert_eq!(what, "it does not go on where the one before ended");
    let mut fewer = practice.reported(false);
    fewer.opens = 0;
    let what = proof_error(practice.take(fewer));
    assert_eq!(what, "it counts fewer opens than it has proven");
}

/// Left out entries do not show in the report itself: the leaves in between are sealed commitments.
/// The count does, if it is told truly; and the reader's own proof convicts the agent.
#[test]
fn an_entry_that_was_left_out_is_convicted_by_the_readers_proof() {
    let mut practice = Practice::with_agent(opens(4), Some(2));
    let given = practice.ask_agent(&[0]).unwrap();
    let mut report = practice.reported(false);
    report.entries.clear();
    report.opens = 0;
    assert!(!practice.take(report).unwrap());
    let opened = practice.patient.vault.opened_versions(&practice.grant);
    assert!(opened.unwrap().unwrap().is_empty(), "it looks like nothing");
    // but the part that was set aside stays so, and the limit holds
    assert_eq!(practice.counted(), 2);
    let proven = given.proof().verify(&practice.agent.world.vault.id());
    let Act::Released(asked) = proven.unwrap().entry.act else {
        panic!()
    };
    assert_eq!(asked.vault, Some(practice.patient.vault.id()));
    assert_eq!(asked.grant, practice.grant);
}

#[test]
fn an_agent_with_two_logs_is_found_out() {
    let mut practice = Practice::with_agent(opens(4), Some(3));
    assert_eq!(why(practice.ask_agent(&[0])), "given");
    practice.report(false);
    // from here on, one log for the reader and one for the patient
    let twin = copy_of(&practice.agent.world.storage);
    let device = practice.agent.world.vault.device.clone();
    let time = clock(&practice.agent.world.time);
    let mut twin = Vault::open(twin, device, time).unwrap();
    assert_eq!(why(practice.ask_agent(&[1])), "given");
    twin.add_all([record("own", b"something else")]).unwrap();
    std::mem::swap(&mut practice.agent.world.vault, &mut twin);

    // nothing in the report shows it
    practice.report(false);
    assert_eq!(practice.info().reported, 1);
    // the reader's next request does: it names a checkpoint that this log does not contain
    let asking = practice.asking(true, &[2]);
    let charge = practice.charge().unwrap();
    let answers = practice
        .agent
        .world
        .vault
        .answer(&[asking.message().to_vec()], &[charge]);
    assert!(answers.diverged.is_some());
    let reply = answers.replies[0].to_bytes();
    let taken = asking.take(practice.doctor.following.as_mut().unwrap(), &reply);
    assert!(matches!(taken, Err(AskError::Diverged { .. })));
    // and anyone who has what both sides were shown
    let (shown, other) = (
        practice.agent.world.vault.evidence().unwrap(),
        twin.evidence().unwrap(),
    );
    let verdict = check_fork(&shown, &other).unwrap();
    assert!(matches!(verdict, ForkVerdict::Forked { .. }), "{verdict:?}");

    // the patient, once it has seen one of the two, does not take a report from the other
    twin.add_all([record("more", b"more"), record("and", b"and more")])
        .unwrap();
    std::mem::swap(&mut practice.agent.world.vault, &mut twin);
    let question = practice.question(false);
    let charge = practice.charge();
    let reply = answer(&mut practice.agent.world.vault, &question, charge);
    assert_eq!(reply, AccessReply::Refused(RefusalCode::Malformed));
}

#[test]
fn a_strangers_question_leaves_no_trace() {
    let mut practice = Practice::with_agent(opens(2), Some(1));
    let eve = world("Eve");
    let before = head(&practice.agent.world);
    for grant in [practice.grant, GrantId::random()] {
        let question = AgentQuestion {
            vault: eve.vault.id(),
            log: practice.agent.world.vault.id(),
            grant,
            from: 0,
            close: true,
            seen: None,
        };
        let question = question.sign(eve.vault.device(), now(&practice.patient));
        let message = AccessMessage::Question(question).to_bytes();
        let charge = practice.charge();
        let reply = answer(&mut practice.agent.world.vault, &message, charge);
        assert_eq!(reply, AccessReply::Refused(RefusalCode::Stranger));
    }
    assert_eq!(head(&practice.agent.world), before);
    // nor does one in the patient's name, or of another time
    practice.question(true);
    let forged = AgentQuestion {
        vault: practice.patient.vault.id(),
        log: practice.agent.world.vault.id(),
        grant: practice.grant,
        from: 0,
        close: true,
        seen: None,
    };
    let forged = forged.sign(eve.vault.device(), now(&practice.patient));
    let message = AccessMessage::Question(forged).to_bytes();
    let charge = practice.charge();
    let reply = answer(&mut practice.agent.world.vault, &message, charge);
    assert_eq!(reply, AccessReply::Refused(RefusalCode::NotHere));
    let question = practice.question(true);
    practice.pass(601);
    let charge = practice.charge();
    let reply = answer(&mut practice.agent.world.vault, &question, charge);
    assert_eq!(reply, AccessReply::Refused(RefusalCode::Malformed));
    assert_eq!(head(&practice.agent.world), before);
}

#[test]
fn opens_of_all_reports_together_are_not_more_than_it_counts() {
    let mut practice = Practice::with_agent(opens(4), Some(3));
    assert_eq!(why(practice.ask_agent(&[0])), "given");
    practice.report(false);
    assert_eq!(why(practice.ask_agent(&[1])), "given");
    let honest = practice.reported(false);
    let mut fewer = honest.clone();
    fewer.opens = 1;
    let what = proof_error(practice.take(fewer));
    assert_eq!(what, "it counts fewer opens than it has proven");
    assert!(!practice.take(honest).unwrap());
    assert_eq!(practice.info().reported, 2);
}

#[test]
fn all_entries_of_a_report_are_in_the_log_that_it_shows() {
    let mut practice = Practice::with_agent(opens(4), Some(3));
    assert_eq!(why(practice.ask_agent(&[0])), "given");
    let before = practice.reported(false);
    assert_eq!(why(practice.ask_agent(&[1])), "given");
    let mut mixed = practice.reported(false);
    mixed.entries[0] = before.entries[0].clone();
    let what = proof_error(practice.take(mixed));
    assert_eq!(what, "an entry is not in its log");
}

#[test]
fn a_lost_device_of_the_patient_gets_no_report_and_closes_nothing() {
    let mut practice = Practice::with_agent(opens(4), Some(3));
    practice.charge().unwrap();
    let lost = super::support::lose_device(&mut practice.patient);
    practice.pass(1);
    let charge = practice.charge();
    assert!(charge.is_some());
    let question = AgentQuestion {
        vault: practice.patient.vault.id(),
        log: practice.agent.world.vault.id(),
        grant: practice.grant,
        from: 0,
        close: true,
        seen: None,
    };
    let question = question.sign(&lost, now(&practice.patient));
    let message = AccessMessage::Question(question).to_bytes();
    let reply = answer(&mut practice.agent.world.vault, &message, charge);
    assert_eq!(reply, AccessReply::Refused(RefusalCode::Stranger));
    assert_eq!(why(practice.ask_agent(&[0])), "given");
    practice.report(true);
    assert!(practice.info().closed);
}

#[test]
fn a_patient_whose_index_does_not_open_spoils_nothing_for_others() {
    let mut practice = Practice::with_agent(opens(4), Some(3));
    let mut charge = practice.charge().unwrap();
    std::sync::Arc::get_mut(&mut charge).unwrap().release = crate::keys::SecretKey::random();
    let asking = practice.asking(true, &[0]);
    let before = head(&practice.agent.world);
    let reply = answer(
        &mut practice.agent.world.vault,
        asking.message(),
        Some(charge),
    );
    assert_eq!(reply, AccessReply::Refused(RefusalCode::NotHere));
    assert_eq!(head(&practice.agent.world), before);
}

#[test]
fn a_long_report_comes_in_parts() {
    let mut practice = Practice::with_agent(Conditions::default(), None);
    for number in 0..40 {
        assert_eq!(why(practice.ask_agent(&[number % 4])), "given");
    }
    let first = practice.reported(false);
    assert_eq!((first.entries.len(), first.more), (MAX_REPORTED, true));
    assert!(practice.take(first).unwrap());
    let second = practice.reported(false);
    assert_eq!(second.entries.len(), 40 - MAX_REPORTED);
    assert!(!practice.take(second).unwrap());
    let log = practice.patient.vault.audit_log().unwrap();
    let count = |name| log.iter().filter(|entry| entry.act.name() == name).count();
    assert_eq!((count("released"), count("agent-reported")), (40, 1));
    assert_eq!(practice.info().reported, 40);
    practice.verify();
}
