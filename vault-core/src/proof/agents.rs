//! Agents: what they may give, for how long, and how it comes back.

use super::on_request::opens;
use super::practice::{DAY, Practice, answer, why};
use super::support::{head, now, request};
use crate::access::AccessReply;
use crate::audit::Act;
use crate::grant::{Condition, Conditions, Extent};
use crate::vault::tests::{node, record};
use crate::vault::{AgentRequest, OnRequestTerms, RevokeTarget, VaultError, VaultStorage};
use crate::{PublicKey, RefusalCode, RevokeLevel};

#[test]
fn what_is_set_aside_for_an_agent_keeps_to_the_agreement() {
    let mut practice = Practice::new(opens(3));
    assert!(matches!(
        practice.add_agent(None),
        Err(VaultError::NoAllowance)
    ));
    let too_many = practice.add_agent(Some(4));
    let expected = (4, 3);
    assert!(
        matches!(too_many, Err(VaultError::TooManyOpens { asked, left }) if (asked, left) == expected)
    );
    assert_eq!(practice.add_agent(Some(2)).unwrap().opens, Some(2));
    assert_eq!(practice.counted(), 2);
    assert_eq!(why(practice.ask_patient(&[0])), "given");
    assert_eq!(why(practice.ask_patient(&[0])), "no-opens-left");
    // the same agent again: its own part is counted anew, not twice
    let too_many = practice.add_agent(Some(3));
    assert!(matches!(
        too_many,
        Err(VaultError::TooManyOpens { asked: 3, left: 2 })
    ));
    // less is set aside only when it has said that the earlier certificate is not used
    practice.add_agent(Some(1)).unwrap();
    assert_eq!(practice.counted(), 3);

    let late = AgentRequest {
        contact: "agent".into(),
        node: node(),
        opens: Some(1),
        until: now(&practice.patient),
    };
    let late = practice.patient.vault.add_agent(&practice.grant, &late);
    assert!(matches!(late, Err(VaultError::AlreadyExpired)));
    let other = AgentRequest {
        contact: "doctor".into(),
        node: node(),
        opens: Some(1),
        until: now(&practice.patient) + DAY,
    };
    let refused = practice.patient.vault.add_agent(&practice.grant, &other);
    assert!(matches!(refused, Err(VaultError::NotAnAgent(_))));
    let carried = (practice.patient.vault)
        .share(request(&["doctor"], None), &node())
        .unwrap();
    let refused = practice.patient.vault.add_agent(&carried.grant.id, &other);
    assert!(matches!(refused, Err(VaultError::NotOnRequest)));
}

#[test]
fn a_limit_by_the_day_holds_across_agents() {
    let conditions = Conditions::default().with(Condition::OpensPerDay(3));
    let mut practice = Practice::new(conditions);
    assert!(matches!(
        practice.add_agent(None),
        Err(VaultError::NoAllowance)
    ));
    assert_eq!(why(practice.ask_patient(&[0])), "given");
    let too_many = practice.add_agent(Some(3));
    assert!(matches!(
        too_many,
        Err(VaultError::TooManyOpens { asked: 3, left: 2 })
    ));
    practice.add_agent(Some(2)).unwrap();
    practice.admit_agent();
    let mut given = 1;
    for numbers in [&[0][..], &[1], &[2]] {
        given += u64::from(why(practice.ask_agent(numbers)) == "given");
        given += u64::from(why(practice.ask_patient(numbers)) == "given");
    }
    assert_eq!(given, 3);
}

#[test]
fn an_agent_answers_and_the_patient_learns_of_it() {
    let mut practice = Practice::with_agent(opens(4), Some(2));
    let given = practice.ask_agent(&[1]).unwrap();
    let agent = practice.agent.world.vault.id();
    assert_eq!(*given.log(), agent);
    given.proof().verify(&agent).unwrap();
    let entry = given.unlock(&practice.view().entries[1]).unwrap();
    let blocks = practice.patient.storage.blocks();
    let following = practice.doctor.following.as_ref().unwrap();
    let mut out = Vec::new();
    let record = following.open_record(&entry, blocks).unwrap();
    record.copy_to(&mut out).unwrap();
    assert_eq!(out, b"content 1");
    let device = practice.doctor.world.vault.device.clone();
    let receipt = given
        .receipt(true, &device, now(&practice.patient))
        .unwrap();
    let charge = practice.charge();
    for _ in 0..2 {
        let noted = answer(&mut practice.agent.world.vault, &receipt, charge.clone());
        assert_eq!(noted, AccessReply::Noted {});
    }
    // the second request carries what was seen of the agent's log
    assert_eq!(why(practice.ask_agent(&[2, 3])), "no-opens-left");
    assert_eq!(practice.log(1), ["agent-added"]);

    practice.report(false);
    assert_eq!(practice.log(3), ["released", "denied", "agent-reported"]);
    let log = practice.patient.vault.audit_log().unwrap();
    let Act::Released(asked) = &log[log.len() - 3].act else {
        panic!()
    };
    let via = asked.via.as_ref().unwrap();
    assert_eq!(
        (via.agent, via.index),
        (practice.owner(), given.entry().index)
    );
    assert_eq!(asked.vault, None);
    let opened = practice.patient.vault.opened_versions(&practice.grant);
    assert_eq!(opened.unwrap().unwrap(), [entry.version].into());
    // nothing new is nothing to log
    let size = practice.patient.vault.head().checkpoint().size;
    practice.report(false);
    assert_eq!(practice.patient.vault.head().checkpoint().size, size);
    assert_eq!((practice.info().reported, practice.counted()), (1, 2));
    practice.verify();
}

#[test]
fn cut_off_from_each_other_each_side_gives_its_own_part() {
    let mut practice = Practice::with_agent(opens(5), Some(2));
    let charge = practice.charge();
    let (mut by_agent, mut by_patient) = (0, 0);
    for number in [0, 1, 2, 3, 0, 1] {
        by_agent += u64::from(why(practice.ask_agent_of(charge.clone(), &[number])) == "given");
        by_patient += u64::from(why(practice.ask_patient(&[number])) == "given");
    }
    assert_eq!((by_agent, by_patient), (2, 3));
    practice.report(true);
    assert_eq!(practice.counted(), 5);
    assert_eq!(why(practice.ask_patient(&[0])), "no-opens-left");
    practice.verify();
}

#[test]
fn what_an_agent_did_not_give_comes_back_when_it_has_closed() {
    let mut practice = Practice::with_agent(opens(3), Some(3));
    let charge = practice.charge();
    assert_eq!(why(practice.ask_agent_of(charge.clone(), &[0])), "given");
    assert_eq!(why(practice.ask_patient(&[0])), "no-opens-left");
    practice.pass(1);
    practice.report(true);
    assert!(practice.info().closed);
    assert_eq!(practice.counted(), 1);
    // by the certificate that it still has, and by the head that still names it
    assert_eq!(why(practice.ask_agent_of(charge, &[1])), "withdrawn");
    assert_eq!(why(practice.ask_agent(&[1])), "withdrawn");
    assert_eq!(why(practice.ask_patient(&[1])), "given");
    // a new certificate counts again, with what was given before
    practice.pass(1);
    let too_many = practice.add_agent(Some(3));
    assert!(matches!(
        too_many,
        Err(VaultError::TooManyOpens { asked: 3, left: 2 })
    ));
    practice.add_agent(Some(2)).unwrap();
    assert_eq!(why(practice.ask_agent(&[2])), "given");
    assert_eq!(why(practice.ask_agent(&[3])), "no-opens-left");
    assert_eq!(why(practice.ask_patient(&[3])), "no-opens-left");
    practice.verify();
}

#[test]
fn an_answer_to_an_earlier_question_closes_no_later_certificate() {
    let mut practice = Practice::with_agent(opens(2), Some(1));
    practice.pass(1);
    let question = practice.question(true);
    let late = practice.reported(true);
    assert!(late.closed.is_some());
    practice.pass(1);
    practice.add_agent(Some(2)).unwrap();
    assert!(!practice.take(late).unwrap());
    assert!(!practice.info().closed, "the new certificate is in use");
    assert_eq!(practice.counted(), 2);
    assert_eq!(why(practice.ask_patient(&[0])), "no-opens-left");
    // nor does the question itself, when it comes again
    let charge = practice.charge();
    let report = answer(&mut practice.agent.world.vault, &question, charge);
    let AccessReply::Report(report) = report else {
        panic!("{report:?}")
    };
    practice.take(*report).unwrap();
    assert!(!practice.info().closed);
    assert_eq!(why(practice.ask_agent(&[0])), "given");
}

#[test]
fn a_certificate_ends_with_its_time_and_with_its_withdrawal() {
    let mut practice = Practice::with_agent(Conditions::default(), None);
    let old = practice.charge();
    assert_eq!(why(practice.ask_agent(&[0])), "given");
    let vault = &mut practice.patient.vault;
    vault.remove_agent(&practice.grant, "agent").unwrap();
    assert!(
        practice.charge().is_none(),
        "the next head gives it nothing"
    );
    // a cached certificate is not in the reader's view any more; a request made before is refused
    // by an agent that has synced, and the old head serves one that has not, until it ends
    assert_eq!(practice.view().agreement.unwrap().agents.len(), 0);

    practice.pass(1);
    practice.add_agent(None).unwrap();
    let asking = practice.asking(true, &[1]);
    practice.pass(500);
    let late = answer(
        &mut practice.agent.world.vault,
        asking.message(),
        old.clone(),
    );
    assert!(
        matches!(late, AccessReply::Released(_)),
        "it cannot know yet"
    );
    practice.pass(10 * DAY);
    assert_eq!(why(practice.ask_agent_of(old, &[2])), "withdrawn");
    assert_eq!(
        why(practice.ask_agent(&[2])),
        "withdrawn",
        "its time is over"
    );
    practice.verify();
}

#[test]
fn what_joins_after_an_agent_was_withdrawn_stays_closed_to_it() {
    let mut practice = Practice::with_agent(Conditions::default(), None);
    let charge = practice.charge().unwrap();
    let vault = &mut practice.patient.vault;
    vault.remove_agent(&practice.grant, "agent").unwrap();
    vault.add_all([record("new", b"new")]).unwrap();
    let entry = practice.view().entries.pop().unwrap();
    let opened =
        crate::index::open_sealed_key(&charge.release, &entry.version, entry.sealed, &entry.cek);
    assert!(opened.is_err());
    let blocks = practice.patient.storage.blocks();
    let following = practice.agent.following.as_mut().unwrap();
    let (head, time) = (head(&practice.patient), now(&practice.patient));
    following.advance(&head, &*blocks, time).unwrap();
    let device = practice.agent.world.vault.device();
    assert!(following.grants(device, &*blocks, time).is_err());
}

#[test]
fn a_revoked_agreement_ends_with_the_agents_next_sync_and_the_receipt_names_it() {
    let mut practice = Practice::with_agent(opens(4), Some(3));
    assert_eq!(why(practice.ask_agent(&[0])), "given");
    practice.report(false);
    let asking = practice.asking(true, &[1]);
    let target = RevokeTarget::Grant(practice.grant);
    let revoked = practice.patient.vault.revoke(&target, RevokeLevel::Stop);
    let receipt = revoked.unwrap()[0].receipt.clone().unwrap();
    assert_eq!(receipt.opened, Some(1));
    // two opens that the agent may have given since: it has not said
    assert_eq!(receipt.could_have_opened, 3);
    assert_eq!(receipt.never_delivered, 1);
    let [agent] = &receipt.agents[..] else {
        panic!("{:?}", receipt.agents)
    };
    assert_eq!((agent.agent, agent.closed), (practice.owner(), false));
    assert_eq!(agent.until, now(&practice.patient) + 10 * DAY);

    let charge = practice.charge();
    assert!(charge.is_none());
    let reply = answer(&mut practice.agent.world.vault, asking.message(), charge);
    assert_eq!(reply, AccessReply::Refused(RefusalCode::NotHere));
    // and it can still be asked for the last time
    practice.pass(1);
    practice.report(true);
    assert!(practice.info().closed);
    practice.verify();
}

#[test]
fn after_the_last_report_the_receipt_is_exact() {
    let mut practice = Practice::with_agent(opens(4), Some(3));
    assert_eq!(why(practice.ask_agent(&[0])), "given");
    practice.pass(1);
    practice.report(true);
    let target = RevokeTarget::Grant(practice.grant);
    let revoked = practice.patient.vault.revoke(&target, RevokeLevel::Stop);
    let receipt = revoked.unwrap()[0].receipt.clone().unwrap();
    assert_eq!((receipt.opened, receipt.could_have_opened), (Some(1), 1));
    assert_eq!(receipt.never_delivered, 3);
    assert!(receipt.agents[0].closed);
}

/// Blocks go to agents as to readers, so that an agent can keep the index of what it answers for.
#[test]
fn an_agent_may_fetch_blocks_until_it_is_withdrawn() {
    let mut practice = Practice::with_agent(Conditions::default(), None);
    let ends = crate::Ends {
        server: PublicKey::from_bytes([4; 32]),
        client: PublicKey::from_bytes([5; 32]),
    };
    let may_fetch = |practice: &mut Practice| {
        let time = now(&practice.patient);
        let (device, vault) = (
            &practice.agent.world.vault.device,
            practice.patient.vault.id(),
        );
        let statement = crate::sign_block_access(device, &vault, &ends, time);
        let readers = practice.patient.vault.block_readers().unwrap();
        readers.check(&statement, &ends, time).is_ok()
    };
    assert!(may_fetch(&mut practice));
    let grant = practice.grant;
    practice
        .patient
        .vault
        .remove_agent(&grant, "agent")
        .unwrap();
    assert!(!may_fetch(&mut practice));

    let mut practice = Practice::with_agent(Conditions::default(), None);
    practice.pass(11 * DAY);
    assert!(!may_fetch(&mut practice), "its certificate has ended");
}

/// Whoever reads and answers under one grant can do both.
#[test]
fn a_reader_who_is_an_agent_too_answers() {
    let mut practice = Practice::with_agent(Conditions::default(), None);
    let mut both = request(&["agent"], None);
    both.extent = Extent::Standing;
    let terms = OnRequestTerms {
        agents: vec!["agent".into()],
        ..OnRequestTerms::default()
    };
    let shared = practice.patient.vault.offer(both, terms, &node()).unwrap();
    practice.agent.accept(&shared, now(&practice.patient));
    practice.grant = shared.grant.id;
    let (device, time) = (
        practice.agent.world.vault.device.clone(),
        now(&practice.patient),
    );
    let following = practice.agent.following.as_mut().unwrap();
    let message = following
        .countersign(&practice.grant, &device, time)
        .unwrap();
    let answers = practice.patient.vault.answer(&[message], &[]);
    assert_eq!(answers.replies, [AccessReply::Noted {}]);
    practice.add_agent(None).unwrap();
    practice.admit_agent();
    assert!(practice.charge().is_some());
}

/// An agent's envelope opens every key in the grant, so a re-key takes them all.
#[test]
fn where_an_agent_answered_everything_is_sealed_again() {
    let mut practice = Practice::with_agent(Conditions::default(), None);
    assert_eq!(why(practice.ask_patient(&[2])), "given");
    practice.pass(1);
    practice.report(true);
    let (grant, vault) = (practice.grant, &mut practice.patient.vault);
    let target = RevokeTarget::Grant(grant);
    vault.revoke(&target, RevokeLevel::Rekey).unwrap();
    let receipt = vault.rekey(&grant, &mut |_| {}).unwrap();
    assert_eq!((receipt.opened, receipt.rekeyed), (Some(1), 4));
}
