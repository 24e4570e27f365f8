//! Bad input: a clear error, a hint, an exit code, and nothing lost.

use crate::world::{World, bundle, observation, snapshot};

#[test]
fn wrong_passphrase() {
    let w = World::of(&["a"]);
    let before = snapshot(&w.path("a"));
    let wrong = w.file("wrong", "wrong");
    let ran = w.run("a", &["status", "--passphrase-file", &wrong]);
    insta::assert_snapshot!(ran.error(&w), @r"
    exit 5
    medvault: error: wrong passphrase
    hint: try again; without it, `medvault init --recover` takes the 24 words
    ");
    assert_eq!(snapshot(&w.path("a")), before);
    let empty = w.file("empty", "\n");
    assert_eq!(w.run("a", &["status", "--passphrase-file", &empty]).code, 5);
}

#[test]
fn errors_as_json() {
    let w = World::new();
    let ran = w.run("a", &["status", "--json"]);
    assert_eq!(ran.code, 6);
    assert_eq!(ran.out, "");
    let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(error["exit"], 6);
    assert_eq!(error["error"]["code"], "no-home");
    assert!(error["error"]["hint"].is_string());
    let usage = w.run("a", &["--json", "nonsense"]);
    let error: serde_json::Value = serde_json::from_str(&usage.err).unwrap();
    assert_eq!((usage.code, &error["exit"]), (2, &2.into()));
}

#[test]
fn no_home_and_a_home_that_is_there() {
    let w = World::of(&["a"]);
    insta::assert_snapshot!(w.run("b", &["record", "list"]).error(&w), @r"
    exit 6
    medvault: error: there is no vault here
    hint: `medvault init` makes one; `--home DIR` names another place
    ");
    let before = snapshot(&w.path("a"));
    insta::assert_snapshot!(w.run("a", &["init"]).error(&w), @r"
    exit 6
    medvault: error: there is a vault already in FOLDER/a
    hint: `--home DIR` names another place
    ");
    assert_eq!(snapshot(&w.path("a")), before);
    w.file("full/x", "x");
    insta::assert_snapshot!(w.run("full", &["init"]).error(&w), @r"
    exit 6
    medvault: error: FOLDER/full is not empty, and holds no vault
    hint: `--home DIR` names another place
    ");
}

#[test]
fn a_home_of_a_newer_version() {
    let w = World::of(&["a"]);
    let format = w.path("a").join("format");
    let text = std::fs::read_to_string(&format).unwrap();
    std::fs::write(&format, text.replace('1', "7")).unwrap();
    for command in [&["status"][..], &["init"], &["identity", "show"]] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(w.run("a", command).error(&w), @r"
            exit 6
            medvault: error: the home is of format 7, newer than this program (1)
            hint: use a medvault at least as new as the one that wrote the home
            ");
        }
    }
}

#[test]
fn a_half_written_head_or_identity() {
    let w = World::of(&["a"]);
    for name in ["head", "identity.age"] {
        let path = w.path("a").join(name);
        let whole = std::fs::read(&path).unwrap();
        for len in [0, 1, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..len]).unwrap();
            let ran = w.run("a", &["status"]);
            assert_eq!(ran.code, 9, "{name} cut to {len}: {}", ran.err);
            assert!(ran.err.contains("hint: "), "{}", ran.err);
        }
        std::fs::write(&path, &whole).unwrap();
        w.ok("a", &["status"]);
    }
    std::fs::remove_file(w.path("a").join("identity.age")).unwrap();
    assert_eq!(w.run("a", &["status"]).code, 6);
    assert_eq!(w.run("a", &["doctor"]).code, 9);
}

#[test]
fn a_home_in_use() {
    let w = World::of(&["a"]);
    let file = w.file("x.txt", "hello");
    let lock = std::fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(w.path("a").join("lock"))
        .unwrap();
    lock.lock().unwrap();
    w.ok("a", &["record", "list"]);
    let ran = w.run("a", &["record", "add", &file]);
    insta::assert_snapshot!(ran.error(&w), @r"
    exit 6
    medvault: error: the home is in use by another command
    hint: wait until the other command is done and run this one again
    ");
    lock.unlock().unwrap();
    w.ok("a", &["record", "add", &file]);
}

#[test]
fn two_commands_at_once_both_succeed() {
    let w = World::of(&["a"]);
    let files: Vec<String> = (0..4)
        .map(|i| w.file(&format!("{i}.txt"), format!("text {i}")))
        .collect();
    std::thread::scope(|scope| {
        for file in &files {
            scope.spawn(|| w.ok("a", &["record", "add", file]));
        }
    });
    assert_eq!(w.json("a", &["record", "list"]).len(), 4);
    w.ok("a", &["audit", "verify"]);
}

#[test]
fn broken_parts_are_named_and_the_rest_is_added() {
    let w = World::of(&["a"]);
    let bundle = bundle(&[
        observation("a", "x", None),
        "7".into(),
        observation("bb", "x", None),
    ]);
    w.file("bundle.json", bundle);
    w.file("broken.json", r#"{"resourceType": "Patient", "id": "#);
    w.file("empty.txt", "");
    let ran = w.run(
        "a",
        &[
            "record",
            "add",
            "bundle.json",
            "broken.json",
            "empty.txt",
            "none.txt",
        ],
    );
    insta::assert_snapshot!(format!("{}\n{}", ran.error(&w), ran.out));
    assert_eq!(ran.code, 4);
    assert_eq!(w.json("a", &["record", "list"]).len(), 2);
    let none = w.run("a", &["record", "add", "none.txt", "broken.json", "--json"]);
    assert_eq!(none.code, 1);
    assert!(none.out.contains(r#""added":0"#));
}

#[cfg(unix)]
#[test]
fn an_unreadable_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let w = World::of(&["a"]);
    let secret = w.file("secret.txt", "x");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(&secret).is_ok() {
        // whoever runs this reads everything: a socket cannot be opened by anybody
        std::fs::remove_file(&secret).unwrap();
        drop(std::os::unix::net::UnixListener::bind(&secret).unwrap());
    }
    w.file("good.txt", "good");
    let ran = w.run("a", &["record", "add", "secret.txt", "good.txt"]);
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.err.contains("refused: secret.txt: "), "{}", ran.err);
}

#[test]
fn unknown_names_and_ids() {
    let w = World::of(&["a"]);
    insta::assert_snapshot!(w.run("a", &["share", "--with", "bo", "--all"]).error(&w), @r"
    exit 3
    medvault: error: no contact `bo`
    hint: `medvault contact list` shows all of them; `medvault contact add NAME FILE` adds one
    ");
    insta::assert_snapshot!(w.run("a", &["record", "get", "abcdefgh"]).error(&w), @r"
    exit 3
    medvault: error: no record `abcdefgh`
    hint: `medvault record list` shows all of them
    ");
    insta::assert_snapshot!(w.run("a", &["revoke", "abcdefgh", "--yes"]).error(&w), @r"
    exit 3
    medvault: error: no grant `abcdefgh`
    hint: `medvault grant list` shows all of them
    ");
    insta::assert_snapshot!(w.run("a", &["record", "list", "--from", "ada"]).error(&w), @r"
    exit 3
    medvault: error: nothing in the inbox is called `ada`
    hint: `medvault inbox list` shows who shares with you
    ");
}

#[test]
fn a_changed_key_is_loud() {
    let w = World::of(&["ada", "bo", "eve"]);
    w.introduce("ada", "bo");
    let before = w.json("ada", &["contact", "show", "bo"]);
    let card = w.ok("eve", &["identity", "show", "--card", "-"]);
    let eve = w.file("eve.card", card);
    let ran = w.run("ada", &["contact", "add", "bo", &eve]);
    assert_eq!(ran.code, 9);
    assert!(ran.err.contains("THE KEY OF BO HAS CHANGED"), "{}", ran.err);
    assert!(ran.err.contains("hint: ask the person"));
    assert_eq!(w.json("ada", &["contact", "show", "bo"]), before);
}

#[test]
fn cards_that_are_none() {
    let w = World::of(&["a", "b"]);
    let text = w.file("x", "hello");
    insta::assert_snapshot!(w.run("a", &["contact", "add", "bo", &text]).error(&w), @r"
    exit 1
    medvault: error: FOLDER/x: not a contact card
    hint: ask for the text that `medvault identity show --card -` prints
    ");
    let card = w.ok("b", &["identity", "show", "--card", "-"]);
    let cut = w.file("cut", &card[..card.len() / 2]);
    assert_eq!(w.run("a", &["contact", "add", "bo", &cut]).code, 9);
    assert_eq!(w.run("a", &["contact", "add", "a\nb", &text]).code, 2);
}

#[test]
fn times_that_are_none() {
    let w = World::of(&["a"]);
    insta::assert_snapshot!(
        w.run("a", &["share", "--with", "bo", "--all", "--expires", "soon"]).error(&w), @r"
    exit 2
    medvault: error: `soon` is not a time that fits here
    hint: write a duration such as 12h, 30d, 6w, 3m, 1y or a day such as 2026-12-31
    ");
    w.ok("bo", &["init", "--work-factor", "10"]);
    w.introduce("a", "bo");
    let past = w.run(
        "a",
        &["share", "--with", "bo", "--all", "--expires", "2020-01-01"],
    );
    assert_eq!(past.code, 2, "{}", past.err);
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let w = World::of(&["a"]);
    let mut shell = std::process::Command::new("sh");
    let script = format!(
        "'{}' man | head -c 10 >/dev/null",
        env!("CARGO_BIN_EXE_medvault")
    );
    let output = shell.args(["-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    drop(w);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk() {
    let w = World::of(&["a"]);
    let file = w.file("x.txt", "hello");
    w.ok("a", &["record", "add", &file]);
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let ran = w.run_into("a", &["record", "list"], full);
    insta::assert_snapshot!(ran.error(&w), @r"
    exit 6
    medvault: error: no space left on device
    hint: free some space and run the command again; nothing was lost
    ");
}
