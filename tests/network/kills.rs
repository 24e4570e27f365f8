//! Commands that are killed without warning in the middle of their work.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::people::*;
use crate::reading::noise;
use crate::serving::Serving;
use crate::world::{World, bundle};

const MIB: usize = 1 << 20;

/// A file that takes a second or so to add, 200 MiB where the program is optimised.
const LARGE: usize = if cfg!(debug_assertions) {
    24 * MIB
} else {
    200 * MIB
};

/// Starts a command and kills it after `delay`. Whether the kill came before its end.
fn kill_after(w: &World, who: &str, arguments: &[&str], delay: Duration) -> bool {
    let mut command = w.command(who, arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(delay);
    // our own child; it may have ended by itself
    let _ = child.kill();
    child.wait().unwrap().signal().is_some()
}

/// A random moment for one of several rounds. The first come early, so that some kill is in time
/// even where the machine has become quicker meanwhile.
fn moment(whole: Duration, round: u32, rounds: u32) -> Duration {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).unwrap();
    let part = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
    let moment = whole.mul_f64(part * f64::from(round + 1) / f64::from(rounds));
    eprintln!("killed after {moment:?} of {whole:?}");
    moment
}

/// Bytes that the files of a folder take on the disk, without their holes.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap();
    let metas = entries.map(|entry| entry.unwrap().metadata().unwrap());
    metas.map(|meta| meta.blocks() * 512).sum()
}

#[test]
fn an_add_is_killed() {
    let w = World::of(&["ada"]);
    let mut content = noise(LARGE);
    let begun = Instant::now();
    let first = add(&w, "ada", "large.bin", &content);
    let whole = begun.elapsed();
    let (mut killed, mut count) = (0, 1);
    for round in 0..5 {
        content[0] = content[0].wrapping_add(1);
        let file = w.file("large.bin", &content);
        let moment = moment(whole, round, 5);
        killed += u32::from(kill_after(&w, "ada", &["record", "add", &file], moment));
        let now = ids(&w, "ada", &[]).len();
        assert!(now == count || now == count + 1, "{now} after {count}");
        healthy(&w, "ada");
        add(
            &w,
            "ada",
            &format!("{round}.json"),
            lab(&format!("r{round}")),
        );
        count = now + 1;
    }
    assert!(killed > 0, "no kill came in time");
    // the last one may have arrived, and is then known
    let file = w.path("large.bin");
    w.ok("ada", &["record", "add", file.to_str().unwrap()]);
    let large = w.json("ada", &["record", "list", "--kind", "Document"]);
    for line in &large {
        let id = line["record"].as_str().unwrap();
        let got = get(&w, "ada", id);
        assert!(got[1..] == content[1..], "{id}");
        assert!(id != first || got[0] == content[0].wrapping_sub(5));
    }
    healthy(&w, "ada");
    // what the killed ones left is gone
    let blocks = size(&w.path("ada").join("blocks"));
    assert!(blocks < (large.len() * LARGE + 8 * MIB) as u64, "{blocks}");
}

#[test]
fn a_revocation_is_killed() {
    let w = World::of(&["ada", "bo"]);
    w.introduce("ada", "bo");
    let content = noise(LARGE / 2);
    let large = add(&w, "ada", "large.bin", &content);
    let records: Vec<String> = (0..60).map(|n| lab(&format!("n{n}"))).collect();
    let file = w.file("small.json", bundle(&records));
    w.ok("ada", &["record", "add", &file]);
    let what = ["--category", "lab", large.as_str()];
    let (grant, _) = share(&w, &what, "ticket");
    let begun = Instant::now();
    w.ok("ada", &["revoke", &grant, "--yes"]);
    let whole = begun.elapsed();
    let mut killed = 0;
    for round in 0..3 {
        let (grant, _) = share(&w, &what, &format!("ticket{round}"));
        let revoke = ["revoke", grant.as_str(), "--yes"];
        killed += u32::from(kill_after(&w, "ada", &revoke, moment(whole, round, 3)));
        w.ok("ada", &["doctor", "--deep"]);
        add(&w, "ada", &format!("{round}.bin"), noise(1000));
        let shown = &w.json("ada", &["grant", "show", &grant])[0];
        match shown["status"].as_str().unwrap() {
            "active" => w.ok("ada", &revoke),
            "re-keying" => w.ok("ada", &["revoke", "--resume"]),
            _ => String::new(),
        };
        let shown = &w.json("ada", &["grant", "show", &grant])[0];
        assert_eq!(shown["status"], "revoked", "{shown}");
        assert_eq!(shown["receipts"].as_array().unwrap().len(), 1, "{shown}");
        healthy(&w, "ada");
    }
    assert!(killed > 0, "no kill came in time");
    assert!(get(&w, "ada", &large) == content);
    assert_eq!(ids(&w, "ada", &[]).len(), 64);
    let blocks = size(&w.path("ada").join("blocks"));
    assert!(blocks < (LARGE / 2 + 4 * MIB) as u64, "{blocks}");
}

#[test]
fn a_fetch_is_killed() {
    let w = ada_and_bo();
    let _serving = Serving::start(&w, "ada");
    let content = noise(LARGE / 2);
    let large = add(&w, "ada", "large.bin", &content);
    let (_, ticket) = share(&w, &["--category", "lab", &large], "ticket");
    w.ok("bo", &["inbox", "accept", &ticket, "--offline"]);
    let fetch = ["inbox", "sync", "--contents"];
    let mut killed = 0;
    for (round, delay) in (0..).zip([200, 400, 600, 1000, 1500]) {
        killed += u32::from(kill_after(
            &w,
            "bo",
            &fetch,
            moment(Duration::from_millis(delay), round, 5),
        ));
        healthy(&w, "bo");
    }
    assert!(killed > 0, "no kill came in time");
    w.ok("bo", &fetch);
    assert_eq!(seen(&w).len(), 3);
    assert!(get(&w, "bo", &large) == content);
    // everything was kept once
    let cache = size(&w.path("bo").join("cache"));
    assert!(cache < (LARGE / 2 + 2 * MIB) as u64, "{cache}");
}
