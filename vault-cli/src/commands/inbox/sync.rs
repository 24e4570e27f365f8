//! `medvault inbox sync`.

use std::sync::Arc;

use clap::Args;
use serde_json::json;
use vault_core::{Advance, Cid, Following, Home, Inbox, Location};

use crate::context::Context;
use crate::error::{Exit, Result};
use crate::network::{Network, prefetch};
use crate::{show, time};

/// Fetch the newest of what is shared with you
#[derive(Args)]
pub struct Sync {
    /// Only from these senders
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Fetch the contents too, to read them offline
    #[arg(long)]
    contents: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Sync) -> Result<Exit> {
    let (home, device, mut inbox) = super::open(context)?;
    let wanted: Vec<Following> = if args.names.is_empty() {
        inbox.list().to_vec()
    } else {
        let found = args.names.iter().map(|name| inbox.find(name).cloned());
        found.collect::<Result<_, _>>()?
    };
    let network = Network::new(device);
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
    let advance = network.sync(home, inbox, following)?;
    let source = network.source(home, following)?;
    let views = following.grants(network.device(), &*source, time::now())?;
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
            .filter(|e| matches!(e.location, Location::Long { .. }))
        {
            following
                .open_record(entry, source.clone())?
                .copy_to(&mut std::io::sink())?;
        }
    }
    if context.out.json {
        return context.out.json(&json!({
            "name": following.name(), "vault": following.vault().to_string(),
            "head": following.seq(), "head_before": before,
            "grants": views.iter().map(|v| v.grant.to_string()).collect::<Vec<_>>(),
            "records": records.len(),
            "log_size": following.checkpoint().0, "log_root": following.checkpoint().1.to_string(),
        }));
    }
    let moved = match advance {
        Advance::Unchanged => "nothing new".to_owned(),
        Advance::Advanced { from: 0, to } => format!("head {to}"),
        Advance::Advanced { from, to } => format!("head {from} -> {to}"),
    };
    context.out.note(format!(
        "{}: {}, {} in {}",
        following.name(),
        moved,
        show::count(records.len() as u64, "record"),
        show::count(views.len() as u64, "grant"),
    ));
    Ok(())
}
