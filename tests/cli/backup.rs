//! Backups, and grants in files.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use vault_core::{BlockStore as _, CarStore, Cid, Codec};

use crate::world::{Ran, World, bundle, observation, snapshot};

const MIB: usize = 1 << 20;

fn lab(id: &str) -> String {
    observation(id, "laboratory", None)
}

/// Adds one file; its record's id.
fn add(w: &World, who: &str, name: &str, content: impl AsRef<[u8]>) -> String {
    let file = w.file(name, content);
    let added = &w.json(who, &["record", "add", &file])[0];
    added["records"][0].as_str().unwrap().to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Writes a backup; its bytes.
fn backup(w: &World, who: &str, name: &str) -> Vec<u8> {
    w.ok(who, &["backup", text(&w.path(name)), "--force"]);
    std::fs::read(w.path(name)).unwrap()
}

/// A copy of a home, as it is now.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &target),
            false => drop(std::fs::copy(path, target).unwrap()),
        }
    }
}

/// The blocks of a home, sorted.
fn blocks(w: &World, who: &str, folder: &str) -> Vec<Cid> {
    let store = CarStore::open(&w.path(who).join(folder)).unwrap();
    let mut blocks = store.list().unwrap();
    blocks.sort();
    blocks
}

/// A command that must fail with this code and say what to do.
fn refused(w: &World, who: &str, arguments: &[&str], code: i32) -> Ran {
    let ran = w.run(who, arguments);
    assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains("hint:"), "{}", ran.err);
    ran
}

fn healthy(w: &World, who: &str) {
    for check in w.json(who, &["doctor", "--deep"]) {
        assert_ne!(check["verdict"], "fail", "{check}");
    }
}

/// Ada with her words in a file, and some records.
fn ada() -> World {
    let w = World::new();
    let words = w.path("words");
    let init = ["init", "--name", "Ada", "--work-factor", "10"];
    w.ok("ada", &[&init[..], &["--words-out", text(&words)]].concat());
    let file = w.file("b.json", bundle(&[lab("a"), lab("bb")]));
    w.ok("ada", &["record", "add", &file]);
    add(&w, "ada", "scan.bin", vec![7; 700_000]);
    w
}

#[test]
fn a_backup_is_whole_and_the_same_in_a_file_and_in_a_pipe() {
    let w = ada();
    let path = w.path("a.car");
    let told = &w.json("ada", &["backup", text(&path)])[0];
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(told["bytes"], bytes.len());
    assert_eq!(told["blocks"], blocks(&w, "ada", "blocks").len());
    assert_eq!(refused(&w, "ada", &["backup", text(&path)], 1).out, "");
    let out = std::fs::File::create(w.path("piped.car")).unwrap();
    let ran = w.run_into("ada", &["backup", "-", "--json"], out);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(std::fs::read(w.path("piped.car")).unwrap() == bytes);
    let summary: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(summary["root"], told["root"]);
}

#[test]
fn the_words_and_a_backup_from_a_pipe_are_enough() {
    let w = ada();
    let bytes = backup(&w, "ada", "a.car");
    let before = w.json("ada", &["record", "list"]);
    let path = w.path("a.car");
    let ran = refused(&w, "new", &["restore", text(&path)], 6);
    assert!(ran.err.contains("init --recover --blocks"), "{}", ran.err);
    let words = w.path("words");
    let recover = ["init", "--recover", "--work-factor", "10", "--blocks", "-"];
    let both = [&recover[..], &["--words-file", "-"]].concat();
    assert_eq!(w.pipe("new", &both, &[]).code, 2);
    let all = [&recover[..], &["--words-file", text(&words)]].concat();
    let ran = w.pipe("new", &all, &bytes);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(w.json("new", &["record", "list"]), before);
    healthy(&w, "new");
}

#[test]
fn lost_blocks_come_back_from_a_file_and_from_a_pipe() {
    let w = ada();
    let bytes = backup(&w, "ada", "a.car");
    let path = w.path("a.car");
    let all = blocks(&w, "ada", "blocks");
    for (round, lost) in [(0, &all[..3]), (1, &all[..])] {
        let store = CarStore::open(&w.path("ada").join("blocks")).unwrap();
        store.remove(lost).unwrap();
        drop(store);
        let ran = match round {
            0 => w.run("ada", &["restore", text(&path), "--json"]),
            _ => w.pipe("ada", &["restore", "-", "--json"], &bytes),
        };
        assert_eq!(ran.code, 0, "{}", ran.err);
        let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(told["restored"], lost.len());
        assert_eq!(told["present"], all.len() - lost.len());
        assert_eq!(blocks(&w, "ada", "blocks"), all);
        healthy(&w, "ada");
    }
}

#[test]
fn a_bad_backup_changes_nothing() {
    let w = ada();
    let older = backup(&w, "ada", "older.car");
    copy(&w.path("ada"), &w.path("behind"));
    let id = add(&w, "ada", "late.bin", vec![9; 300_000]);
    let newer = backup(&w, "ada", "newer.car");
    let other = World::of(&["bo"]);
    let foreign = backup(&other, "bo", "bo.car");

    // over a home that is newer, or another's: not even a byte
    let before = snapshot(&w.path("ada"));
    let path = w.file("bad.car", &older);
    let ran = refused(&w, "ada", &["restore", &path], 9);
    assert!(ran.err.contains("OLDER"), "{}", ran.err);
    let path = w.file("bad.car", &foreign);
    refused(&w, "ada", &["restore", &path], 5);
    let path = w.file("bad.car", b"hello");
    refused(&w, "ada", &["restore", &path], 9);
    let path = w.file("bad.car", std::fs::read(w.path("pass")).unwrap());
    assert_ne!(w.run("ada", &["restore", &path]).code, 0);
    assert!(snapshot(&w.path("ada")) == before);

    // cut off and altered ones, over a home that was left behind
    let had = (
        blocks(&w, "behind", "blocks"),
        w.json("behind", &["status"]),
    );
    // in a block that it does not have: what is there already is not missed
    let all = blocks(&w, "ada", "blocks");
    let is_fresh = |cid: &&Cid| cid.codec() == Codec::Raw && !had.0.contains(cid);
    let fresh = all.iter().rfind(is_fresh).unwrap();
    let name = fresh.to_bytes();
    let at = newer
        .windows(name.len())
        .rposition(|bytes| bytes == name)
        .unwrap();
    let mut flipped = newer.clone();
    flipped[at + 100] ^= 1;
    for bad in [&newer[..at + 20], &newer[..at + 100], &flipped] {
        let path = w.file("bad.car", bad);
        refused(&w, "behind", &["restore", &path], 9);
        let has = (
            blocks(&w, "behind", "blocks"),
            w.json("behind", &["status"]),
        );
        assert_eq!(has, had);
    }
    // over the home that it is of, they repair what they can
    let path = w.file("bad.car", &flipped);
    assert_eq!(w.run("ada", &["restore", &path]).code, 4);

    let path = w.file("good.car", &newer);
    w.ok("behind", &["restore", &path]);
    healthy(&w, "behind");
    let list = w.json("behind", &["record", "list"]);
    assert!(list.iter().any(|line| line["record"] == id.as_str()));
}

/// Starts a restore from a pipe.
fn start(w: &World, who: &str) -> Child {
    let mut command = w.command(who, &["restore", "-", "--json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_restore_that_is_killed_goes_on_where_it_was() {
    let w = ada();
    copy(&w.path("ada"), &w.path("behind"));
    add(&w, "ada", "large.bin", vec![3; 24 * MIB]);
    let bytes = backup(&w, "ada", "a.car");
    let had = w.json("behind", &["status"]);
    let mut child = start(&w, "behind");
    // all of this but a pipe's length has been read when it is written
    let mut input = child.stdin.take().unwrap();
    input.write_all(&bytes[..14 * MIB]).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(w.json("behind", &["status"]), had);
    let path = w.path("a.car");
    let told = &w.json("behind", &["restore", text(&path)])[0];
    assert!(told["present"].as_u64().unwrap() > 20, "{told}");
    assert!(told["restored"].as_u64().unwrap() > 20, "{told}");
    assert_eq!(blocks(&w, "behind", "blocks"), {
        let mut both = blocks(&w, "ada", "blocks");
        both.extend(blocks(&w, "behind", "blocks"));
        both.sort();
        both.dedup();
        both
    });
    healthy(&w, "behind");
    assert_eq!(
        w.json("behind", &["record", "list"]),
        w.json("ada", &["record", "list"])
    );
}

/// The most memory that a process has used, in bytes, once it has ended.
#[cfg(target_os = "linux")]
fn peak(mut child: Child) -> u64 {
    let path = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        peak = number.map_or(peak, |kib| kib << 10);
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    peak
}

#[cfg(target_os = "linux")]
#[test]
fn memory_stays_small_whatever_the_size() {
    let w = ada();
    copy(&w.path("ada"), &w.path("behind"));
    let run = |who: &str, arguments: &[&str]| {
        let mut command = w.command(who, arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        peak(command.spawn().unwrap())
    };
    let baseline = run("ada", &["status"]);
    add(&w, "ada", "large.bin", vec![3; 100 * MIB]);
    let path = w.path("large.car");
    let backup = run("ada", &["backup", text(&path)]);
    let restore = run("behind", &["restore", text(&path)]);
    println!("baseline {baseline}, backup {backup}, restore {restore}");
    assert!(path.metadata().unwrap().len() > 100 * MIB as u64);
    let bound = baseline + 64 * MIB as u64;
    assert!(
        baseline > 0 && backup < bound && restore < bound,
        "{backup} {restore}"
    );
    healthy(&w, "behind");
}

/// Ada shares her laboratory results with Bo and Cy. The grant.
fn clinic() -> (World, String) {
    let w = World::of(&["ada", "bo", "cy"]);
    let file = w.file(
        "b.json",
        bundle(&[lab("a"), lab("bb"), observation("c", "vital-signs", None)]),
    );
    w.ok("ada", &["record", "add", &file]);
    w.introduce("ada", "bo");
    w.introduce("ada", "cy");
    let share = ["share", "--with", "bo", "--with", "cy", "--category", "lab"];
    let shared = &w.json("ada", &share)[0];
    let grant = shared["grant"].as_str().unwrap().to_owned();
    (w, grant)
}

/// Ada writes the grant into a file for somebody.
fn export(w: &World, grant: &str, to: &str, name: &str) -> String {
    let path = w.path(name);
    w.ok(
        "ada",
        &["grant", "export", grant, "--to", to, "-o", text(&path)],
    );
    text(&path).to_owned()
}

#[test]
fn a_grant_travels_on_a_stick() {
    let (w, grant) = clinic();
    let stick = w.path("x.car");
    refused(
        &w,
        "ada",
        &["grant", "export", &grant, "-o", text(&stick)],
        2,
    );
    let first = export(&w, &grant, "bo", "first.car");
    let ran = refused(&w, "bo", &["inbox", "sync", "--file", &first], 3);
    assert!(ran.err.contains("inbox accept"), "{}", ran.err);
    let told = &w.json("bo", &["inbox", "accept", &first])[0];
    assert_eq!(
        (&told["records"], &told["name"]),
        (&2.into(), &"ada".into())
    );
    let seen = || w.json("bo", &["record", "list", "--from", "ada"]);
    assert_eq!(seen().len(), 2);
    for line in seen() {
        let id = line["record"].as_str().unwrap();
        let content = w.ok("bo", &["record", "get", id, "-o", "-"]);
        assert!(content.contains("Observation"), "{content}");
    }

    // a newer one, with a long record
    let scan = add(&w, "ada", "more.json", bundle(&[lab("dddd")]));
    let second = export(&w, &grant, "bo", "second.car");
    let third = std::fs::read(&second).unwrap();
    let had = (blocks(&w, "bo", "cache"), w.json("bo", &["inbox", "list"]));
    for bad in [&third[..third.len() / 2], &third[..third.len() - 1]] {
        let path = w.file("bad.car", bad);
        refused(&w, "bo", &["inbox", "sync", "--file", &path], 9);
        let has = (blocks(&w, "bo", "cache"), w.json("bo", &["inbox", "list"]));
        assert_eq!(has, had);
    }
    let ran = w.pipe("bo", &["inbox", "sync", "--file", "-"], &third);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(seen().len(), 3);
    w.ok("bo", &["record", "get", &scan, "-o", "-"]);

    // the old one again, and one for somebody else
    let had = (blocks(&w, "bo", "cache"), w.json("bo", &["inbox", "list"]));
    for command in [&["inbox", "accept"][..], &["inbox", "sync", "--file"]] {
        let ran = refused(&w, "bo", &[command, &[&first]].concat(), 9);
        assert!(ran.err.contains("OLDER"), "{}", ran.err);
    }
    assert_eq!(
        (blocks(&w, "bo", "cache"), w.json("bo", &["inbox", "list"])),
        had
    );
    refused(&w, "cy", &["inbox", "accept", &second], 8);
    assert!(blocks(&w, "cy", "cache").is_empty());
    assert!(w.json("cy", &["inbox", "list"]).is_empty());
    refused(&w, "cy", &["inbox", "accept", text(&backup_of(&w))], 1);
}

fn backup_of(w: &World) -> std::path::PathBuf {
    backup(w, "ada", "whole.car");
    w.path("whole.car")
}

#[test]
fn a_stick_joins_a_ticket_that_was_accepted_before() {
    let (w, grant) = clinic();
    let tickets = w.json("ada", &["grant", "ticket", &grant]);
    let ticket = tickets.iter().find(|line| line["reader"] == "cy").unwrap();
    let ticket = w.file("ticket", ticket["ticket"].as_str().unwrap());
    w.ok(
        "cy",
        &["inbox", "accept", &ticket, "--offline", "--name", "Ada A."],
    );
    let stick = export(&w, &grant, "cy", "cy.car");
    w.ok("cy", &["inbox", "sync", "--file", &stick]);
    assert_eq!(
        w.json("cy", &["record", "list", "--from", "Ada A."]).len(),
        2
    );
    w.ok("ada", &["revoke", &grant, "--yes"]);
    let path = w.path("late.car");
    let ran = w.run(
        "ada",
        &["grant", "export", &grant, "--to", "cy", "-o", text(&path)],
    );
    assert_eq!(ran.code, 8, "{}", ran.err);
    assert!(!path.exists());
}
