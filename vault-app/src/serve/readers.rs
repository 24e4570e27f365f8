//! Who may fetch blocks over iroh, as the newest head says.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use vault_core::{BlockReaders, Cid, Vault, VaultError};
use vault_node::ReaderSource;

/// How long an answer stands while the head stays the same, for grants end by themselves.
const STANDS: Duration = Duration::from_secs(30);

/// A view of the vault of its own, so that readers do not wait for other work on it.
pub(super) struct HomeReaders(Mutex<View>);

struct View {
    vault: Vault,
    known: Option<Known>,
}

struct Known {
    head: Cid,
    since: Instant,
    readers: Arc<BlockReaders>,
}

impl HomeReaders {
    /// Takes a vault of its own.
    pub(super) fn new(vault: Vault) -> Self {
        Self(Mutex::new(View { vault, known: None }))
    }
}

impl View {
    fn readers(&mut self) -> Result<Arc<BlockReaders>, VaultError> {
        // another command may have shared or taken back something a moment ago
        self.vault.refresh()?;
        let head = self.vault.head().block().cid();
        if let Some(known) = &self.known
            && known.head == head
            && known.since.elapsed() < STANDS
        {
            return Ok(known.readers.clone());
        }
        let readers = Arc::new(self.vault.block_readers()?);
        self.known = Some(Known {
            head,
            since: Instant::now(),
            readers: readers.clone(),
        });
        Ok(readers)
    }
}

impl ReaderSource for HomeReaders {
    fn readers(&self) -> Option<Arc<BlockReaders>> {
        let mut view = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        view.readers().ok()
    }
}
