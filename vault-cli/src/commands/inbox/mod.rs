//! `medvault inbox`: what others have shared with you, and what they have sent into your vault.

mod accept;
mod add;
mod decline;
mod forget;
mod list;
mod show;
mod sync;

pub use sync::sync_one;

use std::sync::Arc;

use clap::Subcommand;
use vault_core::{Device, Home, Inbox};

use crate::context::Context;
use crate::error::{Exit, Result};

/// What others share with you, and what they deposit in your vault
#[derive(Subcommand)]
pub enum InboxCommand {
    Accept(accept::Accept),
    Sync(sync::Sync),
    List(list::List),
    Show(show::Show),
    Decline(decline::Decline),
    Add(add::Add),
    Forget(forget::Forget),
}

/// Runs the command.
pub fn run(context: &Context, command: InboxCommand) -> Result<Exit> {
    match command {
        InboxCommand::Accept(args) => accept::run(context, &args),
        InboxCommand::Sync(args) => sync::run(context, &args),
        InboxCommand::List(_) => list::run(context),
        InboxCommand::Show(args) => show::run(context, &args),
        InboxCommand::Decline(args) => decline::run(context, &args),
        InboxCommand::Add(args) => add::run(context, &args),
        InboxCommand::Forget(args) => forget::run(context, &args),
    }
}

/// Opens the home, unlocks the device and opens the inbox.
pub fn open(context: &Context) -> Result<(Arc<Home>, Arc<Device>, Inbox)> {
    let home = Arc::new(context.home()?);
    let device = context.unlock(&home)?;
    let inbox = Inbox::open(home.clone(), &device)?;
    Ok((home, device, inbox))
}
