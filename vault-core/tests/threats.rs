//! The tests that `docs/THREATS.md` names exist.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

use std::fs;
use std::path::Path;

/// All Rust sources under `folder`, joined.
fn sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                sources(&path, all);
            }
        } else if name.ends_with(".rs") {
            all.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// The names in the last column of the table's rows, between backticks.
fn named(text: &str) -> Vec<&str> {
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| ") && line.ends_with(" |"));
    let cells = rows.filter_map(|row| row.trim_end_matches(" |").rsplit("| ").next());
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn every_test_that_the_threats_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("docs/THREATS.md")).unwrap();
    let mut all = String::new();
    sources(&root, &mut all);
    let names = named(&text);
    assert!(names.len() > 50, "the table was not read");
    for name in names {
        assert!(all.contains(&format!("fn {name}(")), "no test {name}");
    }
}
