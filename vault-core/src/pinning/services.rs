//! The file `services`: every pinning service of this home, sealed on this device.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::service::PinService;
use crate::codec::{self, DecodeError};
use crate::home::Home;
use crate::identity::Device;
use crate::ids::VaultId;
use crate::keys::SecretKey;
use crate::seal::{OpenError, open, seal};
use crate::vault::{StorageError, WriteGuard};

/// Longest accepted file, in bytes.
const MAX_LEN: usize = 4 << 20;

/// Its name in the home.
const FILE: &str = "services";

/// Why the list of services could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    /// The home failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The file is damaged or belongs to another device.
    #[error("services: {0}")]
    Seal(#[from] OpenError),
    /// The file is malformed.
    #[error("services: {0}")]
    Malformed(#[from] DecodeError),
    /// There is one of this name already.
    #[error("there is a pinning service called `{0}` already")]
    NameTaken(String),
    /// There is none of this name.
    #[error("no pinning service is called `{0}`")]
    NotFound(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u8,
    services: Vec<PinService>,
}

/// The pinning services of a home.
pub struct Services {
    home: Arc<Home>,
    key: SecretKey,
    own: VaultId,
    list: Vec<PinService>,
}

impl Services {
    /// Opens the list of a home; an absent one is empty.
    ///
    /// # Errors
    /// [`ServicesError`].
    pub fn open(home: Arc<Home>, device: &Device) -> Result<Self, ServicesError> {
        let mut services = Self {
            home,
            key: device.local_state_key(),
            own: device.vault(),
            list: Vec::new(),
        };
        services.read()?;
        Ok(services)
    }

    fn context(&self) -> Vec<u8> {
        [
            b"medvault/v1/services\0\x01".as_slice(),
            self.own.as_bytes(),
        ]
        .concat()
    }

    fn read(&mut self) -> Result<(), ServicesError> {
        let Some(sealed) = self.home.read_file(FILE)? else {
            self.list.clear();
            return Ok(());
        };
        let plain = zeroize::Zeroizing::new(open(self.key.expose(), &self.context(), &sealed)?);
        let wire: Wire = codec::decode(&plain, MAX_LEN)?;
        if wire.v != 1 {
            return Err(DecodeError::Malformed.into());
        }
        self.list = wire.services;
        Ok(())
    }

    /// Waits until no other command is talking to a service. What is remembered may have changed
    /// meanwhile: see [`Services::reread`].
    ///
    /// # Errors
    /// [`ServicesError`], when another takes too long.
    pub fn turn(&self) -> Result<Box<dyn WriteGuard>, ServicesError> {
        Ok(self.home.lock_services()?)
    }

    /// One of them as it is now, whatever other commands have done.
    ///
    /// # Errors
    /// [`ServicesError::NotFound`] when it was removed meanwhile.
    pub fn reread(&mut self, name: &str) -> Result<PinService, ServicesError> {
        self.read()?;
        self.find(name).cloned()
    }

    /// All of them, in the order they were added.
    pub fn list(&self) -> &[PinService] {
        &self.list
    }

    /// One of them.
    ///
    /// # Errors
    /// [`ServicesError::NotFound`].
    pub fn find(&self, name: &str) -> Result<&PinService, ServicesError> {
        let found = self.list.iter().find(|s| s.name.as_str() == name);
        found.ok_or_else(|| ServicesError::NotFound(name.to_owned()))
    }

    /// Adds one.
    ///
    /// # Errors
    /// [`ServicesError::NameTaken`].
    pub fn add(&mut self, service: PinService) -> Result<(), ServicesError> {
        self.change(|list| {
            if list.iter().any(|known| known.name == service.name) {
                return Err(ServicesError::NameTaken(service.name.to_string()));
            }
            list.push(service);
            Ok(())
        })
    }

    /// Remembers what has changed about one.
    ///
    /// # Errors
    /// [`ServicesError::NotFound`] when it was removed meanwhile.
    pub fn remember(&mut self, changed: &PinService) -> Result<(), ServicesError> {
        self.change(|list| {
            let known = list.iter_mut().find(|known| known.name == changed.name);
            *known.ok_or_else(|| ServicesError::NotFound(changed.name.to_string()))? =
                changed.clone();
            Ok(())
        })
    }

    /// Forgets one.
    ///
    /// # Errors
    /// [`ServicesError::NotFound`].
    pub fn remove(&mut self, name: &str) -> Result<(), ServicesError> {
        self.find(name)?;
        self.change(|list| {
            list.retain(|known| known.name.as_str() != name);
            Ok(())
        })
    }

    /// Lock, read again, change, write whole.
    fn change(
        &mut self,
        change: impl FnOnce(&mut Vec<PinService>) -> Result<(), ServicesError>,
    ) -> Result<(), ServicesError> {
        let home = self.home.clone();
        let _lock: Box<dyn WriteGuard + '_> = home.lock()?;
        self.read()?;
        let mut services = self.list.clone();
        change(&mut services)?;
        let wire = Wire { v: 1, services };
        let plain = zeroize::Zeroizing::new(codec::encode(&wire));
        home.write_file(FILE, &seal(self.key.expose(), &self.context(), &plain))?;
        self.list = wire.services;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pinning::{GivenRoot, TokenSource};
    use crate::vault::tests::world;

    #[test]
    fn the_file_is_sealed_survives_and_is_for_this_device_only() {
        let dir = tempfile::tempdir().unwrap();
        let made = Home::create(&dir.path().join("h"), |_| Ok::<_, StorageError>(()));
        let home = Arc::new(made.unwrap().0);
        let w = world("Pat");
        let mut services = Services::open(home.clone(), w.vault.device()).unwrap();
        let token = TokenSource::File("/etc/secret-place".into());
        let name = "clinic".parse().unwrap();
        let mut service = PinService::new(name, "https://pins.example".into(), token);
        services.add(service.clone()).unwrap();
        assert!(matches!(
            services.add(service.clone()),
            Err(ServicesError::NameTaken(_))
        ));
        let head = w.vault.head().block().cid();
        service.roots.push(GivenRoot::make(&head).unwrap().given);
        services.remember(&service).unwrap();

        let mut again = Services::open(home.clone(), w.vault.device()).unwrap();
        assert_eq!(again.find("clinic").unwrap(), &service);
        let sealed = home.read_file(FILE).unwrap().unwrap();
        for text in ["clinic", "pins.example", "secret-place"] {
            assert!(!sealed.windows(text.len()).any(|w| w == text.as_bytes()));
        }
        assert!(Services::open(home, world("Eve").vault.device()).is_err());
        again.remove("clinic").unwrap();
        assert!(matches!(
            again.remove("clinic"),
            Err(ServicesError::NotFound(_))
        ));
        // a process that remembers what another has removed does not bring it back
        assert!(services.remember(&service).is_err());
    }
}
