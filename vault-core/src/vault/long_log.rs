//! A log of any length at once, for tests and figures.

use super::{Vault, VaultError};
use crate::audit::Act;
use crate::ids::GrantId;

/// Entries in one change.
const BATCH: u64 = 100_000;

impl Vault {
    /// Appends `count` entries that mean nothing.
    ///
    /// # Errors
    /// [`VaultError`].
    #[doc(hidden)]
    pub fn lengthen_log(&mut self, count: u64) -> Result<(), VaultError> {
        let mut left = count;
        while left > 0 {
            let part = left.min(BATCH);
            self.transact(|tx| {
                for n in 0..part {
                    tx.act(Act::Joined {
                        grant: GrantId::from_bytes([0xff; 16]),
                        count: n,
                    });
                }
                Ok(())
            })?;
            left -= part;
        }
        Ok(())
    }
}
