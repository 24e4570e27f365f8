//! Whether a service still has what it was given: asked of itself, by samples.
//!
//! The walk starts from the root that is remembered and takes every block from the service: head,
//! pin set, a random sample of all other blocks, and the canaries, which nobody else could have
//! lent it.

use std::collections::{BTreeSet, HashMap};

use ipld_core::cid::Cid as IpldCid;

use super::root::GivenRoot;
use crate::block::{Block, Cid};
use crate::codec;
use crate::head::Head;
use crate::pins;
use crate::store::SourceError;

/// Blocks asked for at a time.
const BATCH: usize = 64;

/// Longest accepted node of a pin set, in bytes.
const MAX_NODE_LEN: usize = 1 << 20;

/// Somewhere blocks are asked for that may not have them.
pub trait BlockFetch {
    /// Those of the blocks that are there, each checked against its CID, in any order.
    ///
    /// # Errors
    /// [`SourceError::Network`] when nobody could be asked at all: then nothing is known.
    fn fetch_present(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError>;
}

/// How many blocks to sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleSize {
    confidence: f64,
    loss: f64,
}

/// The confidence or the loss makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("confidence and loss lie between 0 and 1, both excluded")]
pub struct SampleError;

impl SampleSize {
    /// So many that a service which lost the share `loss` of the blocks is found out with the
    /// probability `confidence`.
    ///
    /// # Errors
    /// [`SampleError`].
    pub fn new(confidence: f64, loss: f64) -> Result<Self, SampleError> {
        let fits = |share: f64| share > 0.0 && share < 1.0;
        if fits(confidence) && fits(loss) {
            Ok(Self { confidence, loss })
        } else {
            Err(SampleError)
        }
    }

    /// The number of blocks out of `all`: ⌈ln(1 − confidence) / ln(1 − loss)⌉, or all of them.
    ///
    /// Drawn without repetition, so the real confidence is a little higher.
    pub fn of(&self, all: usize) -> usize {
        let wanted = ((1.0 - self.confidence).ln() / (1.0 - self.loss).ln()).ceil();
        // a wish beyond any number of blocks is cut to all of them
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let wanted = if wanted < 1e15 {
            wanted as u64
        } else {
            u64::MAX
        };
        usize::try_from(wanted).unwrap_or(usize::MAX).min(all)
    }

    /// The confidence in thousandths, rounded down.
    pub fn per_mille(&self) -> u64 {
        // between 0 and 1000 by construction
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let value = (self.confidence * 1000.0 + 1e-9).floor() as u64;
        value
    }
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// Blocks that were asked for: the nodes on the way, the sample and the canaries.
    pub sampled: u64,
    /// Live blocks that the service's own pin set names.
    pub live: u64,
    /// Canaries among those asked for.
    pub canaries: u64,
    /// What the service did not give.
    pub missing: Vec<Cid>,
}

/// Checks whether `service` still gives what it was given.
///
/// # Errors
/// [`SourceError`] when it could not be asked at all.
pub fn verify(
    service: &dyn BlockFetch,
    given: &GivenRoot,
    size: SampleSize,
) -> Result<Verification, SourceError> {
    let mut report = Verification::default();
    ask(service, &[given.root()], &mut report)?;
    let canaries: Vec<Cid> = given.canaries().collect();
    report.canaries = canaries.len() as u64;
    ask(service, &canaries, &mut report)?;
    let Some(head) = one(service, given.head(), &mut report)? else {
        return Ok(report);
    };
    // the head's hash is the one we remember, so this is our own; it was valid when it was made
    let Ok(head) = Head::from_bytes(head.data()) else {
        return Ok(report);
    };
    let Some(root) = one(service, head.pins(), &mut report)? else {
        return Ok(report);
    };
    let mut live = BTreeSet::new();
    for shard in ask(service, &links(&root), &mut report)?.values() {
        live.extend(links(shard));
    }
    report.live = live.len() as u64;
    let sample = draw(live.into_iter().collect(), size);
    ask(service, &sample, &mut report)?;
    Ok(report)
}

fn one(
    service: &dyn BlockFetch,
    cid: Cid,
    report: &mut Verification,
) -> Result<Option<Block>, SourceError> {
    Ok(ask(service, &[cid], report)?.remove(&cid))
}

/// Asks for blocks and notes those that did not come.
fn ask(
    service: &dyn BlockFetch,
    cids: &[Cid],
    report: &mut Verification,
) -> Result<HashMap<Cid, Block>, SourceError> {
    let mut found = HashMap::new();
    for part in cids.chunks(BATCH) {
        let blocks = service.fetch_present(part)?;
        found.extend(blocks.into_iter().map(|block| (block.cid(), block)));
    }
    report.sampled += cids.len() as u64;
    let missing = cids.iter().filter(|cid| !found.contains_key(cid));
    report.missing.extend(missing);
    Ok(found)
}

/// The links of a node of our own making.
fn links(node: &Block) -> Vec<Cid> {
    let links: Vec<IpldCid> = codec::decode(node.data(), MAX_NODE_LEN).unwrap_or_default();
    let cids = links.iter().filter_map(|link| pins::read_link(link).ok());
    cids.collect()
}

/// Draws a sample without repetition: the front of a shuffle.
fn draw(mut all: Vec<Cid>, size: SampleSize) -> Vec<Cid> {
    let count = size.of(all.len());
    for at in 0..count {
        let left = (all.len() - at) as u128;
        // the product's upper half: uniform but for a part in 2^64
        let random = u128::from(u64::from_le_bytes(crate::random::array()));
        #[allow(clippy::cast_possible_truncation)] // below `left`
        let other = at + ((random * left) >> 64) as usize;
        all.swap(at, other);
    }
    all.truncate(count);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Digest;

    #[test]
    fn samples_are_as_large_as_the_formula_says() {
        let of = |confidence, loss, all| SampleSize::new(confidence, loss).unwrap().of(all);
        assert_eq!(of(0.99, 0.01, 10_000), 459);
        assert_eq!(of(0.95, 0.05, 10_000), 59);
        assert_eq!(of(0.99, 0.01, 100), 100);
        assert_eq!(of(0.999_999_999, 1e-12, 7), 7);
        assert_eq!(SampleSize::new(0.99, 0.01).unwrap().per_mille(), 990);
        for bad in [
            (0.0, 0.1),
            (1.0, 0.1),
            (0.5, 0.0),
            (0.5, 1.0),
            (f64::NAN, 0.1),
        ] {
            assert_eq!(SampleSize::new(bad.0, bad.1), Err(SampleError));
        }
    }

    #[test]
    fn a_draw_repeats_nothing_and_leaves_nothing_out_in_the_long_run() {
        let all: Vec<Cid> = (0..50u8).map(|i| Cid::raw(Digest::of(&[i]))).collect();
        let size = SampleSize::new(0.9, 0.2).unwrap();
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let sample = draw(all.clone(), size);
            assert_eq!(sample.len(), 11);
            let set: BTreeSet<Cid> = sample.iter().copied().collect();
            assert_eq!(set.len(), 11);
            seen.extend(set);
        }
        assert_eq!(seen.len(), 50);
    }
}
