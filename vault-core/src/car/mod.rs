//! CAR files: blocks one after the other, as every IPFS tool reads and writes them.
//!
//! A CARv1 file is a header that names its roots, then sections:
//! `varint(length of the rest) || CID || data`. Source: IPLD CARv1 specification; unsigned varints
//! after the multiformats specification.

mod read;
mod write;

use ipld_core::cid::Cid as IpldCid;
use serde::{Deserialize, Serialize};

pub use read::{CarError, CarReader, CarSection};
pub use write::CarWriter;

use crate::block::Cid;

/// Longest varint, in bytes: 63 bits, as the multiformats specification allows.
const MAX_VARINT: usize = 9;

/// The header's dag-cbor map.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    roots: Vec<IpldCid>,
    version: u64,
}

/// The head of a section with `len` bytes of data.
pub(crate) fn section_head(cid: Cid, len: u32) -> Vec<u8> {
    let mut head = varint(Cid::LEN as u64 + u64::from(len));
    head.extend_from_slice(&cid.to_bytes());
    head
}

/// An unsigned LEB128 number.
pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAX_VARINT);
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Reads the number at the start of `bytes`, and how many bytes it takes; `None` when it does not
/// end there, is too long, or is not in its shortest form.
pub(crate) fn parse_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let width = bytes
        .iter()
        .take(MAX_VARINT)
        .position(|byte| byte & 0x80 == 0)?
        + 1;
    let value = (0..width).fold(0_u64, |sum, at| {
        sum | u64::from(bytes[at] & 0x7f) << (7 * at)
    });
    let shortest = width == 1 || bytes[width - 1] != 0;
    shortest.then_some((value, width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_in_their_shortest_form_only() {
        for value in [0, 1, 127, 128, 300, 1 << 20, u64::MAX >> 1] {
            let bytes = varint(value);
            assert_eq!(parse_varint(&bytes), Some((value, bytes.len())));
            assert_eq!(parse_varint(&bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(parse_varint(&[0x80, 0]), None);
        assert_eq!(parse_varint(&[0xff; 10]), None);
    }
}
