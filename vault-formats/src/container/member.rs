//! The bytes of one member, counted while they are read.

use std::io::{self, Read};

use zip::read::ZipFile;

use super::ContainerError;
use super::view::View;

/// Reads one member. Its end is only reached when the checksum fits.
///
/// # Errors
/// While reading, an [`io::Error`] that holds [`ContainerError::TooLarge`] or
/// [`ContainerError::Damaged`], or the error of the source.
pub struct Member<'a, R: Read> {
    file: ZipFile<'a, View<R>>,
    /// What may still come.
    left: u64,
    /// What all members together may still give.
    total: &'a mut u64,
}

impl<'a, R: Read> Member<'a, R> {
    pub(super) fn new(file: ZipFile<'a, View<R>>, limit: u64, total: &'a mut u64) -> Self {
        Self {
            file,
            left: limit,
            total,
        }
    }
}

impl<R: Read> Read for Member<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read(buffer).map_err(|error| match error.kind() {
            // what the library says about the data, not the source
            io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidData
            | io::ErrorKind::UnexpectedEof => {
                io::Error::new(io::ErrorKind::InvalidData, ContainerError::Damaged)
            }
            _ => error,
        })?;
        let more = got as u64;
        if more > self.left || more > *self.total {
            self.left = 0;
            return Err(io::Error::other(ContainerError::TooLarge));
        }
        self.left -= more;
        *self.total -= more;
        Ok(got)
    }
}
