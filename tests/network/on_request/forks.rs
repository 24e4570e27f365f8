//! Access on request from a home that was put back, or that is there twice.

use vault_core::{Evidence, ForkVerdict, check_fork};

use super::{agreed, offer, open};
use crate::people::*;
use crate::rollback::copy;
use crate::serving::{Serving, addresses};
use crate::world::World;

/// The files of evidence in a home, by what they show.
fn evidence(w: &World, who: &str) -> Vec<(String, Evidence)> {
    let Ok(files) = std::fs::read_dir(w.path(who).join("evidence")) else {
        return Vec::new();
    };
    let mut all: Vec<(String, Evidence)> = files
        .map(|file| {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, Evidence::parse(&text).unwrap())
        })
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

/// Whether the evidence in a home proves that two histories were signed.
fn convicts(w: &World, who: &str) -> bool {
    let all = evidence(w, who);
    let proves = |one: &Evidence, other: &Evidence| {
        let verdict = check_fork(one, other).unwrap();
        matches!(
            verdict,
            ForkVerdict::Forked { .. } | ForkVerdict::RolledBack { .. }
        )
    };
    assert_eq!(all.len(), 2, "{all:?}");
    proves(&all[0].1, &all[1].1)
}

#[test]
fn an_old_copy_of_the_home_is_found_out_and_falls_silent() {
    let (w, serving, _) = agreed(&[]);
    let (blocks, heads) = addresses(&w, "ada");
    let ids: Vec<String> = seen(&w).into_iter().collect();
    assert_eq!(open(&w, &ids[0]).code, 0);
    serving.interrupt();
    copy(&w.path("ada"), &w.path("old"));
    let serving = Serving::at(&w, "ada", &blocks, &heads);
    assert_eq!(open(&w, &ids[1]).code, 0);
    serving.interrupt();

    let serving = Serving::at(&w, "old", &blocks, &heads);
    let before = std::fs::read(w.path("old").join("head")).unwrap();
    let ran = refused(&w, "bo", &["record", "get", &ids[0], "--from", "ada"], 9);
    assert!(ran.err.contains("audit check-fork"), "{}", ran.err);
    assert!(convicts(&w, "bo"), "anyone can see it");
    // the node noticed it, too, and gives out nothing any more, not even when it is started again
    let old = evidence(&w, "old");
    assert_eq!(old.len(), 2, "{old:?}");
    let ran = refused(&w, "bo", &["record", "get", &ids[0], "--from", "ada"], 9);
    assert!(ran.err.contains("answers nothing more"), "{}", ran.err);
    let halted = &w.json("old", &["status"])[0]["node"]["access"]["halted"];
    assert_eq!(*halted, true);
    serving.interrupt();
    let serving = Serving::at(&w, "old", &blocks, &heads);
    refused(&w, "bo", &["record", "get", &ids[0], "--from", "ada"], 9);
    assert_eq!(std::fs::read(w.path("old").join("head")).unwrap(), before);
    let doctor = w.run("old", &["doctor"]);
    assert_eq!(doctor.code, 9);
    assert!(doctor.out.contains("history"), "{}", doctor.out);
    serving.interrupt();

    // with the newest copy, and the evidence in it, all is well
    copy(
        &w.path("old").join("evidence"),
        &w.path("ada").join("evidence"),
    );
    let _serving = Serving::at(&w, "ada", &blocks, &heads);
    assert_eq!(open(&w, &ids[0]).code, 0);
    healthy(&w, "ada");
}

#[test]
fn two_copies_of_a_home_serve_two_people() {
    let w = World::of(&["ada", "bo", "cy"]);
    let file = w.file("first.json", crate::world::bundle(&[lab("a"), lab("bb")]));
    w.ok("ada", &["record", "add", &file]);
    w.introduce("ada", "bo");
    w.introduce("ada", "cy");
    let serving = Serving::start(&w, "ada");
    for who in ["bo", "cy"] {
        let (grant, ticket) = offer(&w, who, &[], &format!("ticket-{who}"));
        w.ok(who, &["inbox", "accept", &ticket]);
        w.ok(who, &["agreement", "accept", &grant]);
    }
    let (blocks, heads) = addresses(&w, "ada");
    w.ok("bo", &["inbox", "sync"]);
    let id = seen(&w).into_iter().next().unwrap();
    serving.interrupt();
    copy(&w.path("ada"), &w.path("twin"));
    let get = |who: &str| w.run(who, &["record", "get", &id, "--from", "ada"]);
    let serving = Serving::at(&w, "ada", &blocks, &heads);
    assert_eq!(get("bo").code, 0);
    serving.interrupt();
    let serving = Serving::at(&w, "twin", &blocks, &heads);
    assert_eq!(get("cy").code, 0);
    assert_eq!(get("cy").code, 0);
    // Bo meets the other history, of which neither is shorter by accident
    let ran = get("bo");
    assert_eq!(ran.code, 9, "{}", ran.err);
    assert!(convicts(&w, "bo"));
    serving.interrupt();
    let _serving = Serving::at(&w, "ada", &blocks, &heads);
    let ran = get("cy");
    assert_eq!(ran.code, 9, "{}", ran.err);
    assert!(convicts(&w, "cy"));
}
