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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &str = "\u{2014} a.example/k AQIDBAU=\n";

    fn parse(note: &str) -> Result<Note, NoteError> {
        Note::parse(note.as_bytes())
    }

    /// The note and the key that the reference implementation (Go's sumdb/note) is tested with.
    #[test]
    fn a_note_of_the_reference_implementation_verifies() {
        let note = parse(
            "If you think cryptography is the answer to your problem,\n\
             then you don't know what your problem is.\n\n\
             \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
        )
        .unwrap();
        let key = STANDARD
            .decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
            .unwrap();
        let key = VerifyingKey::from_bytes(key[1..].try_into().unwrap()).unwrap();
        let line = note
            .signature_of("PeterNeumann", TYPE_ED25519, &key)
            .unwrap();
        assert_eq!(line.key_id(), [0xc7, 0x4f, 0x20, 0xa3]);
        let signature = ed25519_dalek::Signature::from_slice(line.signature()).unwrap();
        assert!(
            key.verify_strict(note.text().as_bytes(), &signature)
                .is_ok()
        );
        assert!(note.signature_of("Peter", TYPE_ED25519, &key).is_err());
        assert!(
            note.signature_of("PeterNeumann", TYPE_COSIGNATURE, &key)
                .is_err()
        );
    }

    #[test]
    fn the_last_empty_line_ends_the_text() {
        let note = parse(&format!("one\n\ntwo\n\n{LINE}")).unwrap();
        assert_eq!(note.text(), "one\n\ntwo\n");
        assert_eq!(note.signatures().len(), 1);
        assert_eq!(note.signatures()[0].name(), "a.example/k");
        assert_eq!(note.signatures()[0].signature(), [5]);
        assert_eq!(note.signatures()[0].line(), LINE);
    }

    #[test]
    fn every_looser_form_is_refused() {
        for note in [
            "",
            "\n\n",
            "text\n",
            "text\n\n",
            "text\n\n\n",
            "text\n\n\u{2014} a.example/k AQIDBAU=", // no final newline
            "text\n\u{2014} a.example/k AQIDBAU=\n", // no empty line
            "text\n\n- a.example/k AQIDBAU=\n",      // another dash
            "text\n\n\u{2014} a.example/k  AQIDBAU=\n", // two spaces
            "text\n\n\u{2014} a.example/k AQIDBAU= \n", // a space behind
            "text\n\n\u{2014}  AQIDBAU=\n",          // no name
            "text\n\n\u{2014} a+b AQIDBAU=\n",       // a plus in the name
            "text\n\n\u{2014} a\u{a0}b AQIDBAU=\n",  // a Unicode space in the name
            "text\n\n\u{2014} a.example/k AQIDBA==\n", // a key id only
            "text\n\n\u{2014} a.example/k AQIDBAU\n", // no padding
            "text\n\n\u{2014} a.example/k AQIDBAV=\n", // spare bits set
            "text\r\n\n\u{2014} a.example/k AQIDBAU=\n", // a carriage return
            "te\txt\n\n\u{2014} a.example/k AQIDBAU=\n", // a tab
            "text\n\n\u{2014} a.example/k AQIDBAU=\nmore\n", // a line that is no signature
        ] {
            assert_eq!(parse(note), Err(NoteError::Malformed), "{note:?}");
        }
        assert_eq!(Note::parse(b"te\xffxt\n\n"), Err(NoteError::Malformed));
        let twice = format!("text\n\n{LINE}{LINE}");
        assert_eq!(parse(&twice), Err(NoteError::DuplicateSignature));
    }

    #[test]
    fn length_and_number_of_signatures_are_limited() {
        let lines = |count: u8| -> String {
            let line = |n: u8| NoteSignature::new("k", [n; 4], vec![n]).unwrap().line();
            (0..count).map(line).collect()
        };
        assert!(parse(&format!("text\n\n{}", lines(16))).is_ok());
        let many = parse(&format!("text\n\n{}", lines(17)));
        assert_eq!(many, Err(NoteError::TooManySignatures));

        let rest = MAX_NOTE_LEN - LINE.len() - 2;
        let longest = format!("{}\n\n{LINE}", "x".repeat(rest));
        assert_eq!(parse(&longest).unwrap().as_str(), longest);
        let longer = format!("x{longest}");
        assert_eq!(parse(&longer), Err(NoteError::TooLong));
    }

    proptest! {
        #[test]
        fn what_parses_is_put_together_the_same(note in "[a-c \n]{0,8}\n\n(\u{2014} [a-z]{1,3} AQIDBAU=\n){0,3}") {
            if let Ok(parsed) = parse(&note) {
                let again = Note::new(parsed.text(), parsed.signatures()).unwrap();
                prop_assert_eq!(again.as_str(), note);
            }
        }

        #[test]
        fn no_bytes_cause_a_panic(bytes: Vec<u8>, note in "\\PC*\n\n\u{2014} \\PC*\n") {
            let _ = Note::parse(&bytes);
            let _ = parse(&note);
        }
    }
}
