//! Blocks of a vault in one CAR file: a backup, or a grant on a stick.
//!
//! The head comes first and is the first root. What follows is named by what came before, so that
//! whoever reads the file knows of each block whether it is wanted. The same head gives the same
//! backup, byte for byte.

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::Arc;

use super::state::grant_list;
use super::{Vault, VaultError, VaultStorage, body_context};
use crate::address::NodeAddress;
use crate::block::{Block, Cid, Codec, Digest};
use crate::body::long::LongReader;
use crate::body::{BodyError, Location};
use crate::car::CarWriter;
use crate::head::Head;
use crate::ids::{GrantId, VaultId};
use crate::index::{IndexEntry, PageList};
use crate::pins;
use crate::store::{BlockSource, SourceError};

/// Blocks that are fetched at once: 8 MiB of full ones.
const BATCH: usize = 32;

/// Why an archive could not be written. What was written is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A block could not be had; [`VaultError::Conflict`] when that is so because another process
    /// has changed the vault meanwhile.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// A file that can be written: what one head names, or the part of it that one reader needs.
pub struct Archive {
    storage: Arc<dyn VaultStorage>,
    head: Head,
    ticket: Option<Block>,
    blocks: Vec<Cid>,
}

/// A file that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Archived {
    /// Blocks in the file.
    pub blocks: u64,
    /// Its length, in bytes.
    pub bytes: u64,
}

impl Archive {
    /// The head it is of.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// How many blocks it has.
    pub fn count(&self) -> u64 {
        1 + u64::from(self.ticket.is_some()) + self.blocks.len() as u64
    }

    /// Writes the CAR, a few blocks in memory at a time. `progress` hears how many blocks are done.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn write<W: Write>(
        &self,
        out: W,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Archived, ArchiveError> {
        let head = self.head.block();
        let mut roots = vec![head.cid()];
        roots.extend(self.ticket.as_ref().map(Block::cid));
        let mut car = CarWriter::new(out, &roots)?;
        car.put(head)?;
        if let Some(ticket) = &self.ticket {
            car.put(ticket)?;
        }
        let store = self.storage.blocks();
        for cids in self.blocks.chunks(BATCH) {
            let blocks = store.fetch(cids).map_err(|error| self.explain(error))?;
            for block in &blocks {
                car.put(block)?;
            }
            progress(car.blocks());
        }
        let written = Archived {
            blocks: car.blocks(),
            bytes: car.bytes(),
        };
        car.finish()?;
        Ok(written)
    }

    fn explain(&self, error: SourceError) -> VaultError {
        let head = self.storage.head();
        let moved = head.is_ok_and(|head| head.as_deref() != Some(self.head.block().data()));
        match error {
            SourceError::Missing(_) if moved => VaultError::Conflict,
            SourceError::Missing(cid) => VaultError::Incomplete(vec![cid]),
            other => other.into(),
        }
    }
}

/// The blocks in which a version's body lies, maps included.
pub(crate) fn body_blocks(
    vault: &VaultId,
    entry: &IndexEntry,
    source: &dyn BlockSource,
) -> Result<Vec<Digest>, BodyError> {
    match &entry.location {
        Location::Packed { block, .. } => Ok(vec![*block]),
        location @ Location::Long { .. } => {
            let context = body_context(vault, entry);
            LongReader::open(context, entry.cek.plain()?, location, source)?.all_blocks()
        }
    }
}

impl Vault {
    /// What a backup holds: the newest head, its pin set, and every block that the pin set names,
    /// in the order of their digests.
    ///
    /// # Errors
    /// [`VaultError::Incomplete`] lists the blocks that this vault no longer has.
    pub fn backup(&mut self) -> Result<Archive, VaultError> {
        self.reading(|vault| {
            let mut pins = pins::read(&*vault.storage.blocks(), &vault.head.pins())?;
            pins.nodes.rotate_right(1);
            let live = pins.live.into_iter().map(Cid::raw);
            vault.archive(None, pins.nodes.into_iter().chain(live))
        })
    }

    /// What one reader of a grant needs where there is no network: the newest head with its log
    /// and directory, this grant's envelopes for this reader, its pages and bodies, and a fresh
    /// ticket, sealed to the reader, as the second root.
    ///
    /// # Errors
    /// [`VaultError::NoGrant`], [`VaultError::GrantEnded`], [`VaultError::CarriedOnly`], [`VaultError::NoContact`]
    /// when `reader` is none of the grant's; [`VaultError::Incomplete`].
    pub fn grant_archive(
        &mut self,
        grant: &GrantId,
        reader: &str,
        node: &NodeAddress,
    ) -> Result<Archive, VaultError> {
        self.reading(|vault| {
            if vault.grant_record(grant)?.on_request.is_some() {
                return Err(VaultError::CarriedOnly);
            }
            let tickets = vault.tickets(grant, node)?;
            let unknown = || VaultError::NoContact(reader.to_owned());
            let (_, ticket) = tickets
                .into_iter()
                .find(|(name, _)| name == reader)
                .ok_or_else(unknown)?;
            let ticket = Block::new(Codec::Raw, ticket.into_bytes());
            let record = vault.grant_record(grant)?;
            let contacts = vault.state.contacts.items();
            let contact = contacts.rev().find(|contact| contact.name == reader);
            let contact = contact.map(|contact| contact.id);
            let member = record
                .members
                .iter()
                .find(|member| Some(member.contact) == contact)
                .ok_or_else(unknown)?;

            let store = vault.storage.blocks();
            let body = &vault.head.body;
            let mut needed: Vec<Digest> = body.log.iter().flatten().copied().collect();
            needed.extend(&body.directory);
            needed.extend(&member.envelopes);
            needed.extend(record.root.map(|(root, _)| root));
            let mut pages: PageList<IndexEntry> =
                PageList::stored(&vault.id(), &grant_list(grant), record.pages.clone());
            pages.load(&*store)?;
            needed.extend(pages.blocks());
            for entry in pages.items() {
                needed.extend(body_blocks(&vault.id(), entry, &*store)?);
            }
            let mut known = HashSet::new();
            needed.retain(|digest| known.insert(*digest));
            let ticket = ticket.map_err(|_| VaultError::Conflict)?;
            vault.archive(Some(ticket), needed.into_iter().map(Cid::raw))
        })
    }

    fn archive(
        &self,
        ticket: Option<Block>,
        blocks: impl Iterator<Item = Cid>,
    ) -> Result<Archive, VaultError> {
        let store = self.storage.blocks();
        let blocks: Vec<Cid> = blocks.collect();
        let mut missing = Vec::new();
        for cid in &blocks {
            if !store.has(cid)? {
                missing.push(*cid);
            }
        }
        if !missing.is_empty() {
            return Err(VaultError::Incomplete(missing));
        }
        Ok(Archive {
            storage: self.storage.clone(),
            head: self.head.clone(),
            ticket,
            blocks,
        })
    }
}
