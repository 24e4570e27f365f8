//! Deposits: a provider sends results into a patient's vault without being able to read it.
//!
//! A deposit is one CAR file, the *parcel*: a *note* sealed to the vault, then the bodies exactly as
//! the vault will keep them, signed by the provider. It waits in quarantine until the patient takes
//! or declines it; taking it moves the blocks and re-encrypts nothing. Nothing here touches a
//! network: the provider *makes* a parcel, *announces* it, and whoever carries bytes hands them to
//! the patient's *waiting room*. Format: `docs/SPEC.md`, section 21.

mod check;
mod decide;
mod delivery;
mod error;
mod gather;
mod incoming;
mod make;
mod note;
mod parcel;
mod ticket;
mod waiting;

#[cfg(test)]
mod tests;

pub(crate) use check::{Checked, Depth, check};
pub use decide::Earlier;
pub use decide::{DepositLimit, DepositRefusal, MAX_PARCEL_LEN, may_deposit};
pub use delivery::answer_refused;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use delivery::parse_answer;
pub use delivery::{Announcement, DeliveryError, DepositReceipt, sign_announcement};
pub(crate) use delivery::{Receipt, answer_taken};
pub use error::DepositError;
pub(crate) use gather::gather;
pub use incoming::Incoming;
pub use make::{DepositMaker, DepositTarget, Outgoing};
pub(crate) use note::Note;
#[cfg(test)]
pub(crate) use note::NoteEntry;
pub use parcel::Parcel;
pub use ticket::{DepositTicket, DepositTicketError};
pub use waiting::{WaitingDeposit, WaitingDeposits, WaitingError};
