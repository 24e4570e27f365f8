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

#[cfg(test)]
mod tests {
    use super::super::checkpoint::{Checkpoint, CheckpointError};
    use super::super::merkle::TreeHash;
    use super::super::note::MAX_NOTE_SIGNATURES;
    use super::*;

    const LOG: &str = "log.example/7";
    const READER: &str = "reader.example/7";
    const TIME: u64 = 1_795_373_599;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn signed(size: u64) -> SignedCheckpoint {
        let root = TreeHash::from_base64("XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=").unwrap();
        let checkpoint = Checkpoint {
            origin: LOG.into(),
            size,
            root,
        };
        checkpoint.sign(LOG, &key()).unwrap()
    }

    fn countersigned(size: u64, time: u64) -> SignedCheckpoint {
        let signed = signed(size);
        let cosignature = cosign(&signed, READER, &key(), time).unwrap();
        signed.with_signature(cosignature).unwrap()
    }

    /// Made with Go's github.com/transparency-dev/formats/note from the same seed.
    #[test]
    fn signs_exactly_as_the_reference_implementation() {
        let expected = "\u{2014} reader.example/7 GaCRxgAAAABrAzofT9/RRlyQ0AFJmTr4GXp6bQEIB3rQcj0rmDtboeG6TMlbUQdBAV1Z67QQ1y8pCipl/BCbvTQ1LJiA36Swy3FpCQ==\n";
        let both = countersigned(8, TIME);
        assert!(both.as_bytes().starts_with(signed(8).as_bytes()));
        assert!(both.as_bytes().ends_with(expected.as_bytes()));
        let both = SignedCheckpoint::parse(both.as_bytes()).unwrap();
        let verified = verify_cosignature(&both, READER, &key().verifying_key());
        assert_eq!(verified, Ok(TIME));
        assert!(both.verify(LOG, &key().verifying_key()).is_ok());
    }

    #[test]
    fn one_signature_type_is_not_taken_for_the_other() {
        let both = countersigned(8, TIME);
        let key = key().verifying_key();
        let not_signed = Err(CheckpointError::Note(NoteError::NotSigned));
        assert_eq!(both.verify(READER, &key), not_signed);
        let cosigned = verify_cosignature(&both, LOG, &key);
        assert_eq!(cosigned, Err(NoteError::NotSigned));
    }

    #[test]
    fn another_checkpoint_or_time_is_refused() {
        let key = key().verifying_key();
        let line = countersigned(8, TIME).signatures()[1].clone();
        let moved = signed(9).with_signature(line.clone()).unwrap();
        let refused = verify_cosignature(&moved, READER, &key);
        assert_eq!(refused, Err(NoteError::BadSignature));

        for at in 0..line.signature().len() {
            let mut bytes = line.signature().to_vec();
            bytes[at] ^= 0x80;
            let altered = NoteSignature::new(READER, line.key_id(), bytes).unwrap();
            let altered = signed(8).with_signature(altered).unwrap();
            let error = if at == 0 {
                NoteError::Time
            } else {
                NoteError::BadSignature
            };
            assert_eq!(verify_cosignature(&altered, READER, &key), Err(error));
        }
        for len in [1, 8, 71, 73] {
            let mut bytes = line.signature().to_vec();
            bytes.resize(len, 0);
            let cut = NoteSignature::new(READER, line.key_id(), bytes).unwrap();
            let cut = signed(8).with_signature(cut).unwrap();
            assert!(verify_cosignature(&cut, READER, &key).is_err(), "{len}");
        }
    }

    #[test]
    fn times_have_a_limit() {
        let last = countersigned(8, MAX_COSIGNATURE_TIME);
        let verified = verify_cosignature(&last, READER, &key().verifying_key());
        assert_eq!(verified, Ok(MAX_COSIGNATURE_TIME));
        let beyond = cosign(&signed(8), READER, &key(), MAX_COSIGNATURE_TIME + 1);
        assert_eq!(beyond, Err(NoteError::Time));
    }

    #[test]
    fn a_later_cosignature_takes_the_place_of_the_earlier() {
        let first = countersigned(8, TIME);
        let later = cosign(&first, READER, &key(), TIME + 60).unwrap();
        let second = first.with_signature(later).unwrap();
        assert_eq!(second.signatures().len(), 2);
        let verified = verify_cosignature(&second, READER, &key().verifying_key());
        assert_eq!(verified, Ok(TIME + 60));

        let mut full = signed(8);
        for reader in 1..MAX_NOTE_SIGNATURES {
            let line = cosign(&full, &format!("reader{reader}"), &key(), TIME).unwrap();
            full = full.with_signature(line).unwrap();
        }
        let line = cosign(&full, READER, &key(), TIME).unwrap();
        let many = CheckpointError::Note(NoteError::TooManySignatures);
        assert_eq!(full.with_signature(line), Err(many));
    }
}
