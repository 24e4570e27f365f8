//! Who someone is: the owner's list of signing keys, a device's secrets, and the contact card.

mod card;
mod device;
mod signers;

pub use card::{Card, CardError, MAX_CARD_LEN};
pub use device::{Device, DeviceSecrets, IdentityFileError};
pub use signers::{MAX_SIGNERS_LEN, Signers, SignersError, vault_id};
