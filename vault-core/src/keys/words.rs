//! The 24 recovery words, and the 12 words by which two people compare a key.

use std::fmt;

use bip39::{Language, Mnemonic};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::derive::OwnerSecrets;
use super::sign::PublicKey;

/// Text that is not a set of recovery words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// Not exactly 24 words.
    #[error("recovery words must be 24 words, found {0}")]
    Count(usize),
    /// A word that is not in the list; counted from 1.
    #[error("word {0} is not in the word list")]
    UnknownWord(usize),
    /// The words do not fit together.
    #[error("the recovery words do not fit together: a word is wrong or in the wrong place")]
    Checksum,
}

/// The 24 recovery words: 256 bits of entropy in the BIP-39 English list.
///
/// They derive the owner's keys and nothing else; see `docs/SPEC.md`, "Keys".
pub struct RecoveryWords(Mnemonic);

impl RecoveryWords {
    /// Draws fresh words.
    pub fn generate() -> Self {
        let entropy = Zeroizing::new(crate::random::array::<32>());
        #[allow(clippy::expect_used)] // 32 bytes always make 24 words
        Self(Mnemonic::from_entropy(entropy.as_ref()).expect("32 bytes of entropy"))
    }

    /// Reads words as a person types them: any case, any white space.
    ///
    /// # Errors
    /// [`WordsError`] says which word is wrong, never the words themselves.
    pub fn parse(text: &str) -> Result<Self, WordsError> {
        let words = Zeroizing::new(text.to_lowercase());
        let count = words.split_whitespace().count();
        if count != 24 {
            return Err(WordsError::Count(count));
        }
        Mnemonic::parse_in(Language::English, words.as_str())
            .map(Self)
            .map_err(|e| match e {
                bip39::Error::UnknownWord(index) => WordsError::UnknownWord(index + 1),
                _ => WordsError::Checksum,
            })
    }

    /// The words, separated by single spaces. Show them once, to be written down on paper.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.to_string())
    }

    pub(crate) fn owner_secrets(&self) -> OwnerSecrets {
        let (mut bytes, len) = self.0.to_entropy_array();
        let mut entropy = Zeroizing::new([0; 32]);
        debug_assert_eq!(len, 32);
        entropy.copy_from_slice(&bytes[..32]);
        bytes.zeroize();
        OwnerSecrets::from_entropy(&entropy)
    }
}

impl fmt::Debug for RecoveryWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryWords(..)")
    }
}

/// Twelve words (132 bits) that stand for an owner's public key, to be compared aloud.
pub fn fingerprint_words(owner: &PublicKey) -> Vec<&'static str> {
    let digest = Sha256::new()
        .chain_update(b"medvault/v1/fingerprint\0")
        .chain_update(owner.as_bytes())
        .finalize();
    let list = Language::English.word_list();
    (0..12)
        .map(|word| {
            let index = (0..11).fold(0usize, |index, bit| {
                let at = word * 11 + bit;
                index << 1 | usize::from(digest[at / 8] >> (7 - at % 8) & 1)
            });
            list[index]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_in_any_dress() {
        let words = RecoveryWords::generate();
        let text = words.reveal();
        assert_eq!(text.split(' ').count(), 24);
        let typed = format!("  {}\n", text.to_uppercase().replace(' ', "\n "));
        let again = RecoveryWords::parse(&typed).unwrap();
        let (a, b) = (words.owner_secrets(), again.owner_secrets());
        assert_eq!(a.signing.public(), b.signing.public());
        assert_eq!(a.recovery, b.recovery);
    }

    #[test]
    fn wrong_words_are_named() {
        assert_eq!(
            RecoveryWords::parse("abandon").unwrap_err(),
            WordsError::Count(1)
        );
        let mut list = vec!["abandon"; 24];
        assert_eq!(
            RecoveryWords::parse(&list.join(" ")).unwrap_err(),
            WordsError::Checksum
        );
        list[4] = "notaword";
        assert_eq!(
            RecoveryWords::parse(&list.join(" ")).unwrap_err(),
            WordsError::UnknownWord(5)
        );
    }

    #[test]
    fn fingerprint_is_twelve_words_and_depends_on_the_key() {
        let a = fingerprint_words(&PublicKey::from_bytes([1; 32]));
        let b = fingerprint_words(&PublicKey::from_bytes([2; 32]));
        assert_eq!(a.len(), 12);
        assert_ne!(a, b);
    }
}
