//! `medvault backup`: the whole vault in one file.

use std::path::PathBuf;

use clap::Args;

use crate::context::Context;
use crate::error::{Exit, Result};
use crate::{car, show};

/// Write the whole vault into one file, to be kept somewhere else
///
/// The file holds every block as it is, sealed: whoever keeps it can read nothing. To open it, the
/// 24 recovery words are enough (`medvault init --recover --blocks FILE`), or this home's identity
/// file and its passphrase (`medvault restore FILE`). It is a CAR file, which any IPFS tool imports.
#[derive(Args)]
pub struct Backup {
    /// The new file, `-` for standard output
    #[arg(value_name = "FILE.car|-")]
    file: PathBuf,

    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Backup) -> Result<Exit> {
    let mut vault = context.vault()?;
    let (archive, written) = car::write(context, &args.file, args.force, || Ok(vault.backup()?))?;
    let words = format!(
        "backup of head {}: {}, {} bytes",
        archive.head().seq(),
        show::count(written.blocks, "block"),
        written.bytes,
    );
    let value = car::archived_json(&args.file, &archive, &written);
    car::tell(context, &args.file, value, &words)?;
    Ok(Exit::Ok)
}
