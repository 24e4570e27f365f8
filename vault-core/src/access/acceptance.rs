//! The reader's countersignature: from then on an agreement is in force.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::reader::{MessageError, ReaderStatement};
use crate::block::Digest;
use crate::codec::DecodeError;
use crate::identity::{Device, MAX_SIGNERS_LEN};
use crate::ids::{GrantId, VaultId};
use crate::keys::{Namespace, PublicKey};

/// Text before the base64url part.
const PREFIX: &str = "medvault-acceptance:";

/// Longest acceptance, in bytes.
pub(crate) const MAX_ACCEPTANCE_LEN: usize = MAX_SIGNERS_LEN + 1024;

/// Why a countersignature was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcceptanceError {
    /// Not a countersignature.
    #[error("acceptance: {0}")]
    Statement(#[from] MessageError),
    /// Of other terms, or of another grant or vault.
    #[error("the acceptance is of other terms")]
    OtherTerms,
    /// By someone to whom nothing was offered, or with a replaced list of keys.
    #[error("nothing was offered to whoever signed the acceptance")]
    NotOffered,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Say {
    pub(super) vault: VaultId,
    pub(super) grant: GrantId,
    /// SHA-256 of the signed terms, exactly as the patient signed them.
    pub(super) terms: Digest,
}

/// A verified countersignature with its exact bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    said: ReaderStatement<Say>,
    bytes: Vec<u8>,
}

impl Acceptance {
    /// Countersigns the signed terms `offer` of a grant of `vault`. `now` is in seconds since
    /// 1970-01-01 UTC.
    pub(crate) fn sign(
        vault: &VaultId,
        grant: &GrantId,
        offer: &[u8],
        device: &Device,
        now: u64,
    ) -> Vec<u8> {
        let say = Say {
            vault: *vault,
            grant: *grant,
            terms: Digest::of(offer),
        };
        ReaderStatement::sign(say, Namespace::Acceptance, device, now)
    }

    /// Reads a countersignature; whose and of what is for the caller to compare.
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MessageError> {
        let said = ReaderStatement::read(bytes, Namespace::Acceptance, MAX_ACCEPTANCE_LEN)?;
        Ok(Self {
            said,
            bytes: bytes.to_vec(),
        })
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// As [`Acceptance::from_bytes`].
    pub fn from_text(text: &str) -> Result<Self, MessageError> {
        let malformed = || MessageError::from(DecodeError::Malformed);
        let encoded = text.trim().strip_prefix(PREFIX).ok_or_else(malformed)?;
        if encoded.len() > MAX_ACCEPTANCE_LEN * 4 / 3 + 4 {
            return Err(malformed());
        }
        let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes());
        Self::from_bytes(&bytes.map_err(|_| malformed())?)
    }

    /// The text form: one line, for files and mail. It holds no secret.
    pub fn to_text(&self) -> String {
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&self.bytes))
    }

    /// The exact bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The vault.
    pub const fn vault(&self) -> &VaultId {
        &self.said.say.vault
    }

    /// The grant.
    pub const fn grant(&self) -> &GrantId {
        &self.said.say.grant
    }

    /// SHA-256 of the terms that were countersigned.
    pub const fn terms(&self) -> &Digest {
        &self.said.say.terms
    }

    /// Owner key of the reader.
    pub const fn reader(&self) -> &PublicKey {
        self.said.signers.owner()
    }

    /// Serial of the reader's list of keys.
    pub(crate) const fn serial(&self) -> u64 {
        self.said.signers.serial()
    }

    /// When it was signed, in seconds since 1970-01-01 UTC.
    pub const fn time(&self) -> u64 {
        self.said.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::tests::world;

    #[test]
    fn the_text_form_is_read_as_it_was_written() {
        let w = world("Bo");
        let (vault, grant) = (VaultId::from_bytes([1; 32]), GrantId::random());
        let bytes = Acceptance::sign(&vault, &grant, b"offer", &w.vault.device, 7);
        let acceptance = Acceptance::from_bytes(&bytes).unwrap();
        let text = acceptance.to_text();
        assert!(text.starts_with("medvault-acceptance:"));
        let again = Acceptance::from_text(&format!("  {text}\n")).unwrap();
        assert_eq!(again, acceptance);
        assert_eq!((again.grant(), again.time()), (&grant, 7));
        for bad in [
            "",
            "medvault-ticket:AAAA",
            "medvault-acceptance:!",
            &text[..60],
        ] {
            assert!(Acceptance::from_text(bad).is_err(), "{bad}");
        }
        let long = format!("{PREFIX}{}", "A".repeat(2 * MAX_ACCEPTANCE_LEN));
        assert!(Acceptance::from_text(&long).is_err());
    }
}
