//! What a reader can show of a followed vault's log, and keeping the hashes for it.

use super::following::{FollowError, Following};
use crate::audit::Evidence;
use crate::block::Cid;
use crate::head::Head;
use crate::store::BlockSource;

impl Following {
    /// What the reader can show: the head it holds, and the hashes of all entries if `source` has
    /// them (see [`Following::keep_log`]).
    ///
    /// # Errors
    /// [`FollowError::Log`] before the first head.
    pub fn evidence(&self, source: &dyn BlockSource) -> Result<Evidence, FollowError> {
        let head = self.held()?;
        Evidence::of_head(head.block().data(), source)
            .map_err(|error| FollowError::Log(error.to_string()))
    }

    /// Reads the hashes of all entries under the head it holds, so that a source with a cache has
    /// them also when the vault's node no longer gives them.
    ///
    /// # Errors
    /// [`FollowError::Source`] when a block cannot be had.
    pub fn keep_log(&self, source: &dyn BlockSource) -> Result<(), FollowError> {
        let head = self.held()?;
        let entries = head.body.log.first().map_or(&[][..], Vec::as_slice);
        // a few at a time, so that memory stays bounded
        for part in entries.chunks(16) {
            let cids: Vec<Cid> = part.iter().map(|digest| Cid::raw(*digest)).collect();
            source.fetch(&cids)?;
        }
        Ok(())
    }

    /// The blocks that hold the log's hashes under the head it holds, of all levels; none before
    /// the first head. The last one of each level is replaced when the log grows.
    pub fn log_blocks(&self) -> Vec<Cid> {
        let head = self.current();
        let levels = head.iter().flat_map(|head| &head.body.log);
        levels.flatten().map(|digest| Cid::raw(*digest)).collect()
    }

    fn held(&self) -> Result<Head, FollowError> {
        self.current()
            .ok_or_else(|| FollowError::Log("no head was received yet".into()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use crate::audit::{Fork, ForkVerdict, check_fork};
    use crate::reader::tests::{accept, befriend, copy, head, share};
    use crate::store::{BlockStore, CachedSource, Fetcher, MemoryStore, SourceError};
    use crate::vault::tests::{clock, record, world};
    use crate::vault::{Vault, VaultStorage};
    use crate::{Block, Cid, Evidence, FollowError};

    /// A node that gives what it has.
    struct Node(Arc<dyn BlockStore>);

    impl Fetcher for Node {
        fn fetch(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError> {
            let found = cids.iter().filter_map(|cid| self.0.get(cid).transpose());
            Ok(found.collect::<Result<_, _>>()?)
        }
    }

    /// The node is put back to an old copy and goes on from there. The reader convicts it with what
    /// it kept and what it was offered, although the node no longer gives the hashes.
    #[test]
    fn a_reader_proves_a_fork_with_the_hashes_it_kept() {
        let mut patient = world("Pat");
        let doctor = befriend(&mut patient, "doctor");
        let shared = share(&mut patient, &["doctor"]);
        let old = copy(&patient.storage);
        patient.vault.add_all([record("a", b"aaa")]).unwrap();
        let now = patient.time.load(Ordering::Relaxed);
        let mut following = accept(&doctor, &shared.tickets[0].1, now);
        assert!(following.log_blocks().is_empty());
        assert!(following.keep_log(&MemoryStore::new()).is_err());

        let cache = Arc::new(MemoryStore::new());
        let node = |blocks| CachedSource::new(cache.clone(), Box::new(Node(blocks)));
        let first = node(patient.storage.blocks());
        following.advance(&head(&patient), &first, now).unwrap();
        following.keep_log(&first).unwrap();
        assert_eq!(following.log_blocks().len(), 1);
        assert!(cache.has(&following.log_blocks()[0]).unwrap());

        let device = patient.vault.device.clone();
        let mut back = Vault::open(old.clone(), device, clock(&patient.time)).unwrap();
        for name in ["b", "c"] {
            back.add_all([record(name, name.as_bytes())]).unwrap();
        }
        let second = node(old.blocks());
        let offered = back.head().block().data().to_vec();
        let refused = following.advance(&offered, &second, now).unwrap_err();
        assert!(matches!(refused, FollowError::Forked(_)));
        let seen = following.evidence(&second).unwrap();
        assert!(seen.has_leaves());
        let offered = Evidence::of_head(&offered, &second).unwrap();
        let verdict = check_fork(&seen, &offered).unwrap();
        // the record was added, and joined the grant: those two are the last that were seen
        let index = seen.checkpoint().size - 2;
        let fork = Fork::Entry { index };
        let replaced = false;
        assert_eq!(verdict, ForkVerdict::Forked { fork, replaced });
    }
}
