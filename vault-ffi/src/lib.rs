//! MedVault for mobile apps: the facade over `vault-core` that bindings are made from.
//!
//! So far there is one call, [`inspect_card`]: what an app needs to show when someone's contact
//! card was scanned. Bindings for Kotlin and Swift (UniFFI) and the calls for vaults, records and
//! grants come with the mobile app; nothing here pretends to be them.
//!
//! The facade has plain types only: texts, numbers, lists. Errors carry their text, since error
//! fields do not survive every binding.

use vault_core::{Card, CardError};

/// Why a call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FfiError {
    /// The text is not a contact card, or the card was altered. Says what is wrong.
    #[error("{0}")]
    Card(String),
}

impl From<CardError> for FfiError {
    fn from(error: CardError) -> Self {
        Self::Card(error.to_string())
    }
}

/// What a contact card says. Nothing of it is proven before the fingerprint was compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardSummary {
    /// The name the card's owner chose.
    pub name: String,
    /// The id of the owner's vault: base32, 52 characters.
    pub vault_id: String,
    /// Twelve words that stand for the owner's key, to be compared aloud or by sight.
    pub fingerprint: String,
    /// Devices that things for the owner are encrypted to, at least one.
    pub devices: u32,
}

/// Reads a contact card in its text form (`medvault-card:…`, among any white space) and checks
/// its signatures. Works offline and keeps nothing.
///
/// # Errors
/// [`FfiError::Card`].
pub fn inspect_card(text: &str) -> Result<CardSummary, FfiError> {
    let card = Card::from_text(text)?;
    Ok(CardSummary {
        name: card.name().to_owned(),
        vault_id: card.vault().to_string(),
        fingerprint: card.fingerprint(),
        devices: u32::try_from(card.recipients().len()).unwrap_or(u32::MAX),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use vault_core::{Device, RecoveryWords, fingerprint_words};

    use super::*;

    #[test]
    fn a_card_is_shown_and_an_altered_one_is_not() {
        let device = Device::for_new_vault(&RecoveryWords::generate(), 1_790_000_000);
        let card = device.card("Dr. Ada Example").unwrap();
        let text = card.to_text();
        let summary = inspect_card(&format!("\n {text} \n")).unwrap();
        assert_eq!(summary.name, "Dr. Ada Example");
        assert_eq!(summary.vault_id, device.vault().to_string());
        assert_eq!(
            summary.fingerprint,
            fingerprint_words(device.signers().owner()).join(" ")
        );
        assert_eq!(summary.devices, 1);

        let mut altered = text.into_bytes();
        let at = altered.len() / 2;
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert!(inspect_card(&altered).is_err());
        assert_eq!(
            inspect_card("hello").unwrap_err().to_string(),
            "not a contact card"
        );
    }
}
