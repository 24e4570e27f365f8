//! A provider opens records on request from the patient's node over loopback, warm: asked for,
//! logged, given out, proven, opened, and receipted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use vault_core::{
    BlockSource, Desk, Device, Ends, Extent, Following, NoCharges, OnRequestTerms, ShareRequest,
    Ticket, VaultId, VaultStorage, system_clock,
};
use vault_node::{AccessHandler, HeadSource, Node, NodeConfig};

use crate::table::{Row, Samples, Table};
use crate::{Fallible, Plan, world};

const PATIENCE: Duration = Duration::from_secs(20);

struct AtDesk(Desk);

impl AccessHandler for AtDesk {
    fn answer(&self, _: &Ends, message: &[u8]) -> Option<Vec<u8>> {
        Some(self.0.answer(message))
    }
}

struct Heads(Arc<dyn VaultStorage>);

impl HeadSource for Heads {
    fn head(&self, _: &VaultId) -> Option<Vec<u8>> {
        self.0.head().ok().flatten()
    }
}

/// Opens over the network, and the receipts, beside opens of the same records with a carried grant.
pub fn warm(plan: &Plan, table: &mut Table) -> Fallible<()> {
    let dir = tempfile::tempdir()?;
    let home = dir.path().join("home");
    let mut vault = world::make_home(&home)?;
    world::add_made_up(&mut vault, plan.records)?;
    let readers = world::befriend(&mut vault, 1)?;
    let (name, reader) = readers.into_iter().next().ok_or("no reader")?;
    let names = [name];
    world::share(&mut vault, world::everything(), &names)?;
    let request = ShareRequest {
        readers: names.to_vec(),
        scope: world::everything(),
        extent: Extent::Standing,
        purpose: None,
        expires: None,
    };
    let nowhere = world::node(&vault)?;
    let shared = vault.offer(request, OnRequestTerms::default(), &nowhere)?;
    let now = || system_clock()();
    let ticket = Ticket::open(&shared.tickets[0].1, &reader, now())?;
    let mut following = Following::accept(&ticket, "pat", now());
    let message = following.countersign(&shared.grant.id, &reader, now())?;
    vault.answer(&[message], &[]);

    let text = vault.device().to_identity_text();
    let own = world::open_home(&home, Arc::new(Device::from_identity_text(&text)?))?;
    let desk = Desk::open(own, Box::new(NoCharges), false, Box::new(|_| {}));
    let mut config = NodeConfig::new([3; 32], [4; 32]);
    config.iroh_listen = Some(([127, 0, 0, 1], 0).into());
    let heads = Arc::new(Heads(vault.storage().clone()));
    let node = Node::start(config, vault.storage().blocks(), heads)?;
    node.set_access_handler(Arc::new(AtDesk(desk)));
    let client = Node::start_client_only([5; 32], [6; 32])?;
    let at = node.address();

    vault.refresh()?;
    let blocks: Arc<dyn BlockSource> = vault.storage().blocks();
    following.advance(vault.head().block().data(), &*blocks, now())?;
    let views = following.grants(&reader, &*blocks, now())?;
    let (asked, carried): (Vec<_>, Vec<_>) =
        views.into_iter().partition(|view| view.agreement.is_some());
    let (asked, carried) = (
        asked.first().ok_or("no view")?,
        carried.first().ok_or("no view")?,
    );

    let (mut opens, mut receipts, mut plain) = (Samples::new(), Samples::new(), Samples::new());
    for run in 0..=plan.runs * 8 {
        let entry = &asked.entries[run % asked.entries.len()];
        let begun = Instant::now();
        let asking = following.ask(asked, &[entry.version], None, None, &reader, now())?;
        let reply = client.ask_access(&at, asking.message(), PATIENCE)?;
        let given = asking.take(&mut following, &reply)?;
        let unlocked = given.unlock(entry).ok_or("another key")?;
        let record = following.open_record(&unlocked, Arc::clone(&blocks))?;
        record.copy_to(&mut std::io::sink())?;
        let took = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        client.ask_access(&at, &given.receipt(true, &reader, now())?, PATIENCE)?;
        // the first also connects
        if run > 0 {
            opens.push(took);
            receipts.push(begun.elapsed().as_secs_f64());
        }
        let entry = &carried.entries[run % carried.entries.len()];
        let begun = Instant::now();
        let record = following.open_record(entry, Arc::clone(&blocks))?;
        record.copy_to(&mut std::io::sink())?;
        plain.push(begun.elapsed().as_secs_f64());
    }
    client.stop();
    node.stop();
    for (what, samples, goal) in [
        (
            "open on request over loopback, warm, one round trip",
            &opens,
            true,
        ),
        ("its receipt, one more", &receipts, false),
    ] {
        table.row(Row {
            what: format!("{what}, {} records", plan.records),
            figure: samples.ms(),
            yardstick: format!("a carried open, no network: {}", plain.ms()),
            ratio: Some(samples.median() / plain.median()),
            goal: if goal { "< 20 ms" } else { "-" }.into(),
            met: goal.then_some(samples.median() < 0.02),
        });
    }
    Ok(())
}
