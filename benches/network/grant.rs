//! A provider reads a grant from the patient's node over loopback: the blocks over bitswap, or over
//! iroh as a reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use vault_core::{
    Block, BlockSource, CachedSource, Cid, Device, Ends, Fetcher, Following, IndexEntry,
    MemoryStore, SourceError, Ticket, Vault, VaultId, VaultStorage, sign_block_access,
    system_clock,
};
use vault_node::{Access, HeadSource, Node, NodeConfig};

use crate::table::{Row, Samples, Table};
use crate::{Fallible, Plan, data, pair, world};

const PATIENCE: Duration = Duration::from_secs(20);

struct Heads(Arc<dyn VaultStorage>);

impl HeadSource for Heads {
    fn head(&self, _: &VaultId) -> Option<Vec<u8>> {
        self.0.head().ok().flatten()
    }
}

/// How blocks travel.
#[derive(Clone, Copy)]
enum Way {
    Bitswap,
    Iroh,
}

/// Asks the patient's node, and counts how often something had to be waited for.
struct Counting {
    node: Arc<Node>,
    from: vault_core::NodeAddress,
    way: Way,
    device: Arc<Device>,
    vault: VaultId,
    rounds: Arc<AtomicUsize>,
    blocks: Arc<AtomicUsize>,
    moved: Arc<AtomicUsize>,
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
        let now = system_clock()();
        let statement = |ends: &Ends| sign_block_access(&self.device, &self.vault, ends, now);
        let done = match self.way {
            Way::Bitswap => self.node.fetch(from, cids, PATIENCE, &mut take),
            Way::Iroh => self.node.fetch_as_reader(
                &self.from,
                &self.vault,
                &statement,
                cids,
                PATIENCE,
                &mut take,
            ),
        };
        done.map_err(|error| SourceError::Network(error.to_string()))?;
        self.blocks.fetch_add(blocks.len(), Ordering::Relaxed);
        let len = blocks.iter().map(|block| block.data().len()).sum();
        self.moved.fetch_add(len, Ordering::Relaxed);
        Ok(blocks)
    }
}

fn serve(vault: &mut Vault) -> Fallible<Node> {
    let mut config = NodeConfig::new([1; 32], [2; 32]);
    config.listen = vec!["/ip4/127.0.0.1/tcp/0".into()];
    config.iroh_listen = Some(([127, 0, 0, 1], 0).into());
    config.access = Access::Public;
    let heads = Arc::new(Heads(vault.storage().clone()));
    let node = Node::start(config, vault.storage().blocks(), heads)?;
    node.set_readers(vault.block_readers()?);
    Ok(node)
}

/// What one reading took.
struct Read {
    /// From the first question to the last byte, in seconds.
    took: f64,
    rounds: usize,
    blocks: usize,
    /// Length of those blocks, in bytes.
    moved: u64,
}

/// A reader who has nothing but the ticket lists the grant and fetches every block of its bodies.
fn read(
    vault: &Vault,
    from: &Node,
    ticket: &Ticket,
    device: &Arc<Device>,
    way: Way,
) -> Fallible<Read> {
    // keys of its own for each reading, as the command has
    static READINGS: AtomicUsize = AtomicUsize::new(10);
    let number = READINGS.fetch_add(1, Ordering::Relaxed) as u8;
    let node = Arc::new(Node::start_client_only([number; 32], [number; 32])?);
    let (rounds, blocks, moved) = (Arc::default(), Arc::default(), Arc::default());
    let fetcher = Counting {
        node: Arc::clone(&node),
        from: from.address(),
        way,
        device: Arc::clone(device),
        vault: vault.id(),
        rounds: Arc::clone(&rounds),
        blocks: Arc::clone(&blocks),
        moved: Arc::clone(&moved),
    };
    let source: Arc<dyn BlockSource> = Arc::new(CachedSource::new(
        Arc::new(MemoryStore::new()),
        Box::new(fetcher),
    ));
    let now = system_clock()();
    let begun = Instant::now();
    let head = node.fetch_head(&from.address(), &vault.id(), PATIENCE)?;
    let mut following = Following::accept(ticket, "pat", now);
    following.advance(&head, &*source, now)?;
    let views = following.grants(device, &*source, now)?;
    let records = Following::records(&views);
    let mut packs: Vec<Cid> = records.iter().filter_map(pack).collect();
    packs.sort();
    packs.dedup();
    source.fetch(&packs)?;
    let open = |entry: &IndexEntry| -> Fallible<()> {
        let opened = following.open_record(entry, Arc::clone(&source))?;
        Ok(opened.copy_to(&mut std::io::sink())?)
    };
    let (packed, long): (Vec<_>, Vec<_>) = records.iter().partition(|entry| pack(entry).is_some());
    long.iter().try_for_each(|entry| open(entry))?;
    let took = begun.elapsed().as_secs_f64();
    // opening what has come is no matter of the network
    packed.iter().try_for_each(|entry| open(entry))?;
    drop(source);
    if let Some(node) = Arc::into_inner(node) {
        node.stop();
    }
    Ok(Read {
        took,
        rounds: rounds.load(Ordering::Relaxed) + 1,
        blocks: blocks.load(Ordering::Relaxed),
        moved: moved.load(Ordering::Relaxed) as u64,
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
    let mut ways = Vec::new();
    for (name, way) in [("bitswap", Way::Bitswap), ("iroh", Way::Iroh)] {
        let mut ours = Samples::new();
        let mut last = None;
        for _ in 0..plan.runs {
            let read = read(vault, &node, &ticket, &device, way)?;
            ours.push(read.took);
            last = Some(read);
        }
        ways.push((name, ours, last.ok_or("no run")?));
    }
    node.stop();
    let blocks = pair::blocks(vault)?;
    let all: u64 = blocks.iter().map(|block| block.data().len() as u64).sum();
    let theirs = pair::pin(plan.runs.min(3), &vault.head().block().cid(), &blocks)?;
    for (name, ours, last) in ways {
        // each by the bytes it moved
        let (yardstick, ratio) = match &theirs {
            Some(theirs) => (
                format!(
                    "Kubo from Kubo, {} blocks: {}",
                    blocks.len(),
                    theirs.rate(all)
                ),
                Some(last.moved as f64 / ours.median() / (all as f64 / theirs.median())),
            ),
            None => ("Kubo: not measured, no Go".to_owned(), None),
        };
        table.row(Row {
            what: format!(
                "{what} over {name}: first question to last byte, {} blocks, {} round trips, {}",
                last.blocks,
                last.rounds,
                ours.ms()
            ),
            figure: ours.rate(last.moved),
            yardstick,
            ratio,
            goal: ">= 1".into(),
            met: ratio.map(|ratio| ratio >= 1.0),
        });
    }
    Ok(())
}
