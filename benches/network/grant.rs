//! A provider reads a grant from the patient's node, over loopback and through libp2p and iroh.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use vault_core::{
    Block, BlockSource, CachedSource, Cid, Device, Fetcher, Following, IndexEntry, MemoryStore,
    SourceError, Ticket, Vault, VaultId, VaultStorage, system_clock,
};
use vault_node::{Access, HeadSource, Node, NodeConfig};

use crate::table::{Row, Samples, Table, timed};
use crate::{Fallible, Plan, data, pair, world};

const PATIENCE: Duration = Duration::from_secs(20);

struct Heads(Arc<dyn VaultStorage>);

impl HeadSource for Heads {
    fn head(&self, _: &VaultId) -> Option<Vec<u8>> {
        self.0.head().ok().flatten()
    }
}

/// Asks the patient's node, and counts how often something had to be waited for.
struct Counting {
    node: Arc<Node>,
    from: vault_core::NodeAddress,
    rounds: Arc<AtomicUsize>,
    blocks: Arc<AtomicUsize>,
}

impl Fetcher for Counting {
    fn fetch(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError> {
        self.rounds.fetch_add(1, Ordering::Relaxed);
        let mut blocks = Vec::with_capacity(cids.len());
        let mut take = |block: Block| {
            blocks.push(block);
            Ok(())
        };
        let from = std::slice::from_ref(&self.from);
        let done = self.node.fetch(from, cids, PATIENCE, &mut take);
        done.map_err(|error| SourceError::Network(error.to_string()))?;
        self.blocks.fetch_add(blocks.len(), Ordering::Relaxed);
        Ok(blocks)
    }
}

fn serve(vault: &Vault) -> Fallible<Node> {
    let config = NodeConfig {
        libp2p_key: [1; 32],
        iroh_key: [2; 32],
        listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
        iroh_listen: Some(([127, 0, 0, 1], 0).into()),
        access: Access::Public,
    };
    let heads = Arc::new(Heads(vault.storage().clone()));
    Ok(Node::start(config, vault.storage().blocks(), heads)?)
}

/// What one reading took.
struct Read {
    rounds: usize,
    blocks: usize,
    bytes: u64,
}

/// A reader who has nothing but the ticket lists the grant and fetches every block of its bodies.
fn read(
    vault: &Vault,
    from: &Node,
    ticket: &Ticket,
    device: &Device,
    number: u8,
) -> Fallible<Read> {
    let node = Arc::new(Node::start_client_only([number; 32], [number; 32])?);
    let (rounds, blocks) = (Arc::default(), Arc::default());
    let fetcher = Counting {
        node: Arc::clone(&node),
        from: from.address(),
        rounds: Arc::clone(&rounds),
        blocks: Arc::clone(&blocks),
    };
    let source: Arc<dyn BlockSource> = Arc::new(CachedSource::new(
        Arc::new(MemoryStore::new()),
        Box::new(fetcher),
    ));
    let now = system_clock()();
    let head = node.fetch_head(&from.address(), &vault.id(), PATIENCE)?;
    let mut following = Following::accept(ticket, "pat", now);
    following.advance(&head, &*source, now)?;
    let views = following.grants(device, &*source, now)?;
    let records = Following::records(&views);
    let mut packs: Vec<Cid> = records.iter().filter_map(|entry| pack(entry)).collect();
    packs.sort();
    packs.dedup();
    source.fetch(&packs)?;
    let mut bytes = 0;
    for entry in &records {
        let opened = following.open_record(entry, Arc::clone(&source))?;
        opened.copy_to(&mut std::io::sink())?;
        bytes += entry.len;
    }
    if let Some(node) = Arc::into_inner(node) {
        node.stop();
    }
    Ok(Read {
        rounds: rounds.load(Ordering::Relaxed) + 1,
        blocks: blocks.load(Ordering::Relaxed),
        bytes,
    })
}

fn pack(entry: &IndexEntry) -> Option<Cid> {
    match &entry.location {
        vault_core::Location::Packed { block, .. } => Some(Cid::raw(*block)),
        vault_core::Location::Long { .. } => None,
    }
}

/// A grant over many small records.
pub fn small(plan: &Plan, table: &mut Table) -> Fallible<()> {
    let dir = tempfile::tempdir()?;
    let mut vault = world::make_home(&dir.path().join("small"))?;
    world::add_made_up(&mut vault, plan.records)?;
    let what = format!("a grant of {} records", plan.records);
    compare(plan, table, &mut vault, &what)
}

/// A grant over one large record.
pub fn large(plan: &Plan, table: &mut Table) -> Fallible<()> {
    let dir = tempfile::tempdir()?;
    let mut vault = world::make_home(&dir.path().join("large"))?;
    let file = dir.path().join("scan");
    data::noise_file(&file, plan.large)?;
    world::add_file(&mut vault, &file)?;
    let what = format!("a grant of one record of {} MiB", plan.large >> 20);
    compare(plan, table, &mut vault, &what)
}

fn compare(plan: &Plan, table: &mut Table, vault: &mut Vault, what: &str) -> Fallible<()> {
    let (name, device) = world::befriend(vault, 1)?.swap_remove(0);
    let shared = world::share(vault, world::everything(), &[name])?;
    let (_, text) = shared.tickets.first().ok_or("no ticket")?;
    let ticket = Ticket::open(text, &device, system_clock()())?;
    let node = serve(vault)?;
    let mut ours = Samples::new();
    let mut last = None;
    for run in 0..plan.runs {
        let number = 10 + run as u8;
        last = Some(timed(&mut ours, || {
            read(vault, &node, &ticket, &device, number)
        })?);
    }
    let last = last.ok_or("no run")?;
    node.stop();
    let blocks = pair::blocks(vault)?;
    let all: u64 = blocks.iter().map(|block| block.data().len() as u64).sum();
    let theirs = pair::pin(plan.runs.min(3), &vault.head().block().cid(), &blocks)?;
    let (yardstick, ratio) = match &theirs {
        Some(theirs) => (
            format!(
                "Kubo from Kubo, {} blocks: {}",
                blocks.len(),
                theirs.rate(all)
            ),
            Some(theirs.median() / ours.median()),
        ),
        None => ("Kubo: not measured, no Go".to_owned(), None),
    };
    table.row(Row {
        what: format!(
            "{what}: ticket to last byte, {} blocks, {} round trips, {}",
            last.blocks,
            last.rounds,
            ours.ms()
        ),
        figure: ours.rate(last.bytes),
        yardstick,
        ratio,
        goal: ">= 1".into(),
        met: ratio.map(|ratio| ratio >= 1.0),
    });
    Ok(())
}
