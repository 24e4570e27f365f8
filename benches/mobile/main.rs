//! What the boundary costs: opening a vault, listing it, and handing over 100 MiB, from Kotlin and
//! Python beside the same calls from Rust, in one run and with one library.
//!
//! Run with `cargo bench -p vault-ffi --bench mobile -- [--quick] [--json]`. See `benches/README.md`.
#![allow(dead_code)] // parts of the other benchmarks are used here too

#[path = "../costs/data.rs"]
mod data;
mod languages;
mod rust;
#[path = "../costs/table.rs"]
mod table;
#[path = "../costs/world.rs"]
mod world;

use std::path::Path;

use table::{Row, Samples, Table};

/// What may go wrong in a benchmark.
type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Most that a cold open from another language may take of one from Rust.
const GOAL: f64 = 1.2;

/// Sizes and repetitions of one run.
pub struct Plan {
    runs: usize,
    records: usize,
    /// Bytes that are handed over.
    bytes: usize,
}

/// What was measured from one language, in seconds.
pub struct Figures {
    /// From nothing to an open vault.
    open: Samples,
    /// The first fifty records of it.
    page: Samples,
    /// All records.
    list: Samples,
    /// The bytes in one call.
    add: Samples,
    /// The bytes in pieces of 1 MiB, without a copy in between.
    stream: Samples,
    /// The bytes in a file.
    path: Samples,
}

impl Figures {
    /// These and those.
    fn with(&self, others: &Self) -> Self {
        Self {
            open: self.open.with(&others.open),
            page: self.page.with(&others.page),
            list: self.list.with(&others.list),
            add: self.add.with(&others.add),
            stream: self.stream.with(&others.stream),
            path: self.path.with(&others.path),
        }
    }
}

fn main() -> Fallible<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` starts this too, without the word that `cargo bench` adds
    if !args.iter().any(|arg| arg == "--bench") {
        println!("not a test: run it with `cargo bench -p vault-ffi --bench mobile`");
        return Ok(());
    }
    let has = |name: &str| args.iter().any(|arg| arg == name);
    let plan = match has("--quick") {
        true => Plan {
            runs: 3,
            records: 200,
            bytes: 4 << 20,
        },
        false => Plan {
            runs: 15,
            records: 10_000,
            bytes: 100 << 20,
        },
    };
    let folder = tempfile::tempdir()?;
    let home = folder.path().join("home");
    fill(&home, plan.records)?;
    let mut table = Table::new(has("--json"));
    let mut before = rust::measure(&plan, &home)?;
    show_rust(&mut table, &plan, &before);
    type Measure = fn(&Plan, &Path) -> Fallible<Option<Figures>>;
    let languages: [(&str, Measure); 2] =
        [("Kotlin", languages::kotlin), ("Python", languages::python)];
    for (language, measure) in languages {
        let Some(figures) = measure(&plan, &home)? else {
            table.note(&format!("{language}: not measured, its tools are not here"));
            continue;
        };
        // the machine does not stay as quiet as it was: the yardstick is taken on both sides
        let after = rust::measure(&plan, &home)?;
        show(&mut table, &plan, language, &figures, &before.with(&after));
        before = after;
    }
    Ok(())
}

/// A vault with so many small records.
fn fill(home: &Path, records: usize) -> Fallible<()> {
    let mut vault = world::make_home(home)?;
    let texts: Vec<_> = (0..records).map(data::resource).collect();
    let new = texts.iter().flat_map(|text| {
        let import = vault_core::record::read(text, "made.json");
        import.items.into_iter().map(|item| vault_core::NewRecord {
            content: vault_core::Content::Bytes(text[item.range].to_vec().into()),
            meta: item.meta,
            source: None,
            replaces: None,
        })
    });
    vault.add_all(new)?;
    Ok(())
}

/// Open and first page: what a person waits for.
fn first_sight(figures: &Figures) -> f64 {
    figures.open.median() + figures.page.median()
}

fn show_rust(table: &mut Table, plan: &Plan, rust: &Figures) {
    for (what, samples) in [
        ("cold open", &rust.open),
        ("first 50", &rust.page),
        ("list all", &rust.list),
    ] {
        plain(
            table,
            &format!("Rust: {what} of {} records", plan.records),
            samples.ms(),
        );
    }
    let bytes = plan.bytes as u64;
    for (what, samples) in [
        ("in one call", &rust.add),
        ("in pieces", &rust.stream),
        ("by path", &rust.path),
    ] {
        plain(
            table,
            &format!("Rust: {} MiB {what}", bytes >> 20),
            samples.rate(bytes),
        );
    }
}

fn plain(table: &mut Table, what: &str, figure: String) {
    table.row(Row {
        what: what.to_owned(),
        figure,
        yardstick: "-".to_owned(),
        ratio: None,
        goal: "-".to_owned(),
        met: None,
    });
}

fn show(table: &mut Table, plan: &Plan, language: &str, figures: &Figures, rust: &Figures) {
    let ratio = first_sight(figures) / first_sight(rust);
    table.row(Row {
        what: format!(
            "{language}: cold open with the first 50 of {} records",
            plan.records
        ),
        figure: format!("{} + {}", figures.open.ms(), figures.page.ms()),
        yardstick: format!("the same from Rust {:.2} ms", first_sight(rust) * 1e3),
        ratio: Some(ratio),
        goal: format!("at most {GOAL}"),
        met: Some(ratio <= GOAL),
    });
    let mut beside = |what: String, figure: String, yardstick: String, ratio: f64| {
        table.row(Row {
            what: format!("{language}: {what}"),
            figure,
            yardstick: format!("the same from Rust {yardstick}"),
            ratio: Some(ratio),
            goal: "-".to_owned(),
            met: None,
        });
    };
    let bytes = plan.bytes as u64;
    let (mine, theirs) = (&figures.list, &rust.list);
    beside(
        "list all, once more".to_owned(),
        mine.ms(),
        theirs.ms(),
        mine.median() / theirs.median(),
    );
    for (what, mine, theirs) in [
        ("in one call", &figures.add, &rust.add),
        ("in pieces", &figures.stream, &rust.stream),
        ("by path", &figures.path, &rust.path),
    ] {
        let what = format!("{} MiB {what}", bytes >> 20);
        beside(
            what,
            mine.rate(bytes),
            theirs.rate(bytes),
            mine.median() / theirs.median(),
        );
    }
}
