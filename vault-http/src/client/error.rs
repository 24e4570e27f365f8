//! What can go wrong between us and a service.

use std::io;
use std::time::Duration;

use thiserror::Error;

/// The longest explanation of a service that is kept, in characters.
const MAX_REASON: usize = 300;

/// Why a request came to nothing.
///
/// A `reason` is what the service wrote, cut to 300 printable characters; it is not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HttpError {
    /// A token would have gone over the network unencrypted.
    #[error("a token is only sent over https, or to this computer; {0} is neither")]
    TokenInTheClear(String),
    /// A client that carries a token was asked to follow redirects.
    #[error("redirects are not followed with a token")]
    TokenWithRedirects,
    /// The request could not be put into words.
    #[error("cannot form the request: {0}")]
    Request(String),
    /// No connection: no such host, nobody listening, or TLS failed.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// The host that was asked.
        host: String,
        /// What the system said.
        reason: String,
    },
    /// The service did not answer in time.
    #[error("{host} did not answer in time")]
    Timeout {
        /// The host that was asked.
        host: String,
    },
    /// The connection broke in the middle.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// 401 or 403: the token is missing, wrong, or does not allow this.
    #[error("access refused (status {status}): {reason}")]
    Denied {
        /// The status, 401 or 403.
        status: u16,
        /// What the service wrote.
        reason: String,
    },
    /// 404 or 410: there is no such thing.
    #[error("not found: {reason}")]
    NotFound {
        /// What the service wrote.
        reason: String,
    },
    /// 409: it does not fit what the service has.
    #[error("conflict: {reason}")]
    Conflict {
        /// What the service wrote.
        reason: String,
    },
    /// 429: too much, too fast.
    #[error("too many requests")]
    TooManyRequests {
        /// How long the service asks to wait, when it says so in seconds.
        retry_after: Option<Duration>,
    },
    /// 5xx: the service itself failed.
    #[error("the service failed (status {status}): {reason}")]
    Server {
        /// The status, 500 to 599.
        status: u16,
        /// How long the service asks to wait, when it says so in seconds.
        retry_after: Option<Duration>,
        /// What the service wrote.
        reason: String,
    },
    /// 3xx: it points elsewhere, where nobody agreed to go.
    #[error("the service points to another address, which is not followed: {to}")]
    Redirect {
        /// Where to, as the service wrote it.
        to: String,
    },
    /// Any other status that is not a success.
    #[error("request refused (status {status}): {reason}")]
    Rejected {
        /// The status.
        status: u16,
        /// What the service wrote.
        reason: String,
    },
    /// More came than is accepted.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// What is accepted, in bytes.
        limit: u64,
    },
    /// The answer is not what was asked for.
    #[error("the answer cannot be used: {0}")]
    Malformed(String),
}

impl HttpError {
    /// Whether the same request may succeed a little later.
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Broken(_)
            | Self::TooManyRequests { .. } => true,
            // 501 "not implemented" and 505 "version not supported" do not mend themselves
            Self::Server { status, .. } => !matches!(status, 501 | 505),
            _ => false,
        }
    }

    /// How long the service asks to wait.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyRequests { retry_after } | Self::Server { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }

    /// The error that a status stands for; `None` for success.
    pub(super) fn from_status(
        status: u16,
        retry_after: Option<Duration>,
        location: &str,
        body: &[u8],
    ) -> Option<Self> {
        let reason = || reason(&String::from_utf8_lossy(body), status);
        Some(match status {
            200..=299 => return None,
            300..=399 => Self::Redirect {
                to: printable(location),
            },
            401 | 403 => Self::Denied {
                status,
                reason: reason(),
            },
            404 | 410 => Self::NotFound { reason: reason() },
            409 => Self::Conflict { reason: reason() },
            429 => Self::TooManyRequests { retry_after },
            500..=599 => Self::Server {
                status,
                retry_after,
                reason: reason(),
            },
            _ => Self::Rejected {
                status,
                reason: reason(),
            },
        })
    }

    /// The error that the HTTP library's stands for.
    pub(super) fn from_library(error: &ureq::Error, host: &str) -> Self {
        use ureq::{Error, Timeout};
        let host = host.to_owned();
        match error {
            Error::Timeout(Timeout::Resolve | Timeout::Connect) => Self::Unreachable {
                host,
                reason: "no connection in time".to_owned(),
            },
            Error::Timeout(_) => Self::Timeout { host },
            Error::Io(error) => Self::from_io(error, &host),
            Error::HostNotFound => Self::Unreachable {
                host,
                reason: "no such host".to_owned(),
            },
            Error::ConnectionFailed | Error::Tls(_) | Error::Rustls(_) | Error::TlsRequired => {
                Self::Unreachable {
                    host,
                    reason: printable(&error.to_string()),
                }
            }
            Error::BodyExceedsLimit(limit) => Self::TooLarge { limit: *limit },
            Error::LargeResponseHeader(_, limit) => Self::TooLarge {
                limit: u64::try_from(*limit).unwrap_or(u64::MAX),
            },
            Error::Http(_) | Error::BadUri(_) | Error::RequireHttpsOnly(_) => {
                Self::Request(printable(&error.to_string()))
            }
            other => Self::Broken(printable(&other.to_string())),
        }
    }

    /// The error that a failed read or write stands for.
    pub(super) fn from_io(error: &io::Error, host: &str) -> Self {
        if let Some(inner) = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<ureq::Error>())
        {
            return Self::from_library(inner, host);
        }
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::Timeout {
                host: host.to_owned(),
            },
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable => Self::Unreachable {
                host: host.to_owned(),
                reason: printable(&error.to_string()),
            },
            _ => Self::Broken(printable(&error.to_string())),
        }
    }
}

/// What a service wrote, or the standard words for a status when it wrote nothing.
fn reason(text: &str, status: u16) -> String {
    let text = printable(text.trim());
    if !text.is_empty() {
        return text;
    }
    ureq::http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("no reason given")
        .to_lowercase()
}

/// Foreign text made safe for a terminal: one line, printable, short.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !is_format(*c))
        .take(MAX_REASON)
        .collect()
}

/// Characters that change how the text around them is shown.
const fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &[u8]) -> HttpError {
        HttpError::from_status(status, None, "https://else.example\u{1b}[2J", body).unwrap()
    }

    #[test]
    fn every_status_has_its_error() {
        assert_eq!(HttpError::from_status(202, None, "", b""), None);
        assert!(
            matches!(of(302, b""), HttpError::Redirect { to } if to == "https://else.example[2J")
        );
        assert!(matches!(
            of(401, b"x"),
            HttpError::Denied { status: 401, .. }
        ));
        assert!(matches!(
            of(403, b"x"),
            HttpError::Denied { status: 403, .. }
        ));
        assert!(matches!(of(404, b""), HttpError::NotFound { reason } if reason == "not found"));
        assert!(matches!(of(409, b"x"), HttpError::Conflict { .. }));
        assert!(
            matches!(of(418, b"tea"), HttpError::Rejected { status: 418, reason } if reason == "tea")
        );
        assert!(of(503, b"").is_passing());
        assert!(!of(501, b"").is_passing());
        assert!(of(429, b"").is_passing());
        assert!(!of(400, b"").is_passing());
    }

    #[test]
    fn what_a_service_writes_is_cut_and_cleaned() {
        let body = format!("a\u{1b}[31m\nb\u{202e}{}", "c".repeat(9999));
        let HttpError::Rejected { reason, .. } = of(400, body.as_bytes()) else {
            panic!("another error");
        };
        assert!(reason.starts_with("a[31m bccc"));
        assert_eq!(reason.chars().count(), MAX_REASON);
    }
}
