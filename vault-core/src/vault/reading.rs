//! Reading while another process changes the vault.
//!
//! Readers take no lock. A commit deletes the blocks that the head before it named, so a block that
//! is missing under a head that has been replaced since says nothing: read again under the new one.

use super::{Vault, VaultError};
use crate::block::Cid;
use crate::body::BodyError;
use crate::index::PageError;
use crate::pins::PinSetError;
use crate::store::SourceError;

impl VaultError {
    /// The block that was not to be had, if that is the error.
    pub fn missing_block(&self) -> Option<Cid> {
        match self {
            Self::Source(SourceError::Missing(cid))
            | Self::Page(PageError::Source(SourceError::Missing(cid)))
            | Self::Body(BodyError::Source(SourceError::Missing(cid)))
            | Self::Pins(PinSetError::Source(SourceError::Missing(cid))) => Some(*cid),
            Self::Incomplete(missing) => missing.first().copied(),
            _ => None,
        }
    }

    /// Whether a block was not to be had.
    pub(super) fn is_missing_block(&self) -> bool {
        self.missing_block().is_some()
    }
}

impl Vault {
    /// Reads; and reads again, under the new head, if blocks are missing because another process
    /// has replaced the head.
    pub(super) fn reading<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        loop {
            let error = match read(self) {
                Err(error) if error.is_missing_block() => error,
                other => return other,
            };
            let before = self.head.block().cid();
            self.refresh()?;
            if self.head.block().cid() == before {
                return Err(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::store::BlockStore;
    use crate::vault::tests::{clock, record, world};
    use crate::vault::{MemoryStorage, StorageError, VaultStorage, WriteGuard};

    /// Lets something happen right after a head was read.
    struct Racing {
        inner: Arc<MemoryStorage>,
        change: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    }

    impl VaultStorage for Racing {
        fn blocks(&self) -> Arc<dyn BlockStore> {
            self.inner.blocks()
        }

        fn head(&self) -> Result<Option<Vec<u8>>, StorageError> {
            let head = self.inner.head();
            let change = self.change.lock().unwrap().take();
            if let Some(change) = change {
                change();
            }
            head
        }

        fn replace_head(&self, head: &[u8]) -> Result<(), StorageError> {
            self.inner.replace_head(head)
        }

        fn lock(&self) -> Result<Box<dyn WriteGuard + '_>, StorageError> {
            self.inner.lock()
        }
    }

    #[test]
    fn a_vault_opens_although_it_changes_meanwhile() {
        let mut w = world("Pat");
        let (device, time) = (w.vault.device.clone(), clock(&w.time));
        let storage = Arc::new(Racing {
            inner: w.storage.clone(),
            change: Mutex::new(Some(Box::new(move || {
                w.vault.add_all([record("a", b"aaa")]).unwrap();
            }))),
        });
        let mut vault = Vault::open(storage, device, time).unwrap();
        assert_eq!(vault.records().unwrap().len(), 1);
    }

    #[test]
    fn lists_are_read_although_the_vault_changed() {
        let mut w = world("Pat");
        w.vault.add_all([record("a", b"aaa")]).unwrap();
        let device = w.vault.device.clone();
        let open = || Vault::open(w.storage.clone(), device.clone(), clock(&w.time)).unwrap();
        let (mut records, mut log) = (open(), open());
        w.vault.add_all([record("b", b"bbb")]).unwrap();
        assert_eq!(records.records().unwrap().len(), 2);
        assert_eq!(log.audit_log().unwrap().len(), 3);
    }

    #[test]
    fn a_block_that_is_really_missing_is_an_error() {
        let mut w = world("Pat");
        w.vault.add_all([record("a", b"aaa")]).unwrap();
        let device = w.vault.device.clone();
        let mut vault = Vault::open(w.storage.clone(), device, clock(&w.time)).unwrap();
        let all = w.storage.blocks().list().unwrap();
        w.storage.blocks().remove(&all).unwrap();
        assert!(vault.records().unwrap_err().is_missing_block());
    }
}
