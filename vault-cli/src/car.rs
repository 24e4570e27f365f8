//! CAR files of a person, and standard input and output as `-`.

use std::io::{BufReader, BufWriter, ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
pub use vault_app::car_error;
use vault_core::{Archive, ArchiveError, Archived, BlockStore, CarReader};

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::{files, output, progress};

/// Copies the blocks of CAR files, of all CAR files in a folder, or from standard input for `-`,
/// into `store`. Returns how many. A file that is cut off or damaged gives what it has: this is for
/// recovery.
pub fn copy(paths: &[PathBuf], store: &dyn BlockStore) -> Result<u64> {
    let (dashes, paths): (Vec<PathBuf>, _) =
        paths.iter().cloned().partition(|path| files::is_dash(path));
    let mut blocks = 0;
    for dash in &dashes {
        blocks += vault_app::car::copy_blocks(dash, open(dash)?, store)?.blocks;
    }
    if !paths.is_empty() {
        blocks += vault_app::copy_blocks_from(&paths, store)?.blocks;
    }
    Ok(blocks)
}

/// Opens a CAR file, or standard input for `-`.
pub fn open(path: &Path) -> Result<CarReader<Box<dyn Read>>> {
    if !files::is_dash(path) {
        return vault_app::car::open_car(path);
    }
    let input: Box<dyn Read> = Box::new(BufReader::new(std::io::stdin().lock()));
    CarReader::new(input).map_err(|error| car_error(path, error))
}

/// Writes what `make` gives into a new file, whole or not at all, or to standard output for `-`.
pub fn write(
    context: &Context,
    path: &Path,
    force: bool,
    mut make: impl FnMut() -> Result<Archive>,
) -> Result<(Archive, Archived)> {
    let bar = progress::bar(context.out, 0, "blocks");
    let mut progress = |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    };
    if !files::is_dash(path) {
        let written = vault_app::write_archive(path, force, make, &mut progress);
        bar.finish_and_clear();
        return written;
    }
    if output::stdout_is_terminal() {
        let error = Error::usage("a CAR file is not for a terminal");
        return Err(error.hint("name a file, or send it on: `… - | ssh …`"));
    }
    let archive = make()?;
    let all = archive.count();
    let out = BufWriter::new(std::io::stdout().lock());
    let written = archive.write(out, &mut |done| progress(done, all));
    bar.finish_and_clear();
    let written = written.map_err(|error| match error {
        // a pipe that ends early took no whole backup
        ArchiveError::Write(error) if error.kind() == ErrorKind::BrokenPipe => Error::new(
            Exit::Failure,
            "cut-off",
            "the other end of the pipe has gone",
        )
        .hint("what it has is not whole: run the command again"),
        ArchiveError::Write(error) => Error::file(path, &error),
        ArchiveError::Vault(error) => error.into(),
    })?;
    Ok((archive, written))
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
