//! A device's own key store as a second door beside the passphrase, or as the only one.
//!
//! The key store of a phone or a desktop seals one small secret of 32 random bytes. That secret, as
//! 64 hexadecimal digits, is the passphrase of an age file with the identity in it (SPEC 5.3). Both lie
//! in one file, which is replaced whole.
//! Keys of the vault never go to the key store, and whoever has the sealed secret alone, or the files
//! alone, has nothing.

use std::fmt::Write as _;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use vault_core::{
    DEFAULT_WORK_FACTOR, Device, EnvelopeError, Home, decrypt_with_passphrase,
    encrypt_with_passphrase, random,
};
use zeroize::Zeroizing;

use crate::error::{Error, Exit, Result};
use crate::setup::unlock_with_identity;

/// File with the sealed secret, and the identity under it.
const FILE: &str = "key-store";
/// Work factor of scrypt for a secret of 256 random bits, which nobody guesses. No passphrase of a
/// person is ever kept under so low a one, so it tells the two kinds of file apart.
const WORK_FACTOR: u8 = 4;
/// Longest sealed secret, in bytes (64 KiB).
const MAX_SEALED: usize = 64 << 10;
/// Length of the secret, in bytes.
const SECRET_LEN: usize = 32;

/// A key store: it seals one secret so that only this program on this device opens it.
pub trait KeyStore {
    /// Seals a secret of 32 bytes.
    ///
    /// # Errors
    /// Why it would not.
    fn seal(&self, secret: &[u8]) -> Result<Vec<u8>, KeyStoreRefusal>;

    /// Opens what [`KeyStore::seal`] returned.
    ///
    /// # Errors
    /// Why it would not.
    fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreRefusal>;
}

/// Why a key store would not, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyStoreRefusal(pub String);

impl From<KeyStoreRefusal> for Error {
    fn from(refusal: KeyStoreRefusal) -> Self {
        Self::new(Exit::Identity, "key-store", refusal)
    }
}

/// Seals an identity under a passphrase, with the work factor of the project.
///
/// # Errors
/// When the system gives no random numbers.
pub fn seal_with_passphrase(identity: &[u8], passphrase: &SecretString) -> Result<Vec<u8>> {
    Ok(encrypt_with_passphrase(
        identity,
        passphrase,
        DEFAULT_WORK_FACTOR,
    )?)
}

/// Seals the identity of a new home under a secret that the key store keeps; there is no passphrase.
///
/// # Errors
/// `key-store`; what the home cannot write.
pub fn seal_with_key_store(home: &Home, identity: &[u8], store: &dyn KeyStore) -> Result<Vec<u8>> {
    let (secret, sealed) = fresh(store)?;
    let file = encrypt_with_passphrase(identity, &secret, WORK_FACTOR)?;
    home.write_file(FILE, &door(&sealed, &file))?;
    Ok(file)
}

/// Has the key store open this home too, from now on. Done again, it takes the place of the one
/// before: what was sealed earlier opens nothing any more. One file is replaced, so a kill leaves
/// either the old door or the new one.
///
/// # Errors
/// `key-store`; what the home cannot write. The doors that were there stay then.
pub fn remember(home: &Home, device: &Device, store: &dyn KeyStore) -> Result<()> {
    let (secret, sealed) = fresh(store)?;
    let identity = device.to_identity_text();
    let file = encrypt_with_passphrase(identity.as_bytes(), &secret, WORK_FACTOR)?;
    let _lock = home.lock()?;
    Ok(home.write_file(FILE, &door(&sealed, &file))?)
}

/// Makes the key store's secret worthless: only the passphrase opens the home then. Without one in
/// the key store nothing happens.
///
/// # Errors
/// `no-passphrase` when there is no other door.
pub fn forget(home: &Home) -> Result<()> {
    let _lock = home.lock()?;
    if read_door(home)?.is_none() {
        return Ok(());
    }
    if !has_passphrase(home)? {
        let what = "the vault has no passphrase, so nothing but the key store opens it";
        return Err(Error::new(Exit::Identity, "no-passphrase", what));
    }
    Ok(home.write_file(FILE, &[])?)
}

/// Unlocks a home's device with what the key store keeps.
///
/// # Errors
/// `no-key-store` when nothing was sealed for this home; `key-store` when the store refuses or opens
/// something else; `bad-identity` for a damaged file.
pub fn unlock_with_key_store(home: &Home, store: &dyn KeyStore) -> Result<Arc<Device>> {
    let Some((sealed, file)) = read_door(home)? else {
        let what = "this vault is not in a key store yet; its passphrase opens it";
        return Err(Error::new(Exit::Identity, "no-key-store", what));
    };
    let secret = passphrase(&store.open(&sealed)?)?;
    match decrypt_with_passphrase(&file, &secret, WORK_FACTOR) {
        Ok(identity) => unlock_with_identity(&identity),
        Err(EnvelopeError::WrongPassphrase) => Err(not_ours()),
        Err(_) => Err(damaged()),
    }
}

/// Has this passphrase open the home from now on, and no other. A key store that opens it stays.
/// `work_factor`: scrypt with N = 2^`work_factor`.
///
/// # Errors
/// `empty-passphrase`; what the home cannot write.
pub fn change_passphrase(
    home: &Home,
    device: &Device,
    passphrase: &SecretString,
    work_factor: u8,
) -> Result<()> {
    if passphrase.expose_secret().is_empty() {
        let what = "the passphrase is empty";
        return Err(Error::new(Exit::Usage, "empty-passphrase", what));
    }
    let identity = device.to_identity_text();
    let sealed = encrypt_with_passphrase(identity.as_bytes(), passphrase, work_factor)?;
    let _lock = home.lock()?;
    Ok(home.write_identity(&sealed)?)
}

/// Length of the sealed secret, the sealed secret, and the identity under the secret.
fn door(sealed: &[u8], file: &[u8]) -> Vec<u8> {
    // at most 64 KiB
    let len = (sealed.len() as u32).to_be_bytes();
    [&len, sealed, file].concat()
}

/// The sealed secret and the identity under it; `None` when the key store has nothing of this home.
fn read_door(home: &Home) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let Some(bytes) = home.read_file(FILE)?.filter(|bytes| !bytes.is_empty()) else {
        return Ok(None);
    };
    let split = bytes.split_first_chunk::<4>().and_then(|(len, rest)| {
        let len = u32::from_be_bytes(*len) as usize;
        (len <= MAX_SEALED).then(|| rest.split_at_checked(len))?
    });
    let (sealed, file) = split.ok_or_else(damaged)?;
    Ok(Some((sealed.to_vec(), file.to_vec())))
}

fn damaged() -> Error {
    let what = format!("the file {FILE} of this home is damaged");
    Error::new(Exit::Integrity, "bad-identity", what)
        .hint("the passphrase opens the home all the same")
}

/// Whether the identity file opens with something that a person knows: the key store's own has a
/// smaller work factor.
fn has_passphrase(home: &Home) -> Result<bool> {
    let sealed = home.read_identity()?;
    let probe = SecretString::from(String::new());
    Ok(matches!(
        decrypt_with_passphrase(&sealed, &probe, WORK_FACTOR),
        Err(EnvelopeError::WorkFactor { .. })
    ))
}

/// A new secret and what the store made of it.
fn fresh(store: &dyn KeyStore) -> Result<(SecretString, Vec<u8>)> {
    let mut secret = Zeroizing::new([0; SECRET_LEN]);
    random::fill(&mut *secret);
    let sealed = store.seal(&*secret)?;
    if sealed.is_empty() || sealed.len() > MAX_SEALED {
        let what = "the key store made something that cannot be kept".to_owned();
        return Err(KeyStoreRefusal(what).into());
    }
    Ok((passphrase(&*secret)?, sealed))
}

/// The secret as a passphrase: 64 hexadecimal digits.
fn passphrase(secret: &[u8]) -> Result<SecretString> {
    if secret.len() != SECRET_LEN {
        return Err(not_ours());
    }
    let mut text = Zeroizing::new(String::with_capacity(2 * SECRET_LEN));
    for byte in secret {
        // writing into a string does not fail
        let _ = write!(text, "{byte:02x}");
    }
    Ok(SecretString::from(text.as_str()))
}

fn not_ours() -> Error {
    KeyStoreRefusal("what the key store opened is not this vault's".to_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, create_home, unlock_with_passphrase};
    use std::path::Path;
    use std::sync::Mutex;
    use vault_core::RecoveryWords;

    /// Keeps secrets under a number.
    #[derive(Default)]
    struct Drawer(Mutex<Vec<Vec<u8>>>);

    impl KeyStore for Drawer {
        fn seal(&self, secret: &[u8]) -> Result<Vec<u8>, KeyStoreRefusal> {
            let mut kept = self.0.lock().unwrap();
            kept.push(secret.to_vec());
            Ok(vec![kept.len() as u8])
        }

        fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreRefusal> {
            let kept = self.0.lock().unwrap();
            let at = usize::from(sealed[0]) - 1;
            let found = kept.get(at).cloned();
            found
                .map(Zeroizing::new)
                .ok_or_else(|| KeyStoreRefusal("not in this drawer".into()))
        }
    }

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn with_key_store(path: &Path, store: &Drawer) -> Home {
        let (words, options) = (RecoveryWords::generate(), Options::default());
        let slot = Mutex::new(None);
        let seal = |home: &Home, text: &[u8]| {
            *slot.lock().unwrap() = Some(());
            seal_with_key_store(home, text, store)
        };
        create_home(path, "Mira", &words, &options, &seal)
            .unwrap()
            .0
    }

    #[test]
    fn without_a_passphrase_only_the_key_store_opens() {
        let folder = tempfile::tempdir().unwrap();
        let store = Drawer::default();
        let home = with_key_store(&folder.path().join("home"), &store);
        unlock_with_key_store(&home, &store).unwrap();
        let other = unlock_with_key_store(&home, &Drawer::default()).unwrap_err();
        assert_eq!(other.code, "key-store");
        assert_eq!(forget(&home).unwrap_err().code, "no-passphrase");
        assert!(unlock_with_passphrase(&home, &secret("guess")).is_err());

        let device = unlock_with_key_store(&home, &store).unwrap();
        remember(&home, &device, &store).unwrap();
        unlock_with_key_store(&home, &store).unwrap();
        assert_eq!(store.0.lock().unwrap().len(), 2);

        change_passphrase(&home, &device, &secret("open"), 10).unwrap();
        unlock_with_passphrase(&home, &secret("open")).unwrap();
        unlock_with_key_store(&home, &store).unwrap();
        forget(&home).unwrap();
        let gone = unlock_with_key_store(&home, &store).unwrap_err();
        assert_eq!(gone.code, "no-key-store");
        unlock_with_passphrase(&home, &secret("open")).unwrap();
    }

    #[test]
    fn a_kill_while_remembering_leaves_a_door() {
        let folder = tempfile::tempdir().unwrap();
        let store = Drawer::default();
        let home = with_key_store(&folder.path().join("home"), &store);
        let device = unlock_with_key_store(&home, &store).unwrap();
        // every act replaces one file, so between any two of them there is a door
        let acts: [&dyn Fn(); 4] = [
            &|| remember(&home, &device, &store).unwrap(),
            &|| change_passphrase(&home, &device, &secret("open"), 10).unwrap(),
            &|| remember(&home, &device, &store).unwrap(),
            &|| change_passphrase(&home, &device, &secret("more"), 10).unwrap(),
        ];
        for act in acts {
            // killed: the key store has sealed, and nothing was written
            fresh(&store).unwrap();
            unlock_with_key_store(&home, &store).unwrap();
            act();
            unlock_with_key_store(&home, &store).unwrap();
        }
        unlock_with_passphrase(&home, &secret("more")).unwrap();
    }

    #[test]
    fn a_damaged_file_is_told_from_another_key_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = Drawer::default();
        let home = with_key_store(&folder.path().join("home"), &store);
        let whole = home.read_file(FILE).unwrap().unwrap();
        let mut long = whole.clone();
        long[..4].copy_from_slice(&[0xff; 4]);
        for bytes in [&whole[..3], &whole[..20], &long[..]] {
            home.write_file(FILE, bytes).unwrap();
            let error = unlock_with_key_store(&home, &store).unwrap_err();
            assert_eq!(error.code, "bad-identity");
        }
    }
}
