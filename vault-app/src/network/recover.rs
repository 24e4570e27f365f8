//! A whole vault from gateways, with nothing but the words.

use std::sync::Arc;

use vault_core::{BlockStore, CachedSource, Head, IpnsName, IpnsRecord};

use super::Places;
use crate::error::{Error, Exit, Result};
use crate::time;

/// Copies the vault under `name` into `store`: the newest head that a gateway or a routing server
/// names, and all blocks that belong to it. Returns how many blocks came.
///
/// # Errors
/// `no-name` when nobody knows it; what a gateway or the store refuses.
pub fn copy_vault(places: &Places, name: &IpnsName, store: &Arc<dyn BlockStore>) -> Result<u64> {
    let record = newest_record(places, name)?;
    let block = places.gateways.block(&record.head())?;
    let head = Head::from_bytes(block.data()).map_err(|error| {
        Error::new(Exit::Integrity, "bad-head", error)
            .hint("the name of this vault points to something that is no head")
    })?;
    store.put(&[block])?;
    // the pin set comes block by block: what it names is all that may come in a CAR
    let source = CachedSource::new(store.clone(), Box::new(places.gateways.clone()));
    let all = head.all_blocks(&source)?;
    places.gateways.copy(&record.head(), &all, &**store)?;
    Ok(all.len() as u64)
}

/// The record that supersedes all others.
fn newest_record(places: &Places, name: &IpnsName) -> Result<IpnsRecord> {
    let now = time::now();
    let from_gateways = places.gateways.iter().map(|gateway| {
        let record = gateway.ipns_record(name, now).map_err(Error::from);
        record.map_err(|error| format!("{}: {}", gateway.url(), error.message))
    });
    let from_routing = places.routing.iter().map(|routing| {
        let record = routing.get_name(name, now).map_err(Error::from);
        record.map_err(|error| format!("{}: {}", routing.url(), error.message))
    });
    let (mut newest, mut said): (Option<IpnsRecord>, _) = (None, Vec::new());
    for answer in from_gateways.chain(from_routing) {
        match answer {
            Ok(record) if newest.as_ref().is_none_or(|other| record.supersedes(other)) => {
                newest = Some(record);
            }
            Ok(_) => {}
            Err(error) => said.push(error),
        }
    }
    newest.ok_or_else(|| {
        let what = format!("nobody knows the name of this vault: {}", said.join("; "));
        Error::new(Exit::Network, "no-name", what).hint(
            "name another gateway with `--gateway URL`, or give a copy of the blocks with `--blocks`",
        )
    })
}
