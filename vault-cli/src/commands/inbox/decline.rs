//! `medvault inbox decline`.

use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::deposits;
use crate::error::{Exit, Result};

/// Delete a deposit that waits; the log keeps that it came and that you declined
#[derive(Args)]
pub struct Decline {
    /// The deposit, by its id or the beginning of it
    deposit: String,
}

/// Runs the command.
pub fn run(context: &Context, args: &Decline) -> Result<Exit> {
    let mut room = deposits::open(context)?;
    let deposit = deposits::find(&room, &args.deposit)?;
    room.vault.decline_deposit(&deposit, &room.waiting)?;
    match context.out.json {
        true => context
            .out
            .json(&json!({"declined": deposit.to_string()}))?,
        false => context.out.print("declined and deleted\n")?,
    }
    Ok(Exit::Ok)
}
