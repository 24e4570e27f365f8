//! Access on request, with either side killed in the middle, and with many who ask at once.

use std::process::Stdio;
use std::time::Instant;

use super::{agreed, count, offer, open};
use crate::people::*;
use crate::serving::Serving;
use crate::world::{Ran, World};

#[test]
fn a_node_is_killed_and_comes_back() {
    let (w, serving, _) = agreed(&["--max-opens", "2"]);
    let id = seen(&w).into_iter().next().unwrap();
    serving.kill();
    let ran = refused(&w, "bo", &["record", "get", &id, "--from", "ada"], 7);
    assert!(ran.err.contains("no open is used"), "{}", ran.err);
    let serving = Serving::start(&w, "ada");
    assert_eq!(open(&w, &id).code, 0);
    serving.kill();
    let _serving = Serving::start(&w, "ada");
    assert_eq!(open(&w, &id).code, 0);
    assert_eq!(open(&w, &id).code, 8);
    assert_eq!((count(&w, "released"), count(&w, "receipted")), (2, 2));
    healthy(&w, "ada");
}

#[test]
fn a_node_is_killed_while_it_is_asked() {
    let (w, mut serving, _) = agreed(&[]);
    let ids: Vec<String> = seen(&w).into_iter().collect();
    let begun = Instant::now();
    assert_eq!(open(&w, &ids[0]).code, 0);
    let whole = begun.elapsed();
    let mut opened = 1;
    for round in 0..6 {
        let mut command = w.command("bo", &["record", "get", &ids[0], "--from", "ada"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(f64::from(round + 1) / 7.0));
        serving.kill();
        serving = Serving::start(&w, "ada");
        let output = child.wait_with_output();
        let output = output.unwrap();
        opened += usize::from(output.status.success());
        child_said_why(&output);
    }
    // a key never came without its entry, and nothing is broken
    assert!(count(&w, "released") >= opened, "{opened}");
    assert!(count(&w, "receipted") <= count(&w, "released"));
    assert_eq!(open(&w, &ids[1]).code, 0);
    healthy(&w, "ada");
}

fn child_said_why(output: &std::process::Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || said.contains("error:"), "{said}");
}

#[test]
fn a_provider_is_killed_while_asking() {
    let (w, _serving, _) = agreed(&[]);
    let id = seen(&w).into_iter().next().unwrap();
    let begun = Instant::now();
    assert_eq!(open(&w, &id).code, 0);
    let whole = begun.elapsed();
    for round in 0..8 {
        let mut command = w.command("bo", &["record", "get", &id, "--from", "ada"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(f64::from(round + 1) / 9.0));
        // our own child; it may have ended by itself
        let _ = child.kill();
        child.wait().unwrap();
    }
    assert_eq!(open(&w, &id).code, 0);
    let released = count(&w, "released");
    let opens = w.json("ada", &["grant", "list"])[0]["agreement"]["opens"].clone();
    assert_eq!(opens, released, "each is counted once");
    // a proof is kept before content is shown, and every proof is of an entry
    let proofs = w.json("bo", &["agreement", "proofs"]).len();
    assert!(proofs <= released && proofs >= 2, "{proofs} of {released}");
    w.ok("ada", &["audit", "verify"]);
}

#[test]
fn ten_ask_at_once_and_one_open_is_left() {
    let (w, _serving, _) = agreed(&["--max-opens", "1"]);
    let ids: Vec<String> = seen(&w).into_iter().collect();
    let asking: Vec<_> = (0..10)
        .map(|n| {
            let id = &ids[n % ids.len()];
            let mut command = w.command("bo", &["record", "get", id, "--from", "ada"]);
            command.stdin(Stdio::null()).stdout(Stdio::piped());
            command.stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut codes: Vec<(i32, String)> = asking
        .into_iter()
        .map(|child| Ran::new(child.wait_with_output().unwrap()))
        .map(|ran| (ran.code, ran.err))
        .collect();
    codes.sort();
    let [first, rest @ ..] = &codes[..] else {
        panic!()
    };
    assert_eq!(first.0, 0, "{codes:?}");
    assert!(rest.iter().all(|(code, _)| *code == 8), "{rest:?}");
    assert_eq!((count(&w, "released"), count(&w, "denied")), (1, 9));
    w.ok("ada", &["audit", "verify"]);
}

/// Every key that is given out makes a new head and deletes blocks of the one before.
#[test]
fn heads_are_replaced_while_they_are_read() {
    let w = World::of(&["ada", "bo", "cy"]);
    let file = w.file("first.json", crate::world::bundle(&[lab("a"), lab("bb")]));
    w.ok("ada", &["record", "add", &file]);
    w.introduce("ada", "bo");
    w.introduce("ada", "cy");
    let _serving = Serving::start(&w, "ada");
    for who in ["bo", "cy"] {
        let (grant, ticket) = offer(&w, who, &[], &format!("ticket-{who}"));
        w.ok(who, &["inbox", "accept", &ticket]);
        w.ok(who, &["agreement", "accept", &grant]);
    }
    w.ok("bo", &["inbox", "sync"]);
    let id = seen(&w).into_iter().next().unwrap();
    std::thread::scope(|scope| {
        let (world, record) = (&w, &id);
        let reading = scope.spawn(move || {
            for _ in 0..15 {
                world.ok("bo", &["record", "get", record, "--from", "ada"]);
            }
        });
        while !reading.is_finished() {
            let ran = w.run("cy", &["inbox", "sync"]);
            assert_eq!(ran.code, 0, "{}", ran.err);
        }
        reading.join().unwrap();
    });
    assert_eq!((count(&w, "released"), count(&w, "receipted")), (15, 15));
}
