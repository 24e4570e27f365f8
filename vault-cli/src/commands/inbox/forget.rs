//! `medvault inbox forget`.

use clap::Args;

use crate::context::Context;
use crate::error::{Exit, Result};

/// Stop following somebody's vault and forget the ticket
#[derive(Args)]
pub struct Forget {
    /// The sender
    #[arg(value_name = "NAME")]
    name: String,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Forget) -> Result<Exit> {
    let (_, _, mut inbox) = super::open(context)?;
    inbox.find(&args.name)?;
    context.consent(
        args.yes,
        &format!("forget what {} shares with you?", args.name),
    )?;
    inbox.forget(&args.name)?;
    context.out.note(format!("{} is forgotten", args.name));
    Ok(Exit::Ok)
}
