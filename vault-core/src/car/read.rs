//! Reading a CAR that anyone may have written.

use std::io::{self, ErrorKind, Read};

use super::{Header, MAX_VARINT, parse_varint};
use crate::block::{Block, BlockError, Cid, Codec, MAX_BLOCK_LEN};
use crate::codec;

/// Longest accepted header, in bytes.
const MAX_HEADER_LEN: u64 = 1 << 20;

/// Longest section that is passed over, in bytes; a longer one is taken for garbage.
const MAX_SECTION_LEN: u64 = 32 << 20;

/// Why a CAR, or one section of it, was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum CarError {
    /// The bytes could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It does not begin as a CARv1 file does.
    #[error("not a CAR file")]
    NotACar,
    /// A CAR of another version than 1.
    #[error("a CAR file of version {0}; only version 1 is read")]
    Version(u64),
    /// It ends in the middle of the header or of a section.
    #[error("the CAR file is cut off after {0} bytes")]
    Truncated(u64),
    /// What stands at this offset is no section.
    #[error("the CAR file is damaged at byte {0}")]
    Malformed(u64),
    /// A section's bytes are not the block that it names. Reading can go on.
    #[error("the bytes of block {0} do not match its name")]
    Mismatch(Cid),
    /// A section with one of our CIDs is over the limit of 1 MiB. Reading can go on.
    #[error("block {0} is over the limit of 1 MiB")]
    TooLarge(Cid),
}

impl CarError {
    /// Whether only this section is bad, and the iterator has more.
    pub const fn is_one_section(&self) -> bool {
        matches!(self, Self::Mismatch(_) | Self::TooLarge(_))
    }
}

/// One section of a CAR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CarSection {
    /// A block, checked against its CID.
    Block(Block),
    /// A raw block of only zeros, or an empty one: what our own stores leave in the place of a
    /// deleted block. Never one of ours, and no store takes it.
    Filler,
    /// A block under a CID that this project never uses (another version, codec or hash). It was
    /// passed over unread.
    Foreign,
}

/// Reads a CARv1 file section by section, holding one section at a time. Nothing in it is trusted.
///
/// The iterator ends after any error but those of [`CarError::is_one_section`].
#[derive(Debug)]
pub struct CarReader<R> {
    input: R,
    roots: Vec<Cid>,
    at: u64,
    ended: bool,
}

impl<R: Read> CarReader<R> {
    /// Reads the header. `input` is read in small pieces: give it a buffer.
    ///
    /// # Errors
    /// [`CarError::NotACar`], [`CarError::Version`], [`CarError::Truncated`], [`CarError::Io`].
    pub fn new(input: R) -> Result<Self, CarError> {
        let mut this = Self {
            input,
            roots: Vec::new(),
            at: 0,
            ended: false,
        };
        let len = match this.varint() {
            Ok(Some(len)) if (1..=MAX_HEADER_LEN).contains(&len) => len,
            Ok(_) | Err(CarError::Malformed(_)) => return Err(CarError::NotACar),
            Err(error) => return Err(error),
        };
        let bytes = this.bytes(len)?;
        // CARv2 begins with a header of no roots, {"version": 2}
        if let Some(version @ (0 | 2..)) = bytes
            .strip_prefix(b"\xa1gversion")
            .and_then(|rest| rest.first().copied())
        {
            return Err(CarError::Version(u64::from(version)));
        }
        let header: Header = codec::decode(&bytes, bytes.len()).map_err(|_| CarError::NotACar)?;
        if header.version != 1 {
            return Err(CarError::Version(header.version));
        }
        let ours = |root: &ipld_core::cid::Cid| Cid::from_bytes(&root.to_bytes()).ok();
        this.roots = header.roots.iter().filter_map(ours).collect();
        Ok(this)
    }

    /// Whether a file that begins with `bytes` (16 are enough) may be a CAR; anything may follow.
    pub fn may_begin(bytes: &[u8]) -> bool {
        let header = bytes.iter().position(|byte| *byte == 0xa2);
        header.is_some_and(|at| (1..=3).contains(&at) && bytes[at..].starts_with(b"\xa2eroots"))
    }

    /// The roots that the header names, in its order; foreign CIDs are left out. It is only a
    /// claim: nothing says that the blocks are in the file.
    pub fn roots(&self) -> &[Cid] {
        &self.roots
    }

    /// How many bytes were read so far.
    pub const fn bytes_read(&self) -> u64 {
        self.at
    }

    fn section(&mut self) -> Result<Option<CarSection>, CarError> {
        let start = self.at;
        let Some(len) = self.varint()? else {
            return Ok(None);
        };
        if !(1..=MAX_SECTION_LEN).contains(&len) {
            return Err(CarError::Malformed(start));
        }
        let head = self.bytes(len.min(Cid::LEN as u64))?;
        let rest = len - head.len() as u64;
        let Ok(cid) = Cid::from_bytes(&head) else {
            self.skip(rest)?;
            return Ok(Some(CarSection::Foreign));
        };
        if rest > MAX_BLOCK_LEN as u64 {
            self.skip(rest)?;
            return Err(CarError::TooLarge(cid));
        }
        let data = self.bytes(rest)?;
        let zeros = cid.codec() == Codec::Raw && data.iter().all(|byte| *byte == 0);
        match Block::verify(cid, data) {
            Ok(_) if zeros => Ok(Some(CarSection::Filler)),
            Ok(block) => Ok(Some(CarSection::Block(block))),
            Err(BlockError::Mismatch(cid)) => Err(CarError::Mismatch(cid)),
            Err(BlockError::TooLarge(_)) => Err(CarError::TooLarge(cid)),
        }
    }

    /// `None` at the end of the file.
    fn varint(&mut self) -> Result<Option<u64>, CarError> {
        let start = self.at;
        let mut bytes = [0; MAX_VARINT];
        for len in 1..=MAX_VARINT {
            let byte = &mut bytes[len - 1..len];
            match self.input.read_exact(byte) {
                Ok(()) => self.at += 1,
                Err(e) if e.kind() == ErrorKind::UnexpectedEof && len == 1 => return Ok(None),
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
                    return Err(CarError::Truncated(self.at));
                }
                Err(e) => return Err(e.into()),
            }
            if byte[0] < 0x80 {
                let value = parse_varint(&bytes[..len]).ok_or(CarError::Malformed(start))?;
                return Ok(Some(value.0));
            }
        }
        Err(CarError::Malformed(start))
    }

    /// The next `len` bytes, at most a block or a header.
    fn bytes(&mut self, len: u64) -> Result<Vec<u8>, CarError> {
        let mut bytes = Vec::new();
        let read = (&mut self.input).take(len).read_to_end(&mut bytes)?;
        self.passed(read as u64, len)?;
        Ok(bytes)
    }

    fn skip(&mut self, len: u64) -> Result<(), CarError> {
        let read = io::copy(&mut (&mut self.input).take(len), &mut io::sink())?;
        self.passed(read, len)
    }

    fn passed(&mut self, read: u64, wanted: u64) -> Result<(), CarError> {
        self.at += read;
        match read == wanted {
            true => Ok(()),
            false => Err(CarError::Truncated(self.at)),
        }
    }
}

impl<R: Read> Iterator for CarReader<R> {
    type Item = Result<CarSection, CarError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let section = self.section().transpose();
        self.ended = match &section {
            None => true,
            Some(Ok(_)) => false,
            Some(Err(error)) => !error.is_one_section(),
        };
        section
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Digest;
    use crate::car::{CarWriter, section_head, varint};

    fn block(text: &str) -> Block {
        Block::new(Codec::Raw, text.as_bytes().to_vec()).unwrap()
    }

    fn car(blocks: &[Block]) -> Vec<u8> {
        let root = Cid::new(Codec::DagCbor, Digest::of(b"root"));
        let mut writer = CarWriter::new(Vec::new(), &[root]).unwrap();
        blocks.iter().for_each(|block| writer.put(block).unwrap());
        writer.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Vec<Result<CarSection, CarError>> {
        CarReader::new(bytes).unwrap().collect()
    }

    #[test]
    fn what_was_written_is_read_and_every_cut_is_seen() {
        let blocks = [block("a"), block(&"b".repeat(300))];
        let bytes = car(&blocks);
        let mut reader = CarReader::new(&bytes[..]).unwrap();
        assert_eq!(
            reader.roots(),
            [Cid::new(Codec::DagCbor, Digest::of(b"root"))]
        );
        for block in &blocks {
            let read = reader.next().unwrap().unwrap();
            assert_eq!(read, CarSection::Block(block.clone()));
        }
        assert!(reader.next().is_none());
        assert_eq!(reader.bytes_read(), bytes.len() as u64);
        let header = car(&[]).len();
        let whole = [header, header + 38, bytes.len()];
        for cut in 1..bytes.len() {
            let ending = match CarReader::new(&bytes[..cut]) {
                Ok(reader) => reader.last(),
                Err(error) => Some(Err(error)),
            };
            let truncated =
                matches!(ending, Some(Err(CarError::Truncated(at))) if at == cut as u64);
            assert_eq!(truncated, !whole.contains(&cut), "{cut}");
        }
    }

    #[test]
    fn a_wrong_block_is_named_and_the_next_one_read() {
        let (good, bad) = (block("good"), block("bad!"));
        let mut bytes = car(&[bad.clone(), good.clone()]);
        let at = bytes.windows(4).position(|w| w == b"bad!").unwrap();
        bytes[at] ^= 1;
        let read = read(&bytes);
        assert!(matches!(&read[0], Err(CarError::Mismatch(cid)) if *cid == bad.cid()));
        assert_eq!(read[1].as_ref().unwrap(), &CarSection::Block(good));
        assert_eq!(read.len(), 2);
    }

    #[test]
    fn foreign_and_empty_sections_are_passed_over() {
        let good = block("good");
        let mut bytes = car(&[]);
        // CIDv0; dag-pb; SHA-512; identity; too short for any CID of ours
        let cids: [&[u8]; 5] = [
            &[[0x12, 0x20].as_slice(), &[7; 32]].concat(),
            &[[1, 0x70, 0x12, 32].as_slice(), &[7; 32]].concat(),
            &[[1, 0x55, 0x13, 64].as_slice(), &[7; 64]].concat(),
            &[1, 0x55, 0, 2, 1, 1],
            &[1],
        ];
        for cid in cids {
            bytes.extend(varint(cid.len() as u64 + 3));
            bytes.extend(cid);
            bytes.extend(b"xyz");
        }
        for len in [0, 9] {
            bytes.extend(section_head(
                Cid::raw(Digest::of(&vec![0; len])),
                len as u32,
            ));
            bytes.extend(vec![0; len]);
        }
        let long = vec![1; MAX_BLOCK_LEN + 1];
        let cid = Cid::raw(Digest::of(&long));
        bytes.extend(section_head(cid, long.len() as u32));
        bytes.extend(&long);
        bytes.extend(section_head(good.cid(), 4));
        bytes.extend(good.data());
        let read = read(&bytes);
        assert_eq!(read.len(), 9);
        for section in &read[..5] {
            assert_eq!(section.as_ref().unwrap(), &CarSection::Foreign);
        }
        for section in &read[5..7] {
            assert_eq!(section.as_ref().unwrap(), &CarSection::Filler);
        }
        assert!(matches!(&read[7], Err(CarError::TooLarge(found)) if *found == cid));
        assert_eq!(read[8].as_ref().unwrap(), &CarSection::Block(good));
    }

    #[test]
    fn what_is_no_car_is_refused() {
        let refused = |bytes: &[u8]| CarReader::new(bytes).map(|_| ()).unwrap_err();
        let second = b"\x0a\xa1gversion\x02rest";
        assert!(matches!(refused(second), CarError::Version(2)));
        let third = b"\x11\xa2eroots\x80gversion\x03";
        assert!(matches!(refused(third), CarError::Version(3)));
        for bytes in [
            &b""[..],
            b"x",
            b"\0",
            b"\xff\xff\xff\xff\x7f",
            b"\x02\xa0\xa0",
            b"\x80\0",
        ] {
            let error = refused(bytes);
            let cut = matches!(error, CarError::Truncated(_)) && bytes == b"x";
            assert!(
                matches!(error, CarError::NotACar) || cut,
                "{bytes:?}: {error}"
            );
        }
        // a section of no length, or of far too much
        for section in [&[0_u8][..], &[0x80, 0x80, 0x80, 0x80, 1], &[0xff; 12]] {
            let bytes = [car(&[]), section.to_vec()].concat();
            let at = car(&[]).len() as u64;
            let read = read(&bytes);
            assert!(matches!(read[..], [Err(CarError::Malformed(found))] if found == at));
        }
    }
}
