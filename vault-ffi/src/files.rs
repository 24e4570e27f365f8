//! Files that are read and written for the app.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vault_app::{Error, Result};
use vault_core::{Archive, ArchiveError, OpenRecord, VaultError};

use crate::types::FileReport;
use crate::work::Control;

/// How often an archive is begun anew when the vault changed meanwhile.
const TRIES: u32 = 3;

/// Writes the content of a record into a new file, whole or not at all.
pub(crate) fn write_record(
    opened: &OpenRecord,
    path: &Path,
    control: &Arc<Control>,
) -> Result<FileReport> {
    let total = opened.header().len;
    vault_app::write_new(path, false, |file| {
        let mut out = Watched {
            inner: BufWriter::with_capacity(1 << 20, file),
            control,
            done: 0,
            total,
        };
        let copied = opened.copy_to(&mut out);
        // what a cancelled write ends with is that it was cancelled
        control.check()?;
        copied?;
        out.flush().map_err(|error| Error::file(path, &error))
    })?;
    control.report(total, total);
    written(path.to_owned())
}

/// Writes an archive into a new file. The vault may be changed meanwhile; then it is begun anew.
pub(crate) fn write_archive(
    path: &Path,
    control: &Arc<Control>,
    mut make: impl FnMut() -> Result<Archive>,
) -> Result<FileReport> {
    for left in (0..TRIES).rev() {
        let archive = make()?;
        let total = archive.count();
        let outcome = vault_app::write_new(path, false, |file| {
            let out = Watched {
                inner: BufWriter::with_capacity(1 << 18, file),
                control,
                done: 0,
                total: 0,
            };
            let done = archive.write(out, &mut |done| control.report(done, total));
            control.check()?;
            match done {
                Ok(_) => Ok(()),
                Err(ArchiveError::Write(error)) => Err(Error::file(path, &error)),
                Err(ArchiveError::Vault(error)) => Err(error.into()),
            }
        });
        match outcome {
            Err(error) if error.code == "conflict" && left > 0 => {}
            Err(error) => return Err(error),
            Ok(()) => return written(path.to_owned()),
        }
    }
    Err(VaultError::Conflict.into())
}

/// What was written: a file, or a folder of files.
pub(crate) fn written(path: PathBuf) -> Result<FileReport> {
    let len = |path: &Path| path.metadata().map(|meta| meta.len());
    let bytes = match path.is_dir() {
        false => len(&path),
        true => std::fs::read_dir(&path).and_then(|entries| {
            let sizes = entries.map(|entry| len(&entry?.path()));
            sizes.sum::<io::Result<u64>>()
        }),
    };
    Ok(FileReport {
        bytes: bytes.map_err(|error| Error::file(&path, &error))?,
        path: path.display().to_string(),
    })
}

/// A file that stops giving when the work is cancelled.
pub(crate) fn interruptible(file: File, control: &Arc<Control>) -> impl Read + Send + use<> {
    Interruptible {
        inner: BufReader::new(file),
        control: control.clone(),
    }
}

struct Interruptible {
    inner: BufReader<File>,
    control: Arc<Control>,
}

impl Read for Interruptible {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.control.is_cancelled() {
            true => Err(stopped()),
            false => self.inner.read(buffer),
        }
    }
}

/// Counts what passes, where a total says of how much, and stops when it is told to.
struct Watched<'a, W> {
    inner: W,
    control: &'a Control,
    done: u64,
    total: u64,
}

impl<W: Write> Write for Watched<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.control.is_cancelled() {
            return Err(stopped());
        }
        let count = self.inner.write(bytes)?;
        self.done += count as u64;
        if self.total > 0 {
            self.control.report(self.done, self.total.max(self.done));
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn stopped() -> io::Error {
    io::Error::other("cancelled")
}
