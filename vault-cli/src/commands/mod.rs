//! The commands: one file each.

mod agent;
pub mod agreement;
pub mod audit;
mod backup;
mod completions;
mod config;
mod contact;
mod demo;
mod deposit;
mod doctor;
mod export;
mod grant;
mod head;
mod identity;
mod inbox;
mod init;
mod man;
mod move_blocks;
mod pin;
pub mod record;
mod restore;
mod revoke;
mod scope;
mod serve;
mod share;
mod show;
mod status;
mod summary;

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
    Identity(identity::Identity),
    #[command(subcommand)]
    Contact(contact::Contact),
    #[command(subcommand)]
    Record(record::Record),
    Show(show::ShowArgs),
    Summary(summary::SummaryArgs),
    Export(export::Export),
    #[command(subcommand)]
    Scope(scope::ScopeCommand),
    Share(share::Share),
    #[command(subcommand)]
    Grant(grant::Grant),
    #[command(subcommand)]
    Agreement(agreement::Agreement),
    Revoke(revoke::Revoke),
    #[command(subcommand)]
    Agent(agent::Agent),
    Serve(serve::Serve),
    Move(move_blocks::Move),
    #[command(subcommand)]
    Head(head::HeadCommand),
    #[command(subcommand)]
    Pin(pin::Pin),
    Deposit(deposit::Deposit),
    #[command(subcommand)]
    Inbox(inbox::InboxCommand),
    #[command(subcommand)]
    Audit(audit::Audit),
    #[command(subcommand)]
    Config(config::Config),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Status(status::Status),
    Doctor(doctor::Doctor),
    Demo(demo::Demo),
    Completions(completions::Completions),
    Man(man::Man),
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
        Command::Identity(command) => identity::run(context, command),
        Command::Contact(command) => contact::run(context, command),
        Command::Record(command) => record::run(context, command),
        Command::Show(args) => show::run(context, &args),
        Command::Summary(args) => summary::run(context, &args),
        Command::Export(args) => export::run(context, &args),
        Command::Scope(command) => scope::run(context, &command),
        Command::Share(args) => share::run(context, &args),
        Command::Grant(command) => grant::run(context, command),
        Command::Agreement(command) => agreement::run(context, command),
        Command::Revoke(args) => revoke::run(context, &args),
        Command::Agent(command) => agent::run(context, command),
        Command::Serve(args) => serve::run(context, &args),
        Command::Head(command) => head::run(context, command),
        Command::Pin(command) => pin::run(context, command),
        Command::Move(args) => move_blocks::run(context, &args),
        Command::Deposit(args) => deposit::run(context, &args),
        Command::Inbox(command) => inbox::run(context, command),
        Command::Audit(command) => audit::run(context, command),
        Command::Config(command) => config::run(context, command),
        Command::Backup(args) => backup::run(context, &args),
        Command::Restore(args) => restore::run(context, &args),
        Command::Status(_) => status::run(context),
        Command::Doctor(args) => doctor::run(context, &args),
        Command::Demo(args) => demo::run(context, &args),
        Command::Completions(args) => completions::run(context, &args),
        Command::Man(args) => man::run(context, &args),
    }
}
