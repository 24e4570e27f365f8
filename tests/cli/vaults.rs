//! Making, recovering and looking after a vault.

use crate::world::{World, bundle, observation};

#[test]
fn init_makes_a_vault_and_says_its_words_once() {
    let w = World::new();
    let ran = w.run("a", &["init", "--name", "Ada", "--work-factor", "10"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("vault "));
    assert!(ran.err.contains("24. "));
    assert!(!ran.out.contains("24. "));
    let status = &w.json("a", &["status"])[0];
    assert_eq!(status["name"], "Ada");
    assert_eq!(status["records"], 0);
    assert_eq!(status["log_entries"], 1);
}

#[test]
fn the_words_and_the_blocks_bring_it_back() {
    let w = World::new();
    let words = w.path("words");
    let words = words.to_str().unwrap();
    w.ok(
        "a",
        &[
            "init",
            "--name",
            "Ada",
            "--work-factor",
            "10",
            "--words-out",
            words,
        ],
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(words).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let file = w.file("b.json", bundle(&[observation("x", "laboratory", None)]));
    w.ok("a", &["record", "add", &file]);
    let before = w.json("a", &["record", "list"]);
    let blocks = w.path("a").join("blocks");
    let blocks = blocks.to_str().unwrap();
    let recover = |who: &str, words: &str| {
        let mut all = vec![
            "init",
            "--recover",
            "--words-file",
            words,
            "--work-factor",
            "10",
        ];
        all.extend(["--blocks", blocks]);
        w.run(who, &all)
    };
    let again = recover("b", words);
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!(w.json("b", &["record", "list"]), before);
    assert_eq!(w.json("b", &["status"])[0]["name"], "Ada");
    w.ok("b", &["audit", "verify"]);
    w.ok("b", &["doctor", "--deep"]);

    let other = w.path("other");
    w.ok(
        "c",
        &[
            "init",
            "--work-factor",
            "10",
            "--words-out",
            other.to_str().unwrap(),
        ],
    );
    let wrong = recover("d", other.to_str().unwrap());
    assert_eq!(wrong.code, 3, "{}", wrong.err);
    assert!(!w.path("d").exists(), "init is all or nothing");
    let typo = w.file("typo", "abandon abandon");
    assert_eq!(recover("d", &typo).code, 5);
}

#[test]
fn the_card_shows_without_a_passphrase() {
    let w = World::of(&["a"]);
    std::fs::remove_file(w.path("pass")).unwrap();
    let card = w.ok("a", &["identity", "show", "--card", "-"]);
    assert!(card.starts_with("medvault-card:"));
    assert_eq!(card.lines().count(), 1);
    let shown = &w.json("a", &["identity", "show"])[0];
    assert_eq!(
        shown["fingerprint"].as_str().unwrap().split(' ').count(),
        12
    );
    let vault = shown["vault"].as_str().unwrap();
    assert_eq!(shown["verify"], format!("medvault-verify:{vault}"));
    assert!(w.ok("a", &["identity", "show", "--qr"]).contains('█'));
    let path = w.path("my.card");
    let path = path.to_str().unwrap();
    w.ok("a", &["identity", "show", "--card", path]);
    assert_eq!(std::fs::read_to_string(path).unwrap(), card);
    assert_eq!(w.run("a", &["identity", "show", "--card", path]).code, 1);
}

#[test]
fn the_passphrase_changes() {
    let w = World::of(&["a"]);
    let new = w.file("new", "battery staple\n");
    w.ok(
        "a",
        &[
            "identity",
            "passphrase",
            "--new-passphrase-file",
            &new,
            "--work-factor",
            "10",
        ],
    );
    assert_eq!(w.run("a", &["status"]).code, 5);
    w.ok("a", &["status", "--passphrase-file", &new]);
    // the command line comes before the environment
    let command = format!("cat {new}; echo more");
    w.ok("a", &["status", "--passphrase-command", &command]);
    let failing = w.run("a", &["status", "--passphrase-command", "exit 1"]);
    assert_eq!(failing.code, 5, "{}", failing.err);
}

#[test]
fn doctor_finds_a_damaged_block_and_leftovers() {
    let w = World::of(&["a"]);
    let file = w.file("scan.bin", vec![7; 300_000]);
    w.ok("a", &["record", "add", &file]);
    let checks = w.json("a", &["doctor", "--deep"]);
    let verdict = |checks: &[serde_json::Value], name: &str| {
        let found = checks.iter().find(|c| c["check"] == name).unwrap();
        found["verdict"].as_str().unwrap().to_owned()
    };
    for name in [
        "home",
        "permissions",
        "leftovers",
        "identity",
        "blocks",
        "audit log",
    ] {
        assert_eq!(verdict(&checks, name), "ok", "{name}");
    }
    assert_eq!(verdict(&checks, "passphrase"), "warn");
    w.file("a/.head.0011.tmp", "x");
    assert_eq!(verdict(&w.json("a", &["doctor"]), "leftovers"), "warn");

    let segment = w.path("a").join("blocks/segment-00000001.car");
    let segment = if segment.exists() {
        segment
    } else {
        w.path("a").join("blocks/segment-00000000.car")
    };
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.len() / 3;
    for byte in &mut bytes[at..at + 1000] {
        *byte ^= 1;
    }
    std::fs::write(&segment, bytes).unwrap();
    let ran = w.run("a", &["doctor", "--deep", "--json"]);
    assert_eq!(ran.code, 9, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains(r#""verdict":"fail""#));
}

#[test]
fn completions_and_manual_pages() {
    let w = World::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(w.ok("a", &["completions", shell]).contains("medvault"));
    }
    assert!(w.ok("a", &["man"]).contains(".TH medvault"));
    let folder = w.path("man");
    w.ok("a", &["man", folder.to_str().unwrap()]);
    assert!(folder.join("medvault-record-add.1").is_file());
}

#[test]
fn the_head_is_shown_and_exported_as_it_is() {
    let w = World::of(&["ada"]);
    let shown = &w.json("ada", &["head", "show"])[0];
    assert_eq!(shown["seq"], w.json("ada", &["status"])[0]["head_seq"]);
    assert!(shown["name"].as_str().unwrap().starts_with("k51"));
    let text = w.ok("ada", &["head", "show"]);
    assert!(text.contains(shown["cid"].as_str().unwrap()), "{text}");
    let kept = std::fs::read(w.path("ada").join("head")).unwrap();
    let file = w.path("exported");
    let path = file.to_str().unwrap();
    w.ok("ada", &["head", "export", path]);
    assert_eq!(std::fs::read(&file).unwrap(), kept);
    assert_eq!(w.run("ada", &["head", "export", path]).code, 1);
    w.ok("ada", &["head", "export", path, "--force"]);
    let piped = w.command("ada", &["head", "export", "-"]).output().unwrap();
    assert_eq!(piped.stdout, kept);
    // nobody is asked unless somebody is named
    let ran = w.run("ada", &["head", "publish"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("--routing"), "{}", ran.err);
    let ran = w.run("ada", &["head", "publish", "--routing", "ftp://x"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
}
