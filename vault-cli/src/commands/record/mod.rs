//! `medvault record`: put records in, look at them, take them out.

mod add;
mod filter;
mod input;
mod list;
mod source;

use clap::Subcommand;

use crate::context::Context;
use crate::error::{Exit, Result};

/// Add, list, show, get, update and remove records
#[derive(Subcommand)]
pub enum Record {
    Add(add::Add),
    List(list::List),
}

/// Runs the command.
pub fn run(context: &Context, command: Record) -> Result<Exit> {
    match command {
        Record::Add(args) => add::run(context, args),
        Record::List(args) => list::run(context, &args),
    }
}
