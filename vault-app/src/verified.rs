//! Contacts whose fingerprint nobody has compared.

use vault_core::Vault;

use crate::error::{Error, Exit, Result};

/// Those among `names` whose fingerprint nobody has compared, by the names that they have here.
///
/// # Errors
/// `no-contact`.
pub fn unverified<'a>(
    vault: &mut Vault,
    names: impl IntoIterator<Item = &'a String>,
) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for name in names {
        let contact = vault.contact(name)?;
        if contact.verified.is_none() {
            found.push(contact.name);
        }
    }
    Ok(found)
}

/// Fails when there is anybody among `names`.
///
/// # Errors
/// `unverified`.
pub fn refuse_unverified(names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let names = names.join(", ");
    let what = format!("nobody has compared the fingerprint of {names}");
    Err(Error::new(Exit::Terms, "unverified", what).hint("`medvault contact verify NAME`"))
}
