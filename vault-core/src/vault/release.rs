//! Taking bodies out of shared packs, and removing records.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::state::GrantStatus;
use super::transaction::Transaction;
use super::{Vault, VaultError, body_context, packed_slice};
use crate::audit::Act;
use crate::block::Digest;
use crate::body::Location;
use crate::body::long::LongReader;
use crate::ids::{RecordId, VersionId};
use crate::index::{GrantKeys, IndexEntry};
use crate::keys::SecretKey;
use crate::pack::{Packed, Packer};

/// Most records that one entry of the audit log names.
const REMOVED_PER_ENTRY: usize = 1000;

/// What changed about a version's sealed body.
pub(super) struct Moved {
    pub(super) location: Location,
    /// The new key and the head's sequence number, when the body was sealed again.
    pub(super) resealed: Option<(SecretKey, u64)>,
}

impl Transaction<'_> {
    /// Copies sealed bodies that share packs with `leaving` into new packs, unopened, and drops the
    /// packs and the long bodies' blocks. `leaving` itself is the caller's to re-seal or forget.
    pub(super) fn release(
        &mut self,
        leaving: &[IndexEntry],
    ) -> Result<HashMap<VersionId, Moved>, VaultError> {
        let gone: BTreeSet<VersionId> = leaving.iter().map(|entry| entry.version).collect();
        let mut packs = BTreeSet::new();
        for entry in leaving {
            match &entry.location {
                Location::Packed { block, .. } => drop(packs.insert(*block)),
                Location::Long { .. } => {
                    let vault = self.vault.id();
                    let context = body_context(&vault, entry);
                    let reader = LongReader::open(
                        context,
                        entry.cek.plain()?,
                        &entry.location,
                        &*self.store,
                    )?;
                    let blocks = reader.all_blocks()?;
                    self.drop_blocks(blocks);
                }
            }
        }
        let mut neighbours: BTreeMap<Digest, Vec<IndexEntry>> = BTreeMap::new();
        for entry in self.vault.state.records.items() {
            if let Location::Packed { block, .. } = &entry.location
                && packs.contains(block)
                && !gone.contains(&entry.version)
            {
                neighbours.entry(*block).or_default().push(entry.clone());
            }
        }
        let mut moved = HashMap::new();
        let mut packer = Packer::new();
        for (block, entries) in neighbours {
            let data = self.block(block)?;
            for entry in entries {
                let closed = packer.add(entry.version, packed_slice(&entry, &data)?)?;
                self.note_moved(closed, &mut moved)?;
            }
        }
        self.note_moved(packer.finish()?, &mut moved)?;
        self.drop_blocks(packs);
        Ok(moved)
    }

    fn note_moved(
        &mut self,
        packs: Vec<Packed<VersionId>>,
        moved: &mut HashMap<VersionId, Moved>,
    ) -> Result<(), VaultError> {
        for pack in packs {
            for (version, location) in pack.bodies {
                moved.insert(
                    version,
                    Moved {
                        location,
                        resealed: None,
                    },
                );
            }
            self.put(pack.block)?;
        }
        Ok(())
    }

    /// Writes new places and keys into the catalogue and into every grant that still needs them.
    pub(super) fn apply_moves(
        &mut self,
        moved: &HashMap<VersionId, Moved>,
    ) -> Result<(), VaultError> {
        if moved.is_empty() {
            return Ok(());
        }
        let change = |entry: &mut IndexEntry, keys: &GrantKeys| {
            let Some(new) = moved.get(&entry.version) else {
                return false;
            };
            entry.location = new.location.clone();
            if let Some((cek, sealed)) = &new.resealed {
                entry.cek = keys.wrap(&entry.version, *sealed, cek);
                entry.sealed = *sealed;
            }
            true
        };
        (self.vault.state.records).update(|entry| change(entry, &GrantKeys::Carried));
        for grant in self
            .grants()?
            .into_iter()
            .filter(|g| g.status == GrantStatus::Active)
        {
            let keys = grant.keys();
            (self.grant_pages(&grant)?).update(|entry| change(entry, &keys));
        }
        Ok(())
    }
}

impl Vault {
    /// Removes records with all their versions, here and from every grant. What readers have
    /// fetched they keep.
    ///
    /// # Errors
    /// [`VaultError::NoRecord`] when one of them is not there; then none is removed.
    pub fn remove_records(&mut self, records: &[RecordId]) -> Result<(), VaultError> {
        self.transact(|tx| {
            let store = tx.store.clone();
            tx.vault.state.records.load(&*store)?;
            let wanted: BTreeSet<RecordId> = records.iter().copied().collect();
            let leaving: Vec<IndexEntry> = tx
                .vault
                .state
                .records
                .items()
                .filter(|e| wanted.contains(&e.record))
                .cloned()
                .collect();
            let found: BTreeSet<RecordId> = leaving.iter().map(|entry| entry.record).collect();
            if let Some(missing) = wanted.difference(&found).next() {
                return Err(VaultError::NoRecord(*missing));
            }
            let moved = tx.release(&leaving)?;
            tx.vault
                .state
                .records
                .retain(|entry| !wanted.contains(&entry.record));
            for grant in tx.grants()?.into_iter().filter(|g| !g.pages.is_empty()) {
                tx.grant_pages(&grant)?
                    .retain(|entry| !wanted.contains(&entry.record));
            }
            tx.apply_moves(&moved)?;
            let found: Vec<RecordId> = found.into_iter().collect();
            for part in found.chunks(REMOVED_PER_ENTRY) {
                tx.act(Act::Removed {
                    records: part.to_vec(),
                });
            }
            Ok(())
        })
    }
}
