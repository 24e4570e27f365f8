//! A program in another language, written from the specification alone, reads what we write.
//!
//! `examples/second-reader/check.sh` compares everything it reads with the originals and with what
//! the command says. Without `go` the test is skipped, except where `CI` is set.

use std::path::Path;
use std::process::Command;

use crate::tools;

#[test]
fn the_second_reader_reads_everything() {
    if !tools::available(&[("go", "version")]) {
        return;
    }
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/second-reader/check.sh"
    );
    assert!(Path::new(script).is_file());
    let output = Command::new("sh")
        .args([script, env!("CARGO_BIN_EXE_medvault")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        said.lines().filter(|line| line.starts_with("ok: ")).count() > 30,
        "{said}"
    );
}
