//! `medvault record update`.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use vault_core::record::{MAX_FHIR_LEN, SNIFF_LEN, Sniffed, read, sniff};
use vault_core::{Added, Content, NewRecord, RecordMeta};
use zeroize::Zeroizing;

use super::find::find;
use super::input::base_name;
use crate::context::Context;
use crate::error::{Error, Exit, Result};

/// Add a new version of a record
///
/// The file must hold exactly one record. Earlier versions stay; standing grants that hold the
/// record get the new version too.
#[derive(Args)]
pub struct Update {
    /// The record, by its id or the beginning of it
    #[arg(value_name = "RECORD")]
    record: String,

    /// The new content
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs the command.
pub fn run(context: &Context, args: &Update) -> Result<Exit> {
    let named = |error: std::io::Error| Error::file(&args.file, &error);
    let mut file = File::open(&args.file).map_err(named)?;
    let len = file.metadata().map_err(named)?.len();
    let name = base_name(&args.file);
    let mut front = Zeroizing::new(Vec::with_capacity(SNIFF_LEN));
    file.by_ref()
        .take(SNIFF_LEN as u64)
        .read_to_end(&mut front)
        .map_err(named)?;
    let mut vault = context.vault()?;
    let (entry, ids) = find(&mut vault, &args.record)?;
    let mut whole = Zeroizing::new(Vec::new());
    let mut stream;
    let (meta, content) = match sniff(&front, &name, Some(len)) {
        Sniffed::Document { meta } => {
            stream = (&front[..]).chain(file);
            (meta, Content::Stream(&mut stream))
        }
        Sniffed::Refused(problem) => return Err(refused(args, &problem.what)),
        Sniffed::Fhir | Sniffed::Ndjson => {
            whole.extend_from_slice(&front);
            file.take(MAX_FHIR_LEN as u64)
                .read_to_end(&mut whole)
                .map_err(named)?;
            only_one(args, &whole, &name)?
        }
    };
    if meta.kind != entry.meta.kind {
        let what = format!(
            "the record is a {} and the file holds a {}",
            entry.meta.kind.as_str(),
            meta.kind.as_str()
        );
        return Err(refused(args, &what));
    }
    let mut outcome = None;
    vault.add(|adder| -> Result<()> {
        outcome = Some(adder.add(NewRecord {
            meta,
            source: Some(name),
            content,
            replaces: Some(entry.record),
        })?);
        Ok(())
    })?;
    let (version, message) = match outcome {
        Some(Added::New(_, version) | Added::Updated(_, version)) => (
            Some(version.to_string()),
            format!("{} has a new version", ids.short(entry.record)),
        ),
        Some(Added::Known(record)) if record != entry.record => {
            let what = format!(
                "this content is there already, as record {}",
                ids.short(record)
            );
            return Err(refused(args, &what));
        }
        _ => (
            None,
            "this content is there already; nothing was added".to_owned(),
        ),
    };
    if context.out.json {
        context
            .out
            .json(&json!({"record": entry.record.to_string(), "version": version}))?;
    } else {
        context.out.print(&format!("{message}\n"))?;
    }
    Ok(Exit::Ok)
}

fn only_one<'a>(args: &Update, bytes: &[u8], name: &str) -> Result<(RecordMeta, Content<'a>)> {
    let mut import = read(bytes, name);
    if let Some(problem) = import.problems.first() {
        return Err(refused(args, &problem.to_string()));
    }
    match (import.items.pop(), import.items.len()) {
        (Some(item), 0) => {
            let content = bytes.get(item.range).unwrap_or_default().to_vec();
            Ok((item.meta, Content::Bytes(Zeroizing::new(content))))
        }
        (_, more) => Err(refused(
            args,
            &format!("the file holds {} records, not one", more + 1),
        )),
    }
}

fn refused(args: &Update, why: &str) -> Error {
    Error::new(
        Exit::Failure,
        "refused",
        format!("{}: {why}", args.file.display()),
    )
}
