//! What is wrong with a deposit, in words.

use vault_core::{
    CarError, DeliveryError, DepositError, DepositRefusal, DepositTicketError, SourceError,
    WaitingError,
};

use crate::error::{Error, Exit};

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
