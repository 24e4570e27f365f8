//! Deposits that come to the running node.

use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vault_core::{
    Admission, DepositRefusal, Ends, Incoming, Vault, WaitingDeposits, answer_refused,
};
use vault_node::{DepositHandler, DepositSink};

use super::status::State;
use crate::log::{Event, Log};

/// Takes deposits from those who may, into the home's quarantine.
pub(super) struct Deposits {
    vault: Arc<Mutex<Vault>>,
    waiting: Arc<WaitingDeposits>,
    log: Log,
    state: Arc<State>,
}

impl Deposits {
    /// A handler with a handle of the vault of its own.
    pub(super) fn new(vault: Vault, waiting: WaitingDeposits, log: Log, state: Arc<State>) -> Self {
        Self {
            vault: Arc::new(Mutex::new(vault)),
            waiting: Arc::new(waiting),
            log,
            state,
        }
    }
}

fn lock(vault: &Mutex<Vault>) -> MutexGuard<'_, Vault> {
    vault.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DepositHandler for Deposits {
    fn announced(
        &self,
        ends: &Ends,
        announcement: &[u8],
        len: u64,
    ) -> Result<Box<dyn DepositSink>, Vec<u8>> {
        let admission = lock(&self.vault).admit_deposit(announcement, ends, &self.waiting);
        match admission {
            Admission::Take(incoming) if incoming.len() == len => Ok(Box::new(Arriving {
                incoming: *incoming,
                vault: Arc::clone(&self.vault),
                waiting: Arc::clone(&self.waiting),
                log: self.log.clone(),
                state: Arc::clone(&self.state),
            })),
            Admission::Take(_) => Err(answer_refused(DepositRefusal::Malformed)),
            Admission::Answer(answer) => {
                self.log.write(Event::DepositRefused);
                Err(answer)
            }
        }
    }
}

/// One deposit on its way in.
struct Arriving {
    incoming: Incoming,
    vault: Arc<Mutex<Vault>>,
    waiting: Arc<WaitingDeposits>,
    log: Log,
    state: Arc<State>,
}

impl DepositSink for Arriving {
    fn write(&mut self, part: &[u8]) -> Result<(), Vec<u8>> {
        let written = self.incoming.write_all(part);
        written.map_err(|_| answer_refused(DepositRefusal::Busy))
    }

    fn finish(self: Box<Self>) -> Vec<u8> {
        let bytes = self.incoming.len();
        let answer = lock(&self.vault).finish_deposit(self.incoming, &self.waiting);
        self.state.deposit();
        self.log.write(Event::DepositArrived { bytes });
        answer
    }
}
