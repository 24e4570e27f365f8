//! C2SP CCTV: the age test kit, 143 files.
//!
//! Every file goes through the `age` crate with our hybrid identity; then, where one of our own
//! functions would read it, through that too.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use age::armor::{ArmoredReadError, ArmoredReader};
use age::{DecryptError, Decryptor, Identity, scrypt, x25519};
use data_encoding::HEXLOWER;
use flate2::read::ZlibDecoder;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use vault_core::{EnvelopeError, IdentityKey, decrypt_with, decrypt_with_passphrase};

const ARMOR_BEGIN: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
const MAX_WORK_FACTOR: u8 = 22;

/// What the `age` crate does otherwise than the test kit asks, with what it does.
const DEVIATIONS: [(&str, &str); 3] = [
    ("stanza_missing_body", "success"),
    ("stanza_missing_final_line", "success"),
    ("armor_whitespace_outside", "armor failure"),
];

/// One file of the kit.
struct Case {
    name: String,
    fields: BTreeMap<String, String>,
    identities: Vec<String>,
    passphrases: Vec<SecretString>,
    file: Vec<u8>,
}

impl Case {
    fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap();
        let mut fields = BTreeMap::new();
        let (mut identities, mut passphrases) = (Vec::new(), Vec::new());
        for line in std::str::from_utf8(&bytes[..end]).unwrap().lines() {
            let (key, value) = line.split_once(": ").unwrap();
            match key {
                "identity" => identities.push(value.to_owned()),
                "passphrase" => passphrases.push(SecretString::from(value)),
                _ => assert!(fields.insert(key.to_owned(), value.to_owned()).is_none()),
            }
        }
        let mut file = bytes[end + 2..].to_vec();
        if let Some(method) = fields.get("compressed") {
            assert_eq!(method, "zlib");
            let packed = std::mem::take(&mut file);
            ZlibDecoder::new(&packed[..])
                .read_to_end(&mut file)
                .unwrap();
        }
        Self {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            fields,
            identities,
            passphrases,
            file,
        }
    }

    fn has_odd_armor(&self) -> bool {
        self.fields.contains_key("armored") && !self.file.starts_with(ARMOR_BEGIN)
    }

    fn deviation(&self) -> Option<&'static str> {
        let deviation = DEVIATIONS.iter().find(|(name, _)| *name == self.name);
        deviation.map(|(_, outcome)| *outcome)
    }

    fn check_payload(&self, plaintext: &[u8]) {
        let hash = HEXLOWER.encode(&Sha256::digest(plaintext));
        match self.fields.get("payload") {
            Some(expected) => assert_eq!(hash, *expected, "{}", self.name),
            // the kit says nothing of the payload of files it wants refused
            None => assert!(self.deviation().is_some(), "{}", self.name),
        }
    }

    /// Decrypts with the `age` crate and names the outcome in the kit's words.
    fn outcome(&self) -> &'static str {
        let mut identities: Vec<Box<dyn Identity>> = Vec::new();
        for text in &self.identities {
            identities.push(match IdentityKey::from_text(text) {
                Ok(hybrid) => Box::new(hybrid),
                Err(_) => Box::new(text.parse::<x25519::Identity>().unwrap()),
            });
        }
        for passphrase in &self.passphrases {
            let mut identity = scrypt::Identity::new(passphrase.clone());
            identity.set_max_work_factor(MAX_WORK_FACTOR);
            identities.push(Box::new(identity));
        }

        let input = BufReader::new(ArmoredReader::new(&self.file[..]));
        let reader = Decryptor::new_buffered(input)
            .and_then(|file| file.decrypt(identities.iter().map(|identity| &**identity)));
        let mut reader = match reader {
            Ok(reader) => reader,
            // text that does not begin like armor is read as a binary file, and refused as that
            Err(DecryptError::InvalidHeader | DecryptError::Io(_)) if self.has_odd_armor() => {
                return "armor failure";
            }
            Err(error) => return header_failure(&error),
        };
        let mut plaintext = Vec::new();
        let mut byte_blocks = [0; 4096];
        loop {
            match reader.read(&mut byte_blocks) {
                Ok(0) => {
                    self.check_payload(&plaintext);
                    return "success";
                }
                Ok(len) => plaintext.extend_from_slice(&byte_blocks[..len]),
                Err(error) if is_armor_failure(&error) => return "armor failure",
                Err(_) => {
                    // nothing but authentic plaintext may have come out before the failure
                    self.check_payload(&plaintext);
                    return "payload failure";
                }
            }
        }
    }

    /// Decrypts with this project's functions, which take one hybrid identity or a passphrase.
    fn own_outcome(&self) -> Option<Result<(), EnvelopeError>> {
        let opened = match (&self.identities[..], &self.passphrases[..]) {
            ([text], []) => {
                let identity = IdentityKey::from_text(text).ok()?;
                decrypt_with(&identity, &self.file, 1 << 30)
            }
            ([], [passphrase]) => decrypt_with_passphrase(&self.file, passphrase, MAX_WORK_FACTOR),
            _ => return None,
        };
        Some(opened.map(|plaintext| self.check_payload(&plaintext)))
    }
}

fn is_armor_failure(error: &std::io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(|inner| inner.is::<ArmoredReadError>())
}

fn header_failure(error: &DecryptError) -> &'static str {
    match error {
        DecryptError::NoMatchingKeys | DecryptError::DecryptionFailed => "no match",
        DecryptError::InvalidMac => "HMAC failure",
        DecryptError::Io(error) if is_armor_failure(error) => "armor failure",
        _ => "header failure",
    }
}

fn folder() -> Option<PathBuf> {
    let root = std::env::var_os("MEDVAULT_SAMPLE_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")),
        PathBuf::from,
    );
    if root.exists() {
        Some(root.join("vectors/cctv-age"))
    } else {
        println!("skipped: no sample data");
        None
    }
}

#[test]
fn test_kit() {
    let Some(folder) = folder() else { return };
    let (mut run, mut deviated, mut own, mut wrong) = (0, 0, 0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let case = Case::read(&entry.unwrap().path());
        let name = case.name.as_str();
        let expected = case.fields["expect"].as_str();
        if let Some(outcome) = case.deviation() {
            assert_ne!(expected, outcome, "{name}");
            deviated += 1;
        }
        let expected = case.deviation().unwrap_or(expected);
        let outcome = case.outcome();
        if outcome != expected {
            wrong.push(format!("{name}: {outcome} instead of {expected}"));
        }
        run += 1;

        if let Some(outcome) = case.own_outcome() {
            let wanted = match (name, expected) {
                ("hybrid_and_x25519", _) => Err(EnvelopeError::Mixed),
                // a stanza that is not age's own passphrase stanza
                ("scrypt_uppercase", _) => Err(EnvelopeError::Malformed),
                ("scrypt_work_factor_23", _) => Err(EnvelopeError::WorkFactor { log_n: 23 }),
                (_, "success") => Ok(()),
                (_, "no match") if case.identities.is_empty() => {
                    Err(EnvelopeError::WrongPassphrase)
                }
                (_, "no match") => Err(EnvelopeError::NotForYou),
                _ => Err(EnvelopeError::Malformed),
            };
            if outcome != wanted {
                wrong.push(format!("{name}: {outcome:?} instead of {wanted:?}"));
            }
            own += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!((run, deviated), (143, DEVIATIONS.len()));
    assert!(
        own > 40,
        "only {own} files concern this project's functions"
    );
}
