//! What the vault's work costs, each figure beside a yardstick measured in the same run.
//!
//! Run with `cargo bench -p vault-core --bench costs -- [--quick] [--only NAME] [--dir DIR] [--json]`.
//! See `benches/README.md`.

mod access;
mod add;
mod child;
mod data;
mod read;
mod share;
mod table;
mod tools;
mod world;

use std::path::PathBuf;

use table::Table;

/// What may go wrong in a benchmark.
type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Sizes, places and repetitions of one run.
struct Plan {
    quick: bool,
    only: Option<String>,
    dir: PathBuf,
    /// Repetitions of what takes seconds.
    runs: usize,
    /// Repetitions of what takes milliseconds.
    short_runs: usize,
    /// Length of the large file, in bytes.
    large: u64,
    /// Count of small resources.
    small: usize,
}

/// Measures something and adds its rows.
type Part = fn(&Plan, &mut Table) -> Fallible<()>;

/// The parts of the run, by the name that `--only` takes.
const PARTS: [(&str, Part); 11] = [
    ("add", add::large),
    ("memory", add::memory),
    ("small", add::small),
    ("grant", share::grant),
    ("revoke", share::revoke),
    ("rekey", share::rekey),
    ("list", read::list),
    ("range", read::range),
    ("open", read::open),
    ("access", access::on_request),
    ("log", access::long_log),
];

fn main() -> Fallible<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().map(String::as_str) == Some(child::WORD) {
        return child::run(&args[1..]);
    }
    // `cargo test --benches` starts this too, without the word that `cargo bench` adds
    if !args.iter().any(|arg| arg == "--bench") {
        println!("not a test: run it with `cargo bench -p vault-core --bench costs`");
        return Ok(());
    }
    let flag = |name: &str| args.iter().any(|arg| arg == name);
    let value = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1).cloned()
    };
    let only = value("--only");
    if let Some(name) = &only
        && PARTS.iter().all(|(part, _)| part != name)
    {
        let names: Vec<&str> = PARTS.iter().map(|(part, _)| *part).collect();
        return Err(format!("--only takes one of: {}", names.join(", ")).into());
    }
    let dir = match value("--dir") {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let quick = flag("--quick");
    let plan = Plan {
        quick,
        only,
        dir: dir.path().to_owned(),
        runs: if quick { 2 } else { 5 },
        short_runs: if quick { 3 } else { 11 },
        large: if quick { 32 << 20 } else { 1 << 30 },
        small: if quick { 500 } else { 10_000 },
    };
    let mut table = Table::new(flag("--json"));
    for (name, part) in PARTS {
        if plan.only.as_ref().is_none_or(|only| only == name) {
            part(&plan, &mut table)?;
        }
    }
    table.finish();
    Ok(())
}
