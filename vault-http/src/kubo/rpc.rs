//! Kubo's RPC: `POST /api/v0/COMMAND?arg=…`, as its own command line uses it.
//!
//! Every command used here may be repeated, so one that was cut off by a dead connection is sent
//! once more. Source: Kubo, `docs/reference/kubo/rpc`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::Response;
use zeroize::Zeroizing;

use super::KuboError;
use crate::client::BaseUrl;

/// How long Kubo may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a small command may take.
const SHORT: Duration = Duration::from_secs(60);
/// How long a command may take that goes through many blocks.
const LONG: Duration = Duration::from_secs(3600);
/// Longest answer that is read whole, in bytes.
const MAX_ANSWER: u64 = 64 << 20;
/// Longest line of an answer that comes in lines, in bytes.
const MAX_LINE: u64 = 1 << 20;
/// Longest message of Kubo's that is shown, in characters.
const MAX_MESSAGE: usize = 300;
/// What stands between the parts of a form. Files are ours: CARs and signed records.
const BOUNDARY: &str = "medvault-1f0c9d6e2b7a4853";

/// One Kubo, and what it takes to be let in.
pub(super) struct Rpc {
    agent: Agent,
    url: String,
    token: Option<Zeroizing<String>>,
}

/// A command and its arguments.
pub(super) struct Command<'a> {
    pub(super) name: &'a str,
    pub(super) options: Vec<(&'a str, String)>,
    /// Goes through many blocks, and may take as long.
    pub(super) long: bool,
}

impl<'a> Command<'a> {
    /// A small command without the network: Kubo answers from what it has.
    pub(super) fn offline(name: &'a str) -> Self {
        Self::new(name).option("offline", "true")
    }

    /// A small command.
    pub(super) fn new(name: &'a str) -> Self {
        Self {
            name,
            options: Vec::new(),
            long: false,
        }
    }

    /// Adds an option or an argument (`arg`).
    pub(super) fn option(mut self, key: &'a str, value: impl ToString) -> Self {
        self.options.push((key, value.to_string()));
        self
    }

    /// Adds arguments.
    pub(super) fn args<T: ToString>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        let args = args.into_iter().map(|arg| ("arg", arg.to_string()));
        self.options.extend(args);
        self
    }

    /// May take long.
    pub(super) fn long(mut self) -> Self {
        self.long = true;
        self
    }
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "Message")]
    message: String,
}

impl Rpc {
    /// Kubo at `url`, such as `http://127.0.0.1:5001`. `token` is what Kubo's own `--api-auth`
    /// takes: `bearer:TOKEN`, `basic:USER:PASSWORD`, or a token alone.
    ///
    /// # Errors
    /// [`KuboError::Url`].
    pub(super) fn new(url: &str, token: Option<&str>) -> Result<Self, KuboError> {
        // without what may be a password in it
        let shown = url.rsplit('@').next().unwrap_or_default();
        let parsed = BaseUrl::parse(url).map_err(|_| KuboError::Url(shown.to_owned()))?;
        if token.is_some() && !parsed.is_https() && !parsed.is_loopback() {
            return Err(KuboError::OpenToken(shown.to_owned()));
        }
        let agent = Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None)
            .user_agent("medvault")
            .build()
            .new_agent();
        Ok(Self {
            agent,
            url: parsed.as_str().to_owned(),
            token: token.map(authorization),
        })
    }

    /// Runs a command whose answer is bytes.
    pub(super) fn bytes(&self, command: &Command<'_>, limit: usize) -> Result<Vec<u8>, KuboError> {
        let mut bytes = Vec::new();
        let answer = self.send(command, None)?;
        let mut reader = answer.into_body().into_reader().take(limit as u64 + 1);
        reader
            .read_to_end(&mut bytes)
            .map_err(|error| self.lost(&error))?;
        match bytes.len() > limit {
            true => Err(self.odd("an answer that is too long")),
            false => Ok(bytes),
        }
    }

    /// Runs a command whose answer is one JSON value.
    pub(super) fn json<T: DeserializeOwned>(&self, command: &Command<'_>) -> Result<T, KuboError> {
        let bytes = self.bytes(command, MAX_ANSWER as usize)?;
        serde_json::from_slice(&bytes).map_err(|_| self.odd("no JSON of the expected form"))
    }

    /// Runs a command whose answer is JSON lines; with `file`, which goes with it as a form.
    pub(super) fn lines<T: DeserializeOwned>(
        &self,
        command: &Command<'_>,
        file: Option<&[u8]>,
    ) -> Result<Vec<T>, KuboError> {
        let mut lines = Vec::new();
        self.each_line(command, file, |line| {
            lines.push(line);
            Ok(())
        })?;
        Ok(lines)
    }

    /// The same, line by line as they come; an error of `take` ends the command. A command that
    /// fails after its first line just ends, so callers look for what must come last.
    pub(super) fn each_line<T: DeserializeOwned>(
        &self,
        command: &Command<'_>,
        file: Option<&[u8]>,
        mut take: impl FnMut(T) -> Result<(), KuboError>,
    ) -> Result<(), KuboError> {
        let answer = self.send(command, file.map(form).as_deref())?;
        let body = answer.into_body().into_reader().take(MAX_ANSWER);
        let mut reader = BufReader::new(body);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line);
            match read {
                Ok(0) => return Ok(()),
                Ok(_) if line.trim_ascii().is_empty() => {}
                Ok(_) => take(self.line(&line)?)?,
                Err(error) => return Err(self.lost(&error)),
            }
        }
    }

    fn line<T: DeserializeOwned>(&self, line: &[u8]) -> Result<T, KuboError> {
        // an answer that has begun can only say in its lines that it failed
        if let Ok(refusal) = serde_json::from_slice::<Refusal>(line) {
            return Err(self.refused(refusal.message));
        }
        serde_json::from_slice(line).map_err(|_| self.odd("no JSON of the expected form"))
    }

    fn send(
        &self,
        command: &Command<'_>,
        form: Option<&[u8]>,
    ) -> Result<Response<ureq::Body>, KuboError> {
        let answer = match self.send_once(command, form) {
            Err(error) if is_dead_connection(&error) => self.send_once(command, form),
            other => other,
        };
        let mut answer = answer.map_err(|error| KuboError::Unreachable {
            url: self.url.clone(),
            reason: error.to_string(),
        })?;
        match answer.status().as_u16() {
            200 => Ok(answer),
            401 | 403 => Err(KuboError::Unauthorized(self.url.clone())),
            404 => Err(self.refused("no such command; is this the RPC of a Kubo?")),
            status => {
                let text = answer.body_mut().with_config().limit(MAX_LINE);
                let text = text.read_to_string().unwrap_or_default();
                let refusal = serde_json::from_str::<Refusal>(&text);
                Err(self.refused(refusal.map_or(format!("status {status}"), |r| r.message)))
            }
        }
    }

    fn send_once(
        &self,
        command: &Command<'_>,
        form: Option<&[u8]>,
    ) -> Result<Response<ureq::Body>, ureq::Error> {
        let url = format!("{}/api/v0/{}", self.url, command.name);
        let limit = if command.long { LONG } else { SHORT };
        let pairs = command.options.iter().map(|(key, value)| (*key, value));
        let mut request = self.agent.post(url).query_pairs(pairs);
        if let Some(token) = &self.token {
            request = request.header("authorization", token.as_str());
        }
        let request = request.config().timeout_global(Some(limit)).build();
        match form {
            None => request.send_empty(),
            Some(form) => request
                .content_type(format!("multipart/form-data; boundary={BOUNDARY}"))
                .send(form),
        }
    }

    /// What Kubo said, or would have, had it been clear.
    pub(super) fn refused(&self, message: impl AsRef<str>) -> KuboError {
        // it may end up on a terminal
        let plain = message.as_ref().chars().filter(|c| !c.is_control());
        KuboError::Refused {
            url: self.url.clone(),
            message: plain.take(MAX_MESSAGE).collect(),
        }
    }

    fn odd(&self, what: &str) -> KuboError {
        self.refused(format!("it gave {what}"))
    }

    fn lost(&self, error: &std::io::Error) -> KuboError {
        KuboError::Unreachable {
            url: self.url.clone(),
            reason: error.to_string(),
        }
    }
}

/// The value of the header that shows the token.
fn authorization(token: &str) -> Zeroizing<String> {
    Zeroizing::new(match token.split_once(':') {
        Some(("bearer", token)) => format!("Bearer {token}"),
        Some(("basic", pair)) => {
            let pair = Zeroizing::new(data_encoding::BASE64.encode(pair.as_bytes()));
            format!("Basic {}", pair.as_str())
        }
        _ => format!("Bearer {token}"),
    })
}

/// A form of one file.
fn form(file: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"file\"\r\n\
         content-type: application/octet-stream\r\n\r\n"
    );
    let tail = format!("\r\n--{BOUNDARY}--\r\n");
    [head.as_bytes(), file, tail.as_bytes()].concat()
}

/// A connection of before that the other side has closed meanwhile.
fn is_dead_connection(error: &ureq::Error) -> bool {
    use std::io::ErrorKind as Kind;
    match error {
        ureq::Error::Io(error) => matches!(
            error.kind(),
            Kind::ConnectionReset
                | Kind::ConnectionAborted
                | Kind::BrokenPipe
                | Kind::UnexpectedEof
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_take_the_forms_of_kubo() {
        assert_eq!(authorization("bearer:abc").as_str(), "Bearer abc");
        assert_eq!(authorization("abc").as_str(), "Bearer abc");
        let basic = authorization("basic:user:pass");
        assert_eq!(basic.as_str(), "Basic dXNlcjpwYXNz");
    }

    #[test]
    fn a_token_never_goes_over_an_open_line() {
        assert!(Rpc::new("http://127.0.0.1:5001", Some("t")).is_ok());
        assert!(Rpc::new("https://kubo.example", Some("t")).is_ok());
        assert!(Rpc::new("http://kubo.example:5001", None).is_ok());
        let open = Rpc::new("http://kubo.example:5001", Some("t"));
        assert!(matches!(open, Err(KuboError::OpenToken(_))));
        for bad in ["", "127.0.0.1:5001", "/ip4/127.0.0.1/tcp/5001", "ftp://x"] {
            assert!(
                matches!(Rpc::new(bad, None), Err(KuboError::Url(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn nobody_there_is_said_with_the_address() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", free.local_addr().unwrap());
        drop(free);
        let rpc = Rpc::new(&url, None).unwrap();
        let error = rpc.bytes(&Command::new("id"), 10).unwrap_err();
        assert!(matches!(error, KuboError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains(&url));
    }
}
