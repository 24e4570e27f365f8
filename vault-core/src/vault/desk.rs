//! The desk: one thread that answers messages of the access protocol, many in one change.
//!
//! While one change is being made durable, the messages that come in wait for the next; a hundred
//! that ask at once cost a few syncs, not a hundred.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::answer::{asked_of, questioned_by};
use super::{Answers, Charge, Vault, VaultError};
use crate::access::{AccessReply, RefusalCode};
use crate::ids::VaultId;

/// Most messages in one change.
const BATCH: usize = 64;
/// How long nobody must have asked before what was replaced is deleted.
const TIDY_AFTER: Duration = Duration::from_secs(2);
/// Most changes before that is done all the same.
const MAX_UNTIDY: usize = 256;

/// What a desk noticed, for whoever runs it.
#[derive(Debug)]
pub enum DeskEvent {
    /// Messages were answered.
    Answered {
        /// How many requests got their keys.
        released: usize,
        /// How many were turned down, and that was logged.
        denied: usize,
        /// How many were not looked at further.
        refused: usize,
    },
    /// Nothing could be answered.
    Failed(VaultError),
    /// A reader has shown a checkpoint that this vault's own key signed and its log does not contain.
    /// Nothing is answered from now on.
    Diverged {
        /// The checkpoint.
        seen: Vec<u8>,
    },
}

/// Where a desk learns what it answers for besides its own vault. Asked before every change.
pub trait ChargeSource: Send {
    /// What this vault's owner is an agent for now.
    fn charges(&mut self) -> Vec<Arc<Charge>>;

    /// Whether this agent has anything to do with `vault`, whose owner may ask what was done. Questions
    /// of others are not looked at: anyone can make a vault, and each would leave something behind.
    fn follows(&mut self, vault: &VaultId) -> bool {
        let _ = vault;
        false
    }

    /// A request for records of `vault` got no keys: the charge for it may be out of date. May be
    /// called for a vault that is none of this agent's business, as often as anyone likes to ask.
    fn missed(&mut self, vault: &VaultId) {
        let _ = vault;
    }
}

/// Answers for nobody else.
pub struct NoCharges;

impl ChargeSource for NoCharges {
    fn charges(&mut self) -> Vec<Arc<Charge>> {
        Vec::new()
    }
}

struct Job {
    message: Vec<u8>,
    reply: Sender<Vec<u8>>,
}

/// Answers messages, from any number of threads. Ends when it is dropped.
pub struct Desk {
    jobs: Mutex<Option<Sender<Job>>>,
    worker: Option<JoinHandle<()>>,
}

impl Desk {
    /// Opens a desk on a vault of its own handle. `tell` hears what happens, on the desk's thread.
    /// With `halted` it answers nothing: what was found earlier has not been looked at.
    pub fn open(
        vault: Vault,
        charges: Box<dyn ChargeSource>,
        halted: bool,
        tell: Box<dyn Fn(DeskEvent) + Send>,
    ) -> Self {
        let (jobs, inbox) = channel();
        let work = Work {
            vault,
            charges,
            halted,
            tell,
        };
        let worker = std::thread::spawn(move || work.run(&inbox));
        Self {
            jobs: Mutex::new(Some(jobs)),
            worker: Some(worker),
        }
    }

    /// Answers one message; blocks until the answer is durable.
    pub fn answer(&self, message: &[u8]) -> Vec<u8> {
        let (reply, answer) = channel();
        let job = Job {
            message: message.to_vec(),
            reply,
        };
        let sent = {
            let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok())
        };
        let busy = || AccessReply::Refused(RefusalCode::Busy).to_bytes();
        match sent {
            true => answer.recv().unwrap_or_else(|_| busy()),
            false => busy(),
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // the worker ends when nobody can send any more
        *self.jobs.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(worker) = self.worker.take() {
            drop(worker.join());
        }
    }
}

struct Work {
    vault: Vault,
    charges: Box<dyn ChargeSource>,
    halted: bool,
    tell: Box<dyn Fn(DeskEvent) + Send>,
}

impl Work {
    fn run(mut self, inbox: &Receiver<Job>) {
        let mut untidy = 0;
        loop {
            // what was replaced is deleted when nobody waits, and readers under way had time to
            // fetch what the head they know names
            let first = match inbox.recv_timeout(TIDY_AFTER) {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) if untidy > 0 => {
                    untidy = 0;
                    self.tidy();
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if untidy >= MAX_UNTIDY {
                untidy = 0;
                self.tidy();
            }
            untidy += 1;
            let mut jobs = vec![first];
            while jobs.len() < BATCH
                && let Ok(next) = inbox.try_recv()
            {
                jobs.push(next);
            }
            let messages: Vec<Vec<u8>> = jobs
                .iter_mut()
                .map(|job| std::mem::take(&mut job.message))
                .collect();
            for (job, reply) in jobs.iter().zip(self.replies(&messages)) {
                // whoever asked may have gone; the answer is in the log
                drop(job.reply.send(reply.to_bytes()));
            }
        }
        if untidy > 0 {
            self.tidy();
        }
    }

    fn tidy(&mut self) {
        if let Err(error) = self.vault.tidy() {
            (self.tell)(DeskEvent::Failed(error));
        }
    }

    fn replies(&mut self, messages: &[Vec<u8>]) -> Vec<AccessReply> {
        let halted = || AccessReply::Refused(RefusalCode::Halted);
        if self.halted {
            return messages.iter().map(|_| halted()).collect();
        }
        let charges = self.charges.charges();
        let questions = messages.iter().map(|message| questioned_by(message));
        let strange: Vec<bool> = questions
            .map(|vault| vault.is_some_and(|vault| !self.charges.follows(&vault)))
            .collect();
        let known = messages.iter().zip(&strange);
        let known: Vec<Vec<u8>> = known
            .filter(|(_, strange)| !**strange)
            .map(|(message, _)| message.clone())
            .collect();
        let Answers {
            replies,
            diverged,
            error,
        } = self.vault.answer(&known, &charges);
        let stranger = || AccessReply::Refused(RefusalCode::Stranger);
        let mut replies = replies.into_iter();
        let replies: Vec<AccessReply> = strange
            .iter()
            .map(|strange| match strange {
                true => stranger(),
                false => replies.next().unwrap_or_else(stranger),
            })
            .collect();
        if let Some(error) = error {
            (self.tell)(DeskEvent::Failed(error));
        }
        if let Some(seen) = diverged {
            self.halted = true;
            (self.tell)(DeskEvent::Diverged { seen });
        }
        let count = |of: fn(&AccessReply) -> bool| replies.iter().filter(|r| of(r)).count();
        for (message, reply) in messages.iter().zip(&replies) {
            if !matches!(reply, AccessReply::Released(_))
                && let Some(vault) = asked_of(message, &self.vault.id())
            {
                self.charges.missed(&vault);
            }
        }
        let event = DeskEvent::Answered {
            released: count(|reply| matches!(reply, AccessReply::Released(_))),
            denied: count(|reply| matches!(reply, AccessReply::Denied(_))),
            refused: count(|reply| matches!(reply, AccessReply::Refused(_))),
        };
        (self.tell)(event);
        replies
    }
}
