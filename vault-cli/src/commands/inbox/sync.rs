//! `medvault inbox sync`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use vault_app::{Network, Senders, Synced, has_offer, offered};
use vault_core::{Advance, Following, Home, Inbox};

use crate::context::Context;
use crate::error::{Exit, Result};
use crate::places::{HeadArgs, PlaceArgs, places};
use crate::{files, show};

/// Fetch the newest of what is shared with you
#[derive(Args)]
pub struct Sync {
    /// Only from these senders
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Fetch the contents too, to read them offline
    #[arg(long)]
    contents: bool,

    /// Take the newest from this file, which the sender made with `medvault grant export`, and ask
    /// nobody; `-` for standard input
    #[arg(long, value_name = "FILE.car|-", conflicts_with_all = ["names", "contents"])]
    file: Option<PathBuf>,

    #[command(flatten)]
    heads: HeadArgs,

    #[command(flatten)]
    places: PlaceArgs,
}

/// Runs the command.
pub fn run(context: &Context, args: &Sync) -> Result<Exit> {
    if let Some(path) = &args.file {
        let (_, input) = files::peek(path)?;
        return take_file(context, path, input, Senders::Known).map(|()| Exit::Ok);
    }
    let (home, device, mut inbox) = super::open(context)?;
    let wanted: Vec<Following> = if args.names.is_empty() {
        inbox.list().to_vec()
    } else {
        let found = args.names.iter().map(|name| inbox.find(name).cloned());
        found.collect::<Result<_, _>>()?
    };
    let app = context.app(home)?;
    let network = app.network(&device, places(&app, &args.places, &args.heads)?);
    let (mut failed, mut last) = (0, None);
    for mut following in wanted.iter().cloned() {
        let done = sync_one(
            context,
            &network,
            app.home(),
            &mut inbox,
            &mut following,
            args.contents,
        );
        if let Err(error) = done {
            if wanted.len() == 1 {
                network.close();
                return Err(error);
            }
            context
                .out
                .warn(format!("{}: {}", following.name(), error.message));
            failed += 1;
            last = Some(error);
        }
    }
    network.close();
    if wanted.is_empty() {
        context
            .out
            .note("nothing is shared with you yet: `medvault inbox accept TICKET`");
    }
    match last {
        Some(error) if failed == wanted.len() => Err(error),
        Some(_) => Ok(Exit::Partial),
        None => Ok(Exit::Ok),
    }
}

/// Takes a grant that came as a file, and tells what it gives.
pub fn take_file(
    context: &Context,
    path: &Path,
    input: impl Read,
    from: Senders<'_>,
) -> Result<()> {
    let (app, device) = context.app_and_device()?;
    let shown = path.display().to_string();
    let (following, synced) = vault_app::take_grant_file(&app, &device, input, &shown, from)?;
    report(context, &following, &synced)
}

/// Fetches one sender's head and lists what it gives.
pub fn sync_one(
    context: &Context,
    network: &Arc<Network>,
    home: &Home,
    inbox: &mut Inbox,
    following: &mut Following,
    contents: bool,
) -> Result<()> {
    let synced = vault_app::sync_one(network, home, inbox, following, contents)?;
    report(context, following, &synced)
}

/// Tells what is there now, and how it moved.
fn report(context: &Context, following: &Following, synced: &Synced) -> Result<()> {
    let Synced {
        before,
        advance,
        views,
    } = synced;
    let records = Following::records(views);
    if context.out.json {
        return context.out.json(&json!({
            "name": following.name(), "vault": following.vault().to_string(),
            "head": following.seq(), "head_before": before,
            "grants": views.iter().map(|v| v.grant.to_string()).collect::<Vec<_>>(),
            "records": records.len(), "offered": offered(following).iter().map(ToString::to_string).collect::<Vec<_>>(),
            "log_size": following.checkpoint().0, "log_root": following.checkpoint().1.to_string(),
        }));
    }
    let moved = match *advance {
        Advance::Unchanged => "nothing new".to_owned(),
        Advance::Advanced { from: 0, to } => format!("head {to}"),
        Advance::Advanced { from, to } => format!("head {from} -> {to}"),
    };
    if has_offer(following) {
        context.out.note(format!(
            "{} offers access on request: `medvault agreement list`",
            show::line(following.name())
        ));
    }
    context.out.note(format!(
        "{}: {}, {} in {}",
        following.name(),
        moved,
        show::count(records.len() as u64, "record"),
        show::count(views.len() as u64, "grant"),
    ));
    Ok(())
}
