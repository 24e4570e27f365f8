//! What an open on request costs: against a carried one, against one sync, and in a long log.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use vault_core::{
    AccessReply, Asking, Desk, Device, Extent, Following, Given, GrantView, NoCharges,
    OnRequestTerms, ShareRequest, Ticket, Vault, VersionId, system_clock,
};

use crate::table::{Row, Samples, Table, timed};
use crate::world;
use crate::{Fallible, Plan};

fn now() -> u64 {
    system_clock()()
}

/// A patient's vault on disk and a reader with an agreement in force, and a carried grant beside it.
struct Pair {
    vault: Vault,
    reader: Arc<Device>,
    following: Following,
}

impl Pair {
    fn new(home: &Path, records: usize) -> Fallible<Self> {
        let mut vault = world::make_home(home)?;
        world::add_made_up(&mut vault, records)?;
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
        let node = world::node(&vault)?;
        let shared = vault.offer(request, OnRequestTerms::default(), &node)?;
        let (_, text) = &shared.tickets[0];
        let ticket = Ticket::open(text, &reader, now())?;
        let mut following = Following::accept(&ticket, "patient", now());
        let message = following.countersign(&shared.grant.id, &reader, now())?;
        vault.answer(&[message], &[]);
        let mut pair = Self {
            vault,
            reader,
            following,
        };
        pair.sync()?;
        Ok(pair)
    }

    fn sync(&mut self) -> Fallible<()> {
        let head = self.vault.head().block().data().to_vec();
        let blocks = self.vault.storage().blocks();
        self.following.advance(&head, &*blocks, now())?;
        Ok(())
    }

    /// The carried grant and the one on request.
    fn views(&mut self) -> Fallible<(GrantView, GrantView)> {
        self.sync()?;
        let blocks = self.vault.storage().blocks();
        let views = self.following.grants(&self.reader, &*blocks, now())?;
        let (asked, carried): (Vec<_>, Vec<_>) =
            views.into_iter().partition(|view| view.agreement.is_some());
        let both = carried.into_iter().next().zip(asked.into_iter().next());
        Ok(both.ok_or("a grant is missing")?)
    }

    /// The patient's device, once more.
    fn device(&self) -> Fallible<Arc<Device>> {
        let text = self.vault.device().to_identity_text();
        Ok(Arc::new(Device::from_identity_text(&text)?))
    }

    fn asking(&self, view: &GrantView, version: VersionId) -> Fallible<Asking> {
        let (reader, following) = (&self.reader, &self.following);
        Ok(following.ask(view, &[version], None, None, reader, now())?)
    }

    fn open(&mut self, view: &GrantView, at: usize) -> Fallible<Given> {
        let entry = &view.entries[at % view.entries.len()];
        let asking = self.asking(view, entry.version)?;
        let reply = self.vault.answer(&[asking.message().to_vec()], &[]).replies;
        let reply = reply.first().ok_or("no answer")?.to_bytes();
        let given = asking.take(&mut self.following, &reply)?;
        let entry = given.unlock(entry).ok_or("another key")?;
        let blocks = self.vault.storage().blocks();
        let record = self.following.open_record(&entry, blocks)?;
        record.copy_to(&mut std::io::sink())?;
        Ok(given)
    }
}

/// A figure beside its yardstick.
fn ratio(
    table: &mut Table,
    what: &str,
    figure: &Samples,
    yardstick: &str,
    against: &Samples,
    goal: Option<(&str, bool)>,
) {
    table.row(Row {
        what: what.to_owned(),
        figure: figure.ms(),
        yardstick: format!("{yardstick}: {}", against.ms()),
        ratio: Some(figure.median() / against.median()),
        goal: goal.map_or("-", |(goal, _)| goal).to_owned(),
        met: goal.map(|(_, met)| met),
    });
}

/// Writes 4 KiB to a new file and syncs it.
fn one_sync(dir: &Path, number: usize) -> Fallible<()> {
    let mut file = File::create(dir.join(format!("sync-{number}")))?;
    file.write_all(&[7; 4096])?;
    file.sync_all()?;
    Ok(())
}

pub fn on_request(plan: &Plan, table: &mut Table) -> Fallible<()> {
    let dir = tempfile::tempdir_in(&plan.dir)?;
    let count = plan.small.min(10_000);
    let mut pair = Pair::new(&dir.path().join("home"), count)?;
    let (carried, asked) = pair.views()?;
    let (mut audited, mut receipts) = (Samples::new(), Samples::new());
    let (mut plain, mut sync) = (Samples::new(), Samples::new());
    for run in 0..plan.short_runs.max(20) {
        let given = timed(&mut audited, || pair.open(&asked, run))?;
        let receipt = given.receipt(true, &pair.reader, now())?;
        timed(&mut receipts, || pair.vault.answer(&[receipt], &[]));
        let entry = &carried.entries[run % carried.entries.len()];
        timed(&mut plain, || -> Fallible<()> {
            let blocks = pair.vault.storage().blocks();
            let record = pair.following.open_record(entry, blocks)?;
            Ok(record.copy_to(&mut std::io::sink())?)
        })?;
        timed(&mut sync, || one_sync(dir.path(), run))?;
    }
    let what = format!("open on request, logged and proven, vault of {count} records");
    let goal = Some(("< 20 ms", audited.median() < 0.02));
    ratio(table, &what, &audited, "a carried open", &plain, goal);
    ratio(
        table,
        &what,
        &audited,
        "one file of 4 KiB synced",
        &sync,
        None,
    );
    ratio(
        table,
        "the receipt of it",
        &receipts,
        "one file of 4 KiB synced",
        &sync,
        None,
    );

    let mut at_once = Samples::new();
    let messages: Vec<Vec<u8>> = (0..100)
        .map(|n| {
            let version = asked.entries[n % asked.entries.len()].version;
            Ok(pair.asking(&asked, version)?.message().to_vec())
        })
        .collect::<Fallible<_>>()?;
    let before = pair.vault.head().checkpoint().size;
    let own = world::open_home(&dir.path().join("home"), pair.device()?)?;
    let desk = Desk::open(own, Box::new(NoCharges), false, Box::new(|_| {}));
    let given = timed(&mut at_once, || {
        std::thread::scope(|scope| {
            let asking: Vec<_> = (messages.iter())
                .map(|message| scope.spawn(|| desk.answer(message)))
                .collect();
            let answers = asking.into_iter().filter_map(|one| one.join().ok());
            let released = |bytes: &Vec<u8>| {
                matches!(AccessReply::from_bytes(bytes), Ok(AccessReply::Released(_)))
            };
            answers.filter(released).count()
        })
    });
    drop(desk);
    pair.vault.refresh()?;
    let entries = pair.vault.head().checkpoint().size - before;
    if (given, entries) != (100, 100) {
        return Err(format!("{given} answers and {entries} entries for 100 requests").into());
    }
    let hundred = sync.map(|one| one * 100.0);
    ratio(
        table,
        "100 at once, all logged",
        &at_once,
        "100 such syncs",
        &hundred,
        None,
    );
    Ok(())
}

pub fn long_log(plan: &Plan, table: &mut Table) -> Fallible<()> {
    let dir = tempfile::tempdir_in(&plan.dir)?;
    let long = if plan.quick { 100_000 } else { 1_000_000 };
    let mut medians = Vec::new();
    for (name, entries) in [("short", 1_000), ("long", long)] {
        let home = dir.path().join(name);
        let mut pair = Pair::new(&home, 200)?;
        pair.vault.lengthen_log(entries)?;
        let (_, asked) = pair.views()?;
        let (mut open, mut prove, mut verify) = (Samples::new(), Samples::new(), Samples::new());
        let mut start = Samples::new();
        for run in 0..plan.short_runs.max(10) {
            let given = timed(&mut open, || pair.open(&asked, run))?;
            let index = given.entry().index;
            let proof = timed(&mut prove, || pair.vault.prove_entry(index / 2))?;
            let vault = pair.vault.id();
            timed(&mut verify, || proof.verify(&vault))?;
            let device = pair.device()?;
            timed(&mut start, || world::open_home(&home, device)).map(drop)?;
        }
        medians.push([open, prove, verify, start]);
    }
    let whats = [
        "open on request",
        "proof of one entry made",
        "checked",
        "vault opened",
    ];
    let [short, long_ones] = &medians[..] else {
        return Err("two logs".into());
    };
    for ((what, short), longer) in whats.into_iter().zip(short).zip(long_ones) {
        let what = format!("{what}, log of {long} entries");
        ratio(table, &what, longer, "the same, 1,000 entries", short, None);
    }
    Ok(())
}
