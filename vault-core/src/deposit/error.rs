//! Why a deposit is not taken.

use super::WaitingError;
use crate::body::BodyError;
use crate::car::CarError;
use crate::codec::DecodeError;
use crate::identity::SignersError;
use crate::ids::{DepositId, RecordId};
use crate::keys::SignatureError;
use crate::store::SourceError;
use crate::vault::VaultError;

/// Why a parcel was not made, opened or taken. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DepositError {
    /// The file is cut off, damaged or no CAR file.
    #[error(transparent)]
    Car(#[from] CarError),
    /// A CAR file, but its blocks are not those of a parcel, or not in order.
    #[error("not a deposit: {0}")]
    NotAParcel(&'static str),
    /// The note does not decode.
    #[error("deposit note: {0}")]
    Malformed(#[from] DecodeError),
    /// The note is not signed by whom it says.
    #[error("deposit note: {0}")]
    Signature(#[from] SignatureError),
    /// The sender's list of signing keys is not valid.
    #[error("deposit note: {0}")]
    Signers(#[from] SignersError),
    /// The note is sealed to another key, for another vault, or was altered.
    #[error("this deposit is for someone else, or was altered")]
    ForSomeoneElse,
    /// The sender is not among the contacts.
    #[error("the deposit is from someone who is not a contact")]
    Stranger,
    /// The sender signs with a list of keys that has been replaced.
    #[error("the deposit was made by a device that its owner has replaced")]
    Replaced,
    /// What the note says of a record does not hold.
    #[error("record {record} of the deposit: {what}")]
    Disagrees {
        /// The record.
        record: RecordId,
        /// What does not hold.
        what: &'static str,
    },
    /// A body does not open, or not as the record that the note names.
    #[error("record {record} of the deposit: {error}")]
    Body {
        /// The record.
        record: RecordId,
        /// Why.
        error: BodyError,
    },
    /// More records, or a longer note, than a deposit may have.
    #[error("a deposit holds at most {0} records")]
    TooMany(usize),
    /// There is nothing in it.
    #[error("there is nothing to deposit")]
    Empty,
    /// The key to seal to is unusable.
    #[error("the key of the vault is unusable")]
    DegenerateKey,
    /// Its records are in the vault already.
    #[error("deposit {0} was accepted already")]
    Known(DepositId),
    /// A content could not be read, or a file not be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A content could not be sealed.
    #[error(transparent)]
    Seal(#[from] BodyError),
    /// Blocks could not be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The waiting room failed, or does not take it.
    #[error(transparent)]
    Waiting(#[from] WaitingError),
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}
