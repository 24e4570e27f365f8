//! Identifiers: one newtype per thing, one text form for all.
//!
//! Every identifier is shown as lower-case RFC 4648 base32 without padding, so it can be typed,
//! read aloud and shortened to a unique prefix.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};

/// A text that is not an identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind} id")]
pub struct ParseIdError {
    /// The kind of identifier that was expected, for example `record`.
    pub kind: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(#[serde(with = "serde_bytes")] [u8; $len]);

        impl $name {
            /// Length of the binary form, in bytes.
            pub const LEN: usize = $len;

            /// Wraps the binary form.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The binary form.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let bad = ParseIdError { kind: $kind };
                let bytes = BASE32_NOPAD
                    .decode(text.to_ascii_uppercase().as_bytes())
                    .map_err(|_| bad.clone())?;
                bytes.try_into().map(Self).map_err(|_| bad)
            }
        }
    };
}

/// Ids that are drawn at random rather than derived.
macro_rules! random_id {
    ($name:ident) => {
        impl $name {
            /// Draws a fresh random identifier from the operating system.
            pub fn random() -> Self {
                Self(crate::random::array())
            }
        }
    };
}

id!(
    /// A vault: SHA-256 over a label and the owner's Ed25519 public key.
    VaultId, 32, "vault"
);
id!(
    /// One clinical item, across all its versions. 16 random bytes.
    RecordId, 16, "record"
);
id!(
    /// One version of a record. 16 random bytes.
    VersionId, 16, "version"
);
id!(
    /// A grant. 16 random bytes.
    GrantId, 16, "grant"
);
id!(
    /// A contact in one's own address book. 16 random bytes.
    ContactId, 16, "contact"
);
id!(
    /// A device of a vault's owner. 16 random bytes.
    DeviceId, 16, "device"
);
id!(
    /// Something a contact deposited. 16 random bytes, drawn by the contact.
    DepositId, 16, "deposit"
);
random_id!(RecordId);
random_id!(VersionId);
random_id!(GrantId);
random_id!(ContactId);
random_id!(DeviceId);
random_id!(DepositId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_is_lower_case() {
        let id = RecordId::random();
        let text = id.to_string();
        assert_eq!(text.len(), 26);
        assert_eq!(text, text.to_ascii_lowercase());
        assert_eq!(text.parse::<RecordId>(), Ok(id));
    }

    #[test]
    fn wrong_length_is_refused() {
        let id = RecordId::random().to_string();
        assert_eq!(id.parse::<VaultId>(), Err(ParseIdError { kind: "vault" }));
        assert_eq!(
            ParseIdError { kind: "vault" }.to_string(),
            "not a valid vault id"
        );
    }
}
