//! CAR files of a person: finding them, copying their blocks into a store, writing new ones.

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Seek as _, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use vault_core::{
    Archive, ArchiveError, Archived, BlockStore, CarError, CarReader, CarSection, VaultError,
};

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::{files, output, progress};

/// Bytes handed to the store at once.
const BATCH: usize = 8 << 20;

/// How often a file is begun anew because the vault changed meanwhile.
const TRIES: u32 = 3;

/// What was found in the files.
#[derive(Debug, Default)]
pub struct Copied {
    /// Blocks that were taken over.
    pub blocks: u64,
    /// Sections that are no block of ours, or whose bytes do not match their CID.
    pub passed_over: u64,
}

/// Copies the blocks of CAR files, of all CAR files in a folder, or from standard input for `-`,
/// into `store`. A file that is cut off or damaged gives what it has: this is for recovery.
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
        for section in open(file)? {
            match section {
                Ok(CarSection::Block(block)) => {
                    held += block.data().len();
                    copied.blocks += 1;
                    batch.push(block);
                }
                Err(error @ CarError::Io(_)) => return Err(car_error(file, error)),
                Ok(CarSection::Filler | CarSection::Foreign) | Err(_) => copied.passed_over += 1,
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

/// Opens a CAR file, or standard input for `-`.
pub fn open(path: &Path) -> Result<CarReader<Box<dyn Read>>> {
    let input: Box<dyn Read> = match files::is_dash(path) {
        true => Box::new(BufReader::new(std::io::stdin().lock())),
        false => {
            let file = File::open(path).map_err(|e| Error::file(path, &e))?;
            Box::new(BufReader::new(file))
        }
    };
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

/// Writes what `make` gives into a new file, whole or not at all, or to standard output for `-`.
pub fn write(
    context: &Context,
    path: &Path,
    force: bool,
    mut make: impl FnMut() -> Result<Archive>,
) -> Result<(Archive, Archived)> {
    let of_file = |error| match error {
        // a pipe that ends early took no whole backup
        ArchiveError::Write(error) if error.kind() == ErrorKind::BrokenPipe => Error::new(
            Exit::Failure,
            "cut-off",
            "the other end of the pipe has gone",
        )
        .hint("what it has is not whole: run the command again"),
        ArchiveError::Write(error) => Error::file(path, &error),
        ArchiveError::Vault(error) => error.into(),
    };
    if files::is_dash(path) {
        if output::stdout_is_terminal() {
            let error = Error::usage("a CAR file is not for a terminal");
            return Err(error.hint("name a file, or send it on: `… - | ssh …`"));
        }
        let archive = make()?;
        let out = BufWriter::new(std::io::stdout().lock());
        let written = to(context, &archive, out).map_err(of_file)?;
        return Ok((archive, written));
    }
    let mut done = None;
    files::write_new(path, force, |file| {
        for left in (0..TRIES).rev() {
            let archive = make()?;
            match to(context, &archive, BufWriter::new(&mut *file)) {
                Ok(written) => {
                    done = Some((archive, written));
                    break;
                }
                Err(ArchiveError::Vault(VaultError::Conflict)) if left > 0 => {
                    file.set_len(0)?;
                    file.rewind()?;
                }
                Err(error) => return Err(of_file(error)),
            }
        }
        Ok(())
    })?;
    done.ok_or_else(|| VaultError::Conflict.into())
}

fn to(context: &Context, archive: &Archive, out: impl Write) -> Result<Archived, ArchiveError> {
    let bar = progress::bar(context.out, archive.count(), "blocks");
    let written = archive.write(out, &mut |done| bar.set_position(done));
    bar.finish_and_clear();
    written
}

/// Tells what was written, on standard output, or on standard error where that is the file.
pub fn tell(context: &Context, path: &Path, value: Value, words: &str) -> Result<()> {
    if !context.out.json {
        context.out.note(words);
    } else if files::is_dash(path) {
        context.out.say(value);
    } else {
        context.out.json(&value)?;
    }
    Ok(())
}

/// A file that was written, as JSON.
pub fn archived_json(path: &Path, archive: &Archive, written: &Archived) -> Value {
    json!({
        "file": path.display().to_string(), "vault": archive.head().vault().to_string(),
        "head": archive.head().seq(), "root": archive.head().block().cid().to_string(),
        "blocks": written.blocks, "bytes": written.bytes,
    })
}

fn find(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if files::is_dash(path) || !path.metadata()?.is_dir() {
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
        let copied = copy(&[folder.path().to_owned()], &store).unwrap();
        assert_eq!((copied.blocks, copied.passed_over), (1, 2));
        assert!(store.has(&good.cid()).unwrap());
        let text = folder.path().join("blocks/a.txt");
        assert!(copy(&[text], &store).is_err());
    }
}
