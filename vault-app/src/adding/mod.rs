//! Files on their way into a vault, or into a deposit.

mod input;
mod label;
mod update;
mod watch;

use std::fs::File;
use std::io;
use std::path::Path;

use vault_core::Vault;
use vault_formats::{Door, InMemory, OnDisk, Once, Report, Shelf, Source, VaultShelf};

use crate::error::Result;
use crate::intake::Intake;

pub use input::{From, Input, Unread, base_name, collect};
pub use label::{relabel, relatives};
pub use update::{Updated, update_record};
pub use watch::Watch;
use watch::{WatchedShelf, WatchedSource};

/// Adds `inputs` in one change; a long import is made durable part by part. What cannot be taken is
/// told in the report, and the rest is added.
///
/// # Errors
/// What `watch` returns, and then nothing is added that was not durable before; whatever hinders the
/// vault.
pub fn add(
    vault: &mut Vault,
    intake: &Intake,
    inputs: &mut [Input<'_>],
    as_documents: bool,
    watch: &dyn Watch,
) -> Result<Report> {
    let mut report = Report::default();
    vault.add(|adder| -> Result<()> {
        let mut door = intake.door();
        door.as_documents = as_documents;
        report = feed(door, &mut VaultShelf::new(adder), inputs, watch)?;
        Ok(())
    })?;
    Ok(report)
}

/// Hands every input to the door.
///
/// # Errors
/// When the shelf fails, and what `watch` returns.
pub fn feed<S>(
    mut door: Door<'_>,
    shelf: &mut S,
    inputs: &mut [Input<'_>],
    watch: &dyn Watch,
) -> Result<Report>
where
    S: Shelf,
    crate::error::Error: std::convert::From<S::Error>,
{
    let mut shelf = WatchedShelf::new(shelf, watch);
    let mut done = 0;
    for input in inputs {
        watch.check()?;
        let len = input.len();
        let shown = input.shown();
        match open(&mut input.from) {
            Ok(mut source) => {
                let mut source = WatchedSource::new(&mut *source, watch, done);
                door.take(&mut shelf, &mut source, &shown)?;
            }
            Err(error) => door.refuse_unread(&shown, &error),
        }
        done += len;
        watch.at(done);
    }
    let report = door.finish(&mut shelf)?;
    watch.check()?;
    Ok(report)
}

/// A file can be read again and again, a pipe and a stream only once.
fn open<'a>(from: &'a mut From<'_>) -> io::Result<Box<dyn Source + 'a>> {
    match from {
        From::Path(path) => on_disk(path),
        From::Bytes(bytes) => Ok(Box::new(InMemory(bytes))),
        From::Stream(stream) => {
            let stream = stream.take();
            let stream = stream.ok_or_else(|| io::Error::other("it was read already"))?;
            Ok(Box::new(Once::new(stream)?))
        }
    }
}

fn on_disk(path: &Path) -> io::Result<Box<dyn Source>> {
    match path.metadata()?.is_file() {
        true => Ok(Box::new(OnDisk::new(path)?)),
        false => Ok(Box::new(Once::new(Box::new(File::open(path)?))?)),
    }
}
