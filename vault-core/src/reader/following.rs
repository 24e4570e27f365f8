//! The memory of one followed vault, and the rules by which it moves on.

use serde::{Deserialize, Serialize};

use crate::address::NodeAddress;
use crate::audit::{LogBlocks, TileReadError};
use crate::grant::{DirectoryError, GrantKeyError, Relation, TermsError, Ticket};
use crate::head::{HEAD_LIFETIME, Head, HeadError};
use crate::ids::{GrantId, VaultId};
use crate::index::PageError;
use crate::keys::PublicKey;
use crate::log::{Checkpoint, TileError, TreeHash, prove_consistency, verify_consistency};
use crate::store::{BlockSource, SourceError};

/// How far ahead of this device's clock a head may be dated, in seconds.
const DAY: u64 = 24 * 3600;

/// Clock difference that is put up with, in seconds.
const SKEW: u64 = 300;

/// Why a head or a grant was not accepted. The reader's memory is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The head is not valid in itself.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The head is older than the one seen before: someone is showing an old copy.
    #[error("the head offered is OLDER than the one seen before ({offered} < {seen})")]
    Older {
        /// Sequence number offered.
        offered: u64,
        /// Sequence number seen.
        seen: u64,
    },
    /// Two different histories of the same vault.
    #[error("the head offered has FORKED from the history seen before: {0}")]
    Forked(&'static str),
    /// The head may no longer be relied on.
    #[error("the newest head that could be had ran out on {0}: ask for a fresh one")]
    Stale(u64),
    /// The head is dated more than a day ahead of this device's clock.
    #[error("the head is dated in the future ({0}): one of the two clocks is wrong")]
    FromTheFuture(u64),
    /// No grant for this reader: withdrawn, expired, or never made.
    #[error("nothing is shared here any more: the grant was withdrawn or has expired")]
    NothingShared,
    /// The grant's own end has come.
    #[error("the grant has expired")]
    Expired,
    /// The terms do not name this reader.
    #[error("the grant does not name this reader")]
    NotNamed,
    /// The directory is malformed.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The envelope did not give the grant key.
    #[error(transparent)]
    Key(#[from] GrantKeyError),
    /// The terms do not hold.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// A sealed page does not open.
    #[error(transparent)]
    Page(#[from] PageError),
    /// A block could not be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The log could not be read.
    #[error("audit log: {0}")]
    Log(String),
}

impl From<TileReadError> for FollowError {
    fn from(error: TileReadError) -> Self {
        match error {
            TileReadError::Source(source) => Self::Source(source),
            TileReadError::Malformed => Self::Log(error.to_string()),
        }
    }
}

/// What a new head changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advance {
    /// It is the head seen before.
    Unchanged,
    /// It is newer and was accepted.
    Advanced {
        /// Sequence number seen before.
        from: u64,
        /// Sequence number now.
        to: u64,
    },
}

/// A vault that was shared with this reader, and what is remembered of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Following {
    v: u8,
    vault: VaultId,
    /// The name the reader gave it.
    name: String,
    /// The name the patient goes by.
    patient: String,
    owner: PublicKey,
    relation: Relation,
    node: NodeAddress,
    /// Serial of the signers list seen last.
    serial: u64,
    /// Heads below this are refused.
    floor: u64,
    #[serde(with = "serde_bytes")]
    head: Vec<u8>,
    size: u64,
    root: TreeHash,
    accepted: u64,
    synced: Option<u64>,
    tickets: Vec<GrantId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ipns: Option<PublicKey>,
}

impl Following {
    /// Begins to follow the vault of a ticket, under a name of the reader's choice.
    pub fn accept(ticket: &Ticket, name: &str, now: u64) -> Self {
        Self {
            v: 1,
            vault: ticket.signers.vault(),
            name: name.to_owned(),
            patient: ticket.name.clone(),
            owner: *ticket.signers.owner(),
            relation: ticket.relation.clone(),
            node: ticket.node.clone(),
            serial: ticket.signers.serial(),
            floor: ticket.seq,
            head: Vec::new(),
            size: ticket.log.0,
            root: ticket.log.1,
            accepted: now,
            synced: None,
            tickets: vec![ticket.grant],
            ipns: ticket.ipns,
        }
    }

    /// Takes a further ticket of the same vault: new addresses, and never an older floor. One whose
    /// list of signing keys is older than the one known says nothing.
    pub fn accept_again(&mut self, ticket: &Ticket) {
        if ticket.signers.serial() < self.serial {
            return;
        }
        if ticket.seq >= self.floor {
            self.relation = ticket.relation.clone();
            self.node = ticket.node.clone();
            self.ipns = ticket.ipns.or(self.ipns);
        }
        self.serial = self.serial.max(ticket.signers.serial());
        self.floor = self.floor.max(ticket.seq);
        if !self.tickets.contains(&ticket.grant) {
            self.tickets.push(ticket.grant);
        }
    }

    /// Takes over what another process has noted meanwhile.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.floor > self.floor {
            self.relation = other.relation.clone();
            self.node = other.node.clone();
            self.floor = other.floor;
            self.ipns = other.ipns.or(self.ipns);
        }
        self.serial = self.serial.max(other.serial);
        let more = other
            .tickets
            .iter()
            .filter(|grant| !self.tickets.contains(grant));
        self.tickets.extend(more.copied().collect::<Vec<_>>());
    }

    /// Serial of the newest list of signing keys seen.
    pub(super) const fn serial(&self) -> u64 {
        self.serial
    }

    /// The vault.
    pub const fn vault(&self) -> VaultId {
        self.vault
    }

    /// The name the reader gave it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name the patient goes by.
    pub fn patient(&self) -> &str {
        &self.patient
    }

    /// The patient's owner key.
    pub const fn owner(&self) -> &PublicKey {
        &self.owner
    }

    /// Where the patient's node was last reached.
    pub const fn node(&self) -> &NodeAddress {
        &self.node
    }

    /// The key of the vault's IPNS name, if the ticket gave it.
    pub const fn ipns(&self) -> Option<&PublicKey> {
        self.ipns.as_ref()
    }

    /// Notes where the patient's node is now.
    pub fn set_node(&mut self, node: NodeAddress) {
        self.node = node;
    }

    /// Sequence number of the head seen last, 0 before the first.
    pub fn seq(&self) -> u64 {
        self.current().map_or(0, |head| head.seq())
    }

    /// Size and root of the log seen last.
    pub const fn checkpoint(&self) -> (u64, TreeHash) {
        (self.size, self.root)
    }

    /// When the ticket was accepted, in seconds since 1970-01-01 UTC.
    pub const fn accepted(&self) -> u64 {
        self.accepted
    }

    /// When a head was last confirmed, in seconds since 1970-01-01 UTC.
    pub const fn synced(&self) -> Option<u64> {
        self.synced
    }

    /// The grants that tickets were accepted for.
    pub fn tickets(&self) -> &[GrantId] {
        &self.tickets
    }

    pub(super) const fn relation(&self) -> &Relation {
        &self.relation
    }

    /// The head seen last.
    pub(super) fn current(&self) -> Option<Head> {
        Head::for_vault(&self.head, &self.vault).ok()
    }

    /// Takes a head that someone offers, if it continues what was seen before. `source` provides
    /// the log's hashes.
    ///
    /// # Errors
    /// [`FollowError`]; nothing is remembered then.
    pub fn advance(
        &mut self,
        offered: &[u8],
        source: &dyn BlockSource,
        now: u64,
    ) -> Result<Advance, FollowError> {
        let head = Head::for_vault(offered, &self.vault)?;
        let seen = self.current();
        let seen_seq = seen.as_ref().map_or(0, Head::seq);
        if head.signers().serial() < self.serial || head.seq() < seen_seq.max(self.floor) {
            return Err(FollowError::Older {
                offered: head.seq(),
                seen: seen_seq.max(self.floor),
            });
        }
        check_time(&head, now)?;
        // however long a head claims to live, it is asked about again after its proper lifetime
        let until = head
            .valid_until()
            .min(head.time().saturating_add(HEAD_LIFETIME));
        if until.saturating_add(SKEW) < now {
            return Err(FollowError::Stale(until));
        }
        if let Some(seen) = &seen
            && head.seq() == seen.seq()
        {
            if seen.block().data() != offered {
                return Err(FollowError::Forked("two heads with the same number"));
            }
            self.synced = Some(now);
            return Ok(Advance::Unchanged);
        }
        continues((self.size, &self.root), &head, source)?;
        let checkpoint = head.checkpoint();
        self.serial = head.signers().serial();
        self.size = checkpoint.size;
        self.root = checkpoint.root;
        self.head = offered.to_vec();
        self.synced = Some(now);
        Ok(Advance::Advanced {
            from: seen_seq,
            to: head.seq(),
        })
    }
}

/// A head is not dated more than a day ahead of this device's clock.
pub(crate) fn check_time(head: &Head, now: u64) -> Result<(), FollowError> {
    match head.time() > now.saturating_add(DAY) {
        true => Err(FollowError::FromTheFuture(head.time())),
        false => Ok(()),
    }
}

/// A head's log contains the one seen before, given by its size and root.
pub(crate) fn continues(
    (seen_size, seen_root): (u64, &TreeHash),
    head: &Head,
    source: &dyn BlockSource,
) -> Result<(), FollowError> {
    let Checkpoint { size, root, .. } = head.checkpoint();
    if *size < seen_size {
        return Err(FollowError::Forked("the audit log has become shorter"));
    }
    if seen_size == 0 {
        return Ok(());
    }
    let blocks = LogBlocks::new(source, &head.body.log);
    let proof = prove_consistency(&blocks, seen_size, *size).map_err(|error| match error {
        TileError::Source(error) => error.into(),
        other => FollowError::Log(other.to_string()),
    })?;
    verify_consistency(seen_size, seen_root, *size, root, &proof)
        .map_err(|_| FollowError::Forked("the audit log does not contain the one seen before"))
}
