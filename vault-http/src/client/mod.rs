//! The one HTTP client: everything in this crate speaks through it.
//!
//! It contacts the one address it was made for and nothing else:
//!
//! - no redirect is followed unless asked for, and never with a token;
//! - proxies named by environment variables are not used: they would see where a vault is kept,
//!   and whoever can set a variable could put himself in between;
//! - a token goes over https only, or to this computer;
//! - the user agent is that of the HTTP library, so that requests do not tell a health record;
//! - every answer has a limit in size, and every step one in time.
//!
//! Certificates are checked against Mozilla's list of authorities.

mod error;
mod exchange;
mod retry;
mod token;
mod url;

use std::time::Duration;

use ureq::Agent;

pub use self::error::HttpError;
pub use self::exchange::{Body, Method, Request, Response};
pub use self::retry::Backoff;
pub use self::token::{MAX_TOKEN, Token, TokenError};
pub use self::url::{BaseUrl, UrlError};

/// What thousands of other programs send.
const USER_AGENT: &str = "ureq/3";

/// The largest head of an answer, in bytes.
const MAX_HEADERS: usize = 32 * 1024;

/// How long each step of a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To find the host and connect, TLS included.
    pub connect: Duration,
    /// From the end of the request to the head of the answer.
    pub answer: Duration,
    /// Between two pieces of a body, in either direction.
    pub silence: Duration,
    /// For the whole exchange, body included; `None` for as long as pieces keep coming.
    pub total: Option<Duration>,
}

impl Default for Timeouts {
    /// 10 s to connect, 30 s to answer, 30 s of silence, 2 minutes in all.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            silence: Duration::from_secs(30),
            total: Some(Duration::from_secs(120)),
        }
    }
}

/// How a client behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// How long each step may take.
    pub timeouts: Timeouts,
    /// How many redirects are followed. Only for content that is checked by its hash.
    pub redirects: u32,
}

/// A client for one service.
#[derive(Clone)]
pub struct Http {
    agent: Agent,
    base: BaseUrl,
    token: Option<Token>,
    options: Options,
}

impl Http {
    /// A client for the service at `base`, with the ordinary [`Options`]. Nothing is contacted yet.
    ///
    /// # Errors
    /// [`HttpError::TokenInTheClear`] when a token would go unencrypted to another computer.
    pub fn new(base: BaseUrl, token: Option<Token>) -> Result<Self, HttpError> {
        Self::with_options(base, token, Options::default())
    }

    /// A client for the service at `base`.
    ///
    /// # Errors
    /// [`HttpError::TokenInTheClear`], or [`HttpError::TokenWithRedirects`] when the options
    /// follow redirects and there is a token, which must not be handed to whoever they point to.
    pub fn with_options(
        base: BaseUrl,
        token: Option<Token>,
        options: Options,
    ) -> Result<Self, HttpError> {
        if token.is_some() {
            if !base.is_https() && !base.is_loopback() {
                return Err(HttpError::TokenInTheClear(base.as_str().to_owned()));
            }
            if options.redirects > 0 {
                return Err(HttpError::TokenWithRedirects);
            }
        }
        let timeouts = options.timeouts;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(base.is_https())
            .proxy(None)
            .max_redirects(options.redirects)
            .max_redirects_will_error(false)
            .user_agent(USER_AGENT)
            .max_response_header_size(MAX_HEADERS)
            .timeout_resolve(Some(timeouts.connect))
            .timeout_connect(Some(timeouts.connect))
            .timeout_per_read(Some(timeouts.silence.max(timeouts.answer)))
            .timeout_per_write(Some(timeouts.silence))
            .timeout_recv_response(Some(timeouts.answer))
            .build();
        Ok(Self {
            agent: Agent::new_with_config(config),
            base,
            token,
            options,
        })
    }

    /// The address of the service.
    pub const fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Whether requests carry a token.
    pub const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Starts a request to what lies at `path` below the address.
    pub fn request<'a>(&'a self, method: Method, path: &'a [&'a str]) -> Request<'a> {
        Request::new(self, method, path)
    }

    /// Starts to fetch what lies at `path`.
    pub fn get<'a>(&'a self, path: &'a [&'a str]) -> Request<'a> {
        self.request(Method::Get, path)
    }

    /// Starts a `POST` to `path`.
    pub fn post<'a>(&'a self, path: &'a [&'a str]) -> Request<'a> {
        self.request(Method::Post, path)
    }
}

#[cfg(test)]
mod tests;
