//! `medvault inbox add`.

use std::io::Read;
use std::path::Path;

use clap::Args;
use serde_json::json;
use vault_app::WaitingRoom;
use vault_core::{CarReader, DepositTicket, WaitingDeposit};

use crate::context::Context;
use crate::deposits;
use crate::error::{Error, Exit, Result};
use crate::{files, show};

/// Longest accepted ticket text, in bytes.
const MAX_TICKET: u64 = 1 << 20;

/// Take in a deposit that came as a file or a ticket; it waits for your decision
///
/// A file must be from a contact. With a ticket, the deposit is fetched from the sender's node, no
/// more than the contact may send.
#[derive(Args)]
pub struct Add {
    /// The deposit's file, its ticket, a file that holds the ticket, or `-` for standard input
    #[arg(value_name = "FILE|TICKET|-")]
    from: String,
}

/// Runs the command.
pub fn run(context: &Context, args: &Add) -> Result<Exit> {
    if DepositTicket::may_be(&args.from) {
        return fetch(context, &args.from);
    }
    let path = Path::new(&args.from);
    let (beginning, input) = files::peek(path).map_err(|error| {
        error.hint("give the deposit's file, its ticket, or `-` for standard input")
    })?;
    if CarReader::<&[u8]>::may_begin(&beginning) {
        return take(context, path, input);
    }
    let text = files::read_text_from(path, input, MAX_TICKET)?;
    if !DepositTicket::may_be(&text) {
        let what = format!("{}: neither a deposit nor its ticket", path.display());
        return Err(Error::new(Exit::Failure, "not-a-deposit", what)
            .hint("`medvault inbox accept` is for what somebody shares with you"));
    }
    fetch(context, &text)
}

fn take(context: &Context, path: &Path, input: impl Read) -> Result<Exit> {
    let mut room = deposits::open(context)?;
    let added = room.add_file(path, input)?;
    tell(context, room, &added)
}

fn fetch(context: &Context, text: &str) -> Result<Exit> {
    let mut room = deposits::open(context)?;
    let added = room.fetch(text)?;
    tell(context, room, &added)
}

fn tell(context: &Context, mut room: WaitingRoom, added: &WaitingDeposit) -> Result<Exit> {
    let from = room.vault.depositor_name(&added.owner)?;
    if context.out.json {
        context.out.json(&json!({
            "deposit": added.deposit.to_string(), "from": from, "bytes": added.bytes,
        }))?;
        return Ok(Exit::Ok);
    }
    let id = deposits::ids(&room).short(added.deposit);
    context.out.print(&format!(
        "deposit {id} from {}, {}\n",
        from.unwrap_or_default(),
        show::bytes(added.bytes)
    ))?;
    context.out.note(format!(
        "Look at it with `medvault inbox show {id}`, then `medvault inbox accept {id}` or \
         `medvault inbox decline {id}`"
    ));
    Ok(Exit::Ok)
}
