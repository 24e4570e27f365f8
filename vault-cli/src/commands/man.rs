//! `medvault man`: manual pages.

use std::path::PathBuf;

use clap::Args;

use crate::context::Context;
use crate::error::{Error, Exit, Result};

/// Write the manual pages to a folder, or the main one to standard output
#[derive(Args)]
pub struct Man {
    /// The folder; it is made if it is not there
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Runs the command.
pub fn run(context: &Context, args: &Man) -> Result<Exit> {
    let mut command = crate::args::command();
    command.build();
    match &args.folder {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(|e| Error::file(folder, &e))?;
            clap_mangen::generate_to(command, folder).map_err(|e| Error::file(folder, &e))?;
            context
                .out
                .note(format!("manual pages written to {}", folder.display()));
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            context.out.print(&String::from_utf8_lossy(&page))?;
        }
    }
    Ok(Exit::Ok)
}
