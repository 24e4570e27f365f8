//! The store and the heads of a node that only fetches: there is nothing in them.

use vault_core::{Block, BlockStore, Cid, StoreError, VaultId};

use crate::head::HeadSource;

pub(crate) struct Nothing;

impl BlockStore for Nothing {
    fn put(&self, _: &[Block]) -> Result<(), StoreError> {
        Err(std::io::Error::from(std::io::ErrorKind::Unsupported).into())
    }

    fn get(&self, _: &Cid) -> Result<Option<Block>, StoreError> {
        Ok(None)
    }

    fn has(&self, _: &Cid) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn remove(&self, _: &[Cid]) -> Result<usize, StoreError> {
        Ok(0)
    }

    fn list(&self) -> Result<Vec<Cid>, StoreError> {
        Ok(Vec::new())
    }
}

impl HeadSource for Nothing {
    fn head(&self, _: &VaultId) -> Option<Vec<u8>> {
        None
    }
}
