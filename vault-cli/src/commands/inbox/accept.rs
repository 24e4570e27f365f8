//! `medvault inbox accept`.

use std::path::Path;

use clap::Args;
use serde_json::json;
use vault_app::Senders;
use vault_core::{CarReader, DepositTicket, Following, Terms, Ticket};

use super::sync::{sync_one, take_file};
use crate::commands::agreement::words;
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::places::{HeadArgs, PlaceArgs, places};
use crate::{deposits, files, show, time};

/// Take what somebody shares, or a deposit that waits
///
/// A ticket is opened and remembered, and what it gives is fetched. A file that `medvault grant
/// export` wrote brings everything with it: nothing is fetched. A deposit's records go into your
/// vault as its sender signed them; grants that take in new records then hold for them.
#[derive(Args)]
pub struct Accept {
    /// The ticket itself, a file that holds it or a whole grant, `-` for standard input, or the id
    /// of a deposit
    #[arg(value_name = "TICKET|FILE|-|DEPOSIT")]
    ticket: String,

    /// Call the sender by this name [default: the name they go by]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Only remember it; fetch later with `inbox sync`
    #[arg(long)]
    offline: bool,

    #[command(flatten)]
    heads: HeadArgs,

    #[command(flatten)]
    places: PlaceArgs,
}

/// Runs the command.
pub fn run(context: &Context, args: &Accept) -> Result<Exit> {
    if DepositTicket::may_be(&args.ticket) {
        return Err(not_yet());
    }
    let text = if args.ticket.trim_start().starts_with("medvault-ticket:") {
        args.ticket.clone()
    } else {
        let hint = "give the ticket itself, a file that holds it, or `-` for standard input";
        let path = Path::new(&args.ticket);
        if may_be_id(&args.ticket) && !path.exists() {
            return take_deposit(context, &args.ticket);
        }
        let (beginning, input) = files::peek(path).map_err(|error| error.hint(hint))?;
        if CarReader::<&[u8]>::may_begin(&beginning) {
            let from = Senders::Anyone(args.name.as_deref());
            return take_file(context, path, input, from).map(|()| Exit::Ok);
        }
        files::read_text_from(path, input, 1 << 20).map_err(|error| error.hint(hint))?
    };
    if DepositTicket::may_be(&text) {
        return Err(not_yet());
    }
    let (home, device, mut inbox) = super::open(context)?;
    let ticket = Ticket::open(&text, &device, time::now())?;
    let mut following = inbox
        .accept(&ticket, args.name.as_deref(), time::now())?
        .clone();
    context.out.note(format!(
        "ticket accepted: {} shares with you",
        following.name()
    ));
    if let Some(terms) = ticket.offered() {
        offered(context, &following, &terms);
    }
    if args.offline {
        if context.out.json {
            context.out.json(&json!({
                "name": following.name(), "vault": following.vault().to_string(),
                "grant": ticket.grant.to_string(),
            }))?;
        }
        return Ok(Exit::Ok);
    }
    let app = context.app(home)?;
    let network = app.network(&device, places(&app, &args.places, &args.heads)?);
    let done = sync_one(
        context,
        &network,
        app.home(),
        &mut inbox,
        &mut following,
        false,
    );
    network.close();
    done.map(|()| Exit::Ok)
}

/// A deposit waits for a look first.
fn not_yet() -> Error {
    Error::usage("this is the ticket of a deposit")
        .hint("`medvault inbox add` fetches it; then it waits for your decision")
}

/// Whether a text looks like the beginning of an id.
fn may_be_id(text: &str) -> bool {
    let base32 = |c: char| c.is_ascii_lowercase() || ('2'..='7').contains(&c);
    !text.is_empty() && text.len() <= 26 && text.to_lowercase().chars().all(base32)
}

/// Takes a deposit that waits into the vault.
fn take_deposit(context: &Context, text: &str) -> Result<Exit> {
    let mut room = deposits::open(context)?;
    let deposit = deposits::find(&room, text)?;
    let rules = room.app.sensitivity();
    let taken = room.vault.accept_waiting(&deposit, &room.waiting, &rules)?;
    if context.out.json {
        context.out.json(&json!({
            "deposit": deposit.to_string(), "added": taken.records, "known": taken.known,
        }))?;
        return Ok(Exit::Ok);
    }
    let words = format!("{} added\n", show::count(taken.records, "record"));
    context.out.print(&words)?;
    if taken.known > 0 {
        context.out.note(format!(
            "{} of them were in the vault already, without the sender's signature",
            taken.known
        ));
    }
    Ok(Exit::Ok)
}

/// An agreement is to be read before it is signed.
fn offered(context: &Context, following: &Following, terms: &Terms) {
    let out = context.out;
    out.note(format!("{} offers access on request:", following.name()));
    for (name, value) in words::lines(terms, time::now()) {
        out.note(format!("  {name:<12}{value}"));
    }
    let agreements = following.agreements();
    let mut known = agreements.iter();
    match known.any(|held| held.grant == terms.grant && held.accepted.is_some()) {
        true => out.note("You have agreed to this."),
        false => out.note(format!(
            "Nothing can be read yet. To agree: `medvault agreement accept {}`",
            terms.grant
        )),
    }
}
