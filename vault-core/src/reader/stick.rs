//! A grant that came as a CAR file, on a stick or by mail.

use std::collections::HashSet;
use std::io::Read;

use super::following::{Advance, FollowError, Following};
use super::grants::GrantView;
use crate::block::{Block, Cid};
use crate::body::BodyError;
use crate::car::{CarError, CarReader, CarSection};
use crate::grant::Ticket;
use crate::head::Head;
use crate::identity::Device;
use crate::ids::VaultId;
use crate::index::IndexEntry;
use crate::store::{BlockStore, SourceError, StoreError};
use crate::vault::body_blocks;

/// Bytes handed to the cache at once.
const BATCH: usize = 8 << 20;
/// What a block takes in memory beside its data, in bytes.
const ENTRY: usize = 256;

/// Why a grant file was not taken. Nothing of it stays.
#[derive(Debug, thiserror::Error)]
pub enum StickError {
    /// It is cut off, damaged, or no CAR file.
    #[error(transparent)]
    Car(#[from] CarError),
    /// A CAR file, but it does not begin with a head and a ticket.
    #[error("not a grant file: it does not begin with a head and a ticket")]
    NotAGrant,
    /// Head and ticket are of two vaults.
    #[error("the head in the grant file is not of the vault that its ticket names")]
    OtherVault,
    /// Blocks of a record are not in it.
    #[error("the grant file is not whole: block {0} is missing")]
    Incomplete(Cid),
    /// The head or the grant in it was refused.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// A record in it does not open.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The cache failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A grant file whose first two blocks were read. Nothing in it is trusted yet.
pub struct Stick<R> {
    car: CarReader<R>,
    head: Head,
    head_block: Block,
    ticket: String,
}

/// What a grant file gave.
#[derive(Debug)]
pub struct StickTaken {
    /// How the memory of the vault moved.
    pub advance: Advance,
    /// The grants that can be read now.
    pub views: Vec<GrantView>,
    /// Blocks that were not in the cache before.
    pub fresh: u64,
}

impl<R: Read> Stick<R> {
    /// Reads the head and the ticket.
    ///
    /// # Errors
    /// [`StickError::NotAGrant`], [`StickError::Car`].
    pub fn open(mut car: CarReader<R>) -> Result<Self, StickError> {
        let [head, ticket] = *car.roots() else {
            return Err(StickError::NotAGrant);
        };
        let mut next = |root: Cid| match car.next().transpose()? {
            Some(CarSection::Block(block)) if block.cid() == root => Ok(block),
            _ => Err(StickError::NotAGrant),
        };
        let (head_block, ticket) = (next(head)?, next(ticket)?);
        let head = Head::from_bytes(head_block.data()).map_err(|_| StickError::NotAGrant)?;
        let ticket = String::from_utf8(ticket.into_data()).map_err(|_| StickError::NotAGrant)?;
        Ok(Self {
            car,
            head,
            head_block,
            ticket,
        })
    }

    /// The vault of the head inside.
    pub const fn vault(&self) -> VaultId {
        self.head.vault()
    }

    /// The head inside, as it came.
    pub fn head_bytes(&self) -> &[u8] {
        self.head_block.data()
    }

    /// The ticket, still sealed.
    pub fn ticket(&self) -> &str {
        &self.ticket
    }

    /// Puts the blocks into the reader's cache, moves `following` on by the head inside, and
    /// checks that everything of the ticket's grant is there. `progress` hears how many bytes of
    /// the file were read.
    ///
    /// # Errors
    /// [`StickError`]; then `following` is unchanged, and no block stays that was not there before.
    pub fn take(
        mut self,
        ticket: &Ticket,
        following: &mut Following,
        device: &Device,
        cache: &dyn BlockStore,
        now: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<StickTaken, StickError> {
        let vault = self.vault();
        if vault != ticket.signers.vault() || vault != following.vault() {
            return Err(StickError::OtherVault);
        }
        let mut fresh = Vec::new();
        let mut moved = following.clone();
        let taken = self.fill(cache, &mut fresh, progress).and_then(|()| {
            let advance = moved.advance(self.head_block.data(), cache, now)?;
            let views = moved.grants(device, cache, now)?;
            let given = views.iter().find(|view| view.grant == ticket.grant);
            for entry in &given.ok_or(FollowError::NothingShared)?.entries {
                check_body(&vault, entry, cache)?;
            }
            cache.sync()?;
            Ok((advance, views))
        });
        match taken {
            Ok((advance, views)) => {
                *following = moved;
                Ok(StickTaken {
                    advance,
                    views,
                    fresh: fresh.len() as u64,
                })
            }
            Err(error) => {
                // the refusal matters more; blocks in a cache harm nobody
                drop(cache.remove(&fresh));
                Err(error)
            }
        }
    }

    fn fill(
        &mut self,
        cache: &dyn BlockStore,
        fresh: &mut Vec<Cid>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), StickError> {
        let (mut batch, mut held) = (Vec::new(), 0);
        let mut in_batch = HashSet::new();
        while let Some(section) = self.car.next() {
            if let CarSection::Block(block) = section?
                && cache.get(&block.cid())?.is_none()
                && in_batch.insert(block.cid())
            {
                fresh.push(block.cid());
                held += block.data().len() + ENTRY;
                batch.push(block);
            }
            if held >= BATCH {
                cache.put(&batch)?;
                batch.clear();
                in_batch.clear();
                held = 0;
            }
            progress(self.car.bytes_read());
        }
        Ok(cache.put(&batch)?)
    }
}

/// Every block of a body is there.
fn check_body(
    vault: &VaultId,
    entry: &IndexEntry,
    cache: &dyn BlockStore,
) -> Result<(), StickError> {
    let blocks = body_blocks(vault, entry, cache).map_err(|error| match error {
        BodyError::Source(SourceError::Missing(cid)) => StickError::Incomplete(cid),
        other => other.into(),
    })?;
    for digest in blocks {
        let cid = Cid::raw(digest);
        if !cache.has(&cid)? {
            return Err(StickError::Incomplete(cid));
        }
    }
    Ok(())
}
