//! Making, opening and recovering a vault.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;
use vault_app::{KeyStoreRefusal, Options, Result};
use vault_core::{Device, Home, RecoveryWords, StorageError};
use zeroize::Zeroizing;

use super::{Session, Vault};
use crate::error::{MedVaultError, invalid};
use crate::platform::{KeyStore, KeyStoreError, Platform};
use crate::runtime::on_thread;
use crate::types::{NewVault, Unlock};

/// Whether there is a vault in this folder; also one that cannot be read now, before the phone was
/// unlocked for the first time for example.
#[uniffi::export]
pub fn has_vault(path: String) -> bool {
    let opened = Home::open(Path::new(&path));
    !matches!(opened, Err(StorageError::NoVault))
}

/// Makes a vault in a folder that is not there yet, or is empty. `name` is what others see: one line
/// of at most 100 bytes.
///
/// Show the words at once, and remember in the app that the person has written them down: a vault
/// whose words nobody saw, because the app was killed in between, is to be deleted and made anew.
///
/// With a passphrase, [`Vault::remember_in_key_store`] lets the key store open it too. With the key
/// store alone there is no passphrase, and only the 24 words help when the phone is lost.
#[uniffi::export]
pub async fn create_vault(
    path: String,
    name: String,
    unlock: Unlock,
    platform: Platform,
) -> Result<NewVault, MedVaultError> {
    let made = on_thread(move || {
        let path = folder(path)?;
        let words = RecoveryWords::generate();
        let seal = Seal::new(&unlock, &platform)?;
        let sealing = |home: &Home, identity: &[u8]| seal.seal(home, identity);
        let options = Options::default();
        let made = vault_app::create_home(&path, &name, &words, &options, &sealing)?;
        let session = Session::with(made.0, made.1, &platform).inspect_err(|_| {
            // nobody has seen its words
            let _ = std::fs::remove_dir_all(&path);
        })?;
        Ok(NewVault {
            vault: Vault::new(path, platform, session),
            recovery_words: words.reveal().to_string(),
        })
    });
    Ok(made.await?)
}

/// Opens the vault in a folder.
#[uniffi::export]
pub async fn open_vault(
    path: String,
    unlock: Unlock,
    platform: Platform,
) -> Result<Arc<Vault>, MedVaultError> {
    let opened = on_thread(move || {
        let path = folder(path)?;
        let session = Session::open(&path, &unlock, &platform)?;
        Ok(Vault::new(path, platform, session))
    });
    Ok(opened.await?)
}

/// Brings a vault back from its 24 words and copies of its blocks: files that [`Vault::backup`] wrote,
/// or folders of blocks. Other devices of the vault are shut out with this.
#[uniffi::export]
pub async fn recover_vault(
    path: String,
    words: String,
    copies: Vec<String>,
    unlock: Unlock,
    platform: Platform,
) -> Result<Arc<Vault>, MedVaultError> {
    let words = Zeroizing::new(words);
    let recovered = on_thread(move || {
        let path = folder(path)?;
        let words = RecoveryWords::parse(&words)?;
        if copies.is_empty() {
            return Err(invalid(
                "no-copies",
                "a copy of the blocks is needed beside the words",
            ));
        }
        let copies: Vec<PathBuf> = copies.into_iter().map(PathBuf::from).collect();
        let seal = Seal::new(&unlock, &platform)?;
        let recovered = vault_app::recover_home(
            &path,
            &words,
            &Options::default(),
            &|home, text| seal.seal(home, text),
            &|store| vault_app::copy_blocks_from(&copies, &**store).map(drop),
        )?;
        let session = Session::with(recovered.0, recovered.1, &platform)?;
        Ok(Vault::new(path, platform, session))
    });
    Ok(recovered.await?)
}

/// Checks that a text is 24 recovery words with a right checksum, before anything is done with them.
#[uniffi::export]
pub fn check_recovery_words(words: String) -> Result<(), MedVaultError> {
    let words = Zeroizing::new(words);
    let parsed = RecoveryWords::parse(&words).map_err(vault_app::Error::from);
    Ok(parsed.map(drop)?)
}

/// Unlocks the device of a home.
pub(super) fn device(home: &Home, unlock: &Unlock, platform: &Platform) -> Result<Arc<Device>> {
    match unlock {
        Unlock::Passphrase { passphrase } => {
            vault_app::unlock_with_passphrase(home, &secret(passphrase.clone()))
        }
        Unlock::KeyStore => {
            vault_app::unlock_with_key_store(home, &key_store(platform.key_store.as_ref())?)
        }
    }
}

pub(super) fn secret(text: String) -> SecretString {
    SecretString::from(text)
}

fn folder(path: String) -> Result<PathBuf> {
    match path.is_empty() || path.contains('\0') {
        true => Err(invalid("bad-path", "this is not the name of a folder")),
        false => Ok(path.into()),
    }
}

/// How the identity file is sealed.
enum Seal {
    Passphrase(SecretString),
    KeyStore(AppKeyStore),
}

impl Seal {
    fn new(unlock: &Unlock, platform: &Platform) -> Result<Self> {
        Ok(match unlock {
            Unlock::Passphrase { passphrase } if passphrase.is_empty() => {
                return Err(invalid("empty-passphrase", "the passphrase is empty"));
            }
            Unlock::Passphrase { passphrase } => Self::Passphrase(secret(passphrase.clone())),
            Unlock::KeyStore => Self::KeyStore(key_store(platform.key_store.as_ref())?),
        })
    }

    fn seal(&self, home: &Home, identity: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::Passphrase(passphrase) => vault_app::seal_with_passphrase(identity, passphrase),
            Self::KeyStore(store) => vault_app::seal_with_key_store(home, identity, store),
        }
    }
}

/// The app's key store, as the application below sees it.
pub(super) struct AppKeyStore(Arc<dyn KeyStore>);

pub(super) fn key_store(store: Option<&Arc<dyn KeyStore>>) -> Result<AppKeyStore> {
    let store = store.ok_or_else(|| {
        invalid(
            "no-key-store",
            "the app gave no key store when it opened the vault",
        )
    })?;
    Ok(AppKeyStore(store.clone()))
}

impl vault_app::KeyStore for AppKeyStore {
    fn seal(&self, secret: &[u8]) -> Result<Vec<u8>, KeyStoreRefusal> {
        self.0.seal(secret.to_vec()).map_err(refusal)
    }

    fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreRefusal> {
        let opened = self.0.unseal(sealed.to_vec()).map_err(refusal)?;
        Ok(opened.into())
    }
}

fn refusal(error: KeyStoreError) -> KeyStoreRefusal {
    KeyStoreRefusal(error.to_string())
}
