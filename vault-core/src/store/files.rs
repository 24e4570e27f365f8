//! Names, modes and durability of the files in a store's folder.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Path of a segment.
pub(super) fn segment(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("segment-{number:08}.car"))
}

/// Path of a segment's index.
pub(super) fn index(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("segment-{number:08}.idx"))
}

/// The numbers of all segments in the folder, ascending.
pub(super) fn segments(dir: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number: Option<u32> = name
            .to_str()
            .and_then(|name| name.strip_prefix("segment-")?.strip_suffix(".car"))
            .filter(|digits| digits.len() == 8)
            .and_then(|digits| digits.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes the folder, readable by its owner only, unless it is there.
pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)?;
    dir.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .map_or(Ok(()), sync_dir)
}

/// Options for a file of the store: read and write, for its owner only.
pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Opens an existing file for reading and, where the file system allows it, writing.
pub(super) fn open(path: &Path) -> io::Result<File> {
    match options().open(path) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            File::open(path)
        }
        result => result,
    }
}

/// Writes a whole file, replacing what was there.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = options().create(true).truncate(true).open(path)?;
    file.write_all(bytes)
}

/// Deletes a file; `false` when it was not there.
pub(super) fn delete(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes created, renamed and deleted names in the folder durable.
#[cfg(unix)]
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Nothing to do: folders cannot be synced here.
#[cfg(not(unix))]
pub(super) fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Length of an open file, or `None` once it was deleted.
pub(super) fn live_len(file: &File) -> io::Result<Option<u64>> {
    let metadata = file.metadata()?;
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::nlink(&metadata) == 0 {
        return Ok(None);
    }
    Ok(Some(metadata.len()))
}
