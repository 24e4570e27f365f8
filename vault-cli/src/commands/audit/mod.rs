//! `medvault audit`: what happened, and whether the record of it holds.

mod check_fork;
mod check_proof;
mod evidence;
mod export;
mod filter;
mod json;
mod log;
mod prove;
#[cfg(test)]
#[path = "../../../../vault-app/src/statement/samples.rs"]
mod samples;
mod verify;

use clap::Subcommand;
#[cfg(test)]
use vault_app::statement as names;

use crate::context::Context;
use crate::error::{Exit, Result};

/// Read and verify the audit log
#[derive(Subcommand)]
pub enum Audit {
    Log(log::Log),
    Export(export::Export),
    Verify(verify::Verify),
    Prove(prove::Prove),
    CheckProof(check_proof::CheckProof),
    Evidence(evidence::EvidenceArgs),
    CheckFork(check_fork::CheckFork),
}

/// Runs the command.
pub fn run(context: &Context, command: Audit) -> Result<Exit> {
    match command {
        Audit::Log(args) => log::run(context, &args),
        Audit::Export(args) => export::run(context, &args),
        Audit::Verify(args) => verify::run(context, &args),
        Audit::Prove(args) => prove::run(context, &args),
        Audit::CheckProof(args) => check_proof::run(context, &args),
        Audit::Evidence(args) => evidence::run(context, &args),
        Audit::CheckFork(args) => check_fork::run(context, &args),
    }
}
