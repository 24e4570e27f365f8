//! What the audit log says of pinning services.
//!
//! Every entry makes a new head, which the services are then to hold. So that this comes to rest,
//! moving a service to a newer head is not an entry: that follows from every change while the
//! service is in use, between its `pinned` and its `unpinned`.

use super::{Vault, VaultError};
use crate::audit::Act;
use crate::pinning::{PinService, SampleSize, ServiceName, Verification};

impl Vault {
    /// Notes that a pinning service is used from now on. The next head names it, before the
    /// service is first asked.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn note_pinned(&mut self, service: &PinService) -> Result<(), VaultError> {
        let act = Act::Pinned {
            service: service.name.to_string(),
            endpoint: service.endpoint.clone(),
        };
        self.note(act)
    }

    /// Notes that a pinning service is used no more, and whether it confirmed that it keeps
    /// nothing.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn note_unpinned(&mut self, name: &ServiceName, confirmed: bool) -> Result<(), VaultError> {
        let service = name.to_string();
        self.note(Act::Unpinned { service, confirmed })
    }

    /// Notes what a check of a pinning service found.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn note_pin_verified(
        &mut self,
        name: &ServiceName,
        found: &Verification,
        size: SampleSize,
    ) -> Result<(), VaultError> {
        self.note(Act::PinVerified {
            service: name.to_string(),
            sampled: found.sampled,
            missing: found.missing.len() as u64,
            canaries: found.canaries,
            confidence: size.per_mille(),
        })
    }

    fn note(&mut self, act: Act) -> Result<(), VaultError> {
        self.transact(|tx| {
            tx.act(act);
            Ok(())
        })
    }
}
