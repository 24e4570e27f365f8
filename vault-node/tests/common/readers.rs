//! Readers with a device, and the vault they read from.

use std::time::{Duration, SystemTime};

use vault_core::{
    Block, BlockReaders, Cid, Device, Ends, NodeAddress, RecoveryWords, VaultId, sign_block_access,
};
use vault_node::{FetchReport, Node, NodeError};

pub const VAULT: VaultId = VaultId::from_bytes([3; 32]);
pub const TIMEOUT: Duration = Duration::from_secs(10);

pub fn device() -> Device {
    Device::for_new_vault(&RecoveryWords::generate(), 7)
}

/// Admits one person.
pub fn only(device: &Device) -> BlockReaders {
    let mut readers = BlockReaders::new(VAULT);
    readers.admit(device.signers());
    readers
}

pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_secs()
}

pub fn cids(blocks: &[Block]) -> Vec<Cid> {
    blocks.iter().map(Block::cid).collect()
}

/// Fetches as the owner of `device` and returns what came.
pub fn fetch(
    node: &Node,
    from: &NodeAddress,
    device: &Device,
    cids: &[Cid],
) -> Result<(FetchReport, Vec<Block>), NodeError> {
    let statement = |ends: &Ends| sign_block_access(device, &VAULT, ends, now());
    let mut got = Vec::new();
    let report = node.fetch_as_reader(from, &VAULT, &statement, cids, TIMEOUT, &mut |block| {
        got.push(block);
        Ok(())
    })?;
    Ok((report, got))
}
