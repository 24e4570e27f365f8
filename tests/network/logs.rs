//! What a served session writes down, and what it never does.

use serde_json::Value;

use crate::people::*;
use crate::serving::Serving;
use crate::world::World;

/// Everything that must stay in the vault.
fn secrets(w: &World, ticket: &str, grant: &str) -> Vec<String> {
    let mut all: Vec<String> = [
        "Test bb",
        "Observation",
        "laboratory",
        "PSY",
        "correct horse",
        "Mira",
    ]
    .map(str::to_owned)
    .into();
    all.push(std::fs::read_to_string(ticket).unwrap().trim().to_owned());
    all.push(grant.to_owned());
    for contact in w.json("ada", &["contact", "list"]) {
        for field in ["name", "id", "owner", "vault"] {
            all.extend(contact[field].as_str().map(str::to_owned));
        }
    }
    for record in w.json("ada", &["record", "list"]) {
        for field in ["record", "version", "title", "kind", "source"] {
            all.extend(record[field].as_str().map(str::to_owned));
        }
    }
    let vault = &w.json("ada", &["status"])[0];
    all.extend(vault["vault"].as_str().map(str::to_owned));
    all
}

fn session(format: &str) -> String {
    let w = World::of(&["ada", "bartholomew"]);
    let file = w.file("first.json", lab("bb"));
    w.ok("ada", &["record", "add", &file]);
    w.introduce("ada", "bartholomew");
    let options = ["--log", format, "--log-level", "debug"];
    let serving = Serving::logging(&w, "ada", &options, "log");
    let shared = [
        "share",
        "--with",
        "bartholomew",
        "--category",
        "lab",
        "-o",
        "ticket",
    ];
    w.ok("ada", &shared);
    let grant = w.json("ada", &["grant", "list"])[0]["grant"]
        .as_str()
        .unwrap()
        .to_owned();
    let ticket = w.path("ticket").to_str().unwrap().to_owned();
    w.ok("bartholomew", &["inbox", "accept", &ticket]);
    w.ok("bartholomew", &["inbox", "sync", "--contents"]);
    w.ok("ada", &["revoke", "--contact", "bartholomew", "--yes"]);
    // it looks every two seconds
    std::thread::sleep(std::time::Duration::from_secs(5));
    let status = w.json("ada", &["status"])[0]["node"].to_string();
    let secrets = secrets(&w, &ticket, &grant);
    assert!(secrets.len() > 12, "{secrets:?}");
    serving.end_by("-TERM");
    let log = std::fs::read_to_string(w.path("log")).unwrap();
    for secret in secrets {
        assert!(!log.contains(&secret), "the log has {secret:?}: {log}");
        assert!(
            !status.contains(&secret),
            "the status has {secret:?}: {status}"
        );
    }
    log
}

#[test]
fn a_log_for_programs_tells_what_happened_and_nothing_about_whom() {
    let log = session("json");
    let events: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<&str> = events
        .iter()
        .map(|e| e["event"].as_str().unwrap())
        .collect();
    assert_eq!(names[0], "serving");
    assert!(names.contains(&"head-changed"), "{names:?}");
    assert_eq!(names[names.len() - 2..], ["stopping", "stopped"]);
    for event in &events {
        for (key, value) in event.as_object().unwrap() {
            assert!(value.is_number() || value.is_string(), "{key}: {value}");
        }
    }
}

#[test]
fn a_log_for_people_has_the_same_lines() {
    let log = session("text");
    assert!(log.contains(" info  serving pid="), "{log}");
    assert!(log.contains(" info  head-changed head="), "{log}");
    assert!(log.contains(" info  stopped seconds="), "{log}");
}
