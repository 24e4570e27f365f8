//! Many blocks in one answer: a CAR with what hangs on a block.

use std::collections::HashSet;
use std::io::BufReader;
use std::time::Duration;

use vault_core::{Block, CarError, CarReader, CarSection, Cid, MAX_BLOCK_LEN, StoreError};

use super::{Gateway, GatewayError};

/// What stands around a block in a CAR, in bytes, at most; and the room that the header gets.
const AROUND: u64 = 64;
const HEADER: u64 = 4096;

const CAR: &str = "application/vnd.ipld.car";

/// How much of what hangs on a block is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DagScope {
    /// The block alone.
    Block,
    /// The block and everything that it links to, however far.
    All,
}

impl DagScope {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::All => "all",
        }
    }
}

impl Gateway {
    /// Fetches a CAR and hands over its blocks one by one, each checked and each among `wanted`. So
    /// a gateway can make nobody read or keep more than was asked for. Returns how many came; a CAR
    /// that is not whole is no error, and what had come by then was good.
    ///
    /// # Errors
    /// [`GatewayError`]; [`GatewayError::Store`] is what `take` gave.
    pub fn car(
        &self,
        root: &Cid,
        scope: DagScope,
        wanted: &HashSet<Cid>,
        take: &mut dyn FnMut(Block) -> Result<(), StoreError>,
    ) -> Result<u64, GatewayError> {
        let root_text = root.to_string();
        let answer = self
            .http
            .get(&["ipfs", &root_text])
            .query("format", "car")
            .query("dag-scope", scope.as_str())
            .header("accept", format!("{CAR}; version=1; order=dfs; dups=n"))
            .total(Some(longest(wanted.len())))
            .send()?;
        let limit = HEADER + (MAX_BLOCK_LEN as u64 + AROUND) * wanted.len() as u64;
        let reader = CarReader::new(BufReader::new(answer.reader(limit)))?;
        let (mut count, mut seen) = (0, HashSet::new());
        for section in reader {
            match section? {
                CarSection::Block(block) if !wanted.contains(&block.cid()) => {
                    return Err(GatewayError::Unwanted(block.cid()));
                }
                CarSection::Block(block) => {
                    if seen.insert(block.cid()) {
                        count += 1;
                        take(block)?;
                    }
                }
                CarSection::Filler | CarSection::Foreign => return Err(GatewayError::Foreign),
            }
        }
        Ok(count)
    }
}

/// How long a CAR of so many blocks may take: a minute, and four seconds for each.
fn longest(blocks: usize) -> Duration {
    let each = u64::try_from(blocks).unwrap_or(u64::MAX).saturating_mul(4);
    Duration::from_secs(each.saturating_add(60))
}

/// Whether a CAR is such that no honest gateway sends it, rather than cut off.
pub(super) const fn is_false(error: &CarError) -> bool {
    !matches!(error, CarError::Io(_) | CarError::Truncated(_))
}
