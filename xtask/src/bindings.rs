//! The bindings of one language.

use std::path::{Path, PathBuf};

use uniffi_bindgen::bindings::{GenerateOptions, TargetLanguage};

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// For Android and the JVM
    Kotlin,
    /// For Apple's systems
    Swift,
    /// For CPython 3.10 or newer
    Python,
}

impl Language {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kotlin => "kotlin",
            Self::Swift => "swift",
            Self::Python => "python",
        }
    }
}

/// How the generator says that a library does not describe itself.
const STRIPPED: &str = "No UniFFI metadata";

/// Writes the bindings of `library` into the folder `out`, and returns what was written. The library
/// itself is put beside Python's, where it looks for it.
pub fn generate(
    root: &Path,
    language: Language,
    library: &Path,
    out: &Path,
) -> Result<Vec<PathBuf>, String> {
    // paths of the configuration are looked up from here
    let library = absolute(library)?;
    std::fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    let out = absolute(out)?;
    std::env::set_current_dir(root).map_err(|error| error.to_string())?;
    let utf8 = |path: &Path| -> Result<_, String> {
        let text = path.to_str().ok_or("a path is not UTF-8")?;
        Ok(text.into())
    };
    let options = GenerateOptions {
        languages: vec![match language {
            Language::Kotlin => TargetLanguage::Kotlin,
            Language::Swift => TargetLanguage::Swift,
            Language::Python => TargetLanguage::Python,
        }],
        source: utf8(&library)?,
        out_dir: utf8(&out)?,
        format: false,
        ..GenerateOptions::default()
    };
    let made = uniffi_bindgen::bindings::generate(options.clone());
    let made = match made.map_err(|error| format!("{error:#}")) {
        // what describes the calls is read from the table that stripping takes away
        Err(error) if error.contains(STRIPPED) => {
            eprintln!("the library is stripped: its bindings are made from one for debugging");
            let library = absolute(&crate::cargo::build_library(root, "dev", None)?)?;
            let source = utf8(&library)?;
            let made = uniffi_bindgen::bindings::generate(GenerateOptions { source, ..options });
            made.map_err(|error| format!("{error:#}"))
        }
        made => made,
    };
    made?;
    let mut written = Vec::new();
    list(&out, &mut written).map_err(|error| error.to_string())?;
    if language == Language::Python {
        let beside = out.join(crate::cargo::file_name());
        std::fs::copy(&library, &beside).map_err(|error| error.to_string())?;
    }
    Ok(written)
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    path.canonicalize()
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// The generated sources below a folder.
fn list(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, found)?;
            continue;
        }
        let kind = path.extension().and_then(|kind| kind.to_str());
        if matches!(kind, Some("kt" | "swift" | "h" | "modulemap" | "py")) {
            found.push(path);
        }
    }
    Ok(())
}
