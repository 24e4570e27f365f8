//! Tickets that do not give anything.

use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::people::*;
use crate::serving::Serving;
use crate::world::{Ran, World};

#[test]
fn a_ticket_is_of_use_to_its_reader_alone_and_only_whole() {
    let w = ada_and_bo();
    let eve = w.run("eve", &["init", "--name", "eve", "--work-factor", "10"]);
    assert_eq!(eve.code, 0, "{}", eve.err);
    let _serving = Serving::start(&w, "ada");
    let (_, ticket) = share_lab(&w, "ticket");
    let ran = refused(&w, "eve", &["inbox", "accept", &ticket], 8);
    assert!(ran.err.contains("--card"), "{}", ran.err);
    refused(&w, "ada", &["inbox", "accept", &ticket], 8);

    let text = std::fs::read_to_string(&ticket).unwrap().trim().to_owned();
    let start = text.find(':').unwrap() + 1;
    for at in [start, start + 40, text.len() / 2, text.len() - 9] {
        let mut letters: Vec<char> = text.chars().collect();
        letters[at] = if letters[at] == 'b' { 'c' } else { 'b' };
        let damaged: String = letters.into_iter().collect();
        let ran = w.run("bo", &["inbox", "accept", &damaged]);
        assert!([1, 8, 9].contains(&ran.code), "{at}: {}", ran.err);
        assert!(ran.err.contains("hint:"), "{at}: {}", ran.err);
    }
    for cut in [&text[..text.len() / 2], &text[..text.len() - 1]] {
        let ran = w.run("bo", &["inbox", "accept", cut]);
        assert!([1, 9].contains(&ran.code), "{}", ran.err);
    }
    let file = w.file("letter.txt", "Dear Bo, here is my ticket.");
    refused(&w, "bo", &["inbox", "accept", &file], 1);
    refused(&w, "bo", &["inbox", "accept", "no-such-file"], 3);
    for who in ["bo", "eve"] {
        assert!(w.json(who, &["inbox", "list"]).is_empty());
    }
    w.ok("bo", &["inbox", "accept", &text]);
    assert_eq!(seen(&w).len(), 2);
}

#[test]
fn the_ticket_of_a_grant_that_was_taken_back() {
    let w = ada_and_bo();
    let _serving = Serving::start(&w, "ada");
    let (grant, ticket) = share_lab(&w, "ticket");
    w.ok("ada", &["revoke", &grant, "--yes"]);
    refused(&w, "bo", &["inbox", "accept", &ticket], 8);
    refused(&w, "bo", &["inbox", "sync"], 8);
    refused(&w, "bo", &["record", "list", "--from", "ada"], 8);
}

#[test]
fn a_ticket_from_before_the_node_ever_ran() {
    let w = ada_and_bo();
    let (grant, ticket) = share_lab(&w, "ticket");
    let ran = refused(&w, "bo", &["inbox", "accept", &ticket], 7);
    assert!(ran.err.contains("grant ticket"), "{}", ran.err);
    let _serving = Serving::start(&w, "ada");
    refused(&w, "bo", &["inbox", "sync"], 7);
    let fresh = w.ok("ada", &["grant", "ticket", &grant]);
    w.ok("bo", &["inbox", "accept", fresh.trim()]);
    assert_eq!(seen(&w).len(), 2);
}

#[test]
fn a_grant_ends_by_itself() {
    let w = ada_and_bo();
    let _serving = Serving::start(&w, "ada");
    // the end of today, where today is about to end
    let left = 20;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let end = now + Duration::from_secs(left);
    let today = jiff::Timestamp::from_second(now.as_secs() as i64).unwrap();
    let today = today.to_string()[..10].to_owned();
    let ahead = 86_400 - (now.as_secs() + left) % 86_400;
    let zone = format!(
        "AAA-{:02}:{:02}:{:02}",
        ahead / 3600,
        ahead / 60 % 60,
        ahead % 60
    );
    let ran = in_zone(
        &w,
        &zone,
        &[
            "share",
            "--with",
            "bo",
            "--category",
            "lab",
            "--expires",
            &today,
            "-o",
            "ticket",
        ],
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ticket = w.path("ticket").to_str().unwrap().to_owned();
    let accepted = w.run("bo", &["inbox", "accept", &ticket]);
    assert_eq!(accepted.code, 0, "{}", accepted.err);
    let before = seen(&w);
    assert_eq!(before.len(), 2);
    let id = before.first().unwrap();
    get(&w, "bo", id);

    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    std::thread::sleep((end + Duration::from_secs(2)).saturating_sub(now));
    refused(&w, "bo", &["record", "list", "--from", "ada"], 8);
    unreadable(&w, id);
    refused(&w, "bo", &["inbox", "sync"], 8);
    refused(&w, "bo", &["inbox", "accept", &ticket], 8);
    assert_eq!(w.json("ada", &["grant", "list"])[0]["status"], "expired");
    let after = add(&w, "ada", "after.json", lab("eeeee"));
    refused(&w, "bo", &["inbox", "sync"], 8);
    unreadable(&w, &after);
}

fn in_zone(w: &World, zone: &str, arguments: &[&str]) -> Ran {
    let mut command = w.command("ada", arguments);
    command.env("TZ", zone).stdin(Stdio::null());
    Ran::new(command.output().unwrap())
}
