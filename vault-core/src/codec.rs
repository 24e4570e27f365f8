//! Strict dag-cbor: one encoding per value, and nothing else is accepted.
//!
//! Strictness is enforced by round trip: a decoded value must encode back to exactly the bytes it
//! came from. That refuses unsorted or duplicate map keys, long integer forms, indefinite lengths,
//! unknown fields and trailing bytes with one rule. Source: IPLD dag-cbor specification, section
//! "Strictness".

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why foreign bytes were not accepted as a dag-cbor value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than this kind of value may have.
    #[error("value of {len} bytes is over the limit of {limit}")]
    TooLarge {
        /// Length found, in bytes.
        len: usize,
        /// Length allowed, in bytes.
        limit: usize,
    },
    /// Not dag-cbor, or not of the expected shape.
    #[error("malformed dag-cbor")]
    Malformed,
    /// Well-formed, but not the one canonical encoding.
    #[error("dag-cbor is not in its canonical form")]
    NotCanonical,
}

/// Encodes a value of one of our own types.
///
/// # Panics
/// Never for the types of this crate: they hold only what dag-cbor can express.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    #[allow(clippy::expect_used)] // own types only: no floats, no non-string keys
    serde_ipld_dagcbor::to_vec(value).expect("own types are dag-cbor values")
}

/// Decodes `bytes`, at most `limit` of them, and accepts only the canonical encoding.
///
/// # Errors
/// [`DecodeError`]; the input is never trusted and never causes a panic.
pub fn decode<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
    limit: usize,
) -> Result<T, DecodeError> {
    if bytes.len() > limit {
        return Err(DecodeError::TooLarge {
            len: bytes.len(),
            limit,
        });
    }
    let value: T = serde_ipld_dagcbor::from_slice(bytes).map_err(|_| DecodeError::Malformed)?;
    match serde_ipld_dagcbor::to_vec(&value) {
        Ok(again) if again == bytes => Ok(value),
        _ => Err(DecodeError::NotCanonical),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        a: u64,
        #[serde(rename = "bb")]
        b: String,
    }

    #[test]
    fn canonical_round_trip() {
        let pair = Pair {
            a: 7,
            b: "x".into(),
        };
        let bytes = encode(&pair);
        assert_eq!(decode::<Pair>(&bytes, 64), Ok(pair));
    }

    #[test]
    fn every_looser_form_is_refused() {
        // {"bb": "x", "a": 7}: keys not in canonical order
        let unsorted = [0xa2, 0x62, b'b', b'b', 0x61, b'x', 0x61, b'a', 0x07];
        // {"a": 7, "a": 7, "bb": "x"}
        let duplicate = [
            0xa3, 0x61, b'a', 7, 0x61, b'a', 7, 0x62, b'b', b'b', 0x61, b'x',
        ];
        // 7 written as a two-byte integer
        let long = [0xa2, 0x61, b'a', 0x18, 7, 0x62, b'b', b'b', 0x61, b'x'];
        let mut trailing = encode(&Pair {
            a: 7,
            b: "x".into(),
        });
        trailing.push(0);
        for bytes in [&unsorted[..], &duplicate, &long, &trailing] {
            assert!(decode::<Pair>(bytes, 64).is_err(), "{bytes:02x?}");
        }
        assert_eq!(
            decode::<Pair>(&[0; 65], 64),
            Err(DecodeError::TooLarge { len: 65, limit: 64 })
        );
    }
}
