//! Pipes, sockets, links that lead nowhere, and names that speak to the terminal.

use std::process::{Command, Stdio};

use super::feed::{counts, feed, take};
use crate::world::World;

#[test]
fn what_is_no_file() {
    let w = World::of(&["a"]);
    w.file("in/a.txt", "a");
    w.file("in/x\u{1b}[31m\nrefused: y.json", "{");
    std::os::unix::fs::symlink("nothing", w.path("in/dangling")).unwrap();
    std::os::unix::fs::symlink(".", w.path("in/circle")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(w.path("in/socket")).unwrap());
    let report = take(&w, "in");
    assert_eq!(counts(&report), (1, 3), "{report}");
    let ran = w.run("a", &["record", "add", "in", "--color", "always"]);
    assert!(!ran.err.contains("\u{1b}[31m\n"), "{}", ran.err);
    assert!(!ran.err.contains("\nrefused: y.json"), "{}", ran.err);
}

#[test]
fn a_pipe_in_a_folder_is_not_waited_for() {
    let w = World::of(&["a"]);
    w.file("in/a.txt", "a");
    assert!(
        Command::new("mkfifo")
            .arg(w.path("in/pipe"))
            .status()
            .unwrap()
            .success()
    );
    let report = take(&w, "in");
    assert_eq!(counts(&report), (1, 1), "{report}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_with_a_name_is_read_once_and_wholly() {
    let w = World::of(&["a"]);
    for len in [1000, 300_000, 40 << 20] {
        let content: Vec<u8> = (0..len).map(|i: u32| (i % 251) as u8).collect();
        let file = w.file("content", &content);
        let mut cat = Command::new("cat")
            .arg(file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pipe = cat.stdout.take().unwrap();
        let report = feed(&w, &["/dev/stdin"], pipe.into());
        cat.wait().unwrap();
        assert_eq!(counts(&report), (1, 0), "{report}");
        let list = w.json("a", &["record", "list"]);
        assert!(
            list.iter().any(|r| r["bytes"] == len),
            "not all of {len} bytes"
        );
    }
}
