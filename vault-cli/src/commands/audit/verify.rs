//! `medvault audit verify`: whether the log holds.

use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::output::{GOOD, paint};

/// Recompute the whole log from the blocks and name the first bad entry
#[derive(Args)]
pub struct Verify {}

/// Runs the command.
pub fn run(context: &Context, _: &Verify) -> Result<Exit> {
    let mut vault = context.vault()?;
    let report = vault.verify_audit()?;
    if context.out.json {
        let bad = report
            .bad
            .as_ref()
            .map(|bad| json!({"index": bad.index, "what": bad.what}));
        context.out.json(&json!({
            "entries": report.size, "root": report.root.to_string(),
            "verified": report.bad.is_none(), "bad": bad,
        }))?;
    }
    if let Some(bad) = report.bad {
        let what = format!(
            "entry {} of the audit log does not hold: {}",
            bad.index, bad.what
        );
        return Err(Error::new(Exit::Integrity, "bad-log", what).hint(
            "do not trust the log from this entry on; compare with an older copy of the home",
        ));
    }
    if !context.out.json {
        let holds = paint(GOOD, "the audit log holds");
        let count = report.size;
        context
            .out
            .print(&format!("{holds}: {count} entries\nroot {}\n", report.root))?;
    }
    Ok(Exit::Ok)
}
