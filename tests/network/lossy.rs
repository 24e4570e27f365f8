//! Reading over a bad line: 50 ms there and back, one packet in a hundred lost.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::link::{ENDS, Link};
use crate::people::*;
use crate::serving::Serving;
use crate::world::{Ran, bundle};

/// Length of the image that is read, in bytes.
const IMAGE: usize = 4 << 20;

#[test]
fn a_grant_is_read_over_a_bad_line() {
    let Some(link) = Link::new(25, 1) else { return };
    let w = ada_and_bo();
    let many: Vec<String> = (1..300).map(|n| lab(&format!("r{n}"))).collect();
    let file = w.file("many.json", bundle(&many));
    w.ok("ada", &["record", "add", &file]);
    // no pattern, so nothing on the way can shorten it
    let mut state = 1_u64;
    let image: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(IMAGE)
    .collect();
    let image_id = add(&w, "ada", "scan.bin", &image);

    let [blocks, heads] = [
        format!("/ip4/{}/tcp/4810", ENDS[0]),
        format!("{}:4811", ENDS[0]),
    ];
    let serve = [
        "serve",
        "--json",
        "--listen",
        &blocks,
        "--listen-heads",
        &heads,
    ];
    let _serving = Serving::spawn(link.at(0, &w.command("ada", &serve)));
    let (_, ticket) = share(&w, &["--all"], "ticket");

    let bo = |arguments: &[&str]| {
        let begun = Instant::now();
        let mut command = link.at(1, &w.command("bo", arguments));
        let ran = Ran::new(command.stdin(Stdio::null()).output().unwrap());
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
        begun.elapsed()
    };
    let listed = bo(&["inbox", "accept", &ticket]);
    let all = bo(&["inbox", "sync", "--contents"]);
    println!(
        "50 ms and 1 % loss: the list after {listed:.1?}, {} KiB/s for everything",
        IMAGE as u128 / 1024 * 1000 / all.as_millis()
    );
    assert_eq!(get(&w, "bo", &image_id), image);
    assert_eq!(seen(&w).len(), 299 + 4);
    // a handful of round trips, not one for each record
    assert!(listed < Duration::from_secs(20), "{listed:?}");
    assert!(all < Duration::from_secs(120), "{all:?}");
}
