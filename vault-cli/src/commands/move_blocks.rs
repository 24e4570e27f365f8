//! `medvault move`: the blocks from the home to a Kubo, from one Kubo to another, or back.

use clap::Args;
use serde_json::json;
use vault_app::Place;
use vault_core::{
    BlockStore, Cid, Codec, Digest, Head, Home, SourceError, StorageError, VaultError, VaultStorage,
};

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::show;

/// Bytes copied at once.
const BATCH: usize = 8 << 20;

/// Move the blocks of this vault to a Kubo, or back into the home
///
/// Copies every block, has the new place hold them, notes it in the settings, and only then
/// deletes them at the old place. A move that was stopped is done again by the same command. The
/// head, the identity and what others shared with you stay in the home.
#[derive(Args)]
pub struct Move {
    /// `home`, or the RPC address of a Kubo, such as http://127.0.0.1:5001
    #[arg(value_name = "home|URL")]
    to: String,

    /// Show what would be moved, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Move) -> Result<Exit> {
    let home = context.home()?;
    let to = match args.to.as_str() {
        "home" => Place::Home,
        url => Place::kubo(url)?,
    };
    if vault_app::ask_running_node(home.root()).is_some() {
        return Err(
            Error::new(Exit::Home, "serving", "this home is being served")
                .hint("stop `medvault serve`, move, and start it again"),
        );
    }
    let _lock = home.lock()?;
    let app = context.app(home.clone())?;
    let local = home.storage()?;
    let head = local.head()?.ok_or(StorageError::NoVault)?;
    let vault = Head::from_bytes(&head).map_err(VaultError::from)?.vault();
    let head = Cid::new(Codec::DagCbor, Digest::of(&head));
    // the settings may name a Kubo while the blocks are in the home: set by hand, or by a move that
    // was stopped
    let from = match app.place()? {
        Place::Kubo(_) if local.blocks().has(&head)? => Place::Home,
        other => other,
    };
    let target = to.storage(app.options(), &home, &vault)?.blocks();
    if from == to || from.is_the_same_kubo(&to, app.options())? {
        return stay(
            context,
            &home,
            &to,
            (&*local.blocks(), &*target),
            &head,
            args.dry_run,
        );
    }
    let source = from.storage(app.options(), &home, &vault)?.blocks();
    if !source.has(&head)? {
        return Err(not_there(&from));
    }
    let all = source.list()?;
    let mut moved = Moved {
        blocks: all.len(),
        bytes: 0,
    };
    if args.dry_run {
        return report(context, &to, &moved, true);
    }
    moved.bytes = copy(&*source, &*target, &all)?;
    // goes through everything below the head, and fails if something is not there
    target.hold(&head)?;
    if to == Place::Home && !is_whole(&*target, &all)? {
        return Err(not_there(&to));
    }
    to.remember(&home)?;
    source.remove(&all)?;
    report(context, &to, &moved, false)
}

fn is_whole(store: &dyn BlockStore, all: &[Cid]) -> Result<bool> {
    for cid in all {
        if store.get(cid)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn not_there(place: &Place) -> Error {
    let what = format!("{} does not have the blocks of this vault", place.words());
    Error::new(Exit::Home, "blocks-elsewhere", what)
        .hint("name the place where they are with `--ipfs URL`; nothing was deleted")
}

/// What was moved.
struct Moved {
    blocks: usize,
    bytes: u64,
}

/// Copies blocks, durably. Returns how many bytes. One that is missing ends the move.
fn copy(from: &dyn BlockStore, to: &dyn BlockStore, all: &[Cid]) -> Result<u64> {
    let (mut batch, mut held, mut bytes) = (Vec::new(), 0, 0);
    for cid in all {
        let block = from.get(cid)?.ok_or(SourceError::Missing(*cid))?;
        held += block.data().len();
        bytes += block.data().len() as u64;
        batch.push(block);
        if held >= BATCH {
            to.put(&batch)?;
            batch.clear();
            held = 0;
        }
    }
    to.put(&batch)?;
    to.sync()?;
    Ok(bytes)
}

/// The blocks are there already. Deletes what a move that was stopped left in the home, once it is
/// certain that they are.
fn stay(
    context: &Context,
    home: &Home,
    to: &Place,
    (local, target): (&dyn BlockStore, &dyn BlockStore),
    head: &Cid,
    dry_run: bool,
) -> Result<Exit> {
    if !target.has(head)? {
        return Err(not_there(to));
    }
    let moved = Moved {
        blocks: 0,
        bytes: 0,
    };
    if !dry_run && *to != Place::Home {
        let left = local.list()?;
        if !left.is_empty() {
            target.hold(head)?;
            let count = local.remove(&left)?;
            context.out.note(format!(
                "{} left in the home deleted",
                show::count(count as u64, "block")
            ));
        }
        to.remember(home)?;
    }
    report(context, to, &moved, dry_run)
}

fn report(context: &Context, to: &Place, moved: &Moved, dry_run: bool) -> Result<Exit> {
    let place = match to {
        Place::Home => "home",
        Place::Kubo(url) => url,
    };
    if context.out.json {
        context.out.json(&json!({
            "place": place, "blocks": moved.blocks, "bytes": moved.bytes, "dry_run": dry_run,
        }))?;
        return Ok(Exit::Ok);
    }
    let count = show::count(moved.blocks as u64, "block");
    let words = to.words();
    context.out.note(match (dry_run, moved.bytes) {
        (true, _) if moved.blocks > 0 => format!("{count} would be moved to {words}"),
        (_, 0) => format!("the blocks are in {words} already"),
        (_, bytes) => format!("{count}, {}, moved to {words}", show::bytes(bytes)),
    });
    Ok(Exit::Ok)
}
