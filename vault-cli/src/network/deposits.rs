//! Deposits to a patient's node.

use std::io::Read;
use std::time::Duration;

use vault_core::{Ends, NodeAddress};
use vault_node::{DepositAnswer, Node, NodeError};

use super::random_seed;

/// How long the patient's node may stay silent; it reads the whole deposit before it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a parcel of `len` bytes, announced for the connection that is made, and returns the answer.
/// The endpoint has a key of the moment: nobody learns from a connection who sends.
pub fn send_deposit(
    to: &NodeAddress,
    announce: &dyn Fn(&Ends) -> Vec<u8>,
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
