//! `cargo xtask`: makes the bindings for other languages from the library that is built.
//!
//! Nothing that it writes is committed: bindings are made from the docstrings and signatures of
//! `vault-ffi`, and always fit the library beside them.

mod bindings;
mod cargo;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Makes the bindings for other languages")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds the library and writes the bindings of one language
    Bindings(Bindings),
}

#[derive(clap::Args)]
struct Bindings {
    /// The language
    #[arg(value_enum)]
    language: bindings::Language,

    /// Where to write [default: target/bindings/LANGUAGE]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Make them from this library instead of building one
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,

    /// Cargo profile to build the library with
    #[arg(long, value_name = "NAME", default_value = "dev")]
    profile: String,

    /// Build it with these features instead of the usual ones, separated by commas; empty: none
    #[arg(long, value_name = "LIST")]
    features: Option<String>,
}

fn main() -> ExitCode {
    let Task::Bindings(args) = Cli::parse().task;
    match make(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn make(args: &Bindings) -> Result<(), String> {
    let root = cargo::workspace();
    let library = match &args.library {
        Some(library) => library.clone(),
        None => cargo::build_library(&root, &args.profile, args.features.as_deref())?,
    };
    let out = args.out.clone().unwrap_or_else(|| {
        let name = args.language.name();
        cargo::target(&root).join("bindings").join(name)
    });
    let written = bindings::generate(&root, args.language, &library, &out)?;
    for path in written {
        println!("{}", path.display());
    }
    Ok(())
}
