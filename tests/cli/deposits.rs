//! Results that a laboratory sends into a patient's vault.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::world::{Ran, World, bundle, observation, snapshot};

/// Pat and a laboratory; the laboratory knows Pat.
fn people() -> World {
    let w = World::of(&["pat", "lab"]);
    w.introduce("lab", "pat");
    w
}

fn results(w: &World, name: &str, ids: &[&str]) -> String {
    let all: Vec<String> = ids
        .iter()
        .map(|id| observation(id, "laboratory", None))
        .collect();
    w.file(name, bundle(&all))
}

/// A command that must fail with this exit code; the error's code.
fn refused(w: &World, who: &str, arguments: &[&str], exit: i32) -> String {
    let all: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    let ran: Ran = w.run(who, &all);
    assert_eq!(ran.code, exit, "{arguments:?}: {}{}", ran.out, ran.err);
    assert!(ran.out.is_empty(), "{}", ran.out);
    let last = ran.err.lines().last().unwrap();
    let error: Value = serde_json::from_str(last).unwrap();
    assert!(error["error"]["hint"].is_string(), "{error}");
    error["error"]["code"].as_str().unwrap().to_owned()
}

/// Deposits that wait, as the list tells.
fn waiting(w: &World) -> Vec<Value> {
    let mut lines = w.json("pat", &["inbox", "list"]);
    lines.retain(|line| line["deposit"].is_string());
    lines
}

fn id(deposit: &Value) -> &str {
    deposit["deposit"].as_str().unwrap()
}

#[test]
fn a_deposit_as_a_file_is_looked_at_and_taken() {
    let w = people();
    let file = results(&w, "results.json", &["a", "bb"]);
    let scan: Vec<u8> = (0..2_000_000_u32)
        .map(|i| (i * 7 + i / 251) as u8)
        .collect();
    let scan = w.file("scan.bin", scan);
    let sent = &w.json(
        "lab",
        &[
            "deposit",
            &file,
            &scan,
            "--to",
            "pat",
            "-m",
            "your results",
            "-o",
            "d.car",
        ],
    )[0];
    assert_eq!(
        (sent["records"].as_u64(), sent["to"].as_str()),
        (Some(3), Some("pat"))
    );
    let parcel = std::fs::read(w.path("d.car")).unwrap();
    assert_eq!(sent["bytes"], parcel.len());

    // nobody knows the laboratory
    assert_eq!(
        refused(&w, "pat", &["inbox", "add", "d.car"], 8),
        "stranger"
    );
    let before = snapshot(&w.path("pat"));
    assert!(waiting(&w).is_empty());
    w.introduce("pat", "lab");
    let added = &w.json("pat", &["inbox", "add", "d.car"])[0];
    assert_eq!(added["deposit"], sent["deposit"]);
    assert_eq!(added["from"], "lab");
    assert_ne!(before, snapshot(&w.path("pat")));
    // twice is once
    assert_eq!(w.json("pat", &["inbox", "add", "d.car"])[0], *added);

    let listed = waiting(&w);
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["records"], 3);
    assert_eq!(listed[0]["message"], "your results");
    let table = w.ok("pat", &["inbox", "list"]);
    assert!(
        table.contains("lab") && table.contains("your results"),
        "{table}"
    );
    assert!(w.json("pat", &["record", "list"]).is_empty(), "quarantined");

    let short = &id(added)[..6];
    let shown = &w.json("pat", &["inbox", "show", short])[0];
    assert_eq!(
        (&shown["signature"], &shown["verified"]),
        (&"valid".into(), &true.into())
    );
    let titles: Vec<&str> = shown["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["title"].as_str().unwrap())
        .collect();
    assert_eq!(titles[..2], ["Test a", "Test bb"]);
    let text = w.ok("pat", &["inbox", "show", short]);
    assert!(
        text.contains("Test bb") && text.contains("verified"),
        "{text}"
    );

    let taken = &w.json("pat", &["inbox", "accept", short])[0];
    assert_eq!((&taken["added"], &taken["known"]), (&3.into(), &0.into()));
    let records = w.json("pat", &["record", "list"]);
    assert_eq!(records.len(), 3);
    let record = records
        .iter()
        .find(|record| record["title"] == "Test a")
        .unwrap();
    let content = w.ok(
        "pat",
        &[
            "record",
            "get",
            record["record"].as_str().unwrap(),
            "-o",
            "-",
        ],
    );
    assert_eq!(content, observation("a", "laboratory", None));
    assert!(waiting(&w).is_empty());
    w.ok("pat", &["audit", "verify"]);
    let acts: Vec<String> = w
        .json("pat", &["audit", "log"])
        .iter()
        .map(|entry| entry["act"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        acts[acts.len() - 3..],
        ["deposited", "published", "deposit-accepted"]
    );
    assert_eq!(
        refused(&w, "pat", &["inbox", "accept", short], 3),
        "not-found"
    );
    assert_eq!(
        refused(&w, "pat", &["inbox", "add", "d.car"], 1),
        "accepted-already"
    );
    // the laboratory has nothing of it but its own files
    assert!(w.json("lab", &["record", "list"]).is_empty());
    assert_ne!(w.run("lab", &["inbox", "add", "d.car"]).code, 0);
}

#[test]
fn a_followed_vault_is_deposited_to_and_grants_take_it_in() {
    let w = people();
    w.introduce("pat", "lab");
    w.ok(
        "pat",
        &[
            "share",
            "--with",
            "lab",
            "--category",
            "lab",
            "-o",
            "ticket",
        ],
    );
    let ticket = w.path("ticket").to_str().unwrap().to_owned();
    w.ok(
        "lab",
        &["inbox", "accept", &ticket, "--offline", "--name", "patient"],
    );
    let file = results(&w, "r.json", &["a"]);
    w.ok(
        "lab",
        &["deposit", &file, "--to", "patient", "--output", "d.car"],
    );
    let piped = w.path("d.car");
    let added = w.pipe(
        "pat",
        &["inbox", "add", "-", "--json"],
        &std::fs::read(piped).unwrap(),
    );
    assert_eq!(added.code, 0, "{}", added.err);
    let deposit = waiting(&w).remove(0);
    w.ok("pat", &["inbox", "accept", id(&deposit)]);
    let grant = w.json("pat", &["grant", "list"]).remove(0);
    assert_eq!(grant["versions"], 1, "{grant}");
    let log = w.ok("pat", &["audit", "log"]);
    assert!(log.contains("joined") || log.contains("lab"), "{log}");
}

#[test]
fn what_is_declined_is_gone() {
    let w = people();
    w.introduce("pat", "lab");
    let file = results(&w, "r.json", &["a"]);
    w.ok("lab", &["deposit", &file, "--to", "pat", "-o", "d.car"]);
    w.ok("pat", &["inbox", "add", "d.car"]);
    let deposit = waiting(&w).remove(0);
    w.ok("pat", &["inbox", "decline", &id(&deposit)[..8]]);
    assert!(waiting(&w).is_empty());
    let left: Vec<_> = std::fs::read_dir(w.path("pat/deposits"))
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert_eq!(left, ["list"]);
    assert!(w.json("pat", &["record", "list"]).is_empty());
    let last = w.json("pat", &["audit", "log"]).pop().unwrap();
    assert_eq!(last["act"], "deposit-declined");
    assert_eq!(
        refused(&w, "pat", &["inbox", "decline", id(&deposit)], 3),
        "not-found"
    );
}

#[test]
fn altered_and_foreign_deposits_change_nothing() {
    let w = people();
    w.introduce("pat", "lab");
    let eve = World::of(&["eve"]);
    let file = results(&w, "r.json", &["a", "bb"]);
    w.ok("lab", &["deposit", &file, "--to", "pat", "-o", "d.car"]);
    let parcel = std::fs::read(w.path("d.car")).unwrap();
    let before = snapshot(&w.path("pat/blocks"));
    for at in [0, 70, 300, 3000, parcel.len() / 2, parcel.len() - 1] {
        let mut altered = parcel.clone();
        altered[at] ^= 1;
        let path = w.file("altered.car", &altered);
        let ran = w.run("pat", &["inbox", "add", &path]);
        assert!([1, 3, 8, 9].contains(&ran.code), "byte {at}: {}", ran.err);
        assert!(ran.err.contains("error:"), "{}", ran.err);
    }
    let cut = w.file("cut.car", &parcel[..parcel.len() - 10]);
    assert_ne!(w.run("pat", &["inbox", "add", &cut]).code, 0);
    let text = w.file("text", "hello");
    assert_eq!(
        refused(&w, "pat", &["inbox", "add", &text], 1),
        "not-a-deposit"
    );
    assert_eq!(
        refused(&w, "pat", &["inbox", "add", "nothing"], 3),
        "no-such-file"
    );
    assert!(waiting(&w).is_empty());
    assert_eq!(before, snapshot(&w.path("pat/blocks")));
    let stolen = eve.file("d.car", &parcel);
    let code = refused(&eve, "eve", &["inbox", "add", &stolen], 8);
    assert_eq!(code, "deposit-for-someone-else");
}

#[test]
fn the_sender_is_warned_and_told() {
    let w = World::of(&["pat", "lab"]);
    let card = w.ok("pat", &["identity", "show", "--card", "-"]);
    let card = w.file("pat.card", card);
    w.ok("lab", &["contact", "add", "pat", &card]);
    let file = results(&w, "r.json", &["a"]);
    let to_pat = ["deposit", &file, "--to", "pat", "-o", "d.car"];
    assert_eq!(refused(&w, "lab", &to_pat, 8), "unverified");
    assert!(!w.path("d.car").exists());
    let nobody = ["deposit", &file, "--to", "nobody", "-o", "d.car"];
    assert_eq!(refused(&w, "lab", &nobody, 3), "no-recipient");
    // where the node of a mere contact is, nobody knows
    let by_itself = ["deposit", &file, "--to", "pat", "--yes"];
    assert_eq!(refused(&w, "lab", &by_itself, 2), "usage");

    let before = snapshot(&w.path("lab"));
    let dry = &w.json("lab", &["deposit", &file, "--to", "pat", "--dry-run"])[0];
    assert_eq!(
        (&dry["dry_run"], &dry["records"]),
        (&true.into(), &1.into())
    );
    assert_eq!(before, snapshot(&w.path("lab")));

    let sent = w.run("lab", &[&to_pat[..], &["--yes"]].concat());
    assert_eq!(sent.code, 0, "{}", sent.err);
    assert!(sent.err.contains("nobody has compared"), "{}", sent.err);
    let again = [&to_pat[..], &["--yes"]].concat();
    assert_eq!(refused(&w, "lab", &again, 1), "file-exists");
    let empty = w.file("empty", "");
    let nothing = w.run(
        "lab",
        &["deposit", &empty, "--to", "pat", "--yes", "-o", "e.car"],
    );
    assert_eq!(nothing.code, 1, "{}", nothing.err);
    assert!(!w.path("e.car").exists());
    // some of it
    let some = [
        "deposit", &empty, &file, "--to", "pat", "--yes", "-o", "e.car",
    ];
    assert_eq!(w.run("lab", &some).code, 4);
    assert!(w.path("e.car").exists());
}

#[test]
fn limits_are_set_shown_and_taken_away() {
    let w = people();
    w.introduce("pat", "lab");
    let shown = |w: &World| w.json("pat", &["contact", "show", "lab"]).remove(0);
    assert!(shown(&w)["deposits"].is_null());
    w.ok(
        "pat",
        &[
            "contact",
            "limit",
            "lab",
            "--deposits",
            "100MB",
            "--per-day",
            "5",
        ],
    );
    let limit = &shown(&w)["deposits"];
    assert_eq!(
        (&limit["bytes"], &limit["per_day"]),
        (&100_000_000.into(), &5.into())
    );
    let text = w.ok("pat", &["contact", "show", "lab"]);
    assert!(text.contains("95 MiB waiting, 5 a day"), "{text}");
    w.ok("pat", &["contact", "limit", "lab", "--no-deposits"]);
    assert!(shown(&w)["deposits"].is_null());
    let acts = w.json("pat", &["audit", "log", "--act", "deposit-limit"]);
    assert_eq!(acts.len(), 2);
    for bad in [
        &["--deposits", "much"][..],
        &[],
        &["--deposits", "1MB", "--no-deposits"],
        &["--no-deposits", "--per-day", "5"],
    ] {
        let ran = w.run("pat", &[&["contact", "limit", "lab"], bad].concat());
        assert_eq!(ran.code, 2, "{bad:?}: {}", ran.err);
    }
    let missing = ["contact", "limit", "nobody", "--no-deposits"];
    assert_eq!(refused(&w, "pat", &missing, 3), "no-contact");
}

/// A node that serves until it is dropped.
struct Serving(Child);

impl Serving {
    fn start(w: &World, who: &str) -> Self {
        let arguments = [
            "serve",
            "--json",
            "--listen",
            "/ip4/127.0.0.1/udp/0/quic-v1",
            "--listen-heads",
            "127.0.0.1:0",
        ];
        let mut command = w.command(who, &arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let out = child.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert!(line.starts_with('{'), "{line}");
        Self(child)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_ticket_leads_to_a_deposit_on_the_senders_node() {
    let w = people();
    w.introduce("pat", "lab");
    let file = results(&w, "r.json", &["a", "bb"]);
    let scan: Vec<u8> = (0..1_500_000_u32)
        .map(|i| (i * 7 + i / 251) as u8)
        .collect();
    let scan = w.file("scan.bin", scan);
    let offer = ["deposit", &file, &scan, "--to", "pat", "--ticket"];
    assert_eq!(refused(&w, "lab", &offer, 7), "no-address");
    let node = Serving::start(&w, "lab");
    let ticket = w.ok("lab", &offer);
    let ticket = ticket.trim();
    assert!(ticket.starts_with("medvault-deposit:"), "{ticket}");
    // without leave nothing is fetched
    assert_eq!(
        refused(&w, "pat", &["inbox", "add", ticket], 8),
        "not-allowed"
    );
    w.ok("pat", &["contact", "limit", "lab", "--deposits", "1MB"]);
    assert_eq!(
        refused(&w, "pat", &["inbox", "add", ticket], 8),
        "too-large"
    );
    w.ok("pat", &["contact", "limit", "lab", "--deposits", "10MB"]);
    let saved = w.file("ticket", ticket);
    w.ok("pat", &["inbox", "add", &saved]);
    let deposit = waiting(&w).remove(0);
    assert_eq!(deposit["records"], 3);
    let taken = &w.json("pat", &["inbox", "accept", id(&deposit)])[0];
    assert_eq!(taken["added"], 3);
    let wrong = ["inbox", "accept", ticket];
    assert_eq!(refused(&w, "pat", &wrong, 2), "usage");
    // what the sender withdraws is there no more
    let other = w.ok("lab", &["deposit", &file, "--to", "pat", "--ticket"]);
    let withdrawn = &w.json("lab", &["deposit", "--withdraw"])[0];
    assert!(
        withdrawn["withdrawn_blocks"].as_u64() > Some(2),
        "{withdrawn}"
    );
    assert_eq!(
        refused(&w, "pat", &["inbox", "add", other.trim()], 7),
        "block-missing"
    );
    drop(node);
}
