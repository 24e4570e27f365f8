//! What reading over the network costs, beside Kubo fetching the same blocks from Kubo in the same
//! run.
//!
//! Run with `cargo bench -p vault-node --bench network -- [--quick] [--json]`. See
//! `benches/README.md`.
#![allow(dead_code)] // parts of the other benchmark are used here too

mod access;
#[path = "../costs/data.rs"]
mod data;
mod grant;
#[path = "../../tests/peers/kubo.rs"]
mod kubo;
mod pair;
#[path = "../costs/table.rs"]
mod table;
#[path = "../costs/world.rs"]
mod world;

use table::Table;

/// What may go wrong in a benchmark.
type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Sizes and repetitions of one run.
struct Plan {
    runs: usize,
    /// Records in the grant.
    records: usize,
    /// Length of the large record, in bytes.
    large: u64,
}

fn main() -> Fallible<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` starts this too, without the word that `cargo bench` adds
    if !args.iter().any(|arg| arg == "--bench") {
        println!("not a test: run it with `cargo bench -p vault-node --bench network`");
        return Ok(());
    }
    let quick = args.iter().any(|arg| arg == "--quick");
    let plan = Plan {
        runs: if quick { 2 } else { 7 },
        records: if quick { 200 } else { 1000 },
        large: if quick { 16 << 20 } else { 256 << 20 },
    };
    let mut table = Table::new(args.iter().any(|arg| arg == "--json"));
    access::warm(&plan, &mut table)?;
    grant::small(&plan, &mut table)?;
    grant::large(&plan, &mut table)?;
    table.finish();
    Ok(())
}
