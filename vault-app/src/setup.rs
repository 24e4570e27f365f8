//! A new home, an old one from its recovery words, and the device in it.

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;
use vault_core::{
    BlockStore, Device, EnvelopeError, Home, IdentityFileError, MAX_WORK_FACTOR, RecoveryWords,
    StorageError, Vault, VaultId, VaultStorage, decrypt_with_passphrase, system_clock,
};

use crate::app::Options;
use crate::config::File;
use crate::error::{Error, Exit, Result};
use crate::place::Place;
use crate::time;

/// Turns the identity's text, which is secret, into what goes into the identity file. The home is
/// under construction; what else belongs to the seal may be written there.
pub type SealIdentity<'a> = dyn Fn(&Home, &[u8]) -> Result<Vec<u8>> + 'a;

/// Makes a home with an empty vault. `name` is how others see its owner. A kill leaves either no
/// home or a whole one.
///
/// # Errors
/// `home-exists` and `home-occupied`; a name that cannot be used; whatever `seal` returns; what the
/// system refuses.
pub fn create_home(
    path: &Path,
    name: &str,
    words: &RecoveryWords,
    options: &Options,
    seal: &SealIdentity<'_>,
) -> Result<(Home, Arc<Device>)> {
    refuse_existing_home(path)?;
    let device = Arc::new(Device::for_new_vault(words, time::now()));
    device.card(name)?;
    let (home, ()) = Home::create(path, |home| -> Result<()> {
        home.write_identity(&seal(home, device.to_identity_text().as_bytes())?)?;
        home.write_card(&device.card(name)?.to_text())?;
        let storage = begin(home, options, &device.vault())?;
        Vault::create(storage, device.clone(), name, system_clock())?;
        Ok(())
    })?;
    Ok((home, device))
}

/// Makes a home for a vault that was there before, from its recovery words and a copy of its blocks.
/// `copy` brings the blocks into the store that it is given; where the Kubo of the options has them
/// already it has nothing to do. Devices that signed for the vault before no longer do.
///
/// # Errors
/// As [`create_home`], whatever `copy` returns, and `nothing-to-recover` when the words and the
/// blocks do not belong together.
pub fn recover_home(
    path: &Path,
    words: &RecoveryWords,
    options: &Options,
    seal: &SealIdentity<'_>,
    copy: &dyn Fn(&Arc<dyn BlockStore>) -> Result<()>,
) -> Result<(Home, Arc<Device>)> {
    refuse_existing_home(path)?;
    let (home, identity) = Home::create(path, |home| -> Result<_> {
        let storage = begin(home, options, &words.vault())?;
        copy(&storage.blocks())?;
        let vault = Vault::recover(storage, words, system_clock())?;
        let identity = vault.device().to_identity_text();
        home.write_identity(&seal(home, identity.as_bytes())?)?;
        home.write_card(&vault.device().card(vault.name())?.to_text())?;
        Ok(identity)
    })?;
    Ok((home, Arc::new(Device::from_identity_text(&identity)?)))
}

/// Fails when a home cannot be made at `path`.
///
/// # Errors
/// `home-exists` when there is one; `home-occupied` when something else is there.
pub fn refuse_existing_home(path: &Path) -> Result<()> {
    match Home::open(path) {
        Ok(_) => {
            let mut error = Error::from(StorageError::Exists);
            error.message = format!("there is a vault already in {}", path.display());
            Err(error)
        }
        Err(StorageError::NoVault) if is_occupied(path) => {
            let what = format!("{} is not empty, and holds no vault", path.display());
            Err(Error::new(Exit::Home, "home-occupied", what)
                .hint("`--home DIR` names another place"))
        }
        Err(StorageError::NoVault) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn is_occupied(path: &Path) -> bool {
    match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

/// The storage of a vault that begins here. A place that the options name is kept in the settings.
fn begin(home: &Home, options: &Options, vault: &VaultId) -> Result<Arc<dyn VaultStorage>> {
    let place = Place::of(options, &File::read(home)?.config()?)?;
    place.remember(home)?;
    Ok(place.storage(options, home, vault)?)
}

/// Unlocks a home's device with the passphrase of its identity file. Takes about a second: guessing
/// is to be slow.
///
/// # Errors
/// `wrong-passphrase`; an identity file that is missing, damaged, or asks for too much memory.
pub fn unlock_with_passphrase(home: &Home, passphrase: &SecretString) -> Result<Arc<Device>> {
    let sealed = home.read_identity()?;
    let text = decrypt_with_passphrase(&sealed, passphrase, MAX_WORK_FACTOR)
        .map_err(|error| identity_error(error, home.root()))?;
    unlock_with_identity(&text)
}

/// The device that an identity's text stands for.
///
/// # Errors
/// `bad-identity`, `home-newer`.
pub fn unlock_with_identity(text: &[u8]) -> Result<Arc<Device>> {
    let text = std::str::from_utf8(text).map_err(|_| IdentityFileError::NotAnIdentity)?;
    Ok(Arc::new(Device::from_identity_text(text)?))
}

fn identity_error(error: EnvelopeError, root: &Path) -> Error {
    use EnvelopeError as E;
    match error {
        E::WrongPassphrase => error.into(),
        E::WorkFactor { .. } => Error::new(Exit::Home, "work-factor", error),
        _ => Error::new(
            Exit::Integrity,
            "bad-identity",
            format!("the identity file in {} is damaged", root.display()),
        )
        .hint("put it back from a copy, or use `medvault init --recover` with the 24 words"),
    }
}
