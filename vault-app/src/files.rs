//! Files that are written whole or not at all.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use crate::error::{Error, Exit, Result};

/// Reads a small file of text; at most `limit` bytes.
///
/// # Errors
/// When it cannot be read, is longer, or is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> Result<String> {
    let file = File::open(path).map_err(|e| Error::file(path, &e))?;
    read_text_from(path, file, limit)
}

/// The same from `input`; `path` names it in errors.
///
/// # Errors
/// As [`read_text`].
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
///
/// # Errors
/// `file-exists`, unless `force` is set.
pub fn refuse_existing(path: &Path, force: bool) -> Result<()> {
    if !force && path.symlink_metadata().is_ok() {
        let what = format!("{} is there already", path.display());
        return Err(Error::new(Exit::Failure, "file-exists", what)
            .hint("choose another name, or add --force to replace it"));
    }
    Ok(())
}

/// Writes a file through a temporary one in the same folder, so that it is whole or not there.
/// On Unix only its owner may read it.
///
/// # Errors
/// As [`refuse_existing`]; what `write` returns; what the system refuses.
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
///
/// # Errors
/// As [`write_new`].
pub fn write_bytes(path: &Path, force: bool, bytes: &[u8]) -> Result<()> {
    write_new(path, force, |file| {
        file.write_all(bytes).map_err(|e| Error::file(path, &e))
    })
}
