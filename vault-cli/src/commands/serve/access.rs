//! Requests for keys, answered while the node serves.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};
use vault_core::{
    ChargeSource, Clock, Desk, DeskEvent, Device, Ends, Evidence, ForkVerdict, Home,
    MAX_EVIDENCE_LEN, Vault, VaultStorage, check_fork,
};
use vault_node::AccessHandler;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::files;
use crate::log::{Event, Log};
use crate::network::{EVIDENCE, evidence_prefix, write_evidence};

/// What became of the requests since the node started.
#[derive(Default)]
pub struct Counts {
    released: AtomicU64,
    denied: AtomicU64,
    refused: AtomicU64,
    halted: AtomicBool,
}

impl Counts {
    /// For `medvault status`.
    pub fn to_json(&self) -> Value {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        json!({
            "released": read(&self.released), "denied": read(&self.denied),
            "refused": read(&self.refused), "halted": self.halted.load(Ordering::Relaxed),
        })
    }
}

/// Hands messages from the network to the desk.
struct AtDesk(Desk);

impl AccessHandler for AtDesk {
    fn answer(&self, _: &Ends, message: &[u8]) -> Option<Vec<u8>> {
        Some(self.0.answer(message))
    }
}

/// Where a vault lives, to open it once more.
#[derive(Clone)]
pub struct Lodging {
    /// The home.
    pub home: Home,
    /// Its storage.
    pub storage: Arc<dyn VaultStorage>,
    /// The device.
    pub device: Arc<Device>,
    /// The clock.
    pub clock: Clock,
}

impl Lodging {
    /// Opens the vault, for a thread of its own.
    pub fn vault(&self) -> Result<Vault> {
        let (storage, device) = (self.storage.clone(), self.device.clone());
        Ok(Vault::open(storage, device, self.clock.clone())?)
    }
}

/// Opens the desk that answers requests for keys, for this vault and for what `charges` names. If it
/// was found earlier that the log was put back, and that is so still, it answers nothing.
pub fn open_desk(
    context: &Context,
    lodging: &Lodging,
    charges: Box<dyn ChargeSource>,
    log: Log,
    counts: &Arc<Counts>,
) -> Result<Arc<dyn AccessHandler>> {
    let vault = lodging.vault()?;
    let found = unsettled(&lodging.home, &vault)?;
    if let Some(path) = &found {
        counts.halted.store(true, Ordering::Relaxed);
        log.write(Event::AccessHalted);
        context.out.warn(format!(
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
    write_evidence(&lodging.home, &vault.id(), [("own", &own), ("seen", &seen)])?;
    Ok(())
}

/// The file that shows a log of this vault which the home does not contain, if there is one.
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
