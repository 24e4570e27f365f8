//! Gran answers for Ada while her device sleeps; Bo asks.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;
use vault_core::Receipt;

use crate::agent_case::*;
use crate::people::healthy;
use crate::serving::Serving;
use crate::world::World;

fn log(w: &World, who: &str, act: &str) -> Vec<Value> {
    let mut lines = w.json(who, &["audit", "log"]);
    lines.retain(|line| line["act"] == act);
    lines
}

fn sync(w: &World) -> Value {
    w.json("ada", &["agent", "sync"]).remove(0)
}

fn last_receipt(w: &World) -> Receipt {
    let grant = vault(w).grants().unwrap().remove(0);
    grant.receipts.last().unwrap().clone()
}

#[test]
fn an_agent_answers_while_the_patient_sleeps_and_reports_later() {
    let mut case = case(5, 3);
    let w = &case.w;
    case.bo.ask_until(From::Gran, 0, Ok(()));
    case.ada.interrupt();
    case.bo.ask(From::Gran, 1).unwrap();
    let released = log(w, "gran", "released");
    assert_eq!(released.len(), 2);
    assert!(released.iter().all(|line| line["grant"] == *case.grant));
    assert!(log(w, "ada", "released").is_empty());

    let listed = &w.json("ada", &["agent", "list", &case.grant[..8]])[0];
    assert_eq!(
        (&listed["opens_allowed"], &listed["opens_reported"]),
        (&3.into(), &0.into())
    );
    let heard = sync(w);
    assert_eq!(heard["agent"], "gran");
    assert_eq!(
        (&heard["requests"], &heard["opens"]),
        (&2.into(), &2.into())
    );
    assert_eq!(heard["opens_left"], 1);
    assert_eq!(sync(w)["requests"], 0, "nothing comes twice");
    let released = log(w, "ada", "released");
    assert_eq!(released.len(), 2);
    for line in &released {
        assert_eq!(line["via"]["agent_name"], "gran");
        assert_eq!(line["reader_name"], "bo");
    }
    case.bo.ask(From::Gran, 2).unwrap();
    case.bo.ask(From::Gran, 3).unwrap_err();
    // the node does it by itself
    let _ada = Serving::start(w, "ada");
    let begun = Instant::now();
    while log(w, "ada", "released").len() < 3 {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(log(w, "ada", "denied")[0]["reason"], "no-opens-left");
    healthy(w, "ada");
    healthy(w, "gran");
}

#[test]
fn nobody_gives_more_than_was_agreed_though_they_do_not_hear_of_each_other() {
    let mut case = case(5, 3);
    case.ready();
    let mut given = (1, 0);
    let mut refused = BTreeSet::new();
    for place in [1, 2, 3, 4, 5, 1, 2, 3] {
        match case.bo.ask(From::Gran, place) {
            Ok(()) => given.0 += 1,
            Err(why) => drop(refused.insert(why)),
        }
        match case.bo.ask(From::Ada, place) {
            Ok(()) => given.1 += 1,
            Err(why) => drop(refused.insert(why)),
        }
    }
    assert_eq!(given, (3, 2));
    assert_eq!(refused.into_iter().collect::<Vec<_>>(), ["no-opens-left"]);
    // once it is settled, the sum is still what was agreed
    case.w
        .ok("ada", &["agent", "remove", "gran", &case.grant, "--yes"]);
    let listed = &case.w.json("ada", &["agent", "list"])[0];
    assert_eq!(listed["state"], "closed");
    assert_eq!(listed["opens_reported"], 3);
    assert_eq!(case.bo.ask(From::Ada, 4).unwrap_err(), "no-opens-left");
    assert_eq!(log(&case.w, "ada", "released").len(), 5);
}

#[test]
fn what_an_agent_did_not_give_comes_back_when_it_is_removed() {
    let mut case = case(2, 2);
    case.ready();
    assert_eq!(case.bo.ask(From::Ada, 1).unwrap_err(), "no-opens-left");
    let arguments = ["agent", "remove", "gran", &case.grant, "--yes"];
    let removed = &case.w.json("ada", &arguments)[0];
    assert_eq!(
        (&removed["closed"], &removed["requests"]),
        (&true.into(), &1.into())
    );
    case.bo.ask(From::Ada, 1).unwrap();
    assert_eq!(case.bo.ask(From::Ada, 2).unwrap_err(), "no-opens-left");
    let after = case.bo.ask(From::Gran, 2).unwrap_err();
    assert!(["withdrawn", "NotHere"].contains(&&*after), "{after}");
}

#[test]
fn a_revocation_that_the_agent_hears_of_ends_it_at_once() {
    let mut case = case(5, 3);
    case.ready();
    case.ada.interrupt(); // so the agent cannot see a new head
    let arguments = ["revoke", &case.grant, "--stop-only", "--yes"];
    case.w.ok("ada", &arguments);
    for place in 0..6 {
        assert_eq!(case.bo.ask(From::Gran, place).unwrap_err(), "withdrawn");
    }
    let receipt = last_receipt(&case.w);
    assert!(receipt.agents[0].closed);
    assert_eq!((receipt.opened, receipt.could_have_opened), (Some(1), 1));
    assert_eq!(receipt.never_delivered, 5);
}

#[test]
fn a_revocation_that_it_does_not_hear_of_holds_from_the_next_head_and_the_receipt_says_so() {
    let mut case = case(5, 3);
    case.ready();
    case.gran.kill();
    case.ada.interrupt();
    let ran = case
        .w
        .run("ada", &["revoke", &case.grant, "--stop-only", "--yes"]);
    assert!([0, 4].contains(&ran.code), "{}", ran.err);
    assert!(ran.err.contains("gran has not confirmed"), "{}", ran.err);
    let receipt = last_receipt(&case.w);
    assert!(!receipt.agents[0].closed);
    assert_eq!(receipt.opened, Some(0), "nothing was reported yet");
    assert_eq!((receipt.could_have_opened, receipt.never_delivered), (3, 3));

    // the agent knows the last head only
    let _gran = Serving::start(&case.w, "gran");
    case.bo.ask(From::Gran, 1).unwrap();
    let _ada = Serving::start(&case.w, "ada");
    let synced = case.w.run("gran", &["inbox", "sync"]);
    assert_eq!(synced.code, 8, "{}", synced.err);
    std::thread::sleep(Duration::from_secs(3));
    case.bo.ask(From::Gran, 2).unwrap_err();
    // Ada's node has asked the agent already, or does so now
    case.w.run("ada", &["agent", "sync"]);
    let listed = &case.w.json("ada", &["agent", "list"])[0];
    assert_eq!(
        (&listed["state"], &listed["opens_reported"]),
        (&"closed".into(), &2.into())
    );
    assert_eq!(log(&case.w, "ada", "released").len(), 2);
}

#[test]
fn removed_while_it_cannot_be_reached_it_says_what_may_still_come() {
    let mut case = case(5, 3);
    case.ready();
    case.gran.kill();
    let arguments = ["agent", "remove", "gran", &case.grant, "--yes"];
    let ran = case.w.run("ada", &arguments);
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.err.contains("up to 3 opens"), "{}", ran.err);
    let listed = &case.w.json("ada", &["agent", "list"])[0];
    assert_eq!(listed["state"], "withdrawn, not confirmed");
    // what it may give stays set aside
    case.bo.ask(From::Ada, 1).unwrap();
    case.bo.ask(From::Ada, 2).unwrap();
    assert_eq!(case.bo.ask(From::Ada, 3).unwrap_err(), "no-opens-left");
    let _gran = Serving::start(&case.w, "gran");
    let heard = sync(&case.w);
    assert_eq!(
        (&heard["closed"], &heard["opens"]),
        (&true.into(), &1.into())
    );
    case.bo.ask(From::Ada, 3).unwrap();
    case.bo.ask(From::Ada, 4).unwrap();
    assert_eq!(case.bo.ask(From::Ada, 5).unwrap_err(), "no-opens-left");
}

#[test]
fn an_agent_that_was_killed_goes_on_where_it_was_though_the_patient_is_offline() {
    let mut case = case(5, 3);
    case.ready();
    case.ada.interrupt();
    for place in [1, 2] {
        case.gran.kill();
        case.gran = Serving::start(&case.w, "gran");
        case.bo.ask(From::Gran, place).unwrap();
    }
    case.gran.kill();
    case.gran = Serving::start(&case.w, "gran");
    assert_eq!(case.bo.ask(From::Gran, 3).unwrap_err(), "no-opens-left");
    assert_eq!(sync(&case.w)["opens"], 3);
    healthy(&case.w, "gran");
}

#[test]
fn a_certificate_ends_by_itself() {
    let mut case = case_for(5, 3, Duration::from_secs(15));
    case.ready();
    let late = case.end.saturating_sub(now()) + 1;
    std::thread::sleep(Duration::from_secs(late));
    assert_eq!(case.bo.ask(From::Gran, 1).unwrap_err(), "withdrawn");
    // told that it is over, it comes to an end for good
    assert_eq!(sync(&case.w)["closed"], true);
    case.bo.sync(&case.w);
    for place in [1, 2, 3, 4] {
        case.bo.ask(From::Ada, place).unwrap();
    }
    assert_eq!(case.bo.ask(From::Ada, 5).unwrap_err(), "no-opens-left");
}
