//! The address of a service: `http` or `https`, a host, a path, and nothing else.

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;
use ureq::http::Uri;

/// The longest address accepted, in bytes.
const MAX_URL: usize = 2048;

/// The address of a service, without query, fragment, user name or password.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BaseUrl {
    text: String,
    host: String,
    secure: bool,
}

impl BaseUrl {
    /// Parses an address such as `https://pins.example/api/v1` or `http://127.0.0.1:5001`.
    ///
    /// A slash at the end means nothing and is dropped.
    ///
    /// # Errors
    /// What is wrong with the text; see [`UrlError`].
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        if text.len() > MAX_URL {
            return Err(UrlError::TooLong);
        }
        if text.contains('#') {
            return Err(UrlError::Extra);
        }
        let uri: Uri = text.parse().map_err(|_| UrlError::Syntax)?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err(UrlError::Scheme),
            None => return Err(UrlError::Syntax),
        };
        let authority = uri.authority().ok_or(UrlError::Host)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::Password);
        }
        if uri.query().is_some() {
            return Err(UrlError::Extra);
        }
        let host = authority.host();
        if host.trim_matches(['[', ']']).is_empty() {
            return Err(UrlError::Host);
        }
        let port_is_odd = authority.port_u16().is_none() && authority.as_str() != host;
        if port_is_odd || authority.port_u16() == Some(0) {
            return Err(UrlError::Port);
        }
        let path = uri.path();
        if path.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(UrlError::Syntax);
        }
        Ok(Self {
            text: format!(
                "{}://{}{}",
                if secure { "https" } else { "http" },
                authority.as_str().to_ascii_lowercase(),
                path.trim_end_matches('/')
            ),
            host: host.trim_matches(['[', ']']).to_ascii_lowercase(),
            secure,
        })
    }

    /// The address as text, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name or number of the computer, without port and brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether what is sent there is encrypted on the way.
    pub const fn is_https(&self) -> bool {
        self.secure
    }

    /// Whether the service runs on this very computer.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self
                .host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// The address of something below this one. Each segment and each value of the query is
    /// percent-encoded, so that none of them can reach another place.
    pub fn join(&self, path: &[&str], query: &[(&str, &str)]) -> String {
        let mut url = self.text.clone();
        for segment in path {
            url.push('/');
            if segment.bytes().all(|byte| byte == b'.') {
                url.push_str(&"%2E".repeat(segment.len()));
            } else {
                encode(segment, &mut url);
            }
        }
        for (place, (name, value)) in query.iter().enumerate() {
            url.push(if place == 0 { '?' } else { '&' });
            encode(name, &mut url);
            url.push('=');
            encode(value, &mut url);
        }
        url
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986, section 2.3.
fn encode(text: &str, into: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.push('%');
            into.push(char::from(HEX[usize::from(byte >> 4)]));
            into.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for BaseUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

/// Why a text is not the address of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UrlError {
    /// It cannot be read as an address.
    #[error("not an address such as https://pins.example/api")]
    Syntax,
    /// The scheme is neither http nor https.
    #[error("only http and https addresses are used")]
    Scheme,
    /// No host is named.
    #[error("the address names no host")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// It carries a user name or password, which would be shown wherever the address is.
    #[error("the address holds a user name or password; give a token instead")]
    Password,
    /// It carries a query or a fragment.
    #[error("the address must end with its path: no '?' and no '#'")]
    Extra,
    /// It is longer than 2048 bytes.
    #[error("the address is longer than 2048 bytes")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, UrlError> {
        BaseUrl::parse(text).map(|url| url.as_str().to_owned())
    }

    #[test]
    fn addresses_are_parsed_and_made_uniform() {
        assert_eq!(
            parse("https://Pins.Example/Api/").unwrap(),
            "https://pins.example/Api"
        );
        assert_eq!(parse(" http://[::1]:5001 ").unwrap(), "http://[::1]:5001");
        assert_eq!(parse("HTTP://a").unwrap(), "http://a");
    }

    #[test]
    fn everything_else_is_refused() {
        for (text, why) in [
            ("", UrlError::Syntax),
            ("pins.example", UrlError::Syntax),
            ("/api", UrlError::Syntax),
            ("ftp://pins.example", UrlError::Scheme),
            ("https://me:secret@pins.example", UrlError::Password),
            ("https://pins.example/?key=1", UrlError::Extra),
            ("https://pins.example/#x", UrlError::Extra),
            ("https://pins.example:0", UrlError::Port),
            ("https://pins.example/a/../b", UrlError::Syntax),
        ] {
            assert_eq!(parse(text), Err(why), "{text}");
        }
        assert!(parse("https://pins.example:99999").is_err());
        assert!(parse("https://").is_err());
        assert_eq!(
            parse(&format!("https://a/{}", "b".repeat(3000))),
            Err(UrlError::TooLong)
        );
    }

    #[test]
    fn only_this_computer_is_loopback() {
        for (text, here) in [
            ("http://127.0.0.1:1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]", true),
            ("http://localhost:80/x", true),
            ("http://localhost.example", false),
            ("http://127.0.0.1.example", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(BaseUrl::parse(text).unwrap().is_loopback(), here, "{text}");
        }
    }

    #[test]
    fn segments_and_values_cannot_break_out() {
        let base = BaseUrl::parse("https://a/b").unwrap();
        assert_eq!(
            base.join(&["pins", "../x?y"], &[("q", "a&b=c"), ("r", "é")]),
            "https://a/b/pins/..%2Fx%3Fy?q=a%26b%3Dc&r=%C3%A9"
        );
        assert_eq!(base.join(&[".."], &[]), "https://a/b/%2E%2E");
    }
}
