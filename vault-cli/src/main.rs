//! The `medvault` command.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod args;
mod car;
mod commands;
mod config;
mod context;
mod deposits;
mod error;
mod files;
mod ids;
#[cfg(unix)]
mod local_socket;
mod log;
mod network;
mod node;
mod output;
mod passphrase;
mod place;
mod progress;
mod publish;
mod resources;
mod services;
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
