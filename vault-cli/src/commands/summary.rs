//! `medvault summary`: one page about a whole record.

use std::path::PathBuf;

use clap::Args;
use vault_app::export::{is_clinical, opened};
use vault_formats::{Person, SummaryBuilder};

use super::record::{AskArgs, FromArgs};
use crate::context::Context;
use crate::error::{Exit, Result};
use crate::{files, output, time};

/// Columns where nothing tells the width.
const COLUMNS: usize = 100;

/// Print one page about the whole record
///
/// Problems, allergies, medications, immunizations, the latest results with their trend: what a
/// doctor asks first. It says what the records say, and judges nothing.
#[derive(Args)]
pub struct SummaryArgs {
    #[command(flatten)]
    from: FromArgs,

    #[command(flatten)]
    ask: AskArgs,

    /// Write the page as HTML, to be printed or read in a browser
    #[arg(long, value_name = "FILE|-")]
    html: Option<PathBuf>,

    /// Replace the file if it is there
    #[arg(long, requires = "html")]
    force: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &SummaryArgs) -> Result<Exit> {
    let mut records = args.from.owner().open(context)?;
    let mut entries = records.records()?;
    entries.retain(is_clinical);
    records.unlock(context, &entries, &args.ask)?;
    let owner = records.owner().map(|name| Person::named(&name));
    let mut builder = SummaryBuilder::new(time::today()?.as_str()).owned_by(owner);
    let mut unreadable = Vec::new();
    let open = records.opener();
    for resource in opened(|entry| open(entry), &entries, &mut unreadable) {
        builder.add(&resource?);
    }
    for record in unreadable {
        let what = format!("record {record} cannot be read as JSON and is left out");
        context.out.warn(what);
    }
    let summary = builder.finish();
    if let Some(path) = &args.html {
        let html = summary.to_html();
        if files::is_dash(path) {
            context.out.print(&html)?;
        } else {
            files::write_bytes(path, args.force, html.as_bytes())?;
            context.out.note(format!("written to {}", path.display()));
        }
    } else if context.out.json {
        context.out.json(&summary)?;
    } else {
        let columns = output::width().unwrap_or(COLUMNS);
        context.out.print(&summary.to_text(columns))?;
    }
    Ok(Exit::Ok)
}
