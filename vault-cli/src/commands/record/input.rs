//! What is to be added: files, folders, standard input.

use std::path::{Path, PathBuf};

use crate::error::{Error, Exit, Result};
use crate::files;

/// One thing to read.
pub struct Input {
    /// Where from; `None` is standard input.
    pub path: Option<PathBuf>,
    /// The name to keep: the file's, never a path.
    pub name: String,
}

impl Input {
    /// How many bytes it has, as far as that is known.
    pub fn len(&self) -> u64 {
        let meta = self.path.as_ref().and_then(|path| path.metadata().ok());
        meta.map_or(0, |meta| meta.len())
    }

    /// What it is called in messages.
    pub fn shown(&self) -> String {
        match &self.path {
            Some(path) => path.display().to_string(),
            None => "standard input".to_owned(),
        }
    }
}

/// Something that was not taken, and why.
pub struct Refusal {
    /// The file.
    pub file: String,
    /// The place in it, if not all of it.
    pub at: Option<String>,
    /// Why, in words.
    pub why: String,
}

/// Finds every file below the given paths; hidden ones in folders are passed over. What cannot be
/// read is a refusal.
pub fn collect(
    paths: &[PathBuf],
    stdin_name: &str,
    refused: &mut Vec<Refusal>,
) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for path in paths {
        if files::is_dash(path) {
            let name = base_name(Path::new(stdin_name));
            inputs.push(Input { path: None, name });
        } else {
            walk(path, false, &mut inputs, refused);
        }
    }
    if inputs.iter().filter(|input| input.path.is_none()).count() > 1 {
        return Err(Error::usage("standard input can be read only once"));
    }
    if inputs.is_empty() && refused.is_empty() {
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
fn walk(path: &Path, within: bool, inputs: &mut Vec<Input>, refused: &mut Vec<Refusal>) {
    let outcome = path.metadata().and_then(|meta| match meta.is_dir() {
        true => children(path).map(Some),
        // reading a pipe that lies about would wait for ever
        false if within && !meta.is_file() => Err(std::io::Error::other("it is no file")),
        false => Ok(None),
    });
    match outcome {
        Ok(Some(children)) => children
            .iter()
            .for_each(|child| walk(child, true, inputs, refused)),
        Ok(None) => inputs.push(Input {
            path: Some(path.to_owned()),
            name: base_name(path),
        }),
        Err(error) => refused.push(Refusal {
            file: path.display().to_string(),
            at: None,
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
        let mut refused = Vec::new();
        let paths = [folder.path().to_owned(), folder.path().join("none")];
        let found = collect(&paths, "x", &mut refused).unwrap();
        let names: Vec<_> = found.iter().map(|input| input.name.as_str()).collect();
        assert_eq!(names, ["a.txt", "c.txt"]);
        assert_eq!(refused.len(), 1);
    }
}
