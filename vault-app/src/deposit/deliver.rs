//! Delivery of a deposit to the patient's node, which confirms it.

use std::fs::File;
use std::io::{BufReader, Read, Seek as _};
use std::path::Path;
use std::time::Duration;

use vault_core::{
    BlockStore, DepositReceipt, Device, Ends, NodeAddress, Outgoing, sign_announcement,
};
use vault_node::{DepositAnswer, Node, NodeError};

use super::write_deposit;
use crate::error::Result;
use crate::network::random_seed;
use crate::time;

/// How long the patient's node may stay silent; it reads the whole deposit before it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes the announcement for a connection.
type Announce<'a> = dyn Fn(&Ends) -> Vec<u8> + 'a;

/// Delivers a deposit to the node at `to`: announces it, sends it, and checks the receipt that comes
/// back. `progress` hears how many of its bytes have gone out, and ends the delivery by failing. `scratch`
/// is a folder for what lies there meanwhile, encrypted as it is sent.
///
/// # Errors
/// When the node cannot be reached or refuses; `no-receipt` when its answer confirms nothing.
pub fn deliver_over_iroh(
    device: &Device,
    to: &NodeAddress,
    made: &Outgoing,
    store: &dyn BlockStore,
    scratch: &Path,
    progress: &mut dyn FnMut(u64) -> std::io::Result<()>,
) -> Result<DepositReceipt> {
    let file = tempfile::tempfile_in(scratch)?;
    deliver(
        device,
        made,
        store,
        file,
        progress,
        |announce, parcel, len| send(to, announce, parcel, len),
    )
}

/// The same over the connection that `send` makes.
fn deliver(
    device: &Device,
    made: &Outgoing,
    store: &dyn BlockStore,
    mut file: File,
    progress: &mut dyn FnMut(u64) -> std::io::Result<()>,
    send: impl FnOnce(&Announce<'_>, &mut dyn Read, u64) -> Result<Vec<u8>, NodeError>,
) -> Result<DepositReceipt> {
    write_deposit(made, store, &mut file)?;
    file.rewind()?;
    let announce = |ends: &Ends| sign_announcement(device, made, Some(ends), time::now());
    let mut parcel = Counted {
        inner: BufReader::new(file),
        sent: 0,
        progress,
    };
    let answer = send(&announce, &mut parcel, made.bytes)?;
    Ok(made.read_answer(&answer)?)
}

/// Tells how much was read.
struct Counted<'a, R> {
    inner: R,
    sent: u64,
    progress: &'a mut dyn FnMut(u64) -> std::io::Result<()>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(into)?;
        self.sent += read as u64;
        (self.progress)(self.sent)?;
        Ok(read)
    }
}

/// Sends a parcel of `len` bytes, announced for the connection that is made, and returns the answer.
/// The endpoint has a key of the moment: nobody learns from a connection who sends.
fn send(
    to: &NodeAddress,
    announce: &Announce<'_>,
    parcel: &mut dyn Read,
    len: u64,
) -> Result<Vec<u8>, NodeError> {
    let node = Node::start_client_only(random_seed()?, random_seed()?)?;
    let sent = node.send_deposit(to, announce, parcel, len, PATIENCE);
    node.stop();
    // a refusal has the form of an answer, and its reader tells them apart
    sent.map(|answer| match answer {
        DepositAnswer::Refused(bytes) | DepositAnswer::Answered(bytes) => bytes,
    })
}

#[cfg(test)]
#[path = "deliver_tests.rs"]
mod tests;
