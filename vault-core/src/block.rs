//! Blocks: what leaves the device, named by the hash of its bytes.
//!
//! Only two kinds of CID exist here, both CIDv1 with SHA-256: `raw` for everything sealed, and
//! `dag-cbor` for the head and the pin set, whose links must be visible so that one pin keeps the
//! whole vault. Source: multiformats CID specification; IPLD codec table.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Largest block that is ever stored, sent or accepted, in bytes (1 MiB).
pub const MAX_BLOCK_LEN: usize = 1 << 20;

/// SHA-256 of a block's bytes: the name of a sealed (`raw`) block.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(#[serde(with = "serde_bytes")] [u8; 32]);

impl Digest {
    /// Hashes `data`.
    pub fn of(data: &[u8]) -> Self {
        Self(Sha256::digest(data).into())
    }

    /// Wraps a known hash.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", Cid::raw(*self))
    }
}

/// How a block's bytes are to be read by an IPFS node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Multicodec 0x55: opaque bytes.
    Raw,
    /// Multicodec 0x71: dag-cbor, links visible.
    DagCbor,
}

/// A CIDv1 of one of our two codecs, always SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid {
    codec: Codec,
    digest: Digest,
}

/// A CID that this project never writes and does not accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a CIDv1 of codec raw or dag-cbor with SHA-256")]
pub struct ParseCidError;

impl Cid {
    /// Length of the binary form, in bytes.
    pub const LEN: usize = 36;

    /// The CID of a block whose digest and codec are known.
    pub const fn new(codec: Codec, digest: Digest) -> Self {
        Self { codec, digest }
    }

    /// The CID of a sealed block.
    pub const fn raw(digest: Digest) -> Self {
        Self::new(Codec::Raw, digest)
    }

    /// The hash of the block's bytes.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The block's codec.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// Binary form: version 1, codec, hash function 0x12, hash length 32, hash.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let codec = match self.codec {
            Codec::Raw => 0x55,
            Codec::DagCbor => 0x71,
        };
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&[1, codec, 0x12, 32]);
        bytes[4..].copy_from_slice(&self.digest.0);
        bytes
    }

    /// Reads the binary form.
    ///
    /// # Errors
    /// Any other version, codec, hash function or length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ParseCidError> {
        let (prefix, digest) = bytes.split_at_checked(4).ok_or(ParseCidError)?;
        let codec = match prefix {
            [1, 0x55, 0x12, 32] => Codec::Raw,
            [1, 0x71, 0x12, 32] => Codec::DagCbor,
            _ => return Err(ParseCidError),
        };
        let digest = digest.try_into().map_err(|_| ParseCidError)?;
        Ok(Self::new(codec, Digest(digest)))
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "b{}",
            BASE32_NOPAD.encode(&self.to_bytes()).to_ascii_lowercase()
        )
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cid({self})")
    }
}

impl FromStr for Cid {
    type Err = ParseCidError;

    fn from_str(text: &str) -> Result<Self, ParseCidError> {
        let body = text.strip_prefix('b').ok_or(ParseCidError)?;
        let bytes = BASE32_NOPAD
            .decode(body.to_ascii_uppercase().as_bytes())
            .map_err(|_| ParseCidError)?;
        Self::from_bytes(&bytes)
    }
}

/// Bytes with their CID, the hash checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    cid: Cid,
    data: Vec<u8>,
}

/// Bytes that do not belong to the CID they came with, or are too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Over [`MAX_BLOCK_LEN`].
    #[error("block of {0} bytes is over the limit of 1 MiB")]
    TooLarge(usize),
    /// The bytes hash to something else.
    #[error("block bytes do not match {0}")]
    Mismatch(Cid),
}

impl Block {
    /// Names `data` by its hash.
    ///
    /// # Errors
    /// [`BlockError::TooLarge`].
    pub fn new(codec: Codec, data: Vec<u8>) -> Result<Self, BlockError> {
        if data.len() > MAX_BLOCK_LEN {
            return Err(BlockError::TooLarge(data.len()));
        }
        Ok(Self {
            cid: Cid::new(codec, Digest::of(&data)),
            data,
        })
    }

    /// Takes foreign bytes that claim to be `cid`.
    ///
    /// # Errors
    /// [`BlockError::TooLarge`]; [`BlockError::Mismatch`] when the hash differs.
    pub fn verify(cid: Cid, data: Vec<u8>) -> Result<Self, BlockError> {
        let block = Self::new(cid.codec, data)?;
        if block.cid == cid {
            Ok(block)
        } else {
            Err(BlockError::Mismatch(cid))
        }
    }

    /// The block's name.
    pub const fn cid(&self) -> Cid {
        self.cid
    }

    /// The block's bytes.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The block's bytes, owned.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({}, {} bytes)", self.cid, self.data.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_cid() {
        // `printf hello | ipfs block put --cid-codec raw` gives this name
        let block = Block::new(Codec::Raw, b"hello".to_vec()).unwrap();
        let text = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";
        assert_eq!(block.cid().to_string(), text);
        assert_eq!(text.parse(), Ok(block.cid()));
    }

    #[test]
    fn foreign_bytes_are_checked() {
        let cid = Cid::raw(Digest::of(b"a"));
        assert_eq!(
            Block::verify(cid, b"b".to_vec()),
            Err(BlockError::Mismatch(cid))
        );
        assert_eq!(
            Block::verify(cid, vec![0; MAX_BLOCK_LEN + 1]),
            Err(BlockError::TooLarge(MAX_BLOCK_LEN + 1))
        );
    }

    #[test]
    fn other_cids_are_refused() {
        for text in [
            "",
            "b",
            "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
            "bafy",
        ] {
            assert_eq!(text.parse::<Cid>(), Err(ParseCidError));
        }
    }
}
