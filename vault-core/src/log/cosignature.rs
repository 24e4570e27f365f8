//! Cosignatures (C2SP tlog-cosignature, Ed25519, version 1): a reader's signed statement that, at a
//! given time, this was the largest consistent checkpoint of the log it had seen.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use super::checkpoint::SignedCheckpoint;
use super::note::{NoteError, NoteSignature, TYPE_COSIGNATURE, key_id};

/// The latest time a cosignature may carry, in seconds since the Unix epoch: 2^63 - 1.
pub const MAX_COSIGNATURE_TIME: u64 = i64::MAX as u64;

/// Countersigns a checkpoint at `time`, in seconds since the Unix epoch. Add the result with
/// [`SignedCheckpoint::with_signature`].
///
/// Call this only after the log's own signature was verified and the checkpoint was proven
/// consistent with the last one seen: that is what a cosignature states. The message does not name
/// the cosigner, so one key serves one name.
///
/// # Errors
/// [`NoteError::KeyName`] or [`NoteError::Time`].
pub fn cosign(
    checkpoint: &SignedCheckpoint,
    name: &str,
    key: &SigningKey,
    time: u64,
) -> Result<NoteSignature, NoteError> {
    if time > MAX_COSIGNATURE_TIME {
        return Err(NoteError::Time);
    }
    let signature = key.sign(&message(checkpoint, time)).to_bytes();
    NoteSignature::new(
        name,
        key_id(name, TYPE_COSIGNATURE, &key.verifying_key()),
        [&time.to_be_bytes()[..], &signature].concat(),
    )
}

/// Checks the cosignature of `key` under `name` and returns its time, in seconds since the Unix
/// epoch. Says nothing about the log's own signature.
///
/// # Errors
/// [`NoteError::NotSigned`], [`NoteError::BadSignature`] or [`NoteError::Time`].
pub fn verify_cosignature(
    checkpoint: &SignedCheckpoint,
    name: &str,
    key: &VerifyingKey,
) -> Result<u64, NoteError> {
    let line = checkpoint
        .note()
        .signature_of(name, TYPE_COSIGNATURE, key)?;
    let (time, signature) = line
        .signature()
        .split_first_chunk::<8>()
        .ok_or(NoteError::BadSignature)?;
    let time = u64::from_be_bytes(*time);
    if time > MAX_COSIGNATURE_TIME {
        return Err(NoteError::Time);
    }
    let signature = Signature::from_slice(signature).map_err(|_| NoteError::BadSignature)?;
    key.verify_strict(&message(checkpoint, time), &signature)
        .map_err(|_| NoteError::BadSignature)?;
    Ok(time)
}

/// The signed message: two header lines, then the note text.
fn message(checkpoint: &SignedCheckpoint, time: u64) -> Vec<u8> {
    let text = checkpoint.note().text();
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}
