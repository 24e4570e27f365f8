//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};

use crate::commands::Command;
use crate::error::{EXIT_CODES, Error};
use crate::output::Output;

/// A patient-held, encrypted health-record vault.
///
/// Records are encrypted on this device before anything leaves it. You share exactly the part that
/// someone needs, for as long as they need it, and take it back.
#[derive(Parser)]
#[command(name = "medvault", bin_name = "medvault", version, after_long_help = EXIT_CODES, max_term_width = 100)]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// When to colour.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What every command takes.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Folder that holds the vault [default: the user's data folder]
    #[arg(long, global = true, value_name = "DIR", env = "MEDVAULT_HOME")]
    #[arg(hide_env_values = true)]
    pub home: Option<PathBuf>,

    /// Keep the vault's blocks in the Kubo whose RPC is here, such as http://127.0.0.1:5001
    /// [default: the setting ipfs.api, else the home]
    #[arg(long, global = true, value_name = "URL", env = "MEDVAULT_IPFS")]
    #[arg(hide_env_values = true)]
    pub ipfs: Option<String>,

    /// Read Kubo's token from the first line of this file
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "MEDVAULT_IPFS_TOKEN_FILE"
    )]
    #[arg(hide_env_values = true)]
    pub ipfs_token_file: Option<PathBuf>,

    /// Print JSON on standard output: one object, or one a line for lists
    #[arg(long, global = true)]
    pub json: bool,

    /// Never ask; fail instead
    #[arg(long, global = true)]
    pub no_input: bool,

    /// Print data, warnings and errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// When to colour
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto"
    )]
    pub color: Color,

    /// Read the passphrase from the first line of this file
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "MEDVAULT_PASSPHRASE_FILE"
    )]
    #[arg(hide_env_values = true)]
    pub passphrase_file: Option<PathBuf>,

    /// Read the passphrase from the first line that this shell command prints
    #[arg(
        long,
        global = true,
        value_name = "CMD",
        env = "MEDVAULT_PASSPHRASE_COMMAND"
    )]
    #[arg(hide_env_values = true)]
    pub passphrase_command: Option<String>,
}

/// The whole command line, for completions and manual pages.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Reads the command line. On an error, or when help is asked for, everything is said already.
pub fn parse() -> Result<Cli, ExitCode> {
    let arguments: Vec<_> = std::env::args_os().collect();
    apply_color(&arguments);
    let parsed = command()
        .try_get_matches_from(&arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| {
        let asked = matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
        );
        if asked || !arguments.iter().any(|argument| argument == "--json") {
            let _ = error.print();
        } else {
            let text = error.render().to_string();
            let message = text.trim().trim_start_matches("error: ");
            Output {
                json: true,
                quiet: false,
            }
            .fail(&Error::usage(message));
        }
        ExitCode::from(if asked { 0 } else { 2 })
    })
}

/// Colours must be settled before the first text is written, that of a usage error included.
fn apply_color(arguments: &[std::ffi::OsString]) {
    let chosen = arguments.iter().enumerate().find_map(|(at, argument)| {
        let text = argument.to_str()?;
        match text.strip_prefix("--color")? {
            "" => arguments.get(at + 1)?.to_str().map(str::to_owned),
            value => value.strip_prefix('=').map(str::to_owned),
        }
    });
    match chosen.as_deref() {
        Some("always") => anstream::ColorChoice::Always.write_global(),
        Some("never") => anstream::ColorChoice::Never.write_global(),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }
}
