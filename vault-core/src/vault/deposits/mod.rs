//! Deposits at the patient's side: who may send, and what deposits are sealed to.

mod arriving;
mod deciding;

pub use arriving::Admission;
pub use deciding::{DepositAccepted, DepositView, DepositedRecord};

use super::contacts::ContactInfo;
use super::state::{ContactRecord, GrantStatus};
use super::transaction::Transaction;
use super::{Vault, VaultError};
use crate::audit::Act;
use crate::block::Block;
use crate::deposit::{DepositError, DepositLimit, DepositTicket, DepositTicketError, Note};
use crate::envelope::{IdentityKey, RecipientKey};
use crate::grant::Terms;
use crate::identity::Signers;
use crate::keys::{PublicKey, SecretKey};

impl Vault {
    /// Says what a contact may deposit; `None` takes the leave away. A grant whose terms allow
    /// deposits is not affected.
    ///
    /// # Errors
    /// [`VaultError::NoContact`].
    pub fn set_deposit_limit(
        &mut self,
        contact: &str,
        limit: Option<DepositLimit>,
    ) -> Result<ContactInfo, VaultError> {
        self.transact(|tx| {
            let record = tx.contact(contact)?;
            if record.deposits != limit {
                tx.draw_inbox_key();
                tx.update_contact(record.id, |contact| contact.deposits = limit);
                tx.act(Act::DepositLimit {
                    contact: *record.card()?.owner(),
                    bytes: limit.map_or(0, |limit| limit.bytes),
                });
            }
            ContactInfo::from_record(&tx.contact(contact)?)
        })
    }

    /// What a contact may deposit now: what the patient said, else what a grant in force allows.
    ///
    /// # Errors
    /// [`VaultError::NoContact`].
    pub fn deposit_limit(&mut self, contact: &str) -> Result<Option<DepositLimit>, VaultError> {
        let info = self.contact(contact)?;
        if info.deposits.is_some() {
            return Ok(info.deposits);
        }
        self.reading(|vault| Ok(vault.state.grants.load(&*vault.storage.blocks())?))?;
        let now = self.now();
        for grant in self.state.grants.items() {
            let member = grant.members.iter().any(|member| member.contact == info.id);
            if member && grant.status == GrantStatus::Active {
                let terms = Terms::from_bytes(&grant.terms, self.head.signers())?;
                if terms.may_deposit && !terms.has_expired(now) {
                    return Ok(Some(DepositLimit::OF_A_GRANT));
                }
            }
        }
        Ok(None)
    }

    /// What deposits to this vault are sealed to. The key is drawn when it is first needed.
    pub(super) fn inbox_key(&mut self) -> Result<RecipientKey, VaultError> {
        if self.state.secrets.inbox.is_none() {
            self.transact(|tx| {
                tx.draw_inbox_key();
                tx.renew_now();
                Ok(())
            })?;
        }
        let seed = self.state.secrets.inbox.as_ref();
        let seed = seed.ok_or(VaultError::Conflict)?;
        Ok(IdentityKey::from_seed(seed.expose()).recipient())
    }

    /// Uses the keys that deposits may be sealed to: the inbox key, then the device's.
    fn with_deposit_keys<T>(&self, open: impl FnOnce(&[&IdentityKey]) -> T) -> T {
        let inbox = self.state.secrets.inbox.as_ref();
        let inbox = inbox.map(|seed| IdentityKey::from_seed(seed.expose()));
        let keys: Vec<&IdentityKey> = inbox.iter().chain([self.device.identity()]).collect();
        open(&keys)
    }

    /// The contact who signs with this list of keys.
    fn depositor(&mut self, signers: &Signers) -> Result<ContactRecord, DepositError> {
        self.contacts()?;
        for contact in self.state.contacts.items() {
            let card = contact.card().map_err(VaultError::from)?;
            if card.owner() == signers.owner() {
                return match card.signers().serial() <= signers.serial() {
                    true => Ok(contact.clone()),
                    false => Err(DepositError::Replaced),
                };
            }
        }
        Err(DepositError::Stranger)
    }

    /// The name given to the sender of a deposit that waits.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn depositor_name(&mut self, owner: &PublicKey) -> Result<Option<String>, VaultError> {
        self.contacts()?;
        Ok(self.contact_name(owner).map(str::to_owned))
    }

    /// Opens a deposit ticket.
    ///
    /// # Errors
    /// [`DepositTicketError`].
    pub fn open_deposit_ticket(&self, text: &str) -> Result<DepositTicket, DepositTicketError> {
        self.with_deposit_keys(|keys| DepositTicket::open(text, &self.id(), keys))
    }

    fn open_note(&mut self, block: &Block) -> Result<(Note, ContactRecord), DepositError> {
        self.refresh()?;
        let note = self.with_deposit_keys(|keys| Note::open(block, &self.id(), keys))?;
        let contact = self.depositor(&note.signers)?;
        Ok((note, contact))
    }
}

impl Transaction<'_> {
    /// Draws the vault's inbox key unless there is one.
    pub(super) fn draw_inbox_key(&mut self) {
        let inbox = &mut self.vault.state.secrets.inbox;
        inbox.get_or_insert_with(SecretKey::random);
    }
}

#[cfg(test)]
impl Vault {
    /// Replaces a grant's terms by such that allow deposits.
    pub(crate) fn allow_deposits_for_tests(&mut self, grant: &crate::ids::GrantId) {
        self.transact(|tx| {
            let device = tx.vault.device.clone();
            let record = tx.grants()?.into_iter().find(|g| g.id == *grant);
            let terms = Terms::from_bytes(&record.unwrap().terms, device.signers())?;
            let mut terms = terms;
            terms.may_deposit = true;
            let bytes =
                crate::keys::Signed::new(&terms, crate::keys::Namespace::Terms, device.signing());
            tx.update_grant(grant, |grant| grant.terms = bytes.to_bytes());
            tx.renew_now();
            Ok(())
        })
        .unwrap();
    }
}
