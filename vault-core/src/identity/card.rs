//! The contact card: what one gives to others so that they can share with one.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::signers::{Signers, SignersError};
use crate::codec::{self, DecodeError};
use crate::envelope::RecipientKey;
use crate::ids::VaultId;
use crate::keys::{Namespace, PublicKey, SignatureError, Signed, SigningKey, fingerprint_words};
use crate::record::clean;

/// Longest accepted text form of a card, in bytes.
pub const MAX_CARD_LEN: usize = 32 * 1024;

/// Text before the base64url part of a card.
const PREFIX: &str = "medvault-card:";

/// Longest accepted name, in characters.
pub(crate) const MAX_NAME_CHARS: usize = 100;

/// Why a text is not a contact card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// Not of the form of a card.
    #[error("not a contact card")]
    NotACard,
    /// The card says something malformed.
    #[error("contact card: {0}")]
    Malformed(#[from] DecodeError),
    /// The card's own signature does not hold.
    #[error("contact card: {0}")]
    Signature(#[from] SignatureError),
    /// The list of signing keys inside is not valid.
    #[error("contact card: {0}")]
    Signers(#[from] SignersError),
    /// The name is empty, too long, or holds spaces or characters that do not show.
    #[error("contact card: unusable name")]
    Name,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u8,
    name: String,
    #[serde(with = "serde_bytes")]
    signers: Vec<u8>,
    signer: PublicKey,
    recipients: Vec<RecipientKey>,
    /// iroh endpoint id
    endpoint: PublicKey,
    /// libp2p Ed25519 public key
    peer: PublicKey,
}

/// A verified contact card, with its exact bytes.
///
/// Self-signed: it proves that whoever holds the owner key chose these keys, not who that is.
/// Compare [`Card::fingerprint`] with the person to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    name: String,
    signers: Signers,
    recipients: Vec<RecipientKey>,
    endpoint: PublicKey,
    peer: PublicKey,
    bytes: Vec<u8>,
}

/// The public keys that go on a card beside the signing keys.
pub(crate) struct CardKeys {
    pub(crate) recipients: Vec<RecipientKey>,
    pub(crate) endpoint: PublicKey,
    pub(crate) peer: PublicKey,
}

impl Card {
    pub(crate) fn new(
        name: &str,
        signers: &Signers,
        key: &SigningKey,
        keys: CardKeys,
    ) -> Result<Self, CardError> {
        let wire = Wire {
            v: 1,
            name: name.to_owned(),
            signers: signers.as_bytes().to_vec(),
            signer: key.public(),
            recipients: keys.recipients,
            endpoint: keys.endpoint,
            peer: keys.peer,
        };
        Self::from_bytes(&Signed::new(&wire, Namespace::Card, key).to_bytes())
    }

    /// Reads the binary form and checks both signatures.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CardError> {
        let signed: Signed<Wire> = codec::decode(bytes, MAX_CARD_LEN)?;
        let wire = signed.verify(Namespace::Card, &signed.peek()?.signer)?;
        let signers = Signers::from_bytes(&wire.signers)?;
        if !signers.may_sign(&wire.signer) {
            return Err(SignatureError::Invalid.into());
        }
        if wire.v != 1 || wire.recipients.is_empty() || wire.recipients.len() > 8 {
            return Err(DecodeError::Malformed.into());
        }
        let name = wire.name;
        if name.is_empty() || clean(&name, MAX_NAME_CHARS) != name {
            return Err(CardError::Name);
        }
        Ok(Self {
            name,
            signers,
            recipients: wire.recipients,
            endpoint: wire.endpoint,
            peer: wire.peer,
            bytes: bytes.to_vec(),
        })
    }

    /// Reads the text form (`medvault-card:` and base64url), among any white space.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn from_text(text: &str) -> Result<Self, CardError> {
        if text.len() > MAX_CARD_LEN {
            return Err(CardError::NotACard);
        }
        let compact: String = text.split_whitespace().collect();
        let body = compact.strip_prefix(PREFIX).ok_or(CardError::NotACard)?;
        let bytes = BASE64URL_NOPAD
            .decode(body.as_bytes())
            .map_err(|_| CardError::NotACard)?;
        Self::from_bytes(&bytes)
    }

    /// The text form, one line.
    pub fn to_text(&self) -> String {
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&self.bytes))
    }

    /// The binary form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The name its owner gave.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The owner's public key, which the fingerprint stands for.
    pub const fn owner(&self) -> &PublicKey {
        self.signers.owner()
    }

    /// The owner's vault.
    pub fn vault(&self) -> VaultId {
        self.signers.vault()
    }

    /// The keys that may sign for the owner.
    pub const fn signers(&self) -> &Signers {
        &self.signers
    }

    /// Keys to encrypt to, one per device of the owner.
    pub fn recipients(&self) -> &[RecipientKey] {
        &self.recipients
    }

    /// The iroh endpoint id of the owner's node.
    pub const fn endpoint(&self) -> &PublicKey {
        &self.endpoint
    }

    /// The libp2p public key of the owner's node.
    pub const fn peer(&self) -> &PublicKey {
        &self.peer
    }

    /// Twelve words to compare with the owner, aloud or on paper.
    pub fn fingerprint(&self) -> String {
        fingerprint_words(self.owner()).join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::IdentityKey;

    fn card(name: &str) -> Result<Card, CardError> {
        let owner = SigningKey::from_seed(&[1; 32]);
        let device = SigningKey::from_seed(&[2; 32]);
        let signers = Signers::new(&owner, 1, vec![device.public()], vec![]);
        let keys = CardKeys {
            recipients: vec![IdentityKey::from_seed(&[3; 32]).recipient()],
            endpoint: PublicKey::from_bytes([4; 32]),
            peer: PublicKey::from_bytes([5; 32]),
        };
        Card::new(name, &signers, &device, keys)
    }

    #[test]
    fn text_round_trips_through_line_breaks() {
        let card = card("Dr. Ada Example").unwrap();
        let mut text = card.to_text();
        text.insert(100, '\n');
        assert_eq!(Card::from_text(&format!(" {text}\n")).unwrap(), card);
    }

    #[test]
    fn altered_cards_and_names_are_refused() {
        let good = card("A").unwrap();
        for at in (0..good.as_bytes().len()).step_by(37) {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at] ^= 1;
            assert!(Card::from_bytes(&bytes).is_err(), "byte {at}");
        }
        assert_eq!(card("a\nb").unwrap_err(), CardError::Name);
        assert_eq!(card(" ").unwrap_err(), CardError::Name);
        assert_eq!(Card::from_text("hello").unwrap_err(), CardError::NotACard);
    }
}
