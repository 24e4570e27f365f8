//! Ada keeps the blocks of her vault in a real Kubo.

use std::process::Stdio;
use std::time::Duration;

use crate::kubo::Kubo;
use crate::people::*;
use crate::reading::noise;
use crate::serving::Serving;
use crate::world::World;

/// Ada with a vault in Kubo, and Bo with one in his home. Each knows the other.
fn ada_in(kubo: &Kubo) -> World {
    let w = World::of(&["bo"]);
    let init = [
        "init",
        "--name",
        "ada",
        "--work-factor",
        "10",
        "--words-out",
    ];
    let words = w.path("words");
    w.ok(
        "ada",
        &[&init[..], &[words.to_str().unwrap(), "--ipfs", &kubo.api()]].concat(),
    );
    w.introduce("ada", "bo");
    w
}

/// Bytes of CAR files in a home.
fn local(w: &World, who: &str) -> u64 {
    let files = std::fs::read_dir(w.path(who).join("blocks"));
    let files = files.into_iter().flatten().flatten();
    files.map(|file| file.metadata().unwrap().len()).sum()
}

#[test]
fn a_vault_in_kubo_is_shared_read_and_taken_back() {
    let Some(kubo) = Kubo::start() else { return };
    let w = ada_in(&kubo);
    assert_eq!(
        w.ok("ada", &["config", "get", "ipfs.api"]).trim(),
        kubo.api()
    );
    let large = noise(3 << 20);
    let ids = [
        add(&w, "ada", "a.json", lab("a")),
        add(&w, "ada", "large.bin", &large),
    ];
    healthy(&w, "ada");
    assert!(
        local(&w, "ada") < 1 << 16,
        "the blocks are in Kubo, not here"
    );

    // Kubo serves the blocks, Ada's own node the head
    let serving = Serving::start(&w, "ada");
    assert_eq!(serving.event()["peer_id"], kubo.peer_id());
    let (grant, ticket) = share(&w, &["--all"], "ticket");
    w.ok("bo", &["inbox", "accept", &ticket]);
    assert_eq!(get(&w, "bo", &ids[0]), lab("a").as_bytes());
    assert!(get(&w, "bo", &ids[1]) == large);

    w.ok("ada", &["revoke", &grant, "--yes"]);
    let refused = w.run("bo", &["inbox", "sync"]);
    assert_ne!(refused.code, 0, "{}", refused.out);
    kubo.run(&["repo", "gc", "--quiet"]);
    healthy(&w, "ada");
    assert!(get(&w, "ada", &ids[1]) == large);
    drop(serving);

    // the home is lost; Kubo and the words are left
    let words = w.path("words");
    let words = words.to_str().unwrap();
    let recover = [
        "init",
        "--recover",
        "--words-file",
        words,
        "--work-factor",
        "10",
    ];
    let at = kubo.api();
    w.ok("eva", &[&recover[..], &["--ipfs", &at]].concat());
    assert!(get(&w, "eva", &ids[1]) == large);
    healthy(&w, "eva");
}

#[test]
fn blocks_move_to_kubo_and_back() {
    let Some(mut kubo) = Kubo::start() else {
        return;
    };
    let w = ada_and_bo();
    let large = noise(2 << 20);
    let id = add(&w, "ada", "large.bin", &large);
    let here = local(&w, "ada");
    let api = kubo.api();

    // a setting alone moves nothing, and says so
    w.ok("ada", &["config", "set", "ipfs.api", &api]);
    let ran = refused(&w, "ada", &["record", "list"], 6);
    assert!(
        ran.err.contains("does not have the blocks of this vault"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("medvault move"), "{}", ran.err);
    // nothing is deleted for the sake of a Kubo that has nothing, alive or dead
    w.ok("ada", &["config", "set", "ipfs.api", "http://127.0.0.1:9"]);
    refused(&w, "ada", &["move", "http://127.0.0.1:9"], 7);
    assert_eq!(local(&w, "ada"), here);
    w.ok("ada", &["config", "unset", "ipfs.api"]);
    let first = w.path("ada-first");
    copy(&w.path("ada"), &first);

    w.ok("ada", &["move", &api, "--dry-run"]);
    assert_eq!(local(&w, "ada"), here);
    let moved = w.json("ada", &["move", &api]).remove(0);
    assert!(moved["blocks"].as_u64() > Some(8), "{moved}");
    assert!(local(&w, "ada") < 1 << 16);
    // once more, from a copy of the home as it was, as a move that was stopped is done again
    let again = w.json("ada-first", &["move", &api]).remove(0);
    assert!(again["blocks"].as_u64() > Some(8), "{again}");
    w.ok("ada-first", &["record", "list"]);
    // another name of the same Kubo is the same place
    let other = api.replace("127.0.0.1", "localhost");
    w.ok("ada", &["move", &other]);
    w.ok("ada", &["record", "list"]);
    w.ok("ada", &["move", &api]);
    kubo.run(&["repo", "gc", "--quiet"]);
    healthy(&w, "ada");
    assert!(get(&w, "ada", &id) == large);

    // Kubo is away
    kubo.kill();
    let ran = refused(&w, "ada", &["record", "list"], 7);
    assert!(ran.err.contains(&api), "{}", ran.err);
    kubo.resume();

    w.ok("ada", &["move", "home"]);
    assert!(local(&w, "ada") > 2 << 20);
    assert_eq!(
        kubo.run(&[
            "pin",
            "ls",
            "--type=recursive",
            "--names",
            "--name=medvault-"
        ]),
        ""
    );
    kubo.kill();
    healthy(&w, "ada");
    assert!(get(&w, "ada", &id) == large);
}

#[test]
fn an_add_to_kubo_is_killed() {
    let Some(kubo) = Kubo::start() else { return };
    let w = ada_in(&kubo);
    let mut content = noise(24 << 20);
    let mut count = 0;
    for delay in [150, 400, 800, 1500, 3000] {
        content[0] = content[0].wrapping_add(1);
        let file = w.file("large.bin", &content);
        let mut command = w.command("ada", &["record", "add", &file]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        // our own child; it may have ended by itself
        let _ = child.kill();
        child.wait().unwrap();
        kubo.run(&["repo", "gc", "--quiet"]);
        let now = ids(&w, "ada", &[]).len();
        assert!(now == count || now == count + 1, "{now} after {count}");
        healthy(&w, "ada");
        add(
            &w,
            "ada",
            &format!("{delay}.json"),
            lab(&format!("d{delay}")),
        );
        count = now + 1;
    }
    // what the killed ones left in Kubo is gone
    let pins = kubo.run(&["pin", "ls", "--names", "--name=medvault-"]);
    assert!(!pins.contains("-new") && !pins.contains("-gone"), "{pins}");
    kubo.run(&["repo", "verify"]);
    healthy(&w, "ada");
}

/// A copy of a home, as it is now.
fn copy(from: &std::path::Path, to: &std::path::Path) {
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
