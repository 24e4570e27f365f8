//! HPKE, base mode, one message: MLKEM768-X25519, HKDF-SHA256, ChaCha20-Poly1305.
//!
//! Written by hand because no published crate offers this KEM together with the versions the rest
//! of the tree needs. Source: RFC 9180, sections 4, 5.1 and 6.1; draft-ietf-hpke-pq.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hkdf::{Hkdf, HkdfExtract};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::xwing::{self, ENC_LEN, PUBLIC_KEY_LEN, SEED_LEN};

/// "HPKE", then KEM 0x647a, KDF 0x0001 and AEAD 0x0003.
const SUITE_ID: &[u8; 10] = b"HPKE\x64\x7a\x00\x01\x00\x03";
const MODE_BASE: u8 = 0;
const TAG_LEN: usize = 16;

/// Why a message was not sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HpkeError {
    /// A public key or encapsulated key of low order or out of range.
    #[error("key material is degenerate")]
    DegenerateKey,
    /// For another key, another `info` or `aad`, or altered.
    #[error("message does not open with this key")]
    Open,
}

/// Seals `plaintext` to `public`: the encapsulated key (1120 bytes) and the ciphertext, 16 bytes
/// longer than the plaintext.
///
/// # Errors
/// [`HpkeError::DegenerateKey`].
pub(crate) fn seal_base(
    public: &[u8; PUBLIC_KEY_LEN],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<(Box<[u8; ENC_LEN]>, Vec<u8>), HpkeError> {
    let (enc, secret) = xwing::encapsulate(public).map_err(|_| HpkeError::DegenerateKey)?;
    let (key, nonce) = key_schedule(&secret, info);
    let payload = Payload {
        msg: plaintext,
        aad,
    };
    #[allow(clippy::expect_used)] // fails for messages of 256 GiB and more only
    let ciphertext = cipher(&key)
        .encrypt(Nonce::from_slice(&*nonce), payload)
        .expect("a message that fits in memory");
    Ok((enc, ciphertext))
}

/// Opens what [`seal_base`] made for the key pair of `seed`.
///
/// # Errors
/// [`HpkeError`].
pub(crate) fn open_base(
    seed: &[u8; SEED_LEN],
    enc: &[u8; ENC_LEN],
    info: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, HpkeError> {
    let secret = xwing::decapsulate(seed, enc).map_err(|_| HpkeError::DegenerateKey)?;
    let (key, nonce) = key_schedule(&secret, info);
    let payload = Payload {
        msg: ciphertext,
        aad,
    };
    cipher(&key)
        .decrypt(Nonce::from_slice(&*nonce), payload)
        .map(Zeroizing::new)
        .map_err(|_| HpkeError::Open)
}

/// Length in bytes of the ciphertext for `plaintext_len` bytes.
pub(crate) const fn ciphertext_len(plaintext_len: usize) -> usize {
    plaintext_len + TAG_LEN
}

fn cipher(key: &[u8; 32]) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(Key::from_slice(key))
}

/// RFC 9180, section 5.1, without a pre-shared key: AEAD key and base nonce.
pub(super) fn key_schedule(
    shared_secret: &[u8; 32],
    info: &[u8],
) -> (Zeroizing<[u8; 32]>, Zeroizing<[u8; 12]>) {
    let (psk_id_hash, _) = labeled_extract(&[], b"psk_id_hash", &[]);
    let (info_hash, _) = labeled_extract(&[], b"info_hash", info);
    let mut context = [MODE_BASE; 65];
    context[1..33].copy_from_slice(&psk_id_hash[..]);
    context[33..].copy_from_slice(&info_hash[..]);

    let (_, secret) = labeled_extract(shared_secret, b"secret", &[]);
    (
        labeled_expand(&secret, b"key", &context),
        labeled_expand(&secret, b"base_nonce", &context),
    )
}

fn labeled_extract(salt: &[u8], label: &[u8], ikm: &[u8]) -> (Zeroizing<[u8; 32]>, Hkdf<Sha256>) {
    let mut extract = HkdfExtract::<Sha256>::new(Some(salt));
    for piece in [b"HPKE-v1", &SUITE_ID[..], label, ikm] {
        extract.input_ikm(piece);
    }
    let (prk, hkdf) = extract.finalize();
    (Zeroizing::new(prk.into()), hkdf)
}

fn labeled_expand<const N: usize>(
    prk: &Hkdf<Sha256>,
    label: &[u8],
    info: &[u8],
) -> Zeroizing<[u8; N]> {
    let len = [0, N as u8];
    let mut okm = Zeroizing::new([0; N]);
    #[allow(clippy::expect_used)] // 32 bytes at most; HKDF gives 8160
    prk.expand_multi_info(&[&len, b"HPKE-v1", SUITE_ID, label, info], &mut *okm)
        .expect("a short output");
    okm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_and_aad_are_bound() {
        let seed = [5; SEED_LEN];
        let public = xwing::public_key(&seed);
        let (enc, ciphertext) = seal_base(&public, b"info", b"aad", b"message").unwrap();
        assert_eq!(ciphertext.len(), ciphertext_len(7));
        let open = |seed, info, aad| open_base(&seed, &enc, info, aad, &ciphertext);
        assert_eq!(&**open(seed, b"info", b"aad").unwrap(), b"message");
        assert_eq!(open(seed, b"info", b"dab"), Err(HpkeError::Open));
        assert_eq!(open(seed, b"onfi", b"aad"), Err(HpkeError::Open));
        assert_eq!(open([6; SEED_LEN], b"info", b"aad"), Err(HpkeError::Open));
    }
}
