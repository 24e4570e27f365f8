//! `medvault inbox accept`.

use std::path::Path;

use clap::Args;
use serde_json::json;
use vault_core::{CarReader, Ticket};

use super::stick;
use super::sync::sync_one;
use crate::context::Context;
use crate::error::{Exit, Result};
use crate::network::{HeadArgs, Network, PlaceArgs, Places};
use crate::{files, time};

/// Take what somebody shares: open the ticket, remember it, and fetch what it gives
///
/// A file that `medvault grant export` wrote brings everything with it: nothing is fetched.
#[derive(Args)]
pub struct Accept {
    /// The ticket itself, a file that holds it or a whole grant, or `-` for standard input
    #[arg(value_name = "TICKET|FILE|-")]
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
    let text = if args.ticket.trim_start().starts_with("medvault-ticket:") {
        args.ticket.clone()
    } else {
        let hint = "give the ticket itself, a file that holds it, or `-` for standard input";
        let path = Path::new(&args.ticket);
        let (beginning, input) = files::peek(path).map_err(|error| error.hint(hint))?;
        if CarReader::<&[u8]>::may_begin(&beginning) {
            let from = stick::Senders::Anyone(args.name.as_deref());
            return stick::take(context, path, input, from).map(|()| Exit::Ok);
        }
        files::read_text_from(path, input, 1 << 20).map_err(|error| error.hint(hint))?
    };
    let (home, device, mut inbox) = super::open(context)?;
    let ticket = Ticket::open(&text, &device, time::now())?;
    let mut following = inbox
        .accept(&ticket, args.name.as_deref(), time::now())?
        .clone();
    context.out.note(format!(
        "ticket accepted: {} shares with you",
        following.name()
    ));
    if args.offline {
        if context.out.json {
            context.out.json(&json!({
                "name": following.name(), "vault": following.vault().to_string(),
                "grant": ticket.grant.to_string(),
            }))?;
        }
        return Ok(Exit::Ok);
    }
    let places = Places::of(context, &home, &args.places, &args.heads)?;
    let network = Network::new(device, places, context.out);
    let done = sync_one(context, &network, &home, &mut inbox, &mut following, false);
    network.close();
    done.map(|()| Exit::Ok)
}
