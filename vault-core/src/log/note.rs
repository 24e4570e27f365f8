//! Signed notes (C2SP signed-note): text, and signature lines that name their key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha256};

/// The longest note that is read or made, in bytes, signatures included.
pub const MAX_NOTE_LEN: usize = 8 * 1024;
/// The most signatures a note may carry.
pub const MAX_NOTE_SIGNATURES: usize = 16;

/// Signature type byte of a plain Ed25519 signature (C2SP signed-note, "Signature types").
pub(super) const TYPE_ED25519: u8 = 0x01;
/// Signature type byte of an Ed25519 cosignature (C2SP tlog-cosignature).
pub(super) const TYPE_COSIGNATURE: u8 = 0x04;

const DASH: &str = "\u{2014} ";

/// Why a note or one of its signatures was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// More than [`MAX_NOTE_LEN`] bytes.
    #[error("note is too long")]
    TooLong,
    /// More than [`MAX_NOTE_SIGNATURES`] signatures.
    #[error("note has too many signatures")]
    TooManySignatures,
    /// Not a signed note: encoding, line ends, separator or a signature line.
    #[error("malformed signed note")]
    Malformed,
    /// Two signature lines for the same key.
    #[error("note has two signatures of one key")]
    DuplicateSignature,
    /// A key name that is empty, too long, or holds a space, a plus or a control character.
    #[error("not a valid key name")]
    KeyName,
    /// No signature line for the wanted key.
    #[error("note is not signed by the expected key")]
    NotSigned,
    /// A signature line for the wanted key that does not verify.
    #[error("signature does not verify")]
    BadSignature,
    /// A cosignature time above 2^63 - 1.
    #[error("cosignature time is out of range")]
    Time,
}

/// One signature line of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    key_id: [u8; 4],
    signature: Vec<u8>,
}

impl NoteSignature {
    pub(super) fn new(name: &str, key_id: [u8; 4], signature: Vec<u8>) -> Result<Self, NoteError> {
        check_name(name)?;
        Ok(Self {
            name: name.to_owned(),
            key_id,
            signature,
        })
    }

    /// The signer's key name. Not verified.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key id: the first 4 bytes of SHA-256 over name, newline, signature type and public key.
    /// Not verified.
    pub fn key_id(&self) -> [u8; 4] {
        self.key_id
    }

    /// The signature's bytes after the key id; their form depends on the signature type.
    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }

    pub(super) fn is_of(&self, name: &str, key_id: [u8; 4]) -> bool {
        self.name == name && self.key_id == key_id
    }

    /// Reads one line, without its newline.
    fn parse(line: &str) -> Result<Self, NoteError> {
        let (name, encoded) = line
            .strip_prefix(DASH)
            .and_then(|rest| rest.split_once(' '))
            .ok_or(NoteError::Malformed)?;
        check_name(name).map_err(|_| NoteError::Malformed)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::Malformed)?;
        match bytes.split_first_chunk::<4>() {
            Some((key_id, signature)) if !signature.is_empty() => {
                Self::new(name, *key_id, signature.to_vec())
            }
            _ => Err(NoteError::Malformed),
        }
    }

    /// The line, with its newline.
    fn line(&self) -> String {
        let bytes = [&self.key_id[..], &self.signature].concat();
        format!("{DASH}{} {}\n", self.name, STANDARD.encode(bytes))
    }
}

/// Key id of an Ed25519 key under a name, for one signature type.
pub(super) fn key_id(name: &str, signature_type: u8, key: &VerifyingKey) -> [u8; 4] {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', signature_type])
        .chain_update(key.as_bytes())
        .finalize()
        .into();
    [hash[0], hash[1], hash[2], hash[3]]
}

fn check_name(name: &str) -> Result<(), NoteError> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if name.is_empty() || name.len() > 255 || name.contains(bad) {
        return Err(NoteError::KeyName);
    }
    Ok(())
}

/// A note as it was read or made: its exact bytes, the text's length, the signatures in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    bytes: String,
    text_len: usize,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// Puts a note together. `text` must end in a newline.
    pub(super) fn new(text: &str, signatures: &[NoteSignature]) -> Result<Self, NoteError> {
        let lines: String = signatures.iter().map(NoteSignature::line).collect();
        // One way in: what is made must be what is read.
        Self::parse(format!("{text}\n{lines}").as_bytes())
    }

    /// Reads a note.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_LEN {
            return Err(NoteError::TooLong);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed)?;
        if note.contains(|c: char| c < ' ' && c != '\n') {
            return Err(NoteError::Malformed);
        }
        let text_len = note.rfind("\n\n").ok_or(NoteError::Malformed)? + 1;
        let lines = note[text_len + 1..]
            .strip_suffix('\n')
            .ok_or(NoteError::Malformed)?;
        let mut signatures: Vec<NoteSignature> = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == MAX_NOTE_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            let signature = NoteSignature::parse(line)?;
            if signatures
                .iter()
                .any(|other| other.is_of(&signature.name, signature.key_id))
            {
                return Err(NoteError::DuplicateSignature);
            }
            signatures.push(signature);
        }
        Ok(Self {
            bytes: note.to_owned(),
            text_len,
            signatures,
        })
    }

    /// The signed text, final newline included.
    pub(super) fn text(&self) -> &str {
        &self.bytes[..self.text_len]
    }

    pub(super) fn as_str(&self) -> &str {
        &self.bytes
    }

    pub(super) fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The signature of a key, if there is one.
    pub(super) fn signature_of(
        &self,
        name: &str,
        signature_type: u8,
        key: &VerifyingKey,
    ) -> Result<&NoteSignature, NoteError> {
        let id = key_id(name, signature_type, key);
        self.signatures
            .iter()
            .find(|signature| signature.is_of(name, id))
            .ok_or(NoteError::NotSigned)
    }
}
