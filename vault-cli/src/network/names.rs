//! The vault's name: saying where the newest head is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vault_core::{Device, Head, IpnsRecord, Place, VaultStorage};
use vault_http::routing::Routing;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::network::{HeadArgs, PlaceArgs, Places};
use crate::output::Output;
use crate::time;
use vault_core::Home;

/// How often the record of the same head is handed in again: four times in its life.
const AGAIN: Duration = Duration::from_secs(12 * 3600);
/// How long to wait after a server has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(600);

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

/// Keeps the name pointing to the newest head while a node runs.
pub struct Publisher {
    routing: Vec<Routing>,
    device: Arc<Device>,
    out: Output,
    /// The head that was published, and when it is to be published again.
    done: Option<(u64, Instant)>,
    /// Whether the last attempt is still under way, and whether it failed.
    busy: Arc<AtomicBool>,
    failed: Arc<AtomicBool>,
}

impl Publisher {
    /// Publishes at the routing servers of the settings; at none, if there are none.
    pub fn new(context: &Context, home: &Home, device: Arc<Device>) -> Result<Self> {
        let places = Places::of(context, home, &PlaceArgs::default(), &HeadArgs::default())?;
        Ok(Self {
            routing: places.routing,
            device,
            out: context.out,
            done: None,
            busy: Arc::default(),
            failed: Arc::default(),
        })
    }

    /// Publishes when there is a new head, when it is time again, or when a server had failed. To be
    /// called now and then; returns at once.
    pub fn tend(&mut self, storage: &dyn VaultStorage) {
        if self.routing.is_empty() || self.busy.load(Ordering::Relaxed) {
            return;
        }
        let head = storage.head().ok().flatten();
        let Some(head) = head.and_then(|bytes| Head::from_bytes(&bytes).ok()) else {
            return;
        };
        let now = Instant::now();
        if self.failed.swap(false, Ordering::Relaxed) {
            self.done = self.done.map(|(seq, _)| (seq, now + AFTER_FAILURE));
        }
        if self
            .done
            .is_some_and(|(seq, again)| seq == head.seq() && now < again)
        {
            return;
        }
        self.done = Some((head.seq(), now + AGAIN));
        self.busy.store(true, Ordering::Relaxed);
        let (routing, device, out) = (self.routing.clone(), self.device.clone(), self.out);
        let (busy, failed) = (self.busy.clone(), self.failed.clone());
        std::thread::spawn(move || {
            for (place, said) in publish_name(&routing, &device, &head) {
                match said {
                    Ok(()) => out.note(format!("head {} published at {place}", head.seq())),
                    Err(error) => {
                        failed.store(true, Ordering::Relaxed);
                        out.warn(format!("{place}: {}", error.message));
                    }
                }
            }
            busy.store(false, Ordering::Relaxed);
        });
    }
}
