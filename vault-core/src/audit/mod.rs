//! The audit log's entries: what happened, when, by which device.
//!
//! An entry is sealed in the vault's own pages; what the public tree holds is a salted commitment
//! to it, so that an outsider learns nothing and the patient can prove a single entry.

mod act;
mod tiles;

pub use act::{Act, AuditEntry, RevokeLevel};
pub(crate) use act::{SealedEntry, leaf};
pub(crate) use tiles::{LogBlocks, TileReadError};
