//! Heads and blocks from the public network while Ada's own node is gone.

use std::time::{Duration, Instant};

use crate::people::*;
use crate::public::Public;
use crate::rollback::copy;
use crate::serving::Serving;
use crate::web::{Reply, Web};
use crate::world::World;

fn publish(w: &World, who: &str, at: &Public) {
    w.ok(who, &["head", "publish", "--routing", &at.url()]);
}

#[test]
fn with_no_node_at_all_a_provider_accepts_syncs_and_reads() {
    let w = ada_and_bo();
    let public = Public::of(&w, &["ada"]);
    let url = public.url();
    let (_, ticket) = share_lab(&w, "ticket");
    let ran = refused(
        &w,
        "bo",
        &["inbox", "accept", &ticket, "--gateway", &url],
        7,
    );
    assert!(ran.err.contains("not found"), "{}", ran.err);

    publish(&w, "ada", &public);
    w.ok("bo", &["inbox", "sync", "--gateway", &url]);
    assert_eq!(seen(&w).len(), 2);
    w.ok("bo", &["config", "set", "ipfs.gateways", &url]);
    for id in seen(&w) {
        assert_eq!(get(&w, "bo", &id), get(&w, "ada", &id));
    }

    // the record through a routing server, the blocks through a gateway, both of the settings
    let id = add(&w, "ada", "new.json", lab("new"));
    w.ok("ada", &["config", "set", "ipfs.routing", &url]);
    w.ok("ada", &["head", "publish"]);
    w.ok("bo", &["config", "set", "ipfs.routing", &url]);
    sync(&w);
    assert_eq!(get(&w, "bo", &id), lab("new").as_bytes());
    assert!(public.asked().contains(&format!("GET {}?", name_path(&w))));

    // the head in a file
    let id = add(&w, "ada", "newer.json", lab("newer"));
    let file = w.path("head");
    let file = file.to_str().unwrap();
    w.ok("ada", &["head", "export", file]);
    w.ok("bo", &["inbox", "sync", "--head", file]);
    assert_eq!(get(&w, "bo", &id), lab("newer").as_bytes());
}

fn name_path(w: &World) -> String {
    let shown = &w.json("ada", &["head", "show"])[0];
    format!("/routing/v1/ipns/{}", shown["name"].as_str().unwrap())
}

#[test]
fn a_dead_node_is_not_waited_for() {
    let w = ada_and_bo();
    let public = Public::of(&w, &["ada"]);
    w.ok("ada", &["config", "set", "ipfs.routing", &public.url()]);
    let serving = Serving::start(&w, "ada");
    let (_, ticket) = share_lab(&w, "ticket");
    w.ok("bo", &["inbox", "accept", &ticket]);
    // the node publishes by itself
    let begun = Instant::now();
    while public.records().is_empty() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "nothing is published"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    serving.kill();

    let id = add(&w, "ada", "new.json", lab("new"));
    publish(&w, "ada", &public);
    let begun = Instant::now();
    let ran = w.run(
        "bo",
        &["inbox", "sync", "--contents", "--gateway", &public.url()],
    );
    let took = begun.elapsed();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("the patient's node"), "{}", ran.err);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(get(&w, "bo", &id), lab("new").as_bytes());
}

#[test]
fn blocks_come_from_whom_a_routing_server_names() {
    let w = ada_and_bo();
    let public = Public::of(&w, &[]);
    // the ticket does not say where the node is, and no gateway is known
    let (_, ticket) = share_lab(&w, "ticket");
    let serving = Serving::start(&w, "ada");
    public.name_provider(&serving);
    publish(&w, "ada", &public);
    w.ok("bo", &["config", "set", "ipfs.routing", &public.url()]);
    w.ok("bo", &["inbox", "accept", &ticket]);
    for id in seen(&w) {
        assert_eq!(get(&w, "bo", &id), get(&w, "ada", &id));
    }
    assert_eq!(seen(&w).len(), 2);
    let asked = public.asked();
    assert!(asked.iter().any(|a| a.contains("/providers/")), "{asked:?}");
}

#[test]
fn an_old_record_is_refused_alone_and_passed_over_beside_a_newer_one() {
    let w = ada_and_bo();
    let (careless, honest) = (Public::of(&w, &["ada"]), Public::of(&w, &["ada"]));
    let (_, ticket) = share_lab(&w, "ticket");
    publish(&w, "ada", &careless);
    w.ok(
        "bo",
        &["inbox", "accept", &ticket, "--gateway", &careless.url()],
    );
    let old = careless.records();
    let id = add(&w, "ada", "new.json", lab("new"));
    publish(&w, "ada", &careless);
    publish(&w, "ada", &honest);
    w.ok("bo", &["inbox", "sync", "--gateway", &careless.url()]);
    let remembered = w.json("bo", &["inbox", "list"]);

    careless.keep(old);
    let ran = refused(
        &w,
        "bo",
        &["inbox", "sync", "--gateway", &careless.url()],
        9,
    );
    assert!(
        ran.err.contains("OLDER") && ran.err.contains(&careless.url()),
        "{}",
        ran.err
    );
    assert_eq!(w.json("bo", &["inbox", "list"]), remembered);

    let newer = add(&w, "ada", "newer.json", lab("newer"));
    publish(&w, "ada", &honest);
    let both = ["--gateway", &careless.url(), "--gateway", &honest.url()].map(str::to_owned);
    let both: Vec<&str> = ["inbox", "sync"]
        .into_iter()
        .chain(both.iter().map(String::as_str))
        .collect();
    let ran = w.run("bo", &both);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err.contains(&careless.url()) && ran.err.contains("older"),
        "{}",
        ran.err
    );
    assert!(seen(&w).contains(&id));
    assert!(seen(&w).contains(&newer));
}

#[test]
fn a_gateway_that_lies_is_named_and_believed_nothing() {
    let w = ada_and_bo();
    let honest = Public::of(&w, &["ada"]);
    let liar = Web::start(|asked| match asked.path.starts_with("/ipfs/") {
        true => Reply::Ok("application/vnd.ipld.raw", b"lie".to_vec()),
        false => Reply::Ok("application/vnd.ipfs.ipns-record", b"lie".to_vec()),
    });
    let (_, ticket) = share_lab(&w, "ticket");
    publish(&w, "ada", &honest);
    let (liar, honest) = (&liar.url(), &honest.url());
    let accept = ["inbox", "accept", &ticket, "--gateway", liar];
    let ran = refused(&w, "bo", &accept, 9);
    assert!(ran.err.contains("IPNS"), "{}", ran.err);
    let sync = [
        "inbox",
        "sync",
        "--contents",
        "--gateway",
        liar,
        "--gateway",
        honest,
    ];
    let ran = w.run("bo", &sync);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for said in ["malformed IPNS record", "gave false bytes"] {
        let named = ran
            .err
            .lines()
            .any(|line| line.contains(said) && line.contains(liar.as_str()));
        assert!(named, "{said}: {}", ran.err);
    }
    assert!(!ran.err.contains(honest.as_str()), "{}", ran.err);
    for id in seen(&w) {
        assert_eq!(get(&w, "bo", &id), get(&w, "ada", &id));
    }
    assert_eq!(seen(&w).len(), 2);
}

#[test]
fn a_fork_is_loud_whoever_else_answers() {
    let w = ada_and_bo();
    let (_, ticket) = share_lab(&w, "ticket");
    copy(&w.path("ada"), &w.path("other"));
    let (honest, other) = (Public::of(&w, &["ada"]), Public::of(&w, &["other"]));
    publish(&w, "ada", &honest);
    w.ok(
        "bo",
        &["inbox", "accept", &ticket, "--gateway", &honest.url()],
    );
    let id = add(&w, "ada", "new.json", lab("new"));
    publish(&w, "ada", &honest);
    for name in ["x", "yy"] {
        add(&w, "other", &format!("{name}.json"), lab(name));
    }
    publish(&w, "other", &other);
    let remembered = w.json("bo", &["inbox", "list"]);
    let (honest, other) = (honest.url(), other.url());
    let both = ["inbox", "sync", "--gateway", &honest, "--gateway", &other];
    // both continue what Bo has seen: none is believed
    let ran = refused(&w, "bo", &both, 9);
    assert!(ran.err.contains("FORKED"), "{}", ran.err);
    assert_eq!(w.json("bo", &["inbox", "list"]), remembered);

    // Bo has seen Ada's: the other is named, and Ada's newest is taken all the same
    w.ok("bo", &["inbox", "sync", "--gateway", &honest]);
    assert!(seen(&w).contains(&id));
    let ran = refused(&w, "bo", &both, 9);
    assert!(
        ran.err.contains("FORKED") && ran.err.contains(&other),
        "{}",
        ran.err
    );
    assert!(seen(&w).contains(&id));
}

#[test]
fn a_patient_with_only_paper_and_a_gateway_gets_everything_back() {
    let w = World::new();
    let words = w.path("words");
    let words = words.to_str().unwrap();
    w.ok(
        "ada",
        &[
            "init",
            "--name",
            "ada",
            "--work-factor",
            "10",
            "--words-out",
            words,
        ],
    );
    let large = "large ".repeat(200_000);
    let first = add(&w, "ada", "first.json", lab("first"));
    let second = add(&w, "ada", "large.txt", &large);
    // somebody pins the vault and keeps its name
    copy(&w.path("ada"), &w.path("pinner"));
    let public = Public::of(&w, &["pinner"]);
    publish(&w, "ada", &public);
    std::fs::remove_dir_all(w.path("ada")).unwrap();

    let init = [
        "init",
        "--recover",
        "--words-file",
        words,
        "--work-factor",
        "10",
    ];
    let ran = refused(&w, "ada", &init, 2);
    assert!(ran.err.contains("--gateway"), "{}", ran.err);
    let url = public.url();
    w.ok("ada", &[&init[..], &["--gateway", &url]].concat());
    assert_eq!(ids(&w, "ada", &[]), [first.clone(), second.clone()].into());
    assert_eq!(get(&w, "ada", &first), lab("first").as_bytes());
    assert_eq!(get(&w, "ada", &second), large.as_bytes());
    healthy(&w, "ada");
    let cars = public
        .asked()
        .iter()
        .filter(|a| a.contains("format=car"))
        .count();
    assert_eq!(cars, 1, "{:?}", public.asked());

    // words of another vault find nothing
    let other = w.path("other-words");
    let other = other.to_str().unwrap();
    w.ok(
        "eve",
        &[
            "init",
            "--name",
            "eve",
            "--work-factor",
            "10",
            "--words-out",
            other,
        ],
    );
    let init = [
        "init",
        "--recover",
        "--words-file",
        other,
        "--gateway",
        &url,
    ];
    let ran = refused(&w, "eve2", &init, 7);
    assert!(ran.err.contains("name"), "{}", ran.err);
    assert!(!w.path("eve2").exists());
}
