//! Writing a CAR.

use std::io::{self, Write};

use super::{Header, section_head, varint};
use crate::block::{Block, Cid};
use crate::codec;
use crate::pins::link;

/// Writes a CARv1 file, block by block. It holds nothing back but what `W` buffers.
#[derive(Debug)]
pub struct CarWriter<W> {
    out: W,
    blocks: u64,
    len: u64,
}

impl<W: Write> CarWriter<W> {
    /// Begins a file whose header names `roots`.
    ///
    /// # Errors
    /// Whatever `out` returns.
    pub fn new(mut out: W, roots: &[Cid]) -> io::Result<Self> {
        let header = codec::encode(&Header {
            roots: roots.iter().map(link).collect(),
            version: 1,
        });
        let len = varint(header.len() as u64);
        out.write_all(&len)?;
        out.write_all(&header)?;
        Ok(Self {
            out,
            blocks: 0,
            len: (len.len() + header.len()) as u64,
        })
    }

    /// Appends a block.
    ///
    /// # Errors
    /// Whatever `out` returns; the file is of no use then.
    pub fn put(&mut self, block: &Block) -> io::Result<()> {
        // a block is at most 1 MiB long
        let head = section_head(block.cid(), block.data().len() as u32);
        self.out.write_all(&head)?;
        self.out.write_all(block.data())?;
        self.blocks += 1;
        self.len += (head.len() + block.data().len()) as u64;
        Ok(())
    }

    /// Blocks written so far.
    pub const fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Length of the file so far, in bytes.
    pub const fn bytes(&self) -> u64 {
        self.len
    }

    /// Ends the file and hands `out` back, flushed. Making it durable is up to the caller.
    ///
    /// # Errors
    /// Whatever `out` returns.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{Codec, Digest};

    #[test]
    fn a_file_is_header_and_sections() {
        let car = CarWriter::new(Vec::new(), &[]).unwrap().finish().unwrap();
        assert_eq!(car, *b"\x11\xa2eroots\x80gversion\x01");

        let block = Block::new(Codec::Raw, b"hello".to_vec()).unwrap();
        let root = Cid::new(Codec::DagCbor, Digest::of(b"root"));
        let mut writer = CarWriter::new(Vec::new(), &[root]).unwrap();
        let header = writer.bytes() as usize;
        writer.put(&block).unwrap();
        assert_eq!((writer.blocks(), writer.bytes()), (1, header as u64 + 42));
        let car = writer.finish().unwrap();
        // one root: tag 42 over a byte string of 37, the first of them zero
        assert_eq!(car[..14], *b"\x3a\xa2eroots\x81\xd8\x2a\x58\x25\x00");
        assert_eq!(car[14..50], root.to_bytes());
        assert_eq!(car[header], 41);
        assert_eq!(car[header + 1..header + 37], block.cid().to_bytes());
        assert_eq!(car[header + 37..], *b"hello");
    }
}
