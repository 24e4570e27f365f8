//! Proofs that one leaf is in a log, as a text of their own (C2SP tlog-proof).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;

use super::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use super::merkle::{InclusionProof, MAX_TREE_SIZE, ProofError, TreeHash, verify_inclusion};
use super::note::MAX_NOTE_LEN;

/// The most extra data a proof may carry, in bytes.
pub const MAX_PROOF_EXTRA: usize = 96 * 1024;

/// The most hashes of a proof: the height of a tree of [`MAX_TREE_SIZE`] leaves.
pub(crate) const MAX_PATH: usize = 63;

/// The longest text that is read, in bytes: the extra data in base64, the hashes, the checkpoint.
pub const MAX_PROOF_LEN: usize =
    MAX_PROOF_EXTRA.div_ceil(3) * 4 + MAX_PATH * 45 + MAX_NOTE_LEN + 64;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1\n";

/// Why the text of a proof was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogProofError {
    /// More than [`MAX_PROOF_LEN`] bytes.
    #[error("log proof is too long")]
    TooLong,
    /// Not a proof in its only form.
    #[error("malformed log proof")]
    Malformed,
    /// The checkpoint inside, or its signature.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is of another log.
    #[error("the checkpoint is of another log")]
    OtherLog,
    /// The hashes do not lead from the leaf to the signed root.
    #[error(transparent)]
    Inclusion(#[from] ProofError),
}

/// A proof that a leaf is in a log, with everything but the leaf itself and the log's key.
///
/// Nothing in it is verified until [`LogProof::verify`]; the extra data never is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogProof {
    /// What the application adds; not authenticated. At most [`MAX_PROOF_EXTRA`] bytes; none and
    /// empty are written alike.
    pub extra: Option<Vec<u8>>,
    /// Position of the leaf, from 0.
    pub index: u64,
    /// From the leaf's sibling up to the root's child.
    pub inclusion: InclusionProof,
    /// The log's size and root, signed.
    pub checkpoint: SignedCheckpoint,
}

impl LogProof {
    /// The text (C2SP tlog-proof, section "Format"); files of it end in `.tlog-proof`.
    pub fn to_text(&self) -> String {
        let mut text = FIRST_LINE.to_owned();
        if let Some(extra) = self.extra.as_ref().filter(|extra| !extra.is_empty()) {
            text += &format!("extra {}\n", STANDARD.encode(extra));
        }
        text += &format!("index {}\n", self.index);
        for hash in &self.inclusion.0 {
            text += &format!("{hash}\n");
        }
        text.push('\n');
        text.push_str(self.checkpoint.as_str());
        text
    }

    /// Reads a text.
    ///
    /// # Errors
    /// [`LogProofError`] for anything but the one form [`LogProof::to_text`] gives; the input is
    /// not trusted and never causes a panic.
    pub fn parse(text: &str) -> Result<Self, LogProofError> {
        if text.len() > MAX_PROOF_LEN {
            return Err(LogProofError::TooLong);
        }
        let malformed = LogProofError::Malformed;
        let body = text.strip_prefix(FIRST_LINE).ok_or(malformed)?;
        // no line before the checkpoint is empty
        let (lines, checkpoint) = body.split_once("\n\n").ok_or(malformed)?;
        let mut lines = lines.split('\n').peekable();
        let extra = lines.peek().and_then(|line| line.strip_prefix("extra "));
        let extra = match extra {
            Some(encoded) => {
                lines.next();
                Some(STANDARD.decode(encoded).map_err(|_| malformed)?)
            }
            None => None,
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index: u64 = index
            .and_then(|text| text.parse().ok())
            .filter(|index| *index < MAX_TREE_SIZE)
            .ok_or(malformed)?;
        let hashes: Option<Vec<_>> = lines
            .take(MAX_PATH + 1)
            .map(TreeHash::from_base64)
            .collect();
        let hashes = hashes
            .filter(|hashes| hashes.len() <= MAX_PATH)
            .ok_or(malformed)?;
        let proof = Self {
            extra,
            index,
            inclusion: InclusionProof(hashes),
            checkpoint: SignedCheckpoint::parse(checkpoint.as_bytes())?,
        };
        // one form only: the integer parser takes a plus sign and leading zeros
        let short = proof.extra.as_ref().map_or(0, Vec::len) <= MAX_PROOF_EXTRA;
        (short && proof.to_text() == text)
            .then_some(proof)
            .ok_or(malformed)
    }

    /// Checks that the log `name`, whose key is `key`, signed a checkpoint that holds `leaf` at
    /// [`LogProof::index`] (C2SP tlog-proof, section "Verifying a tlog proof", steps 2 and 4).
    /// `name` is both the origin and the name of the key; countersignatures are left unchecked.
    ///
    /// # Errors
    /// [`LogProofError`].
    pub fn verify(
        &self,
        leaf: &TreeHash,
        name: &str,
        key: &VerifyingKey,
    ) -> Result<&Checkpoint, LogProofError> {
        if self.checkpoint.unverified().origin != name {
            return Err(LogProofError::OtherLog);
        }
        let checkpoint = self.checkpoint.verify(name, key)?;
        let (size, root) = (checkpoint.size, &checkpoint.root);
        verify_inclusion(self.index, size, leaf, &self.inclusion, root)?;
        Ok(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::super::note::NoteError;
    use super::super::testing::{leaf, tree};
    use super::super::{cosign, prove_inclusion};
    use super::*;
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    const NAME: &str = "log.example/7";

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn proof(size: u64, index: u64, extra: Option<Vec<u8>>) -> LogProof {
        let (_, tiles, appender) = tree(size);
        let checkpoint = Checkpoint {
            origin: NAME.into(),
            size,
            root: appender.root(),
        };
        LogProof {
            extra,
            index,
            inclusion: prove_inclusion(&tiles, size, index).unwrap(),
            checkpoint: checkpoint.sign(NAME, &key()).unwrap(),
        }
    }

    #[test]
    fn the_text_has_the_lines_of_the_specification() {
        let proof = proof(3, 2, Some(b"hi".to_vec()));
        let text = proof.to_text();
        let lines: Vec<&str> = text.split('\n').collect();
        assert_eq!(
            lines[..3],
            ["c2sp.org/tlog-proof@v1", "extra aGk=", "index 2"]
        );
        assert_eq!(lines[3], proof.inclusion.0[0].to_string());
        assert_eq!(lines[4..7], ["", NAME, "3"]);
        assert!(text.ends_with(std::str::from_utf8(proof.checkpoint.as_bytes()).unwrap()));
        assert_eq!(LogProof::parse(&text), Ok(proof));
    }

    /// The parser of another implementation allows a proof without hashes; so does ours.
    #[test]
    fn a_log_of_one_entry_needs_no_hashes_and_cosignatures_ride_along() {
        let mut proof = proof(1, 0, None);
        let checkpoint = proof.checkpoint.unverified().clone();
        let other = SigningKey::from_bytes(&[8; 32]);
        let witness = cosign(&proof.checkpoint, "w.example", &other, 5);
        proof.checkpoint = proof.checkpoint.with_signature(witness.unwrap()).unwrap();
        let text = proof.to_text();
        assert!(text.starts_with("c2sp.org/tlog-proof@v1\nindex 0\n\nlog.example/7\n1\n"));
        let parsed = LogProof::parse(&text).unwrap();
        assert_eq!(parsed.checkpoint.signatures().len(), 2);
        let known = key().verifying_key();
        assert_eq!(parsed.verify(&leaf(0), NAME, &known), Ok(&checkpoint));
    }

    #[test]
    fn every_looser_form_is_refused() {
        let good = proof(3, 2, Some(b"hi".to_vec())).to_text();
        assert!(LogProof::parse(&good).is_ok());
        for (from, to) in [
            ("tlog-proof@v1", "tlog-proof@v2"),
            ("tlog-proof@v1\n", "tlog-proof@v1\r\n"),
            ("extra aGk=\n", "extra \n"),
            ("extra aGk=\n", "extra aGk\n"),
            ("extra aGk=\n", "extra aGl=\n"),
            ("extra aGk=\n", "extra  aGk=\n"),
            ("extra aGk=\n", "extra aGk=\nextra aGk=\n"),
            ("extra aGk=\nindex 2\n", "index 2\nextra aGk=\n"),
            ("index 2\n", "index 02\n"),
            ("index 2\n", "index +2\n"),
            ("index 2\n", "index 9223372036854775807\n"),
            ("index 2\n", ""),
            ("index 2\n", "index 2\n\n"),
            ("\n\nlog", "\n\n\nlog"),
            ("\n\nlog", "\nlog"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert!(LogProof::parse(&bad).is_err(), "{bad}");
        }
        let hash = format!("{}\n", leaf(1));
        let many = good.replacen("index 2\n", &format!("index 2\n{}", hash.repeat(62)), 1);
        assert_eq!(LogProof::parse(&many).unwrap().inclusion.0.len(), MAX_PATH);
        let many = many.replacen("index 2\n", &format!("index 2\n{hash}"), 1);
        assert_eq!(LogProof::parse(&many), Err(LogProofError::Malformed));

        let largest = proof(3, 2, Some(vec![7; MAX_PROOF_EXTRA])).to_text();
        assert!(LogProof::parse(&largest).is_ok());
        let larger = proof(3, 2, Some(vec![7; MAX_PROOF_EXTRA + 1])).to_text();
        assert_eq!(LogProof::parse(&larger), Err(LogProofError::Malformed));
        let long = "x".repeat(MAX_PROOF_LEN + 1);
        assert_eq!(LogProof::parse(&long), Err(LogProofError::TooLong));
    }

    #[test]
    fn another_leaf_log_or_key_does_not_verify() {
        let proof = proof(300, 299, None);
        let known = key().verifying_key();
        assert!(proof.verify(&leaf(299), NAME, &known).is_ok());
        let mismatch = Err(LogProofError::Inclusion(ProofError::RootMismatch));
        assert_eq!(proof.verify(&leaf(298), NAME, &known), mismatch);
        let other = proof.verify(&leaf(299), "log.example/8", &known);
        assert_eq!(other, Err(LogProofError::OtherLog));
        let stranger = SigningKey::from_bytes(&[8; 32]).verifying_key();
        let not_signed = LogProofError::Checkpoint(NoteError::NotSigned.into());
        assert_eq!(proof.verify(&leaf(299), NAME, &stranger), Err(not_signed));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_written_is_read(size in 1_u64..300, pick: u64, extra: Vec<u8>) {
            let extra = Some(extra).filter(|extra| !extra.is_empty());
            let proof = proof(size, pick % size, extra);
            let parsed = LogProof::parse(&proof.to_text()).unwrap();
            prop_assert!(parsed.verify(&leaf(pick % size), NAME, &key().verifying_key()).is_ok());
            prop_assert_eq!(parsed, proof);
        }

        #[test]
        fn an_altered_byte_never_verifies(at: prop::sample::Index, flip in 1_u8..128) {
            let text = proof(9, 4, None).to_text();
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let accepted = std::str::from_utf8(&bytes)
                .ok()
                .and_then(|text| LogProof::parse(text).ok())
                .is_some_and(|p| p.verify(&leaf(4), NAME, &key().verifying_key()).is_ok());
            prop_assert!(!accepted);
        }
    }
}
