//! Files for the command, while its memory is watched.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{Ran, World, observation};

/// Most memory that an import may take, in KiB (256 MiB).
const MAX_MEMORY: u64 = 256 << 10;
/// Longest that a command may take, even on a slow machine.
const MAX_TIME: Duration = Duration::from_secs(300);

/// Runs a command to its end; fails when it takes too long or too much memory, or dies by a signal.
fn watched(w: &World, mut command: Command) -> Ran {
    let file = |name| std::fs::File::create(w.path(name)).unwrap();
    command.stdout(file("out")).stderr(file("err"));
    let mut child = command.spawn().unwrap();
    let begun = Instant::now();
    let mut peak = 0;
    let status = loop {
        peak = peak.max(memory(child.id()));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > MAX_TIME {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it hangs: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(3));
    };
    let text = |name| std::fs::read_to_string(w.path(name)).unwrap();
    let (out, err) = (text("out"), text("err"));
    assert!(!err.contains("panicked"), "{err}");
    assert!(peak <= MAX_MEMORY, "{} MiB: {command:?}", peak >> 10);
    let code = status.code().expect("no end by a signal");
    Ran { code, out, err }
}

/// The most memory that a process has had, in KiB; 0 where the system does not say.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

/// Adds files between two good ones. The exit code is 4 exactly when something was refused, and the
/// good ones are in. Gives the report.
pub fn feed(w: &World, names: &[&str], stdin: Stdio) -> Value {
    let known = w.json("a", &["record", "list"]).len();
    let good: Vec<String> = (0..2).map(|i| format!("good-{known}-{i}")).collect();
    for id in &good {
        w.file(&format!("{id}.json"), observation(id, "laboratory", None));
    }
    let (first, last) = (format!("{}.json", good[0]), format!("{}.json", good[1]));
    let mut arguments = vec!["record", "add", "--json", &first];
    arguments.extend(names);
    arguments.push(&last);
    let mut command = w.command("a", &arguments);
    command.stdin(stdin);
    let ran = watched(w, command);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let refused = report["refused"].as_array().unwrap();
    let code = if refused.is_empty() { 0 } else { 4 };
    assert_eq!(ran.code, code, "{names:?}: {} {}", ran.out, ran.err);
    for remark in refused {
        assert!(!remark["file"].as_str().unwrap().is_empty(), "{remark}");
        assert!(!remark["why"].as_str().unwrap().is_empty(), "{remark}");
    }
    let list = w.json("a", &["record", "list"]);
    for id in good {
        let title = format!("Test {id}");
        assert!(list.iter().any(|r| r["title"] == title[..]), "{names:?}");
    }
    report
}

/// What was added beside the good ones, and how much was refused.
pub fn counts(report: &Value) -> (u64, usize) {
    let refused = report["refused"].as_array().unwrap().len();
    (report["added"].as_u64().unwrap() - 2, refused)
}

/// Adds a file.
pub fn take(w: &World, name: &str) -> Value {
    feed(w, &[name], Stdio::null())
}

/// Adds a file that is refused as a whole or in `refused` parts.
pub fn refused(w: &World, name: &str, content: impl AsRef<[u8]>, expected: (u64, usize)) {
    w.file(name, content);
    let report = take(w, name);
    assert_eq!(counts(&report), expected, "{name}: {report}");
}

/// Adds a file that must be kept as it is, and nothing else of it but what is derived.
pub fn kept(w: &World, name: &str, content: impl AsRef<[u8]>) -> Value {
    w.file(name, &content);
    let report = take(w, name);
    assert_eq!(counts(&report), (1, 0), "{name}: {report}");
    same(w, name, content.as_ref());
    report
}

/// The one original of this name comes out byte for byte.
pub fn same(w: &World, name: &str, content: &[u8]) {
    let list = w.json("a", &["record", "list"]);
    let mut originals = list
        .iter()
        .filter(|r| r["file"] == name && r["origin"].is_null());
    let record = originals.next().unwrap()["record"].as_str().unwrap();
    assert!(originals.next().is_none(), "{name} twice");
    let got = w.path("got");
    w.ok("a", &["record", "get", record, "--force", "-o", "got"]);
    assert!(std::fs::read(got).unwrap() == content, "{name} has changed");
}

/// A file of so many MiB of one byte, between a beginning and an end.
pub fn long(w: &World, name: &str, (front, fill, end): (&str, u8, &str), mebibytes: usize) {
    let mut file = std::fs::File::create(w.path(name)).unwrap();
    let chunk = vec![fill; 1 << 20];
    file.write_all(front.as_bytes()).unwrap();
    (0..mebibytes).for_each(|_| file.write_all(&chunk).unwrap());
    file.write_all(end.as_bytes()).unwrap();
}
