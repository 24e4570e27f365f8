//! The same from Kotlin and Python: their own programs, with the library that this one is built with.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::table::Samples;
use crate::{Fallible, Figures, Plan, world};

/// The root of the workspace.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The library beside this program.
fn library() -> Fallible<PathBuf> {
    let this = std::env::current_exe()?;
    let name = format!(
        "{}vault_ffi{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    Ok(this.parent().unwrap_or(&this).join(name))
}

fn there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output();
    found.is_ok_and(|output| output.status.success())
}

/// Writes the bindings of a language for the library of this run.
fn bindings(language: &str) -> Fallible<PathBuf> {
    let out = root().join("target/bench-bindings").join(language);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut make = Command::new(cargo);
    make.args(["xtask", "bindings", language, "--library"]);
    said(make.arg(library()?).arg("--out").arg(&out))?;
    Ok(out)
}

/// Runs a command from the root, and returns what it prints.
fn said(command: &mut Command) -> Fallible<String> {
    let output = command.current_dir(root()).output()?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?}: {why}").into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// What both programs are told.
fn told<'a>(command: &'a mut Command, plan: &Plan, home: &Path) -> &'a mut Command {
    command
        .env("MEDVAULT_BENCH_HOME", home)
        .env("MEDVAULT_BENCH_PASSPHRASE", world::PASSPHRASE)
        .env("MEDVAULT_BENCH_RUNS", plan.runs.to_string())
        .env("MEDVAULT_BENCH_BYTES", plan.bytes.to_string())
}

/// Measures from Kotlin on the JVM.
pub fn kotlin(plan: &Plan, home: &Path) -> Fallible<Option<Figures>> {
    if !there("mvn") || !there("java") {
        return Ok(None);
    }
    let bindings = bindings("kotlin")?;
    let package = root().join("vault-ffi/kotlin");
    let mut compile = Command::new("mvn");
    compile.args(["-q", "-B", "test-compile", "-f"]);
    compile.arg(package.join("pom.xml"));
    compile.arg(format!("-Dmedvault.bindings={}", bindings.display()));
    compile.arg(format!("-Dmedvault.library={}", library()?.display()));
    said(&mut compile)?;
    let line = said(told(
        &mut Command::new(package.join("cold-open")),
        plan,
        home,
    ))?;
    figures(&line).map(Some)
}

/// Measures from CPython.
pub fn python(plan: &Plan, home: &Path) -> Fallible<Option<Figures>> {
    if !there("python3") {
        return Ok(None);
    }
    // the generated module as the package, without a wheel around it
    let package = root().join("target/bench-bindings/python-package");
    std::fs::create_dir_all(package.join("medvault"))?;
    let made = bindings("python")?;
    for entry in std::fs::read_dir(made)? {
        let path = entry?.path();
        if let Some(name) = path.file_name().filter(|_| path.is_file()) {
            std::fs::copy(&path, package.join("medvault").join(name))?;
        }
    }
    std::fs::write(
        package.join("medvault/__init__.py"),
        "from .vault_ffi import *\n",
    )?;
    let mut run = Command::new("python3");
    run.arg(root().join("vault-ffi/python/benches/cold_open.py"));
    let line = said(told(&mut run, plan, home).env("PYTHONPATH", &package))?;
    figures(&line).map(Some)
}

/// Reads the line that both programs print, times in microseconds.
fn figures(line: &str) -> Fallible<Figures> {
    let line = line.lines().last().unwrap_or_default();
    let value: Value = serde_json::from_str(line)?;
    let of = |name: &str| -> Fallible<Samples> {
        let mut samples = Samples::new();
        let all = value[name]
            .as_array()
            .ok_or_else(|| format!("no `{name}` in: {line}"))?;
        for one in all.iter().filter_map(Value::as_f64) {
            samples.push(one / 1e6);
        }
        Ok(samples)
    };
    Ok(Figures {
        open: of("open")?,
        page: of("page")?,
        list: of("list")?,
        add: of("add")?,
        stream: of("stream")?,
        path: of("path")?,
    })
}
