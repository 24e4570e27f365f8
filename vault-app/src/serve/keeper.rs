//! What is looked after while the node serves.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use vault_core::{NodeAddress, PublicKey, Vault};
use vault_node::Node;

use super::seen_from_outside;
use super::status::State;
use crate::app::App;
use crate::error::Error;
use crate::log::{Event, Log};
use crate::node_address;
use crate::publish::Publishing;

/// How often to see whether somebody else changed the vault.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often to see whether a grant has ended or the head wants renewing.
const TEND_EVERY: Duration = Duration::from_secs(60);

/// Looks after the vault and the node's addresses.
pub(super) struct Keeper {
    pub(super) app: App,
    pub(super) log: Log,
    pub(super) node: Arc<Node>,
    pub(super) address: NodeAddress,
    /// Peer and addresses of the Kubo that has the blocks.
    pub(super) blocks_at: Option<(PublicKey, Vec<String>)>,
    pub(super) state: Arc<State>,
    pub(super) vault: Vault,
    pub(super) publishing: Publishing,
    pub(super) tended: Option<Instant>,
}

impl Keeper {
    /// Works until the other end of `stop` is gone.
    pub(super) fn run(mut self, stop: &Receiver<()>) {
        self.tend();
        while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(LOOK_EVERY) {
            self.look();
        }
    }

    /// Takes note of what others did, and does what time asks for.
    fn look(&mut self) {
        let before = self.vault.head().seq();
        match self.vault.refresh() {
            Ok(()) if self.vault.head().seq() != before => {
                let head = self.vault.head().seq();
                self.log.write(Event::HeadChanged { head });
                self.new_head();
            }
            Ok(()) => {}
            Err(error) => self.failed(error),
        }
        if self.tended.is_none_or(|at| at.elapsed() >= TEND_EVERY) {
            self.tend();
        }
    }

    fn tend(&mut self) {
        self.tended = Some(Instant::now());
        match self.vault.tend() {
            Ok(true) => {
                let head = self.vault.head().seq();
                self.log.write(Event::Tended { head });
                self.new_head();
            }
            Ok(false) => {}
            Err(error) => self.failed(error),
        }
        self.look_around();
    }

    fn new_head(&mut self) {
        self.state.head(self.vault.head());
        self.publishing.head(self.vault.head());
    }

    /// Writes the node's addresses down when they have changed, for new tickets.
    fn look_around(&mut self) {
        let Ok(address) = self.node.look_around() else {
            return; // only while the node stops
        };
        let address = seen_from_outside(address, self.blocks_at.as_ref());
        if address == self.address {
            return;
        }
        if let Err(error) = node_address::remember(self.app.home(), &address) {
            let error = error.code;
            return self.log.write(Event::AddressesLost { error });
        }
        let count = address.addrs.len() + address.endpoint_addrs.len();
        self.log.write(Event::AddressesChanged { count });
        self.address = address;
    }

    fn failed(&self, error: impl Into<Error>) {
        let error = error.into().code;
        self.log.write(Event::TendFailed { error });
    }
}
