//! Where the door puts records that are to be deposited.

use vault_core::record::clean_field;
use vault_core::{Added, Content, DepositMaker, Digest, RecordId, RecordMeta};
use vault_formats::Shelf;

use crate::error::{Error, Result};

/// A deposit under construction.
pub struct DepositShelf<'s, 'd> {
    maker: &'s mut DepositMaker<'d>,
    sender: &'s str,
}

impl<'s, 'd> DepositShelf<'s, 'd> {
    /// Puts records into this deposit. Where a record does not say who wrote it, `sender` did.
    pub fn new(maker: &'s mut DepositMaker<'d>, sender: &'s str) -> Self {
        Self { maker, sender }
    }
}

impl Shelf for DepositShelf<'_, '_> {
    type Error = Error;

    fn known(&self, digest: &Digest) -> Option<RecordId> {
        self.maker.known(digest)
    }

    fn may_know(&self, _len: u64) -> bool {
        // what is there twice is seen when it is sealed
        false
    }

    fn has_derived(&self, origin: &RecordId) -> bool {
        self.maker.has_derived(origin)
    }

    fn add(&mut self, mut meta: RecordMeta, source: &str, content: Content<'_>) -> Result<Added> {
        let sender = clean_field(self.sender);
        meta.author = meta.author.or((!sender.is_empty()).then_some(sender));
        Ok(self.maker.add(meta, Some(source), content)?)
    }

    fn breathe(&mut self) -> Result<()> {
        // a deposit is sent whole or not at all
        Ok(())
    }
}
