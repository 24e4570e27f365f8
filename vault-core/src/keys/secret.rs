//! A 32-byte secret that never shows itself.

use std::fmt;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A symmetric key of 32 bytes: a grant key, a content key, a page key, a relation secret.
///
/// It is wiped when dropped, compared in constant time, and prints as `SecretKey(..)`.
#[derive(Clone, Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretKey(#[serde(with = "serde_bytes")] [u8; 32]);

impl SecretKey {
    /// Draws a fresh key from the operating system.
    pub fn random() -> Self {
        Self(crate::random::array())
    }

    /// Wraps known key bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key bytes, for use by a cipher.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_and_equality_works() {
        let key = SecretKey::from_bytes([7; 32]);
        assert_eq!(format!("{key:?}"), "SecretKey(..)");
        assert_eq!(key, SecretKey::from_bytes([7; 32]));
        assert_ne!(key, SecretKey::random());
    }
}
