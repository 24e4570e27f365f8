//! The inbox: every vault this reader follows, kept sealed on this device.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::following::Following;
use crate::codec::{self, DecodeError};
use crate::grant::Ticket;
use crate::home::Home;
use crate::identity::Device;
use crate::ids::{GrantId, VaultId};
use crate::keys::SecretKey;
use crate::seal::{OpenError, open, seal};
use crate::vault::{StorageError, WriteGuard};

/// Longest accepted inbox file, in bytes.
const MAX_INBOX_LEN: usize = 64 << 20;

/// The inbox's file in the home.
const FILE: &str = "inbox";

/// Why the inbox could not be used.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    /// The home failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The file is damaged or belongs to another device.
    #[error("inbox: {0}")]
    Seal(#[from] OpenError),
    /// The file is malformed.
    #[error("inbox: {0}")]
    Malformed(#[from] DecodeError),
    /// Another followed vault has this name.
    #[error("the inbox has `{0}` already, for another vault")]
    NameTaken(String),
    /// Nothing of this name.
    #[error("nothing in the inbox is called `{0}`")]
    NotFound(String),
    /// Its list of signing keys is older than the one known.
    #[error("this ticket was made by a device that its owner has replaced")]
    Replaced,
    /// One's own vault.
    #[error("this ticket is of this very vault")]
    Own,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u8,
    following: Vec<Following>,
}

/// The vaults that are followed, with what is remembered of each.
pub struct Inbox {
    home: Arc<Home>,
    key: SecretKey,
    own: VaultId,
    following: Vec<Following>,
}

impl Inbox {
    /// Opens the inbox of a home; an absent one is empty.
    ///
    /// # Errors
    /// [`InboxError`].
    pub fn open(home: Arc<Home>, device: &Device) -> Result<Self, InboxError> {
        let mut inbox = Self {
            home,
            key: device.local_state_key(),
            own: device.vault(),
            following: Vec::new(),
        };
        inbox.read()?;
        Ok(inbox)
    }

    fn context(&self) -> Vec<u8> {
        [b"medvault/v1/inbox\0\x01".as_slice(), self.own.as_bytes()].concat()
    }

    fn read(&mut self) -> Result<(), InboxError> {
        let Some(sealed) = self.home.read_file(FILE)? else {
            return Ok(());
        };
        let plain = zeroize::Zeroizing::new(open(self.key.expose(), &self.context(), &sealed)?);
        let wire: Wire = codec::decode(&plain, MAX_INBOX_LEN)?;
        if wire.v != 1 {
            return Err(DecodeError::Malformed.into());
        }
        self.following = wire.following;
        Ok(())
    }

    /// The vaults that are followed, in the order of their tickets.
    pub fn list(&self) -> &[Following] {
        &self.following
    }

    /// One of them, by name or vault id.
    ///
    /// # Errors
    /// [`InboxError::NotFound`].
    pub fn find(&self, wanted: &str) -> Result<&Following, InboxError> {
        let hit = |f: &&Following| f.name() == wanted || f.vault().to_string() == wanted;
        self.following
            .iter()
            .find(hit)
            .ok_or_else(|| InboxError::NotFound(wanted.to_owned()))
    }

    /// Whether [`Inbox::accept`] would take this ticket, as far as can be said now.
    ///
    /// # Errors
    /// [`InboxError::NameTaken`], [`InboxError::Own`], [`InboxError::Replaced`].
    pub fn may_accept(&self, ticket: &Ticket, name: Option<&str>) -> Result<(), InboxError> {
        may_accept(&self.following, &self.own, ticket, name)
    }

    /// Accepts an opened ticket under `name`, or the patient's own name.
    ///
    /// # Errors
    /// [`InboxError::NameTaken`], [`InboxError::Own`], [`InboxError::Replaced`].
    pub fn accept(
        &mut self,
        ticket: &Ticket,
        name: Option<&str>,
        now: u64,
    ) -> Result<&Following, InboxError> {
        let vault = ticket.signers.vault();
        let own = self.own;
        self.change(|following| {
            may_accept(following, &own, ticket, name)?;
            let name = name.unwrap_or(&ticket.name);
            match following.iter_mut().find(|f| f.vault() == vault) {
                Some(known) => known.accept_again(ticket),
                None => following.push(Following::accept(ticket, name, now)),
            }
            Ok(())
        })?;
        self.find(&vault.to_string())
    }

    /// Remembers what has changed about one followed vault. A memory that another process has
    /// moved further on is not moved back.
    ///
    /// # Errors
    /// [`InboxError`].
    pub fn remember(&mut self, changed: &Following) -> Result<(), InboxError> {
        self.change(|following| {
            let known = following.iter_mut().find(|f| f.vault() == changed.vault());
            if let Some(known) = known {
                match known.seq() <= changed.seq() {
                    true => {
                        let earlier = std::mem::replace(known, changed.clone());
                        known.merge(&earlier);
                    }
                    // its head is newer; a log that came with keys may be longer all the same
                    false => known.merge(changed),
                }
            }
            Ok(())
        })
    }

    /// Forgets an agreement that was offered and is not wanted. A fresh ticket brings it back.
    ///
    /// # Errors
    /// [`InboxError::NotFound`] when there is no such agreement.
    pub fn decline(&mut self, vault: &VaultId, grant: &GrantId) -> Result<(), InboxError> {
        self.change(|following| {
            let known = following.iter_mut().find(|f| f.vault() == *vault);
            let declined = known.and_then(|known| known.decline(grant).ok());
            declined.ok_or_else(|| InboxError::NotFound(grant.to_string()))
        })
    }

    /// Stops following a vault.
    ///
    /// # Errors
    /// [`InboxError::NotFound`].
    pub fn forget(&mut self, wanted: &str) -> Result<(), InboxError> {
        let vault = self.find(wanted)?.vault();
        self.change(|following| {
            following.retain(|f| f.vault() != vault);
            Ok(())
        })
    }

    /// Lock, read again, change, write whole.
    fn change(
        &mut self,
        change: impl FnOnce(&mut Vec<Following>) -> Result<(), InboxError>,
    ) -> Result<(), InboxError> {
        let home = self.home.clone();
        let _lock: Box<dyn WriteGuard + '_> = home.lock()?;
        self.read()?;
        let mut following = self.following.clone();
        change(&mut following)?;
        let wire = Wire { v: 1, following };
        let plain = zeroize::Zeroizing::new(codec::encode(&wire));
        home.write_file(FILE, &seal(self.key.expose(), &self.context(), &plain))?;
        self.following = wire.following;
        Ok(())
    }
}

fn may_accept(
    following: &[Following],
    own: &VaultId,
    ticket: &Ticket,
    name: Option<&str>,
) -> Result<(), InboxError> {
    let vault = ticket.signers.vault();
    if vault == *own {
        return Err(InboxError::Own);
    }
    let name = name.unwrap_or(&ticket.name);
    for known in following {
        if known.vault() == vault && ticket.signers.serial() < known.serial() {
            return Err(InboxError::Replaced);
        }
        if known.name() == name && known.vault() != vault {
            return Err(InboxError::NameTaken(name.to_owned()));
        }
    }
    Ok(())
}
