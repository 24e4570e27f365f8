//! The home: the folder where one person's vault lives.
//!
//! ```text
//! format         "medvault home 1"
//! identity.age   the device's secrets, under a passphrase
//! card           the contact card, readable without it
//! head           the newest head
//! blocks/        the vault's blocks, CAR files
//! cache/         other people's blocks
//! inbox          what is followed, sealed
//! evidence/      what was seen and what was offered when a history was refused
//! services       the pinning services, sealed
//! proofs/        proofs that keys were given out to this person, each sealed
//! evidence/      what shows that a log was put back or has forked
//! canaries/      blocks on their way to one pinning service
//! deposits/      deposits that wait for a decision, and the sealed list of them
//! outgoing/      blocks of deposits that others fetch from here
//! lock           held while something is changed (cache.lock, canaries.lock, outgoing.lock and
//!                deposits.lock for those, services.lock while a pinning service is talked to)
//! ```

mod cache;
mod files;
mod lock;
mod storage;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::{BlockStore, CarStore};
use crate::vault::{StorageError, WriteGuard};

pub use cache::CacheStore;
pub(crate) use files::{create_private, sync_dir};
pub use storage::HomeStorage;

/// Format written by this program.
const FORMAT: u32 = 1;

const FORMAT_FILE: &str = "format";
const IDENTITY_FILE: &str = "identity.age";
const CARD_FILE: &str = "card";

/// A person's folder.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// Makes a home: `build` fills a staging folder beside `path`, which takes its place when
    /// everything is there. A kill leaves either no home or a whole one.
    ///
    /// # Errors
    /// [`StorageError::Exists`] when something is at `path`; whatever `build` returns.
    pub fn create<T, E: From<StorageError>>(
        path: &Path,
        build: impl FnOnce(&Self) -> Result<T, E>,
    ) -> Result<(Self, T), E> {
        if files::is_occupied(path) {
            return Err(StorageError::Exists.into());
        }
        let staging = files::Staging::beside(path)?;
        let home = Self {
            root: staging.path().to_owned(),
        };
        home.write_file(FORMAT_FILE, format!("medvault home {FORMAT}\n").as_bytes())?;
        let value = build(&home)?;
        staging.publish(path)?;
        Ok((
            Self {
                root: path.to_owned(),
            },
            value,
        ))
    }

    /// Opens the home at `path`.
    ///
    /// # Errors
    /// [`StorageError::NoVault`], [`StorageError::Newer`].
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let home = Self {
            root: path.to_owned(),
        };
        let text = home.read_file(FORMAT_FILE)?.ok_or(StorageError::NoVault)?;
        let text = String::from_utf8_lossy(&text);
        let found = text
            .trim()
            .strip_prefix("medvault home ")
            .and_then(|n| n.parse().ok());
        match found {
            Some(FORMAT) => Ok(home),
            Some(found) => Err(StorageError::Newer {
                found,
                known: FORMAT,
            }),
            None => Err(StorageError::NoVault),
        }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The vault's own storage.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn storage(&self) -> Result<Arc<HomeStorage>, StorageError> {
        Ok(Arc::new(HomeStorage::open(self.clone())?))
    }

    /// The vault's own storage, with its blocks in `blocks` instead of the home.
    pub fn storage_with(&self, blocks: Arc<dyn BlockStore>) -> Arc<HomeStorage> {
        Arc::new(HomeStorage::with_blocks(self.clone(), blocks))
    }

    /// Where other people's blocks are kept.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn cache(&self) -> Result<Arc<CacheStore>, StorageError> {
        let store = CarStore::open(&self.root.join("cache"))?;
        Ok(Arc::new(CacheStore::new(
            store,
            self.root.join("cache.lock"),
        )))
    }

    /// Where blocks lie that are made for one pinning service, until it has fetched them.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn canaries(&self) -> Result<Arc<CacheStore>, StorageError> {
        let store = CarStore::open(&self.root.join("canaries"))?;
        Ok(Arc::new(CacheStore::new(
            store,
            self.root.join("canaries.lock"),
        )))
    }

    /// Where blocks of deposits lie that others fetch from here.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn outgoing(&self) -> Result<Arc<CacheStore>, StorageError> {
        let store = CarStore::open(&self.root.join("outgoing"))?;
        Ok(Arc::new(CacheStore::new(
            store,
            self.root.join("outgoing.lock"),
        )))
    }

    /// The folder of deposits that wait, which is made if need be.
    pub(crate) fn deposits(&self) -> Result<PathBuf, StorageError> {
        let folder = self.root.join("deposits");
        files::make_dir(&folder)?;
        Ok(folder)
    }

    /// Waits until no other process is changing the list of deposits.
    pub(crate) fn lock_deposits(&self) -> Result<Box<dyn WriteGuard>, StorageError> {
        lock::acquire(&self.root.join("deposits.lock"))
    }

    /// The passphrase-protected identity file.
    ///
    /// # Errors
    /// [`StorageError::NoVault`] when there is none.
    pub fn read_identity(&self) -> Result<Vec<u8>, StorageError> {
        self.read_file(IDENTITY_FILE)?.ok_or(StorageError::NoVault)
    }

    /// Replaces the identity file.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn write_identity(&self, bytes: &[u8]) -> Result<(), StorageError> {
        self.write_file(IDENTITY_FILE, bytes)
    }

    /// The owner's contact card, in text form.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn read_card(&self) -> Result<Option<String>, StorageError> {
        Ok(self
            .read_file(CARD_FILE)?
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Replaces the contact card.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn write_card(&self, text: &str) -> Result<(), StorageError> {
        self.write_file(CARD_FILE, text.as_bytes())
    }

    /// Reads a small file of the home; `None` when it is not there.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn read_file(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        files::read(&self.root.join(name))
    }

    /// Writes a small file of the home, whole or not at all, readable by its owner only.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn write_file(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        files::replace(&self.root.join(name), bytes)
    }

    /// Makes a folder of the home that only its owner may enter, if it is not there.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn make_folder(&self, name: &str) -> Result<PathBuf, StorageError> {
        let path = self.root.join(name);
        files::make_dir(&path)?;
        Ok(path)
    }

    /// Names of the files in a folder of the home, sorted, without those that a command left half
    /// written; none when it is not there.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn list_folder(&self, name: &str) -> Result<Vec<String>, StorageError> {
        files::names(&self.root.join(name))
    }

    /// Waits until no other process is changing the home.
    ///
    /// # Errors
    /// [`StorageError::InUse`] after ten seconds.
    pub fn lock(&self) -> Result<Box<dyn WriteGuard>, StorageError> {
        lock::acquire(&self.root.join("lock"))
    }

    /// Waits until no other process is talking to a pinning service for this home.
    pub(crate) fn lock_services(&self) -> Result<Box<dyn WriteGuard>, StorageError> {
        lock::acquire(&self.root.join("services.lock"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_made_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("home");
        assert!(matches!(Home::open(&path), Err(StorageError::NoVault)));
        let failed: Result<(Home, ()), StorageError> = Home::create(&path, |home| {
            home.write_card("half")?;
            Err(StorageError::InUse)
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);

        let (home, ()) = Home::create(&path, |home| home.write_card("whole")).unwrap();
        assert_eq!(home.read_card().unwrap().as_deref(), Some("whole"));
        assert_eq!(Home::open(&path).unwrap().root(), path);
        let again: Result<(Home, ()), StorageError> = Home::create(&path, |_| Ok(()));
        assert!(matches!(again, Err(StorageError::Exists)));
        assert!(home.list_folder("proofs").unwrap().is_empty());
        home.make_folder("proofs").unwrap();
        home.make_folder("proofs").unwrap();
        for name in ["proofs/b", "proofs/a", "proofs/.half"] {
            home.write_file(name, b"1").unwrap();
        }
        assert_eq!(home.list_folder("proofs").unwrap(), ["a", "b"]);
        home.write_file(FORMAT_FILE, b"medvault home 2\n").unwrap();
        assert!(matches!(
            Home::open(&path),
            Err(StorageError::Newer { found: 2, known: 1 })
        ));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
