//! Blocks out of CAR files, for recovery from a copy.
//!
//! Source: CARv1 specification: a header and sections, each with a varint length before it.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use vault_core::{Block, BlockStore, Cid, MAX_BLOCK_LEN};

use crate::error::{Error, Exit, Result};

/// Bytes handed to the store at once.
const BATCH: usize = 8 << 20;
/// Length of a binary CID that this program writes.
const CID_LEN: usize = 36;
/// Longest accepted header, in bytes.
const MAX_HEADER_LEN: u64 = 1 << 20;

/// What was found in the files.
#[derive(Debug, Default)]
pub struct Copied {
    /// Blocks that were taken over.
    pub blocks: u64,
    /// Sections that are no block of ours, or whose bytes do not match their CID.
    pub passed_over: u64,
}

/// Copies the blocks of CAR files, or of all CAR files in a folder, into `store`.
pub fn copy(paths: &[PathBuf], store: &dyn BlockStore) -> Result<Copied> {
    let mut files = Vec::new();
    for path in paths {
        find(path, &mut files).map_err(|e| Error::file(path, &e))?;
    }
    if files.is_empty() {
        return Err(
            Error::new(Exit::NotFound, "no-car", "there is no CAR file there")
                .hint("name the folder `blocks` of the old home, or files that end in .car"),
        );
    }
    let mut copied = Copied::default();
    let mut batch = Vec::new();
    let mut held = 0;
    for file in &files {
        let mut reader = BufReader::new(File::open(file).map_err(|e| Error::file(file, &e))?);
        skip_header(&mut reader).map_err(|e| Error::file(file, &e))?;
        while let Some(section) = next(&mut reader).map_err(|e| Error::file(file, &e))? {
            match block(&section) {
                Some(block) => {
                    held += section.len();
                    copied.blocks += 1;
                    batch.push(block);
                }
                None => copied.passed_over += 1,
            }
            if held >= BATCH {
                store.put(&batch)?;
                batch.clear();
                held = 0;
            }
        }
    }
    store.put(&batch)?;
    store.sync()?;
    Ok(copied)
}

fn find(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.metadata()?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut inside = std::fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    inside.sort();
    for path in inside {
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "car") {
            find(&path, files)?;
        }
    }
    Ok(())
}

fn skip_header(reader: &mut impl Read) -> std::io::Result<()> {
    let bad = || std::io::Error::new(ErrorKind::InvalidData, "not a CAR file");
    let len = varint(reader)?
        .filter(|len| (1..=MAX_HEADER_LEN).contains(len))
        .ok_or_else(bad)?;
    let skipped = std::io::copy(&mut reader.take(len), &mut std::io::sink())?;
    if skipped == len { Ok(()) } else { Err(bad()) }
}

/// The next section; `None` at the end, also where a copy was cut off.
fn next(reader: &mut impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let Some(len) = varint(reader)? else {
        return Ok(None);
    };
    if len == 0 || len > (MAX_BLOCK_LEN + 2 * CID_LEN) as u64 {
        std::io::copy(&mut reader.take(len), &mut std::io::sink())?;
        return Ok(Some(Vec::new()));
    }
    let mut section = Vec::new();
    reader.take(len).read_to_end(&mut section)?;
    Ok((section.len() as u64 == len).then_some(section))
}

fn block(section: &[u8]) -> Option<Block> {
    let (cid, data) = section.split_at_checked(CID_LEN)?;
    let cid = Cid::from_bytes(cid).ok()?;
    if data.iter().all(|byte| *byte == 0) {
        return None;
    }
    let block = Block::new(cid.codec(), data.to_vec()).ok()?;
    (block.cid() == cid).then_some(block)
}

/// An unsigned LEB128 number; `None` at the end.
fn varint(reader: &mut impl Read) -> std::io::Result<Option<u64>> {
    let mut value = 0u64;
    for shift in (0..63).step_by(7) {
        let mut byte = [0];
        match reader.read_exact(&mut byte) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(e) => return Err(e),
        }
        value |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            return Ok(Some(value));
        }
    }
    Err(std::io::Error::new(
        ErrorKind::InvalidData,
        "not a CAR file",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vault_core::{Codec, MemoryStore};

    fn section(out: &mut Vec<u8>, cid: &Cid, data: &[u8]) {
        out.push((CID_LEN + data.len()) as u8);
        out.extend(cid.to_bytes());
        out.extend(data);
    }

    #[test]
    fn good_blocks_are_taken_and_others_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let block = Block::new(Codec::Raw, b"block".to_vec()).unwrap();
        let mut car = vec![3, 1, 2, 3];
        section(&mut car, &block.cid(), b"block");
        section(&mut car, &block.cid(), b"other");
        section(&mut car, &block.cid(), &[0; 5]);
        car.extend([60, 1, 0x55]);
        std::fs::create_dir(folder.path().join("blocks")).unwrap();
        std::fs::write(folder.path().join("blocks/a.car"), &car).unwrap();
        std::fs::write(folder.path().join("blocks/a.txt"), b"x").unwrap();
        let store = MemoryStore::new();
        let copied = copy(&[folder.path().to_owned()], &store).unwrap();
        assert_eq!((copied.blocks, copied.passed_over), (1, 2));
        assert!(store.has(&block.cid()).unwrap());
        let text = folder.path().join("blocks/a.txt");
        assert!(copy(&[text], &store).is_err());
    }
}
