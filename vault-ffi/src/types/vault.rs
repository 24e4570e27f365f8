//! The vault as a whole.

use std::sync::Arc;

use vault_core::Card;

use crate::vault::Vault;

/// What opens a vault.
#[derive(Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Unlock {
    /// What the person types. Slow on purpose: about a second.
    Passphrase {
        /// The passphrase.
        passphrase: String,
    },
    /// The key store of [`crate::Platform`].
    KeyStore,
}

/// A vault that was just made.
#[derive(Clone, uniffi::Record)]
pub struct NewVault {
    /// The vault, unlocked.
    pub vault: Arc<Vault>,
    /// The 24 recovery words, to be written on paper now. They are not kept anywhere and cannot be
    /// shown again; they and a copy of the blocks bring everything back.
    pub recovery_words: String,
}

/// The vault at a glance.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct VaultInfo {
    /// The name that others see.
    pub name: String,
    /// The vault's id: base32, 52 characters.
    pub vault_id: String,
    /// The contact card to hand out, `medvault-card:…`.
    pub card: String,
    /// Twelve words for the owner's key, to be compared aloud or by sight.
    pub fingerprint: String,
    /// Number of the newest head: it grows with every change.
    pub head: u64,
    /// How many records there are.
    pub records: u64,
    /// How many versions of them.
    pub versions: u64,
}

/// A setting, by the names that `medvault config` uses.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Setting {
    /// Its name, such as `iroh.relays`.
    pub key: String,
    /// Its values; none: it is not set.
    pub values: Vec<String>,
}

/// What a contact card says. Nothing of it is proven before the fingerprint was compared.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
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

impl From<&Card> for CardSummary {
    fn from(card: &Card) -> Self {
        Self {
            name: card.name().to_owned(),
            vault_id: card.vault().to_string(),
            fingerprint: card.fingerprint(),
            devices: u32::try_from(card.recipients().len()).unwrap_or(u32::MAX),
        }
    }
}
