//! What one side can show of a vault's log, in a file that people may pass on and look at.
//!
//! It holds nothing secret: signatures of the vault, hashes of salted commitments, the signed head
//! that any node on the way has seen too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::fork::roots_at;
use super::prove::log_signer;
use super::statement::{LogStatement, StatementError};
use super::tiles::LogBlocks;
use crate::head::{Head, HeadError};
use crate::identity::{Signers, SignersError};
use crate::ids::VaultId;
use crate::keys::PublicKey;
use crate::log::{Checkpoint, LogProofError, SignedCheckpoint, TreeHash};
use crate::store::BlockSource;

/// Longest evidence that is read or written, in bytes.
pub const MAX_EVIDENCE_LEN: usize = 64 << 20;

/// Most leaf hashes that are written, so that the text keeps within [`MAX_EVIDENCE_LEN`].
const MAX_LEAVES: u64 = 1_500_000;

const FORM: &str = "evidence/1";

/// Why evidence was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// More than [`MAX_EVIDENCE_LEN`] bytes.
    #[error("the evidence is too long")]
    TooLong,
    /// Not evidence in the form that is known.
    #[error("this is not evidence about a vault's log: {0}")]
    Malformed(String),
    /// The owner's list of signing keys does not hold, or is of another vault.
    #[error(transparent)]
    Signers(#[from] SignersError),
    /// The checkpoint does not hold.
    #[error(transparent)]
    Checkpoint(#[from] LogProofError),
    /// The head does not hold.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The statement does not hold.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// Head and checkpoint say different things.
    #[error("the head in the evidence has another checkpoint")]
    OtherCheckpoint,
    /// The leaf hashes do not give the signed root.
    #[error("the leaf hashes in the evidence do not give the signed root")]
    Leaves,
}

/// What one side can show. Every signature in it holds, and its leaf hashes give the signed root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub(super) signers: Signers,
    pub(super) checkpoint: SignedCheckpoint,
    pub(super) head: Option<Head>,
    pub(super) leaves: Option<Vec<TreeHash>>,
    pub(super) statement: Option<LogStatement>,
    signer: PublicKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    medvault: String,
    vault: String,
    signers: String,
    checkpoint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    statement: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leaves: Option<String>,
}

impl Evidence {
    /// Puts evidence together and checks it.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub(crate) fn new(
        signers: Signers,
        checkpoint: SignedCheckpoint,
        head: Option<Head>,
        leaves: Option<Vec<TreeHash>>,
    ) -> Result<Self, EvidenceError> {
        let signer = log_signer(&checkpoint, &signers)?;
        let log = checkpoint.unverified();
        if let Some(head) = &head {
            if head.vault() != signers.vault() {
                return Err(HeadError::OtherVault.into());
            }
            if head.checkpoint() != log {
                return Err(EvidenceError::OtherCheckpoint);
            }
        }
        let gives_root = |leaves: &Vec<TreeHash>| {
            leaves.len() as u64 == log.size && roots_at(leaves, &[log.size]) == [log.root]
        };
        if !leaves.as_ref().is_none_or(gives_root) {
            return Err(EvidenceError::Leaves);
        }
        Ok(Self {
            signers,
            checkpoint,
            head,
            leaves,
            statement: None,
            signer,
        })
    }

    /// What a head shows. The log's hashes are taken along if `source` has them and they give the
    /// signed root.
    ///
    /// # Errors
    /// [`EvidenceError::Head`].
    pub fn of_head(bytes: &[u8], source: &dyn BlockSource) -> Result<Self, EvidenceError> {
        let head = Head::from_bytes(bytes)?;
        let size = head.checkpoint().size;
        let checkpoint =
            SignedCheckpoint::parse(head.checkpoint_bytes()).map_err(LogProofError::from)?;
        let signers = head.signers().clone();
        let mut bare = Self::new(signers, checkpoint, Some(head.clone()), None)?;
        if size <= MAX_LEAVES {
            let leaves = LogBlocks::new(source, &head.body.log).leaves(size).ok();
            bare.leaves =
                leaves.filter(|leaves| roots_at(leaves, &[size]) == [head.checkpoint().root]);
        }
        Ok(bare)
    }

    /// What a checkpoint alone shows, signed by a key in `signers`.
    ///
    /// # Errors
    /// [`EvidenceError::Checkpoint`].
    pub fn of_checkpoint(bytes: &[u8], signers: &Signers) -> Result<Self, EvidenceError> {
        let checkpoint = SignedCheckpoint::parse(bytes).map_err(LogProofError::from)?;
        Self::new(signers.clone(), checkpoint, None, None)
    }

    /// What a vault stated about its log when it was asked, and nothing else.
    ///
    /// # Errors
    /// [`EvidenceError::Statement`].
    pub fn of_statement(bytes: &[u8], signers: &Signers) -> Result<Self, EvidenceError> {
        let statement = LogStatement::from_bytes(bytes, signers)?;
        let checkpoint = statement.signed_checkpoint().clone();
        let bare = Self::new(signers.clone(), checkpoint, None, None)?;
        Ok(Self {
            statement: Some(statement),
            ..bare
        })
    }

    /// Adds what the vault stated about its log when it was asked.
    ///
    /// # Errors
    /// [`EvidenceError::Statement`].
    pub fn with_statement(mut self, bytes: &[u8]) -> Result<Self, EvidenceError> {
        self.statement = Some(LogStatement::from_bytes(bytes, &self.signers)?);
        Ok(self)
    }

    /// The text: JSON with a line for each part, binary values in base64.
    ///
    /// # Errors
    /// [`EvidenceError::TooLong`].
    pub fn to_text(&self) -> Result<String, EvidenceError> {
        let encode = |bytes: &[u8]| STANDARD.encode(bytes);
        let wire = Wire {
            medvault: FORM.into(),
            vault: self.vault().to_string(),
            signers: encode(self.signers.as_bytes()),
            checkpoint: self.checkpoint.as_str().to_owned(),
            head: self.head.as_ref().map(|head| encode(head.block().data())),
            statement: self.statement.as_ref().map(|s| encode(s.as_bytes())),
            leaves: self.leaves.as_ref().map(|l| encode(&TreeHash::concat(l))),
        };
        let malformed = |error: serde_json::Error| EvidenceError::Malformed(error.to_string());
        let mut text = serde_json::to_string_pretty(&wire).map_err(malformed)?;
        text.push('\n');
        match text.len() <= MAX_EVIDENCE_LEN {
            true => Ok(text),
            false => Err(EvidenceError::TooLong),
        }
    }

    /// Reads evidence and checks every signature in it, and that the leaf hashes give the signed
    /// root.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn parse(text: &str) -> Result<Self, EvidenceError> {
        if text.len() > MAX_EVIDENCE_LEN {
            return Err(EvidenceError::TooLong);
        }
        let malformed = |what: &str| EvidenceError::Malformed(what.to_owned());
        let wire: Wire =
            serde_json::from_str(text).map_err(|error| malformed(&error.to_string()))?;
        if wire.medvault != FORM {
            return Err(malformed("of another form, or of a newer version"));
        }
        let vault: VaultId = wire.vault.parse().map_err(|_| malformed("vault"))?;
        let decode = |name: &str, text: &str| STANDARD.decode(text).map_err(|_| malformed(name));
        let signers = Signers::for_vault(&decode("signers", &wire.signers)?, &vault)?;
        let checkpoint =
            SignedCheckpoint::parse(wire.checkpoint.as_bytes()).map_err(LogProofError::from)?;
        let head = match &wire.head {
            Some(head) => Some(Head::for_vault(&decode("head", head)?, &vault)?),
            None => None,
        };
        let leaves = match &wire.leaves {
            Some(leaves) => {
                let bytes = decode("leaves", leaves)?;
                Some(TreeHash::split(&bytes).ok_or_else(|| malformed("leaves"))?)
            }
            None => None,
        };
        let this = Self::new(signers, checkpoint, head, leaves)?;
        match &wire.statement {
            Some(statement) => this.with_statement(&decode("statement", statement)?),
            None => Ok(this),
        }
    }

    /// The vault.
    pub fn vault(&self) -> VaultId {
        self.signers.vault()
    }

    /// The keys that may sign for the vault, as this side knows them.
    pub const fn signers(&self) -> &Signers {
        &self.signers
    }

    /// Size and root of the log.
    pub fn checkpoint(&self) -> &Checkpoint {
        self.checkpoint.unverified()
    }

    /// The key that signed them.
    pub const fn signer(&self) -> &PublicKey {
        &self.signer
    }

    /// The keys that signed what is in it.
    pub(super) fn signed_by(&self) -> impl Iterator<Item = &PublicKey> {
        let head = self.head.as_ref().map(|head| &head.body.signer);
        let stated = self.statement.iter().flat_map(LogStatement::signed_by);
        [Some(&self.signer), head]
            .into_iter()
            .flatten()
            .chain(stated)
    }

    /// The head, if it is part of this.
    pub const fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// What the vault stated when it was asked, if that is part of this.
    pub const fn statement(&self) -> Option<&LogStatement> {
        self.statement.as_ref()
    }

    /// Whether the hashes of all entries are part of this.
    pub const fn has_leaves(&self) -> bool {
        self.leaves.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Digest;
    use crate::fuzzing::{device, owner};
    use crate::log::leaf_hash;
    use crate::samples;
    use crate::store::MemoryStore;

    #[test]
    fn evidence_is_read_as_it_was_written() {
        let evidence = samples::evidence();
        let text = evidence.to_text().unwrap();
        assert!(text.starts_with("{\n  \"medvault\": \"evidence/1\",\n  \"vault\": \""));
        assert!(text.contains(r#""checkpoint": "medvault/"#));
        assert_eq!(Evidence::parse(&text).unwrap(), evidence);
        assert_eq!(evidence.signer(), &device().public());
        let request = Digest::of(b"request");
        let bytes = evidence.checkpoint.as_bytes();
        let statement = LogStatement::sign(&samples::vault(), &request, None, 5, bytes, &device());
        let stated = evidence.with_statement(&statement).unwrap();
        let again = Evidence::parse(&stated.to_text().unwrap()).unwrap();
        assert_eq!(again.statement().unwrap().request(), &request);
        assert_eq!(again, stated);
    }

    #[test]
    fn a_statement_and_what_was_seen_before_are_evidence_by_themselves() {
        let evidence = samples::evidence();
        let (bytes, signers) = (evidence.checkpoint.as_bytes(), evidence.signers());
        let seen = Evidence::of_checkpoint(bytes, signers).unwrap();
        assert_eq!(seen.checkpoint(), evidence.checkpoint());
        assert!(seen.head().is_none() && !seen.has_leaves());
        let request = Digest::of(b"request");
        let vault = samples::vault();
        let statement = LogStatement::sign(&vault, &request, None, 5, bytes, &device());
        let stated = Evidence::of_statement(&statement, signers).unwrap();
        assert_eq!(stated.checkpoint(), evidence.checkpoint());
        assert_eq!(stated.statement().unwrap().as_bytes(), statement);
        let again = Evidence::parse(&stated.to_text().unwrap()).unwrap();
        assert_eq!(again, stated);
        let foreign = Signers::new(&owner(), 9, vec![], vec![]);
        assert!(Evidence::of_checkpoint(bytes, &foreign).is_err());
        assert!(Evidence::of_statement(&statement, &foreign).is_err());
    }

    #[test]
    fn what_does_not_hold_together_is_refused() {
        let good = samples::evidence().to_text().unwrap();
        let wire: serde_json::Value = serde_json::from_str(&good).unwrap();
        let parse = |name: &str, value: serde_json::Value| {
            let mut wire = wire.clone();
            wire[name] = value;
            Evidence::parse(&wire.to_string()).unwrap_err()
        };
        let leaves = STANDARD.encode(leaf_hash(b"x").as_bytes().repeat(3));
        assert!(matches!(
            parse("leaves", leaves.into()),
            EvidenceError::Leaves
        ));
        let short = STANDARD.encode([1; 95]);
        assert!(matches!(
            parse("leaves", short.into()),
            EvidenceError::Malformed(_)
        ));
        let other = VaultId::from_bytes([1; 32]).to_string();
        let error = parse("vault", other.into());
        assert!(matches!(
            error,
            EvidenceError::Signers(SignersError::OtherVault)
        ));
        let foreign = Signers::new(&owner(), 9, vec![], vec![]);
        let error = parse("signers", STANDARD.encode(foreign.as_bytes()).into());
        assert!(matches!(error, EvidenceError::Checkpoint(_)));
        let head = STANDARD.encode(samples::head().block().data());
        let error = parse("head", head.into());
        assert!(matches!(error, EvidenceError::OtherCheckpoint));
        assert!(matches!(
            parse("head", "AAAA".into()),
            EvidenceError::Head(_)
        ));
        assert!(matches!(
            parse("statement", "AAAA".into()),
            EvidenceError::Statement(_)
        ));
        assert!(matches!(
            parse("more", 1.into()),
            EvidenceError::Malformed(_)
        ));
        assert!(matches!(
            parse("medvault", "evidence/2".into()),
            EvidenceError::Malformed(_)
        ));
    }

    #[test]
    fn a_head_whose_hashes_cannot_be_had_is_evidence_all_the_same() {
        let head = samples::head();
        let evidence = Evidence::of_head(head.block().data(), &MemoryStore::new()).unwrap();
        assert!(!evidence.has_leaves());
        assert_eq!(evidence.head(), Some(&head));
    }
}
