//! How a deposit gets to the patient: as a file, with a ticket, or to the patient's node.

use std::io::{BufWriter, Write};
use std::path::Path;

use vault_core::{BlockStore, DepositTicket, Outgoing, SourceError, Vault};

use super::Recipient;
use crate::app::App;
use crate::error::{Error, Exit, Result};
use crate::node_address::node_address;
use crate::running_node::ask_running_node;
use crate::{files, time};

/// Bytes written at once.
const BUFFER: usize = 1 << 18;

/// Writes a deposit whose blocks are in `store`.
///
/// # Errors
/// When a block is missing, or `out` refuses.
pub fn write_deposit(made: &Outgoing, store: &dyn BlockStore, out: impl Write) -> Result<()> {
    let mut out = BufWriter::with_capacity(BUFFER, out);
    made.write(store, &mut out)?;
    Ok(out.flush()?)
}

/// The same into a new file, whole or not at all.
///
/// # Errors
/// `file-exists` unless `force` is set; as [`write_deposit`].
pub fn write_deposit_file(
    made: &Outgoing,
    store: &dyn BlockStore,
    path: &Path,
    force: bool,
) -> Result<()> {
    files::write_new(path, force, |file| write_deposit(made, store, file))
}

/// Puts the blocks where this home's node serves them, and returns the ticket that leads there.
///
/// # Errors
/// `no-address` when the node has never run; what the home refuses.
pub fn offer_deposit(
    app: &App,
    vault: &Vault,
    to: &Recipient,
    made: &Outgoing,
    store: &dyn BlockStore,
) -> Result<String> {
    let home = app.home();
    let address = node_address(home, vault)?;
    if address.addrs.is_empty() {
        return Err(Error::new(
            Exit::Network,
            "no-address",
            "this home's node has no address yet",
        )
        .hint("run `medvault serve` once, then this command again"));
    }
    if ask_running_node(home.root()).is_none() {
        app.warn(
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
    Ok(DepositTicket::seal(
        device,
        made,
        &to.target,
        &address,
        time::now(),
    )?)
}
