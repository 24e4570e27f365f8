//! `medvault restore`: blocks back from a backup.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use vault_app::restore_error;
use vault_core::{Home, Restored, Vault, system_clock};

use crate::context::Context;
use crate::error::{Exit, Result};
use crate::{car, files, progress, show};

/// Put blocks back into this home from a backup of its vault
///
/// Every block is checked. Blocks that are gone or damaged come back; a backup that is newer than
/// the home brings it up to date. A backup never takes the vault back to an older state. Run it
/// again if it was interrupted. Where there is no home yet, `medvault init --recover --blocks FILE`
/// makes one from the backup and the 24 recovery words.
#[derive(Args)]
pub struct Restore {
    /// The backup, `-` for standard input
    #[arg(value_name = "FILE.car|-")]
    file: PathBuf,
}

/// Runs the command.
pub fn run(context: &Context, args: &Restore) -> Result<Exit> {
    let home = context.home_path().and_then(|path| Ok(Home::open(&path)?));
    let home = home.map_err(|error| match error.code {
        "no-home" => error.hint(format!(
            "`medvault init --recover --blocks {}` makes one; it asks for the 24 recovery words",
            args.file.display()
        )),
        _ => error,
    })?;
    let device = context.unlock(&home)?;
    let car = car::open(&args.file)?;
    let len = match files::is_dash(&args.file) {
        true => 0,
        false => args.file.metadata().map_or(0, |meta| meta.len()),
    };
    let bar = progress::bar(context.out, len, "bytes");
    // looked into by nobody yet: what is missing there may be what the backup has
    let app = context.app(home)?;
    let storage = app
        .place()?
        .storage(app.options(), app.home(), &device.vault())?;
    let restored = Vault::restore(storage, device, system_clock(), car, &mut |at| {
        bar.set_position(at);
    });
    bar.finish_and_clear();
    let restored = restored.map_err(|error| restore_error(&args.file, error))?;
    tell(context, &args.file, &restored)
}

fn tell(context: &Context, path: &Path, restored: &Restored) -> Result<Exit> {
    for flaw in &restored.flaws {
        context.out.warn(format!("{}: {flaw}", path.display()));
    }
    if context.out.json {
        context.out.json(&json!({
            "head": restored.head, "head_before": restored.before, "offered": restored.offered,
            "restored": restored.restored, "present": restored.present,
            "passed_over": restored.passed_over,
            "flaws": restored.flaws.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "missing": restored.missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }))?;
    } else {
        context.out.note(format!(
            "{} put back, {} there already",
            show::count(restored.restored, "block"),
            restored.present,
        ));
        match restored.before {
            Some(before) if before == restored.head => {}
            Some(before) => context
                .out
                .note(format!("head {before} -> {}", restored.head)),
            None => context.out.note(format!("head {}", restored.head)),
        }
        if restored.offered < restored.head {
            context.out.note(format!(
                "the backup is older (head {}): only blocks were taken that the vault still needs",
                restored.offered
            ));
        }
    }
    if !restored.missing.is_empty() {
        context.out.warn(format!(
            "{} blocks of the vault are still missing: `medvault doctor --deep` shows what they hold",
            restored.missing.len()
        ));
        return Ok(Exit::Integrity);
    }
    Ok(match restored.flaws.is_empty() {
        true => Exit::Ok,
        false => Exit::Partial,
    })
}
