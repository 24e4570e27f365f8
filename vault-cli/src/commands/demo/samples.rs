//! The sample patient that comes with the program.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The patient's history, as a portal hands it over.
const HISTORY: &str = include_str!("../../../../examples/sample-patient/history.json");
/// A letter.
const NOTE: &str = include_str!("../../../../examples/sample-patient/note.txt");
/// A laboratory result that comes later.
const NEW_RESULT: &str = include_str!("../../../../examples/sample-patient/new-result.json");

/// Writes the samples into `folder`: `history/`, `new-result.json` and `after.json`.
pub fn write(folder: &Path) -> Result<PathBuf> {
    let samples = folder.join("samples");
    let put = |name: &str, text: &str| {
        let path = samples.join(name);
        std::fs::write(&path, text).map_err(|e| Error::file(&path, &e))
    };
    std::fs::create_dir_all(samples.join("history"))?;
    put("history/history.json", HISTORY)?;
    put("history/note.txt", NOTE)?;
    put("new-result.json", NEW_RESULT)?;
    // the same test half a year on: what the clinic must never see
    put("after.json", &NEW_RESULT.replace("2025-09", "2026-03"))?;
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_three_different_things() {
        let folder = tempfile::tempdir().unwrap();
        let samples = write(folder.path()).unwrap();
        let new = std::fs::read(samples.join("new-result.json")).unwrap();
        let after = std::fs::read(samples.join("after.json")).unwrap();
        assert_ne!(new, after);
        assert!(samples.join("history/history.json").exists());
    }
}
