//! What a server keeps for others: only what the rules allow, only so much, and not for ever.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libp2p_kad::store::{MemoryStore, MemoryStoreConfig, RecordStore as _};
use libp2p_kad::{ProviderRecord, Record, RecordKey};
use rust_ipfs::PeerId;

use super::{Reach, Rules};

/// Most records, and most announcements, that are kept for others.
const MAX_RECORDS: usize = 4096;
const MAX_PROVIDERS: usize = 16_384;
/// Most announcements and records of our own.
const MAX_OWN: usize = 256;
/// Largest record (IPNS specification: 10 KiB).
const MAX_RECORD_LEN: usize = 10 << 10;
/// How often expired records are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// The store of a node.
pub(super) fn store(peer: PeerId) -> MemoryStore {
    let limits = MemoryStoreConfig {
        max_records: MAX_RECORDS + MAX_OWN,
        max_value_bytes: MAX_RECORD_LEN + 1,
        max_provided_keys: MAX_PROVIDERS + MAX_OWN,
        ..MemoryStoreConfig::default()
    };
    MemoryStore::with_config(peer, limits)
}

/// Decides about what others put, and remembers it so that it goes away again: the store itself
/// drops what has expired only when somebody asks for it.
pub(super) struct Accepted {
    reach: Reach,
    rules: Arc<dyn Rules>,
    providers: VecDeque<(RecordKey, PeerId)>,
    swept: Instant,
}

impl Accepted {
    pub(super) fn new(reach: Reach, rules: Arc<dyn Rules>) -> Self {
        Self {
            reach,
            rules,
            providers: VecDeque::new(),
            swept: Instant::now(),
        }
    }

    /// Takes in a record if it is valid and newer than the one that is there.
    pub(super) fn record(&mut self, store: &mut MemoryStore, record: Record) {
        self.sweep(store);
        let (key, value) = (record.key.to_vec(), &record.value);
        if value.len() > MAX_RECORD_LEN || !self.rules.valid(&key, value) {
            return;
        }
        let newer = match store.get(&record.key) {
            Some(old) => old.value == *value || self.rules.newer(&key, value, &old.value),
            None => true,
        };
        // full: this node is not the only one that was told, and what it puts itself must have room
        let is_full = || store.get(&record.key).is_none() && store.records().count() >= MAX_RECORDS;
        if newer && !is_full() {
            let _ = store.put(record);
        }
    }

    /// Takes in an announcement of a peer; the oldest makes room when there are too many.
    pub(super) fn provider(&mut self, store: &mut MemoryStore, mut record: ProviderRecord) {
        self.sweep(store);
        record.addresses = self.reach.fitting(record.addresses);
        if record.addresses.is_empty() {
            return;
        }
        let known = (record.key.clone(), record.provider);
        let again = store.providers(&record.key);
        let again = again.iter().any(|old| old.provider == record.provider);
        if !again {
            while self.providers.len() >= MAX_PROVIDERS
                && let Some((key, peer)) = self.providers.pop_front()
            {
                store.remove_provider(&key, &peer);
            }
        }
        // fails when the key has enough providers that are closer to it
        if store.add_provider(record).is_ok() && !again {
            self.providers.push_back(known);
        }
    }

    fn sweep(&mut self, store: &mut MemoryStore) {
        let now = Instant::now();
        if now.duration_since(self.swept) < SWEEP_EVERY {
            return;
        }
        self.swept = now;
        store.retain(|_, record| !record.is_expired(now));
        self.providers.retain(|(key, peer)| {
            let kept = store.providers(key);
            let alive = kept
                .iter()
                .any(|record| record.provider == *peer && !record.is_expired(now));
            if !alive {
                store.remove_provider(key, peer);
            }
            alive
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::Network;
    use super::*;

    /// Values start with what they are filed under; the rest decides which is newer.
    struct Prefixed;

    impl Rules for Prefixed {
        fn valid(&self, key: &[u8], value: &[u8]) -> bool {
            value.starts_with(key)
        }

        fn newer(&self, _: &[u8], new: &[u8], old: &[u8]) -> bool {
            new > old
        }
    }

    fn accepted() -> (Accepted, MemoryStore) {
        let accepted = Accepted::new(Reach(Network::Public), Arc::new(Prefixed));
        (accepted, store(PeerId::random()))
    }

    fn value(store: &MemoryStore) -> Option<Vec<u8>> {
        let key = RecordKey::from(b"k".to_vec());
        store.get(&key).map(|record| record.value.clone())
    }

    #[test]
    fn forged_old_and_huge_records_are_not_taken() {
        let (mut accepted, mut store) = accepted();
        let mut put = |value: &[u8], store: &mut MemoryStore| {
            let record = Record::new(b"k".to_vec(), value.to_vec());
            accepted.record(store, record);
        };
        put(b"forged", &mut store);
        assert_eq!(value(&store), None);
        put(b"k2", &mut store);
        put(b"k1", &mut store);
        assert_eq!(value(&store).unwrap(), b"k2");
        put(b"k3", &mut store);
        assert_eq!(value(&store).unwrap(), b"k3");
        let mut huge = vec![b'z'; MAX_RECORD_LEN + 1];
        huge[0] = b'k';
        put(&huge, &mut store);
        assert_eq!(value(&store).unwrap(), b"k3");
    }

    #[test]
    fn announcements_need_an_address_and_make_room_for_one_another() {
        let (mut accepted, mut store) = accepted();
        let mut announce = |number: u32, addr: &str, store: &mut MemoryStore| {
            let key = number.to_be_bytes().to_vec();
            let addrs = vec![addr.parse().unwrap()];
            let record = ProviderRecord::new(key.clone(), PeerId::random(), addrs);
            accepted.provider(store, record);
            store.providers(&key.into()).len()
        };
        assert_eq!(announce(0, "/ip4/192.168.1.1/tcp/1", &mut store), 0);
        for number in 0..=MAX_PROVIDERS as u32 {
            assert_eq!(announce(number, "/ip4/9.9.9.9/tcp/1", &mut store), 1);
        }
        assert_eq!(
            store.providers(&vec![0; 4].into()),
            [],
            "the oldest is gone"
        );
        assert_eq!(accepted.providers.len(), MAX_PROVIDERS);
    }

    #[test]
    fn what_has_expired_is_swept_away() {
        let (mut accepted, mut store) = accepted();
        let past = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        let mut record = Record::new(b"k".to_vec(), b"k1".to_vec());
        record.expires = Some(past);
        accepted.record(&mut store, record);
        let addrs = vec!["/ip4/9.9.9.9/tcp/1".parse().unwrap()];
        let mut record = ProviderRecord::new(b"p".to_vec(), PeerId::random(), addrs);
        record.expires = Some(past);
        accepted.provider(&mut store, record);
        assert_eq!(accepted.providers.len(), 1);
        accepted.swept = past - SWEEP_EVERY;
        accepted.sweep(&mut store);
        assert_eq!(value(&store), None);
        assert!(accepted.providers.is_empty());
        assert_eq!(store.providers(&b"p".to_vec().into()), []);
    }
}
