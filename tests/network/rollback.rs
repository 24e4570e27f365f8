//! An old copy of Ada's home is served, by accident or by somebody else.

use std::path::Path;

use crate::people::*;
use crate::serving::{Serving, addresses};
use crate::world::World;

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What the command that a hint names says about the two files that it names, to somebody without a
/// home.
fn checked(w: &World, err: &str) -> (i32, String) {
    let command = err
        .split('`')
        .find_map(|part| part.strip_prefix("medvault "));
    let arguments: Vec<&str> = command.unwrap().split(' ').chain(["--json"]).collect();
    let ran = w.run("nobody", &arguments);
    let said: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(said["a"]["hashes"], true, "{said}");
    (ran.code, said["verdict"].as_str().unwrap().to_owned())
}

#[test]
fn an_older_and_a_forked_history_are_refused() {
    let w = ada_and_bo();
    let serving = Serving::start(&w, "ada");
    let (blocks, heads) = addresses(&w, "ada");
    let (_, ticket) = share_lab(&w, "ticket");
    w.ok("bo", &["inbox", "accept", &ticket]);
    copy(&w.path("ada"), &w.path("old"));
    for name in ["x", "yy"] {
        add(&w, "ada", &format!("{name}.json"), lab(name));
    }
    w.ok("bo", &["inbox", "sync", "--contents"]);
    let had = seen(&w);
    assert_eq!(had.len(), 4);
    let remembered = w.json("bo", &["inbox", "list"]);
    let keeps = |what: &str| {
        assert_eq!(w.json("bo", &["inbox", "list"]), remembered, "{what}");
        assert_eq!(seen(&w), had, "{what}");
        for id in &had {
            assert_eq!(get(&w, "bo", id), get(&w, "ada", id), "{what}");
        }
    };
    serving.interrupt();

    let serving = Serving::at(&w, "old", &blocks, &heads);
    let ran = refused(&w, "bo", &["inbox", "sync"], 9);
    assert!(ran.err.contains("OLDER"), "{}", ran.err);
    // an old copy that only shows itself is no other history
    assert_eq!(checked(&w, &ran.err), (0, "consistent".to_owned()));
    keeps("older");

    // the copy catches up in number, then overtakes
    let head = |who: &str| w.json(who, &["status"])[0]["head_seq"].as_u64().unwrap();
    let seen_head = head("ada");
    let mut round = 0;
    while head("old") <= seen_head {
        round += 1;
        add(
            &w,
            "old",
            &format!("o{round}.json"),
            lab(&format!("o{round}")),
        );
        let code = if head("old") < seen_head {
            "OLDER"
        } else {
            "FORKED"
        };
        let ran = refused(&w, "bo", &["inbox", "sync"], 9);
        assert!(ran.err.contains(code), "{round}: {}", ran.err);
        // what Bo kept and what he was offered convicts it, whatever the numbers say
        assert_eq!(checked(&w, &ran.err), (9, "forked".to_owned()));
        keeps(code);
    }
    serving.kill();

    // the true history goes on where it was
    let _serving = Serving::start(&w, "ada");
    let id = add(&w, "ada", "z.json", lab("zzz"));
    sync(&w);
    assert_eq!(get(&w, "bo", &id), lab("zzz").as_bytes());
}
