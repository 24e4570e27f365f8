//! Sealing again what a revocation has closed, and the receipts for it.

use std::ops::ControlFlow;

use vault_core::{GrantId, PinnerAck, Receipt, RekeyProgress, Vault};

use crate::error::{Error, Exit, Result};

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// With the next batch.
    Go,
    /// Stop here; what is left can be done later.
    Stop,
}

/// Seals again what the readers of `grants` could open, under new keys, and deletes the old blocks.
/// Then `acknowledge` moves whoever keeps copies off the old blocks and says who confirmed; it is not
/// called when there is nothing to do. The receipts come last.
///
/// `progress` hears of every batch of about 64 MiB, and may say to stop after it.
///
/// # Errors
/// `stopped` when `progress` said so: then there are no receipts yet, and
/// [`Vault::pending_rekeys`] names the grants to call this with again. What the vault refuses.
pub fn rekey_with(
    vault: &mut Vault,
    grants: &[GrantId],
    progress: &mut dyn FnMut(&GrantId, &RekeyProgress) -> Next,
    acknowledge: &mut dyn FnMut() -> Vec<PinnerAck>,
) -> Result<Vec<Receipt>> {
    if grants.is_empty() {
        return Ok(Vec::new());
    }
    let mut deleted = Vec::new();
    for grant in grants {
        let done = vault.rekey_blocks(grant, &mut |step| match progress(grant, step) {
            Next::Go => ControlFlow::Continue(()),
            Next::Stop => ControlFlow::Break(()),
        })?;
        if done.left > 0 {
            let what = "stopped as you wished; what is left can be sealed again later";
            return Err(Error::new(Exit::Failure, "stopped", what));
        }
        deleted.push(done.deleted);
    }
    let acks = acknowledge();
    let mut receipts = Vec::new();
    for (grant, deleted) in grants.iter().zip(deleted) {
        let pinners: Vec<PinnerAck> = acks
            .iter()
            .map(|pinner| PinnerAck {
                deleted: if pinner.acknowledged { deleted } else { 0 },
                ..pinner.clone()
            })
            .collect();
        receipts.push(vault.finish_rekey(grant, &pinners)?);
    }
    Ok(receipts)
}

/// The same, with the pinning services of the home as those who keep copies.
///
/// # Errors
/// As [`rekey_with`].
#[cfg(feature = "network")]
pub fn rekey(
    vault: &mut Vault,
    pinning: &mut crate::pinning::Pinning,
    warn: &crate::app::Warn,
    grants: &[GrantId],
    progress: &mut dyn FnMut(&GrantId, &RekeyProgress) -> Next,
) -> Result<Vec<Receipt>> {
    rekey_with(vault, grants, progress, &mut || pinning.acknowledge(warn))
}
