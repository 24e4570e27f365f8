//! Building the library with cargo.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The folder that cargo builds in.
pub fn target(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root.join(folder),
        None => root.join("target"),
    }
}

/// Builds the shared library and says where it is.
pub fn build_library(
    root: &Path,
    profile: &str,
    features: Option<&str>,
) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(root);
    // what cargo told this program about itself would make build scripts run again
    for (name, _) in std::env::vars_os() {
        let told = name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_"));
        if told || name == "CARGO_MANIFEST_DIR" || name == "CARGO_MANIFEST_PATH" {
            build.env_remove(&name);
        }
    }
    build.args(["build", "--locked", "--package", "vault-ffi", "--lib"]);
    build.args(["--profile", profile]);
    if let Some(features) = features {
        build.args(["--no-default-features", "--features", features]);
    }
    let status = build.status().map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err("the library could not be built".to_owned());
    }
    let folder = match profile {
        "dev" | "test" => "debug",
        "bench" => "release",
        other => other,
    };
    let library = target(root).join(folder).join(file_name());
    match library.is_file() {
        true => Ok(library),
        false => Err(format!("{} was not built", library.display())),
    }
}

/// What the shared library is called on this system.
pub fn file_name() -> String {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}vault_ffi{DLL_SUFFIX}")
}
