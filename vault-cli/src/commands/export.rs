//! `medvault export`: records out again, for people and for other programs.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;
use vault_app::export::{ExportForm, Exported, export_into, export_to, refuse_existing_folder};

use super::record::{AskArgs, Filter, FromArgs};
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::{files, show};

/// Write records to files that people and other programs read
///
/// What is written is no longer encrypted. Nothing in the vault changes.
#[derive(Args)]
pub struct Export {
    /// In which form
    #[arg(long, value_enum, value_name = "FORM")]
    to: Form,

    /// The new file or, for `files` and `ndjson`, the new folder; `-` is standard output
    #[arg(short, long, value_name = "FILE|DIR|-")]
    output: PathBuf,

    /// Replace the file if it is there
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    filter: Filter,

    #[command(flatten)]
    from: FromArgs,

    #[command(flatten)]
    ask: AskArgs,
}

/// The forms of an export.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// The originals, byte for byte, one file each, in a folder
    Files,
    /// One FHIR Bundle of type collection
    Fhir,
    /// A folder with a file of lines for each resource type, and a manifest, as a FHIR bulk export
    Ndjson,
    /// An International Patient Summary: a FHIR document for any doctor anywhere
    Ips,
}

impl Form {
    const fn export(self) -> ExportForm {
        match self {
            Self::Files => ExportForm::Files,
            Self::Fhir => ExportForm::Fhir,
            Self::Ndjson => ExportForm::Ndjson,
            Self::Ips => ExportForm::Ips,
        }
    }
}

/// Runs the command.
pub fn run(context: &Context, args: &Export) -> Result<Exit> {
    let mut records = args.from.owner().open(context)?;
    let mut entries = records.records()?;
    let filter = args.filter.conditions();
    entries.retain(|entry| filter.takes(entry));
    if entries.is_empty() {
        let what = "no record is to be exported";
        return Err(Error::new(Exit::NotFound, "no-records", what)
            .hint("`medvault record list` with the same conditions shows what there is"));
    }
    let form = args.to.export();
    let to_stdout = files::is_dash(&args.output);
    if !to_stdout && form.is_folder() {
        refuse_existing_folder(&args.output)?;
    } else {
        files::refuse_existing(&args.output, args.force)?;
    }
    records.unlock(context, &form.opens(&entries), &args.ask)?;
    if to_stdout && form.is_folder() {
        return Err(Error::usage("a folder cannot go to standard output").hint("name one with -o"));
    }
    let (owner, open) = (records.owner(), records.opener());
    let exported = Exported {
        entries: &entries,
        open: &*open,
        owner: owner.as_deref(),
    };
    let written = if to_stdout {
        let mut out = std::io::stdout().lock();
        let written = export_into(&exported, form, &mut out, &mut |_| Ok(()))?;
        out.flush()?;
        written
    } else {
        export_to(&exported, form, &args.output, args.force, &mut |_| Ok(()))?
    };
    for (reason, count) in counted(&written.left_out).into_iter().take(20) {
        context.out.note(match count {
            1 => format!("left out: {reason}"),
            n => format!("left out, {n} times: {reason}"),
        });
    }
    let place = args.output.display().to_string();
    if files::is_dash(&args.output) {
        return Ok(Exit::Ok);
    }
    if context.out.json {
        context.out.json(&json!({
            "output": place,
            "records": written.records,
            "left_out": written.left_out,
        }))?;
    } else {
        let count = show::count(written.records as u64, "record");
        context
            .out
            .print(&format!("{count} written to {place}\n"))?;
        context
            .out
            .note("It is not encrypted: keep it where nobody else looks, and delete it.");
    }
    Ok(Exit::Ok)
}

/// Each reason once, with how often it was given, in the order of first appearance.
fn counted(reasons: &[String]) -> Vec<(&str, usize)> {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for reason in reasons {
        match counted.iter_mut().find(|(known, _)| known == reason) {
            Some((_, count)) => *count += 1,
            None => counted.push((reason, 1)),
        }
    }
    counted
}
