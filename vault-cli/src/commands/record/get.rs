//! `medvault record get`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use vault_core::{OpenRecord, VersionId};

use super::find::find;
use super::shared::AskArgs;
use super::source::FromArgs;
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::{files, output, show};
use vault_app::Ids;

/// Write a record's content to a file or standard output, byte for byte as it came in
#[derive(Args)]
pub struct Get {
    /// The record, by its id or the beginning of it
    #[arg(value_name = "RECORD")]
    record: String,

    /// Where to; `-` is standard output
    #[arg(short, long, value_name = "FILE|-", default_value = "-")]
    output: PathBuf,

    /// An older version, by its id or the beginning of it
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,

    /// Replace the file if it is there; write binary content to a terminal
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    from: FromArgs,

    #[command(flatten)]
    ask: AskArgs,
}

/// Runs the command.
pub fn run(context: &Context, args: &Get) -> Result<Exit> {
    let mut records = args.from.owner_or_anyone().open(context)?;
    let (mut entry, _) = find(&mut *records, &args.record)?;
    if let Some(text) = &args.version {
        let versions = records.versions(&entry.record)?;
        let ids = Ids::new(versions.iter().map(|version| version.version));
        let id: VersionId = ids.find(text, "version", "record show RECORD")?;
        entry = versions
            .into_iter()
            .find(|v| v.version == id)
            .unwrap_or(entry);
    }
    files::refuse_existing(&args.output, args.force)?;
    records.unlock(context, std::slice::from_ref(&entry), &args.ask)?;
    let opened = records.open(&entry)?;
    if files::is_dash(&args.output) {
        if output::stdout_is_terminal() && !args.force && is_binary(&opened)? {
            return Err(Error::usage("binary content is not written to a terminal")
                .hint("use `-o FILE`, or add --force"));
        }
        let mut out = std::io::stdout().lock();
        opened.copy_to(&mut out)?;
        out.flush()?;
        return Ok(Exit::Ok);
    }
    files::write_new(&args.output, args.force, |file| {
        let mut buffered = std::io::BufWriter::with_capacity(1 << 20, file);
        opened.copy_to(&mut buffered)?;
        buffered.flush().map_err(|e| Error::file(&args.output, &e))
    })?;
    if context.out.json {
        context.out.json(&json!({
            "record": entry.record.to_string(), "version": entry.version.to_string(),
            "file": args.output, "bytes": opened.header().len,
            "sha256": show::hex(opened.header().digest.as_bytes()),
        }))?;
    } else {
        let len = show::bytes(opened.header().len);
        context
            .out
            .note(format!("{len} written to {}", args.output.display()));
    }
    Ok(Exit::Ok)
}

fn is_binary(opened: &OpenRecord) -> Result<bool> {
    let front = opened.read_range(0, 8192)?;
    let cut_off = |error: std::str::Utf8Error| error.error_len().is_none();
    let text = match std::str::from_utf8(&front) {
        Ok(_) => true,
        Err(error) => cut_off(error) && front.len() == 8192,
    };
    let controls = front
        .iter()
        .any(|b| *b < b' ' && !matches!(b, b'\n' | b'\r' | b'\t'));
    Ok(!text || controls)
}
