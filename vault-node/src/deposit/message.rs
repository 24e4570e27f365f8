//! What is said over a stream of `medvault/deposit/1`.
//!
//! | from | what |
//! |---|---|
//! | sender | `u64` length of the body, `u32` length of the announcement, announcement |
//! | node | byte 0: go ahead; or byte 1, a refusal and the end; or byte 2, no room now, and the end |
//! | sender | the body, then the end |
//! | node | byte 0 and an answer, or byte 1 and a refusal; then the end |
//!
//! Numbers are big-endian.

/// Longest announcement of a deposit, in bytes.
pub const MAX_DEPOSIT_ANNOUNCEMENT: usize = 32 << 10;
/// Longest message that refuses a deposit, in bytes.
pub const MAX_DEPOSIT_REFUSAL: usize = 4 << 10;
/// Longest answer to a deposit that was taken, in bytes.
pub const MAX_DEPOSIT_ANSWER: usize = 32 << 10;

/// Length of what stands before an announcement, in bytes.
pub(crate) const HEADER_LEN: usize = 12;

/// What stands before an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Length of the body, in bytes.
    pub(crate) body: u64,
    /// Length of the announcement, at most [`MAX_DEPOSIT_ANNOUNCEMENT`].
    pub(crate) announcement: usize,
}

impl Header {
    pub(crate) fn encode(self) -> Vec<u8> {
        let announcement = (self.announcement as u32).to_be_bytes();
        [&self.body.to_be_bytes()[..], &announcement].concat()
    }

    /// `None` when the announcement is over the limit.
    pub(crate) fn decode(bytes: &[u8; HEADER_LEN]) -> Option<Self> {
        let [body @ .., a, b, c, d] = *bytes;
        let announcement = u32::from_be_bytes([a, b, c, d]) as usize;
        (announcement <= MAX_DEPOSIT_ANNOUNCEMENT).then_some(Self {
            body: u64::from_be_bytes(body),
            announcement,
        })
    }
}

/// The byte with which a node's word begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// Go ahead; or at the end: taken, an answer follows.
    Yes,
    /// A refusal follows.
    No,
    /// No room for a deposit now.
    Busy,
}

impl Word {
    pub(crate) const fn encode(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::Busy => 2,
        }
    }

    /// `None` for what is none.
    pub(crate) const fn decode(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Yes),
            1 => Some(Self::No),
            2 => Some(Self::Busy),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_two_big_endian_lengths_with_a_limit() {
        let header = Header {
            body: 0x0102_0304_0506_0708,
            announcement: 0x1234,
        };
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x12, 0x34];
        assert_eq!(header.encode(), bytes);
        assert_eq!(Header::decode(&bytes), Some(header));
        let at = |len: u32| {
            let mut bytes = [0xff; HEADER_LEN];
            bytes[8..].copy_from_slice(&len.to_be_bytes());
            Header::decode(&bytes)
        };
        let largest = at(32_768).unwrap();
        assert_eq!((largest.body, largest.announcement), (u64::MAX, 32_768));
        assert_eq!(at(32_769), None);
        assert_eq!(at(u32::MAX), None);
    }

    #[test]
    fn words_have_one_form() {
        for (byte, word) in [(0, Word::Yes), (1, Word::No), (2, Word::Busy)] {
            assert_eq!((word.encode(), Word::decode(byte)), (byte, Some(word)));
        }
        assert!((3..=255).all(|byte| Word::decode(byte).is_none()));
    }
}
