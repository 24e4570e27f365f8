//! Blocks from a service's own gateway, to see whether it still has them.

use vault_core::pinning::BlockFetch;
use vault_core::{Block, Cid, MAX_BLOCK_LEN, SourceError};

use crate::client::{Backoff, BaseUrl, Http, HttpError};

/// A trustless gateway (IPFS specification, "Trustless Gateway"), asked for single blocks.
pub struct GatewayFetch {
    http: Http,
    backoff: Backoff,
}

impl GatewayFetch {
    /// A gateway at `base`, the part before `/ipfs/`.
    ///
    /// # Errors
    /// [`HttpError`] never without a token; it is checked all the same.
    pub fn new(base: BaseUrl) -> Result<Self, HttpError> {
        Ok(Self {
            http: Http::new(base, None)?,
            backoff: Backoff::default(),
        })
    }

    /// One block; `None` when the gateway does not have it, or gives something else.
    fn block(&self, cid: &Cid) -> Result<Option<Block>, HttpError> {
        let name = cid.to_string();
        let path = ["ipfs", name.as_str()];
        let got = self.backoff.run(&mut std::thread::sleep, || {
            self.http
                .get(&path)
                .query("format", "raw")
                .header("accept", "application/vnd.ipld.raw")
                // what it has lost it shall not fetch from elsewhere first
                .header("cache-control", "only-if-cached")
                .send()?
                .bytes(MAX_BLOCK_LEN as u64)
        });
        match got {
            Ok(data) => Ok(Block::verify(*cid, data).ok()),
            Err(error @ (HttpError::Unreachable { .. } | HttpError::Denied { .. })) => Err(error),
            Err(HttpError::TooManyRequests { retry_after }) => {
                Err(HttpError::TooManyRequests { retry_after })
            }
            // not there, not in time, not whole, not of a block's size
            Err(_) => Ok(None),
        }
    }
}

impl BlockFetch for GatewayFetch {
    fn fetch_present(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError> {
        let mut blocks = Vec::new();
        for cid in cids {
            let block = self.block(cid);
            blocks.extend(block.map_err(|error| SourceError::Network(error.to_string()))?);
        }
        Ok(blocks)
    }
}
