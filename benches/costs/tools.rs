//! Other people's programs as yardsticks. A missing one never fails the run.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Fallible;

/// Finds a program: the variable `MEDVAULT_<NAME>`, then `bench-tools/bin` of the target folder,
/// where the README says to install them, then `PATH`.
fn find(name: &str) -> Option<PathBuf> {
    let variable = format!("MEDVAULT_{}", name.to_uppercase().replace('-', "_"));
    if let Some(path) = std::env::var_os(variable) {
        return Some(path.into());
    }
    // target/release/deps/costs-…
    let own = std::env::current_exe().ok()?;
    let cached = own.ancestors().nth(3)?.join("bench-tools/bin").join(name);
    if cached.is_file() {
        return Some(cached);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
}

/// The `medvault` command: `MEDVAULT_BIN`, or the one built beside this program.
pub fn medvault() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("MEDVAULT_BIN") {
        return Some(path.into());
    }
    let own = std::env::current_exe().ok()?;
    let built = own.ancestors().nth(2)?.join("medvault");
    built.is_file().then_some(built)
}

/// Runs a command without its output.
pub fn quietly(command: &mut Command) -> Result<(), String> {
    let done = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let name = command.get_program().to_string_lossy().into_owned();
    match done {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name}: {status}")),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

/// Time of `rustic backup` of `folder` into a new repository, in seconds, less the time of a
/// command that only opens the repository: the key derivation is not what is compared.
pub fn rustic_backup(repository: &Path, folder: &Path) -> Result<f64, String> {
    let rustic = find("rustic").ok_or("rustic is not installed")?;
    let command = |args: &[&str]| {
        let mut command = Command::new(&rustic);
        command
            .env("RUSTIC_REPOSITORY", repository)
            .env("RUSTIC_PASSWORD", "benchmark")
            .env("RUSTIC_NO_CACHE", "true")
            .env("RUSTIC_NO_PROGRESS", "true")
            .args(args);
        command
    };
    let timed = |mut command: Command| {
        let begun = Instant::now();
        quietly(&mut command).map(|()| begun.elapsed().as_secs_f64())
    };
    quietly(&mut command(&["init"]))?;
    let mut backup = command(&["backup"]);
    backup.arg(folder);
    let backup = timed(backup)?;
    let opening = timed(command(&["list", "keys"])).or_else(|_| timed(command(&["snapshots"])))?;
    // best effort: the folder goes with the run's own
    let _ = std::fs::remove_dir_all(repository);
    Ok((backup - opening).max(f64::MIN_POSITIVE))
}

/// Files encrypted and stored one by one.
pub struct OneByOne {
    pub seconds: f64,
    pub how: String,
}

/// Encrypts each file with `rage` and adds each to IPFS. Where a program is missing, the least it
/// would have to do is done in this process instead.
pub fn one_by_one(dir: &Path, files: &[PathBuf]) -> Fallible<OneByOne> {
    let out = dir.join("one-by-one");
    std::fs::create_dir(&out)?;
    let rage = find("rage");
    let ipfs = find("ipfs").map(|ipfs| {
        let repository = out.join("ipfs");
        move |args: &[&str]| {
            let mut command = Command::new(&ipfs);
            command.env("IPFS_PATH", &repository).args(args);
            command
        }
    });
    let ipfs = match ipfs {
        Some(ipfs) => quietly(&mut ipfs(&["init", "--empty-repo"]))
            .map(|()| ipfs)
            .ok(),
        None => None,
    };
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public();
    let begun = Instant::now();
    for (number, file) in files.iter().enumerate() {
        let sealed = out.join(format!("{number}.age"));
        match &rage {
            Some(rage) => {
                let mut command = Command::new(rage);
                command.arg("-r").arg(recipient.to_string());
                quietly(command.arg("-o").arg(&sealed).arg(file))?;
            }
            None => {
                let bytes = age::encrypt(&recipient, &std::fs::read(file)?)?;
                std::fs::write(&sealed, bytes)?;
            }
        }
        match &ipfs {
            Some(ipfs) => quietly(ipfs(&["add", "-Q", "--offline"]).arg(&sealed))?,
            None => {
                let bytes = std::fs::read(&sealed)?;
                let mut file = File::create(out.join(format!("{number}.block")))?;
                file.write_all(&bytes)?;
                file.sync_all()?;
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    std::fs::remove_dir_all(&out)?;
    let rage = if rage.is_some() {
        "rage"
    } else {
        "age in this process"
    };
    let ipfs = if ipfs.is_some() {
        "ipfs add"
    } else {
        "write and fsync, as the least of ipfs add,"
    };
    Ok(OneByOne {
        seconds,
        how: format!("{rage} + {ipfs} per file"),
    })
}
