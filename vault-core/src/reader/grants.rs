//! From the accepted head to the entries that this reader may open.

use std::sync::Arc;

use super::following::{FollowError, Following};
use crate::block::{Block, Cid};
use crate::codec;
use crate::grant::{Directory, GrantRoot, Pointer, Terms, open_grant_key, root_context};
use crate::head::Head;
use crate::identity::Device;
use crate::ids::GrantId;
use crate::index::{IndexEntry, MAX_PAGE_LEN, PageError, PageList, open_object};
use crate::store::{BlockSource, SourceError};
use crate::vault::{OpenRecord, VaultError, grant_list, newest};

/// A grant as its reader sees it.
#[derive(Debug, Clone)]
pub struct GrantView {
    /// The grant.
    pub grant: GrantId,
    /// Its terms, signed by the patient.
    pub terms: Terms,
    /// Every version in it, in the order they joined.
    pub entries: Vec<IndexEntry>,
}

impl Following {
    /// Reads the grants that the head seen last gives this reader: directory, envelopes, roots and
    /// index pages, not the bodies.
    ///
    /// # Errors
    /// [`FollowError::NothingShared`] when there is none; [`FollowError::Expired`] when all have
    /// ended by their terms; [`FollowError`] otherwise.
    pub fn grants(
        &self,
        device: &Device,
        source: &dyn BlockSource,
        now: u64,
    ) -> Result<Vec<GrantView>, FollowError> {
        let head = self.current().ok_or(FollowError::NothingShared)?;
        let cids: Vec<Cid> = head.body.directory.iter().map(|d| Cid::raw(*d)).collect();
        let directory = source.fetch(&cids)?;
        let pointers = Directory::find(&self.vault(), head.seq(), self.relation(), &directory)?;
        let mut views: Vec<GrantView> = Vec::new();
        let mut refused = FollowError::NothingShared;
        for pointer in pointers {
            if views.iter().any(|view| view.grant == pointer.grant) {
                continue;
            }
            match self.view(&head, &pointer, device, source, now) {
                Ok(view) => views.push(view),
                // an envelope for another of this reader's devices, a grant that ended, or one
                // that cannot be had now: the others are still good
                Err(error) => refused = error,
            }
        }
        if views.is_empty() {
            Err(refused)
        } else {
            Ok(views)
        }
    }

    fn view(
        &self,
        head: &Head,
        pointer: &Pointer,
        device: &Device,
        source: &dyn BlockSource,
        now: u64,
    ) -> Result<GrantView, FollowError> {
        let mut blocks = source
            .fetch(&[Cid::raw(pointer.envelope), Cid::raw(pointer.root)])?
            .into_iter();
        let (Some(envelope), Some(root)) = (blocks.next(), blocks.next()) else {
            return Err(SourceError::Missing(Cid::raw(pointer.root)).into());
        };
        let root = self.open_root(head, pointer, device, &envelope, &root)?;
        let terms = Terms::from_bytes(&root.terms, head.signers())?;
        if terms.grant != pointer.grant || !terms.names(self.relation()) {
            return Err(FollowError::NotNamed);
        }
        if terms.has_expired(now) {
            return Err(FollowError::Expired);
        }
        let mut pages = PageList::stored(&self.vault(), &grant_list(&pointer.grant), root.pages);
        pages.load(source)?;
        Ok(GrantView {
            grant: pointer.grant,
            terms,
            entries: pages.items().cloned().collect(),
        })
    }

    fn open_root(
        &self,
        head: &Head,
        pointer: &Pointer,
        device: &Device,
        envelope: &Block,
        root: &Block,
    ) -> Result<GrantRoot, FollowError> {
        let envelope = self.relation().uncover(&self.vault(), envelope.data())?;
        let key = open_grant_key(&envelope, device.identity(), &pointer.grant, head.signers())?;
        let context = root_context(&self.vault(), &pointer.grant);
        let plain = open_object(&key, &context, root.data(), pointer.root_len)?;
        let root: GrantRoot = codec::decode(&plain, MAX_PAGE_LEN).map_err(PageError::from)?;
        if root.v != 1 {
            return Err(PageError::from(codec::DecodeError::Malformed).into());
        }
        Ok(root)
    }

    /// The newest version of every record in any of the grants.
    pub fn records(views: &[GrantView]) -> Vec<IndexEntry> {
        newest(views.iter().flat_map(|view| &view.entries))
    }

    /// Opens a version's content; its blocks come from `source`.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn open_record(
        &self,
        entry: &IndexEntry,
        source: Arc<dyn BlockSource>,
    ) -> Result<OpenRecord, VaultError> {
        let head = self.current().ok_or(VaultError::NothingToRecover)?;
        OpenRecord::open(head.signers(), entry, source)
    }
}
