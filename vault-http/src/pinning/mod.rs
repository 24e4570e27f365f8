//! The IPFS Pinning Service API, version 1.0.0
//! (<https://ipfs.github.io/pinning-services-api-spec/>), as a client.
//!
//! A service is told what to keep and from where it may fetch it. What it says is not proof of
//! anything: it may say `pinned` and keep nothing. What it says is read strictly where it is used,
//! unknown fields are passed over, and every answer has a limit.

mod account;
mod gateway;
mod wire;

use std::time::Duration;

use thiserror::Error;
use vault_core::Cid;
use vault_core::pinning::{PinStatus, RequestId};

pub use self::account::Account;
pub use self::gateway::GatewayFetch;
use self::wire::{PinResults, PinStatusWire, PinWire};
use crate::client::{Backoff, BaseUrl, Http, HttpError, Method, Token};

/// Largest answer about one request, in bytes.
const MAX_ONE: u64 = 64 * 1024;

/// Largest page of a list, in bytes.
const MAX_PAGE: u64 = 4 << 20;

/// Requests in one page; the API allows 1 to 1000.
const PAGE: usize = 1000;

/// Most pages of one list.
const MAX_PAGES: usize = 100;

/// CIDs in one question; the API allows 10.
const CIDS: usize = 10;

/// Most origins sent with one request; the API allows 20.
const MAX_ORIGINS: usize = 20;

/// Why a pinning service did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PinningError {
    /// The exchange failed, or the service refused.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The answer contradicts the API or the question.
    #[error("the service's answer makes no sense: {0}")]
    Nonsense(&'static str),
    /// The list has more pages than any list of ours.
    #[error("the service's list has no end")]
    Endless,
}

/// What the service knows of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemotePin {
    /// Its name at the service.
    pub request: RequestId,
    /// How far it is.
    pub status: PinStatus,
    /// What is pinned, as text: it may be someone else's, of a kind that we never make.
    pub cid: String,
    /// Multiaddrs of the peers that will hold it.
    pub delegates: Vec<String>,
    /// What the service adds, such as why it failed; foreign text.
    pub details: Option<String>,
}

/// What a service is asked to pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinRequest<'a> {
    /// The root; everything below it is pinned too.
    pub cid: Cid,
    /// Where it can be fetched: multiaddrs with peer ids. At most 20 are sent.
    pub origins: &'a [String],
}

/// Which requests to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter<'a> {
    /// All of them, other programs' too.
    All,
    /// Those for these roots.
    Cids(&'a [Cid]),
}

/// A client for one service.
pub struct PinningService {
    http: Http,
    backoff: Backoff,
    sleep: fn(Duration),
}

impl PinningService {
    /// A client for the service at `endpoint`, the part before `/pins`.
    ///
    /// # Errors
    /// [`HttpError::TokenInTheClear`].
    pub fn new(endpoint: BaseUrl, token: Token) -> Result<Self, HttpError> {
        Ok(Self::with_http(Http::new(endpoint, Some(token))?))
    }

    /// A client that speaks through `http`.
    pub fn with_http(http: Http) -> Self {
        Self {
            http,
            backoff: Backoff::default(),
            sleep: std::thread::sleep,
        }
    }

    /// Repeats requests that failed for a passing reason like this.
    #[must_use]
    pub const fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Asks the service to pin. The name it gets is random.
    ///
    /// # Errors
    /// [`PinningError`]; [`HttpError::Conflict`] when the service keeps one request for a root
    /// and has it already.
    pub fn add(&self, request: &PinRequest<'_>) -> Result<RemotePin, PinningError> {
        self.send(Method::Post, &["pins"], request)
    }

    /// Replaces a request by another: the service withdraws the old one at once.
    ///
    /// # Errors
    /// [`PinningError`].
    pub fn replace(
        &self,
        old: &RequestId,
        request: &PinRequest<'_>,
    ) -> Result<RemotePin, PinningError> {
        self.send(Method::Post, &["pins", old.as_str()], request)
    }

    fn send(
        &self,
        method: Method,
        path: &[&str],
        request: &PinRequest<'_>,
    ) -> Result<RemotePin, PinningError> {
        let body = PinWire::new(request, MAX_ORIGINS);
        let answer: PinStatusWire = self.retry(|| {
            let sent = self.http.request(method, path).send_json(&body);
            sent?.json(MAX_ONE)
        })?;
        let pin = answer.parse()?;
        if pin.cid != request.cid.to_string() {
            return Err(PinningError::Nonsense("it pins something else"));
        }
        Ok(pin)
    }

    /// What the service knows of one request.
    ///
    /// # Errors
    /// [`PinningError`]; [`HttpError::NotFound`].
    pub fn get(&self, request: &RequestId) -> Result<RemotePin, PinningError> {
        let path = ["pins", request.as_str()];
        let answer: PinStatusWire = self.retry(|| self.http.get(&path).send()?.json(MAX_ONE))?;
        let pin = answer.parse()?;
        if pin.request != *request {
            return Err(PinningError::Nonsense("it tells of another request"));
        }
        Ok(pin)
    }

    /// Withdraws a request. One that is not there is no error.
    ///
    /// # Errors
    /// [`PinningError`].
    pub fn delete(&self, request: &RequestId) -> Result<(), PinningError> {
        let path = ["pins", request.as_str()];
        let done = self.retry(|| self.http.request(Method::Delete, &path).send().map(drop));
        match done {
            Ok(()) | Err(HttpError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Every request that fits the filter, whatever its status. (A list that asks for no status
    /// holds only what is pinned, so all are asked for.)
    ///
    /// # Errors
    /// [`PinningError`].
    pub fn list(&self, filter: Filter<'_>) -> Result<Vec<RemotePin>, PinningError> {
        match filter {
            Filter::All => self.pages(&[]),
            Filter::Cids(cids) => {
                let mut all = Vec::new();
                for part in cids.chunks(CIDS) {
                    let wanted: Vec<String> = part.iter().map(Cid::to_string).collect();
                    let mut found = self.pages(&wanted)?;
                    // a service may pass over the filter
                    found.retain(|pin| wanted.contains(&pin.cid));
                    all.extend(found);
                }
                Ok(all)
            }
        }
    }

    fn pages(&self, cids: &[String]) -> Result<Vec<RemotePin>, PinningError> {
        let mut all: Vec<RemotePin> = Vec::new();
        let mut before: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let page: PinResults = self.retry(|| {
                let mut request = self
                    .http
                    .get(&["pins"])
                    .query("status", "queued,pinning,pinned,failed")
                    .query("limit", PAGE.to_string());
                if !cids.is_empty() {
                    request = request.query("cid", cids.join(","));
                }
                if let Some(before) = &before {
                    request = request.query("before", before.clone());
                }
                request.send()?.json(MAX_PAGE)
            })?;
            let last = page.oldest();
            let is_whole = page.count <= page.results.len() as u64 || page.results.is_empty();
            for pin in page.results {
                let pin = pin.parse()?;
                // pages may overlap by those of one instant
                if !all.iter().any(|known| known.request == pin.request) {
                    all.push(pin);
                }
            }
            if is_whole {
                return Ok(all);
            }
            if last.is_none() || last == before {
                return Err(PinningError::Nonsense("its pages do not go on"));
            }
            before = last;
        }
        Err(PinningError::Endless)
    }

    fn retry<T>(&self, request: impl FnMut() -> Result<T, HttpError>) -> Result<T, HttpError> {
        self.backoff.run(&mut |pause| (self.sleep)(pause), request)
    }
}
