//! Contacts.

use vault_core::{Card, DepositLimit as Limit};

use super::Vault;
use crate::error::MedVaultError;
use crate::types::{CardSummary, ContactSummary, DepositLimit};

/// Reads a contact card in its text form (`medvault-card:…`, among any white space) and checks
/// its signatures. Works offline and keeps nothing.
#[uniffi::export]
pub fn inspect_card(text: String) -> Result<CardSummary, MedVaultError> {
    let card = Card::from_text(&text).map_err(vault_app::Error::from)?;
    Ok((&card).into())
}

#[uniffi::export]
impl Vault {
    /// All contacts.
    pub async fn contacts(&self) -> Result<Vec<ContactSummary>, MedVaultError> {
        self.read(|_, vault| Ok(vault.contacts()?.iter().map(Into::into).collect()))
            .await
    }

    /// Adds the card of a person under a name, or takes the newer card of a contact. A changed key is
    /// `Integrity` with the code `key-changed`: nothing is changed then, and the person must be asked.
    pub async fn add_contact(
        &self,
        name: String,
        card: String,
    ) -> Result<ContactSummary, MedVaultError> {
        self.write(move |_, vault| {
            let card = Card::from_text(&card)?;
            Ok((&vault.add_contact(&name, &card)?).into())
        })
        .await
    }

    /// Notes that the person's fingerprint is these twelve words, as they said or showed it. Others
    /// than those of the card are `Integrity` with the code `fingerprint-mismatch`.
    pub async fn verify_contact(
        &self,
        name: String,
        fingerprint: String,
    ) -> Result<ContactSummary, MedVaultError> {
        self.write(move |_, vault| {
            vault.verify_contact(&name, Some(&fingerprint))?;
            Ok((&vault.contact(&name)?).into())
        })
        .await
    }

    /// Says what a contact may deposit; nothing: no more than grants allow.
    pub async fn set_deposit_limit(
        &self,
        name: String,
        limit: Option<DepositLimit>,
    ) -> Result<(), MedVaultError> {
        self.write(move |_, vault| {
            let limit = limit.map(|limit| Limit {
                bytes: limit.bytes,
                per_day: limit.per_day,
            });
            vault.set_deposit_limit(&name, limit)?;
            Ok(())
        })
        .await
    }
}
