//! The provider's side: following someone's vault and reading what was shared.
//!
//! A reader believes nothing but signatures and its own memory. It keeps the last head it accepted
//! and takes a new one only if that is newer, signed by a key the owner vouches for, and its log
//! contains the log it has seen.

mod asking;
mod evidence;
mod finding;
mod following;
mod grants;
mod inbox;
mod proofs;
mod stick;

#[cfg(test)]
mod tests;

pub use asking::{AskError, Asking, Given, HeldTerms};
pub use finding::{Answer, Finding, Offer, Place, Verdict};
pub use following::{Advance, FollowError, Following};
pub use grants::{AgreementView, GrantView};
pub use inbox::{Inbox, InboxError};
pub use proofs::{KeptProof, Proofs, ProofsError};
pub use stick::{Stick, StickError, StickTaken};

pub(crate) use following::{check_time, continues};
#[cfg(test)]
pub(crate) use tests::copy as copy_of;
