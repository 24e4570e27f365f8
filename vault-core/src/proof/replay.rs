//! Promise 2, the readers' memory: every key and place a reader ever saw, tried on the vault as it
//! is now.

use std::collections::BTreeSet;

use super::promise_two::Proof;
use super::support::{all_blocks, index_keys};
use crate::grant::root_context;
use crate::ids::{GrantId, VersionId};
use crate::index::{ContentKey, IndexEntry};
use crate::keys::SecretKey;
use crate::vault::{OpenRecord, VaultStorage, grant_list};
use crate::{Block, Cid};

/// All that a reader ever saw.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) entries: Vec<IndexEntry>,
    grant_keys: Vec<(GrantId, SecretKey)>,
    page_keys: Vec<(GrantId, SecretKey)>,
    blocks: BTreeSet<Cid>,
}

impl Proof {
    /// Takes every key on the reader's way out of the blocks and checks that no envelope for the
    /// reader is left over.
    pub(super) fn remember(&mut self, at: usize) {
        let vault = self.patient.vault.id();
        let blocks = self.patient.storage.blocks();
        let side = &mut self.sides[at];
        let Some(relation) = &side.reader.relation else {
            return;
        };
        let device = side.reader.world.vault.device();
        let keys = index_keys(&self.patient.vault, relation, device, &*blocks);
        let active: BTreeSet<GrantId> = (self.model.grants.iter())
            .filter(|grant| !grant.ended && grant.readers.contains(&at))
            .map(|grant| grant.id)
            .collect();
        assert_eq!(
            (keys.grants.iter().map(|(grant, _)| *grant)).collect::<BTreeSet<_>>(),
            active
        );
        let all = all_blocks(&*self.patient.storage);
        let open = |block: &&Block| relation.uncover(&vault, block.data()).is_ok();
        assert_eq!(
            all.iter().filter(open).count(),
            active.len(),
            "envelopes left over"
        );
        side.memory.blocks.extend(keys.blocks);
        side.memory.page_keys.extend(keys.pages);
        side.memory.grant_keys.extend(keys.grants);
        side.memory
            .page_keys
            .sort_by_key(|(grant, key)| (*grant, *key.expose()));
        side.memory.page_keys.dedup();
        side.memory
            .grant_keys
            .sort_by_key(|(grant, key)| (*grant, *key.expose()));
        side.memory.grant_keys.dedup();
    }

    /// What a reader can open of the vault as it is now with anything they ever saw: old entries
    /// where they stood, and old keys at the places where the bodies lie now.
    pub(super) fn replay(
        &self,
        at: usize,
        catalogue: &[IndexEntry],
        every_key: bool,
    ) -> BTreeSet<VersionId> {
        let memory = &self.sides[at].memory;
        let signers = self.patient.vault.head().signers().clone();
        let blocks = self.patient.storage.blocks();
        let opens = |entry: &IndexEntry| {
            OpenRecord::open(&signers, entry, blocks.clone())
                .is_ok_and(|record| record.copy_to(&mut std::io::sink()).is_ok())
        };
        let mut open: BTreeSet<VersionId> = (memory.entries.iter())
            .filter(|entry| opens(entry))
            .map(|entry| entry.version)
            .collect();
        for now in catalogue {
            let mut keys: Vec<&SecretKey> = (memory.entries.iter())
                .filter(|old| every_key || old.version == now.version)
                .filter_map(|old| old.cek.plain().ok())
                .collect();
            if every_key {
                keys.extend(
                    memory
                        .page_keys
                        .iter()
                        .chain(&memory.grant_keys)
                        .map(|(_, key)| key),
                );
            }
            let mut tried = now.clone();
            let fits = |key: &SecretKey| {
                tried.cek = ContentKey::Plain(key.clone());
                opens(&tried)
            };
            if keys.into_iter().any(fits) {
                open.insert(now.version);
            }
        }
        open
    }

    /// No grant or page key opens an index block that the reader did not reach by its own grants.
    pub(super) fn replay_on_indexes(&self, at: usize) {
        let memory = &self.sides[at].memory;
        let vault = self.patient.vault.id();
        let page_context =
            |list: &[u8]| [b"medvault/v1/page\0\x01".as_slice(), vault.as_bytes(), list].concat();
        let mut tries = Vec::new();
        for (grant, key) in &memory.page_keys {
            tries.push((page_context(&grant_list(grant)), key));
            tries.push((page_context(b"records"), key));
        }
        for (grant, key) in &memory.grant_keys {
            tries.push((root_context(&vault, grant), key));
            tries.push((root_context(&vault, &crate::grant::ZERO), key));
        }
        for block in all_blocks(&*self.patient.storage) {
            let Some(front) = block.data().first_chunk() else {
                continue;
            };
            let fits = tries.iter().any(|(context, key)| {
                crate::seal::StreamKey::open(key.expose(), front, context).is_ok()
            });
            assert!(
                !fits || memory.blocks.contains(&block.cid()),
                "an index block opens"
            );
        }
    }
}
