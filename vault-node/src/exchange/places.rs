//! Counted places, so that no peer takes those of others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vault_core::PublicKey;

/// From how many peers on those who have left are forgotten.
const MANY: usize = 512;

/// A number of places in all, and fewer for each peer.
pub(crate) struct Places {
    all: usize,
    each: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    each: HashMap<PublicKey, usize>,
}

/// One place; free again when it is dropped, however that comes about.
pub(crate) struct Place {
    places: Arc<Places>,
    peer: PublicKey,
}

impl Places {
    pub(crate) fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self {
            all,
            each,
            taken: Mutex::default(),
        })
    }

    /// A place for `peer`, if there is one.
    pub(crate) fn enter(self: &Arc<Self>, peer: PublicKey) -> Option<Place> {
        let mut taken = lock(&self.taken);
        let of_peer = taken.each.get(&peer).copied().unwrap_or_default();
        if taken.all >= self.all || of_peer >= self.each {
            return None;
        }
        taken.all += 1;
        taken.each.insert(peer, of_peer + 1);
        Some(Place {
            places: Arc::clone(self),
            peer,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.taken);
        taken.all = taken.all.saturating_sub(1);
        if let Some(of_peer) = taken.each.get_mut(&self.peer) {
            *of_peer = of_peer.saturating_sub(1);
            if *of_peer == 0 {
                taken.each.remove(&self.peer);
            }
        }
    }
}

/// Turns that are waited for: a number in all, and fewer for each peer.
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    each: usize,
    peers: Mutex<HashMap<PublicKey, Weak<Semaphore>>>,
}

/// One turn; over when it is dropped.
pub(crate) struct Turn {
    _of_peer: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Turns {
    pub(crate) fn new(all: usize, each: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all)),
            each,
            peers: Mutex::default(),
        }
    }

    /// Waits for a turn of `peer`. A peer that waits for its own takes none of the others'.
    pub(crate) async fn wait(&self, peer: PublicKey) -> Option<Turn> {
        let own = self.of(peer);
        let of_peer = own.acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Turn {
            _of_peer: of_peer,
            _of_all: of_all,
        })
    }

    fn of(&self, peer: PublicKey) -> Arc<Semaphore> {
        let mut peers = lock(&self.peers);
        if let Some(known) = peers.get(&peer).and_then(Weak::upgrade) {
            return known;
        }
        if peers.len() >= MANY {
            peers.retain(|_, turns| turns.strong_count() > 0);
        }
        let new = Arc::new(Semaphore::new(self.each));
        peers.insert(peer, Arc::downgrade(&new));
        new
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    const fn peer(n: u8) -> PublicKey {
        PublicKey::from_bytes([n; 32])
    }

    #[test]
    fn places_are_counted_for_each_and_in_all_and_come_back() {
        let places = Places::new(5, 2);
        let first: Vec<_> = (0..2).filter_map(|_| places.enter(peer(1))).collect();
        assert_eq!(first.len(), 2);
        assert!(places.enter(peer(1)).is_none());
        let second: Vec<_> = (0..3).filter_map(|_| places.enter(peer(2))).collect();
        assert_eq!(second.len(), 2);
        let third = places.enter(peer(3));
        assert!(third.is_some() && places.enter(peer(4)).is_none(), "full");
        drop(first);
        assert!(places.enter(peer(4)).is_some());
        drop((second, third));
        let taken = lock(&places.taken);
        assert_eq!((taken.all, taken.each.len()), (0, 0));
    }

    #[test]
    fn a_peer_that_waits_takes_no_turn_of_others() {
        let turns = Turns::new(3, 2);
        let take = |n| turns.wait(peer(n)).now_or_never().flatten();
        let (first, second) = (take(1).unwrap(), take(1).unwrap());
        assert!(take(1).is_none(), "its own are taken");
        let third = take(2).unwrap();
        assert!(take(3).is_none(), "all are taken");
        drop(first);
        assert!(take(3).is_some());
        drop((second, third));
        for n in 4..=255 {
            drop(take(n).unwrap());
        }
        assert!(lock(&turns.peers).len() <= MANY);
    }
}
