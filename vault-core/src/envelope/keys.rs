//! Recipients and identities: the two sides of a hybrid key pair, and their texts.
//!
//! Source: C2SP `age`, section "The MLKEM768-X25519 (i.e. X-Wing) hybrid post-quantum recipient
//! type". Bech32 as in BIP 173, without its limit on length.

use std::fmt;
use std::str::FromStr;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Checksum, Hrp};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::{Zeroize, Zeroizing};

use super::xwing::{self, PUBLIC_KEY_LEN, SEED_LEN};

const RECIPIENT_HRP: Hrp = Hrp::parse_unchecked("age1pq");
const IDENTITY_HRP: Hrp = Hrp::parse_unchecked("AGE-SECRET-KEY-PQ-");

/// The checksum of BIP 173 for texts of any length.
enum LongBech32 {}

impl Checksum for LongBech32 {
    type MidstateRepr = <Bech32 as Checksum>::MidstateRepr;
    const CODE_LENGTH: usize = usize::MAX;
    const CHECKSUM_LENGTH: usize = Bech32::CHECKSUM_LENGTH;
    const GENERATOR_SH: [Self::MidstateRepr; 5] = Bech32::GENERATOR_SH;
    const TARGET_RESIDUE: Self::MidstateRepr = Bech32::TARGET_RESIDUE;
}

/// Why a text or some bytes are not a key to encrypt to or to open with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseKeyError {
    /// Not a key of this kind at all, or a mistyped one.
    #[error("not a valid {0}")]
    Malformed(&'static str),
    /// An age key without post-quantum protection (`age1…`, `AGE-SECRET-KEY-1…`).
    #[error(
        "a classical age key, which is not safe for long-lived data; one with \"pq\" is needed"
    )]
    Classical,
    /// Well-formed, but everything encrypted to it could be read by others.
    #[error("the key is degenerate and must not be used")]
    Degenerate,
}

/// Whom to encrypt to: a hybrid public key of 1216 bytes, shown as `age1pq1…`.
///
/// Holds only keys that passed the checks of X25519 (no low order) and ML-KEM (in range).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RecipientKey(Box<[u8; PUBLIC_KEY_LEN]>);

impl RecipientKey {
    /// Length of the binary form, in bytes.
    pub const LEN: usize = PUBLIC_KEY_LEN;

    /// Takes the binary form: ML-KEM-768 encapsulation key (1184), then X25519 key (32).
    ///
    /// # Errors
    /// [`ParseKeyError::Malformed`] for another length, [`ParseKeyError::Degenerate`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ParseKeyError> {
        let public: Box<[u8; PUBLIC_KEY_LEN]> = Box::<[u8]>::from(bytes)
            .try_into()
            .map_err(|_| ParseKeyError::Malformed("recipient"))?;
        xwing::check_public_key(&public).map_err(|_| ParseKeyError::Degenerate)?;
        Ok(Self(public))
    }

    /// The binary form.
    pub fn as_bytes(&self) -> &[u8; PUBLIC_KEY_LEN] {
        &self.0
    }
}

impl fmt::Display for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_lower_to_fmt::<LongBech32, _>(f, RECIPIENT_HRP, &self.0[..])
            .map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecipientKey({:.24}…)", self.to_string())
    }
}

impl FromStr for RecipientKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        if text.starts_with("age1") && !text.starts_with("age1pq1") {
            return Err(ParseKeyError::Classical);
        }
        let malformed = ParseKeyError::Malformed("recipient");
        let bytes = decode(RECIPIENT_HRP, text).ok_or(malformed)?;
        let key = Self::from_bytes(&bytes)?;
        // one text per key: no upper case, no loose bits at the end
        if key.to_string() == text {
            Ok(key)
        } else {
            Err(malformed)
        }
    }
}

impl Serialize for RecipientKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0[..])
    }
}

impl<'de> Deserialize<'de> for RecipientKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
        Self::from_bytes(&bytes).map_err(de::Error::custom)
    }
}

/// The secret side of a [`RecipientKey`]: a seed of 32 bytes, wiped from memory when dropped.
#[derive(Clone)]
pub struct IdentityKey(Zeroizing<[u8; SEED_LEN]>);

impl IdentityKey {
    /// Draws a fresh random key.
    pub fn generate() -> Self {
        Self(Zeroizing::new(crate::random::array()))
    }

    /// Wraps a seed, which must be random or the output of a key derivation.
    pub fn from_seed(seed: &[u8; SEED_LEN]) -> Self {
        Self(Zeroizing::new(*seed))
    }

    /// The seed.
    pub(crate) fn seed(&self) -> &[u8; SEED_LEN] {
        &self.0
    }

    /// The public side. Costs one ML-KEM key generation.
    pub fn recipient(&self) -> RecipientKey {
        RecipientKey(xwing::public_key(&self.0))
    }

    /// The text `AGE-SECRET-KEY-PQ-1…`, which every age implementation that knows hybrid keys
    /// takes as an identity.
    pub fn to_text(&self) -> SecretString {
        // reserved in full, so that no copy is left behind by growing
        let mut text = String::with_capacity(128);
        #[allow(clippy::expect_used)] // the checksum has no limit, a string takes every write
        bech32::encode_upper_to_fmt::<LongBech32, _>(&mut text, IDENTITY_HRP, &self.0[..])
            .expect("a text of any length");
        let secret = SecretString::from(text.as_str());
        text.zeroize();
        secret
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`ParseKeyError`].
    pub fn from_text(text: &str) -> Result<Self, ParseKeyError> {
        if text.starts_with("AGE-SECRET-KEY-1") {
            return Err(ParseKeyError::Classical);
        }
        let malformed = ParseKeyError::Malformed("identity");
        if text.chars().any(|c| c.is_ascii_lowercase()) {
            return Err(malformed);
        }
        let bytes = decode(IDENTITY_HRP, text).ok_or(malformed)?;
        let mut seed = Zeroizing::new([0; SEED_LEN]);
        if bytes.len() != SEED_LEN {
            return Err(malformed);
        }
        seed.copy_from_slice(&bytes);
        Ok(Self(seed))
    }
}

fn decode(hrp: Hrp, text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let parsed = CheckedHrpstring::new::<LongBech32>(text).ok()?;
    if parsed.hrp() != hrp {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(PUBLIC_KEY_LEN));
    bytes.extend(parsed.byte_iter().take(PUBLIC_KEY_LEN + 1));
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    // from the specification
    const IDENTITY: &str =
        "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR";
    const RECIPIENT_HEAD: &str = "age1pq1x34nzsvr0rxjsgdn8zgyhfe8j7ceq5r9rdelkjuh3y235jzxshfg87pz";
    const RECIPIENT_TAIL: &str = "k3tlhl53k2ykx3qheyty7saeq0d3fzv49zc0k";

    #[test]
    fn texts_of_the_specification() {
        let identity = IdentityKey::from_text(IDENTITY).unwrap();
        assert_eq!(identity.to_text().expose_secret(), IDENTITY);
        let recipient = identity.recipient();
        let text = recipient.to_string();
        assert!(text.starts_with(RECIPIENT_HEAD) && text.ends_with(RECIPIENT_TAIL));
        assert_eq!(text.parse(), Ok(recipient));
    }

    #[test]
    fn other_texts_are_refused() {
        let recipient = IdentityKey::generate().recipient().to_string();
        let malformed = Err(ParseKeyError::Malformed("recipient"));
        for text in [
            "",
            "age1pq1",
            &recipient.to_ascii_uppercase(),
            &recipient[..recipient.len() - 1],
            &format!("{recipient} "),
            &recipient.replacen("age1pq1", "age1px1", 1)[4..],
        ] {
            assert_eq!(text.parse::<RecipientKey>(), malformed, "{text}");
        }
        let classical = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
        assert_eq!(
            classical.parse::<RecipientKey>(),
            Err(ParseKeyError::Classical)
        );

        for text in ["", &IDENTITY.to_ascii_lowercase(), &IDENTITY[..60]] {
            let refused = IdentityKey::from_text(text).err();
            assert_eq!(refused, Some(ParseKeyError::Malformed("identity")));
        }
        let classical =
            "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
        let refused = IdentityKey::from_text(classical).err();
        assert_eq!(refused, Some(ParseKeyError::Classical));
    }

    #[test]
    fn degenerate_keys_are_refused_on_import() {
        let mut bytes = *IdentityKey::generate().recipient().as_bytes();
        bytes[PUBLIC_KEY_LEN - 32..].fill(0);
        let refused = Err(ParseKeyError::Degenerate);
        assert_eq!(RecipientKey::from_bytes(&bytes), refused);
        let text = bech32::encode_lower::<LongBech32>(RECIPIENT_HRP, &bytes).unwrap();
        assert_eq!(text.parse::<RecipientKey>(), refused);
        let encoded = crate::codec::encode(&serde_bytes::Bytes::new(&bytes));
        assert!(crate::codec::decode::<RecipientKey>(&encoded, 2000).is_err());
    }

    #[test]
    fn binary_form_round_trips() {
        let key = IdentityKey::generate().recipient();
        let encoded = crate::codec::encode(&key);
        assert_eq!(encoded.len(), 3 + RecipientKey::LEN);
        assert_eq!(crate::codec::decode(&encoded, 2000), Ok(key));
    }
}
