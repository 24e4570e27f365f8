//! What the proofs share: a patient with readers, and what each side can see.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::grant::{Extent, Relation, Scope, Ticket};
use crate::vault::tests::{World, node, world};
use crate::vault::{MemoryStorage, ShareRequest, Shared, Vault, VaultStorage};
use crate::{Block, Category, Following, IndexEntry};

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
