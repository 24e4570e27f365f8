//! `medvault agreement decline`.

use clap::Args;
use serde_json::json;

use crate::commands::inbox;
use crate::context::Context;
use crate::error::{Exit, Result};
use crate::show;

/// Forget an agreement that you do not want
///
/// The patient is not told; a fresh ticket brings the offer back. What you signed before stays in
/// force on the patient's side until they take it back.
#[derive(Args)]
pub struct Decline {
    /// The agreement, by its id or the beginning of it
    #[arg(value_name = "GRANT")]
    grant: String,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Decline) -> Result<Exit> {
    let (_, _, mut inbox) = inbox::open(context)?;
    let (following, held) = super::find(&inbox, &args.grant)?;
    let name = show::line(following.name());
    if held.accepted.is_some() {
        context
            .out
            .warn(format!("you have signed this; {name} has to take it back"));
    }
    context.consent(args.yes, &format!("forget what {name} offers?"))?;
    inbox.decline(&following.vault(), &held.grant)?;
    if context.out.json {
        return context
            .out
            .json(&json!({"grant": held.grant.to_string(), "declined": true}))
            .map(|()| Exit::Ok);
    }
    context.out.note(format!("what {name} offers is forgotten"));
    Ok(Exit::Ok)
}
