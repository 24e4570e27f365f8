//! Checkpoints (C2SP tlog-checkpoint): a log's size and root, signed.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use super::merkle::{EMPTY_ROOT, MAX_TREE_SIZE, TreeHash};
use super::note::{Note, NoteError, NoteSignature, TYPE_ED25519, key_id};

/// Why a checkpoint was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The signed note around it, or a signature.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not the three lines of a checkpoint in their only form.
    #[error("malformed checkpoint")]
    Malformed,
}

/// What a log says about itself: that its first `size` leaves have this root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's identity: one line, not empty.
    pub origin: String,
    /// Number of leaves, at most [`MAX_TREE_SIZE`].
    pub size: u64,
    /// Root of these leaves; [`EMPTY_ROOT`] if there are none.
    pub root: TreeHash,
}

impl Checkpoint {
    /// The note text: origin, decimal size and base64 root, a newline after each.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// Reads a note text. Extension lines are not accepted.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] for anything but the one form [`Checkpoint::to_text`] gives.
    pub fn from_text(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root), Some(""), None) = (
            lines.next(),
            lines.next(),
            lines.next(),
            lines.next(),
            lines.next(),
        ) else {
            return Err(CheckpointError::Malformed);
        };
        let checkpoint = Self {
            origin: origin.to_owned(),
            size: size.parse().map_err(|_| CheckpointError::Malformed)?,
            root: TreeHash::from_base64(root).ok_or(CheckpointError::Malformed)?,
        };
        let sound = !origin.is_empty()
            && !origin.contains(char::is_control)
            && checkpoint.size <= MAX_TREE_SIZE
            && (checkpoint.size != 0 || checkpoint.root == EMPTY_ROOT)
            // the integer parser takes a plus sign and leading zeros
            && checkpoint.to_text() == text;
        sound
            .then_some(checkpoint)
            .ok_or(CheckpointError::Malformed)
    }

    /// Signs the checkpoint under a key name, usually the origin (C2SP signed-note, type 0x01).
    ///
    /// # Errors
    /// [`CheckpointError`] if the result is not a checkpoint [`SignedCheckpoint::parse`] reads: a
    /// bad key name or origin, a size over the limit, or an empty tree with another root.
    pub fn sign(&self, name: &str, key: &SigningKey) -> Result<SignedCheckpoint, CheckpointError> {
        let text = self.to_text();
        let signature = NoteSignature::new(
            name,
            key_id(name, TYPE_ED25519, &key.verifying_key()),
            key.sign(text.as_bytes()).to_vec(),
        )?;
        SignedCheckpoint::from_note(Note::new(&text, &[signature])?)
    }
}

/// A checkpoint with its signatures, in its exact bytes. Nothing is verified until
/// [`SignedCheckpoint::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    note: Note,
    checkpoint: Checkpoint,
}

impl SignedCheckpoint {
    /// Reads a signed checkpoint: at most 8 KiB, 1 to 16 signatures of any type, at most one per
    /// key, no extension lines.
    ///
    /// # Errors
    /// [`CheckpointError`]; the input is not trusted and never causes a panic.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        Self::from_note(Note::parse(bytes)?)
    }

    fn from_note(note: Note) -> Result<Self, CheckpointError> {
        let checkpoint = Checkpoint::from_text(note.text())?;
        Ok(Self { note, checkpoint })
    }

    /// Checks the signature of `key` under `name` and returns what it signed. The caller compares
    /// the origin with the log it expects. Signatures of other keys are left unchecked.
    ///
    /// # Errors
    /// [`NoteError::NotSigned`] without a line for this name and key, [`NoteError::BadSignature`]
    /// if that line does not verify (RFC 8032, strictly: no small-order or malleable forms).
    pub fn verify(&self, name: &str, key: &VerifyingKey) -> Result<&Checkpoint, CheckpointError> {
        let line = self.note.signature_of(name, TYPE_ED25519, key)?;
        let signature =
            Signature::from_slice(line.signature()).map_err(|_| NoteError::BadSignature)?;
        key.verify_strict(self.note.text().as_bytes(), &signature)
            .map_err(|_| NoteError::BadSignature)?;
        Ok(&self.checkpoint)
    }

    /// What the checkpoint says, without any signature having been checked.
    pub fn unverified(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The exact bytes, signatures included.
    pub fn as_bytes(&self) -> &[u8] {
        self.note.as_str().as_bytes()
    }

    /// The signature lines in their order, unchecked.
    pub fn signatures(&self) -> &[NoteSignature] {
        self.note.signatures()
    }

    /// The same checkpoint with one more signature at the end, in place of an earlier one of the
    /// same key. The signature is not checked.
    ///
    /// # Errors
    /// [`NoteError::TooManySignatures`] or [`NoteError::TooLong`].
    pub fn with_signature(&self, signature: NoteSignature) -> Result<Self, CheckpointError> {
        let mut signatures = self.note.signatures().to_vec();
        signatures.retain(|other| !other.is_of(signature.name(), signature.key_id()));
        signatures.push(signature);
        Self::from_note(Note::new(self.note.text(), &signatures)?)
    }

    pub(super) fn note(&self) -> &Note {
        &self.note
    }
}
