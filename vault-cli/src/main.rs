//! The `medvault` command.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod args;
mod car;
mod commands;
mod context;
mod deposits;
mod error;
mod files;
mod log;
mod output;
mod passphrase;
mod places;
mod progress;
mod show;
mod size;
mod table;
mod time;

use std::process::ExitCode;

fn main() -> ExitCode {
    match args::parse() {
        Ok(cli) => commands::run(cli),
        Err(exit) => exit,
    }
}
