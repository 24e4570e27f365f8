//! The audit log's tree: hashes and proofs, tile layout, signed and countersigned checkpoints.
//!
//! Nothing here reads or writes storage, and nothing here knows what a log entry is. Hashes follow
//! RFC 6962, proofs RFC 9162 section 2.1, tiles C2SP tlog-tiles, checkpoints C2SP signed-note and
//! tlog-checkpoint, countersignatures C2SP tlog-cosignature (Ed25519, version 1),
//! proofs in a text of their own C2SP tlog-proof.

mod append;
mod checkpoint;
mod cosignature;
mod merkle;
mod note;
mod proof;
#[cfg(test)]
mod testing;
mod tiles;

pub use append::{Appender, LevelTail, MemoryTiles};
pub use checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
pub use cosignature::{MAX_COSIGNATURE_TIME, cosign, verify_cosignature};
pub use merkle::{
    ConsistencyProof, EMPTY_ROOT, InclusionProof, MAX_TREE_SIZE, ProofError, TreeHash, leaf_hash,
    node_hash, verify_consistency, verify_inclusion,
};
pub use note::{MAX_NOTE_LEN, MAX_NOTE_SIGNATURES, NoteError, NoteSignature};
pub(crate) use proof::MAX_PATH;
pub use proof::{LogProof, LogProofError, MAX_PROOF_EXTRA, MAX_PROOF_LEN};
pub use tiles::{
    TILE_WIDTH, TileError, TileId, TileSource, level_len, prove_consistency, prove_inclusion, root,
};
