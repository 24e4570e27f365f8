//! Who someone is: the owner's list of signing keys, a device's secrets, and the contact card.

mod card;
mod device;
mod signers;

pub(crate) use card::MAX_CARD_LEN;
pub use card::{Card, CardError};
pub use device::{Device, IdentityFileError};
pub(crate) use signers::MAX_SIGNERS_LEN;
pub use signers::{Signers, SignersError, vault_id};
