//! The settings, one by one.

use vault_core::Home;

use crate::config::{File, KEYS, find};
use crate::error::Result;

/// Every setting with its values; those that are not set have none.
///
/// # Errors
/// `bad-config`; a home that cannot be read.
pub fn settings(home: &Home) -> Result<Vec<(String, Vec<String>)>> {
    let file = File::read(home)?;
    let each = KEYS.iter().map(|key| {
        let values = file.values(key).unwrap_or_default();
        (key.name.to_owned(), values)
    });
    Ok(each.collect())
}

/// Sets a setting, or unsets it when there are no values.
///
/// # Errors
/// `no-setting`; values that are none for it; what the home refuses. Then nothing is changed.
pub fn change_setting(home: &Home, name: &str, values: &[String]) -> Result<()> {
    let key = find(name)?;
    let _lock = home.lock()?;
    let mut file = File::read(home)?;
    match values.is_empty() {
        true => drop(file.unset(key)),
        false => file.set(key, values)?,
    }
    file.write(home)
}
