//! `medvault agreement take`: a countersignature that came as a file.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use vault_core::Acceptance;

use crate::commands::grant;
use crate::context::Context;
use crate::error::{Exit, Result};
use crate::files;

/// Longest file that is read, in bytes.
const MAX_LEN: u64 = 256 << 10;

/// Take the signature under an agreement that you offered, from a file
///
/// Where `medvault serve` runs, it comes by itself; this is for signatures that were handed over or
/// mailed. Repeating is harmless.
#[derive(Args)]
pub struct Take {
    /// What `medvault agreement accept --out` wrote, or `-` for standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
}

/// Runs the command.
pub fn run(context: &Context, args: &Take) -> Result<Exit> {
    let text = files::read_text(&args.file, MAX_LEN)?;
    let acceptance = Acceptance::from_text(&text)?;
    let mut vault = context.vault()?;
    let grant = vault.take_acceptance(acceptance.as_bytes())?;
    let (info, ids) = grant::find(&mut vault, &grant.to_string())?;
    let reader = grant::person(&vault, acceptance.reader());
    if context.out.json {
        context.out.json(&json!({
            "grant": grant.to_string(), "reader": reader,
            "reader_key": acceptance.reader().to_string(),
            "signed": crate::time::rfc3339(acceptance.time()),
        }))?;
        return Ok(Exit::Ok);
    }
    context.out.note(format!(
        "grant {} is in force for {}",
        ids.short(grant),
        info.readers.join(", ")
    ));
    Ok(Exit::Ok)
}
