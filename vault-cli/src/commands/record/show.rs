//! `medvault record show`.

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use super::find::find;
use super::shared::AskArgs;
use super::source::FromArgs;
use crate::context::Context;
use crate::error::{Exit, Result};
use crate::output::{BOLD, paint};
use crate::show::{self, hex};
use crate::time;

/// Show what is known of a record: what it is, where it came from, its versions
#[derive(Args)]
pub struct Show {
    /// The record, by its id or the beginning of it
    #[arg(value_name = "RECORD")]
    record: String,
    #[command(flatten)]
    from: FromArgs,

    #[command(flatten)]
    ask: AskArgs,
}

/// Runs the command.
pub fn run(context: &Context, args: &Show) -> Result<Exit> {
    let mut records = args.from.owner_or_anyone().open(context)?;
    let (newest, _) = find(&mut *records, &args.record)?;
    let versions = records.versions(&newest.record)?;
    records.unlock(context, std::slice::from_ref(&newest), &args.ask)?;
    let opened = records.open(&newest)?;
    let header = opened.header();
    if context.out.json {
        let mut value = show::entry_json(&newest);
        value["date"] = json!(header.meta.date.as_ref().map(|date| date.as_str()));
        value["created"] = json!(time::rfc3339(header.created));
        value["sha256"] = json!(hex(header.digest.as_bytes()));
        value["file"] = json!(header.source);
        value["owner_key"] = json!(header.author.to_string());
        value["signer"] = json!(header.signer.to_string());
        value["versions"] = versions
            .iter()
            .map(|v| json!({"version": v.version.to_string(), "added": time::rfc3339(v.added), "bytes": v.len}))
            .collect();
        context.out.json(&value)?;
        return Ok(Exit::Ok);
    }
    let meta = &header.meta;
    let mut text = format!("{}\n\n", paint(BOLD, &meta.title));
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<13}{value}");
    };
    line("record", newest.record.to_string());
    line("kind", meta.kind.as_str().to_owned());
    line("category", meta.category.to_string());
    line(
        "date",
        meta.date
            .as_ref()
            .map_or("-".into(), |date| date.as_str().to_owned()),
    );
    line("labels", label_words(&newest));
    line("type", meta.media_type.clone());
    line("length", show::bytes(header.len));
    if let Some(id) = &meta.source_id {
        line("source id", id.clone());
    }
    if let Some(file) = &header.source {
        line("file", file.clone());
    }
    if let Some(author) = &meta.author {
        line("author", author.clone());
    }
    if !meta.codes.is_empty() {
        let codes: Vec<&str> = meta.codes.iter().map(vault_core::Code::as_str).collect();
        line("codes", codes.join(" "));
    }
    if let Some(origin) = &meta.origin {
        line("derived from", origin.to_string());
    }
    line("sha-256", hex(header.digest.as_bytes()));
    line("owner key", header.author.to_string());
    line("signed by", header.signer.to_string());
    text.push('\n');
    for (number, version) in (1..).zip(&versions) {
        let _ = writeln!(
            text,
            "  version {number}  {}  {}  {}",
            version.version,
            time::minute(version.added),
            show::bytes(version.len),
        );
    }
    context.out.print(&text)?;
    Ok(Exit::Ok)
}

fn label_words(entry: &vault_core::IndexEntry) -> String {
    let words = entry.meta.labels.iter().map(|label| match label.meaning() {
        Some(meaning) => format!("{} ({meaning})", label.as_str()),
        None => label.as_str().to_owned(),
    });
    let words: Vec<_> = words.collect();
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join(", ")
    }
}
