//! A parcel on its way into the waiting room.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::decide::DepositRefusal;
use crate::block::Digest;
use crate::ids::DepositId;
use crate::keys::PublicKey;

/// What is arriving in this process: sender and announced length, by deposit.
pub(super) type Reserved = BTreeMap<DepositId, (PublicKey, u64)>;

/// A parcel on its way into the waiting room. Dropped before it is kept, nothing of it stays.
#[derive(Debug)]
pub struct Incoming {
    pub(super) file: File,
    pub(super) path: Option<PathBuf>,
    hash: Sha256,
    written: u64,
    pub(super) owner: PublicKey,
    pub(super) deposit: DepositId,
    pub(super) bytes: u64,
    digest: Option<Digest>,
    reserved: Arc<Mutex<Reserved>>,
}

impl Incoming {
    /// Begins with an empty file, whose lock says that somebody writes it.
    pub(super) fn new(
        (file, path): (File, PathBuf),
        owner: PublicKey,
        deposit: DepositId,
        (bytes, digest): (u64, Option<Digest>),
        reserved: Arc<Mutex<Reserved>>,
    ) -> Self {
        Self {
            file,
            path: Some(path),
            hash: Sha256::new(),
            written: 0,
            owner,
            deposit,
            bytes,
            digest,
            reserved,
        }
    }

    /// How many bytes were announced and are to be written.
    pub const fn len(&self) -> u64 {
        self.bytes
    }

    /// Whether nothing was announced.
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The sender's owner key.
    pub(crate) const fn owner(&self) -> &PublicKey {
        &self.owner
    }

    /// Lets go as a killed process does: the file stays, its lock does not.
    #[cfg(test)]
    pub(crate) fn forget_for_tests(mut self) {
        self.path = None;
    }

    /// The hash of what has come, if that is all of it and what was announced.
    pub(super) fn check(&self) -> Result<Digest, DepositRefusal> {
        let digest = Digest::from_bytes(self.hash.clone().finalize().into());
        let right = self.written == self.bytes && self.digest.is_none_or(|d| d == digest);
        right.then_some(digest).ok_or(DepositRefusal::Malformed)
    }
}

impl Write for Incoming {
    /// Fails when more comes than was announced.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written.saturating_add(bytes.len() as u64) > self.bytes {
            return Err(io::Error::other("more bytes than were announced"));
        }
        let written = self.file.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // best effort: a leftover is swept
            drop(fs::remove_file(path));
        }
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        reserved.remove(&self.deposit);
    }
}
