//! How a deposit gets to the patient.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek as _, Write as _};
use std::path::PathBuf;

use serde_json::Value;
use vault_core::{
    BlockStore, DepositReceipt, DepositTicket, Device, Ends, Home, NodeAddress, Outgoing,
    SourceError, Vault, sign_announcement,
};
use vault_node::NodeError;

use super::Deposit;
use super::recipient::Recipient;
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::network::send_deposit;
use crate::{files, local_socket, node, time};

/// How a deposit gets to the patient.
pub enum Way {
    /// To the patient's node, which confirms it.
    Iroh(NodeAddress),
    /// As a file.
    File(PathBuf, bool),
    /// From this home's own node, with a ticket.
    Ticket,
}

/// What became of it.
pub enum Sent {
    /// The patient's node has it and confirmed it.
    Delivered(DepositReceipt),
    /// It is in this file; `None` is standard output.
    Written(Option<PathBuf>),
    /// This ticket leads to it.
    Offered(String),
}

impl Way {
    /// The way that the command line names.
    pub fn of(args: &Deposit, to: &Recipient) -> Result<Self> {
        if let Some(path) = &args.output {
            return Ok(Self::File(path.clone(), args.force));
        }
        if args.ticket {
            return Ok(Self::Ticket);
        }
        if let Some(node) = &to.node {
            return Ok(Self::Iroh(node.clone()));
        }
        // nothing is sent: the way does not matter
        if args.dry_run {
            return Ok(Self::Ticket);
        }
        let what = format!("where the node of {} is, is not known", to.name);
        Err(Error::usage(what).hint("add `--output FILE.car` or `--ticket`"))
    }

    /// Sends a deposit whose blocks are in `store`.
    pub fn send(
        self,
        context: &Context,
        home: &Home,
        vault: &Vault,
        to: &Recipient,
        made: &Outgoing,
        store: &dyn BlockStore,
    ) -> Result<Sent> {
        match self {
            Self::File(path, force) => write(made, store, path, force),
            Self::Ticket => offer(context, home, vault, to, made, store),
            Self::Iroh(address) => {
                let send = |announce: &Announce<'_>, parcel: &mut dyn Read, len: u64| {
                    send_deposit(&address, announce, parcel, len)
                };
                deliver_over_iroh(vault.device(), made, store, send).map(Sent::Delivered)
            }
        }
    }
}

/// Makes the announcement for a connection.
type Announce<'a> = dyn Fn(&Ends) -> Vec<u8> + 'a;

/// Delivers a deposit: announces it on the connection that `send` makes, streams the parcel, and
/// checks the receipt that comes back.
fn deliver_over_iroh(
    device: &Device,
    made: &Outgoing,
    store: &dyn BlockStore,
    send: impl FnOnce(&Announce<'_>, &mut dyn Read, u64) -> Result<Vec<u8>, NodeError>,
) -> Result<DepositReceipt> {
    let mut file = tempfile::tempfile()?;
    write_into(made, store, &mut file)?;
    file.rewind()?;
    let announce = |ends: &Ends| sign_announcement(device, made, Some(ends), time::now());
    let answer = send(&announce, &mut BufReader::new(file), made.bytes)?;
    Ok(made.read_answer(&answer)?)
}

fn write_into(made: &Outgoing, store: &dyn BlockStore, file: &mut File) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 18, file);
    made.write(store, &mut out)?;
    Ok(out.flush()?)
}

fn write(made: &Outgoing, store: &dyn BlockStore, path: PathBuf, force: bool) -> Result<Sent> {
    if files::is_dash(&path) {
        let mut out = BufWriter::with_capacity(1 << 18, std::io::stdout().lock());
        made.write(store, &mut out)?;
        out.flush()?;
        return Ok(Sent::Written(None));
    }
    files::write_new(&path, force, |file| write_into(made, store, file))?;
    Ok(Sent::Written(Some(path)))
}

/// Puts the blocks where this home's node serves them.
fn offer(
    context: &Context,
    home: &Home,
    vault: &Vault,
    to: &Recipient,
    made: &Outgoing,
    store: &dyn BlockStore,
) -> Result<Sent> {
    let address = node::address(home, vault)?;
    if address.addrs.is_empty() {
        return Err(Error::new(
            Exit::Network,
            "no-address",
            "this home's node has no address yet",
        )
        .hint("run `medvault serve` once, then this command again"));
    }
    if local_socket::ask(home.root()).is_none() {
        context.out.warn(
            "nothing serves this home now, so nobody can fetch the deposit: run `medvault serve`",
        );
    }
    let outgoing = home.outgoing()?;
    for cid in made.cids() {
        let block = store.get(&cid)?.ok_or(SourceError::Missing(cid))?;
        outgoing.put(&[block])?;
    }
    outgoing.sync()?;
    let device = vault.device();
    let ticket = DepositTicket::seal(device, made, &to.target, &address, time::now())?;
    Ok(Sent::Offered(ticket))
}

impl Sent {
    /// Says so.
    pub fn tell(&self, context: &Context, value: &mut Value, words: &str) -> Result<()> {
        let out = context.out;
        match self {
            Self::Delivered(receipt) => {
                value["delivered"] = time::rfc3339(receipt.time).into();
                value["receipt"] = crate::show::hex(&receipt.bytes).into();
            }
            Self::Written(path) => {
                value["file"] = path.as_ref().map(|path| path.display().to_string()).into();
            }
            Self::Offered(ticket) => value["ticket"] = ticket.clone().into(),
        }
        if let Self::Written(None) = self {
            // standard output holds the deposit
            out.note(words);
            return Ok(());
        }
        if out.json {
            return out.json(value);
        }
        match self {
            Self::Delivered(receipt) => out.print(&format!(
                "{words}, delivered {}\n",
                time::minute(receipt.time)
            )),
            Self::Written(path) => {
                let path = path.as_ref().map(|path| path.display().to_string());
                out.print(&format!("{words}\n"))?;
                out.note(format!(
                    "Written to {}. The patient takes it with `medvault inbox add`",
                    path.unwrap_or_default()
                ));
                Ok(())
            }
            Self::Offered(ticket) => {
                out.note(words);
                out.note("The patient fetches it with `medvault inbox add TICKET`");
                out.print(&format!("{ticket}\n"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
