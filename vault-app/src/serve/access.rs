//! Requests for keys, answered while the node serves.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use vault_core::{
    ChargeSource, Desk, DeskEvent, Ends, Evidence, ForkVerdict, Home, MAX_EVIDENCE_LEN, Vault,
    check_fork,
};
use vault_node::AccessHandler;

use super::Lodging;
use super::status::AccessStatus;
use crate::error::{Error, Result};
use crate::evidence::{EVIDENCE, evidence_prefix, write_evidence};
use crate::files;
use crate::log::{Event, Log};

/// What became of the requests since the node started.
#[derive(Default)]
pub(super) struct Counts {
    released: AtomicU64,
    denied: AtomicU64,
    refused: AtomicU64,
    halted: AtomicBool,
}

impl Counts {
    /// As they are now.
    pub(super) fn read(&self) -> AccessStatus {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        AccessStatus {
            released: read(&self.released),
            denied: read(&self.denied),
            refused: read(&self.refused),
            halted: self.halted.load(Ordering::Relaxed),
        }
    }
}

/// Hands messages from the network to the desk.
struct AtDesk(Desk);

impl AccessHandler for AtDesk {
    fn answer(&self, _: &Ends, message: &[u8]) -> Option<Vec<u8>> {
        Some(self.0.answer(message))
    }
}

/// Opens the desk that answers requests for keys, for this vault and for what `charges` names. If it
/// was found earlier that the log was put back, and that is so still, it answers nothing.
pub(super) fn open_desk(
    lodging: &Lodging,
    charges: Box<dyn ChargeSource>,
    log: Log,
    counts: &Arc<Counts>,
) -> Result<Arc<dyn AccessHandler>> {
    let vault = lodging.vault()?;
    let found = unsettled(lodging.app.home(), &vault)?;
    if let Some(path) = &found {
        counts.halted.store(true, Ordering::Relaxed);
        log.write(Event::AccessHalted);
        lodging.app.warn(format!(
            "no key is given out: {} shows a log of this vault that the home does not contain. \
             {SETTLE}",
            path.display()
        ));
    }
    let (lodging, counts) = (lodging.clone(), counts.clone());
    let tell = move |event| match event {
        DeskEvent::Answered {
            released,
            denied,
            refused,
        } => {
            let count = |counter: &AtomicU64, more: usize| {
                counter.fetch_add(more as u64, Ordering::Relaxed);
            };
            count(&counts.released, released);
            count(&counts.denied, denied);
            count(&counts.refused, refused);
            if released + denied + refused > 0 {
                log.write(Event::AccessAnswered {
                    released,
                    denied,
                    refused,
                });
            }
        }
        DeskEvent::Failed(error) => {
            let error = Error::from(error).code;
            log.write(Event::AccessFailed { error });
        }
        DeskEvent::Diverged { seen } => {
            counts.halted.store(true, Ordering::Relaxed);
            log.write(Event::AccessHalted);
            if let Err(error) = keep(&lodging, &seen) {
                log.write(Event::EvidenceLost { error: error.code });
            }
        }
    };
    let halted = found.is_some();
    Ok(Arc::new(AtDesk(Desk::open(
        vault,
        charges,
        halted,
        Box::new(tell),
    ))))
}

/// What to do when the log was put back.
pub const SETTLE: &str = "Put the newest copy of the home back. If it is lost, move that file away: \
                          whoever has seen more then needs `medvault inbox forget` and a fresh ticket";

/// Writes down what a reader has shown, and what this home has.
fn keep(lodging: &Lodging, seen: &[u8]) -> Result<()> {
    let vault = lodging.vault()?;
    let seen = Evidence::of_checkpoint(seen, vault.head().signers())?;
    let own = vault.evidence()?;
    write_evidence(
        lodging.app.home(),
        &vault.id(),
        [("own", &own), ("seen", &seen)],
    )?;
    Ok(())
}

/// The file that shows a log of this vault which the home does not contain, if there is one.
///
/// # Errors
/// When the home or the log cannot be read.
pub fn unsettled(home: &Home, vault: &Vault) -> Result<Option<PathBuf>> {
    let prefix = format!("{}-seen-", evidence_prefix(&vault.id()));
    let mut own = None;
    for name in home.list_folder(EVIDENCE)? {
        if !name.starts_with(&prefix) {
            continue;
        }
        let path = home.root().join(EVIDENCE).join(&name);
        let text = files::read_text(&path, MAX_EVIDENCE_LEN as u64);
        let seen = text.ok().and_then(|text| Evidence::parse(&text).ok());
        let own = match &own {
            Some(own) => own,
            None => own.insert(vault.evidence()?),
        };
        let settled = seen.is_some_and(|seen| {
            matches!(check_fork(own, &seen), Ok(ForkVerdict::Consistent { .. }))
        });
        if !settled {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
