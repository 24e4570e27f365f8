//! What is said over a stream of `medvault/block/1`.
//!
//! | stream | reader | patient's node |
//! |---|---|---|
//! | first | a statement, then the end | one byte, then the end |
//! | each further one | 1 to 256 CIDs of 36 bytes, then the end | an answer for each CID in order, then the end |
//!
//! An answer is byte 0, a big-endian `u32` length of at most 1 MiB and the block; or byte 1: not
//! here; or byte 2: no longer allowed, and the end.

use vault_core::{AccessRefusal, Cid, MAX_BLOCK_LEN};

/// Most blocks of one request.
pub(crate) const MAX_CIDS: usize = 256;
/// Longest request, in bytes.
pub(crate) const MAX_REQUEST_LEN: usize = MAX_CIDS * Cid::LEN;

const FOUND: u8 = 0;
const MISSING: u8 = 1;
const OVER: u8 = 2;

/// Why a node gives no blocks to a reader, as it says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The reader holds no grant, or no longer.
    #[error("it gives blocks only to those who hold a grant")]
    NotAReader,
    /// The clocks are more than ten minutes apart.
    #[error("its clock and ours are more than ten minutes apart")]
    Clock,
    /// The statement is not valid, or not for this connection or vault.
    #[error("it does not accept our statement")]
    Statement,
    /// Too many connections of this reader.
    #[error("it has no room for another connection of this reader")]
    Busy,
}

impl From<&AccessRefusal> for Refusal {
    fn from(refusal: &AccessRefusal) -> Self {
        match refusal {
            AccessRefusal::NotAReader => Self::NotAReader,
            AccessRefusal::Clock { .. } => Self::Clock,
            _ => Self::Statement,
        }
    }
}

/// The byte that answers a statement.
pub(crate) fn encode_verdict(verdict: Result<(), Refusal>) -> u8 {
    match verdict {
        Ok(()) => 0,
        Err(Refusal::NotAReader) => 1,
        Err(Refusal::Clock) => 2,
        Err(Refusal::Statement) => 3,
        Err(Refusal::Busy) => 4,
    }
}

/// Reads [`encode_verdict`]; `None` for what is no verdict.
pub(crate) fn decode_verdict(bytes: &[u8]) -> Option<Result<(), Refusal>> {
    match bytes {
        [0] => Some(Ok(())),
        [1] => Some(Err(Refusal::NotAReader)),
        [2] => Some(Err(Refusal::Clock)),
        [3] => Some(Err(Refusal::Statement)),
        [4] => Some(Err(Refusal::Busy)),
        _ => None,
    }
}

/// A request; `cids` are at most [`MAX_CIDS`].
pub(crate) fn encode_request(cids: &[Cid]) -> Vec<u8> {
    cids.iter().flat_map(Cid::to_bytes).collect()
}

/// Reads a request; `None` for one that is empty, too long or not made of CIDs.
pub(crate) fn decode_request(bytes: &[u8]) -> Option<Vec<Cid>> {
    if bytes.is_empty() || bytes.len() > MAX_REQUEST_LEN {
        return None;
    }
    let cids = bytes.chunks(Cid::LEN).map(Cid::from_bytes);
    cids.collect::<Result<_, _>>().ok()
}

/// The beginning of an answer; the block itself follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A block of this length.
    Found(u32),
    Missing,
    /// The reader may not read any more.
    Over,
}

/// Length of [`Answer::Found`], in bytes.
pub(crate) const FOUND_LEN: usize = 5;

impl Answer {
    pub(crate) fn encode(self) -> Vec<u8> {
        match self {
            Self::Found(len) => [&[FOUND], &len.to_be_bytes()[..]].concat(),
            Self::Missing => vec![MISSING],
            Self::Over => vec![OVER],
        }
    }

    /// Whether the answer that begins with `first` goes on with a length.
    pub(crate) const fn has_len(first: u8) -> bool {
        first == FOUND
    }

    /// Reads a whole beginning.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [FOUND, a, b, c, d] => {
                let len = u32::from_be_bytes([*a, *b, *c, *d]);
                (len as usize <= MAX_BLOCK_LEN).then_some(Self::Found(len))
            }
            [MISSING] => Some(Self::Missing),
            [OVER] => Some(Self::Over),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vault_core::{Codec, Digest};

    #[test]
    fn requests_are_one_to_256_cids() {
        let cids: Vec<Cid> = (0..MAX_CIDS as u32)
            .map(|n| Cid::new(Codec::DagCbor, Digest::of(&n.to_be_bytes())))
            .collect();
        for count in [1, 2, MAX_CIDS] {
            let bytes = encode_request(&cids[..count]);
            assert_eq!(decode_request(&bytes), Some(cids[..count].to_vec()));
            assert_eq!(decode_request(&bytes[1..]), None);
            assert_eq!(decode_request(&[&bytes[..], &[1]].concat()), None);
        }
        assert_eq!(decode_request(&[]), None);
        let long = [&encode_request(&cids)[..], &cids[0].to_bytes()].concat();
        assert_eq!(decode_request(&long), None);
        assert_eq!(decode_request(&[0xff; Cid::LEN]), None);
    }

    #[test]
    fn answers_and_verdicts_have_one_form() {
        for answer in [
            Answer::Found(0),
            Answer::Found(1 << 20),
            Answer::Missing,
            Answer::Over,
        ] {
            let bytes = answer.encode();
            assert_eq!(Answer::has_len(bytes[0]), bytes.len() == FOUND_LEN);
            assert_eq!(Answer::decode(&bytes), Some(answer));
        }
        let large = Answer::Found((1 << 20) + 1).encode();
        for bad in [&large[..], &[], &[3], &[0], &[1, 1]] {
            assert_eq!(Answer::decode(bad), None, "{bad:?}");
        }
        for verdict in (0..=4).map(|byte| decode_verdict(&[byte]).unwrap()) {
            assert_eq!(decode_verdict(&[encode_verdict(verdict)]), Some(verdict));
        }
        for bad in [&[][..], &[5], &[0, 0]] {
            assert_eq!(decode_verdict(bad), None);
        }
    }
}
