//! What is to be added: files, folders, standard input.

use std::path::{Path, PathBuf};

use vault_app::adding::{self, From, Input, Unread, base_name};

use crate::error::{Error, Result};
use crate::files;

/// Finds every file below the given paths, and standard input for `-`, which is to be called
/// `stdin_name`. What cannot be read goes to `unread`.
pub fn collect(
    paths: &[PathBuf],
    stdin_name: &str,
    unread: &mut Vec<Unread>,
) -> Result<Vec<Input<'static>>> {
    let (mut inputs, mut nothing, mut dashes) = (Vec::new(), None, 0);
    for path in paths {
        if files::is_dash(path) {
            dashes += 1;
            inputs.push(Input {
                from: From::Stream(Some(Box::new(std::io::stdin()))),
                name: base_name(Path::new(stdin_name)),
            });
            continue;
        }
        match adding::collect(std::slice::from_ref(path), unread) {
            Ok(found) => inputs.extend(found),
            Err(error) => nothing = Some(error),
        }
    }
    if dashes > 1 {
        return Err(Error::usage("standard input can be read only once"));
    }
    match nothing {
        Some(error) if inputs.is_empty() && unread.is_empty() => Err(error),
        _ => Ok(inputs),
    }
}
