//! `medvault record`: put records in, look at them, take them out.

pub(super) mod add;
mod filter;
mod find;
mod get;
pub(super) mod input;
pub(super) mod label;
mod list;
mod remove;
mod shared;
mod show;
mod source;
mod update;

use clap::Subcommand;

pub use filter::Filter;
pub use find::find;
pub use shared::AskArgs;
pub use source::FromArgs;

use crate::context::Context;
use crate::error::{Exit, Result};

/// Add, list, show, get, update, label and remove records
#[derive(Subcommand)]
pub enum Record {
    Add(add::Add),
    List(list::List),
    Show(show::Show),
    Get(get::Get),
    Update(update::Update),
    Label(label::LabelArgs),
    Remove(remove::Remove),
}

/// Runs the command.
pub fn run(context: &Context, command: Record) -> Result<Exit> {
    match command {
        Record::Add(args) => add::run(context, args),
        Record::List(args) => list::run(context, &args),
        Record::Show(args) => show::run(context, &args),
        Record::Get(args) => get::run(context, &args),
        Record::Update(args) => update::run(context, &args),
        Record::Label(args) => label::run(context, &args),
        Record::Remove(args) => remove::run(context, &args),
    }
}
