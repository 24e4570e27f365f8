//! Grants: who may read what, on which terms.
//!
//! A grant is terms signed by the patient, one envelope per recipient holding the grant key, and a
//! sealed index under that key. The patient's own view is grant zero.

mod access;
mod condition;
mod directory;
mod envelope;
mod preset;
mod qr;
mod root;
mod scope;
mod terms;
mod ticket;

#[cfg(test)]
pub(crate) use access::block_access_sample;
pub use access::{
    AccessRefusal, BlockReader, BlockReaders, Ends, MAX_BLOCK_ACCESS_LEN, MAX_CLOCK_DIFFERENCE,
    sign_block_access,
};
pub use condition::{Condition, Conditions};
pub use directory::DirectoryError;
pub(crate) use directory::{Directory, Pointer, Relation};
pub use envelope::GrantKeyError;
pub(crate) use envelope::{open_grant_key, seal_grant_key};
pub use preset::{ParsePresetError, Preset};
pub use qr::{QrError, join_qr_parts, qr_parts};
pub(crate) use root::{GrantRoot, ZERO, root_context};
pub use scope::{Decision, Reason, Scope};
pub(crate) use terms::TermsDraft;
pub use terms::{Delivery, Extent, Purpose, Terms, TermsError};
pub use ticket::{Ticket, TicketError};
