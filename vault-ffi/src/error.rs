//! The one error that crosses the boundary.

use vault_app::{Error, Exit};

/// Why a call did not succeed.
///
/// The variant says what kind of thing went wrong and never changes its meaning; `code` names the
/// case for programs, the same as `medvault --json` does; `reason` is one line for people. Neither
/// ever holds a secret or the title of a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum MedVaultError {
    /// What was given cannot be used: a bad argument, a malformed text, too much at once.
    #[error("{reason}")]
    InvalidInput {
        /// The case, for programs.
        code: String,
        /// One line for people.
        reason: String,
    },
    /// What was named is not there.
    #[error("{reason}")]
    NotFound {
        /// The case, for programs.
        code: String,
        /// One line for people.
        reason: String,
    },
    /// Wrong passphrase, recovery words or identity, or the key store does not open it.
    #[error("{reason}")]
    Identity {
        /// The case, for programs.
        code: String,
        /// One line for people.
        reason: String,
    },
    /// The folder cannot be used: none there, one there already, in use, full, not writable.
    #[error("{reason}")]
    Storage {
        /// The case, for programs.
        code: String,
        /// One line for people.
        reason: String,
    },
    /// The network failed, the other side is offline, or the app's policy does not allow it now.
    #[error("{reason}")]
    Network {
        /// The case, for programs.
        code: String,
        /// One line for people.
        reason: String,
    },
    /// The terms forbid it: for someone else, expired, revoked, not verified.
    #[error("{reason}")]
    Refused {
        /// The case, for programs.
        code: String,
        /// One line for people.
        reason: String,
    },
    /// Something is damaged, altered, older than known or not signed. Never ignore it.
    #[error("{reason}")]
    Integrity {
        /// The case, for programs.
        code: String,
        /// One line for people.
        reason: String,
    },
    /// The vault is locked.
    #[error("{reason}")]
    Locked {
        /// The case, for programs.
        code: String,
        /// One line for people.
        reason: String,
    },
    /// The work was cancelled, or the vault was locked meanwhile. Nothing half done stays.
    #[error("{reason}")]
    Cancelled {
        /// The case, for programs.
        code: String,
        /// One line for people.
        reason: String,
    },
    /// Something else failed.
    #[error("{reason}")]
    Failed {
        /// The case, for programs.
        code: String,
        /// One line for people.
        reason: String,
    },
}

impl From<Error> for MedVaultError {
    fn from(error: Error) -> Self {
        let (code, reason) = (error.code.to_owned(), cut(error.message));
        match (error.code, error.exit) {
            (LOCKED, _) => Self::Locked { code, reason },
            (CANCELLED, _) => Self::Cancelled { code, reason },
            (_, Exit::Usage) => Self::InvalidInput { code, reason },
            // not a card, not a ticket: the text that was given is of another kind
            (other, Exit::Failure) if other.starts_with("not-a") => {
                Self::InvalidInput { code, reason }
            }
            (_, Exit::NotFound) => Self::NotFound { code, reason },
            (_, Exit::Identity) => Self::Identity { code, reason },
            (_, Exit::Home) => Self::Storage { code, reason },
            (_, Exit::Network) => Self::Network { code, reason },
            (_, Exit::Terms) => Self::Refused { code, reason },
            (_, Exit::Integrity) => Self::Integrity { code, reason },
            (_, Exit::Ok | Exit::Failure | Exit::Partial) => Self::Failed { code, reason },
        }
    }
}

/// Longest reason, in characters: one may repeat what was given.
const LONGEST: usize = 300;

/// A text that is not longer than an error may be.
fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Code of [`MedVaultError::Locked`].
const LOCKED: &str = "locked";
/// Code of [`MedVaultError::Cancelled`].
const CANCELLED: &str = "cancelled";

/// The vault is locked.
pub(crate) fn locked() -> Error {
    Error::new(Exit::Identity, LOCKED, "the vault is locked")
}

/// The work was told to stop.
pub(crate) fn cancelled() -> Error {
    Error::new(Exit::Failure, CANCELLED, "cancelled")
}

/// An argument cannot be used.
pub(crate) fn invalid(code: &'static str, what: impl std::fmt::Display) -> Error {
    Error::new(Exit::Usage, code, what)
}

/// This library was built without what the call needs.
#[cfg(not(feature = "network"))]
pub(crate) fn not_built(what: &str) -> Error {
    let what = format!("this build of the library has no {what}");
    Error::new(Exit::Failure, "not-built", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_the_command_has_one_variant() {
        let of = |exit| MedVaultError::from(Error::new(exit, "a-code", "words"));
        let (code, reason) = ("a-code".to_owned(), "words".to_owned());
        assert_eq!(
            of(Exit::Network),
            MedVaultError::Network {
                code: code.clone(),
                reason: reason.clone()
            }
        );
        assert_eq!(
            of(Exit::Partial),
            MedVaultError::Failed {
                code: code.clone(),
                reason: reason.clone()
            }
        );
        assert_eq!(
            of(Exit::Usage),
            MedVaultError::InvalidInput { code, reason }
        );
        let long = Error::new(Exit::Failure, "not-a-card", "\u{e9}".repeat(1_000_000));
        let MedVaultError::InvalidInput { reason, .. } = long.into() else {
            panic!("another variant")
        };
        assert_eq!(reason.chars().count(), LONGEST + 3);
        assert!(matches!(locked().into(), MedVaultError::Locked { .. }));
        assert!(matches!(
            cancelled().into(),
            MedVaultError::Cancelled { .. }
        ));
    }
}
