//! The address book: cards, names, and whether the fingerprint was compared.

use super::state::ContactRecord;
use super::transaction::Transaction;
use super::{Vault, VaultError};
use crate::audit::Act;
use crate::deposit::DepositLimit;
use crate::grant::Relation;
use crate::identity::Card;
use crate::ids::ContactId;
use crate::keys::PublicKey;

/// A contact, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactInfo {
    /// The contact's id in this vault.
    pub id: ContactId,
    /// The name given to it.
    pub name: String,
    /// Its card.
    pub card: Card,
    /// When the fingerprint was compared, in seconds since 1970-01-01 UTC.
    pub verified: Option<u64>,
    /// When it was added, in seconds since 1970-01-01 UTC.
    pub added: u64,
    /// What it may deposit, if the patient said so.
    pub deposits: Option<DepositLimit>,
}

impl ContactInfo {
    pub(super) fn from_record(record: &ContactRecord) -> Result<Self, VaultError> {
        Ok(Self {
            id: record.id,
            name: record.name.clone(),
            card: record.card()?,
            verified: record.verified,
            added: record.added,
            deposits: record.deposits,
        })
    }
}

/// Finds a contact by name or by its id.
fn find<'a>(
    contacts: impl Iterator<Item = &'a ContactRecord>,
    wanted: &str,
) -> Option<ContactRecord> {
    let mut by_id = None;
    for contact in contacts {
        if contact.name == wanted {
            return Some(contact.clone());
        }
        if contact.id.to_string() == wanted {
            by_id = Some(contact.clone());
        }
    }
    by_id
}

impl Transaction<'_> {
    /// Finds a contact by name or id.
    pub(super) fn contact(&mut self, wanted: &str) -> Result<ContactRecord, VaultError> {
        self.vault.state.contacts.load(&*self.store)?;
        find(self.vault.state.contacts.items(), wanted)
            .ok_or_else(|| VaultError::NoContact(wanted.to_owned()))
    }

    /// The contact with this owner key, if there is one.
    pub(super) fn contact_of(
        &mut self,
        owner: &PublicKey,
    ) -> Result<Option<ContactRecord>, VaultError> {
        self.vault.state.contacts.load(&*self.store)?;
        for contact in self.vault.state.contacts.items() {
            if contact.card()?.owner() == owner {
                return Ok(Some(contact.clone()));
            }
        }
        Ok(None)
    }

    pub(super) fn update_contact(&mut self, id: ContactId, change: impl Fn(&mut ContactRecord)) {
        self.vault.state.contacts.update(|contact| {
            let hit = contact.id == id;
            if hit {
                change(contact);
            }
            hit
        });
    }
}

impl Vault {
    /// All contacts, in the order they were added.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn contacts(&mut self) -> Result<Vec<ContactInfo>, VaultError> {
        self.load_contacts()?;
        self.state
            .contacts
            .items()
            .map(ContactInfo::from_record)
            .collect()
    }

    fn load_contacts(&mut self) -> Result<(), VaultError> {
        self.reading(|vault| Ok(vault.state.contacts.load(&*vault.storage.blocks())?))
    }

    /// One contact, by name or id.
    ///
    /// # Errors
    /// [`VaultError::NoContact`].
    pub fn contact(&mut self, wanted: &str) -> Result<ContactInfo, VaultError> {
        self.load_contacts()?;
        let found = find(self.state.contacts.items(), wanted);
        ContactInfo::from_record(&found.ok_or_else(|| VaultError::NoContact(wanted.to_owned()))?)
    }

    /// Adds a contact, unverified. The same owner's newer card replaces the older one and keeps
    /// the verification, for the owner key vouches for it.
    ///
    /// # Errors
    /// [`VaultError::KeyChanged`] when `name` is known with another owner key: nothing is changed,
    /// and the patient should ask the person. [`VaultError::ContactExists`] when the owner is known
    /// under another name. [`VaultError::OlderCard`].
    pub fn add_contact(&mut self, name: &str, card: &Card) -> Result<ContactInfo, VaultError> {
        self.transact(|tx| {
            tx.vault.state.contacts.load(&*tx.store.clone())?;
            let known: Vec<ContactRecord> = tx.vault.state.contacts.items().cloned().collect();
            for contact in &known {
                let old = contact.card()?;
                match (contact.name == name, old.owner() == card.owner()) {
                    (true, false) => return Err(VaultError::KeyChanged(name.to_owned())),
                    (false, true) => return Err(VaultError::ContactExists(contact.name.clone())),
                    (true, true) if old == *card => return ContactInfo::from_record(contact),
                    (true, true) if old.signers().serial() > card.signers().serial() => {
                        return Err(VaultError::OlderCard(name.to_owned()));
                    }
                    (true, true) => {
                        let bytes = card.as_bytes().to_vec();
                        tx.update_contact(contact.id, |contact| contact.card.clone_from(&bytes));
                        tx.act(Act::ContactAdded {
                            contact: *card.owner(),
                            name: name.to_owned(),
                        });
                        return ContactInfo::from_record(&tx.contact(name)?);
                    }
                    (false, false) => {}
                }
            }
            if *card.owner() == *tx.vault.device.signers().owner() {
                return Err(VaultError::ContactExists(tx.vault.state.name.clone()));
            }
            let record = ContactRecord {
                id: ContactId::random(),
                name: name.to_owned(),
                card: card.as_bytes().to_vec(),
                verified: None,
                relation: Relation::random(),
                added: tx.now,
                witness: None,
                deposits: None,
            };
            let info = ContactInfo::from_record(&record)?;
            let store = tx.store.clone();
            tx.vault.state.contacts.push(&*store, record)?;
            tx.act(Act::ContactAdded {
                contact: *card.owner(),
                name: name.to_owned(),
            });
            Ok(info)
        })
    }

    /// Notes that the patient has compared the contact's fingerprint. `words` are the words that
    /// the contact read out or showed; `None` when the patient compared them by eye.
    ///
    /// # Errors
    /// [`VaultError::FingerprintMismatch`] when the words differ: nothing is changed.
    pub fn verify_contact(
        &mut self,
        name: &str,
        words: Option<&str>,
    ) -> Result<ContactInfo, VaultError> {
        self.transact(|tx| {
            let contact = tx.contact(name)?;
            let card = contact.card()?;
            if let Some(words) = words {
                let typed: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
                if typed.join(" ") != card.fingerprint() {
                    return Err(VaultError::FingerprintMismatch(name.to_owned()));
                }
            }
            if contact.verified.is_none() {
                let now = tx.now;
                tx.update_contact(contact.id, |contact| contact.verified = Some(now));
                tx.act(Act::ContactVerified {
                    contact: *card.owner(),
                });
            }
            ContactInfo::from_record(&tx.contact(name)?)
        })
    }

    /// The name given to an owner key, if it is a contact's. Contacts must be loaded, as after
    /// [`Vault::contacts`].
    pub fn contact_name(&self, owner: &PublicKey) -> Option<&str> {
        let mut contacts = self.state.contacts.items();
        contacts
            .find(|c| c.card().is_ok_and(|card| card.owner() == owner))
            .map(|contact| contact.name.as_str())
    }
}
