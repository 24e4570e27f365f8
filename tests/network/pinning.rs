//! The vault at a pinning service: the API in front of a real Kubo, which fetches from the running
//! node and is asked for samples at its own address.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::kubo::Kubo;
use crate::people::{ada_and_bo, add, healthy, lab, refused, share_lab};
use crate::pinning_service::{Service, TOKEN};
use crate::serving::Serving;
use crate::world::World;

/// A pinning service whose blocks lie in a Kubo.
struct Clinic {
    kubo: Arc<Kubo>,
    service: Service,
}

/// `None`: there is no Go, so no Kubo.
fn clinic() -> Option<Clinic> {
    let kubo = Arc::new(Kubo::start()?);
    // the service's threads outlive the test; Kubo must not
    let (keeper, dropper) = (Arc::downgrade(&kubo), Arc::downgrade(&kubo));
    let service = Service::over(
        Arc::new(move |cid: &str, origins: &[String]| {
            let Some(keeper) = keeper.upgrade() else {
                return false;
            };
            for origin in origins {
                // one of them will do
                let _ = keeper.try_run_with(&["swarm", "connect", origin], b"");
            }
            let pinned = keeper.try_run_with(&["pin", "add", "--timeout=60s", cid], b"");
            pinned.map_err(|error| println!("{cid}: {error}")).is_ok()
        }),
        Arc::new(move |cid: &str| {
            if let Some(dropper) = dropper.upgrade() {
                // a request that came to nothing has no pin
                let _ = dropper.try_run_with(&["pin", "rm", cid], b"");
            }
        }),
    );
    let id = kubo.peer_id();
    let addrs = kubo.addrs();
    service.state().delegates = addrs
        .iter()
        .map(|addr| format!("{addr}/p2p/{id}"))
        .collect();
    Some(Clinic { kubo, service })
}

impl Clinic {
    /// Ada uses the service from now on.
    fn join(&self, w: &World) {
        let token = w.file("token", format!("{TOKEN}\n"));
        let url = &self.service.url;
        w.ok(
            "ada",
            &[
                "pin",
                "add",
                "clinic",
                "--endpoint",
                url,
                "--token-file",
                &token,
            ],
        );
    }

    /// Whether Kubo has a block of its own.
    fn has(&self, cid: &str) -> bool {
        let answer = self
            .kubo
            .try_run_with(&["block", "stat", "--offline", cid], b"");
        answer.is_ok()
    }
}

impl Drop for Clinic {
    /// The service may be in the middle of a fetch, and would keep the daemon beyond the test.
    fn drop(&mut self) {
        let _ = self.kubo.try_run_with(&["shutdown"], b""); // it may have ended by itself
        let begun = Instant::now();
        while Arc::strong_count(&self.kubo) > 1 && begun.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn sync(w: &World) -> Value {
    let line = w
        .json("ada", &["pin", "sync", "--wait", "60"])
        .pop()
        .unwrap();
    assert_eq!(line["settled"], true, "{line}");
    line
}

fn listed(w: &World) -> Value {
    w.json("ada", &["pin", "list"]).pop().unwrap()
}

#[test]
fn a_service_follows_the_vault_and_proves_that_it_does() {
    let Some(clinic) = clinic() else { return };
    let w = ada_and_bo();
    clinic.join(&w);
    let node = Serving::start(&w, "ada");
    assert_eq!(listed(&w)["state"], "nothing yet");
    let first = sync(&w);
    assert_eq!(listed(&w)["state"], "up to date");
    assert_eq!(clinic.service.pinned(), [first["root"].as_str().unwrap()]);
    // the second does nothing at all
    let second = sync(&w);
    assert_eq!(
        (&second["steps"], &second["root"]),
        (&0.into(), &first["root"])
    );

    // a change moves the pin
    add(&w, "ada", "new.json", lab("eeeee"));
    assert_eq!(listed(&w)["state"], "behind");
    let third = sync(&w);
    assert_ne!(third["root"], first["root"]);
    assert_eq!(third["dropped"], 1);
    assert_eq!(clinic.service.pinned(), [third["root"].as_str().unwrap()]);

    // all of it is there, by bitswap and at the gateway
    let found = w
        .json("ada", &["pin", "verify", "--no-repair"])
        .pop()
        .unwrap();
    assert_eq!(found["missing"], Value::Array(vec![]), "{found}");
    assert_eq!(found["canaries"], 4);
    let gateway = clinic.kubo.gateway();
    let found = w
        .json("ada", &["pin", "verify", "--gateway", &gateway])
        .pop()
        .unwrap();
    assert_eq!(found["missing"], Value::Array(vec![]), "{found}");

    // something is lost behind the service's back
    let held = listed(&w);
    let root = held["root"].as_str().unwrap();
    let refs = clinic
        .kubo
        .run(&["refs", "--recursive", "--unique", "--offline", root]);
    let lost = refs
        .lines()
        .find(|cid| cid.starts_with("bafkrei"))
        .unwrap()
        .to_owned();
    clinic.kubo.run(&["pin", "rm", root]);
    clinic.kubo.run(&["block", "rm", "--force", &lost]);
    assert!(!clinic.has(&lost));
    let looked = w.run(
        "ada",
        &["pin", "verify", "--no-repair", "--loss", "0.001", "--json"],
    );
    assert_eq!(looked.code, 9, "{}", looked.err);
    let looked: Value = serde_json::from_str(&looked.out).unwrap();
    assert_eq!(looked["missing"], Value::Array(vec![lost.clone().into()]));

    let repaired = w.run("ada", &["pin", "verify", "--loss", "0.001", "--json"]);
    assert_eq!(repaired.code, 4, "{}", repaired.err);
    let repaired: Value = serde_json::from_str(&repaired.out).unwrap();
    assert_eq!(repaired["missing"], Value::Array(vec![lost.into()]));
    assert_eq!(repaired["repaired"], true);
    let acts = w.json("ada", &["audit", "log", "--act", "pin-verified"]);
    assert_eq!(acts.len(), 5);
    assert_eq!(acts[2]["missing"], 1);

    // and it is over
    w.ok("ada", &["pin", "remove", "clinic", "--yes"]);
    assert!(clinic.service.state().pins.is_empty());
    refused(&w, "ada", &["pin", "sync", "clinic"], 3);
    node.interrupt();
    healthy(&w, "ada");
}

#[test]
fn a_killed_sync_goes_on_where_it_was() {
    let Some(clinic) = clinic() else { return };
    let w = ada_and_bo();
    clinic.join(&w);
    let node = Serving::start(&w, "ada");
    sync(&w);
    for round in 0..6 {
        add(
            &w,
            "ada",
            &format!("{round}.json"),
            lab(&"x".repeat(round + 6)),
        );
        let mut command = w.command("ada", &["pin", "sync", "--wait"]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(20 + 60 * round as u64));
        let _ = child.kill(); // it may be done already
        child.wait().unwrap();
        assert!(!clinic.service.pinned().is_empty(), "never without a copy");
    }
    let last = sync(&w);
    assert_eq!(clinic.service.pinned(), [last["root"].as_str().unwrap()]);
    assert_eq!(clinic.service.state().pins.len(), 1);
    assert_eq!(listed(&w)["roots"].as_array().unwrap().len(), 1);
    node.interrupt();
    healthy(&w, "ada");
}

#[test]
fn a_revocation_names_each_service_in_its_receipt() {
    let Some(clinic) = clinic() else { return };
    let w = ada_and_bo();
    let (grant, _) = share_lab(&w, "ticket");
    clinic.join(&w);
    let node = Serving::start(&w, "ada");
    let old = sync(&w)["root"].as_str().unwrap().to_owned();
    let receipt = w.json("ada", &["revoke", &grant, "--yes"]).pop().unwrap();
    let pinner = &receipt["pinners"][1];
    assert_eq!(pinner["name"], "clinic");
    assert_eq!(pinner["acknowledged"], true, "{receipt}");
    assert!(pinner["deleted"].as_u64().unwrap() > 0);
    assert!(!clinic.service.pinned().contains(&old));
    clinic.kubo.run(&["repo", "gc"]);
    assert!(!clinic.has(&old), "nothing keeps the old root any more");

    // nothing serves, so the service cannot move: the receipt says so, and a later one that it did
    let (grant, _) = share_lab(&w, "ticket2");
    sync(&w);
    node.interrupt();
    let ran = w.run("ada", &["revoke", &grant, "--yes", "--json"]);
    assert_eq!(ran.code, 4, "{}", ran.err);
    let receipt: Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    assert_eq!(receipt["pinners"][1]["acknowledged"], false);
    let node = Serving::start(&w, "ada");
    let ran = w.run("ada", &["revoke", "--resume", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let receipt: Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    assert_eq!(receipt["pinners"][1]["acknowledged"], true);
    assert_eq!(
        sync(&w)["steps"],
        0,
        "it holds the head with the new receipt"
    );
    node.interrupt();
    healthy(&w, "ada");
}

#[test]
fn a_service_that_cannot_be_used_is_told_apart() {
    let w = World::of(&["ada"]);
    let token = w.file("token", "wrong\n");
    let service = Service::idle();
    let add = |name: &str, url: &str, token: &str| {
        w.run(
            "ada",
            &["pin", "add", name, "--endpoint", url, "--token-file", token],
        )
    };
    assert_eq!(
        add("far", "http://pins.example", &token).code,
        2,
        "a token in the clear"
    );
    assert_eq!(add("none", &service.url, "/nowhere/token").code, 3);
    assert_eq!(add("clinic", &service.url, &token).code, 0);
    assert_eq!(
        add("clinic", &service.url, &token).code,
        2,
        "the name is taken"
    );
    refused(&w, "ada", &["pin", "sync"], 5);
    w.file("token", format!("{TOKEN}\n"));
    w.ok("ada", &["pin", "sync"]);
    assert_eq!(
        w.run("ada", &["pin", "sync", "--wait", "1"]).code,
        4,
        "queued for ever"
    );
    // it lies: then the canaries are nowhere
    service.set_all("pinned");
    w.ok("ada", &["pin", "sync", "--wait", "5"]);
    refused(&w, "ada", &["pin", "verify"], 7);
    let before = Instant::now();
    let dead = w.run(
        "ada",
        &[
            "pin",
            "verify",
            "--gateway",
            &service.url,
            "--no-repair",
            "--json",
        ],
    );
    assert_eq!(dead.code, 9, "{}", dead.err);
    let dead: Value = serde_json::from_str(&dead.out).unwrap();
    assert!(
        dead["missing"].as_array().unwrap().len() >= 5,
        "root and canaries: {dead}"
    );
    assert!(before.elapsed() < Duration::from_secs(60));
    // the token is in no file of the home
    let holds = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        bytes
            .windows(TOKEN.len())
            .any(|part| part == TOKEN.as_bytes())
    };
    for (path, _) in crate::world::snapshot(&w.path("ada")) {
        assert!(!holds(&path), "{}", path.display());
    }
}
