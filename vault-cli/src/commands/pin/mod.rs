//! `medvault pin`: copies of the vault at pinning services.

mod add;
mod list;
mod remove;
mod sync;
mod verify;

use clap::Subcommand;

use crate::context::Context;
use crate::error::{Exit, Result};

/// Keep copies of the vault at IPFS pinning services
///
/// A service keeps ciphertext while this computer sleeps. It can open nothing, and learns how many
/// blocks there are, about how large they are, and when they change. It may lose them, or say that
/// it has what it has not: `pin verify` finds out.
#[derive(Subcommand)]
pub enum Pin {
    Add(add::Add),
    List(list::List),
    Sync(sync::Sync),
    Verify(verify::Verify),
    Remove(remove::Remove),
}

/// Runs the command.
pub fn run(context: &Context, command: Pin) -> Result<Exit> {
    match command {
        Pin::Add(args) => add::run(context, &args),
        Pin::List(_) => list::run(context),
        Pin::Sync(args) => sync::run(context, &args),
        Pin::Verify(args) => verify::run(context, &args),
        Pin::Remove(args) => remove::run(context, &args),
    }
}
