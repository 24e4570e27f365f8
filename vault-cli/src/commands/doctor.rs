//! `medvault doctor`: is everything in order?

use std::path::Path;

use clap::Args;
use serde_json::json;
use vault_app::serve;
use vault_core::{DEFAULT_WORK_FACTOR, Vault};

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::output::{BAD, GOOD, WARN, paint};
use crate::show;
use vault_core::Home;

/// Check the home, the blocks and the log, and say what to do about each fault
#[derive(Args)]
pub struct Doctor {
    /// Open every version of every record too
    #[arg(long)]
    deep: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

struct Check {
    name: &'static str,
    verdict: Verdict,
    what: String,
    hint: Option<&'static str>,
}

fn check(name: &'static str, verdict: Verdict, what: impl Into<String>) -> Check {
    Check {
        name,
        verdict,
        what: what.into(),
        hint: None,
    }
}

impl Check {
    fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }
}

/// Runs the command.
pub fn run(context: &Context, args: &Doctor) -> Result<Exit> {
    let home = context.home()?;
    let mut checks = vec![check(
        "home",
        Verdict::Ok,
        home.root().display().to_string(),
    )];
    checks.push(permissions(home.root()));
    checks.push(leftovers(home.root()));
    checks.push(work_factor(&home));
    match context.home_and_vault() {
        Ok((_, mut vault)) => {
            checks.push(check(
                "identity",
                Verdict::Ok,
                "opens, and belongs to this vault",
            ));
            checks.push(blocks(&mut vault, args.deep));
            checks.push(log(&mut vault));
            checks.push(rekeys(&mut vault));
            checks.push(history(&home, &vault));
        }
        Err(error) if error.exit == Exit::Identity => return Err(error),
        Err(error) => checks.push(
            check("vault", Verdict::Fail, error.message)
                .hint("put the home back from a copy, or use `medvault init --recover`"),
        ),
    }
    report(context, &checks)?;
    match checks
        .iter()
        .filter(|check| check.verdict == Verdict::Fail)
        .count()
    {
        0 => Ok(Exit::Ok),
        bad => {
            let what = format!("{} of this home failed", show::count(bad as u64, "check"));
            Err(Error::new(Exit::Integrity, "doctor", what))
        }
    }
}

fn report(context: &Context, checks: &[Check]) -> Result<()> {
    let word = |verdict| match verdict {
        Verdict::Ok => "ok",
        Verdict::Warn => "warn",
        Verdict::Fail => "fail",
    };
    if context.out.json {
        return context.out.json_lines(checks.iter().map(|check| {
            json!({
                "check": check.name, "verdict": word(check.verdict),
                "what": check.what, "hint": check.hint,
            })
        }));
    }
    let mut text = String::new();
    for check in checks {
        let style = match check.verdict {
            Verdict::Ok => GOOD,
            Verdict::Warn => WARN,
            Verdict::Fail => BAD,
        };
        let verdict = paint(style, format!("{:<4}", word(check.verdict)));
        text.push_str(&format!("{verdict}  {:<13}{}\n", check.name, check.what));
        if let Some(hint) = check.hint {
            text.push_str(&format!("      {:<13}hint: {hint}\n", ""));
        }
    }
    context.out.print(&text)
}

#[cfg(unix)]
fn permissions(root: &Path) -> Check {
    use std::os::unix::fs::PermissionsExt as _;
    let open = [root.to_owned(), root.join("identity.age")]
        .iter()
        .any(|path| {
            path.metadata()
                .is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
        });
    match open {
        true => check(
            "permissions",
            Verdict::Warn,
            "others on this machine may look in",
        )
        .hint("`chmod -R go= HOME`"),
        false => check("permissions", Verdict::Ok, "for you only"),
    }
}

#[cfg(not(unix))]
fn permissions(_: &Path) -> Check {
    check("permissions", Verdict::Ok, "left to the system")
}

fn leftovers(root: &Path) -> Check {
    let beside = root.parent().into_iter().flat_map(names).filter(|name| {
        let own = root
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        own.is_some_and(|own| name.starts_with(&format!(".{own}.")))
    });
    let inside = names(root)
        .into_iter()
        .filter(|name| name.ends_with(".tmp") || name.starts_with(".tmp"));
    let count = beside.chain(inside).count() as u64;
    match count {
        0 => check("leftovers", Verdict::Ok, "none"),
        _ => check(
            "leftovers",
            Verdict::Warn,
            format!(
                "{} of a command that was killed",
                show::count(count, "file")
            ),
        )
        .hint("they may be deleted while no command runs"),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Reads the work factor off the identity file's first stanza: `-> scrypt SALT LOG_N`.
fn work_factor(home: &Home) -> Check {
    const NAME: &str = "passphrase";
    let bytes = match home.read_identity() {
        Ok(bytes) => bytes,
        Err(error) => {
            return check(NAME, Verdict::Fail, error.to_string())
                .hint("put identity.age back from a copy, or use `medvault init --recover`");
        }
    };
    let front = String::from_utf8_lossy(&bytes[..bytes.len().min(256)]).into_owned();
    let stanza = front
        .lines()
        .find_map(|line| line.strip_prefix("-> scrypt "));
    let factor = stanza.and_then(|rest| rest.split(' ').nth(1)?.parse::<u8>().ok());
    match factor {
        None => check(NAME, Verdict::Fail, "the identity file is damaged")
            .hint("put identity.age back from a copy, or use `medvault init --recover`"),
        Some(factor) if factor < DEFAULT_WORK_FACTOR => {
            check(NAME, Verdict::Warn, format!("work factor {factor} is low"))
                .hint("`medvault identity passphrase` writes the file again")
        }
        Some(factor) => check(NAME, Verdict::Ok, format!("work factor {factor}")),
    }
}

fn blocks(vault: &mut Vault, deep: bool) -> Check {
    const NAME: &str = "blocks";
    let report = match vault.verify_blocks(deep) {
        Ok(report) => report,
        Err(error) => return check(NAME, Verdict::Fail, Error::from(error).message).hint(LOST),
    };
    if report.missing.is_empty() && report.unreadable.is_empty() {
        let opened = match deep {
            true => format!(", {} opened", show::count(report.opened as u64, "version")),
            false => String::new(),
        };
        let count = show::count(report.blocks as u64, "block");
        return check(
            NAME,
            Verdict::Ok,
            format!("{count}, {}{opened}", show::bytes(report.bytes)),
        );
    }
    let mut what = format!(
        "{} missing or damaged",
        show::count(report.missing.len() as u64, "block")
    );
    if deep {
        what.push_str(&format!(
            ", {} do not open",
            show::count(report.unreadable.len() as u64, "record")
        ));
        for record in report.unreadable.iter().take(10) {
            what.push_str(&format!("\n{:19}record {record}", ""));
        }
    }
    let hint = if deep {
        LOST
    } else {
        "`medvault doctor --deep` names the records"
    };
    check(NAME, Verdict::Fail, what).hint(hint)
}

const LOST: &str = "put the blocks back from a copy: a pinned node or another device has them";

fn log(vault: &mut Vault) -> Check {
    const NAME: &str = "audit log";
    match vault.verify_audit() {
        Ok(report) => match report.bad {
            None => check(NAME, Verdict::Ok, format!("{} entries hold", report.size)),
            Some(bad) => check(
                NAME,
                Verdict::Fail,
                format!("entry {}: {}", bad.index, bad.what),
            )
            .hint("`medvault audit verify` says more"),
        },
        Err(error) => check(NAME, Verdict::Fail, Error::from(error).message).hint(LOST),
    }
}

fn rekeys(vault: &mut Vault) -> Check {
    const NAME: &str = "revocations";
    match vault.pending_rekeys() {
        Ok(pending) if pending.is_empty() => check(NAME, Verdict::Ok, "none unfinished"),
        Ok(pending) => {
            let count = show::count(pending.len() as u64, "re-key");
            check(NAME, Verdict::Warn, format!("{count} not finished"))
                .hint("`medvault revoke --resume` does the rest")
        }
        Err(error) => check(NAME, Verdict::Fail, Error::from(error).message),
    }
}

/// Whether a reader has shown a log of this vault that is not part of the one here.
fn history(home: &Home, vault: &Vault) -> Check {
    const NAME: &str = "history";
    match serve::unsettled(home, vault) {
        Ok(None) => check(
            NAME,
            Verdict::Ok,
            "nobody has shown a longer or another log",
        ),
        Ok(Some(path)) => check(
            NAME,
            Verdict::Fail,
            format!(
                "{} shows a log that this home does not contain; no key is given out",
                path.display()
            ),
        )
        .hint(serve::SETTLE),
        Err(error) => check(NAME, Verdict::Fail, error.message),
    }
}
