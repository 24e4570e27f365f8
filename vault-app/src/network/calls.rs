//! Networks that are in use, to be hung up together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::Network;

/// Networks that are in use; `None` once all of them were hung up.
pub struct Calls(Mutex<Option<Vec<Weak<Network>>>>);

impl Default for Calls {
    fn default() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, Option<Vec<Weak<Network>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one; it is hung up at once when the others have been.
    pub fn add(&self, network: &Arc<Network>) {
        match &mut *self.lock() {
            None => network.hang_up(),
            Some(all) => {
                all.retain(|one| one.strong_count() > 0);
                all.push(Arc::downgrade(network));
            }
        }
    }

    /// Ends all of them, and those to come.
    pub fn hang_up(&self) {
        let all = self.lock().take();
        for network in all.into_iter().flatten().filter_map(|one| one.upgrade()) {
            network.hang_up();
        }
    }
}
