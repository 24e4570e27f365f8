//! One request and its answer.

use std::io::{self, Read};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::SendBody;
use ureq::http;

use super::Http;
use super::error::HttpError;

/// How much of a failed answer is read for its explanation, in bytes.
const MAX_EXPLANATION: u64 = 4096;

/// What is done with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Fetch it.
    Get,
    /// Ask whether it is there.
    Head,
    /// Send something to it.
    Post,
    /// Put something in its place.
    Put,
    /// Remove it.
    Delete,
}

impl Method {
    const fn of_library(self) -> http::Method {
        match self {
            Self::Get => http::Method::GET,
            Self::Head => http::Method::HEAD,
            Self::Post => http::Method::POST,
            Self::Put => http::Method::PUT,
            Self::Delete => http::Method::DELETE,
        }
    }
}

/// A request before it is sent.
#[must_use = "a request does nothing until it is sent"]
pub struct Request<'a> {
    http: &'a Http,
    method: Method,
    path: &'a [&'a str],
    query: Vec<(&'a str, String)>,
    headers: Vec<(&'static str, String)>,
    total: Option<Duration>,
}

impl<'a> Request<'a> {
    pub(super) fn new(http: &'a Http, method: Method, path: &'a [&'a str]) -> Self {
        Self {
            http,
            method,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            total: http.options.timeouts.total,
        }
    }

    /// Adds `name=value` to the query. A name may come more than once.
    pub fn query(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Limits the whole exchange, body included; `None` lets it go on while pieces keep coming,
    /// which is right for streams whose reader has a limit of its own.
    pub const fn total(mut self, total: Option<Duration>) -> Self {
        self.total = total;
        self
    }

    /// Sends the request without a body.
    ///
    /// # Errors
    /// Any status but a success, and everything that can happen on the way.
    pub fn send(self) -> Result<Response, HttpError> {
        match self.method {
            // an empty body with a length: some servers insist on one
            Method::Post | Method::Put => self.run(&[] as &[u8]),
            Method::Get | Method::Head | Method::Delete => self.run(()),
        }
    }

    /// Sends the request with `body` as JSON.
    ///
    /// # Errors
    /// As [`Self::send`]; and when the value has no JSON.
    pub fn send_json(self, body: &impl Serialize) -> Result<Response, HttpError> {
        let body =
            serde_json::to_vec(body).map_err(|error| HttpError::Request(error.to_string()))?;
        self.header("content-type", "application/json")
            .run(body.as_slice())
    }

    /// Sends the request with `body`, piece by piece and never whole in memory.
    ///
    /// # Errors
    /// As [`Self::send`]; and when `body` cannot be read.
    pub fn send_reader(
        self,
        content_type: &str,
        body: &mut dyn Read,
    ) -> Result<Response, HttpError> {
        self.header("content-type", content_type)
            .run(SendBody::from_reader(body))
    }

    fn run(self, body: impl ureq::AsSendBody) -> Result<Response, HttpError> {
        let query: Vec<(&str, &str)> = self
            .query
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let mut request = http::Request::builder()
            .method(self.method.of_library())
            .uri(self.http.base.join(self.path, &query));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(value) = self.http.token.as_ref().and_then(super::Token::header) {
            request = request.header(http::header::AUTHORIZATION, value);
        }
        let request = request
            .body(body)
            .map_err(|error| HttpError::Request(error.to_string()))?;
        let request = self
            .http
            .agent
            .configure_request(request)
            .timeout_global(self.total)
            .build();
        let host = self.http.base.host();
        let answer = self
            .http
            .agent
            .run(request)
            .map_err(|error| HttpError::from_library(&error, host))?;
        Response::checked(answer, host)
    }
}

/// An answer with a status of success. Its body is not read yet.
pub struct Response {
    inner: http::Response<ureq::Body>,
    host: String,
}

impl Response {
    fn checked(mut inner: http::Response<ureq::Body>, host: &str) -> Result<Self, HttpError> {
        let status = inner.status().as_u16();
        let text = |name: &str| {
            inner
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let location = text("location");
        // seconds only: the other form, a date, would need the clock of the service to be right
        let retry_after = text("retry-after")
            .trim()
            .parse()
            .ok()
            .map(Duration::from_secs);
        let mut explanation = Vec::new();
        if !(200..300).contains(&status) {
            // what cannot be read is no explanation; the status stands for itself
            let _ = inner
                .body_mut()
                .as_reader()
                .take(MAX_EXPLANATION)
                .read_to_end(&mut explanation);
        }
        match HttpError::from_status(status, retry_after, &location, &explanation) {
            Some(error) => Err(error),
            None => Ok(Self {
                inner,
                host: host.to_owned(),
            }),
        }
    }

    /// The status, 200 to 299.
    pub fn status(&self) -> u16 {
        self.inner.status().as_u16()
    }

    /// A header, when it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.inner.headers().get(name)?.to_str().ok()
    }

    /// Reads the whole body, of at most `limit` bytes.
    ///
    /// # Errors
    /// [`HttpError::TooLarge`], or what went wrong on the way.
    pub fn bytes(self, limit: u64) -> Result<Vec<u8>, HttpError> {
        let mut bytes = Vec::new();
        let host = self.host.clone();
        self.reader(limit)
            .read_to_end(&mut bytes)
            .map_err(|error| HttpError::from_io(&error, &host))?;
        Ok(bytes)
    }

    /// Reads the body, of at most `limit` bytes, as JSON.
    ///
    /// # Errors
    /// As [`Self::bytes`], or [`HttpError::Malformed`].
    pub fn json<T: DeserializeOwned>(self, limit: u64) -> Result<T, HttpError> {
        serde_json::from_slice(&self.bytes(limit)?)
            .map_err(|error| HttpError::Malformed(error.to_string()))
    }

    /// The body as a stream, which fails after `limit` bytes. [`Body::error`] says what an error
    /// of that stream stands for.
    pub fn reader(self, limit: u64) -> Body {
        Body {
            inner: self
                .inner
                .into_body()
                .into_with_config()
                .limit(limit)
                .reader(),
            host: self.host,
        }
    }
}

/// The body of an answer as a stream.
pub struct Body {
    inner: ureq::BodyReader<'static>,
    host: String,
}

impl Body {
    /// What an error that came out of reading stands for.
    pub fn error(&self, error: &io::Error) -> HttpError {
        HttpError::from_io(error, &self.host)
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer)
    }
}
