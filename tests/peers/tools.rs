//! Other people's programs: found on the machine, or installed once beside the build's own output.
//!
//! Where one cannot be had, its tests say so and are skipped, except where `CI` is set.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)] // each test uses a part

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, thread};

/// Where the lists of packages and the small programs that drive them are.
pub const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/interop");

/// Whether these programs are there; each must understand its argument.
pub fn available(programs: &[(&str, &str)]) -> bool {
    programs.iter().all(|(program, version)| {
        let found = Command::new(program).arg(version).output().is_ok();
        assert!(found || env::var_os("CI").is_none(), "{program} is missing");
        if !found {
            println!("skipped: no {program}");
        }
        found
    })
}

/// A folder for what is installed, made now.
pub fn folder(name: &str) -> PathBuf {
    let test_binary = env::current_exe().unwrap();
    let target = test_binary.ancestors().nth(3).unwrap();
    let folder = target.join("interop-tools").join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Waits until no other process installs into `folder`; until the file is dropped.
pub fn lock(folder: &Path) -> File {
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    lock
}

/// The packages that the lock file in `sources` names, installed into the folder `name`.
pub fn npm(sources: &Path, name: &str) -> Option<PathBuf> {
    if !available(&[("npm", "--version"), ("node", "--version")]) {
        return None;
    }
    let folder = folder(name);
    let _lock = lock(&folder);
    let wanted = fs::read(sources.join("package-lock.json")).unwrap();
    if fs::read(folder.join("installed.json")).ok().as_ref() != Some(&wanted) {
        for file in ["package.json", "package-lock.json", ".npmrc"] {
            fs::copy(sources.join(file), folder.join(file)).unwrap();
        }
        let mut install = Command::new("npm");
        install.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
        must(install.current_dir(&folder));
        fs::write(folder.join("installed.json"), &wanted).unwrap();
    }
    Some(folder)
}

/// A Python with the packages that `requirements` pins, in a virtual environment of its own in the
/// folder `name`.
pub fn python(requirements: &Path, name: &str) -> Option<PathBuf> {
    if !available(&[("python3", "--version")]) {
        return None;
    }
    let folder = folder(name);
    let _lock = lock(&folder);
    let environment = folder.join("environment");
    let python = environment.join("bin/python");
    let wanted = fs::read(requirements).unwrap();
    if fs::read(folder.join("installed.txt")).ok().as_ref() != Some(&wanted) {
        let mut create = Command::new("python3");
        must(create.args(["-m", "venv", "--clear"]).arg(&environment));
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--disable-pip-version-check"]);
        install.args(["--no-input", "--quiet", "--requirement"]);
        must(install.arg(requirements));
        fs::write(folder.join("installed.txt"), &wanted).unwrap();
    }
    Some(python)
}

/// Runs a command that must succeed.
pub fn must(command: &mut Command) {
    let done = run(command, b"");
    assert!(done.is_ok(), "{command:?}: {}", done.unwrap_err());
}

/// Runs a command with `input` on standard input and returns its standard output; the error is what
/// it prints on standard error.
pub fn run(command: &mut Command, input: &[u8]) -> Result<Vec<u8>, String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        // one that fails early stops reading; its exit status says why
        scope.spawn(move || stdin.write_all(input).ok());
        child.wait_with_output().unwrap()
    });
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
