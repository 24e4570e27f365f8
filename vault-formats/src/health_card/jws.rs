//! One health card: a JWS in compact form with a compressed payload.
//!
//! Sources: SMART Health Cards Framework, "Signing Health Cards"; RFC 7515 section 7.1 (compact
//! serialization); RFC 1951 (DEFLATE).

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::read::DeflateDecoder;
use serde::Deserialize;
use serde_json::{Number, Value};

use super::keys::{IssuerKeys, Signed};

/// Longest header, in base64url characters.
const MAX_HEADER_LEN: usize = 4096;
/// Longest payload, inflated, and all payloads of a file together, in bytes (4 MiB).
const MAX_PAYLOAD_LEN: usize = 4 << 20;
/// A payload is at most this many times as long as what it was inflated from, if it is longer than
/// [`SMALL`]. Health records shrink to a tenth.
const MAX_RATIO: usize = 100;
/// Length to which the ratio does not matter, in bytes.
const SMALL: usize = 64 << 10;
/// Most values in all payloads of a file.
const MAX_VALUES: usize = 250_000;

/// What the payloads of one file may still take.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: usize,
    values: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            bytes: MAX_PAYLOAD_LEN,
            values: MAX_VALUES,
        }
    }
}

impl Budget {
    fn spend(&mut self, payload: &[u8]) -> Result<(), CardError> {
        // every value follows one of these, so a tree of them stays small
        let marks = payload.iter().filter(|b| matches!(b, b'[' | b',' | b':'));
        let left = self
            .bytes
            .checked_sub(payload.len())
            .zip(self.values.checked_sub(marks.count()));
        let (bytes, values) = left.ok_or(CardError::TooLarge)?;
        *self = Self { bytes, values };
        Ok(())
    }
}

/// Why a text is not a health card that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum CardError {
    #[error("not a JSON Web Signature in compact form")]
    NotJws,
    #[error("signed with another algorithm than ES256")]
    OtherAlgorithm,
    #[error("the payload does not inflate")]
    NotDeflated,
    #[error("the payload inflates to more than a health card holds")]
    TooLarge,
    #[error("the payload is not that of a health card")]
    NotACard,
}

/// A health card.
#[derive(Debug)]
pub(super) struct Card {
    /// Issuer URL.
    pub(super) issuer: String,
    /// Not valid before, in seconds since 1970.
    pub(super) not_before: Option<u64>,
    /// Not valid after, in seconds since 1970.
    pub(super) expires: Option<u64>,
    /// Types, without the address before `#`.
    pub(super) types: Vec<String>,
    /// The FHIR bundle.
    pub(super) bundle: Value,
    /// Whether the signature is the issuer's.
    pub(super) signed: Signed,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    zip: Option<String>,
    kid: Option<String>,
}

#[derive(Deserialize)]
struct Payload {
    iss: String,
    nbf: Option<Number>,
    exp: Option<Number>,
    vc: Credential,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credential {
    #[serde(default)]
    r#type: Vec<String>,
    credential_subject: Subject,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subject {
    fhir_bundle: Value,
}

/// Whether a text begins like a JWS with a compressed payload. It may go on after its end.
pub(super) fn looks_like_jws(text: &str) -> bool {
    let Some((header, rest)) = text.split_once('.') else {
        return false;
    };
    let rest = rest.split_whitespace().next().unwrap_or_default();
    let plain = rest.bytes().all(|b| is_base64url(b) || b == b'.');
    plain && rest.split('.').count() <= 2 && self::header(header).is_ok_and(|h| h.zip.is_some())
}

/// Whether a text begins like a JWE: five parts, of which the header says how it is encrypted.
pub(super) fn looks_like_jwe(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Encrypted {
        #[serde(rename = "alg")]
        _alg: String,
        #[serde(rename = "enc")]
        _enc: String,
    }
    let Some((header, rest)) = text.split_once('.') else {
        return false;
    };
    let rest = rest.trim_end();
    let plain = rest.bytes().all(|b| is_base64url(b) || b == b'.');
    plain && rest.split('.').count() <= 4 && json::<Encrypted>(header).is_some()
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn json<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    if part.len() > MAX_HEADER_LEN {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn header(part: &str) -> Result<Header, CardError> {
    json(part).ok_or(CardError::NotJws)
}

impl Card {
    /// Reads one card and checks its signature with the keys there are.
    ///
    /// # Errors
    /// [`CardError`]. A signature that does not hold is no error, see [`Card::signed`].
    pub(super) fn parse(
        text: &str,
        keys: &IssuerKeys,
        budget: &mut Budget,
    ) -> Result<Self, CardError> {
        let mut parts = text.split('.');
        let (Some(first), Some(second), Some(third), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(CardError::NotJws);
        };
        let header = header(first)?;
        if header.alg != "ES256" {
            return Err(CardError::OtherAlgorithm);
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| CardError::NotJws);
        let (packed, signature) = (decode(second)?, decode(third)?);
        let payload = match header.zip.as_deref() {
            Some("DEF") => inflate(&packed)?,
            Some(_) => return Err(CardError::NotDeflated),
            None => packed,
        };
        budget.spend(&payload)?;
        let payload: Payload = serde_json::from_slice(&payload).map_err(|_| CardError::NotACard)?;
        let message = text.get(..first.len() + 1 + second.len());
        let message = message.unwrap_or_default().as_bytes();
        let kid = header.kid.unwrap_or_default();
        let types = payload.vc.r#type.iter();
        let types = types.map(|name| name.rsplit('#').next().unwrap_or(name).to_owned());
        Ok(Self {
            signed: keys.check(&kid, &payload.iss, message, &signature),
            not_before: payload.nbf.as_ref().and_then(seconds),
            expires: payload.exp.as_ref().and_then(seconds),
            types: types.collect(),
            bundle: payload.vc.credential_subject.fhir_bundle,
            issuer: payload.iss,
        })
    }
}

/// A NumericDate (RFC 7519) in whole seconds; before 1970 is 1970.
pub(super) fn seconds(time: &Number) -> Option<u64> {
    let time = time.as_f64().filter(|time| time.is_finite())?;
    // a cast to an unsigned type stays at its ends
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Some(time as u64)
}

/// Inflates a payload within bounds.
fn inflate(packed: &[u8]) -> Result<Vec<u8>, CardError> {
    let limit = packed.len().saturating_mul(MAX_RATIO);
    let limit = limit.clamp(SMALL, MAX_PAYLOAD_LEN);
    let mut out = Vec::new();
    let mut inflated = DeflateDecoder::new(packed).take(limit as u64 + 1);
    inflated
        .read_to_end(&mut out)
        .map_err(|_| CardError::NotDeflated)?;
    if out.len() > limit {
        return Err(CardError::TooLarge);
    }
    Ok(out)
}
