//! Results that come back: delivered to the running node, waiting there, taken or declined.

use crate::people::*;
use crate::serving::Serving;
use crate::world::{World, bundle};

/// Bo deposits one file to Ada, by the name she has in his inbox.
fn deposit(w: &World, name: &str, content: &str) -> crate::world::Ran {
    let file = w.file(name, content);
    w.run(
        "bo",
        &["deposit", &file, "--to", "ada", "--message", "your results"],
    )
}

#[test]
fn results_are_delivered_wait_and_are_taken() {
    let w = ada_and_bo();
    let serving = Serving::start(&w, "ada");
    let (_, ticket) = share_lab(&w, "ticket");
    w.ok("bo", &["inbox", "accept", &ticket]);
    // Ada has not said that Bo may deposit
    let refused = deposit(&w, "early.json", &bundle(&[lab("early")]));
    assert_eq!(refused.code, 8, "{}{}", refused.out, refused.err);
    assert!(w.json("ada", &["inbox", "list"]).is_empty());

    w.ok("ada", &["contact", "limit", "bo", "--deposits", "1MB"]);
    let sent = deposit(&w, "new.json", &bundle(&[lab("new"), lab("newer")]));
    assert_eq!(sent.code, 0, "{}{}", sent.out, sent.err);
    let waiting = w.json("ada", &["inbox", "list"]);
    let id = waiting.iter().find_map(|line| line["deposit"].as_str());
    let id = id.expect("a deposit waits").to_owned();
    let before = ids(&w, "ada", &[]).len();
    w.ok("ada", &["inbox", "show", &id]);
    w.ok("ada", &["inbox", "accept", &id]);
    assert_eq!(ids(&w, "ada", &[]).len(), before + 2);
    // the standing grant over laboratory results takes them in
    sync(&w);
    assert_eq!(seen(&w).len(), 4);

    let sent = deposit(&w, "third.json", &bundle(&[lab("third")]));
    assert_eq!(sent.code, 0, "{}{}", sent.out, sent.err);
    let waiting = w.json("ada", &["inbox", "list"]);
    let id = waiting
        .iter()
        .find_map(|line| line["deposit"].as_str())
        .unwrap();
    w.ok("ada", &["inbox", "decline", id]);
    assert_eq!(ids(&w, "ada", &[]).len(), before + 2);

    let log = w.json("ada", &["audit", "log", "--contact", "bo"]);
    let acts: Vec<&str> = log.iter().filter_map(|line| line["act"].as_str()).collect();
    let deposits: Vec<&str> = (acts.into_iter())
        .filter(|act| act.starts_with("deposit"))
        .collect();
    assert_eq!(
        deposits,
        [
            "deposit-limit",
            "deposited",
            "deposit-accepted",
            "deposited",
            "deposit-declined"
        ]
    );
    serving.interrupt();
    healthy(&w, "ada");
}

#[test]
fn a_deposit_over_the_quota_is_refused_and_leaves_nothing() {
    let w = ada_and_bo();
    let _serving = Serving::start(&w, "ada");
    let (_, ticket) = share_lab(&w, "ticket");
    w.ok("bo", &["inbox", "accept", &ticket]);
    w.ok("ada", &["contact", "limit", "bo", "--deposits", "100kB"]);
    let large = "x".repeat(300_000);
    let refused = deposit(&w, "large.txt", &large);
    assert_eq!(refused.code, 8, "{}{}", refused.out, refused.err);
    assert!(w.json("ada", &["inbox", "list"]).is_empty());
    let small = deposit(&w, "small.json", &bundle(&[lab("small")]));
    assert_eq!(small.code, 0, "{}{}", small.out, small.err);
}

#[test]
fn the_node_is_killed_while_a_deposit_comes_in() {
    let w = ada_and_bo();
    let serving = Serving::start(&w, "ada");
    let (_, ticket) = share_lab(&w, "ticket");
    w.ok("bo", &["inbox", "accept", &ticket]);
    w.ok("ada", &["contact", "limit", "bo", "--deposits", "500MB"]);
    let file = w.file("large.txt", "y".repeat(60 << 20));
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| w.run("bo", &["deposit", &file, "--to", "ada"]));
        std::thread::sleep(std::time::Duration::from_millis(1500));
        serving.kill();
        let sent = sending.join().unwrap();
        let waiting = w.json("ada", &["inbox", "list"]).len();
        // it came whole before the kill, or not at all
        assert_eq!(usize::from(sent.code == 0), waiting, "{}", sent.err);
    });
    let serving = Serving::start(&w, "ada");
    let again = deposit(&w, "small.json", &bundle(&[lab("small")]));
    assert_eq!(again.code, 0, "{}{}", again.out, again.err);
    serving.interrupt();
    healthy(&w, "ada");
}
