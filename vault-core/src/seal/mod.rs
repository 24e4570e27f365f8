//! Sealing of bodies and pages: chunked authenticated encryption with random access.
//!
//! A sealed stream is `salt (24) || key commitment (32) || chunks`. Every chunk holds 16 KiB of
//! plaintext and a tag of 16 bytes, except the last, which is always shorter and may be empty:
//! that is how the end of a stream is authenticated. Source: C2SP `chunked-encryption` v1, with
//! ChaCha20-Poly1305 and SHA-256.

mod padme;
mod stream;
#[cfg(test)]
mod vectors;

pub(crate) use padme::padme;
pub(crate) use stream::StreamKey;
use stream::{ChaCha, Stream, Suite};

/// Plaintext bytes in every chunk but the last.
pub(crate) const CHUNK_LEN: usize = 16_384;
/// Bytes a chunk's tag takes.
pub(crate) const TAG_LEN: usize = 16;
/// Bytes of a full chunk with its tag.
pub(crate) const SEALED_CHUNK_LEN: usize = CHUNK_LEN + TAG_LEN;
/// Bytes before the first chunk: salt and commitment.
pub(crate) const HEADER_LEN: usize = SALT_LEN + COMMITMENT_LEN;

const SALT_LEN: usize = 24;
const COMMITMENT_LEN: usize = 32;
const MAX_CHUNKS: u64 = 1 << 38;

/// Why a sealed stream did not open. Nothing of its plaintext has been given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The commitment does not belong to this key and this context.
    #[error("sealed with another key or for another place")]
    WrongKey,
    /// A length that no sealed stream has: cut off, or not one at all.
    #[error("sealed data is truncated")]
    Length,
    /// A chunk's bytes or its place are not those it was sealed with.
    #[error("sealed data was altered at chunk {chunk}")]
    Altered {
        /// Number of the chunk, from zero.
        chunk: u64,
    },
}

/// Length in bytes that `plain` bytes have when sealed; up to 4 PiB, the longest stream there is.
pub(crate) const fn sealed_len(plain: u64) -> u64 {
    let chunks = plain / CHUNK_LEN as u64 + 1;
    plain
        .saturating_add(HEADER_LEN as u64)
        .saturating_add(chunks.saturating_mul(TAG_LEN as u64))
}

/// Length in bytes of the plaintext in a sealed stream of `sealed` bytes; `None` for the lengths
/// that no sealed stream can have.
pub(crate) const fn plain_len(sealed: u64) -> Option<u64> {
    let Some(body) = sealed.checked_sub(HEADER_LEN as u64) else {
        return None;
    };
    let full = body / SEALED_CHUNK_LEN as u64;
    match (body % SEALED_CHUNK_LEN as u64).checked_sub(TAG_LEN as u64) {
        Some(last) if full < MAX_CHUNKS => Some(full * CHUNK_LEN as u64 + last),
        _ => None,
    }
}

/// Seals a whole buffer as one stream. See [`StreamKey::create`] for `input_key` and `context`.
pub(crate) fn seal(input_key: &[u8; 32], context: &[u8], plaintext: &[u8]) -> Vec<u8> {
    seal_all(&StreamKey::create(input_key, context), plaintext)
}

/// Opens a whole stream; the plaintext is given out only if every chunk is authentic and the end
/// is the one it was sealed with.
///
/// # Errors
/// [`OpenError`].
pub(crate) fn open(
    input_key: &[u8; 32],
    context: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, OpenError> {
    open_all::<ChaCha>(input_key, context, sealed)
}

fn seal_all<S: Suite>(stream: &Stream<S>, plaintext: &[u8]) -> Vec<u8> {
    let chunks = plaintext.len() / CHUNK_LEN + 1;
    let mut sealed = Vec::with_capacity(HEADER_LEN + plaintext.len() + chunks * TAG_LEN);
    sealed.extend_from_slice(&stream.header());
    let (full, last) = plaintext.as_chunks::<CHUNK_LEN>();
    let pieces = full.iter().map(<[u8; CHUNK_LEN]>::as_slice);
    for (index, piece) in (0..).zip(pieces.chain([last])) {
        let start = sealed.len();
        sealed.extend_from_slice(piece);
        let tag = stream.seal_chunk(index, &mut sealed[start..]);
        sealed.extend_from_slice(&tag);
    }
    sealed
}

fn open_all<S: Suite>(
    input_key: &[u8],
    context: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, OpenError> {
    let (header, body) = sealed
        .split_first_chunk::<HEADER_LEN>()
        .ok_or(OpenError::Length)?;
    let stream = Stream::<S>::open_with(input_key, header, context)?;
    let plain_len = plain_len(sealed.len() as u64).ok_or(OpenError::Length)?;

    let mut chunk = [0; SEALED_CHUNK_LEN];
    let mut plaintext = Vec::with_capacity(usize::try_from(plain_len).unwrap_or_default());
    for (index, piece) in (0..).zip(body.chunks(SEALED_CHUNK_LEN)) {
        let chunk = &mut chunk[..piece.len()];
        chunk.copy_from_slice(piece);
        plaintext.extend_from_slice(stream.open_chunk(index, chunk)?);
    }
    Ok(plaintext)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: [u8; 32] = [42; 32];

    #[test]
    fn lengths_agree_at_every_edge() {
        for plain in [0, 1, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, 3 * CHUNK_LEN] {
            let content = vec![5; plain];
            let sealed = seal(&KEY, b"context", &content);
            assert_eq!(sealed.len() as u64, sealed_len(plain as u64));
            assert_eq!(plain_len(sealed.len() as u64), Some(plain as u64));
            assert_eq!(open(&KEY, b"context", &sealed), Ok(content));
        }
    }

    /// Made from the specification alone with Node's `crypto` module: the published vectors use
    /// another AEAD and another hash. The chunk counter crosses a byte.
    #[test]
    fn known_answer() {
        use sha2::{Digest as _, Sha256};

        let key = std::array::from_fn::<u8, 32, _>(|place| place as u8);
        let salt = std::array::from_fn(|place| 0x40 + place as u8);
        let content: Vec<u8> = (0..300 * CHUNK_LEN + 5).map(|n| (n % 251) as u8).collect();
        let stream = Stream::<ChaCha>::derive(&key, &salt, b"medvault")
            .ok()
            .unwrap();
        let sealed = seal_all(&stream, &content);
        assert_eq!(sealed.len(), 4_920_077);
        assert_eq!(
            data_encoding::HEXLOWER.encode(&Sha256::digest(&sealed)),
            "032882b983681cdf58928f1f77085335bf30e878a6b12e55816d8db0b4e798a6"
        );
        assert_eq!(open(&key, b"medvault", &sealed), Ok(content));
    }

    #[test]
    fn impossible_lengths() {
        assert!((0..72).all(|len| plain_len(len).is_none()));
        let second = (HEADER_LEN + SEALED_CHUNK_LEN) as u64;
        assert!((second..second + 16).all(|len| plain_len(len).is_none()));
        assert_eq!(plain_len(second + 16), Some(CHUNK_LEN as u64));
        assert_eq!(plain_len(u64::MAX), None);
        assert_eq!(sealed_len(u64::MAX), u64::MAX);
    }

    #[test]
    fn every_cut_and_every_flip_is_seen() {
        let sealed = seal(&KEY, b"", &vec![9; CHUNK_LEN + 100]);
        for len in (0..sealed.len()).step_by(97).chain([
            HEADER_LEN,
            HEADER_LEN + TAG_LEN,
            HEADER_LEN + SEALED_CHUNK_LEN,
            HEADER_LEN + SEALED_CHUNK_LEN + TAG_LEN,
        ]) {
            assert!(open(&KEY, b"", &sealed[..len]).is_err(), "cut to {len}");
        }
        for place in (0..sealed.len()).step_by(53) {
            let mut altered = sealed.clone();
            altered[place] ^= 0x80;
            assert!(open(&KEY, b"", &altered).is_err(), "flip at {place}");
        }
        assert!(open(&KEY, b"", &[&sealed[..], &[0]].concat()).is_err());
    }

    proptest! {
        #[test]
        fn round_trip(content in prop::collection::vec(any::<u8>(), 0..40_000), context: Vec<u8>) {
            let sealed = seal(&KEY, &context, &content);
            prop_assert_eq!(open(&KEY, &context, &sealed), Ok(content));
        }

        #[test]
        fn arbitrary_bytes_never_open(bytes: Vec<u8>) {
            prop_assert!(open(&KEY, b"", &bytes).is_err());
        }

        #[test]
        fn plain_len_inverts_sealed_len(plain in 0_u64..1 << 50) {
            prop_assert_eq!(plain_len(sealed_len(plain)), Some(plain));
        }
    }
}
