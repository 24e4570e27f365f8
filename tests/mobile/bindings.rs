//! The same from Kotlin, Python and Swift: bindings made from the library that these tests were built
//! with or, where a package brings its own, from one built by its script; then each language's own
//! tests. Without a language's tools its test is skipped, except where `CI` is set.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::support::root;

/// One after the other: each of them keeps both cores busy.
static TURN: Mutex<()> = Mutex::new(());

/// Whether these programs are there.
fn has(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        |program: &&&str| std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    let missing = programs.iter().find(|program| !found(program));
    if let Some(program) = missing {
        assert!(std::env::var_os("CI").is_none(), "{program} is missing");
        println!("skipped: no {program}");
    }
    missing.is_none()
}

/// The library beside this test, which cargo built with it.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let name = format!(
        "{}vault_ffi{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    test.parent().unwrap().join(name)
}

/// A folder for what is generated.
fn folder(name: &str) -> PathBuf {
    library()
        .parent()
        .unwrap()
        .join("../../mobile-tests")
        .join(name)
}

/// Runs a command to its end and prints the last of what it says.
fn run(command: &mut Command) {
    let output = command.current_dir(root()).output().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
    for line in out.lines().rev().take(8).collect::<Vec<_>>().iter().rev() {
        println!("{line}");
    }
}

fn script(path: &str) -> Command {
    Command::new(root().join(path))
}

/// The generated sources of a language.
fn bindings(language: &str) -> PathBuf {
    let out = folder(language);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut make = Command::new(cargo);
    make.args(["xtask", "bindings", language, "--library"]);
    run(make.arg(library()).arg("--out").arg(&out));
    out
}

fn property(name: &str, value: &Path) -> String {
    format!("-D{name}={}", value.display())
}

#[test]
fn kotlin() {
    if !has(&["java", "mvn"]) {
        return;
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let bindings = bindings("kotlin");
    run(Command::new("mvn")
        .args(["-q", "-B", "test", "-f", "vault-ffi/kotlin/pom.xml"])
        .args([
            property("medvault.bindings", &bindings),
            property("medvault.library", &library()),
        ]));
    // Android's classes, and the code in docs/MOBILE.md
    run(script("vault-ffi/android/check")
        .arg("--bindings")
        .arg(bindings));
}

#[test]
fn a_clinic_on_the_maven_artifact() {
    if !has(&["java", "javac", "mvn", "cargo"]) {
        return;
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let home = tempfile::tempdir().unwrap();
    run(script("examples/kotlin-clinic/run")
        .arg("demo")
        .env("MEDVAULT_HOME", home.path()));
}

#[test]
fn python() {
    if !has(&["python3", "cargo"]) {
        return;
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    run(&mut script("vault-ffi/python/run-tests"));
    run(script("examples/python-patient/run").env("MEDVAULT_WHEEL_PROFILE", "dev"));
}

#[test]
fn swift() {
    if !has(&["cc", "python3"]) {
        return;
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let bindings = bindings("swift");
    let mut check = script("vault-ffi/swift/check");
    check.arg("--allow-missing").arg("--bindings").arg(bindings);
    run(check.arg("--library").arg(library()));
}
