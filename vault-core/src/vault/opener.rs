//! Opening many records in a row.

use std::sync::Arc;

use super::{OpenRecord, Vault, VaultError};
use crate::identity::Signers;
use crate::index::IndexEntry;
use crate::store::{BlockSource, RecentSource};

/// Opens records of one vault, quickly when they come in the order of the list.
pub struct Opener {
    signers: Signers,
    source: Arc<RecentSource>,
}

impl Vault {
    /// To open many records with.
    pub fn opener(&self) -> Opener {
        let source: Arc<dyn BlockSource> = self.storage.blocks();
        Opener {
            signers: self.head.signers().clone(),
            source: Arc::new(RecentSource::new(source)),
        }
    }
}

impl Opener {
    /// Opens the content of one version.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn open(&self, entry: &IndexEntry) -> Result<OpenRecord, VaultError> {
        OpenRecord::open(&self.signers, entry, self.source.clone())
    }
}
