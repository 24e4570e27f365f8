//! A name: an Ed25519 public key as a libp2p peer id.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};

use crate::keys::PublicKey;

/// Before the key: CID version 1, codec libp2p-key, multihash identity of 36 bytes, and the
/// protobuf of an Ed25519 key (type 1, 32 bytes).
const CID_PREFIX: [u8; 8] = [1, 0x72, 0, 36, 8, 1, 18, 32];

/// How much of [`CID_PREFIX`] makes it a CID; the rest is a peer id.
const CID_ONLY: usize = 2;

const BASE36: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const BASE58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Longest text that is read as a name.
const MAX_TEXT_LEN: usize = 72;

/// The IPNS name of an Ed25519 key. Its text form is the CIDv1 in base36: `k51…`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IpnsName(PublicKey);

/// A text that is not the name of an Ed25519 key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an IPNS name of an Ed25519 key (k51…, bafz… or 12D3KooW…)")]
pub struct ParseIpnsNameError;

impl IpnsName {
    /// The name of a key.
    pub const fn new(key: PublicKey) -> Self {
        Self(key)
    }

    /// The key.
    pub const fn key(&self) -> &PublicKey {
        &self.0
    }

    /// The peer id of the same key, binary: an identity multihash, 38 bytes.
    pub fn peer_id_bytes(&self) -> Vec<u8> {
        self.cid_bytes()[CID_ONLY..].to_vec()
    }

    /// The key under which a DHT keeps the record: `/ipns/` and the binary peer id.
    pub fn routing_key(&self) -> Vec<u8> {
        [b"/ipns/", &self.cid_bytes()[CID_ONLY..]].concat()
    }

    /// The peer id of the same key as text: `12D3KooW…`.
    pub fn to_peer_id(&self) -> String {
        encode(BASE58, &self.peer_id_bytes())
    }

    fn cid_bytes(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[..8].copy_from_slice(&CID_PREFIX);
        bytes[8..].copy_from_slice(self.0.as_bytes());
        bytes
    }

    fn from_cid_bytes(bytes: &[u8]) -> Option<Self> {
        let key = bytes.strip_prefix(&CID_PREFIX)?.try_into().ok()?;
        Some(Self(PublicKey::from_bytes(key)))
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_TEXT_LEN {
            return None;
        }
        if let Some(digits) = text.strip_prefix('k') {
            return Self::from_cid_bytes(&decode(BASE36, digits)?);
        }
        if let Some(digits) = text.strip_prefix('b') {
            let upper = digits.to_ascii_uppercase();
            return Self::from_cid_bytes(&BASE32_NOPAD.decode(upper.as_bytes()).ok()?);
        }
        let peer = decode(BASE58, text)?;
        Self::from_cid_bytes(&[&CID_PREFIX[..CID_ONLY], &peer].concat())
    }
}

impl fmt::Display for IpnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("k{}", encode(BASE36, &self.cid_bytes())))
    }
}

impl fmt::Debug for IpnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IpnsName({self})")
    }
}

impl FromStr for IpnsName {
    type Err = ParseIpnsNameError;

    fn from_str(text: &str) -> Result<Self, ParseIpnsNameError> {
        Self::read(text).ok_or(ParseIpnsNameError)
    }
}

/// The bytes as one large number in another base; zero bytes in front become zero digits.
fn encode(alphabet: &[u8], bytes: &[u8]) -> String {
    let base = alphabet.len() as u32;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut digits: Vec<u8> = Vec::new();
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % base) as u8;
            carry /= base;
        }
        while carry > 0 {
            digits.push((carry % base) as u8);
            carry /= base;
        }
    }
    digits.resize(digits.len() + zeros, 0);
    digits
        .iter()
        .rev()
        .map(|digit| char::from(alphabet[usize::from(*digit)]))
        .collect()
}

/// The opposite of [`encode`]; `None` for a character that is no digit.
fn decode(alphabet: &[u8], text: &str) -> Option<Vec<u8>> {
    let base = alphabet.len() as u32;
    let zeros = text.bytes().take_while(|c| *c == alphabet[0]).count();
    let mut bytes: Vec<u8> = Vec::new();
    for character in text.bytes() {
        let mut carry = alphabet.iter().position(|digit| *digit == character)? as u32;
        for byte in &mut bytes {
            carry += u32::from(*byte) * base;
            *byte = carry as u8;
            carry >>= 8;
        }
        while carry > 0 {
            bytes.push(carry as u8);
            carry >>= 8;
        }
    }
    bytes.resize(bytes.len() + zeros, 0);
    bytes.reverse();
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example owner key of the specification, computed with other means.
    #[test]
    fn known_names() {
        let key = crate::fuzzing::owner().public();
        let forms = [
            "k51qzi5uqu5djmw2yvf8kk5cdjc1ddc00o4d5sjwi6f79xzcay9j3gkddw5uu4",
            "bafzaajaiaejcbcui4poxicprsx6vfwznhs5f24wkm4e36hmucin7g5eiag2a6324",
            "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5",
        ];
        for form in forms {
            assert_eq!(form.parse(), Ok(IpnsName::new(key)), "{form}");
        }
        assert_eq!(IpnsName::new(key).to_string(), forms[0]);
        assert_eq!(IpnsName::new(key).to_peer_id(), forms[2]);
    }

    #[test]
    fn every_text_form_of_a_key_is_one_name() {
        for seed in 0..50_u8 {
            let name = IpnsName::new(PublicKey::from_bytes([seed; 32]));
            let text = name.to_string();
            assert!(text.starts_with("k51") && text.len() == 62, "{text}");
            let peer = name.to_peer_id();
            assert!(peer.starts_with("12D3KooW"), "{peer}");
            let base32 = BASE32_NOPAD.encode(&name.cid_bytes()).to_lowercase();
            assert!(base32.starts_with("afzaajaiaejc"), "{base32}");
            for form in [text, peer, format!("b{base32}")] {
                assert_eq!(form.parse(), Ok(name), "{form}");
            }
        }
    }

    #[test]
    fn names_of_other_keys_and_other_texts_are_refused() {
        let name = IpnsName::new(PublicKey::from_bytes([7; 32])).to_string();
        let bad = [
            "",
            "k",
            "b",
            "k51",
            "0OIl",
            &name[1..],
            &name[..61],
            &format!("{name}0"),
            &format!("k0{}", &name[1..]),
            &name.to_uppercase(),
            // an RSA key
            "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
            // a block
            "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq",
        ];
        for text in bad {
            assert_eq!(text.parse::<IpnsName>(), Err(ParseIpnsNameError), "{text}");
        }
    }
}
