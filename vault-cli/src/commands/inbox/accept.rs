//! `medvault inbox accept`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use vault_core::Ticket;

use super::sync::sync_one;
use crate::context::Context;
use crate::error::{Exit, Result};
use crate::network::Network;
use crate::{files, time};

/// Take what somebody shares: open the ticket, remember it, and fetch what it gives
#[derive(Args)]
pub struct Accept {
    /// The ticket itself, a file that holds it, or `-` for standard input
    #[arg(value_name = "TICKET|FILE|-")]
    ticket: String,

    /// Call the sender by this name [default: the name they go by]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Only remember it; fetch later with `inbox sync`
    #[arg(long)]
    offline: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Accept) -> Result<Exit> {
    let text = if args.ticket.trim_start().starts_with("medvault-ticket:") {
        args.ticket.clone()
    } else {
        let read = files::read_text(&PathBuf::from(&args.ticket), 1 << 20);
        read.map_err(|error| {
            error.hint("give the ticket itself, a file that holds it, or `-` for standard input")
        })?
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
    let network = Network::new(device);
    let done = sync_one(context, &network, &home, &mut inbox, &mut following, false);
    network.close();
    done.map(|()| Exit::Ok)
}
