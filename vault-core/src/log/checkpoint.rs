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

    /// The same as text.
    pub fn as_str(&self) -> &str {
        self.note.as_str()
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAME: &str = "log.example/7";
    const ROOT: &str = "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=";
    const EMPTY: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: NAME.into(),
            size: 8,
            root: TreeHash::from_base64(ROOT).unwrap(),
        }
    }

    /// Made with Go's golang.org/x/mod/sumdb/note from the same seed.
    #[test]
    fn signs_exactly_as_the_reference_implementation() {
        let expected = "log.example/7\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n\n\
            \u{2014} log.example/7 r6HckVku4zRR/s1NxeAU1ARMgdQphjSPjRi9NFvXDGadJ4L+SFI27bZ5wwBY3FC4IwlxhYi4cmFBDy+qSQNOIMXInAc=\n";
        let signed = checkpoint().sign(NAME, &key()).unwrap();
        assert_eq!(signed.as_bytes(), expected.as_bytes());
        let parsed = SignedCheckpoint::parse(expected.as_bytes()).unwrap();
        assert_eq!(parsed, signed);
        let verified = parsed.verify(NAME, &key().verifying_key());
        assert_eq!(verified, Ok(&checkpoint()));
    }

    /// The example of C2SP tlog-cosignature.
    #[test]
    fn reads_the_example_of_the_specification() {
        let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
            \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
            \u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
        let signed = SignedCheckpoint::parse(text.as_bytes()).unwrap();
        assert_eq!(signed.unverified().size, 20_852_163);
        assert_eq!(signed.signatures()[1].name(), "witness.example.com/w1");
        assert_eq!(signed.signatures()[1].key_id(), [0x8d, 0x66, 0xcf, 0x3f]);
        let other = signed.verify("example.com/behind-the-sofa", &key().verifying_key());
        assert_eq!(other, Err(CheckpointError::Note(NoteError::NotSigned)));
    }

    #[test]
    fn another_name_key_or_type_is_not_a_signature() {
        let not_signed = Err(CheckpointError::Note(NoteError::NotSigned));
        let signed = checkpoint().sign(NAME, &key()).unwrap();
        let own = key().verifying_key();
        assert_eq!(signed.verify("log.example/8", &own), not_signed);
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
        assert_eq!(signed.verify(NAME, &other), not_signed);
        assert_eq!(
            crate::log::verify_cosignature(&signed, NAME, &own),
            Err(NoteError::NotSigned)
        );
    }

    #[test]
    fn every_looser_form_is_refused() {
        let text = |origin: &str, size: &str, root: &str| format!("{origin}\n{size}\n{root}\n");
        assert!(Checkpoint::from_text(&text(NAME, "8", ROOT)).is_ok());
        assert!(Checkpoint::from_text(&text(NAME, "0", EMPTY)).is_ok());
        assert!(Checkpoint::from_text(&text(NAME, "9223372036854775807", ROOT)).is_ok());
        for bad in [
            text("", "8", ROOT),
            text("a\u{85}b", "8", ROOT),
            text(NAME, "", ROOT),
            text(NAME, "08", ROOT),
            text(NAME, "+8", ROOT),
            text(NAME, "-8", ROOT),
            text(NAME, " 8", ROOT),
            text(NAME, "0x8", ROOT),
            text(NAME, "9223372036854775808", ROOT),
            text(NAME, "18446744073709551616", ROOT),
            text(NAME, "0", ROOT), // an empty tree has but one root
            text(NAME, "00", EMPTY),
            text(NAME, "8", &ROOT[..43]),
            text(NAME, "8", &ROOT.replace("g=", "h=")),
            text(NAME, "8", &format!("{ROOT} ")),
            text(NAME, "8", ""),
            format!("{}extension\n", text(NAME, "8", ROOT)),
            format!("{}\n", text(NAME, "8", ROOT)),
            format!("{NAME}\n8\n{ROOT}"),
            format!("{NAME}\n8\n"),
            String::new(),
        ] {
            let malformed = Err(CheckpointError::Malformed);
            assert_eq!(Checkpoint::from_text(&bad), malformed, "{bad:?}");
        }
    }

    #[test]
    fn what_could_not_be_read_is_not_signed() {
        let with = |origin: &str, size, root| Checkpoint {
            origin: origin.into(),
            size,
            root,
        };
        let root = checkpoint().root;
        for bad in [
            with("", 8, root),
            with("two\nlines", 8, root),
            with("a\n\nb", 8, root),
            with(&"x".repeat(9_000), 8, root),
            with(NAME, u64::MAX, root),
            with(NAME, 0, root),
        ] {
            assert!(bad.sign(NAME, &key()).is_err(), "{bad:?}");
        }
        for name in ["", "a b", "a+b", "a\nb", &"x".repeat(256)] {
            let refused = checkpoint().sign(name, &key());
            assert_eq!(refused, Err(CheckpointError::Note(NoteError::KeyName)));
        }
    }

    /// With the identity point as public key and as R, and S = 0, lax verification accepts any text.
    #[test]
    fn a_key_of_small_order_signs_nothing() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let weak = VerifyingKey::from_bytes(&identity).unwrap();
        let mut forged = [0; 64];
        forged[0] = 1;
        let line = NoteSignature::new(NAME, key_id(NAME, TYPE_ED25519, &weak), forged.to_vec());
        let note = Note::new(&checkpoint().to_text(), &[line.unwrap()]).unwrap();
        let signature = Signature::from_bytes(&forged);
        use ed25519_dalek::Verifier as _;
        assert!(weak.verify(note.text().as_bytes(), &signature).is_ok());
        let signed = SignedCheckpoint::from_note(note).unwrap();
        let refused = signed.verify(NAME, &weak);
        assert_eq!(refused, Err(CheckpointError::Note(NoteError::BadSignature)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_altered_byte_never_verifies(at: prop::sample::Index, flip in 1_u8..=255) {
            let signed = checkpoint().sign(NAME, &key()).unwrap();
            let mut bytes = signed.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let accepted = SignedCheckpoint::parse(&bytes)
                .is_ok_and(|altered| altered.verify(NAME, &key().verifying_key()).is_ok());
            prop_assert!(!accepted);
        }

        #[test]
        fn round_trip(origin in "[a-zé./ 0-9+-]{1,40}", size in 1..=MAX_TREE_SIZE, root: [u8; 32]) {
            let root = TreeHash::from_bytes(root);
            let checkpoint = Checkpoint { origin, size, root };
            let signed = checkpoint.sign(NAME, &key()).unwrap();
            let parsed = SignedCheckpoint::parse(signed.as_bytes()).unwrap();
            prop_assert_eq!(parsed.verify(NAME, &key().verifying_key()), Ok(&checkpoint));
            prop_assert_eq!(parsed, signed);
        }
    }
}
