//! `medvault grant export`: a grant in a file, for one reader.

use std::path::PathBuf;

use clap::Args;

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::{car, show};

/// Write a grant into a file for one reader, to be handed over without a network
///
/// The file holds the records, sealed, and a ticket that only this reader can open. The reader
/// takes it with `medvault inbox accept FILE`, and a newer one with `medvault inbox sync --file`.
#[derive(Args)]
pub struct Export {
    /// The grant, by its id or the beginning of it
    #[arg(value_name = "GRANT")]
    grant: String,

    /// The reader; needed where the grant has several
    #[arg(long, value_name = "NAME")]
    to: Option<String>,

    /// The new file, `-` for standard output
    #[arg(short, long, value_name = "FILE.car|-")]
    output: PathBuf,

    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Export) -> Result<Exit> {
    let (home, mut vault) = context.home_and_vault()?;
    let (grant, _) = super::find(&mut vault, &args.grant)?;
    let reader = match (&args.to, &grant.readers[..]) {
        (Some(name), _) => name.clone(),
        (None, [only]) => only.clone(),
        (None, readers) => {
            let what = format!(
                "the grant has {} readers; the file is for one",
                readers.len()
            );
            return Err(Error::usage(what).hint(format!("add --to: {}", readers.join(", "))));
        }
    };
    let address = vault_app::node_address(&home, &vault)?;
    let (archive, written) = car::write(context, &args.output, args.force, || {
        Ok(vault.grant_archive(&grant.id, &reader, &address)?)
    })?;
    let words = format!(
        "grant for {reader} under head {}: {}, {} bytes",
        archive.head().seq(),
        show::count(written.blocks, "block"),
        written.bytes,
    );
    let mut value = car::archived_json(&args.output, &archive, &written);
    value["grant"] = grant.id.to_string().into();
    value["reader"] = reader.into();
    car::tell(context, &args.output, value, &words)?;
    Ok(Exit::Ok)
}
