//! `medvault completions`: for the shell.

use clap::Args;
use clap_complete::Shell;

use crate::context::Context;
use crate::error::{Exit, Result};

/// Print completions for a shell
#[derive(Args)]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Runs the command.
pub fn run(context: &Context, args: &Completions) -> Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut crate::args::command(),
        "medvault",
        &mut text,
    );
    context.out.print(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Ok)
}
