//! `medvault agreement accept`.

use std::path::PathBuf;

use clap::Args;
use vault_app::{countersign, tell_acceptance};
use vault_core::{AskError, Condition};

use crate::commands::inbox;
use crate::context::Context;
use crate::error::{Exit, Result};
use crate::places::{HeadArgs, PlaceArgs, places};
use crate::{files, show};

/// Agree to what was offered: sign the terms, and send the signature to the patient's node
///
/// From then on the agreement is in force, and records can be opened under it. Repeating is
/// harmless.
#[derive(Args)]
pub struct Accept {
    /// The agreement, by its id or the beginning of it
    #[arg(value_name = "GRANT")]
    grant: String,

    /// Write the signature to this new file instead of sending it, for `medvault agreement take`
    #[arg(long, value_name = "FILE|-")]
    out: Option<PathBuf>,

    #[command(flatten)]
    heads: HeadArgs,

    #[command(flatten)]
    places: PlaceArgs,
}

/// Runs the command.
pub fn run(context: &Context, args: &Accept) -> Result<Exit> {
    let (home, device, mut inbox) = inbox::open(context)?;
    let (mut following, held) = super::find(&inbox, &args.grant)?;
    for condition in held.terms.conditions.iter() {
        if let Condition::Unknown(name) = condition {
            context.out.warn(format!(
                "this program does not know the condition `{}`: under these terms no key is given \
                 out",
                show::line(&name)
            ));
        }
    }
    if let Some(path) = args.out.as_ref().filter(|path| !files::is_dash(path)) {
        files::refuse_existing(path, false)?;
    }
    let message = countersign(&device, &mut inbox, &mut following, &held.grant)?;
    if let Some(path) = &args.out {
        let signed = following.acceptance(&held.grant);
        let signed = signed.ok_or(AskError::NoAgreement)?;
        let line = format!("{}\n", signed.to_text());
        if files::is_dash(path) {
            context.out.print(&line)?;
        } else {
            files::write_bytes(path, false, line.as_bytes())?;
            context.out.note(format!(
                "written to {}. It is in force once the patient has run `medvault agreement take \
                 FILE`",
                path.display()
            ));
        }
        return Ok(Exit::Ok);
    }
    let app = context.app(home)?;
    let network = app.network(&device, places(&app, &args.places, &args.heads)?);
    let answer = tell_acceptance(&network, &following, &message);
    let synced = answer.and_then(|()| {
        context.out.note(format!(
            "in force: {} has your signature",
            show::line(following.name())
        ));
        let home = app.home();
        inbox::sync_one(context, &network, home, &mut inbox, &mut following, false)
    });
    network.close();
    synced?;
    if !context.out.json {
        context.out.note(format!(
            "`medvault record list --from {}` shows what there is",
            following.name()
        ));
    }
    Ok(Exit::Ok)
}
