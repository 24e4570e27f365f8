//! What is wrong with a pinning service, in words.

use vault_core::pinning::{ServicesError, SyncError};
use vault_http::client::{HttpError, TokenError, UrlError};
use vault_http::pinning::PinningError;

use crate::error::{Error, Exit};

pub(super) fn failed(error: SyncError<PinningError>, details: Option<&str>) -> Error {
    let text = error.to_string();
    match error {
        SyncError::Service(PinningError::Http(error)) => refused(error),
        SyncError::Service(_) | SyncError::Unsettled => Error::new(Exit::Network, "service", text),
        SyncError::GaveUp => {
            let text = details.map_or(text.clone(), |details| format!("{text}: {details}"));
            Error::new(Exit::Network, "pin-failed", text)
                .hint("can it reach this node? run `medvault serve`, and this command again")
        }
        SyncError::Services(error) => error.into(),
        SyncError::Store(error) => error.into(),
        SyncError::Block(error) => Error::new(Exit::Failure, "block", error),
    }
}

/// What a pinning service's answer means.
pub fn refused(error: HttpError) -> Error {
    let text = error.to_string();
    let network = |code| Error::new(Exit::Network, code, &text);
    match error {
        HttpError::TokenInTheClear(_) | HttpError::TokenWithRedirects => {
            Error::usage(text).hint("use the service's https address")
        }
        HttpError::Denied { .. } => Error::new(Exit::Identity, "access-refused", text)
            .hint("is the token right, and does it allow pinning?"),
        HttpError::Unreachable { .. } | HttpError::Timeout { .. } | HttpError::Broken(_) => {
            network("offline").hint("try again later; what was begun goes on from there")
        }
        HttpError::TooManyRequests { .. } | HttpError::Server { .. } => {
            network("service").hint("try again later; what was begun goes on from there")
        }
        HttpError::NotFound { .. } | HttpError::Redirect { .. } => {
            network("service").hint("is the address right?")
        }
        _ => network("service"),
    }
}

impl From<UrlError> for Error {
    fn from(error: UrlError) -> Self {
        Self::usage(error)
    }
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        Self::new(Exit::Identity, "bad-token", error)
            .hint("the token is the first line of the file, or of what the command prints")
    }
}

impl From<ServicesError> for Error {
    fn from(error: ServicesError) -> Self {
        let text = error.to_string();
        match error {
            ServicesError::Storage(error) => error.into(),
            ServicesError::NameTaken(_) => Self::usage(text).hint("choose another name"),
            ServicesError::NotFound(_) => Self::new(Exit::NotFound, "no-service", text)
                .hint("`medvault pin list` shows all of them"),
            _ => Self::new(Exit::Integrity, "bad-services", text)
                .hint("put the file `services` back from a copy, or add the services again"),
        }
    }
}
