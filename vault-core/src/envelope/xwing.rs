//! X-Wing: the hybrid KEM of X25519 and ML-KEM-768.
//!
//! Broken only when both of its halves are. It is the KEM that HPKE calls MLKEM768-X25519 (0x647a).
//! Source: draft-connolly-cfrg-xwing-kem; draft-ietf-hpke-pq; FIPS 203; RFC 7748.

use libcrux_ml_kem::mlkem768;
use sha3::digest::{ExtendableOutput, Update, XofReader};
use sha3::{Digest, Sha3_256, Shake256};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of the secret seed a key pair grows from.
pub(crate) const SEED_LEN: usize = 32;
/// Bytes of a public key: ML-KEM-768 (1184), then X25519 (32).
pub(crate) const PUBLIC_KEY_LEN: usize = ML_KEM_PUBLIC_KEY_LEN + X25519_LEN;
/// Bytes of an encapsulated key: ML-KEM-768 ciphertext (1088), then X25519 share (32).
pub(crate) const ENC_LEN: usize = ML_KEM_CIPHERTEXT_LEN + X25519_LEN;

const ML_KEM_SECRET_KEY_LEN: usize = 2400;
const ML_KEM_PUBLIC_KEY_LEN: usize = 1184;
const ML_KEM_CIPHERTEXT_LEN: usize = 1088;
const X25519_LEN: usize = 32;
const LABEL: &[u8; 6] = br"\.//^\";

/// A shared secret of 32 bytes, wiped when dropped.
pub(crate) type SharedSecret = Zeroizing<[u8; 32]>;

/// A public key or an encapsulated key that must not be used: an X25519 point of low order, or an
/// ML-KEM key outside its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("key material is degenerate")]
pub(crate) struct DegenerateKey;

struct SecretKeys {
    ml_kem: mlkem768::MlKem768PrivateKey,
    ml_kem_public: mlkem768::MlKem768PublicKey,
    x25519: StaticSecret,
}

impl Drop for SecretKeys {
    fn drop(&mut self) {
        self.ml_kem[0..ML_KEM_SECRET_KEY_LEN].zeroize(); // the X25519 scalar wipes itself
    }
}

impl SecretKeys {
    fn expand(seed: &[u8; SEED_LEN]) -> Self {
        let mut reader = Shake256::default().chain(seed).finalize_xof();
        let mut ml_kem = Zeroizing::new([0; 64]);
        let mut x25519 = Zeroizing::new([0; 32]);
        reader.read(&mut *ml_kem);
        reader.read(&mut *x25519);
        let (ml_kem, ml_kem_public) = mlkem768::generate_key_pair(*ml_kem).into_parts();
        Self {
            ml_kem,
            ml_kem_public,
            x25519: StaticSecret::from(*x25519),
        }
    }
}

/// The public key that belongs to `seed`.
pub(crate) fn public_key(seed: &[u8; SEED_LEN]) -> Box<[u8; PUBLIC_KEY_LEN]> {
    let secret = SecretKeys::expand(seed);
    let mut public = Box::new([0; PUBLIC_KEY_LEN]);
    let (ml_kem, x25519) = public.split_at_mut(ML_KEM_PUBLIC_KEY_LEN);
    ml_kem.copy_from_slice(secret.ml_kem_public.as_slice());
    x25519.copy_from_slice(PublicKey::from(&secret.x25519).as_bytes());
    public
}

/// Checks a foreign public key before it is ever encrypted to.
///
/// # Errors
/// [`DegenerateKey`], which includes X25519 keys whose shared secret would be zero.
pub(crate) fn check_public_key(public: &[u8; PUBLIC_KEY_LEN]) -> Result<(), DegenerateKey> {
    let (ml_kem, x25519) = split_public_key(public);
    if !mlkem768::validate_public_key(&ml_kem) {
        return Err(DegenerateKey);
    }
    // clamped scalars are multiples of the cofactor and never of the large prime order, so each
    // of them gives zero for every point of low order and for no other
    agree(&StaticSecret::from([1; X25519_LEN]), &x25519).map(|_| ())
}

/// Encapsulates a fresh secret to `public`: the encapsulated key to send, and the secret.
///
/// # Errors
/// [`DegenerateKey`].
pub(crate) fn encapsulate(
    public: &[u8; PUBLIC_KEY_LEN],
) -> Result<(Box<[u8; ENC_LEN]>, SharedSecret), DegenerateKey> {
    let randomness = Zeroizing::new(crate::random::array());
    encapsulate_with(public, &randomness)
}

/// [`encapsulate`] with given randomness: 32 bytes for ML-KEM, then the X25519 scalar.
pub(super) fn encapsulate_with(
    public: &[u8; PUBLIC_KEY_LEN],
    randomness: &[u8; 64],
) -> Result<(Box<[u8; ENC_LEN]>, SharedSecret), DegenerateKey> {
    let (ml_kem_public, x25519_public) = split_public_key(public);
    if !mlkem768::validate_public_key(&ml_kem_public) {
        return Err(DegenerateKey);
    }
    let mut halves = Zeroizing::new([[0; 32]; 2]);
    halves.as_flattened_mut().copy_from_slice(randomness);

    let ephemeral = StaticSecret::from(halves[1]);
    let share = PublicKey::from(&ephemeral);
    let x25519_secret = agree(&ephemeral, &x25519_public)?;
    let (ciphertext, mut ml_kem_secret) = mlkem768::encapsulate(&ml_kem_public, halves[0]);

    let secret = combine(&ml_kem_secret, &x25519_secret, &share, &x25519_public);
    ml_kem_secret.zeroize();
    let mut enc = Box::new([0; ENC_LEN]);
    enc[..ML_KEM_CIPHERTEXT_LEN].copy_from_slice(ciphertext.as_slice());
    enc[ML_KEM_CIPHERTEXT_LEN..].copy_from_slice(share.as_bytes());
    Ok((enc, secret))
}

/// Recovers the secret in `enc` with the key pair of `seed`.
///
/// An `enc` made for another key gives another secret, not an error.
///
/// # Errors
/// [`DegenerateKey`] when the X25519 share has low order.
pub(crate) fn decapsulate(
    seed: &[u8; SEED_LEN],
    enc: &[u8; ENC_LEN],
) -> Result<SharedSecret, DegenerateKey> {
    let keys = SecretKeys::expand(seed);
    let mut ciphertext = [0; ML_KEM_CIPHERTEXT_LEN];
    let mut share = [0; X25519_LEN];
    ciphertext.copy_from_slice(&enc[..ML_KEM_CIPHERTEXT_LEN]);
    share.copy_from_slice(&enc[ML_KEM_CIPHERTEXT_LEN..]);
    let share = PublicKey::from(share);

    let x25519_secret = agree(&keys.x25519, &share)?;
    let mut ml_kem_secret = mlkem768::decapsulate(&keys.ml_kem, &ciphertext.into());
    let own = PublicKey::from(&keys.x25519);
    let secret = combine(&ml_kem_secret, &x25519_secret, &share, &own);
    ml_kem_secret.zeroize();
    Ok(secret)
}

fn split_public_key(public: &[u8; PUBLIC_KEY_LEN]) -> (mlkem768::MlKem768PublicKey, PublicKey) {
    let mut ml_kem = [0; ML_KEM_PUBLIC_KEY_LEN];
    let mut x25519 = [0; X25519_LEN];
    ml_kem.copy_from_slice(&public[..ML_KEM_PUBLIC_KEY_LEN]);
    x25519.copy_from_slice(&public[ML_KEM_PUBLIC_KEY_LEN..]);
    (ml_kem.into(), x25519.into())
}

fn agree(secret: &StaticSecret, public: &PublicKey) -> Result<SharedSecret, DegenerateKey> {
    let shared = secret.diffie_hellman(public);
    if shared.was_contributory() {
        Ok(Zeroizing::new(shared.to_bytes()))
    } else {
        Err(DegenerateKey)
    }
}

fn combine(
    ml_kem_secret: &[u8; 32],
    x25519_secret: &[u8; 32],
    share: &PublicKey,
    public: &PublicKey,
) -> SharedSecret {
    let hash = Sha3_256::new()
        .chain_update(ml_kem_secret)
        .chain_update(x25519_secret)
        .chain_update(share)
        .chain_update(public)
        .chain_update(LABEL);
    Zeroizing::new(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: [u8; SEED_LEN] = [3; SEED_LEN];

    #[test]
    fn both_sides_agree() {
        let public = public_key(&SEED);
        let (enc, secret) = encapsulate(&public).unwrap();
        assert_eq!(decapsulate(&SEED, &enc).unwrap(), secret);
        assert_ne!(decapsulate(&[4; SEED_LEN], &enc).unwrap(), secret);
        assert_ne!(encapsulate(&public).unwrap().1, secret);
    }

    #[test]
    fn low_order_points_are_refused_everywhere() {
        let mut order_eight = [0; 32];
        data_encoding::HEXLOWER
            .decode_mut(
                b"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                &mut order_eight,
            )
            .unwrap();
        let mut one = [0; 32];
        one[0] = 1;
        for point in [[0; 32], one, order_eight] {
            let mut public = public_key(&SEED);
            public[ML_KEM_PUBLIC_KEY_LEN..].copy_from_slice(&point);
            assert_eq!(check_public_key(&public), Err(DegenerateKey));
            assert_eq!(encapsulate(&public), Err(DegenerateKey));

            let (mut enc, _) = encapsulate(&public_key(&SEED)).unwrap();
            enc[ML_KEM_CIPHERTEXT_LEN..].copy_from_slice(&point);
            assert_eq!(decapsulate(&SEED, &enc), Err(DegenerateKey));
        }
    }

    #[test]
    fn ml_kem_keys_out_of_range_are_refused() {
        let mut public = public_key(&SEED);
        assert_eq!(check_public_key(&public), Ok(()));
        public[..3].fill(0xff);
        assert_eq!(check_public_key(&public), Err(DegenerateKey));
        assert_eq!(encapsulate(&public), Err(DegenerateKey));
    }
}
