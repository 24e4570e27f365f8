//! Keeping what proves a fork, and writing it down when there is one.

use std::path::{Path, PathBuf};

use vault_core::{BlockSource, Evidence, Following, ForkVerdict, Home, VaultId, check_fork};

use crate::error::{Error, Result};
use crate::files;

/// Where evidence lies in the home.
pub(crate) const EVIDENCE: &str = "evidence";

/// Writes down what was seen and what was offered, and says in the error's hint how to check it. If
/// that fails, the error stays as it is.
pub(crate) fn with_evidence(
    warn: &dyn Fn(&str),
    error: Error,
    home: &Home,
    following: &Following,
    offered: &[Vec<u8>],
    source: &dyn BlockSource,
) -> Error {
    match write(home, following, offered, source) {
        Ok(Some((one, other))) => error.hint(format!(
            "what you had stays. `medvault audit check-fork {} {}` says what that proves; send the \
             patient both files",
            shell(&one),
            shell(&other)
        )),
        Ok(None) => error,
        Err(failed) => {
            let what = failed.message;
            warn(&format!("the evidence was not written: {what}"));
            error
        }
    }
}

/// Writes the evidence and returns the two files that say most. `None` when there are not two.
fn write(
    home: &Home,
    following: &Following,
    offered: &[Vec<u8>],
    source: &dyn BlockSource,
) -> Result<Option<(PathBuf, PathBuf)>> {
    let mut all: Vec<(String, Evidence)> = Vec::new();
    // before the first head there is nothing to show
    if let Ok(seen) = following.evidence(source) {
        all.push(("seen".to_owned(), seen));
    }
    for bytes in offered {
        let evidence = Evidence::of_head(bytes, source)?;
        let cid = evidence.head().map(|head| head.block().cid().to_string());
        let cid = cid.unwrap_or_default();
        let tail = cid.get(cid.len().saturating_sub(8)..).unwrap_or_default();
        all.push((format!("offered-{tail}"), evidence));
    }
    let folder = home.make_folder(EVIDENCE)?;
    let vault = evidence_prefix(&following.vault());
    let mut files = Vec::new();
    for (name, evidence) in &all {
        let path = folder.join(format!("{vault}-{name}.json"));
        // the same head offered again is the same evidence: no new file each time
        files::write_bytes(&path, true, evidence.to_text()?.as_bytes())?;
        files.push(path);
    }
    let pairs = (0..all.len()).flat_map(|one| (one + 1..all.len()).map(move |other| (one, other)));
    let proves = |(one, other): &(usize, usize)| match (all.get(*one), all.get(*other)) {
        (Some((_, one)), Some((_, other))) => matches!(
            check_fork(one, other),
            Ok(ForkVerdict::Forked { .. } | ForkVerdict::RolledBack { .. })
        ),
        _ => false,
    };
    let best = pairs.clone().find(proves).or_else(|| pairs.clone().next());
    Ok(best.and_then(|(one, other)| Some((files.get(one)?.clone(), files.get(other)?.clone()))))
}

/// How the names of files with evidence about a vault begin.
pub(crate) fn evidence_prefix(vault: &VaultId) -> String {
    vault.to_string().chars().take(12).collect()
}

/// Writes two pieces of evidence about one vault into the home. The same again replaces the same.
#[cfg(feature = "network")]
pub(crate) fn write_evidence<const N: usize>(
    home: &Home,
    vault: &VaultId,
    all: [(&str, &Evidence); N],
) -> Result<[PathBuf; N]> {
    let folder = home.make_folder(EVIDENCE)?;
    let vault = evidence_prefix(vault);
    let path = |name: &str, evidence: &Evidence| {
        let size = evidence.checkpoint().size;
        folder.join(format!("{vault}-{name}-{size}.json"))
    };
    for (name, evidence) in &all {
        let text = evidence.to_text()?;
        files::write_bytes(&path(name, evidence), true, text.as_bytes())?;
    }
    Ok(all.map(|(name, evidence)| path(name, evidence)))
}

/// A path as it can be typed.
pub(crate) fn shell(path: &Path) -> String {
    let text = path.display().to_string();
    match text.contains(|c: char| !(c.is_alphanumeric() || "/._-".contains(c))) {
        true => format!("'{}'", text.replace('\'', r"'\''")),
        false => text,
    }
}
