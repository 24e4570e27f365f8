//! Deposits: those that wait for a decision here, and those that are sent.

#[cfg(feature = "network")]
mod deliver;
mod errors;
mod recipient;
mod send;
#[cfg(feature = "formats")]
mod shelf;
mod waiting_room;

#[cfg(feature = "network")]
pub use deliver::deliver_over_iroh;
pub use recipient::Recipient;
pub use send::{offer_deposit, write_deposit, write_deposit_file};
#[cfg(feature = "formats")]
pub use shelf::DepositShelf;
pub use waiting_room::{WaitingRoom, add_deposit_file};
