//! What hinders putting a backup back, in words.

use std::path::Path;

use vault_core::RestoreError;

use crate::car::car_error;
use crate::error::{Error, Exit};

/// The error of putting the backup at `path` back.
pub fn restore_error(path: &Path, error: RestoreError) -> Error {
    let text = format!("{}: {error}", path.display());
    let new = |exit, code| Error::new(exit, code, &text);
    match error {
        RestoreError::Car(error) => car_error(path, error),
        RestoreError::NotABackup => new(Exit::Failure, "not-a-backup").hint(
            "give a file that `medvault backup` wrote; for the folder `blocks` of an old home use \
             `medvault init --recover --blocks DIR`",
        ),
        RestoreError::OtherVault => new(Exit::Identity, "other-vault")
            .hint("nothing was changed; `--home DIR` names the home that it belongs to"),
        RestoreError::Replaced => new(Exit::Identity, "replaced").hint(format!(
            "`medvault init --recover --blocks {}` with another `--home` takes the 24 words",
            path.display()
        )),
        RestoreError::Incomplete(_) => {
            new(Exit::Integrity, "incomplete").hint("nothing was changed; use another copy")
        }
        RestoreError::Head(error) => {
            let code = Error::from(error).code;
            new(Exit::Integrity, code).hint(match code {
                "older-head" => "nothing was changed: the vault in this home is newer, and whole",
                "forked-head" => {
                    "nothing was changed: two devices wrote from copies of one home, and their \
                     histories cannot be joined"
                }
                "clock" => "nothing was changed; set the clock and try again",
                _ => "nothing was changed; use another copy",
            })
        }
        RestoreError::Vault(error) => error.into(),
    }
}
