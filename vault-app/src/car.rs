//! CAR files: finding them, copying their blocks into a store, writing new ones.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek as _};
use std::path::{Path, PathBuf};

use vault_core::{
    Archive, ArchiveError, Archived, BlockStore, CarError, CarReader, CarSection, VaultError,
};

use crate::error::{Error, Exit, Result};
use crate::files;

/// Bytes handed to the store at once.
const BATCH: usize = 8 << 20;

/// How often a file is begun anew because the vault changed meanwhile.
const TRIES: u32 = 3;

/// What was found in the files.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Blocks that were taken over.
    pub blocks: u64,
    /// Sections that are no block of ours, or whose bytes do not match their CID.
    pub passed_over: u64,
}

/// Copies the blocks of CAR files, and of all CAR files in folders, into `store`. A file that is cut
/// off or damaged gives what it has: this is for recovery.
///
/// # Errors
/// `no-car` when no file is there; a file that cannot be read or is no CAR; what the store refuses.
pub fn copy_blocks_from(paths: &[PathBuf], store: &dyn BlockStore) -> Result<Copied> {
    let mut files = Vec::new();
    for path in paths {
        find_cars(path, &mut files).map_err(|e| Error::file(path, &e))?;
    }
    if files.is_empty() {
        return Err(
            Error::new(Exit::NotFound, "no-car", "there is no CAR file there")
                .hint("name the folder `blocks` of the old home, or files that end in .car"),
        );
    }
    let mut copied = Copied::default();
    for file in &files {
        let part = copy_blocks(file, open_car(file)?, store)?;
        copied.blocks += part.blocks;
        copied.passed_over += part.passed_over;
    }
    Ok(copied)
}

/// Copies the blocks of one CAR into `store`; `path` names it in errors.
///
/// # Errors
/// When it cannot be read; what the store refuses.
pub fn copy_blocks(
    path: &Path,
    car: CarReader<impl Read>,
    store: &dyn BlockStore,
) -> Result<Copied> {
    let mut copied = Copied::default();
    let (mut batch, mut held) = (Vec::new(), 0);
    for section in car {
        match section {
            Ok(CarSection::Block(block)) => {
                held += block.data().len();
                copied.blocks += 1;
                batch.push(block);
            }
            Err(error @ CarError::Io(_)) => return Err(car_error(path, error)),
            Ok(CarSection::Filler | CarSection::Foreign) | Err(_) => copied.passed_over += 1,
        }
        if held >= BATCH {
            store.put(&batch)?;
            batch.clear();
            held = 0;
        }
    }
    store.put(&batch)?;
    store.sync()?;
    Ok(copied)
}

/// Opens a CAR file.
///
/// # Errors
/// When it cannot be read or is none.
pub fn open_car(path: &Path) -> Result<CarReader<Box<dyn Read>>> {
    let file = File::open(path).map_err(|e| Error::file(path, &e))?;
    let input: Box<dyn Read> = Box::new(BufReader::new(file));
    CarReader::new(input).map_err(|error| car_error(path, error))
}

/// Says which file it was.
pub fn car_error(path: &Path, error: CarError) -> Error {
    match error {
        CarError::Io(error) => Error::file(path, &error),
        CarError::NotACar | CarError::Version(_) => {
            let text = format!("{}: {error}", path.display());
            Error::new(Exit::Failure, "not-a-car", text)
                .hint("give a file that `medvault backup` or `medvault grant export` wrote")
        }
        other => {
            let text = format!("{}: {other}", path.display());
            Error::new(Exit::Integrity, "bad-car", text)
                .hint("nothing of it was kept; copy the file again, or use another copy")
        }
    }
}

/// Writes an archive into a new file, whole or not at all. `make` says what belongs into it, and is
/// asked again when the vault changes meanwhile. `progress` hears how many blocks are written, and
/// of how many.
///
/// # Errors
/// `file-exists` unless `force` is set; whatever `make` returns; what the system refuses.
pub fn write_archive(
    path: &Path,
    force: bool,
    mut make: impl FnMut() -> Result<Archive>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Archive, Archived)> {
    let mut done = None;
    files::write_new(path, force, |file| {
        for left in (0..TRIES).rev() {
            let archive = make()?;
            let all = archive.count();
            let out = BufWriter::new(&mut *file);
            match archive.write(out, &mut |written| progress(written, all)) {
                Ok(written) => {
                    done = Some((archive, written));
                    break;
                }
                Err(ArchiveError::Vault(VaultError::Conflict)) if left > 0 => {
                    file.set_len(0)?;
                    file.rewind()?;
                }
                Err(ArchiveError::Write(error)) => return Err(Error::file(path, &error)),
                Err(ArchiveError::Vault(error)) => return Err(error.into()),
            }
        }
        Ok(())
    })?;
    done.ok_or_else(|| VaultError::Conflict.into())
}

/// The CAR files that a path stands for: itself, or all below it that end in `.car`.
fn find_cars(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
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
            find_cars(&path, files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vault_core::{Block, CarWriter, Codec, MemoryStore};

    #[test]
    fn good_blocks_are_taken_and_others_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let [good, bad] = ["good", "bad!"].map(|text| Block::new(Codec::Raw, text.into()).unwrap());
        let mut writer = CarWriter::new(Vec::new(), &[]).unwrap();
        writer.put(&bad).unwrap();
        writer.put(&good).unwrap();
        let mut car = writer.finish().unwrap();
        let at = car.windows(4).position(|w| w == b"bad!").unwrap();
        car[at] ^= 1;
        car.extend([60, 1, 0x55]);
        std::fs::create_dir(folder.path().join("blocks")).unwrap();
        std::fs::write(folder.path().join("blocks/a.car"), &car).unwrap();
        std::fs::write(folder.path().join("blocks/a.txt"), b"x").unwrap();
        let store = MemoryStore::new();
        let copied = copy_blocks_from(&[folder.path().to_owned()], &store).unwrap();
        assert_eq!((copied.blocks, copied.passed_over), (1, 2));
        assert!(store.has(&good.cid()).unwrap());
        let text = folder.path().join("blocks/a.txt");
        assert!(copy_blocks_from(&[text], &store).is_err());
    }
}
