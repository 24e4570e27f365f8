//! The vault's name: saying where the newest head is.

use vault_core::{Device, Head, IpnsRecord, Place};
use vault_http::routing::Routing;

use crate::error::{Error, Result};
use crate::time;

/// Hands in a record for `head` at every routing server. Returns what each said.
pub fn publish_name(
    routing: &[Routing],
    device: &Device,
    head: &Head,
) -> Vec<(Place, Result<(), Error>)> {
    let record = IpnsRecord::for_head(device, head, time::now());
    let name = device.ipns_name();
    let publish = |server: &Routing| {
        let place = Place::Routing(server.url().to_owned());
        (place, server.put_name(&name, &record).map_err(Error::from))
    };
    routing.iter().map(publish).collect()
}
