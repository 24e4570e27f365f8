//! What Ada shares reaches Bo, as long as she shares it, whenever her node is there.

use std::time::{Duration, Instant};

use crate::people::*;
use crate::serving::{Serving, addresses};
use crate::world::observation;

#[test]
fn a_grant_is_read_followed_and_taken_back() {
    let w = ada_and_bo();
    let serving = Serving::start(&w, "ada");
    let (grant, ticket) = share_lab(&w, "ticket");
    let accepted = &w.json("bo", &["inbox", "accept", &ticket])[0];
    assert_eq!(accepted["records"], 2, "{accepted}");
    let first = seen(&w);
    assert_eq!(first.len(), 2);
    for id in &first {
        assert_eq!(get(&w, "bo", id), get(&w, "ada", id));
    }
    let content = get(&w, "bo", first.first().unwrap());
    assert!([lab("a"), lab("bb")].contains(&String::from_utf8(content).unwrap()));
    let closed: Vec<String> = ids(&w, "ada", &[]).difference(&first).cloned().collect();
    assert_eq!(closed.len(), 2);

    let joined = add(&w, "ada", "new.json", lab("eeeee"));
    let other = add(
        &w,
        "ada",
        "v.json",
        observation("ffff", "vital-signs", None),
    );
    let synced = sync(&w);
    assert!(synced["head"].as_u64() > synced["head_before"].as_u64());
    assert_eq!(synced["records"], 3);
    assert_eq!(get(&w, "bo", &joined), lab("eeeee").as_bytes());
    for id in closed.iter().chain([&other]) {
        unreadable(&w, id);
    }
    let own = ids(&w, "bo", &[]);
    assert!(own.is_empty(), "what is shared is not one's own");

    let receipt = &w.json("ada", &["revoke", &grant, "--yes"])[0];
    assert_eq!(receipt["could_have_opened"], 3);
    let after = add(&w, "ada", "after.json", lab("ggggggg"));
    for _ in 0..2 {
        refused(&w, "bo", &["inbox", "sync"], 8);
        refused(&w, "bo", &["record", "list", "--from", "ada"], 8);
        unreadable(&w, &after);
    }
    healthy(&w, "ada");

    // a new grant is a new beginning
    let (_, ticket) = share_lab(&w, "ticket2");
    w.ok("bo", &["inbox", "accept", &ticket]);
    assert_eq!(seen(&w).len(), 4);
    assert_eq!(get(&w, "bo", &after), lab("ggggggg").as_bytes());
    serving.interrupt();
}

#[test]
fn both_sides_go_away_and_come_back() {
    let w = ada_and_bo();
    let mut serving = Serving::start(&w, "ada");
    let at = addresses(&w, "ada");
    let (_, ticket) = share_lab(&w, "ticket");
    w.ok("bo", &["inbox", "accept", &ticket]);
    for round in 0..3 {
        // twice with the same node of Ada's, each time with a new one of Bo's
        for half in ["x", "yy"] {
            let content = lab(&format!("{half}{round}"));
            let id = add(&w, "ada", &format!("{half}{round}.json"), &content);
            sync(&w);
            assert!(seen(&w).contains(&id), "round {round}");
            assert_eq!(get(&w, "bo", &id), content.as_bytes());
        }
        match round {
            1 => serving.interrupt(),
            _ => serving.kill(),
        }
        serving = Serving::start(&w, "ada");
        assert_eq!(addresses(&w, "ada"), at, "the ports of last time");
        assert_eq!(serving.event()["addrs"][0], at.0);
    }
    assert_eq!(sync(&w)["records"], 8);
}

#[test]
fn what_was_fetched_is_read_while_ada_is_away() {
    let w = ada_and_bo();
    let serving = Serving::start(&w, "ada");
    let long = noise(3 << 20);
    let long_id = add(&w, "ada", "scan.bin", &long);
    let (_, ticket) = share(&w, &["--category", "lab", &long_id[..12]], "ticket");
    w.ok("bo", &["inbox", "accept", &ticket]);
    w.ok("bo", &["inbox", "sync", "--contents"]);
    serving.interrupt();

    let begun = Instant::now();
    let ran = refused(&w, "bo", &["inbox", "sync"], 7);
    assert!(begun.elapsed() < Duration::from_secs(25));
    assert!(ran.err.contains("medvault serve"), "{}", ran.err);
    let begun = Instant::now();
    let all = seen(&w);
    assert_eq!(all.len(), 3);
    for id in &all {
        assert_eq!(get(&w, "bo", id), get(&w, "ada", id));
    }
    assert!(get(&w, "bo", &long_id) == long);
    assert!(
        begun.elapsed() < Duration::from_secs(40),
        "nobody is asked for what is there"
    );
}

/// Bytes that nothing compresses.
pub fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}
