//! The secret that a service knows its customer by.

use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// The longest token accepted, in bytes.
pub const MAX_TOKEN: usize = 8192;

/// A bearer token (RFC 6750). It is wiped when dropped and never printed.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Takes a token as a file or a command gives it: white space around it is dropped.
    ///
    /// # Errors
    /// When nothing is left, or what is left has characters that no token has.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, TokenError> {
        let text = text.as_ref().trim();
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        if text.len() > MAX_TOKEN {
            return Err(TokenError::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Characters);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The value of the `authorization` header, marked so that it is never logged.
    ///
    /// The HTTP library keeps copies of its own while a request is under way; those are not wiped.
    pub(super) fn header(&self) -> Option<ureq::http::HeaderValue> {
        let mut text = Zeroizing::new(String::with_capacity(7 + self.0.len()));
        text.push_str("Bearer ");
        text.push_str(&self.0);
        let mut value = ureq::http::HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        text.zeroize();
        Some(value)
    }
}

/// Why a text is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// There is none.
    #[error("the token is empty")]
    Empty,
    /// It is longer than 8192 bytes.
    #[error("the token is longer than 8192 bytes")]
    TooLong,
    /// It holds white space or characters outside of ASCII.
    #[error("the token holds characters that no token has")]
    Characters,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_trimmed_and_checked() {
        let token = Token::parse(" abc.DEF-1=\n").unwrap();
        let header = token.header().unwrap();
        assert_eq!(header.to_str().unwrap(), "Bearer abc.DEF-1=");
        assert!(header.is_sensitive());
        assert_eq!(Token::parse(" \n").err(), Some(TokenError::Empty));
        assert_eq!(Token::parse("a b").err(), Some(TokenError::Characters));
        assert_eq!(
            Token::parse("a\r\nx: y").err(),
            Some(TokenError::Characters)
        );
        assert_eq!(Token::parse("ä").err(), Some(TokenError::Characters));
        assert_eq!(
            Token::parse("a".repeat(8193)).err(),
            Some(TokenError::TooLong)
        );
    }
}
