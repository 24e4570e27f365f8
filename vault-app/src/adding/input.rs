//! What is to be added: files, folders, bytes, streams.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Exit, Result};

/// Where content comes from.
pub enum From<'a> {
    /// A file.
    Path(PathBuf),
    /// Content at hand.
    Bytes(&'a [u8]),
    /// What can be read once.
    Stream(Option<Box<dyn Read + Send>>),
}

/// One thing to read.
pub struct Input<'a> {
    /// Where from.
    pub from: From<'a>,
    /// The name to keep: a file's, never a path.
    pub name: String,
}

impl Input<'_> {
    /// The file at `path`.
    pub fn file(path: &Path) -> Self {
        Self {
            from: From::Path(path.to_owned()),
            name: base_name(path),
        }
    }

    /// How many bytes it has, as far as that is known.
    pub fn len(&self) -> u64 {
        match &self.from {
            From::Path(path) => path.metadata().map_or(0, |meta| meta.len()),
            From::Bytes(bytes) => bytes.len() as u64,
            From::Stream(_) => 0,
        }
    }

    /// Whether it has no bytes, as far as that is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it is called in messages.
    pub fn shown(&self) -> String {
        match &self.from {
            From::Path(path) => path.display().to_string(),
            From::Bytes(_) | From::Stream(_) => self.name.clone(),
        }
    }
}

/// A file that could not be read at all, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The file.
    pub file: String,
    /// Why, in words.
    pub why: String,
}

/// Finds every file below the given paths; hidden ones in folders are passed over. What cannot be
/// read goes to `unread`.
///
/// # Errors
/// `no-files` when there is nothing at all.
pub fn collect<'a>(paths: &[PathBuf], unread: &mut Vec<Unread>) -> Result<Vec<Input<'a>>> {
    let mut inputs = Vec::new();
    for path in paths {
        walk(path, false, &mut inputs, unread);
    }
    if inputs.is_empty() && unread.is_empty() {
        return Err(Error::new(
            Exit::NotFound,
            "no-files",
            "there are no files to add there",
        )
        .hint("hidden files are passed over; name them one by one to add them"));
    }
    Ok(inputs)
}

/// `within`: it was found in a folder, and not named.
fn walk(path: &Path, within: bool, inputs: &mut Vec<Input<'_>>, unread: &mut Vec<Unread>) {
    let outcome = path.metadata().and_then(|meta| match meta.is_dir() {
        true => children(path).map(Some),
        // reading a pipe that lies about would wait for ever
        false if within && !meta.is_file() => Err(std::io::Error::other("it is no file")),
        false => Ok(None),
    });
    match outcome {
        Ok(Some(children)) => children
            .iter()
            .for_each(|child| walk(child, true, inputs, unread)),
        Ok(None) => inputs.push(Input::file(path)),
        Err(error) => unread.push(Unread {
            file: path.display().to_string(),
            why: Error::from_io(&error).message,
        }),
    }
}

/// What lies in a folder, sorted, without hidden names and without links to folders, which could
/// lead in a circle.
fn children(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut list = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let circle = entry.file_type()?.is_symlink() && entry.path().is_dir();
        if !hidden && !circle {
            list.push(entry.path());
        }
    }
    list.sort();
    Ok(list)
}

/// The last part of a path, as text.
pub fn base_name(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    // the separator of the other system is a character here
    let name = name.unwrap_or_default();
    name.rsplit(['/', '\\'])
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_is_kept() {
        assert_eq!(base_name(Path::new("../../etc/passwd")), "passwd");
        assert_eq!(base_name(Path::new("C:\\a\\b.txt")), "b.txt");
        assert_eq!(base_name(Path::new("..")), "");
    }

    #[test]
    fn folders_are_walked_without_hidden_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b/c.txt", "a.txt", ".hidden", "b/.git/x"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        let mut unread = Vec::new();
        let paths = [folder.path().to_owned(), folder.path().join("none")];
        let found = collect(&paths, &mut unread).unwrap();
        let names: Vec<_> = found.iter().map(|input| input.name.as_str()).collect();
        assert_eq!(names, ["a.txt", "c.txt"]);
        assert_eq!(unread.len(), 1);
    }
}
