//! One change of the vault: from the state in memory to the next head.

use std::collections::{BTreeSet, HashMap};

use super::state::{GrantRecord, GrantStatus, grant_list};
use super::{Vault, VaultError, fetch_one};
use crate::audit::{Act, AuditEntry, LogBlocks, SealedEntry, leaf};
use crate::block::{Block, Cid, Codec, Digest};
use crate::body::pad_to_class;
use crate::grant::{Directory, GrantRoot, Pointer, ZERO, root_context};
use crate::head::{HEAD_LIFETIME, Head, HeadBody, ZeroPointer, log_origin};
use crate::ids::GrantId;
use crate::index::{ContentName, IndexEntry, PageList, seal_object};
use crate::log::{Appender, Checkpoint};
use crate::pack::{Packed, Packer};
use crate::pins;
use crate::seal::padme;
use crate::store::BlockStore;

/// Most dummy blocks. Vaults so large that Padmé asks for more show their block count a little more
/// exactly.
const MAX_DUMMIES: usize = 1024;

/// A change in progress. Holds the vault's lock; dropped without [`Transaction::commit`], nothing
/// has happened.
pub(super) struct Transaction<'v> {
    pub(super) vault: &'v mut Vault,
    pub(super) store: std::sync::Arc<dyn BlockStore>,
    pub(super) now: u64,
    acts: Vec<Act>,
    live: BTreeSet<Digest>,
    pin_nodes: Vec<Cid>,
    dropped: Vec<Digest>,
    renew: bool,
    keep_old: bool,
    /// New entries whose bodies are waiting for their pack to close, by position in `fresh`.
    packer: Packer<usize>,
    fresh: Vec<IndexEntry>,
    /// Pages of grants that were loaded to be changed.
    grant_pages: HashMap<GrantId, PageList<IndexEntry>>,
}

impl<'v> Transaction<'v> {
    pub(super) fn begin(vault: &'v mut Vault) -> Result<Self, VaultError> {
        let transaction = Self::prepare(vault, false)?;
        transaction.sweep()?;
        Ok(transaction)
    }

    /// A change that deletes nothing: for a recovery, whose blocks may hold more than the head that
    /// was found names, and for changes that somebody waits for.
    pub(super) fn begin_keeping(vault: &'v mut Vault) -> Result<Self, VaultError> {
        Self::prepare(vault, true)
    }

    fn prepare(vault: &'v mut Vault, keep_old: bool) -> Result<Self, VaultError> {
        let store = vault.storage.blocks();
        let pins = pins::read(&*store, &vault.head.pins())?;
        let now = vault.now().max(vault.head.time());
        Ok(Self {
            vault,
            store,
            now,
            acts: Vec::new(),
            live: pins.live,
            pin_nodes: pins.nodes,
            dropped: Vec::new(),
            renew: false,
            keep_old,
            packer: Packer::new(),
            fresh: Vec::new(),
            grant_pages: HashMap::new(),
        })
    }

    /// Deletes what an earlier change left behind when it was killed.
    fn sweep(&self) -> Result<(), VaultError> {
        let head = self.vault.head.block().cid();
        let wanted = |cid: &Cid| match cid.codec() {
            Codec::Raw => self.live.contains(&cid.digest()),
            Codec::DagCbor => *cid == head || self.pin_nodes.contains(cid),
        };
        let orphans: Vec<Cid> = self
            .store
            .list()?
            .into_iter()
            .filter(|cid| !wanted(cid))
            .collect();
        if !orphans.is_empty() {
            self.store.remove(&orphans)?;
        }
        Ok(())
    }

    /// The sequence number that the new head will have.
    pub(super) fn seq(&self) -> u64 {
        self.vault.head.seq() + 1
    }

    /// Notes what happened and returns its place in the log. A change without an act is not
    /// committed.
    pub(super) fn act(&mut self, act: Act) -> u64 {
        self.acts.push(act);
        self.vault.head.checkpoint().size + self.acts.len() as u64 - 1
    }

    /// Asks for a fresh head when the present one is past half its life.
    pub(super) fn renew_if_old(&mut self) {
        self.renew |= self.now.saturating_add(HEAD_LIFETIME / 2) > self.vault.head.valid_until();
    }

    /// Asks for a fresh head although nothing happened that the log tells of.
    pub(super) fn renew_now(&mut self) {
        self.renew = true;
    }

    /// Puts a new block that the next head will keep.
    pub(super) fn put(&mut self, block: Block) -> Result<(), VaultError> {
        self.live.insert(block.cid().digest());
        self.store.put(&[block])?;
        Ok(())
    }

    fn put_all(&mut self, blocks: Vec<Block>) -> Result<(), VaultError> {
        self.live
            .extend(blocks.iter().map(|block| block.cid().digest()));
        self.store.put(&blocks)?;
        Ok(())
    }

    /// Whether the vault holds a block of this digest.
    pub(super) fn holds(&self, digest: &Digest) -> bool {
        self.live.contains(digest)
    }

    /// Marks blocks that the next head no longer keeps.
    pub(super) fn drop_blocks(&mut self, blocks: impl IntoIterator<Item = Digest>) {
        self.dropped.extend(blocks);
    }

    /// How many blocks are marked.
    pub(super) fn dropped_len(&self) -> usize {
        self.dropped.len()
    }

    /// Adds a new version whose sealed body goes into a pack.
    pub(super) fn add_packed(
        &mut self,
        entry: IndexEntry,
        sealed: &[u8],
    ) -> Result<(), VaultError> {
        self.fresh.push(entry);
        let closed = self.packer.add(self.fresh.len() - 1, sealed)?;
        self.place(closed)
    }

    /// Adds a new version whose body has blocks of its own, already put.
    pub(super) fn add_long(&mut self, entry: IndexEntry) {
        self.fresh.push(entry);
    }

    /// Gives the version that was added last its content name.
    pub(super) fn name_last(&mut self, name: ContentName) {
        if let Some(entry) = self.fresh.last_mut() {
            entry.name = Some(name);
        }
    }

    fn place(&mut self, packs: Vec<Packed<usize>>) -> Result<(), VaultError> {
        for pack in packs {
            for (at, location) in pack.bodies {
                self.fresh[at].location = location;
            }
            self.put(pack.block)?;
        }
        Ok(())
    }

    /// Loads the pages of a grant, to be read or changed.
    pub(super) fn grant_pages(
        &mut self,
        grant: &GrantRecord,
    ) -> Result<&mut PageList<IndexEntry>, VaultError> {
        let vault = self.vault.id();
        let pages = self.grant_pages.entry(grant.id).or_insert_with(|| {
            PageList::stored(&vault, &grant_list(&grant.id), grant.pages.clone())
        });
        pages.load(&*self.store)?;
        Ok(pages)
    }

    /// All grants, loaded.
    pub(super) fn grants(&mut self) -> Result<Vec<GrantRecord>, VaultError> {
        self.vault.state.grants.load(&*self.store)?;
        Ok(self.vault.state.grants.items().cloned().collect())
    }

    /// Changes one grant.
    pub(super) fn update_grant(&mut self, id: &GrantId, change: impl FnOnce(&mut GrantRecord)) {
        let mut change = Some(change);
        self.vault.state.grants.update(|grant| {
            let hit = grant.id == *id;
            if hit && let Some(change) = change.take() {
                change(grant);
            }
            hit
        });
    }

    /// Forgets the pages of a grant that ended.
    pub(super) fn forget_grant_pages(&mut self, grant: &GrantRecord) {
        let vault = self.vault.id();
        let loaded = self.grant_pages.remove(&grant.id);
        let pages = loaded.unwrap_or_else(|| {
            PageList::stored(&vault, &grant_list(&grant.id), grant.pages.clone())
        });
        self.drop_blocks(pages.blocks());
        self.update_grant(&grant.id, |grant| grant.pages.clear());
    }

    /// Moves new versions into the catalogue and into every standing grant they match.
    fn publish_fresh(&mut self) -> Result<(), VaultError> {
        let packs = std::mem::replace(&mut self.packer, Packer::new()).finish()?;
        self.place(packs)?;
        let fresh = std::mem::take(&mut self.fresh);
        if fresh.is_empty() {
            return Ok(());
        }
        self.join_standing_grants(&fresh)?;
        for entry in fresh {
            self.vault.state.records.push(&*self.store, entry)?;
        }
        Ok(())
    }

    fn join_standing_grants(&mut self, fresh: &[IndexEntry]) -> Result<(), VaultError> {
        let signers = self.vault.device.signers().clone();
        for grant in self
            .grants()?
            .into_iter()
            .filter(|g| g.status == GrantStatus::Active)
        {
            let terms = crate::grant::Terms::from_bytes(&grant.terms, &signers)?;
            if terms.extent != crate::grant::Extent::Standing {
                continue;
            }
            let matching: Vec<_> = fresh
                .iter()
                .filter(|e| terms.scope.includes(&e.record, &e.meta))
                .collect();
            if matching.is_empty() {
                continue;
            }
            let count = matching.len() as u64;
            let store = self.store.clone();
            let vault = self.vault.id();
            let pages = self.grant_pages.entry(grant.id).or_insert_with(|| {
                PageList::stored(&vault, &grant_list(&grant.id), grant.pages.clone())
            });
            for entry in matching {
                pages.push(&*store, entry.for_grant(&grant.keys())?)?;
            }
            self.act(Act::Joined {
                grant: grant.id,
                count,
            });
        }
        Ok(())
    }

    /// Seals everything that changed, makes it durable and replaces the head.
    pub(super) fn commit(mut self) -> Result<(), VaultError> {
        self.flush()
    }

    /// The same, and the change goes on from there: a long one is made durable part by part.
    pub(super) fn flush(&mut self) -> Result<(), VaultError> {
        self.expire_due()?;
        self.publish_fresh()?;
        if self.acts.is_empty() && !self.renew {
            return Ok(());
        }
        let (levels, checkpoint) = self.append_to_log()?;
        self.save_grants()?;
        self.save_lists()?;
        let directory = self.write_directory()?;
        let zero = self.write_zero_root()?;
        let live = self.next_live();
        let pin_blocks = pins::write(&live)?;
        let pins = pin_blocks.last().map(|root| root.cid().digest());
        let body = HeadBody {
            v: 1,
            vault: self.vault.id(),
            signers: self.vault.device.signers().as_bytes().to_vec(),
            signer: self.vault.device.signing().public(),
            seq: self.seq(),
            time: self.now,
            valid_until: self.now.saturating_add(HEAD_LIFETIME),
            checkpoint,
            log: levels,
            zero,
            directory,
            pins: pins.ok_or(VaultError::Conflict)?,
        };
        let head = Head::sign(&body, self.vault.device.signing())?;
        self.store.put(&pin_blocks)?;
        self.store.put(&[head.block().clone()])?;
        self.store.sync()?;
        self.vault.storage.replace_head(head.block().data())?;
        let old_head = std::mem::replace(&mut self.vault.head, head);
        self.delete_old(&live, &pin_blocks, &old_head);
        self.live = live;
        self.pin_nodes = pin_blocks.iter().map(Block::cid).collect();
        self.dropped.clear();
        self.renew = false;
        self.now = self.vault.now().max(self.now);
        Ok(())
    }

    /// The head is durable: now what it no longer names may go. The change has happened whatever
    /// comes of this; the next one sweeps up what is left.
    fn delete_old(&self, live: &BTreeSet<Digest>, pin_blocks: &[Block], old_head: &Head) {
        if self.keep_old {
            return;
        }
        let kept: BTreeSet<Cid> = pin_blocks.iter().map(Block::cid).collect();
        let dropped = self.dropped.iter().filter(|digest| !live.contains(digest));
        let mut old: Vec<Cid> = dropped.map(|digest| Cid::raw(*digest)).collect();
        old.extend(self.pin_nodes.iter().filter(|cid| !kept.contains(cid)));
        old.push(old_head.block().cid());
        drop(self.store.remove(&old));
    }

    fn append_to_log(&mut self) -> Result<(Vec<Vec<Digest>>, Vec<u8>), VaultError> {
        let body = self.vault.head.body.clone();
        let size = self.vault.head.checkpoint().size;
        let store = self.store.clone();
        let blocks = LogBlocks::new(&*store, &body.log);
        let mut appender = Appender::resume(&blocks, size)?;
        if appender.root() != self.vault.head.checkpoint().root {
            return Err(VaultError::Log(
                "the stored hashes do not give the signed root".into(),
            ));
        }
        for act in std::mem::take(&mut self.acts) {
            let index = appender.size();
            let device = self.vault.device.id();
            let bytes = AuditEntry {
                index,
                time: self.now,
                device,
                act,
            }
            .to_bytes();
            appender.append(leaf(&self.vault.state.secrets.log, index, &bytes))?;
            self.vault.state.audit.push(&*store, SealedEntry(bytes))?;
        }
        let (levels, new, old) = blocks.extend(&appender, size)?;
        self.put_all(new)?;
        self.drop_blocks(old);
        let origin = log_origin(&self.vault.id());
        let checkpoint = Checkpoint {
            origin: origin.clone(),
            size: appender.size(),
            root: appender.root(),
        };
        let signed = checkpoint
            .sign(&origin, self.vault.device.signing().dalek())
            .map_err(|e| VaultError::Log(e.to_string()))?;
        Ok((levels, signed.as_bytes().to_vec()))
    }

    /// Saves the pages of changed grants and seals their new roots.
    fn save_grants(&mut self) -> Result<(), VaultError> {
        let vault = self.vault.id();
        for (id, mut pages) in std::mem::take(&mut self.grant_pages) {
            let mut dropped = Vec::new();
            let blocks = pages.save(&mut dropped)?;
            let Some(grant) = self.grants()?.into_iter().find(|grant| grant.id == id) else {
                continue;
            };
            let refs = pages.refs();
            if refs == grant.pages && grant.root.is_some() {
                continue;
            }
            self.put_all(blocks)?;
            self.drop_blocks(dropped);
            let count = pages.len() as u64;
            if grant.status == GrantStatus::Active {
                self.write_grant_root(&vault, &grant, refs, count)?;
            } else {
                self.update_grant(&id, |grant| grant.pages = refs);
            }
        }
        Ok(())
    }

    fn write_grant_root(
        &mut self,
        vault: &crate::ids::VaultId,
        grant: &GrantRecord,
        pages: Vec<crate::index::PageRef>,
        count: u64,
    ) -> Result<(), VaultError> {
        let root = GrantRoot {
            v: 1,
            terms: grant.terms.clone(),
            pages: pages.clone(),
            acceptances: (grant.on_request.iter())
                .flat_map(|on_request| on_request.acceptances.clone())
                .collect(),
            agents: (grant.on_request.iter())
                .flat_map(|on_request| &on_request.agents)
                .filter(|agent| !agent.withdrawn)
                .map(|agent| serde_bytes::ByteBuf::from(agent.certificate.clone()))
                .collect(),
        };
        let plain = zeroize::Zeroizing::new(crate::codec::encode(&root));
        let (block, len) = seal_object(&grant.key, &root_context(vault, &grant.id), &plain)?;
        let digest = block.cid().digest();
        self.put(block)?;
        self.drop_blocks(grant.root.map(|(old, _)| old));
        self.update_grant(&grant.id, |grant| {
            grant.root = Some((digest, len));
            grant.pages = pages;
            grant.count = count;
        });
        Ok(())
    }

    /// Seals a grant's root again under its (new) key, with the pages as they are.
    pub(super) fn rewrite_root(&mut self, id: &GrantId) -> Result<(), VaultError> {
        let vault = self.vault.id();
        let Some(grant) = self.grants()?.into_iter().find(|grant| grant.id == *id) else {
            return Err(VaultError::NoGrant(*id));
        };
        self.write_grant_root(&vault, &grant, grant.pages.clone(), grant.count)
    }

    fn save_lists(&mut self) -> Result<(), VaultError> {
        let mut dropped = Vec::new();
        let state = &mut self.vault.state;
        let mut blocks = state.records.save(&mut dropped)?;
        blocks.extend(state.contacts.save(&mut dropped)?);
        blocks.extend(state.grants.save(&mut dropped)?);
        blocks.extend(state.charges.save(&mut dropped)?);
        blocks.extend(state.audit.save(&mut dropped)?);
        self.put_all(blocks)?;
        self.drop_blocks(dropped);
        Ok(())
    }

    fn write_directory(&mut self) -> Result<Vec<Digest>, VaultError> {
        self.vault.state.contacts.load(&*self.store)?;
        let mut directory = Directory::new(self.vault.id(), self.seq());
        let active: Vec<GrantRecord> = self
            .grants()?
            .into_iter()
            .filter(|g| g.status == GrantStatus::Active)
            .collect();
        for contact in self.vault.state.contacts.items() {
            let mut pointers = Vec::new();
            for grant in &active {
                let Some((root, root_len)) = grant.root else {
                    continue;
                };
                let envelopes = grant.envelopes_of(&contact.id);
                pointers.extend(envelopes.map(|envelope| Pointer {
                    grant: grant.id,
                    envelope: *envelope,
                    root,
                    root_len,
                }));
            }
            directory.add(&contact.relation, &pointers)?;
        }
        let blocks = directory.finish()?;
        let digests = blocks.iter().map(|block| block.cid().digest()).collect();
        self.put_all(blocks)?;
        let old = self.vault.head.body.directory.clone();
        self.drop_blocks(old);
        Ok(digests)
    }

    /// Brings the number of live blocks up to a Padmé length, then seals grant zero's root, which
    /// takes the place of the old one.
    fn write_zero_root(&mut self) -> Result<ZeroPointer, VaultError> {
        let old = self.vault.head.body.zero.clone();
        self.drop_blocks([old.root]);
        let dummies = std::mem::take(&mut self.vault.state.dummies);
        let real = self.next_live().len() + 1 - dummies.len();
        let wanted = (padme(real as u64) as usize - real).min(MAX_DUMMIES);
        let (kept, surplus) = dummies.split_at(dummies.len().min(wanted));
        let mut kept = kept.to_vec();
        self.drop_blocks(surplus.iter().copied());
        while kept.len() < wanted {
            let mut data = Vec::new();
            pad_to_class(&mut data);
            let block = Block::new(Codec::Raw, data).map_err(|_| VaultError::Conflict)?;
            kept.push(block.cid().digest());
            self.put(block)?;
        }
        self.vault.state.dummies = kept;
        let plain = self.vault.state.encode();
        let context = root_context(&self.vault.id(), &ZERO);
        let (block, root_len) = seal_object(&self.vault.zero_key, &context, &plain)?;
        let root = block.cid().digest();
        self.put(block)?;
        Ok(ZeroPointer {
            root,
            root_len,
            ..old
        })
    }

    fn next_live(&self) -> BTreeSet<Digest> {
        let dropped: BTreeSet<Digest> = self.dropped.iter().copied().collect();
        self.live.difference(&dropped).copied().collect()
    }

    /// Reads one block of the vault.
    pub(super) fn block(&self, digest: Digest) -> Result<Vec<u8>, VaultError> {
        Ok(fetch_one(&*self.store, Cid::raw(digest))?)
    }
}
