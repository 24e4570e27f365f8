//! Whose vault a deposit is for.

use std::sync::Arc;

use vault_core::{DepositTarget, Home, Inbox, InboxError, NodeAddress, Vault, VaultError};

use crate::error::{Error, Exit, Result};

/// Somebody with a vault.
pub struct Recipient {
    /// The name here.
    pub name: String,
    /// The name they go by.
    pub person: String,
    /// The vault and the key to seal to.
    pub target: DepositTarget,
    /// Where their node was last reached; only who shares something has told.
    pub node: Option<NodeAddress>,
    /// A contact whose fingerprint nobody has compared: the card may be someone else's. Results for
    /// one person must not go to another.
    pub unverified: bool,
}

impl Recipient {
    /// Finds who goes by `name`: first those who share something, then the contacts.
    ///
    /// # Errors
    /// `no-recipient`; a ticket or a card that gives no key to deposit to.
    pub fn find(home: &Arc<Home>, vault: &mut Vault, name: &str) -> Result<Self> {
        let inbox = Inbox::open(home.clone(), vault.device())?;
        match inbox.find(name) {
            Ok(following) => {
                let target = following.deposit_target().ok_or_else(|| {
                    let what = format!("the ticket of {name} gives no key to deposit to");
                    Error::new(Exit::Terms, "no-inbox-key", what)
                        .hint("ask the patient for a fresh ticket, or deposit to a contact")
                })?;
                Ok(Self {
                    name: following.name().to_owned(),
                    person: following.patient().to_owned(),
                    target,
                    node: Some(following.node().clone()),
                    unverified: false,
                })
            }
            Err(InboxError::NotFound(_)) => Self::contact(vault, name),
            Err(error) => Err(error.into()),
        }
    }

    /// Fails when nobody has compared the fingerprint of the contact.
    ///
    /// # Errors
    /// `unverified`.
    pub fn refuse_unverified(&self) -> Result<()> {
        if !self.unverified {
            return Ok(());
        }
        let what = format!("nobody has compared the fingerprint of {}", self.name);
        Err(Error::new(Exit::Terms, "unverified", what)
            .hint("`medvault contact verify NAME`, or add --yes to send all the same"))
    }

    fn contact(vault: &mut Vault, name: &str) -> Result<Self> {
        let contact = vault.contact(name).map_err(|error| match error {
            VaultError::NoContact(_) => {
                let what = format!("nobody called `{name}` is in the inbox or among the contacts");
                Error::new(Exit::NotFound, "no-recipient", what).hint(
                    "`medvault inbox list` and `medvault contact list` show whom you can name",
                )
            }
            other => other.into(),
        })?;
        let target = DepositTarget::of_card(&contact.card).ok_or_else(|| {
            let what = format!("the card of {name} names no device");
            Error::new(Exit::Failure, "bad-card", what).hint("ask for a newer card")
        })?;
        Ok(Self {
            person: contact.card.name().to_owned(),
            name: contact.name,
            target,
            node: None,
            unverified: contact.verified.is_none(),
        })
    }
}
