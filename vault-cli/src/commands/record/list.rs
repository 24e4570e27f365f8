//! `medvault record list`.

use clap::Args;
use vault_core::IndexEntry;

use super::filter::Filter;
use super::source::{FromArgs, Records};
use crate::context::Context;
use crate::error::{Exit, Result};
use crate::show;
use vault_app::Ids;

/// List records
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    from: FromArgs,
    /// Older versions too
    #[arg(long)]
    all_versions: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &List) -> Result<Exit> {
    let mut records = args.from.owner().open(context)?;
    let newest = records.records()?;
    let ids = Ids::new(newest.iter().map(|entry| entry.record));
    let shown = if args.all_versions {
        all_versions(&mut *records, &newest)?
    } else {
        newest
    };
    let filter = args.filter.conditions();
    let shown: Vec<_> = shown.iter().filter(|entry| filter.takes(entry)).collect();
    if context.out.json {
        context
            .out
            .json_lines(shown.into_iter().map(show::entry_json))?;
        return Ok(Exit::Ok);
    }
    context
        .out
        .print(&show::entry_table(shown.iter().copied(), &ids))?;
    context.out.note(match shown.len() {
        0 => "no records".to_owned(),
        n => show::count(n as u64, "record"),
    });
    Ok(Exit::Ok)
}

fn all_versions(records: &mut dyn Records, newest: &[IndexEntry]) -> Result<Vec<IndexEntry>> {
    let mut all = Vec::new();
    for entry in newest {
        all.extend(records.versions(&entry.record)?);
    }
    Ok(all)
}
