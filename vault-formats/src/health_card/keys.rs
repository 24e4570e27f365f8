//! Public keys of issuers, as they publish them.
//!
//! Sources: SMART Health Cards Framework, "Determining keys associated with an issuer"; RFC 7517
//! (JWK Set), RFC 7638 (thumbprint), RFC 7518 section 6.2 (P-256).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// Most keys of one set.
const MAX_KEYS: usize = 1_000;
/// Longest set, in bytes (1 MiB).
const MAX_LEN: usize = 1 << 20;

/// Why a text is not a set of issuer keys that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssuerKeysError {
    /// More than 1 MiB or 1,000 keys.
    #[error("more than 1 MiB or 1,000 keys")]
    TooLarge,
    /// Not a JWK Set.
    #[error("not a JSON Web Key Set")]
    NotAKeySet,
    /// A key of another kind: cards are signed with ES256 only.
    #[error("a key that is not for signatures (use sig) with ES256 on P-256")]
    OtherKind,
    /// The coordinates are not those of a point on the curve.
    #[error("a key that is not a point on P-256")]
    NotAPoint,
    /// The `kid` is not the key's SHA-256 thumbprint.
    #[error("a key whose kid is not its thumbprint")]
    WrongKid,
    /// There is a private key in it.
    #[error("a private key: whoever has this file can sign cards")]
    PrivateKey,
}

/// Public keys that issuers sign cards with. Where they come from is up to the caller: nothing is
/// fetched, and certificates (`x5c`) and revocation lists are not looked at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IssuerKeys {
    /// By `kid`; one key may be known of several issuers.
    keys: BTreeMap<String, (VerifyingKey, Vec<Option<String>>)>,
}

/// What a set of keys says about a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    /// The signature is the issuer's.
    Verified,
    /// There is no key of this issuer and `kid`.
    NoKey,
    /// The signature does not hold.
    Broken,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    r#use: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<serde::de::IgnoredAny>,
}

impl IssuerKeys {
    /// Reads a JWK Set, as issuers publish it at `/.well-known/jwks.json`. With an `issuer` (the
    /// `iss` URL of its cards) the keys count for this issuer's cards only.
    ///
    /// # Errors
    /// [`IssuerKeysError`]; one key that is not as the specification wants it refuses the set.
    pub fn from_jwks(text: &[u8], issuer: Option<&str>) -> Result<Self, IssuerKeysError> {
        if text.len() > MAX_LEN {
            return Err(IssuerKeysError::TooLarge);
        }
        let set: KeySet = serde_json::from_slice(text).map_err(|_| IssuerKeysError::NotAKeySet)?;
        if set.keys.len() > MAX_KEYS {
            return Err(IssuerKeysError::TooLarge);
        }
        let issuer = issuer.map(|issuer| same_issuer(issuer).to_owned());
        let mut keys = BTreeMap::new();
        for jwk in set.keys {
            let (kid, key) = parse(jwk)?;
            keys.insert(kid, (key, vec![issuer.clone()]));
        }
        Ok(Self { keys })
    }

    /// Adds the keys of another set.
    pub fn merge(&mut self, other: Self) {
        for (kid, (key, issuers)) in other.keys {
            let known = &mut self.keys.entry(kid).or_insert((key, Vec::new())).1;
            for issuer in issuers {
                if !known.contains(&issuer) {
                    known.push(issuer);
                }
            }
        }
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Checks an ES256 signature (64 bytes, r and s) over `message`.
    pub(super) fn check(
        &self,
        kid: &str,
        issuer: &str,
        message: &[u8],
        signature: &[u8],
    ) -> Signed {
        let issuer = same_issuer(issuer);
        let of_issuer = |known: &Option<String>| known.as_deref().is_none_or(|k| k == issuer);
        match self.keys.get(kid) {
            Some((key, issuers)) if issuers.iter().any(of_issuer) => {
                let signature = Signature::from_slice(signature);
                match signature.and_then(|signature| key.verify(message, &signature)) {
                    Ok(()) => Signed::Verified,
                    Err(_) => Signed::Broken,
                }
            }
            _ => Signed::NoKey,
        }
    }
}

/// The specification forbids a slash at the end of `iss`; some write it when they copy.
fn same_issuer(url: &str) -> &str {
    url.trim().trim_end_matches('/')
}

fn parse(jwk: Jwk) -> Result<(String, VerifyingKey), IssuerKeysError> {
    if jwk.d.is_some() {
        return Err(IssuerKeysError::PrivateKey);
    }
    let is = |field: &Option<String>, wanted: &str| field.as_deref() == Some(wanted);
    let fits =
        jwk.kty == "EC" && is(&jwk.r#use, "sig") && is(&jwk.alg, "ES256") && is(&jwk.crv, "P-256");
    if !fits {
        return Err(IssuerKeysError::OtherKind);
    }
    let mut point = vec![0x04];
    for coordinate in [&jwk.x, &jwk.y] {
        let text = coordinate.as_deref().unwrap_or_default();
        let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        if bytes.len() != 32 {
            return Err(IssuerKeysError::NotAPoint);
        }
        point.extend(bytes);
    }
    let key = VerifyingKey::from_sec1_bytes(&point).map_err(|_| IssuerKeysError::NotAPoint)?;
    let thumbprint = thumbprint(&point);
    if jwk.kid.as_ref() != Some(&thumbprint) {
        return Err(IssuerKeysError::WrongKid);
    }
    Ok((thumbprint, key))
}

/// The RFC 7638 thumbprint of an uncompressed point.
fn thumbprint(point: &[u8]) -> String {
    let coordinate = |range: std::ops::Range<usize>| {
        URL_SAFE_NO_PAD.encode(point.get(range).unwrap_or_default())
    };
    let (x, y) = (coordinate(1..33), coordinate(33..65));
    let text = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// The public half of a key in the form issuers publish, for tests.
#[cfg(test)]
pub(super) fn published(key: &p256::ecdsa::SigningKey) -> (String, serde_json::Value) {
    let point = key.verifying_key().to_encoded_point(false);
    let kid = thumbprint(point.as_bytes());
    let jwk = serde_json::json!({
        "kty": "EC", "kid": kid, "use": "sig", "alg": "ES256", "crv": "P-256",
        "x": URL_SAFE_NO_PAD.encode(&point.as_bytes()[1..33]),
        "y": URL_SAFE_NO_PAD.encode(&point.as_bytes()[33..]),
    });
    (kid, jwk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::ecdsa::SigningKey;
    use p256::ecdsa::signature::Signer as _;
    use serde_json::{Value, json};

    fn signing_key(seed: u8) -> SigningKey {
        SigningKey::from_slice(&[seed; 32]).unwrap()
    }

    fn set(keys: &[Value]) -> Vec<u8> {
        json!({ "keys": keys }).to_string().into_bytes()
    }

    /// The keys of the specification's examples (public, published there).
    const EXAMPLE: &str = r#"{"keys":[{"kty":"EC",
        "kid":"3Kfdg-XwP-7gXyywtUfUADwBumDOPKMQx-iELL11W9s","use":"sig","alg":"ES256",
        "crv":"P-256","x":"11XvRWy1I2S0EyJlyf_bWfw_TQ5CJJNLw78bHXNxcgw",
        "y":"eZXwxvO1hvCY0KucrPfKo7yAyMT6Ajc3N7OkAB6VYy8"}]}"#;

    #[test]
    fn the_thumbprint_is_that_of_the_rfc() {
        let keys = IssuerKeys::from_jwks(EXAMPLE.as_bytes(), None).unwrap();
        assert_eq!(keys.keys.len(), 1);
        assert!(!keys.is_empty() && IssuerKeys::default().is_empty());
    }

    #[test]
    fn signatures_count_for_the_issuer_the_key_is_of() {
        let key = signing_key(1);
        let (kid, jwk) = published(&key);
        let signature: Signature = key.sign(b"message");
        let signature = signature.to_bytes();
        let issuer = "https://lab.example.org/issuer";
        let check = |keys: &IssuerKeys, issuer: &str, message: &[u8]| {
            keys.check(&kid, issuer, message, &signature)
        };
        let mut keys =
            IssuerKeys::from_jwks(&set(std::slice::from_ref(&jwk)), Some(issuer)).unwrap();
        assert_eq!(check(&keys, issuer, b"message"), Signed::Verified);
        assert_eq!(check(&keys, issuer, b"massage"), Signed::Broken);
        assert_eq!(
            check(&keys, "https://other.example.org", b"message"),
            Signed::NoKey
        );
        assert_eq!(
            keys.check(&kid, issuer, b"message", b"short"),
            Signed::Broken
        );
        assert_eq!(
            keys.check("other", issuer, b"message", &signature),
            Signed::NoKey
        );
        keys.merge(IssuerKeys::from_jwks(&set(&[jwk]), None).unwrap());
        assert_eq!(
            check(&keys, "https://other.example.org", b"message"),
            Signed::Verified
        );
    }

    #[test]
    fn keys_that_are_not_as_they_should_be_are_refused() {
        let (_, good) = published(&signing_key(1));
        let (_, other) = published(&signing_key(2));
        let with = |name: &str, value: Value| {
            let mut jwk = good.clone();
            jwk[name] = value;
            IssuerKeys::from_jwks(&set(&[other.clone(), jwk]), None).unwrap_err()
        };
        assert_eq!(with("kid", other["kid"].clone()), IssuerKeysError::WrongKid);
        assert_eq!(with("kid", Value::Null), IssuerKeysError::WrongKid);
        assert_eq!(with("x", other["x"].clone()), IssuerKeysError::NotAPoint);
        assert_eq!(with("x", json!("AA")), IssuerKeysError::NotAPoint);
        assert_eq!(with("use", json!("enc")), IssuerKeysError::OtherKind);
        assert_eq!(with("alg", json!("ES384")), IssuerKeysError::OtherKind);
        assert_eq!(with("crv", json!("P-384")), IssuerKeysError::OtherKind);
        assert_eq!(with("kty", json!("RSA")), IssuerKeysError::OtherKind);
        assert_eq!(with("d", json!("AA")), IssuerKeysError::PrivateKey);
        let refused = |text: &[u8]| IssuerKeys::from_jwks(text, None).unwrap_err();
        assert_eq!(refused(b"{}"), IssuerKeysError::NotAKeySet);
        assert_eq!(refused(&vec![b' '; MAX_LEN + 1]), IssuerKeysError::TooLarge);
        assert_eq!(
            refused(&set(&vec![good.clone(); 1001])),
            IssuerKeysError::TooLarge
        );
        assert!(IssuerKeys::from_jwks(&set(&[]), None).unwrap().is_empty());
    }
}
