//! Files under a passphrase: age's `scrypt` recipient, with the work factor set by us.
//!
//! Source: C2SP `age`, section "The scrypt recipient type"; RFC 7914.

use age::armor::Format;
use age::{DecryptError, Encryptor, scrypt};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::{EnvelopeError, read_file, write_file};

/// Work factor for new files: scrypt with N = 2^17, r = 8, p = 1 takes 128 MiB of memory.
pub const DEFAULT_WORK_FACTOR: u8 = 17;
/// Highest work factor for new files, and a sensible one to accept (4 GiB of memory).
pub const MAX_WORK_FACTOR: u8 = 22;

/// Encrypts `plaintext` as a binary age file under a passphrase, with scrypt's N = 2^`log_n`.
///
/// # Errors
/// [`EnvelopeError::WorkFactor`] unless `log_n` is 1 to [`MAX_WORK_FACTOR`].
pub fn encrypt_with_passphrase(
    plaintext: &[u8],
    passphrase: &SecretString,
    log_n: u8,
) -> Result<Vec<u8>, EnvelopeError> {
    if !(1..=MAX_WORK_FACTOR).contains(&log_n) {
        return Err(EnvelopeError::WorkFactor { log_n });
    }
    let mut recipient = scrypt::Recipient::new(passphrase.clone());
    recipient.set_work_factor(log_n);
    let encryptor = Encryptor::with_recipients(std::iter::once(&recipient as _))
        .map_err(|_| EnvelopeError::Malformed)?;
    write_file(encryptor, plaintext, Format::Binary)
}

/// Decrypts an age file under a passphrase, binary or armored, if its work factor is at most
/// `max_log_n`; the work is refused, not begun, when it is higher.
///
/// # Errors
/// [`EnvelopeError::WrongPassphrase`], [`EnvelopeError::WorkFactor`],
/// [`EnvelopeError::Malformed`] for damaged files and for files without a passphrase.
pub fn decrypt_with_passphrase(
    bytes: &[u8],
    passphrase: &SecretString,
    max_log_n: u8,
) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let mut identity = scrypt::Identity::new(passphrase.clone());
    identity.set_max_work_factor(max_log_n);
    read_file(bytes, bytes.len(), &identity, |error| match error {
        DecryptError::DecryptionFailed => EnvelopeError::WrongPassphrase,
        DecryptError::ExcessiveWork { required, .. } => {
            EnvelopeError::WorkFactor { log_n: required }
        }
        _ => EnvelopeError::Malformed,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{IdentityKey, encrypt_to};
    use super::*;

    fn passphrase(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn errors_tell_wrong_from_broken() {
        let right = passphrase("correct horse");
        let file = encrypt_with_passphrase(b"identity", &right, 4).unwrap();
        let open = |file: &[u8], text: &str| decrypt_with_passphrase(file, &passphrase(text), 5);
        assert_eq!(**open(&file, "correct horse").unwrap(), *b"identity");
        assert_eq!(
            open(&file, "correct hors"),
            Err(EnvelopeError::WrongPassphrase)
        );
        for len in (0..file.len()).step_by(13) {
            let cut = open(&file[..len], "correct horse");
            assert_eq!(cut, Err(EnvelopeError::Malformed), "cut to {len}");
        }
        let hybrid = encrypt_to(&[IdentityKey::generate().recipient()], b"", false).unwrap();
        assert_eq!(open(&hybrid, ""), Err(EnvelopeError::Malformed));
    }

    #[test]
    fn work_is_bounded() {
        let right = passphrase("correct horse");
        for log_n in [0, MAX_WORK_FACTOR + 1, 64, u8::MAX] {
            assert_eq!(
                encrypt_with_passphrase(b"", &right, log_n),
                Err(EnvelopeError::WorkFactor { log_n })
            );
        }
        let file = encrypt_with_passphrase(b"", &right, 6).unwrap();
        assert!(String::from_utf8_lossy(&file).contains(" 6\n"));
        assert_eq!(
            decrypt_with_passphrase(&file, &right, 5),
            Err(EnvelopeError::WorkFactor { log_n: 6 })
        );
    }
}
