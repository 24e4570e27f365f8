//! The `mlkem768x25519` recipient type of age, as the traits of the `age` crate.
//!
//! Source: C2SP `age`, section "mlkem768x25519 recipient stanza".

use std::cell::Cell;
use std::collections::HashSet;
use std::io;

use age::{DecryptError, EncryptError};
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use secrecy::ExposeSecret as _;

use super::hpke::{self, HpkeError};
use super::keys::{IdentityKey, RecipientKey};
use super::xwing::ENC_LEN;

const TAG: &str = "mlkem768x25519";
const INFO: &[u8] = b"age-encryption.org/mlkem768x25519";
/// Keeps age from putting a classical recipient beside this one.
const LABEL: &str = "postquantum";
const BODY_LEN: usize = hpke::ciphertext_len(FILE_KEY_BYTES);

impl age::Recipient for RecipientKey {
    fn wrap_file_key(
        &self,
        file_key: &FileKey,
    ) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let (enc, body) = hpke::seal_base(self.as_bytes(), INFO, &[], file_key.expose_secret())
            .map_err(|error| EncryptError::Io(io::Error::other(error)))?;
        let stanza = Stanza {
            tag: TAG.to_owned(),
            args: vec![BASE64_STANDARD_NO_PAD.encode(&enc[..])],
            body,
        };
        Ok((vec![stanza], HashSet::from([LABEL.to_owned()])))
    }
}

impl age::Identity for IdentityKey {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if stanza.tag != TAG {
            return None;
        }
        let Some(enc) = encapsulated_key(stanza) else {
            return Some(Err(DecryptError::InvalidHeader));
        };
        match hpke::open_base(self.seed(), &enc, INFO, &[], &stanza.body) {
            Ok(opened) => Some(FileKey::try_init_with_mut(|file_key| {
                if opened.len() != FILE_KEY_BYTES {
                    return Err(DecryptError::InvalidHeader);
                }
                file_key.copy_from_slice(&opened);
                Ok(())
            })),
            Err(HpkeError::DegenerateKey) => Some(Err(DecryptError::InvalidHeader)),
            Err(HpkeError::Open) => None,
        }
    }

    /// Checks the form of every stanza of this type before trying any.
    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        let mut own = stanzas.iter().filter(|stanza| stanza.tag == TAG);
        if own.clone().any(|stanza| encapsulated_key(stanza).is_none()) {
            return Some(Err(DecryptError::InvalidHeader));
        }
        own.find_map(|stanza| self.unwrap_stanza(stanza))
    }
}

/// The stanza's encapsulated key, if it has exactly one argument and a body of the right length.
fn encapsulated_key(stanza: &Stanza) -> Option<Box<[u8; ENC_LEN]>> {
    let [enc] = &stanza.args[..] else {
        return None;
    };
    let enc = BASE64_STANDARD_NO_PAD.decode(enc).ok()?;
    let enc = enc.into_boxed_slice().try_into().ok()?;
    (stanza.body.len() == BODY_LEN).then_some(enc)
}

/// An identity that refuses a file whose key also went to someone without post-quantum
/// protection: whoever breaks that stanza one day reads the file, and may have written it.
///
/// age enforces this when encrypting only, so a reader has to look for itself. Stanzas of types
/// that are not known to be post-quantum count as classical; grease counts as nothing.
pub(super) struct PostQuantumOnly<'a> {
    identity: &'a IdentityKey,
    mixed: Cell<bool>,
}

impl<'a> PostQuantumOnly<'a> {
    pub(super) fn new(identity: &'a IdentityKey) -> Self {
        Self {
            identity,
            mixed: Cell::new(false),
        }
    }

    /// Whether the file was refused for its mix of stanzas.
    pub(super) fn refused_mix(&self) -> bool {
        self.mixed.get()
    }
}

impl age::Identity for PostQuantumOnly<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        self.identity.unwrap_stanza(stanza)
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        let post_quantum = |stanza: &&Stanza| [TAG, "mlkem768p256tag"].contains(&&*stanza.tag);
        let grease = |stanza: &&Stanza| stanza.tag == "grease" || stanza.tag.ends_with("-grease");
        let others = stanzas.iter().filter(|s| !post_quantum(s) && !grease(s));
        if others.count() > 0 && stanzas.iter().any(|stanza| stanza.tag == TAG) {
            self.mixed.set(true);
            return Some(Err(DecryptError::InvalidHeader));
        }
        self.identity.unwrap_stanzas(stanzas)
    }
}

#[cfg(test)]
mod tests {
    use age::{Encryptor, Identity as _, Recipient as _};

    use super::*;

    fn wrapped(identity: &IdentityKey) -> Stanza {
        let file_key = FileKey::new(Box::new([7; FILE_KEY_BYTES]));
        let (mut stanzas, _) = identity.recipient().wrap_file_key(&file_key).unwrap();
        stanzas.remove(0)
    }

    fn other(tag: &str) -> Stanza {
        Stanza {
            tag: tag.to_owned(),
            args: vec![],
            body: vec![],
        }
    }

    #[test]
    fn stanzas_unwrap_for_their_identity_only() {
        let (mine, theirs) = (IdentityKey::generate(), IdentityKey::generate());
        let stanzas = [wrapped(&theirs), other("grease"), wrapped(&mine)];
        let file_key = mine.unwrap_stanzas(&stanzas).unwrap().ok().unwrap();
        assert_eq!(file_key.expose_secret(), &[7; FILE_KEY_BYTES]);
        assert!(IdentityKey::generate().unwrap_stanzas(&stanzas).is_none());
    }

    #[test]
    fn one_bad_stanza_spoils_the_header() {
        let mine = IdentityKey::generate();
        let spoil: [fn(&mut Stanza); 4] = [
            |stanza| stanza.body.push(0),
            |stanza| stanza.args.push("x".to_owned()),
            |stanza| stanza.args[0].push('='),
            |stanza| stanza.args.clear(),
        ];
        for spoil in spoil {
            let mut stanzas = [wrapped(&mine), wrapped(&mine)];
            spoil(&mut stanzas[1]);
            assert!(matches!(
                mine.unwrap_stanzas(&stanzas),
                Some(Err(DecryptError::InvalidHeader))
            ));
        }
    }

    #[test]
    fn classical_recipients_cannot_be_added() {
        let hybrid = IdentityKey::generate().recipient();
        let classical = age::x25519::Identity::generate().to_public();
        let both: [&dyn age::Recipient; 2] = [&hybrid, &classical];
        assert!(matches!(
            Encryptor::with_recipients(both.into_iter()),
            Err(EncryptError::IncompatibleRecipients { .. })
        ));
    }

    #[test]
    fn mixed_headers_are_refused_on_read() {
        let mine = IdentityKey::generate();
        for (tag, refused) in [
            ("X25519", true),
            ("ssh-ed25519", true),
            ("p256tag", true),
            ("example.com/unknown", true),
            ("mlkem768p256tag", false),
            ("grease", false),
            ("!x-grease", false),
        ] {
            let strict = PostQuantumOnly::new(&mine);
            let opened = strict.unwrap_stanzas(&[wrapped(&mine), other(tag)]);
            assert_eq!(opened.unwrap().is_err(), refused, "{tag}");
            assert_eq!(strict.refused_mix(), refused, "{tag}");
        }
        let strict = PostQuantumOnly::new(&mine);
        assert!(strict.unwrap_stanzas(&[other("X25519")]).is_none());
        assert!(!strict.refused_mix());
    }
}
