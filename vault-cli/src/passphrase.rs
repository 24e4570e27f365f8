//! Where the passphrase comes from: a file, a command, or the terminal. Never an argument.

use std::ffi::OsStr;
use std::io::{IsTerminal, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::args::Global;
use crate::error::{Error, Exit, Result};

/// Longest passphrase that is read from a file or a command, in bytes.
const MAX_LEN: u64 = 64 * 1024;

/// The passphrase of the identity file.
pub fn current(global: &Global) -> Result<SecretString> {
    match given(global)? {
        Some(passphrase) => Ok(passphrase),
        None => prompt(global, "Passphrase: "),
    }
}

/// A new passphrase; on the terminal it is asked for twice.
pub fn fresh(global: &Global) -> Result<SecretString> {
    match given(global)? {
        Some(passphrase) => Ok(passphrase),
        None => prompt_twice(global),
    }
}

/// A new passphrase from this file, or from the terminal.
pub fn fresh_from(global: &Global, file: Option<&Path>) -> Result<SecretString> {
    match file {
        Some(file) => from_file(file),
        None => prompt_twice(global),
    }
}

/// From the file or the command; what stands on the command line comes before what is set in the
/// environment, and a file before a command.
fn given(global: &Global) -> Result<Option<SecretString>> {
    let command = global.passphrase_command.as_deref();
    let Some(file) = &global.passphrase_file else {
        return command.map(from_command).transpose();
    };
    let is_set = |name: &str, value: &OsStr| std::env::var_os(name).is_some_and(|v| v == *value);
    match command {
        Some(command)
            if is_set("MEDVAULT_PASSPHRASE_FILE", file.as_os_str())
                && !is_set("MEDVAULT_PASSPHRASE_COMMAND", OsStr::new(command)) =>
        {
            from_command(command).map(Some)
        }
        _ => from_file(file).map(Some),
    }
}

fn prompt_twice(global: &Global) -> Result<SecretString> {
    use secrecy::ExposeSecret as _;
    let first = prompt(global, "New passphrase: ")?;
    let second = prompt(global, "The same again: ")?;
    if first.expose_secret() != second.expose_secret() {
        return Err(wrong("passphrase-mismatch", "the two passphrases differ"));
    }
    Ok(first)
}

fn prompt(global: &Global, question: &str) -> Result<SecretString> {
    if global.no_input || !std::io::stdin().is_terminal() {
        return Err(wrong(
            "no-passphrase",
            "a passphrase is needed and nobody can be asked",
        )
        .hint("use --passphrase-file FILE or --passphrase-command CMD"));
    }
    let typed = Zeroizing::new(rpassword::prompt_password(question)?);
    checked(&typed)
}

fn from_file(path: &Path) -> Result<SecretString> {
    let file = std::fs::File::open(path).map_err(|e| Error::file(path, &e))?;
    first_line(file).map_err(|e| Error::file(path, &e))?
}

fn from_command(command: &str) -> Result<SecretString> {
    let failed = |_| {
        wrong(
            "passphrase-command",
            "the passphrase command could not be run",
        )
    };
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let passphrase = child.stdout.take().map(first_line);
    let status = child.wait().map_err(failed)?;
    if !status.success() {
        return Err(wrong("passphrase-command", "the passphrase command failed"));
    }
    match passphrase {
        Some(read) => read?,
        None => Err(wrong("no-passphrase", "the passphrase is empty")),
    }
}

fn first_line(source: impl Read) -> std::io::Result<Result<SecretString>> {
    // room for all of it at once: growing would leave copies behind
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_LEN as usize));
    source.take(MAX_LEN).read_to_end(&mut bytes)?;
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Ok(match std::str::from_utf8(line) {
        Ok(text) => checked(text),
        Err(_) => Err(wrong("bad-passphrase", "the passphrase is not UTF-8 text")),
    })
}

fn checked(text: &str) -> Result<SecretString> {
    if text.is_empty() {
        return Err(wrong("no-passphrase", "the passphrase is empty"));
    }
    Ok(SecretString::from(text))
}

fn wrong(code: &'static str, message: &str) -> Error {
    Error::new(Exit::Identity, code, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[test]
    fn only_the_first_line_counts() {
        let line = first_line(&b"correct horse \r\nsecond"[..])
            .unwrap()
            .unwrap();
        assert_eq!(line.expose_secret(), "correct horse ");
        assert!(first_line(&b"\nx"[..]).unwrap().is_err());
        assert!(first_line(&b"\xff"[..]).unwrap().is_err());
    }

    #[test]
    fn a_failed_command_gives_nothing() {
        assert_eq!(from_command("printf 'a\\nb'").unwrap().expose_secret(), "a");
        assert!(from_command("echo a; exit 3").is_err());
    }
}
