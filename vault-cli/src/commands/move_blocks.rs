//! `medvault move`: the blocks from the home to a Kubo, from one Kubo to another, or back.

use clap::Args;
use serde_json::json;
use vault_core::{
    BlockStore, Cid, Codec, Digest, Head, SourceError, StorageError, VaultError, VaultStorage,
};

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::place::Place;
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
    let from = Place::of(context, &home)?;
    let to = match args.to.as_str() {
        "home" => Place::Home,
        url => Place::Kubo(url.trim_end_matches('/').to_owned()),
    };
    let _lock = home.lock()?;
    let local = home.storage()?;
    let head = local.head()?.ok_or(StorageError::NoVault)?;
    let vault = Head::from_bytes(&head).map_err(VaultError::from)?.vault();
    if from == to {
        return tidy(context, &from, &*local.blocks(), args.dry_run);
    }
    let source = from.storage(context, &home, &vault)?.blocks();
    let target = to.storage(context, &home, &vault)?.blocks();
    let head = Cid::new(Codec::DagCbor, Digest::of(&head));
    if !source.has(&head)? {
        let what = format!("{} does not have the blocks of this vault", from.words());
        return Err(Error::new(Exit::Home, "blocks-elsewhere", what)
            .hint("name the place where they are with `--ipfs URL`; nothing was changed"));
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
    target.hold(&head)?;
    to.remember(&home)?;
    source.remove(&all)?;
    report(context, &to, &moved, false)
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

/// Deletes what a move that was stopped left in the home.
fn tidy(context: &Context, place: &Place, local: &dyn BlockStore, dry_run: bool) -> Result<Exit> {
    let left = match place {
        Place::Home => Vec::new(),
        Place::Kubo(_) => local.list()?,
    };
    let moved = Moved {
        blocks: left.len(),
        bytes: 0,
    };
    if !dry_run {
        local.remove(&left)?;
    }
    report(context, place, &moved, dry_run)
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
        (true, _) => format!("{count} would be moved to {words}"),
        (false, 0) => format!("the blocks are in {words} already"),
        (false, bytes) => format!("{count}, {}, moved to {words}", show::bytes(bytes)),
    });
    Ok(Exit::Ok)
}
