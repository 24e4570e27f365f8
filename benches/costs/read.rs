//! Listing, reading a part, and opening what was shared.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use vault_core::{
    Block, BlockSource, BlockStore, CachedSource, Cid, Following, Home, SourceError, StorageError,
    StoreError, Ticket, Vault, VaultStorage, WriteGuard, system_clock,
};

use crate::data;
use crate::table::{Row, Samples, Table, timed};
use crate::world;
use crate::{Fallible, Plan, child, tools};

pub fn list(plan: &Plan, table: &mut Table) -> Fallible<()> {
    let home = plan.dir.join("list");
    let mut vault = world::make_home(&home)?;
    world::add_made_up(&mut vault, plan.small)?;
    drop(vault);
    let passphrase = plan.dir.join("passphrase");
    std::fs::write(&passphrase, world::PASSPHRASE)?;
    let medvault = tools::medvault();
    let (mut list, mut nothing) = (Samples::new(), Samples::new());
    for _ in 0..plan.short_runs {
        let mut command = match &medvault {
            Some(medvault) => {
                let mut command = Command::new(medvault);
                command.arg("--home").arg(&home);
                command.arg("--passphrase-file").arg(&passphrase);
                command.args(["--no-input", "list"]);
                command
            }
            None => child::command(&["list".as_ref(), home.as_ref()])?,
        };
        let output = timed(&mut list, || command.output())?;
        let lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
        if !output.status.success() || lines < plan.small {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("listing gave {lines} lines: {error}").into());
        }
        timed(&mut nothing, || Command::new("true").output())?;
    }
    let who = if medvault.is_some() {
        "medvault list, work factor 10"
    } else {
        "list in a child of this program"
    };
    table.row(Row {
        what: format!("{who}, {} records", plan.small),
        figure: list.ms(),
        yardstick: format!("starting `true`: {}", nothing.ms()),
        ratio: Some(list.median() / nothing.median()),
        goal: "< 50 ms".into(),
        met: Some(list.median() < 0.05),
    });
    Ok(())
}

/// A storage that counts the blocks that are read from it.
struct Counting {
    inner: Arc<dyn VaultStorage>,
    store: Arc<CountingStore>,
}

struct CountingStore {
    inner: Arc<dyn BlockStore>,
    reads: AtomicU64,
}

impl BlockStore for CountingStore {
    fn put(&self, blocks: &[Block]) -> Result<(), StoreError> {
        self.inner.put(blocks)
    }

    fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.get(cid)
    }

    fn has(&self, cid: &Cid) -> Result<bool, StoreError> {
        self.inner.has(cid)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.inner.sync()
    }

    fn remove(&self, cids: &[Cid]) -> Result<usize, StoreError> {
        self.inner.remove(cids)
    }

    fn list(&self) -> Result<Vec<Cid>, StoreError> {
        self.inner.list()
    }
}

impl VaultStorage for Counting {
    fn blocks(&self) -> Arc<dyn BlockStore> {
        self.store.clone()
    }

    fn head(&self) -> Result<Option<Vec<u8>>, StorageError> {
        self.inner.head()
    }

    fn replace_head(&self, head: &[u8]) -> Result<(), StorageError> {
        self.inner.replace_head(head)
    }

    fn lock(&self) -> Result<Box<dyn WriteGuard + '_>, StorageError> {
        self.inner.lock()
    }
}

/// Blocks read for 64 KiB at several places of a record of `len` bytes: fewest and most.
fn reads_of_range(plan: &Plan, len: u64, times: &mut Samples) -> Fallible<(u64, u64)> {
    let input = plan.dir.join("input");
    data::noise_file(&input, len)?;
    let path = plan.dir.join(format!("range-{len}"));
    let mut vault = world::make_home(&path)?;
    world::add_file(&mut vault, &input)?;
    std::fs::remove_file(&input)?;
    let text = std::fs::read_to_string(world::device_path(&path))?;
    let device = Arc::new(vault_core::Device::from_identity_text(&text)?);
    let inner: Arc<dyn VaultStorage> = Home::open(&path)?.storage()?;
    let store = Arc::new(CountingStore {
        inner: inner.blocks(),
        reads: AtomicU64::new(0),
    });
    let counting = Arc::new(Counting {
        inner,
        store: store.clone(),
    });
    let mut vault = Vault::open(counting, device, system_clock())?;
    let entry = vault.records()?.pop().ok_or("the record is missing")?;
    let part = 64 << 10;
    let (mut fewest, mut most) = (u64::MAX, 0);
    for at in [
        0,
        len / 5 + 1,
        len / 3,
        len / 2 - 1,
        len / 8 * 7 + 999,
        len - part,
    ] {
        store.reads.store(0, Ordering::Relaxed);
        let got = timed(times, || {
            vault.open_record(&entry)?.read_range(at, part as usize)
        })?;
        if got.len() as u64 != part {
            return Err("a part came out too short".into());
        }
        let reads = store.reads.load(Ordering::Relaxed);
        fewest = fewest.min(reads);
        most = most.max(reads);
    }
    std::fs::remove_dir_all(&path)?;
    Ok((fewest, most))
}

pub fn range(plan: &Plan, table: &mut Table) -> Fallible<()> {
    let mut ignored = Samples::new();
    let small = reads_of_range(plan, plan.large / 16, &mut ignored)?;
    let mut times = Samples::new();
    let large = reads_of_range(plan, plan.large, &mut times)?;
    table.row(Row {
        what: format!("64 KiB out of a record of {} MiB: blocks", plan.large >> 20),
        figure: format!("{}..{} blocks, {}", large.0, large.1, times.ms()),
        yardstick: format!(
            "a record of {} MiB: {}..{} blocks",
            plan.large >> 24,
            small.0,
            small.1
        ),
        ratio: Some(large.1 as f64 / small.1 as f64),
        goal: "constant: <= 1.00".into(),
        met: Some(large.1 <= small.1),
    });
    Ok(())
}

/// Asks another store.
struct Other(Arc<dyn BlockStore>);

impl vault_core::Fetcher for Other {
    fn fetch(&self, cids: &[Cid]) -> Result<Vec<Block>, SourceError> {
        let mut found = Vec::new();
        for cid in cids {
            found.extend(self.0.get(cid)?);
        }
        Ok(found)
    }
}

pub fn open(plan: &Plan, table: &mut Table) -> Fallible<()> {
    let mut vault = world::make_home(&plan.dir.join("open"))?;
    world::add_made_up(&mut vault, plan.small)?;
    let readers = world::befriend(&mut vault, 2)?;
    let one = vault.records()?.pop().ok_or("no record")?;
    let scopes = [
        vault_core::Scope {
            records: [one.record].into(),
            ..vault_core::Scope::default()
        },
        world::everything(),
    ];
    for ((name, device), scope) in readers.into_iter().zip(scopes) {
        let shared = world::share(&mut vault, scope, std::slice::from_ref(&name))?;
        let count = shared.grant.versions;
        let (_, text) = shared.tickets.first().ok_or("no ticket")?;
        let now = system_clock()();
        let ticket = Ticket::open(text, &device, now)?;
        let mut following = Following::accept(&ticket, "pat", now);
        let path = plan.dir.join(format!("open-{count}"));
        let (home, ()) = Home::create(&path, |_| Ok::<_, StorageError>(()))?;
        let mut cold = Samples::new();
        let mut warm = Samples::new();
        for run in 0..=plan.short_runs {
            let samples = if run == 0 { &mut cold } else { &mut warm };
            let len = timed(samples, || -> Fallible<usize> {
                let patient = vault.storage().blocks();
                let source: Arc<dyn BlockSource> =
                    Arc::new(CachedSource::new(home.cache()?, Box::new(Other(patient))));
                following.advance(vault.head().block().data(), &*source, now)?;
                let views = following.grants(&device, &*source, now)?;
                let records = Following::records(&views);
                let wanted = records.iter().find(|entry| entry.record == one.record);
                let opened = following.open_record(wanted.ok_or("not shared")?, source.clone())?;
                let mut out = Vec::new();
                opened.copy_to(&mut out)?;
                Ok(out.len())
            })?;
            if len as u64 != one.len {
                return Err("the record came out with another length".into());
            }
        }
        table.row(Row {
            what: format!("open one of {count} shared records, same machine, warm cache"),
            figure: warm.ms(),
            yardstick: format!("the first time, cold: {}", cold.ms()),
            ratio: Some(warm.median() / cold.median()),
            goal: "< 50 ms".into(),
            met: Some(warm.median() < 0.05),
        });
    }
    Ok(())
}
