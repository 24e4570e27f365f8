//! Keeping up to date within a time that the phone gives.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use vault_app::Result;
use vault_core::WaitingDeposits;

use super::session::Session;
use super::{Vault, online};
use crate::error::MedVaultError;
use crate::runtime;
use crate::types::{SenderSync, SyncReport};
use crate::work::Control;

/// Most senders that are asked at a time.
const AT_A_TIME: usize = 4;
/// Longest deadline: a day.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

#[uniffi::export]
impl Vault {
    /// Does what time asks for, within `deadline_ms` milliseconds: renews the own head, ends grants
    /// whose time is over, enters deposits that arrived, fetches the newest from every sender. For a
    /// background task: it returns by the deadline whatever the network does. What was begun with a
    /// sender ends by its own time limits, or when the vault is locked, and is not in the report.
    pub async fn sync(&self, deadline_ms: u64) -> Result<SyncReport, MedVaultError> {
        let session = self.session()?;
        let until = Instant::now() + Duration::from_millis(deadline_ms).min(LONGEST);
        Ok(runtime::spawn(bring_up_to_date(session, until)).await?)
    }
}

/// What a thread has done.
enum Done {
    /// The own vault: the head, whether it was renewed, how many deposits wait.
    Own(Result<(u64, bool, u32)>),
    /// A sender.
    Sender(String, Result<SenderSync>),
}

async fn bring_up_to_date(session: Arc<Session>, until: Instant) -> Result<SyncReport> {
    let mut report = SyncReport {
        finished: false,
        head: 0,
        renewed: false,
        senders: Vec::new(),
        deposits_waiting: 0,
        problems: Vec::new(),
    };
    let (tell, mut heard) = unbounded_channel();
    begin(&session, &tell)?;
    drop(tell);
    loop {
        match tokio::time::timeout_at(until.into(), heard.recv()).await {
            Ok(Some(Done::Own(Ok(own)))) => {
                (report.head, report.renewed, report.deposits_waiting) = own;
            }
            Ok(Some(Done::Own(Err(error)))) => report.problems.push(error.message),
            Ok(Some(Done::Sender(_, Ok(synced)))) => report.senders.push(synced),
            Ok(Some(Done::Sender(name, Err(error)))) => {
                report.problems.push(format!("{name}: {}", error.message));
            }
            // nobody is at work any more
            Ok(None) => {
                report.finished = true;
                return Ok(report);
            }
            Err(_) => return Ok(report),
        }
    }
}

/// Begins with the own vault and with the first senders; each thread goes on with the next sender.
fn begin(session: &Arc<Session>, tell: &UnboundedSender<Done>) -> Result<()> {
    let (own, answer) = (session.clone(), tell.clone());
    let control = Control::new(session.closing(), None);
    runtime::start(move || {
        let done = own.busy().and_then(|_busy| {
            let _turn = own.turn_of(&control)?;
            tend(&own)
        });
        // nobody listens any more after the deadline
        let _ = answer.send(Done::Own(done));
    })?;
    let inbox = session.inbox()?;
    let names = inbox.list().iter().map(|sender| sender.name().to_owned());
    let names: Arc<Mutex<VecDeque<String>>> = Arc::new(Mutex::new(names.collect()));
    for _ in 0..AT_A_TIME {
        let (session, names, tell) = (session.clone(), names.clone(), tell.clone());
        runtime::start(move || {
            let next = || {
                let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
                names.pop_front()
            };
            while let Some(name) = next() {
                let synced = session
                    .busy()
                    .and_then(|_busy| online::sync_sender(&session, &name, false));
                if tell.send(Done::Sender(name, synced)).is_err() {
                    return;
                }
            }
        })?;
    }
    Ok(())
}

fn tend(session: &Arc<Session>) -> Result<(u64, bool, u32)> {
    session.with_vault(|vault| {
        let renewed = vault.tend()?;
        let waiting = WaitingDeposits::open(session.app.home().clone(), &session.device)?;
        vault.note_arrivals(&waiting)?;
        let deposits = waiting.list()?.len() as u32;
        Ok((vault.head().seq(), renewed, deposits))
    })
}
