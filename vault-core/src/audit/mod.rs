//! The audit log's entries: what happened, when, by which device.
//!
//! An entry is sealed in the vault's own pages; what the public tree holds is a salted commitment
//! to it, so that an outsider learns nothing and the patient can prove a single entry.

mod act;
mod evidence;
mod fork;
mod prove;
mod statement;
mod tiles;

pub use act::{Act, Asked, AuditEntry, RevokeLevel, Via};
pub(crate) use act::{SealedEntry, leaf, salt};
pub use evidence::{Evidence, EvidenceError, MAX_EVIDENCE_LEN};
pub use fork::{Basis, Fork, ForkError, ForkVerdict, RollBack, check_fork};
pub use prove::{EntryProof, EntryProofError, Proven};
pub(crate) use prove::{Logged, signed_checkpoint, signed_checkpoint_by};
pub use statement::{LogStatement, MAX_STATEMENT_LEN, StatementError};
pub(crate) use tiles::{LogBlocks, TileReadError};
