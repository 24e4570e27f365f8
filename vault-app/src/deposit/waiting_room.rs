//! Deposits that wait for a decision.

use std::fs::File;
use std::io::{Read, Seek as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use vault_core::{Device, Parcel, Vault, WaitingDeposit, WaitingDeposits};

use crate::app::App;
use crate::error::{Error, Result};

/// The home, the vault, and what waits for a decision.
pub struct WaitingRoom {
    /// The home.
    pub app: App,
    /// The vault.
    pub vault: Vault,
    /// The waiting room.
    pub waiting: WaitingDeposits,
    /// What waits.
    pub deposits: Vec<WaitingDeposit>,
}

impl WaitingRoom {
    /// Opens all of it, and enters in the log what arrived just before a kill.
    ///
    /// # Errors
    /// Whatever is wrong with the vault or the list of what waits.
    pub fn open(app: &App, device: &Arc<Device>) -> Result<Self> {
        let waiting = WaitingDeposits::open(app.home().clone(), device)?;
        Self::with(app, device, waiting)
    }

    /// The same where the list of what waits is open already.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn with(app: &App, device: &Arc<Device>, waiting: WaitingDeposits) -> Result<Self> {
        let mut vault = app.vault(device)?;
        vault.note_arrivals(&waiting)?;
        let deposits = waiting.list()?;
        Ok(Self {
            app: app.clone(),
            vault,
            waiting,
            deposits,
        })
    }

    /// Takes in a deposit that came as a file, from a contact. What cannot be read twice is written
    /// down first. `path` names it in errors; `input` gives its content when that is no file.
    ///
    /// # Errors
    /// When it cannot be read, is no deposit, or is not for this vault or from no contact.
    pub fn add_file(&mut self, path: &Path, mut input: impl Read) -> Result<WaitingDeposit> {
        let file = match path.is_file() {
            true => File::open(path).map_err(|error| Error::file(path, &error))?,
            false => {
                let mut copy = tempfile::tempfile()?;
                std::io::copy(&mut input, &mut copy)?;
                copy.flush()?;
                copy.rewind()?;
                copy
            }
        };
        let added = add_deposit_file(&mut self.vault, &self.waiting, file)?;
        self.deposits = self.waiting.list()?;
        Ok(added)
    }
}

/// Takes a deposit that is a file into the waiting room, from a contact.
///
/// # Errors
/// When it cannot be read, is no deposit, or is not for this vault or from no contact.
pub fn add_deposit_file(
    vault: &mut Vault,
    waiting: &WaitingDeposits,
    file: File,
) -> Result<WaitingDeposit> {
    Ok(vault.add_deposit(Parcel::open(file)?, waiting)?)
}

#[cfg(feature = "network")]
mod fetched {
    use vault_core::pinning::BlockFetch as _;
    use vault_core::{Block, BlockSource, CarStore, Cid, SourceError, WaitingDeposit};

    use super::WaitingRoom;
    use crate::error::Result;
    use crate::network::PeersFetch;

    impl WaitingRoom {
        /// Fetches the deposit of a ticket from its sender's node, no more than the contact may
        /// send.
        ///
        /// # Errors
        /// A ticket that is none or for somebody else; a sender who is not online; whatever is wrong
        /// with the deposit.
        pub fn fetch(&mut self, ticket: &str) -> Result<WaitingDeposit> {
            let ticket = self.vault.open_deposit_ticket(ticket)?;
            let folder = tempfile::tempdir()?;
            let scratch = CarStore::open(folder.path())?;
            let source = TicketSource(PeersFetch::start(vec![ticket.node.clone()])?);
            let fetched = self
                .vault
                .fetch_deposit(&ticket, &source, &scratch, &self.waiting)?;
            self.deposits = self.waiting.list()?;
            Ok(fetched)
        }
    }

    /// The sender's node, and nobody else.
    struct TicketSource(PeersFetch);

    impl BlockSource for TicketSource {
        fn fetch(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError> {
            let mut blocks = self.0.fetch_present(cids)?;
            let mut in_order = Vec::with_capacity(cids.len());
            for cid in cids {
                let at = blocks.iter().position(|block| block.cid() == *cid);
                in_order.push(blocks.swap_remove(at.ok_or(SourceError::Missing(*cid))?));
            }
            Ok(in_order)
        }
    }
}
