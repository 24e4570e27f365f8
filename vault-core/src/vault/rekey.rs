//! R2: sealing again, under new keys, what a revoked reader could read.
//!
//! A resumable job in batches. Each batch is one commit: re-sealed bodies and moved neighbours
//! first, then the catalogue, the remaining grants and the head, then the old blocks are deleted.
//! One more commit, after the last deletion, issues the receipt.
//! What is left to do follows from the state alone: versions of the grant that were sealed up to
//! the moment of the revocation. A kill loses at most the batch under way.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::receipt::{PinnerAck, Receipt, ReceiptDraft};
use super::release::Moved;
use super::state::{GrantRecord, GrantStatus, PendingRekey};
use super::transaction::Transaction;
use super::{Vault, VaultError, body_context, packed_slice};
use crate::audit::{Act, RevokeLevel};
use crate::block::Block;
use crate::body::long::reseal_long;
use crate::body::{BodyError, Location, reseal_packed};
use crate::ids::{GrantId, VersionId};
use crate::index::IndexEntry;
use crate::keys::SecretKey;
use crate::pack::Packer;

/// Content sealed again in one commit, in bytes; a single longer body is a batch of its own.
const BATCH: u64 = 64 << 20;

/// How far a re-key has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RekeyProgress {
    /// Versions sealed again so far.
    pub count: u64,
    /// Versions left.
    pub left: u64,
    /// Blocks deleted so far.
    pub deleted: u64,
    /// The receipt, once nothing is left.
    pub receipt: Option<Receipt>,
}

impl Vault {
    /// Grants whose re-key has been started and not finished.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn pending_rekeys(&mut self) -> Result<Vec<GrantId>, VaultError> {
        self.reading(|vault| Ok(vault.state.grants.load(&*vault.storage.blocks())?))?;
        Ok(self
            .state
            .grants
            .items()
            .filter(|g| g.pending.is_some())
            .map(|g| g.id)
            .collect())
    }

    /// Re-keys to the end, batch by batch, and returns the receipt. `progress` is told after every
    /// batch.
    ///
    /// # Errors
    /// [`VaultError::NoGrant`] when nothing is pending for the grant.
    pub fn rekey(
        &mut self,
        grant: &GrantId,
        progress: &mut dyn FnMut(&RekeyProgress),
    ) -> Result<Receipt, VaultError> {
        self.rekey_blocks(grant, &mut |step| {
            progress(step);
            ControlFlow::Continue(())
        })?;
        self.finish_rekey(grant, &[])
    }

    /// Re-keys batch by batch until nothing is left but the receipt: the new head names no old
    /// block any more. Then pinning services can be moved to it, and [`Self::finish_rekey`] says
    /// in the receipt what came of that. When `progress` breaks, what is left stays pending, and
    /// the same call goes on with it later.
    ///
    /// # Errors
    /// [`VaultError::NoGrant`] when nothing is pending for the grant.
    pub fn rekey_blocks(
        &mut self,
        grant: &GrantId,
        progress: &mut dyn FnMut(&RekeyProgress) -> ControlFlow<()>,
    ) -> Result<RekeyProgress, VaultError> {
        loop {
            let step = self.rekey_transaction(grant, |tx, record, pending| {
                tx.rekey_batch(record, pending, BATCH)
            })?;
            let stop = step.count > 0 && progress(&step).is_break();
            if stop || step.left == 0 {
                return Ok(step);
            }
        }
    }

    /// Issues the receipt of a re-key whose blocks are all replaced. `pinners` is what each
    /// pinning service acknowledged; this device speaks for itself.
    ///
    /// # Errors
    /// [`VaultError::NoGrant`] when nothing is pending for the grant; [`VaultError::Conflict`]
    /// when blocks are left to replace.
    pub fn finish_rekey(
        &mut self,
        grant: &GrantId,
        pinners: &[PinnerAck],
    ) -> Result<Receipt, VaultError> {
        let step = self.rekey_transaction(grant, |tx, record, pending| {
            if !tx.due(record, &pending)?.is_empty() {
                return Err(VaultError::Conflict);
            }
            tx.finish_rekey(record, pending, pinners)
        })?;
        step.receipt.ok_or(VaultError::Conflict)
    }

    fn rekey_transaction<T>(
        &mut self,
        grant: &GrantId,
        change: impl FnOnce(&mut Transaction<'_>, &GrantRecord, PendingRekey) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        self.transact(|tx| {
            let record = tx.grants()?.into_iter().find(|g| g.id == *grant);
            let record = record.ok_or(VaultError::NoGrant(*grant))?;
            let pending = record.pending.clone().ok_or(VaultError::NoGrant(*grant))?;
            change(tx, &record, pending)
        })
    }

    /// Does one batch of about `budget` bytes of content.
    ///
    /// # Errors
    /// [`VaultError::NoGrant`] when nothing is pending for the grant.
    pub fn rekey_step(
        &mut self,
        grant: &GrantId,
        budget: u64,
    ) -> Result<RekeyProgress, VaultError> {
        self.rekey_transaction(grant, |tx, record, pending| {
            if tx.due(record, &pending)?.is_empty() {
                return tx.finish_rekey(record, pending, &[]);
            }
            tx.rekey_batch(record, pending, budget)
        })
    }
}

impl Transaction<'_> {
    /// Versions of the grant that were sealed up to the revocation.
    fn due(
        &mut self,
        grant: &GrantRecord,
        pending: &PendingRekey,
    ) -> Result<Vec<IndexEntry>, VaultError> {
        let store = self.store.clone();
        self.vault.state.records.load(&*store)?;
        let mut readable: HashSet<VersionId> = self
            .grant_pages(grant)?
            .items()
            .map(|entry| entry.version)
            .collect();
        // a key that never left needs no other in its place; but an agent could open them all
        if let Some(opened) = self.opened(grant, &pending.readers)?
            && opened.agents.is_empty()
        {
            readable = opened.versions.into_iter().collect();
        }
        let is_due = |e: &&IndexEntry| e.sealed <= pending.cut && readable.contains(&e.version);
        let due = self.vault.state.records.items().filter(is_due);
        Ok(due.cloned().collect())
    }

    fn rekey_batch(
        &mut self,
        grant: &GrantRecord,
        mut pending: PendingRekey,
        budget: u64,
    ) -> Result<RekeyProgress, VaultError> {
        let mut due = self.due(grant, &pending)?;
        if due.is_empty() {
            return Ok(RekeyProgress {
                count: pending.count,
                left: 0,
                deleted: pending.deleted,
                receipt: None,
            });
        }
        // bodies of one pack together, so that no pack is taken apart twice
        due.sort_by_key(|entry| match &entry.location {
            Location::Packed { block, offset, .. } => (0, Some(*block), *offset),
            Location::Long { top, .. } => (1, top.first().copied(), 0),
        });
        let mut taken = 0;
        let fits = |entry: &&IndexEntry| {
            let fits = taken == 0 || taken + entry.len <= budget;
            taken += entry.len.max(1);
            fits
        };
        let batch: Vec<IndexEntry> = due.iter().take_while(fits).cloned().collect();
        let left = (due.len() - batch.len()) as u64;

        let before = self.dropped_len();
        let mut moved = self.release(&batch)?;
        pending.deleted += (self.dropped_len() - before) as u64;
        self.reseal(&batch, &mut moved)?;
        self.apply_moves(&moved)?;
        pending.count += batch.len() as u64;
        self.act(Act::Rekeyed {
            grant: grant.id,
            count: batch.len() as u64,
            done: left == 0,
        });
        let progress = RekeyProgress {
            count: pending.count,
            left,
            deleted: pending.deleted,
            receipt: None,
        };
        self.update_grant(&grant.id, |grant| grant.pending = Some(pending));
        Ok(progress)
    }

    /// Nothing is left to seal, and the old blocks of every earlier batch are gone: that was the
    /// first thing this change saw to.
    fn finish_rekey(
        &mut self,
        grant: &GrantRecord,
        pending: PendingRekey,
        pinners: &[PinnerAck],
    ) -> Result<RekeyProgress, VaultError> {
        let here = PinnerAck {
            name: "this device".into(),
            deleted: pending.deleted,
            acknowledged: true,
        };
        let opened = self.opened(grant, &pending.readers)?;
        let receipt = self.write_receipt(ReceiptDraft {
            vault: self.vault.id(),
            grant: grant.id,
            readers: pending.readers.clone(),
            time: self.now,
            level: RevokeLevel::Rekey,
            could_have_opened: pending.could_have_opened,
            index: pending.index,
            rekeyed: pending.count,
            pinners: std::iter::once(here)
                .chain(pinners.iter().cloned())
                .collect(),
            log_index: pending.log_index,
            opened,
        });
        self.update_grant(&grant.id, |grant| grant.pending = None);
        if grant.status != GrantStatus::Active {
            self.forget_grant_pages(grant);
        }
        Ok(RekeyProgress {
            count: pending.count,
            left: 0,
            deleted: pending.deleted,
            receipt: Some(receipt),
        })
    }

    /// Seals each body of the batch again under a new key.
    fn reseal(
        &mut self,
        batch: &[IndexEntry],
        moved: &mut std::collections::HashMap<VersionId, Moved>,
    ) -> Result<(), VaultError> {
        let vault = self.vault.id();
        let seq = self.seq();
        let mut packer = Packer::new();
        let mut keys = std::collections::HashMap::new();
        let mut packs = Vec::new();
        let mut last: Option<(crate::block::Digest, Vec<u8>)> = None;
        for entry in batch {
            let cek = SecretKey::random();
            let context = body_context(&vault, entry);
            match &entry.location {
                Location::Packed { block, .. } => {
                    if last.as_ref().is_none_or(|(digest, _)| digest != block) {
                        last = Some((*block, self.block(*block)?));
                    }
                    let data = last.as_ref().map_or(&[][..], |(_, data)| data);
                    let sealed = reseal_packed(
                        context,
                        entry.cek.plain()?,
                        packed_slice(entry, data)?,
                        &cek,
                    )?;
                    packs.extend(packer.add(entry.version, &sealed)?);
                    keys.insert(entry.version, cek);
                }
                location @ Location::Long { .. } => {
                    let store = self.store.clone();
                    let mut sink = |block: Block| {
                        self.put(block)
                            .map_err(|e| BodyError::Io(std::io::Error::other(e)))
                    };
                    let location = reseal_long(
                        context,
                        entry.cek.plain()?,
                        location,
                        &*store,
                        &cek,
                        &mut sink,
                    )?;
                    moved.insert(
                        entry.version,
                        Moved {
                            location,
                            resealed: Some((cek, seq)),
                        },
                    );
                }
            }
        }
        packs.extend(packer.finish()?);
        for pack in packs {
            for (version, location) in pack.bodies {
                let resealed = keys.remove(&version).map(|cek| (cek, seq));
                moved.insert(version, Moved { location, resealed });
            }
            self.put(pack.block)?;
        }
        Ok(())
    }
}
