//! The commands: one file each.

mod init;
mod record;

use std::process::ExitCode;

use clap::Subcommand;

use crate::args::Cli;
use crate::context::Context;
use crate::error::{Exit, Result};

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    Init(init::Init),
    #[command(subcommand)]
    Record(record::Record),
}

/// Runs a command and tells how it went.
pub fn run(cli: Cli) -> ExitCode {
    let context = Context::new(cli.global);
    let exit = match dispatch(&context, cli.command) {
        Ok(exit) => exit,
        Err(error) => {
            context.out.fail(&error);
            error.exit
        }
    };
    ExitCode::from(exit as u8)
}

fn dispatch(context: &Context, command: Command) -> Result<Exit> {
    match command {
        Command::Init(args) => init::run(context, args),
        Command::Record(command) => record::run(context, command),
    }
}
