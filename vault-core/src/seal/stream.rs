//! One sealed stream: key derivation, commitment and the chunks.
//!
//! Source: C2SP `chunked-encryption` v1, sections "Key derivation" and "AEAD usage".

use std::marker::PhantomData;

use chacha20poly1305::aead::generic_array::GenericArray;
use chacha20poly1305::aead::generic_array::typenum::{U12, U16, Unsigned};
use chacha20poly1305::aead::{AeadCore, AeadInPlace, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, KeySizeUser};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{CHUNK_LEN, COMMITMENT_LEN, HEADER_LEN, MAX_CHUNKS, OpenError, SALT_LEN, TAG_LEN};

const NONCE_LEN: usize = 12;

/// An instantiation of chunked encryption: its AEAD, and the hash behind HKDF-Expand.
///
/// The vault uses [`ChaCha`] alone. The published vectors use AES-GCM, and run through this same
/// code in the tests.
pub(crate) trait Suite {
    /// The AEAD's name in the IANA registry.
    const AEAD_NAME: &str;
    /// The AEAD, with nonces of 12 and tags of 16 bytes.
    type Aead: AeadInPlace + KeyInit + AeadCore<NonceSize = U12, TagSize = U16>;
    /// HMAC over the hash of HKDF-Expand.
    type Prf: Mac + KeyInit;
}

/// ChaCha20-Poly1305 with HKDF-Expand over SHA-256.
pub(crate) enum ChaCha {}

impl Suite for ChaCha {
    const AEAD_NAME: &str = "AEAD_CHACHA20_POLY1305";
    type Aead = ChaCha20Poly1305;
    type Prf = Hmac<Sha256>;
}

/// The derived state of one sealed stream, under which its chunks are sealed and opened in any
/// order. Wiped from memory when dropped.
pub(crate) type StreamKey = Stream<ChaCha>;

/// [`StreamKey`] for any [`Suite`].
pub(crate) struct Stream<S: Suite> {
    header: [u8; HEADER_LEN],
    cipher: S::Aead,
    base_nonce: Zeroizing<[u8; NONCE_LEN]>,
    suite: PhantomData<S>,
}

impl StreamKey {
    /// Starts a new stream with a fresh random salt.
    ///
    /// `input_key` must be uniformly random or the output of a key derivation; `context` may be
    /// empty and must be given again to open the stream.
    pub(crate) fn create(input_key: &[u8; 32], context: &[u8]) -> Self {
        #[allow(clippy::expect_used)] // the key's type has the AEAD's key length
        Self::derive(input_key, &crate::random::array(), context).expect("a key of 32 bytes")
    }

    /// Opens the stream that begins with `header`.
    ///
    /// # Errors
    /// [`OpenError::WrongKey`] when key, context or header do not belong together.
    pub(crate) fn open(
        input_key: &[u8; 32],
        header: &[u8; HEADER_LEN],
        context: &[u8],
    ) -> Result<Self, OpenError> {
        Self::open_with(input_key, header, context)
    }
}

impl<S: Suite> Stream<S> {
    /// Derives key, base nonce and commitment from a key whose length is not yet checked.
    ///
    /// # Errors
    /// [`OpenError::WrongKey`] when `input_key` does not have the AEAD's key length.
    pub(super) fn derive(
        input_key: &[u8],
        salt: &[u8; SALT_LEN],
        context: &[u8],
    ) -> Result<Self, OpenError> {
        let key_len = <S::Aead as KeySizeUser>::KeySize::USIZE;
        if input_key.len() != key_len {
            return Err(OpenError::WrongKey);
        }
        let info = [
            b"c2sp.org/chunked-encryption@v1+",
            S::AEAD_NAME.as_bytes(),
            &[0],
            salt,
            context,
        ];
        let mut okm = Zeroizing::new([0; 32 + NONCE_LEN + COMMITMENT_LEN]);
        let okm = &mut okm[..key_len + NONCE_LEN + COMMITMENT_LEN];
        hkdf_expand::<S::Prf>(input_key, &info, okm)?;

        let (key, rest) = okm.split_at(key_len);
        let (nonce, commitment) = rest.split_at(NONCE_LEN);
        let mut header = [0; HEADER_LEN];
        header[..SALT_LEN].copy_from_slice(salt);
        header[SALT_LEN..].copy_from_slice(commitment);
        let mut base_nonce = Zeroizing::new([0; NONCE_LEN]);
        base_nonce.copy_from_slice(nonce);
        Ok(Self {
            header,
            cipher: S::Aead::new(GenericArray::from_slice(key)),
            base_nonce,
            suite: PhantomData,
        })
    }

    /// [`StreamKey::open`] for any suite.
    pub(super) fn open_with(
        input_key: &[u8],
        header: &[u8; HEADER_LEN],
        context: &[u8],
    ) -> Result<Self, OpenError> {
        let mut salt = [0; SALT_LEN];
        salt.copy_from_slice(&header[..SALT_LEN]);
        let stream = Self::derive(input_key, &salt, context)?;
        if bool::from(stream.header.ct_eq(header)) {
            Ok(stream)
        } else {
            Err(OpenError::WrongKey)
        }
    }

    /// The bytes that go before the first chunk: salt (24), then key commitment (32).
    pub(crate) fn header(&self) -> [u8; HEADER_LEN] {
        self.header
    }

    /// Seals chunk `index` in place and returns its tag, which follows the chunk.
    ///
    /// Every chunk but the last has [`CHUNK_LEN`] bytes; the last must be shorter and may be
    /// empty. An index must never be sealed twice with different content.
    ///
    /// # Panics
    /// When `chunk` is longer than [`CHUNK_LEN`] or `index` reaches 2^38.
    pub(crate) fn seal_chunk(&self, index: u64, chunk: &mut [u8]) -> [u8; TAG_LEN] {
        assert!(chunk.len() <= CHUNK_LEN && index < MAX_CHUNKS);
        #[allow(clippy::expect_used)] // fails for chunks of 256 GiB and more only
        self.cipher
            .encrypt_in_place_detached(&self.nonce(index), &[], chunk)
            .expect("a chunk of 16 KiB")
            .into()
    }

    /// Opens chunk `index` (ciphertext and tag) in place and returns its plaintext.
    ///
    /// Whether the chunk is the last one is for the caller to know, from the sealed length
    /// ([`super::plain_len`]) or from its being shorter than the others.
    ///
    /// # Errors
    /// [`OpenError::Length`] when it cannot be a chunk, [`OpenError::Altered`] when its bytes or
    /// its place are not those it was sealed with.
    pub(crate) fn open_chunk<'a>(
        &self,
        index: u64,
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], OpenError> {
        let len = sealed.len().checked_sub(TAG_LEN);
        let len = len.filter(|len| *len <= CHUNK_LEN && index < MAX_CHUNKS);
        let (chunk, tag) = sealed.split_at_mut(len.ok_or(OpenError::Length)?);
        self.cipher
            .decrypt_in_place_detached(
                &self.nonce(index),
                &[],
                chunk,
                GenericArray::from_slice(tag),
            )
            .map_err(|_| OpenError::Altered { chunk: index })?;
        Ok(chunk)
    }

    fn nonce(&self, index: u64) -> GenericArray<u8, U12> {
        let mut nonce = *self.base_nonce;
        for (byte, counter) in nonce[NONCE_LEN - 8..].iter_mut().zip(index.to_be_bytes()) {
            *byte ^= counter;
        }
        nonce.into()
    }
}

/// HKDF-Expand (RFC 5869, section 2.3). Unlike the `hkdf` crate it takes keys shorter than the
/// hash, which AES-128 needs; `info` comes in pieces.
fn hkdf_expand<P: Mac + KeyInit>(
    prk: &[u8],
    info: &[&[u8]],
    okm: &mut [u8],
) -> Result<(), OpenError> {
    let mut previous = Zeroizing::new(Vec::new());
    for (counter, block) in (1_u8..).zip(okm.chunks_mut(P::OutputSize::USIZE)) {
        let mut prf = <P as Mac>::new_from_slice(prk).map_err(|_| OpenError::WrongKey)?;
        prf.update(&previous);
        info.iter().for_each(|piece| prf.update(piece));
        prf.update(&[counter]);
        previous = Zeroizing::new(prf.finalize().into_bytes().to_vec());
        block.copy_from_slice(&previous[..block.len()]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_open_in_any_order_and_only_in_their_place() {
        let key = [7; 32];
        let stream = StreamKey::create(&key, b"context");
        let mut sealed: Vec<Vec<u8>> = (0..3_u8)
            .map(|index| {
                let mut chunk = vec![index; CHUNK_LEN - usize::from(index == 2)];
                let tag = stream.seal_chunk(index.into(), &mut chunk);
                chunk.extend_from_slice(&tag);
                chunk
            })
            .collect();

        let opened = StreamKey::open(&key, &stream.header(), b"context")
            .ok()
            .unwrap();
        let altered = OpenError::Altered { chunk: 0 };
        assert_eq!(opened.open_chunk(0, &mut sealed[1].clone()), Err(altered));
        for index in [2, 0, 1] {
            let plain = opened.open_chunk(index, &mut sealed[index as usize]);
            assert!(plain.unwrap().iter().all(|byte| u64::from(*byte) == index));
        }
    }

    #[test]
    fn key_context_and_header_are_committed_to() {
        let stream = StreamKey::create(&[7; 32], b"context");
        let header = stream.header();
        let open = |key: [u8; 32], header: &[u8; HEADER_LEN], context: &[u8]| {
            StreamKey::open(&key, header, context).map(|_| ()).err()
        };
        assert_eq!(open([7; 32], &header, b"context"), None);
        assert_eq!(
            open([8; 32], &header, b"context"),
            Some(OpenError::WrongKey)
        );
        assert_eq!(open([7; 32], &header, b"other"), Some(OpenError::WrongKey));
        for place in 0..HEADER_LEN {
            let mut altered = header;
            altered[place] ^= 1;
            assert_eq!(
                open([7; 32], &altered, b"context"),
                Some(OpenError::WrongKey)
            );
        }
    }

    #[test]
    fn salts_differ() {
        let key = [7; 32];
        let (one, two) = (StreamKey::create(&key, b""), StreamKey::create(&key, b""));
        assert_ne!(one.header()[..SALT_LEN], two.header()[..SALT_LEN]);
    }

    #[test]
    fn impossible_chunks_are_refused() {
        let stream = StreamKey::create(&[7; 32], b"");
        for len in [0, TAG_LEN - 1, CHUNK_LEN + TAG_LEN + 1] {
            let mut chunk = vec![0; len];
            assert_eq!(stream.open_chunk(0, &mut chunk), Err(OpenError::Length));
        }
        assert_eq!(
            stream.open_chunk(MAX_CHUNKS, &mut [0; 32]),
            Err(OpenError::Length)
        );
    }
}
