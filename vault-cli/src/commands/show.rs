//! `medvault show`: one record, rendered for a person.

use clap::Args;
use serde_json::json;
use vault_core::OpenRecord;
use vault_core::record::FHIR_JSON;
use vault_formats::{Line, Shown, overview};

use super::record::{AskArgs, FromArgs, find};
use crate::context::Context;
use crate::error::{Exit, Result};
use crate::{output, show};

/// Columns where nothing tells the width.
const COLUMNS: usize = 100;
/// Most of a text document that is shown, in bytes.
const MAX_TEXT: usize = 64 << 10;

/// Show a record as a person reads it
///
/// `medvault record show` tells what the vault knows of a record, `medvault record get` gives its
/// bytes.
#[derive(Args)]
pub struct ShowArgs {
    /// The record, by its id or the beginning of it
    #[arg(value_name = "RECORD")]
    record: String,
    #[command(flatten)]
    from: FromArgs,

    #[command(flatten)]
    ask: AskArgs,
}

/// Runs the command.
pub fn run(context: &Context, args: &ShowArgs) -> Result<Exit> {
    let mut records = args.from.owner_or_anyone().open(context)?;
    let (entry, ids) = find(&mut *records, &args.record)?;
    records.unlock(context, std::slice::from_ref(&entry), &args.ask)?;
    let opened = records.open(&entry)?;
    let meta = &opened.header().meta;
    let mut shown = match meta.media_type == FHIR_JSON {
        true => {
            let mut bytes = zeroize::Zeroizing::new(Vec::new());
            opened.copy_to(&mut *bytes)?;
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
            match serde_json::from_slice(bytes) {
                Ok(resource) => overview::show(&resource, meta),
                Err(_) => document(&opened)?,
            }
        }
        false => document(&opened)?,
    };
    // a resource names its origin itself
    if let Some(origin) = meta.origin
        && meta.media_type != FHIR_JSON
    {
        shown.lines.push(Line::Field {
            label: "derived from".to_owned(),
            value: ids.short(origin),
        });
    }
    let all = records.records()?;
    let derived = all.iter().filter(|e| e.meta.origin == Some(entry.record));
    let rows: Vec<Vec<String>> = derived
        .map(|e| {
            vec![
                ids.short(e.record),
                e.meta.kind.to_string(),
                e.meta.title.clone(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        shown
            .lines
            .push(Line::Heading("What was read from it".to_owned()));
        shown.lines.push(Line::Table {
            columns: ["id", "kind", "title"].map(str::to_owned).into(),
            rows,
        });
    }
    if context.out.json {
        context
            .out
            .json(&json!({"record": entry.record.to_string(), "shown": shown}))?;
    } else {
        let columns = output::width().unwrap_or(COLUMNS);
        context.out.print(&shown.to_text(columns))?;
    }
    Ok(Exit::Ok)
}

/// A document, by what is known of it, and its text where it is one.
fn document(opened: &OpenRecord) -> Result<Shown> {
    let header = opened.header();
    let meta = &header.meta;
    let mut lines = Vec::new();
    let mut field = |label: &str, value: Option<String>| {
        lines.extend(value.map(|value| Line::Field {
            label: label.to_owned(),
            value,
        }));
    };
    field(
        "date",
        meta.date.as_ref().map(|date| date.as_str().to_owned()),
    );
    field("author", meta.author.clone());
    field("type", Some(meta.media_type.clone()));
    field("length", Some(show::bytes(header.len)));
    field("file", header.source.clone());
    if matches!(
        &meta.media_type[..],
        "text/plain" | "text/markdown" | "text/csv"
    ) {
        let text = opened.read_range(0, MAX_TEXT)?;
        let text = String::from_utf8_lossy(&text);
        lines.push(Line::Text(overview::clean_lines(&text, MAX_TEXT)));
    }
    Ok(Shown {
        title: meta.title.clone(),
        lines,
    })
}
