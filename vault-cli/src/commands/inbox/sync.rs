//! `medvault inbox sync`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use vault_core::{Advance, Cid, FollowError, Following, GrantView, Home, Inbox, Location};

use super::stick;
use crate::context::Context;
use crate::error::{Exit, Result};
use crate::network::{HeadArgs, Network, PlaceArgs, Places, prefetch};
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
        return stick::take(context, path, input, stick::Senders::Known).map(|()| Exit::Ok);
    }
    let (home, device, mut inbox) = super::open(context)?;
    let wanted: Vec<Following> = if args.names.is_empty() {
        inbox.list().to_vec()
    } else {
        let found = args.names.iter().map(|name| inbox.find(name).cloned());
        found.collect::<Result<_, _>>()?
    };
    let places = Places::of(context, &home, &args.places, &args.heads)?;
    let network = Network::new(device, places, context.out);
    let (mut failed, mut last) = (0, None);
    for mut following in wanted.iter().cloned() {
        let done = sync_one(
            context,
            &network,
            &home,
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

/// Fetches one sender's head and lists what it gives.
pub fn sync_one(
    context: &Context,
    network: &Arc<Network>,
    home: &Home,
    inbox: &mut Inbox,
    following: &mut Following,
    contents: bool,
) -> Result<()> {
    let before = following.seq();
    let newest = network.newest(home, inbox, following)?;
    let (advance, source) = (newest.advance, newest.source);
    let views = match newest.views {
        // what was offered and not accepted shows nothing yet
        Err(FollowError::NothingShared) if has_offer(following) => Vec::new(),
        views => views?,
    };
    let records = Following::records(&views);
    if contents {
        let cids: Vec<Cid> = records
            .iter()
            .filter_map(|entry| match &entry.location {
                Location::Packed { block, .. } => Some(Cid::raw(*block)),
                Location::Long { .. } => None,
            })
            .collect();
        prefetch(&*source, &cids)?;
        for entry in records
            .iter()
            .filter(|e| e.opens() && matches!(e.location, Location::Long { .. }))
        {
            following
                .open_record(entry, source.clone())?
                .copy_to(&mut std::io::sink())?;
        }
    }
    report(context, following, before, advance, &views)
}

/// Whether an agreement waits for this reader's signature.
pub fn has_offer(following: &Following) -> bool {
    !offers(following).is_empty()
}

/// Grants of the agreements that wait for it.
fn offers(following: &Following) -> Vec<String> {
    let agreements = following.agreements().into_iter();
    let waiting = agreements.filter(|held| held.accepted.is_none());
    waiting.map(|held| held.grant.to_string()).collect()
}

/// Tells what is there now, and how it moved.
pub fn report(
    context: &Context,
    following: &Following,
    before: u64,
    advance: Advance,
    views: &[GrantView],
) -> Result<()> {
    let records = Following::records(views);
    if context.out.json {
        return context.out.json(&json!({
            "name": following.name(), "vault": following.vault().to_string(),
            "head": following.seq(), "head_before": before,
            "grants": views.iter().map(|v| v.grant.to_string()).collect::<Vec<_>>(),
            "records": records.len(), "offered": offers(following),
            "log_size": following.checkpoint().0, "log_root": following.checkpoint().1.to_string(),
        }));
    }
    let moved = match advance {
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
