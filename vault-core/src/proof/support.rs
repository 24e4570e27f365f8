//! What the proofs share: a patient with readers, and what each side can see.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use std::collections::BTreeSet;

use crate::grant::{
    Directory, Extent, GrantRoot, Relation, Scope, Ticket, open_grant_key, root_context,
};
use crate::ids::GrantId;
use crate::index::{MAX_PAGE_LEN, open_object};
use crate::keys::SecretKey;
use crate::store::BlockStore;
use crate::vault::tests::{World, node, world};
use crate::vault::{MemoryStorage, ShareRequest, Shared, Vault, VaultStorage};
use crate::{Block, Category, Cid, Device, Digest, Following, IndexEntry, codec};

/// Someone who may read, with what a ticket gave them.
pub(super) struct Reader {
    pub(super) name: String,
    pub(super) world: World,
    pub(super) following: Option<Following>,
    pub(super) relation: Option<Relation>,
}

impl Reader {
    /// Makes the reader and puts them into the patient's address book.
    pub(super) fn befriended(patient: &mut World, name: &str) -> Self {
        let world = world(name);
        let card = world.vault.device().card(name).unwrap();
        patient.vault.add_contact(name, &card).unwrap();
        Self {
            name: name.into(),
            world,
            following: None,
            relation: None,
        }
    }

    /// Takes the reader's own ticket out of those that a share gave.
    pub(super) fn accept(&mut self, shared: &Shared, now: u64) {
        let Some((_, text)) = shared.tickets.iter().find(|(name, _)| *name == self.name) else {
            return;
        };
        let ticket = Ticket::open(text, self.world.vault.device(), now).unwrap();
        self.relation = Some(ticket.relation.clone());
        match &mut self.following {
            Some(following) => following.accept_again(&ticket),
            empty => *empty = Some(Following::accept(&ticket, "pat", now)),
        }
    }
}

pub(super) fn now(world: &World) -> u64 {
    world.time.load(Ordering::Relaxed)
}

/// A request for everything, or for one category.
pub(super) fn request(readers: &[&str], category: Option<Category>) -> ShareRequest {
    ShareRequest {
        readers: readers.iter().map(|name| (*name).to_owned()).collect(),
        scope: Scope {
            all: category.is_none(),
            categories: category.into_iter().collect(),
            ..Scope::default()
        },
        extent: Extent::Standing,
        purpose: None,
        expires: None,
    }
}

pub(super) fn share(patient: &mut World, reader: &mut Reader) -> Shared {
    let request = request(&[&reader.name], None);
    let shared = patient.vault.share(request, &node()).unwrap();
    reader.accept(&shared, now(patient));
    shared
}

pub(super) fn head(world: &World) -> Vec<u8> {
    world.vault.head().block().data().to_vec()
}

/// Every block of a storage: what an outsider holds.
pub(super) fn all_blocks(storage: &dyn VaultStorage) -> Vec<Block> {
    let store = storage.blocks();
    let cids = store.list().unwrap();
    cids.iter()
        .map(|cid| store.get(cid).unwrap().unwrap())
        .collect()
}

/// A page reference as it stands in a root.
#[derive(serde::Deserialize, serde::Serialize)]
struct PageWire {
    b: Digest,
    n: u32,
    k: SecretKey,
    c: u32,
}

/// Every key on a reader's way through the indexes of its grants, and the blocks that these open.
#[derive(Default)]
pub(super) struct IndexKeys {
    pub(super) grants: Vec<(GrantId, SecretKey)>,
    pub(super) pages: Vec<(GrantId, SecretKey)>,
    pub(super) blocks: BTreeSet<Cid>,
}

/// What the directory of the present head gives to whoever has `relation` and `device`.
pub(super) fn index_keys(
    patient: &Vault,
    relation: &Relation,
    device: &Device,
    blocks: &dyn BlockStore,
) -> IndexKeys {
    let (vault, head) = (patient.id(), patient.head());
    let cids: Vec<Cid> = head.body.directory.iter().map(|d| Cid::raw(*d)).collect();
    let directory = blocks.fetch(&cids).unwrap();
    let mut keys = IndexKeys::default();
    for pointer in Directory::find(&vault, head.seq(), relation, &directory).unwrap() {
        let fetched = blocks
            .fetch(&[Cid::raw(pointer.envelope), Cid::raw(pointer.root)])
            .unwrap();
        let envelope = relation.uncover(&vault, fetched[0].data()).unwrap();
        let key = open_grant_key(&envelope, device.identity(), &pointer.grant, head.signers())
            .unwrap()
            .key;
        let context = root_context(&vault, &pointer.grant);
        let plain = open_object(&key, &context, fetched[1].data(), pointer.root_len).unwrap();
        let root: GrantRoot = codec::decode(&plain, MAX_PAGE_LEN).unwrap();
        let pages: Vec<PageWire> =
            codec::decode(&codec::encode(&root.pages), MAX_PAGE_LEN).unwrap();
        keys.blocks.extend(fetched.iter().map(Block::cid));
        for page in pages {
            assert!(page.n > 0 && page.c > 0);
            keys.blocks.insert(Cid::raw(page.b));
            keys.pages.push((pointer.grant, page.k));
        }
        keys.grants.push((pointer.grant, key));
    }
    keys
}

/// A storage with these blocks and, if given, a head.
pub(super) fn storage_of(blocks: &[Block], head: Option<&[u8]>) -> Arc<MemoryStorage> {
    let storage = MemoryStorage::new();
    storage.blocks().put(blocks).unwrap();
    if let Some(head) = head {
        storage.replace_head(head).unwrap();
    }
    Arc::new(storage)
}

/// Every version in the vault, oldest first within each record.
pub(super) fn catalogue(vault: &mut Vault) -> Vec<IndexEntry> {
    let records = vault.records().unwrap();
    records
        .iter()
        .flat_map(|entry| vault.versions(&entry.record).unwrap())
        .collect()
}

/// The patient's device is lost: the vault goes on with another, from its words and its blocks.
/// Returns the lost one.
pub(super) fn lose_device(world: &mut World) -> Arc<Device> {
    world.time.fetch_add(1, Ordering::Relaxed);
    let storage = storage_of(&all_blocks(&*world.storage), None);
    let clock = crate::vault::tests::clock(&world.time);
    let vault = Vault::recover(storage.clone(), &world.words, clock).unwrap();
    world.storage = storage;
    std::mem::replace(&mut world.vault, vault).device.clone()
}
