//! Files that are written whole or not at all, and standard input and output as `-`.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Write};
use std::path::Path;

use crate::error::{Error, Exit, Result};

/// Whether a path stands for standard input or output.
pub fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Opens a file, or standard input for `-`.
fn open(path: &Path) -> Result<Box<dyn Read>> {
    if is_dash(path) {
        return Ok(Box::new(std::io::stdin()));
    }
    let file = File::open(path).map_err(|e| Error::file(path, &e))?;
    Ok(Box::new(file))
}

/// Opens a file, or standard input for `-`, and looks at its first bytes: at most 16, and the
/// whole input, those bytes included.
pub fn peek(path: &Path) -> Result<(Vec<u8>, impl Read)> {
    let mut input = BufReader::new(open(path)?);
    let mut beginning = Vec::new();
    let peeked = input.by_ref().take(16).read_to_end(&mut beginning);
    peeked.map_err(|e| Error::file(path, &e))?;
    let whole = Cursor::new(beginning.clone()).chain(input);
    Ok((beginning, whole))
}

/// Reads a small file, or standard input for `-`; at most `limit` bytes.
pub fn read_text(path: &Path, limit: u64) -> Result<String> {
    read_text_from(path, open(path)?, limit)
}

/// The same from a file that is open already.
pub fn read_text_from(path: &Path, input: impl Read, limit: u64) -> Result<String> {
    let mut text = String::new();
    let read = input.take(limit + 1).read_to_string(&mut text);
    read.map_err(|e| Error::file(path, &e))?;
    if text.len() as u64 > limit {
        let what = format!("{}: more than {limit} bytes", path.display());
        return Err(Error::new(Exit::Failure, "too-long", what));
    }
    Ok(text)
}

/// Refuses to go on when something is at `path` and may not be replaced: before work is done whose
/// result could then not be written.
pub fn refuse_existing(path: &Path, force: bool) -> Result<()> {
    if !force && !is_dash(path) && path.symlink_metadata().is_ok() {
        let what = format!("{} is there already", path.display());
        return Err(Error::new(Exit::Failure, "file-exists", what)
            .hint("choose another name, or add --force to replace it"));
    }
    Ok(())
}

/// Writes a file through a temporary one in the same folder, so that it is whole or not there.
/// On Unix only its owner may read it.
pub fn write_new(
    path: &Path,
    force: bool,
    write: impl FnOnce(&mut File) -> Result<()>,
) -> Result<()> {
    refuse_existing(path, force)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let named = |error: &std::io::Error| Error::file(path, error);
    let mut file = tempfile::Builder::new()
        .prefix(".medvault-")
        .tempfile_in(folder)
        .map_err(|e| named(&e))?;
    write(file.as_file_mut())?;
    file.as_file_mut().sync_all().map_err(|e| named(&e))?;
    let persisted = match force {
        true => file.persist(path),
        false => file.persist_noclobber(path),
    };
    persisted.map_err(|e| named(&e.error))?;
    Ok(())
}

/// The same for content that is at hand.
pub fn write_bytes(path: &Path, force: bool, bytes: &[u8]) -> Result<()> {
    write_new(path, force, |file| {
        file.write_all(bytes).map_err(|e| Error::file(path, &e))
    })
}
