//! How a deposit gets to the patient.

use std::path::PathBuf;

use serde_json::Value;
use vault_app::{
    App, Recipient, deliver_over_iroh, offer_deposit, write_deposit, write_deposit_file,
};
use vault_core::{BlockStore, DepositReceipt, NodeAddress, Outgoing, Vault};

use super::Deposit;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::{files, time};

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
        app: &App,
        vault: &Vault,
        to: &Recipient,
        made: &Outgoing,
        store: &dyn BlockStore,
    ) -> Result<Sent> {
        match self {
            Self::File(path, _) if files::is_dash(&path) => {
                write_deposit(made, store, std::io::stdout().lock())?;
                Ok(Sent::Written(None))
            }
            Self::File(path, force) => {
                write_deposit_file(made, store, &path, force)?;
                Ok(Sent::Written(Some(path)))
            }
            Self::Ticket => offer_deposit(app, vault, to, made, store).map(Sent::Offered),
            Self::Iroh(at) => {
                let scratch = app.home().root();
                deliver_over_iroh(vault.device(), &at, made, store, scratch, &mut |_| Ok(()))
            }
            .map(Sent::Delivered),
        }
    }
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
