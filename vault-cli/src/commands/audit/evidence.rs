//! `medvault audit evidence`: what this home can show of a vault's log.

use std::path::PathBuf;

use clap::Args;
use vault_core::Evidence;

use crate::commands::inbox;
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::files;

/// Write what this home can show of a vault's log, to be held against what others have
///
/// It holds signatures and hashes, no content, and nothing by which an entry could be read. Two such
/// files are compared with `medvault audit check-fork`.
#[derive(Args)]
pub struct EvidenceArgs {
    /// What was seen of this patient's vault, instead of one's own
    #[arg(long, value_name = "PATIENT")]
    from: Option<String>,

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
pub fn run(context: &Context, args: &EvidenceArgs) -> Result<Exit> {
    let evidence: Evidence = match &args.from {
        Some(name) => {
            let (home, _, inbox) = inbox::open(context)?;
            let following = inbox.find(name)?;
            if following.seq() == 0 {
                let what = format!("nothing was received from {name} yet");
                return Err(Error::new(Exit::NotFound, "no-head", what)
                    .hint("`medvault inbox sync` fetches the newest"));
            }
            // what was kept when it was seen: nobody is asked
            following.evidence(&*home.cache()?)?
        }
        None => context.vault()?.evidence()?,
    };
    let text = evidence.to_text()?;
    match files::is_dash(&args.output) {
        true => context.out.print(&text)?,
        false => files::write_bytes(&args.output, args.force, text.as_bytes())?,
    }
    let entries = match evidence.checkpoint().size {
        1 => "1 entry".to_owned(),
        size => format!("{size} entries"),
    };
    let hashes = match evidence.has_leaves() {
        true => "with the hashes of all of them",
        false => "without their hashes, which are not at hand",
    };
    context
        .out
        .note(format!("evidence of a log of {entries}, {hashes}"));
    Ok(Exit::Ok)
}
