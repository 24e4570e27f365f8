//! What it costs to take files in, and to find records again, each figure beside a yardstick measured
//! in the same run.
//!
//! Run with `cargo bench -p vault-formats --bench imports -- [--quick] [--only NAME] [--dir DIR]`.
//! See `benches/README.md`.

#[path = "../costs/data.rs"]
#[allow(dead_code)] // the other benchmark uses all of it
mod data;
mod files;
mod find;
#[path = "../costs/table.rs"]
#[allow(dead_code)]
mod table;
#[path = "../costs/world.rs"]
#[allow(dead_code)]
mod world;

use std::path::PathBuf;

use table::Table;

/// What may go wrong in a benchmark.
type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The first argument of a child: this program, started again to be measured alone.
const CHILD: &str = "child";

/// Sizes and places of one run.
struct Plan {
    dir: PathBuf,
    runs: usize,
    /// Length of the Apple Health export, in bytes.
    export: u64,
    /// Records to find among.
    records: usize,
}

/// Measures something and adds its rows.
type Part = fn(&Plan, &mut Table) -> Fallible<()>;

const PARTS: [(&str, Part); 3] = [
    ("samples", files::samples),
    ("apple", files::apple),
    ("find", find::find),
];

fn main() -> Fallible<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().map(String::as_str) == Some(CHILD) {
        return files::child(&args[1..]);
    }
    // `cargo test --benches` starts this too, without the word that `cargo bench` adds
    if !args.iter().any(|arg| arg == "--bench") {
        println!("not a test: run it with `cargo bench -p vault-formats --bench imports`");
        return Ok(());
    }
    let value = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1).cloned()
    };
    let only = value("--only");
    if let Some(name) = &only
        && PARTS.iter().all(|(part, _)| part != name)
    {
        return Err("--only takes one of: samples, apple, find".into());
    }
    let dir = match value("--dir") {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let quick = args.iter().any(|arg| arg == "--quick");
    let plan = Plan {
        dir: dir.path().to_owned(),
        runs: if quick { 2 } else { 5 },
        export: if quick { 16 << 20 } else { 1 << 30 },
        records: if quick { 2_000 } else { 100_000 },
    };
    let mut table = Table::new(args.iter().any(|arg| arg == "--json"));
    for (name, part) in PARTS {
        if only.as_ref().is_none_or(|only| only == name) {
            part(&plan, &mut table)?;
        }
    }
    table.finish();
    Ok(())
}
