//! Files, and standard input and output as `-`.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

pub use vault_app::files::{read_text_from, write_bytes, write_new};

use crate::error::{Error, Result};

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

/// Refuses to go on when something is at `path` and may not be replaced: before work is done whose
/// result could then not be written.
pub fn refuse_existing(path: &Path, force: bool) -> Result<()> {
    vault_app::files::refuse_existing(path, force || is_dash(path))
}
