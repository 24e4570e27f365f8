//! `medvault agreement accept`.

use std::path::PathBuf;

use clap::Args;
use vault_core::{AccessReply, AskError, Condition};

use crate::commands::inbox;
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::network::{HeadArgs, Network, PlaceArgs, Places};
use crate::{files, show, time};

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
    if held.terms.has_expired(time::now()) {
        return Err(
            Error::new(Exit::Terms, "grant-ended", "the agreement has ended")
                .hint("ask the patient to share again"),
        );
    }
    if let Some(path) = args.out.as_ref().filter(|path| !files::is_dash(path)) {
        files::refuse_existing(path, false)?;
    }
    let message = following.countersign(&held.grant, &device, time::now())?;
    // what is signed is known here before anybody else hears of it
    inbox.remember(&following)?;
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
    let places = Places::of(context, &home, &args.places, &args.heads)?;
    let network = Network::new(device, places, context.out);
    let sent = network.tell(following.node(), &message);
    let sent = sent.map_err(|unanswered| {
        Error::from(unanswered).hint(
            "what you signed is kept: run this again when the patient runs `medvault serve`, or send \
             them the file that --out FILE writes",
        )
    });
    let answer = match sent.map(|answer| AccessReply::from_bytes(&answer)) {
        Ok(Ok(AccessReply::Noted {})) => Ok(()),
        Ok(Ok(AccessReply::Refused(code))) => Err(code.into()),
        Ok(_) => Err(AskError::Malformed.into()),
        Err(error) => Err(error),
    };
    let synced = answer.and_then(|()| {
        context.out.note(format!(
            "in force: {} has your signature",
            show::line(following.name())
        ));
        inbox::sync_one(context, &network, &home, &mut inbox, &mut following, false)
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
