//! `medvault record update`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use vault_app::Intake;
use vault_app::adding::{Updated, update_record};
use vault_formats::OnDisk;

use super::find::find;
use crate::context::Context;
use crate::error::{Error, Exit, Result};

/// Add a new version of a record
///
/// The file must hold exactly one record. Earlier versions stay; standing grants that hold the
/// record get the new version too. What was derived from the earlier version makes way for what is
/// derived from the new one.
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
    let (app, mut vault) = context.app_and_vault()?;
    let (entry, ids) = find(&mut vault, &args.record)?;
    let intake = Intake::new(&app, &mut vault, &[])?;
    let shown = args.file.display().to_string();
    let mut source = OnDisk::new(&args.file).map_err(|e| Error::file(&args.file, &e))?;
    let updated = update_record(&mut vault, &intake, &entry, &mut source, &shown)?;
    let (version, message) = match updated {
        Updated::Version(version) => {
            let text = format!("{} has a new version", ids.short(entry.record));
            (Some(version.to_string()), text)
        }
        Updated::Elsewhere(record) => {
            let known = ids.short(record);
            let what = format!("{shown}: this content is there already, as record {known}");
            return Err(Error::new(Exit::Failure, "refused", what));
        }
        Updated::Known => (
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
