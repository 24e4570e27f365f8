//! Small files, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::vault::StorageError;

pub(super) fn io(what: &'static str) -> impl Fn(std::io::Error) -> StorageError {
    move |error| StorageError::Io { what, error }
}

pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io("reading the home")(error)),
    }
}

/// Makes a folder that only its owner may enter.
pub(super) fn make_dir(path: &Path) -> Result<(), StorageError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).map_err(io("making a folder"))
}

/// Names of the files in a folder, sorted; none when it is not there.
pub(super) fn names(path: &Path) -> Result<Vec<String>, StorageError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io("reading the home")(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(io("reading the home"))?.file_name();
        let name = name.to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

pub(crate) fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

pub(crate) fn sync_dir(path: &Path) -> Result<(), StorageError> {
    // other systems cannot open folders as files; there a rename is durable by itself
    #[cfg(unix)]
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(io("writing the home"))?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// A name for something temporary beside `path`.
fn beside(path: &Path) -> PathBuf {
    let unique: [u8; 8] = crate::random::array();
    let suffix = data_encoding::HEXLOWER.encode(&unique);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{suffix}.tmp"))
}

/// Writes a new file beside `path`, syncs it and renames it over `path`.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let temporary = beside(path);
    let written = (|| {
        let mut file = create_private(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if let Err(error) = written {
        // best effort: the error that matters is the first one
        let _ = fs::remove_file(&temporary);
        return Err(io("writing the home")(error));
    }
    sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// Whether something other than an empty folder is at `path`.
pub(super) fn is_occupied(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// A folder under construction; deleted again unless it is published.
pub(super) struct Staging {
    path: Option<PathBuf>,
}

impl Staging {
    pub(super) fn beside(path: &Path) -> Result<Self, StorageError> {
        let parent = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(io("making the home"))?;
        let staging = beside(path);
        make_dir(&staging)?;
        Ok(Self {
            path: Some(staging),
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new(""))
    }

    pub(super) fn publish(mut self, path: &Path) -> Result<(), StorageError> {
        let Some(staging) = self.path.take() else {
            return Ok(());
        };
        sync_dir(&staging)?;
        let renamed = fs::rename(&staging, path);
        if renamed.is_err() {
            self.path = Some(staging);
        }
        renamed.map_err(io("making the home"))?;
        let parent = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        sync_dir(parent)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // best effort: nothing in it is of use to anyone
            let _ = fs::remove_dir_all(path);
        }
    }
}
