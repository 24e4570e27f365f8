//! Records: in, shown, out.

use crate::world::{World, bundle, observation};

#[test]
fn what_goes_in_comes_out_byte_for_byte() {
    let w = World::of(&["a"]);
    let resource = observation("one", "laboratory", None);
    let spaced = resource.replace(r#""status":"#, "\n  \"status\" :\t");
    w.file(
        "in/b.json",
        bundle(&[spaced.clone(), observation("two2", "vital-signs", None)]),
    );
    let lines = format!(
        "{}\n{}\n",
        observation("l", "laboratory", None),
        observation("m", "x", None)
    );
    w.file("in/deep/lines.ndjson", lines);
    let pdf: Vec<u8> = (0..700_000u32).map(|i| (i / 3) as u8).collect();
    w.file("in/scan.dat", &pdf);
    w.file("in/.hidden", "x");
    let folder = w.path("in");
    let added = w.ok("a", &["record", "add", folder.to_str().unwrap()]);
    assert_eq!(added, "5 records added\n");

    let list = w.json("a", &["record", "list"]);
    assert_eq!(list.len(), 5);
    let get = |title: &str| {
        let entry = list
            .iter()
            .find(|e| e["title"].as_str().unwrap().contains(title))
            .unwrap();
        let id = entry["record"].as_str().unwrap();
        let path = w.path(&format!("out-{id}"));
        w.ok(
            "a",
            &["record", "get", &id[..10], "-o", path.to_str().unwrap()],
        );
        std::fs::read(path).unwrap()
    };
    assert_eq!(get("Test one"), spaced.as_bytes());
    assert!(get("scan.dat") == pdf);

    let again = w.ok("a", &["record", "add", folder.to_str().unwrap()]);
    assert_eq!(again, "0 records added, 5 already there\n");
    assert_eq!(w.json("a", &["status"])[0]["log_entries"], 2);
}

#[test]
fn a_dry_run_changes_nothing() {
    let w = World::of(&["a"]);
    let one = observation("one", "laboratory", None);
    let file = w.file(
        "b.json",
        bundle(&[one.clone(), one, observation("two2", "x", None)]),
    );
    let scan = w.file("scan.dat", vec![1; 100_000]);
    let out = w.ok("a", &["record", "add", "--dry-run", &file, &scan]);
    assert_eq!(out, "3 records would be added, 1 already there\n");
    assert!(w.json("a", &["record", "list"]).is_empty());
    w.ok("a", &["record", "add", &file, &scan]);
    let out = w.ok("a", &["record", "add", "--dry-run", &file, &scan]);
    assert_eq!(out, "0 records would be added, 4 already there\n");
}

#[test]
fn standard_input_is_a_file_too() {
    let w = World::of(&["a"]);
    let ran = w.pipe(
        "a",
        &["record", "add", "-", "--name", "../x/letter.txt"],
        b"Dear Ada",
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    let entry = &w.json("a", &["record", "list"])[0];
    assert_eq!(entry["title"], "letter.txt");
    let shown = &w.json("a", &["record", "show", entry["record"].as_str().unwrap()])[0];
    assert_eq!(shown["file"], "letter.txt");
    let out = w.ok("a", &["record", "get", entry["record"].as_str().unwrap()]);
    assert_eq!(out, "Dear Ada");
}

#[test]
fn lists_are_filtered() {
    let w = World::of(&["a"]);
    let file = w.file(
        "b.json",
        bundle(&[
            observation("a", "laboratory", None),
            observation("bb", "vital-signs", None),
            observation("ccc", "laboratory", Some("PSY")),
        ]),
    );
    let note = w.file("note.txt", "hello");
    w.ok("a", &["record", "add", &file, &note]);
    let count = |arguments: &[&str]| {
        let all: Vec<&str> = ["record", "list"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        w.json("a", &all).len()
    };
    assert_eq!(count(&[]), 4);
    assert_eq!(count(&["--category", "lab"]), 2);
    assert_eq!(count(&["--kind", "Document"]), 1);
    assert_eq!(count(&["--label", "PSY"]), 1);
    assert_eq!(count(&["--since", "2024-03-03"]), 2);
    assert_eq!(count(&["--until", "2024-03-02"]), 1);
    assert_eq!(count(&["--text", "TEST bb"]), 1);
    assert_eq!(
        w.run("a", &["record", "list", "--category", "nonsense"])
            .code,
        2
    );
}

#[test]
fn versions_and_removal() {
    let w = World::of(&["a"]);
    let file = w.file("o.json", observation("a", "laboratory", None));
    w.ok("a", &["record", "add", &file]);
    let id = w.json("a", &["record", "list"])[0]["record"]
        .as_str()
        .unwrap()
        .to_owned();
    let newer = w.file("o2.json", observation("aa", "laboratory", None));
    w.ok("a", &["record", "update", &id, &newer]);
    assert!(
        w.ok("a", &["record", "update", &id, &newer])
            .contains("nothing was added")
    );
    let text = w.file("o.txt", "not an observation");
    assert_eq!(w.run("a", &["record", "update", &id, &text]).code, 1);
    assert_eq!(w.json("a", &["record", "list"]).len(), 1);
    assert_eq!(w.json("a", &["record", "list", "--all-versions"]).len(), 2);
    let shown = &w.json("a", &["record", "show", &id])[0];
    let first = shown["versions"][0]["version"].as_str().unwrap();
    let old = w.ok("a", &["record", "get", &id, "--version", first]);
    assert_eq!(old, observation("a", "laboratory", None));
    assert_eq!(
        w.ok("a", &["record", "get", &id]),
        observation("aa", "laboratory", None)
    );

    let unasked = w.run("a", &["record", "remove", &id]);
    assert_eq!(unasked.code, 2);
    w.ok("a", &["record", "remove", &id, "--yes"]);
    assert!(w.json("a", &["record", "list"]).is_empty());
    assert_eq!(w.run("a", &["record", "show", &id]).code, 3);
    w.ok("a", &["doctor", "--deep"]);
}

#[test]
fn files_are_not_overwritten_unasked() {
    let w = World::of(&["a"]);
    let file = w.file("x.txt", "hello");
    w.ok("a", &["record", "add", &file]);
    let id = w.json("a", &["record", "list"])[0]["record"]
        .as_str()
        .unwrap()
        .to_owned();
    let target = w.file("target", "precious");
    assert_eq!(w.run("a", &["record", "get", &id, "-o", &target]).code, 1);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
    w.ok("a", &["record", "get", &id, "-o", &target, "--force"]);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "hello");
}

#[test]
fn a_whole_file_can_be_kept_as_one_document() {
    let w = World::of(&["a"]);
    let content = bundle(&[observation("a", "x", None), observation("bb", "x", None)]);
    let file = w.file("b.json", &content);
    w.ok("a", &["record", "add", "--as-document", &file]);
    let list = w.json("a", &["record", "list"]);
    assert_eq!(list.len(), 1);
    assert_eq!(list[0]["kind"], "Document");
    assert_ne!(list[0]["labels"].as_array().unwrap().len(), 0);
    assert_eq!(
        w.ok("a", &["record", "get", list[0]["record"].as_str().unwrap()]),
        content
    );
}
