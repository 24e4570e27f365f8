//! Deposits, as commands use them: the waiting room, ids, and errors in words.

use std::sync::Arc;

use vault_core::pinning::BlockFetch as _;
use vault_core::{
    BlockSource, CarError, Cid, DeliveryError, DepositError, DepositId, DepositRefusal,
    DepositTicketError, Device, Home, SourceError, Vault, WaitingDeposit, WaitingDeposits,
    WaitingError, system_clock,
};

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::ids::Ids;
use crate::network::PeersFetch;
use crate::place;

/// The home, the vault, and what waits for a decision.
pub struct WaitingRoom {
    /// The home.
    pub home: Arc<Home>,
    /// The vault.
    pub vault: Vault,
    /// The waiting room.
    pub waiting: WaitingDeposits,
    /// What waits.
    pub deposits: Vec<WaitingDeposit>,
}

impl WaitingRoom {
    /// Opens all of it, and enters in the log what arrived just before a kill.
    pub fn open(context: &Context) -> Result<Self> {
        let home = Arc::new(context.home()?);
        let device = context.unlock(&home)?;
        let waiting = WaitingDeposits::open(home.clone(), &device)?;
        Self::with(context, home, device, waiting)
    }

    /// The same where the device is unlocked already.
    pub fn with(
        context: &Context,
        home: Arc<Home>,
        device: Arc<Device>,
        waiting: WaitingDeposits,
    ) -> Result<Self> {
        let storage = place::storage(context, &home, &device.vault())?;
        let mut vault = Vault::open(storage, device, system_clock())?;
        vault.note_arrivals(&waiting)?;
        let deposits = waiting.list()?;
        Ok(Self {
            home,
            vault,
            waiting,
            deposits,
        })
    }

    /// The ids of what waits.
    pub fn ids(&self) -> Ids {
        Ids::new(self.deposits.iter().map(|deposit| deposit.deposit))
    }

    /// The deposit whose id begins with `text`.
    pub fn find(&self, text: &str) -> Result<DepositId> {
        self.ids().find(text, "deposit", "inbox list")
    }
}

/// The provider's node, and nobody else.
pub struct TicketSource(pub PeersFetch);

impl BlockSource for TicketSource {
    fn fetch(&self, cids: &[Cid]) -> Result<Vec<vault_core::Block>, SourceError> {
        let mut blocks = self.0.fetch_present(cids)?;
        let mut in_order = Vec::with_capacity(cids.len());
        for cid in cids {
            let at = blocks.iter().position(|block| block.cid() == *cid);
            in_order.push(blocks.swap_remove(at.ok_or(SourceError::Missing(*cid))?));
        }
        Ok(in_order)
    }
}

impl From<DepositError> for Error {
    fn from(error: DepositError) -> Self {
        let text = error.to_string();
        let new = |exit, code| Self::new(exit, code, &text);
        match error {
            DepositError::Vault(error) => error.into(),
            DepositError::Waiting(error) => error.into(),
            DepositError::Io(error) => Self::from_io(&error),
            DepositError::Source(SourceError::Missing(_)) => new(Exit::Network, "block-missing")
                .hint("the sender must be running `medvault serve`; try again later"),
            DepositError::Source(error) => error.into(),
            DepositError::Car(CarError::Io(error)) => Self::from_io(&error),
            DepositError::Seal(vault_core::BodyError::Io(error)) => Self::from_io(&error),
            DepositError::Car(CarError::NotACar) | DepositError::NotAParcel(_) => {
                new(Exit::Failure, "not-a-deposit")
                    .hint("a deposit is the file that `medvault deposit --output` writes")
            }
            DepositError::ForSomeoneElse => new(Exit::Terms, "deposit-for-someone-else")
                .hint("nothing was changed; ask the sender whose vault it is for"),
            DepositError::Stranger => new(Exit::Terms, "stranger").hint(
                "`medvault contact add NAME FILE` adds the sender; compare fingerprints first",
            ),
            DepositError::Replaced => new(Exit::Integrity, "replaced-device")
                .hint("ask the sender whether a device was lost, and for a new deposit"),
            DepositError::Known(_) => new(Exit::Failure, "accepted-already")
                .hint("nothing was changed; `medvault record list` shows the records"),
            DepositError::Empty | DepositError::TooMany(_) => new(Exit::Failure, "no-deposit"),
            _ => new(Exit::Integrity, "bad-deposit")
                .hint("nothing was changed; ask the sender for it again"),
        }
    }
}

impl From<WaitingError> for Error {
    fn from(error: WaitingError) -> Self {
        let text = error.to_string();
        match error {
            WaitingError::Storage(error) => error.into(),
            WaitingError::Io(error) => Self::from_io(&error),
            WaitingError::Refused(refusal) => refused(refusal).hint(here(refusal)),
            WaitingError::NotFound(_) => Self::new(Exit::NotFound, "no-deposit", text)
                .hint("`medvault inbox list` shows what waits"),
            WaitingError::Seal(_) | WaitingError::Malformed(_) => {
                Self::new(Exit::Integrity, "bad-deposits", text)
                    .hint("put the file `deposits/list` back from a copy, or remove it")
            }
        }
    }
}

/// What the patient can do about a refusal of their own.
fn here(refusal: DepositRefusal) -> &'static str {
    match refusal {
        DepositRefusal::Stranger => "`medvault contact add NAME FILE` adds the sender",
        DepositRefusal::Busy => "run the command again",
        DepositRefusal::Malformed => "ask the sender for it again",
        DepositRefusal::Already => "`medvault inbox list` shows what waits",
        _ => "`medvault contact limit NAME --deposits SIZE` says how much a contact may send",
    }
}

fn refused(refusal: DepositRefusal) -> Error {
    let exit = match refusal {
        DepositRefusal::Busy => Exit::Network,
        DepositRefusal::Malformed | DepositRefusal::Clock | DepositRefusal::Already => {
            Exit::Integrity
        }
        _ => Exit::Terms,
    };
    Error::new(exit, refusal.code(), refusal)
}

impl From<DeliveryError> for Error {
    fn from(error: DeliveryError) -> Self {
        match error {
            DeliveryError::Refused(refusal) => refused(refusal).hint(match refusal {
                DepositRefusal::Clock => "set the clock and try again",
                DepositRefusal::Busy => "try again later",
                DepositRefusal::Quota | DepositRefusal::Rate => {
                    "ask the patient to look at what waits, or try again later"
                }
                _ => "ask the patient: `medvault contact limit NAME --deposits SIZE` gives leave",
            }),
            DeliveryError::NoReceipt => Self::new(Exit::Integrity, "no-receipt", error)
                .hint("it may have arrived; the same command asks again"),
        }
    }
}

impl From<DepositTicketError> for Error {
    fn from(error: DepositTicketError) -> Self {
        let text = error.to_string();
        match error {
            DepositTicketError::NotATicket => Self::new(Exit::Failure, "not-a-ticket", text)
                .hint("a deposit ticket is the line that `medvault deposit --ticket` prints"),
            DepositTicketError::ForSomeoneElse => {
                Self::new(Exit::Terms, "ticket-for-someone-else", text)
                    .hint("ask the sender whose vault it is for")
            }
            _ => Self::new(Exit::Integrity, "bad-ticket", text)
                .hint("the ticket was altered or cut off: ask for it again"),
        }
    }
}
