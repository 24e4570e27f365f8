//! Consent to send to a contact whom nobody has verified.

use vault_app::Recipient;

use crate::context::Context;
use crate::error::Result;

/// Results for one person must not go to another.
pub fn consent(context: &Context, to: &Recipient, yes: bool) -> Result<()> {
    let Err(error) = to.refuse_unverified() else {
        return Ok(());
    };
    if !yes && !context.can_ask() {
        return Err(error);
    }
    let what = error.message;
    context
        .out
        .warn(format!("{what}: the card may be someone else's"));
    context.consent(yes, "Send all the same?")
}
