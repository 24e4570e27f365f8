//! Two Kubos on loopback: one has the blocks, the other fetches them.

use std::time::Instant;

use vault_core::{Block, CarWriter, Cid, Vault};

use crate::Fallible;
use crate::kubo::Kubo;
use crate::table::Samples;

/// Every block of a vault, its head and pin set included.
pub fn blocks(vault: &Vault) -> Fallible<Vec<Block>> {
    let store = vault.storage().blocks();
    let mut blocks = Vec::new();
    for cid in store.list()? {
        blocks.extend(store.get(&cid)?);
    }
    Ok(blocks)
}

/// Times of one Kubo pinning what hangs below `root` from another, in seconds, less the time of the
/// same command when nothing is left to fetch. `None` without Go.
pub fn pin(runs: usize, root: &Cid, blocks: &[Block]) -> Fallible<Option<Samples>> {
    let Some(holder) = Kubo::start() else {
        return Ok(None);
    };
    let mut car = CarWriter::new(Vec::new(), &[*root])?;
    for block in blocks {
        car.put(block)?;
    }
    holder.run_with(&["dag", "import", "--stats"], &car.finish()?);
    let root = root.to_string();
    let mut samples = Samples::new();
    for _ in 0..runs {
        let Some(reader) = Kubo::start() else {
            return Ok(None);
        };
        let addr = holder.addrs().swap_remove(0);
        reader.run(&[
            "swarm",
            "connect",
            &format!("{addr}/p2p/{}", holder.peer_id()),
        ]);
        let pin = || {
            let begun = Instant::now();
            reader.run(&["pin", "add", &root]);
            begun.elapsed().as_secs_f64()
        };
        let (all, nothing) = (pin(), pin());
        samples.push((all - nothing).max(1e-4));
    }
    Ok(Some(samples))
}
