//! A patient and a laboratory that deposits results, in memory.

mod arriving;
mod flow;
mod hostile;

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use zeroize::Zeroizing;

use super::*;
use crate::grant::{Ends, Extent, Scope};
use crate::home::Home;
use crate::ids::VaultId;
use crate::keys::PublicKey;
use crate::record::{Category, Sensitivity};
use crate::store::{BlockStore, MemoryStore};
use crate::vault::tests::{World, meta, node, world};
use crate::vault::{Content, MemoryStorage, ShareRequest, StorageError, VaultStorage as _};
use crate::{Following, Ticket};

const ENDS: Ends = Ends {
    server: PublicKey::from_bytes([4; 32]),
    client: PublicKey::from_bytes([5; 32]),
};

const LIMIT: DepositLimit = DepositLimit {
    bytes: 4 << 20,
    per_day: 3,
};

/// A patient who takes deposits of a laboratory.
struct Scene {
    pat: World,
    lab: World,
    following: Following,
    /// Where the laboratory's blocks are made.
    store: MemoryStore,
    waiting: WaitingDeposits,
    _folder: tempfile::TempDir,
}

fn befriend(patient: &mut World, name: &str, other: &World) {
    let card = other.vault.device().card(name).unwrap();
    patient.vault.add_contact(name, &card).unwrap();
}

fn share(patient: &mut World, reader: &World, name: &str, category: Category) -> Following {
    let request = ShareRequest {
        readers: vec![name.into()],
        scope: Scope {
            categories: [category].into(),
            ..Scope::default()
        },
        extent: Extent::Standing,
        purpose: None,
        expires: None,
    };
    let shared = patient.vault.share(request, &node()).unwrap();
    let now = now(patient);
    let ticket = Ticket::open(&shared.tickets[0].1, reader.vault.device(), now).unwrap();
    Following::accept(&ticket, "pat", now)
}

fn now(world: &World) -> u64 {
    world.time.load(Ordering::Relaxed)
}

fn scene() -> Scene {
    let (mut pat, lab) = (world("Pat"), world("Lab"));
    befriend(&mut pat, "lab", &lab);
    let following = share(&mut pat, &lab, "lab", Category::Imaging);
    pat.vault.set_deposit_limit("lab", Some(LIMIT)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let home = Home::create(&folder.path().join("home"), |_| Ok::<_, StorageError>(()));
    let home = Arc::new(home.unwrap().0);
    let waiting = WaitingDeposits::open(home, pat.vault.device()).unwrap();
    Scene {
        pat,
        lab,
        following,
        store: MemoryStore::new(),
        waiting,
        _folder: folder,
    }
}

fn bytes(content: &[u8]) -> Content<'static> {
    Content::Bytes(Zeroizing::new(content.to_vec()))
}

/// A long content that does not compress and differs everywhere.
fn long(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}

impl Scene {
    fn target(&self) -> DepositTarget {
        self.following.deposit_target().unwrap()
    }

    fn maker(&self) -> DepositMaker<'_> {
        let device = self.lab.vault.device();
        DepositMaker::new(device, self.target(), &self.store, now(&self.lab))
    }

    /// A deposit of small and long records.
    fn deposit(&self, small: usize, long_len: usize) -> Outgoing {
        let mut maker = self.maker();
        for i in 0..small {
            let content = format!("result {i}");
            let about = meta(&format!("r{i}"), Category::Lab);
            maker
                .add(about, Some("r.json"), bytes(content.as_bytes()))
                .unwrap();
        }
        if long_len > 0 {
            let content = long(long_len);
            let about = meta("scan", Category::Imaging);
            let mut stream = &content[..];
            maker
                .add(about, None, Content::Stream(&mut stream))
                .unwrap();
        }
        maker.finish(Some("your results")).unwrap()
    }

    fn file(&self, deposit: &Outgoing) -> Vec<u8> {
        let mut file = Vec::new();
        deposit.write(&self.store, &mut file).unwrap();
        file
    }

    fn parcel(&self, deposit: &Outgoing) -> Parcel<Cursor<Vec<u8>>> {
        Parcel::open(Cursor::new(self.file(deposit))).unwrap()
    }
}

/// The vault again, from its words and its blocks alone.
fn recovered(world: &World) -> crate::Vault {
    let storage = MemoryStorage::new();
    let from = world.storage.blocks();
    let cids = from.list().unwrap();
    let blocks: Vec<_> = cids
        .iter()
        .map(|cid| from.get(cid).unwrap().unwrap())
        .collect();
    storage.blocks().put(&blocks).unwrap();
    let clock = crate::vault::tests::clock(&world.time);
    crate::Vault::recover(Arc::new(storage), &world.words, clock).unwrap()
}

fn standard() -> Sensitivity {
    Sensitivity::standard()
}

fn content(vault: &crate::Vault, entry: &crate::IndexEntry) -> Vec<u8> {
    let mut out = Vec::new();
    vault.open_record(entry).unwrap().copy_to(&mut out).unwrap();
    out
}
