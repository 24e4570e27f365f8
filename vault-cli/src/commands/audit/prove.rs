//! `medvault audit prove`: one entry of the log, proven to somebody who has only the vault's id.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::error::{Exit, Result};
use crate::files;

/// Write a proof of one entry, for anyone who knows the vault's id
///
/// The proof discloses this entry and no other. It is checked with `medvault audit check-proof`, or
/// with any tool that knows C2SP tlog-proof.
#[derive(Args)]
pub struct Prove {
    /// The entry's number, as `medvault audit log` shows it
    #[arg(value_name = "ENTRY")]
    entry: u64,

    /// The new file; standard output if it is left out
    #[arg(
        short,
        long,
        visible_alias = "out",
        value_name = "FILE|-",
        default_value = "-"
    )]
    output: PathBuf,

    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Prove) -> Result<Exit> {
    let mut vault = context.vault()?;
    let text = vault.prove_entry(args.entry)?.to_text()?;
    let dash = files::is_dash(&args.output);
    if !dash {
        files::write_bytes(&args.output, args.force, text.as_bytes())?;
    }
    if context.out.json {
        let mut value = json!({"entry": args.entry, "vault": vault.id().to_string()});
        match dash {
            true => value["proof"] = text.into(),
            false => value["file"] = args.output.display().to_string().into(),
        }
        context.out.json(&value)?;
    } else if dash {
        context.out.print(&text)?;
    }
    context.out.note(format!(
        "proof of entry {}; it is checked with `medvault audit check-proof FILE --vault {}`",
        args.entry,
        vault.id()
    ));
    Ok(Exit::Ok)
}
