//! `medvault agreement`: access on request, agreed on by both sides.

mod accept;
mod consent;
mod decline;
mod list;
mod proofs;
mod show;
mod take;
pub mod words;

use clap::Subcommand;
use vault_core::{Following, GrantId, HeldTerms, Inbox};

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use vault_app::Ids;

/// Agreements on request: what was offered to you, and what you agreed to
///
/// Under such an agreement each key is asked for when a record is opened: `medvault record get`,
/// `show`, `summary` and `export` do that by themselves. Lists and searches never ask.
#[derive(Subcommand)]
pub enum Agreement {
    List(list::List),
    Show(show::Show),
    Accept(accept::Accept),
    Decline(decline::Decline),
    Take(take::Take),
    Consent(consent::Consent),
    Proofs(proofs::ProofsArgs),
}

/// Runs the command.
pub fn run(context: &Context, command: Agreement) -> Result<Exit> {
    match command {
        Agreement::List(_) => list::run(context),
        Agreement::Show(args) => show::run(context, &args),
        Agreement::Accept(args) => accept::run(context, &args),
        Agreement::Decline(args) => decline::run(context, &args),
        Agreement::Take(args) => take::run(context, &args),
        Agreement::Consent(args) => consent::run(context, &args),
        Agreement::Proofs(args) => proofs::run(context, &args),
    }
}

/// Every agreement that was offered, with whose it is.
fn all(inbox: &Inbox) -> Vec<(&Following, HeldTerms)> {
    let of_one = |following: &'_ Following| following.agreements();
    let lists = inbox.list().iter();
    lists
        .flat_map(|following| {
            of_one(following)
                .into_iter()
                .map(move |held| (following, held))
        })
        .collect()
}

/// The agreement that `text` begins, and whose it is.
fn find(inbox: &Inbox, text: &str) -> Result<(Following, HeldTerms)> {
    let all = all(inbox);
    let ids = Ids::new(all.iter().map(|(_, held)| held.grant));
    let id: GrantId = ids.find(text, "agreement", "agreement list")?;
    let found = all.into_iter().find(|(_, held)| held.grant == id);
    let (following, held) = found.ok_or_else(|| {
        Error::new(Exit::NotFound, "no-agreement", "there is no such agreement")
            .hint("`medvault agreement list` shows all of them")
    })?;
    Ok((following.clone(), held))
}
