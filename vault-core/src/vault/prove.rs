//! What the vault can show of its log to others: one entry, that it only grew, what it is now.

use super::{Vault, VaultError};
use crate::audit::{EntryProof, Evidence, LogBlocks, LogStatement, Logged, TileReadError, salt};
use crate::block::Digest;
use crate::log::{
    ConsistencyProof, ProofError, TileError, TreeHash, prove_consistency, prove_inclusion,
    verify_inclusion,
};

impl Vault {
    /// The proof of one entry of the audit log, for anyone who has the vault's id or its owner's
    /// public key. It discloses this entry and no other. Reads one page of entries and O(log n)
    /// hashes.
    ///
    /// # Errors
    /// [`VaultError::NoEntry`]; [`VaultError`] otherwise.
    pub fn prove_entry(&mut self, index: u64) -> Result<EntryProof, VaultError> {
        let logged = self.reading(|vault| vault.logged(index))?;
        Ok(EntryProof::new(logged, self.head.signers().clone()))
    }

    /// One entry with what shows that it is in the log of the present, durable head.
    ///
    /// # Errors
    /// [`VaultError::NoEntry`]; [`VaultError`] otherwise.
    pub(crate) fn logged(&self, index: u64) -> Result<Logged, VaultError> {
        let checkpoint = self.head.checkpoint();
        if index >= checkpoint.size {
            return Err(VaultError::NoEntry(index));
        }
        let store = self.storage.blocks();
        let place = usize::try_from(index).map_err(|_| VaultError::NoEntry(index))?;
        let entry = self.state.audit.item(&*store, place)?;
        let entry = entry.ok_or(VaultError::NoEntry(index))?;
        let blocks = LogBlocks::new(&*store, &self.head.body.log);
        let logged = Logged {
            entry: entry.0,
            salt: *salt(&self.state.secrets.log, index),
            index,
            inclusion: prove_inclusion(&blocks, checkpoint.size, index).map_err(tile_error)?,
            checkpoint: self.head.checkpoint_bytes().to_vec(),
        };
        // a proof that nobody would accept is not given out
        let (size, root) = (checkpoint.size, &checkpoint.root);
        verify_inclusion(index, size, &logged.leaf(), &logged.inclusion, root)
            .map_err(|error: ProofError| VaultError::Log(error.to_string()))?;
        Ok(logged)
    }

    /// The proof that the present log begins with the log of `old_size` entries; empty if that is
    /// none or all of them. Reads O(log n) hashes.
    ///
    /// # Errors
    /// [`VaultError`], also when the log is shorter than that.
    pub fn consistency(&self, old_size: u64) -> Result<ConsistencyProof, VaultError> {
        let store = self.storage.blocks();
        let blocks = LogBlocks::new(&*store, &self.head.body.log);
        let size = self.head.checkpoint().size;
        prove_consistency(&blocks, old_size, size).map_err(tile_error)
    }

    /// States, signed, what the log is now, to one who asked with a request of this digest. `seen`
    /// is the size and root of the log that the request names, if it names one.
    pub fn state_log(&self, request: &Digest, seen: Option<(u64, TreeHash)>) -> Vec<u8> {
        let time = self.now().max(self.head.time());
        let checkpoint = self.head.checkpoint_bytes();
        let key = self.device.signing();
        LogStatement::sign(&self.id(), request, seen, time, checkpoint, key)
    }

    /// What this vault shows of its own log: the head and the hashes of all entries.
    ///
    /// # Errors
    /// [`VaultError::Log`] when the head's checkpoint does not hold.
    pub fn evidence(&self) -> Result<Evidence, VaultError> {
        let store = self.storage.blocks();
        Evidence::of_head(self.head.block().data(), &*store)
            .map_err(|error| VaultError::Log(error.to_string()))
    }
}

/// Keeps the missing block apart, so that the read is repeated when the head was replaced meanwhile.
fn tile_error(error: TileError<TileReadError>) -> VaultError {
    match error {
        TileError::Source(TileReadError::Source(error)) => error.into(),
        other => VaultError::Log(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Act, Basis, Fork, ForkVerdict, check_fork};
    use crate::block::{Block, Cid};
    use crate::codec;
    use crate::log::verify_consistency;
    use crate::store::{BlockStore, StoreError};
    use crate::vault::tests::{clock, record, world};
    use crate::vault::{MemoryStorage, StorageError, VaultStorage, WriteGuard};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_entry_is_proven_to_who_has_only_the_vaults_id() {
        let mut w = world("Pat");
        for i in 0..20 {
            let name = format!("r{i}");
            w.vault.add_all([record(&name, name.as_bytes())]).unwrap();
        }
        let log = w.vault.audit_log().unwrap();
        assert_eq!(log.len(), 21);
        let device = w.vault.device.clone();
        let mut fresh = Vault::open(w.storage.clone(), device, clock(&w.time)).unwrap();
        for entry in log {
            let text = fresh.prove_entry(entry.index).unwrap().to_text().unwrap();
            let proof = EntryProof::parse(&text).unwrap();
            assert_eq!(proof.verify(&w.vault.id()).unwrap().entry, entry);
            assert!(proof.verify(&world("Sam").vault.id()).is_err());
        }
        let missing = fresh.prove_entry(21);
        assert!(matches!(missing, Err(VaultError::NoEntry(21))));
    }

    #[test]
    fn a_proof_travels_in_a_message_and_the_log_is_shown_to_have_only_grown() {
        let mut w = world("Pat");
        w.vault.add_all([record("a", b"aaa")]).unwrap();
        let before = w.vault.head().checkpoint().clone();
        w.vault.add_all([record("b", b"bbb")]).unwrap();
        let logged = w.vault.logged(1).unwrap();
        let wire = codec::encode(&logged);
        let again: Logged = codec::decode(&wire, 4096).unwrap();
        let proven = again.verify(w.vault.head().signers()).unwrap();
        assert!(matches!(proven.entry.act, Act::Published { count: 1, .. }));
        let proof = w.vault.consistency(before.size).unwrap();
        let now = w.vault.head().checkpoint();
        verify_consistency(before.size, &before.root, now.size, &now.root, &proof).unwrap();
        assert!(w.vault.consistency(now.size + 1).is_err());
    }

    #[test]
    fn a_proof_is_given_although_the_vault_changed_meanwhile() {
        let mut w = world("Pat");
        w.vault.add_all([record("a", b"aaa")]).unwrap();
        let device = w.vault.device.clone();
        let mut other = Vault::open(w.storage.clone(), device, clock(&w.time)).unwrap();
        w.vault.add_all([record("b", b"bbb")]).unwrap();
        let proof = other.prove_entry(1).unwrap();
        let proven = proof.verify(&w.vault.id()).unwrap();
        assert_eq!(proven.checkpoint.unverified().size, 3);
    }

    /// A copy of the storage is put back after the vault had moved on.
    #[test]
    fn a_vault_put_back_to_an_old_copy_convicts_itself() {
        let mut w = world("Pat");
        let old = crate::reader::copy_of(&w.storage);
        w.vault.add_all([record("a", b"aaa")]).unwrap();
        let seen = w.vault.evidence().unwrap();
        let log = seen.checkpoint();
        let device = w.vault.device.clone();
        let mut back = Vault::open(old.clone(), device, clock(&w.time)).unwrap();
        let stated = back.state_log(&Digest::of(b"request"), Some((log.size, log.root)));
        let answer = back.evidence().unwrap().with_statement(&stated).unwrap();
        let verdict = check_fork(&seen, &answer).unwrap();
        let ForkVerdict::RolledBack { roll_back, .. } = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!((roll_back.longer, roll_back.shorter), (2, 1));
        assert_eq!(roll_back.basis, Basis::Asked);
        // without the size in the request, the clock tells
        w.time.fetch_add(10, Ordering::Relaxed);
        let stated = back.state_log(&Digest::of(b"request"), None);
        let answer = back.evidence().unwrap().with_statement(&stated).unwrap();
        let verdict = check_fork(&seen, &answer).unwrap();
        assert!(matches!(verdict, ForkVerdict::RolledBack { .. }));
        // and once it goes on from there, it has forked
        back.add_all([record("b", b"bbb")]).unwrap();
        let verdict = check_fork(&seen, &back.evidence().unwrap()).unwrap();
        let fork = Fork::Entry { index: 1 };
        let replaced = false;
        assert_eq!(verdict, ForkVerdict::Forked { fork, replaced });
        assert_eq!(
            old.blocks().list().unwrap().len(),
            back.verify_blocks(false).unwrap().blocks
        );
    }

    /// Counts the blocks that are read.
    struct Counted {
        store: Arc<dyn BlockStore>,
        reads: Arc<AtomicUsize>,
    }

    impl BlockStore for Counted {
        fn put(&self, blocks: &[Block]) -> Result<(), StoreError> {
            self.store.put(blocks)
        }

        fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            self.store.get(cid)
        }

        fn has(&self, cid: &Cid) -> Result<bool, StoreError> {
            self.store.has(cid)
        }

        fn sync(&self) -> Result<(), StoreError> {
            self.store.sync()
        }

        fn remove(&self, cids: &[Cid]) -> Result<usize, StoreError> {
            self.store.remove(cids)
        }

        fn list(&self) -> Result<Vec<Cid>, StoreError> {
            self.store.list()
        }
    }

    struct CountedStorage(Arc<MemoryStorage>, Arc<AtomicUsize>);

    impl VaultStorage for CountedStorage {
        fn blocks(&self) -> Arc<dyn BlockStore> {
            let (store, reads) = (self.0.blocks(), self.1.clone());
            Arc::new(Counted { store, reads })
        }

        fn head(&self) -> Result<Option<Vec<u8>>, StorageError> {
            self.0.head()
        }

        fn replace_head(&self, head: &[u8]) -> Result<(), StorageError> {
            self.0.replace_head(head)
        }

        fn lock(&self) -> Result<Box<dyn WriteGuard + '_>, StorageError> {
            self.0.lock()
        }
    }

    #[test]
    fn in_a_long_log_opening_and_proving_read_a_handful_of_blocks() {
        let mut w = world("Pat");
        let filled = w.vault.transact(|tx| {
            for count in 0..20_000 {
                let versions = Digest::of(b"versions");
                tx.act(Act::Published { count, versions });
            }
            Ok(())
        });
        filled.unwrap();
        assert!(w.storage.blocks().list().unwrap().len() > 20, "many blocks");
        let reads = Arc::new(AtomicUsize::new(0));
        let storage = Arc::new(CountedStorage(w.storage.clone(), reads.clone()));
        let device = w.vault.device.clone();
        let vault = Vault::open(storage, device, clock(&w.time)).unwrap();
        assert_eq!(reads.swap(0, Ordering::Relaxed), 2, "envelopes and root");
        for index in [0, 9_999, 20_000] {
            let logged = vault.logged(index).unwrap();
            let proven = logged.verify(vault.head().signers()).unwrap();
            assert_eq!(proven.entry.index, index);
            // one page of entries, and two tiles for each of two levels
            let reads = reads.swap(0, Ordering::Relaxed);
            assert!(reads <= 5, "{reads} blocks for entry {index}");
        }
        vault.consistency(7_777).unwrap();
        assert!(reads.swap(0, Ordering::Relaxed) <= 4);
    }
}
