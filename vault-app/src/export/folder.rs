//! Folders that are whole or not there.

use std::path::Path;

use crate::error::{Error, Exit, Result};

/// Fails when something is at `path`.
///
/// # Errors
/// `file-exists`.
pub fn refuse_existing_folder(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        let what = format!("{} is there already", path.display());
        return Err(Error::new(Exit::Failure, "file-exists", what).hint("name a new folder"));
    }
    Ok(())
}

/// Fills a new folder that gets its name only when all is in it.
///
/// # Errors
/// `file-exists`; what `fill` returns; what the system refuses.
pub fn new_folder<T>(path: &Path, fill: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    refuse_existing_folder(path)?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let named = |error: &std::io::Error| Error::file(path, error);
    let builder = tempfile::Builder::new()
        .prefix(".medvault-")
        .tempdir_in(parent);
    let unfinished = builder.map_err(|e| named(&e))?;
    let filled = fill(unfinished.path())?;
    let full = unfinished.keep();
    std::fs::rename(&full, path).map_err(|error| {
        // what was filled must not lie about
        let _ = std::fs::remove_dir_all(&full);
        named(&error)
    })?;
    Ok(filled)
}
