//! Envelopes: age files to hybrid recipients, and files under a passphrase.
//!
//! Everything here is a standard age file (C2SP `age`, version 1) that stock tools open. An
//! *envelope* is one for a single recipient that is always 4096 bytes long, so that its length
//! says nothing about what it carries.

pub(crate) mod hpke;
mod hybrid;
mod keys;
mod passphrase;
#[cfg(test)]
mod vectors;
mod xwing;

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, Read as _, Write};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::{DecryptError, Decryptor, Encryptor};
use zeroize::Zeroizing;

use hybrid::PostQuantumOnly;
pub use keys::{IdentityKey, ParseKeyError, RecipientKey};
pub use passphrase::{
    DEFAULT_WORK_FACTOR, MAX_WORK_FACTOR, decrypt_with_passphrase, encrypt_with_passphrase,
};
pub(crate) use xwing::ENC_LEN;

/// Length of every envelope, in bytes.
pub const ENVELOPE_LEN: usize = 4096;
/// Longest payload of an envelope, in bytes.
pub const ENVELOPE_PAYLOAD_MAX: usize = 2048;
/// Most recipients a file can have and still be read: the header's limit is 16 KiB.
pub const MAX_RECIPIENTS: usize = 10;

/// Longest header that is parsed, in bytes; the parser's time grows with its square.
const HEADER_MAX: usize = 16 * 1024;
const LEN_PREFIX: usize = 2;
const TAG_LEN: usize = 16;

/// Why an age file was not made or not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// No stanza opens with this identity.
    #[error("not encrypted to this identity")]
    NotForYou,
    /// Not an age file, cut off, altered, or with a header over 16 KiB.
    #[error("malformed or altered age file")]
    Malformed,
    /// Also encrypted to a recipient without post-quantum protection.
    #[error("encrypted to post-quantum and classical recipients at once")]
    Mixed,
    /// More content than allowed.
    #[error("content is over the limit of {limit} bytes")]
    TooLong {
        /// Length allowed, in bytes.
        limit: usize,
    },
    /// None, or more than [`MAX_RECIPIENTS`].
    #[error("a file needs 1 to {MAX_RECIPIENTS} recipients, not {0}")]
    RecipientCount(usize),
    /// The passphrase does not open the file.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// An scrypt work factor outside what is asked for or accepted.
    #[error("passphrase work factor {log_n} is out of range")]
    WorkFactor {
        /// Base-two logarithm of the scrypt cost N.
        log_n: u8,
    },
}

/// Puts `payload` into an envelope for `recipient`: an age file of exactly [`ENVELOPE_LEN`] bytes.
///
/// Its plaintext is the payload's length (2 bytes, big-endian), the payload, and zeros.
///
/// # Errors
/// [`EnvelopeError::TooLong`] for payloads over [`ENVELOPE_PAYLOAD_MAX`].
pub fn seal_envelope(recipient: &RecipientKey, payload: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let too_long = EnvelopeError::TooLong {
        limit: ENVELOPE_PAYLOAD_MAX,
    };
    if payload.len() > ENVELOPE_PAYLOAD_MAX {
        return Err(too_long);
    }
    let len = u16::try_from(payload.len()).map_err(|_| too_long)?;

    // age adds a stanza of random length to every header, so the room left is known only now
    let written = Cell::new(0);
    let sink = Counted {
        bytes: Vec::with_capacity(ENVELOPE_LEN),
        written: &written,
    };
    let mut writer = encryptor(std::slice::from_ref(recipient))?
        .wrap_output(sink)
        .map_err(|_| EnvelopeError::Malformed)?;
    let room = ENVELOPE_LEN.saturating_sub(written.get() + TAG_LEN);
    if room < LEN_PREFIX + payload.len() {
        return Err(too_long);
    }
    let mut plaintext = Zeroizing::new(vec![0; room]);
    plaintext[..LEN_PREFIX].copy_from_slice(&len.to_be_bytes());
    plaintext[LEN_PREFIX..][..payload.len()].copy_from_slice(payload);
    let sink = writer
        .write_all(&plaintext)
        .and_then(|()| writer.finish())
        .map_err(|_| EnvelopeError::Malformed)?;
    Ok(sink.bytes)
}

/// Opens an envelope of at most 16 KiB and returns its payload.
///
/// # Errors
/// [`EnvelopeError::NotForYou`], [`EnvelopeError::Mixed`], [`EnvelopeError::Malformed`].
pub fn open_envelope(
    identity: &IdentityKey,
    bytes: &[u8],
) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    if bytes.len() > HEADER_MAX {
        return Err(EnvelopeError::Malformed);
    }
    let mut plaintext = decrypt_with(identity, bytes, HEADER_MAX)?;
    let (len, rest) = plaintext
        .split_first_chunk::<LEN_PREFIX>()
        .ok_or(EnvelopeError::Malformed)?;
    let len = usize::from(u16::from_be_bytes(*len));
    match rest.split_at_checked(len) {
        Some((_, padding)) if padding.iter().all(|byte| *byte == 0) => {
            plaintext.copy_within(LEN_PREFIX..LEN_PREFIX + len, 0);
            plaintext.truncate(len);
            Ok(plaintext)
        }
        _ => Err(EnvelopeError::Malformed),
    }
}

/// Encrypts `plaintext` as one age file to all of `recipients`, as text when `armor` is set.
///
/// # Errors
/// [`EnvelopeError::RecipientCount`].
pub fn encrypt_to(
    recipients: &[RecipientKey],
    plaintext: &[u8],
    armor: bool,
) -> Result<Vec<u8>, EnvelopeError> {
    let format = if armor {
        Format::AsciiArmor
    } else {
        Format::Binary
    };
    write_file(encryptor(recipients)?, plaintext, format)
}

/// Decrypts an age file, binary or armored, whose plaintext has at most `limit` bytes.
///
/// # Errors
/// [`EnvelopeError::NotForYou`], [`EnvelopeError::Mixed`], [`EnvelopeError::Malformed`],
/// [`EnvelopeError::TooLong`].
pub fn decrypt_with(
    identity: &IdentityKey,
    bytes: &[u8],
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let strict = PostQuantumOnly::new(identity);
    read_file(bytes, limit, &strict, |error| match error {
        DecryptError::NoMatchingKeys => EnvelopeError::NotForYou,
        _ if strict.refused_mix() => EnvelopeError::Mixed,
        _ => EnvelopeError::Malformed,
    })
}

fn encryptor(recipients: &[RecipientKey]) -> Result<Encryptor, EnvelopeError> {
    if !(1..=MAX_RECIPIENTS).contains(&recipients.len()) {
        return Err(EnvelopeError::RecipientCount(recipients.len()));
    }
    Encryptor::with_recipients(recipients.iter().map(|key| key as &dyn age::Recipient))
        .map_err(|_| EnvelopeError::Malformed)
}

fn write_file(
    encryptor: Encryptor,
    plaintext: &[u8],
    format: Format,
) -> Result<Vec<u8>, EnvelopeError> {
    let write = || -> io::Result<Vec<u8>> {
        let mut writer = encryptor.wrap_output(ArmoredWriter::wrap_output(Vec::new(), format)?)?;
        writer.write_all(plaintext)?;
        writer.finish()?.finish()
    };
    write().map_err(|_| EnvelopeError::Malformed) // writing to memory does not fail
}

fn read_file(
    bytes: &[u8],
    limit: usize,
    identity: &dyn age::Identity,
    header_error: impl FnOnce(DecryptError) -> EnvelopeError,
) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let bytes = without_armor(bytes)?;
    // nothing before the MAC line can hold this sequence
    let head = &bytes[..bytes.len().min(HEADER_MAX)];
    if !head.windows(5).any(|window| window == b"\n--- ") {
        return Err(EnvelopeError::Malformed);
    }
    let decryptor = Decryptor::new_buffered(&bytes[..]).map_err(|_| EnvelopeError::Malformed)?;
    let reader = decryptor
        .decrypt(std::iter::once(identity))
        .map_err(header_error)?;
    let mut plaintext = Zeroizing::new(Vec::with_capacity(bytes.len().min(limit) + 1));
    reader
        .take((limit as u64).saturating_add(1))
        .read_to_end(&mut plaintext)
        .map_err(|_| EnvelopeError::Malformed)?;
    if plaintext.len() > limit {
        return Err(EnvelopeError::TooLong { limit });
    }
    Ok(plaintext)
}

fn without_armor(bytes: &[u8]) -> Result<Cow<'_, [u8]>, EnvelopeError> {
    if !bytes.starts_with(b"-----BEGIN ") {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut binary = Vec::with_capacity(bytes.len());
    ArmoredReader::new(bytes)
        .read_to_end(&mut binary)
        .map_err(|_| EnvelopeError::Malformed)?;
    Ok(Cow::Owned(binary))
}

/// A buffer whose length can be read while something else writes to it.
struct Counted<'a> {
    bytes: Vec<u8>,
    written: &'a Cell<usize>,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        self.written.set(self.bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
