//! The parcel: one CAR file that holds a whole deposit, read where it lies.
//!
//! The root is the note and comes first. Then come the body blocks in ascending order of their
//! digests, each once: the same blocks make the same file, byte for byte, wherever they come from.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};

use super::DepositError;
use super::decide::MAX_PARCEL_LEN;
use super::note::Note;
use crate::block::{Block, Cid, Codec, Digest};
use crate::body::class_len;
use crate::car::{CarReader, CarSection, CarWriter};
use crate::ids::DepositId;
use crate::store::{BlockSource, SourceError};

/// A parcel whose blocks were all checked against their names. What they mean is not.
#[derive(Debug)]
pub struct Parcel<R> {
    input: Mutex<R>,
    /// Where the data of each block begins, and its length.
    places: HashMap<Digest, (u64, u32)>,
    note: Block,
    deposit: DepositId,
    start: u64,
    bytes: u64,
}

impl<R: Read + Seek> Parcel<R> {
    /// Reads a parcel through once, from where `input` stands to its end, a block in memory at a
    /// time.
    ///
    /// # Errors
    /// [`DepositError::Car`], [`DepositError::NotAParcel`], [`DepositError::Malformed`].
    pub fn open(mut input: R) -> Result<Self, DepositError> {
        let start = input.stream_position()?;
        let mut places = HashMap::new();
        let buffered = std::io::BufReader::with_capacity(1 << 18, &mut input);
        let mut car = CarReader::new(buffered)?;
        let note = first_block(&mut car)?;
        let mut last = None;
        while let Some(section) = car.next().transpose()? {
            let CarSection::Block(block) = section else {
                return Err(DepositError::NotAParcel("a section is no block of ours"));
            };
            let (cid, len) = (block.cid(), block.data().len());
            if cid.codec() != Codec::Raw || len != class_len(len) {
                return Err(DepositError::NotAParcel("a block is no body block"));
            }
            if last.is_some_and(|last| last >= cid.digest()) {
                return Err(DepositError::NotAParcel("its blocks are out of order"));
            }
            if car.bytes_read() > MAX_PARCEL_LEN {
                return Err(DepositError::NotAParcel("it is too long"));
            }
            last = Some(cid.digest());
            let at = start + car.bytes_read() - len as u64;
            places.insert(cid.digest(), (at, len as u32));
        }
        let bytes = car.bytes_read();
        drop(car);
        let deposit = Note::claimed(&note)?;
        Ok(Self {
            input: Mutex::new(input),
            places,
            note,
            deposit,
            start,
            bytes,
        })
    }

    /// The id that the note shows outside. Nothing vouches for it before the note is opened.
    pub const fn deposit(&self) -> DepositId {
        self.deposit
    }

    /// Length of the file, in bytes.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many body blocks there are.
    pub fn blocks(&self) -> usize {
        self.places.len()
    }

    /// The file, from where the parcel begins.
    pub(crate) fn into_file(self) -> Result<R, std::io::Error> {
        let input = self.input.into_inner();
        let mut input = input.unwrap_or_else(PoisonError::into_inner);
        input.seek(SeekFrom::Start(self.start))?;
        Ok(input)
    }

    pub(crate) const fn note(&self) -> &Block {
        &self.note
    }

    pub(crate) fn block_len(&self, digest: &Digest) -> Option<u32> {
        self.places.get(digest).map(|(_, len)| *len)
    }

    /// Every body block.
    pub(crate) fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.places.keys()
    }

    fn read(&self, digest: &Digest) -> Result<Option<Block>, std::io::Error> {
        let Some((at, len)) = self.places.get(digest) else {
            return Ok(None);
        };
        let mut data = vec![0; *len as usize];
        // a reader that panicked leaves a position, and the next one sets its own
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        input.seek(SeekFrom::Start(*at))?;
        input.read_exact(&mut data)?;
        drop(input);
        Ok(Block::verify(Cid::raw(*digest), data).ok())
    }
}

impl<R: Read + Seek + Send> BlockSource for Parcel<R> {
    fn fetch(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError> {
        let fetch = |cid: &Cid| {
            let found = match cid.codec() {
                Codec::Raw => self.read(&cid.digest()),
                Codec::DagCbor => Ok(None),
            };
            let found = found.map_err(crate::store::StoreError::from)?;
            found.ok_or(SourceError::Missing(*cid))
        };
        cids.iter().map(fetch).collect()
    }
}

/// The note of a parcel: its root and first block.
pub(crate) fn first_block<R: Read>(car: &mut CarReader<R>) -> Result<Block, DepositError> {
    let [root] = *car.roots() else {
        return Err(DepositError::NotAParcel("it has no single root"));
    };
    match car.next().transpose()? {
        Some(CarSection::Block(block)) if block.cid() == root && root.codec() == Codec::DagCbor => {
            Ok(block)
        }
        _ => Err(DepositError::NotAParcel("it does not begin with a note")),
    }
}

/// Writes a parcel of `blocks`, which are put in order, and returns its length in bytes.
///
/// # Errors
/// [`DepositError::Source`], [`DepositError::Io`]; what was written is of no use then.
pub(crate) fn write(
    note: &Block,
    blocks: &[Digest],
    source: &dyn BlockSource,
    out: impl Write,
) -> Result<u64, DepositError> {
    let mut blocks = blocks.to_vec();
    blocks.sort_unstable();
    blocks.dedup();
    let mut car = CarWriter::new(out, &[note.cid()])?;
    car.put(note)?;
    for digest in blocks {
        for block in source.fetch(&[Cid::raw(digest)])? {
            car.put(&block)?;
        }
    }
    let bytes = car.bytes();
    car.finish()?;
    Ok(bytes)
}
