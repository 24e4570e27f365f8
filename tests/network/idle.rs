//! What a node costs that serves and is asked nothing.

use std::time::Duration;

use crate::people::*;
use crate::serving::Serving;
use crate::world::{World, bundle};

/// The goal: 1 % of a core, in clock ticks of a hundredth of a second.
const MOST_TICKS_PER_SECOND: u64 = 1;
/// The goal, in bytes.
const MOST_MEMORY: u64 = 150 << 20;

/// Processor time so far, in clock ticks: fields 14 and 15 of `/proc/PID/stat` (proc(5)).
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let behind_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// 60 seconds on 10,000 records where `MEDVAULT_COSTS` is set, else a short look.
#[test]
#[cfg(target_os = "linux")]
fn an_idle_node_costs_next_to_nothing() {
    let long = std::env::var_os("MEDVAULT_COSTS").is_some();
    let (records, seconds) = if long { (10_000, 60) } else { (400, 10) };
    let w = World::of(&["ada", "bo"]);
    let all: Vec<String> = (0..records).map(|n| lab(&format!("n{n}"))).collect();
    let file = w.file("all.json", bundle(&all));
    w.ok("ada", &["record", "add", &file]);
    w.introduce("ada", "bo");
    w.ok(
        "ada",
        &["share", "--with", "bo", "--category", "lab", "-o", "ticket"],
    );
    let serving = Serving::start(&w, "ada");
    std::thread::sleep(Duration::from_secs(3));
    let before = ticks(serving.pid());
    std::thread::sleep(Duration::from_secs(seconds));
    let used = ticks(serving.pid()) - before;
    let memory = w.json("ada", &["status"])[0]["node"]["memory"]
        .as_u64()
        .unwrap();
    println!(
        "{records} records: {used} ticks in {seconds} s, {} MiB",
        memory >> 20
    );
    assert!(
        used <= seconds * MOST_TICKS_PER_SECOND,
        "{used} ticks in {seconds} s"
    );
    assert!(memory <= MOST_MEMORY, "{memory} bytes");
}
