//! The memory of one followed vault, and the rules by which it moves on.

use serde::{Deserialize, Serialize};

use crate::access::CertificateError;
use crate::address::NodeAddress;
use crate::audit::{LogBlocks, TileReadError};
use crate::deposit::DepositTarget;
use crate::envelope::RecipientKey;
use crate::grant::{DirectoryError, GrantKeyError, Relation, TermsError, Ticket};
use crate::head::{HEAD_LIFETIME, Head, HeadError};
use crate::ids::{GrantId, VaultId};
use crate::index::PageError;
use crate::keys::PublicKey;
use crate::log::{
    Checkpoint, SignedCheckpoint, TileError, TreeHash, prove_consistency, verify_consistency,
};
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
    /// The head is newer than the one seen before, and older than keys that came since.
    #[error(
        "the head offered is BEHIND what came with keys: its log has {offered} entries, {seen} were seen"
    )]
    Behind {
        /// Entries of its log.
        offered: u64,
        /// Entries seen.
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
    /// The certificate of someone who answers for the patient does not hold.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
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

impl FollowError {
    /// Whether a block was not to be had. Under a head that was replaced meanwhile that says
    /// nothing: take the newest head and read again.
    pub fn is_missing_block(&self) -> bool {
        matches!(
            self,
            Self::Source(SourceError::Missing(_))
                | Self::Page(PageError::Source(SourceError::Missing(_)))
        )
    }
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inbox: Option<RecipientKey>,
    /// The newest signed checkpoint of the vault's log, when it came with keys and not in a head.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    seen: Option<Vec<u8>>,
    /// Agreements that were offered, with the countersignature once there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) agreements: Vec<HeldAgreement>,
    /// The logs of those who answer on the patient's behalf.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) agents: Vec<SeenLog>,
}

/// An agreement as the reader keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeldAgreement {
    pub(super) grant: GrantId,
    /// The signed terms.
    #[serde(with = "serde_bytes")]
    pub(super) offer: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub(super) acceptance: Option<Vec<u8>>,
}

/// What was seen last of an agent's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeenLog {
    /// The agent's vault.
    pub(super) log: VaultId,
    pub(super) size: u64,
    #[serde(with = "serde_bytes")]
    pub(super) checkpoint: Vec<u8>,
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
            inbox: ticket.inbox.clone(),
            seen: None,
            agreements: ticket.held().into_iter().collect(),
            agents: Vec::new(),
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
            self.inbox = ticket.inbox.clone().or(self.inbox.take());
        }
        self.serial = self.serial.max(ticket.signers.serial());
        self.floor = self.floor.max(ticket.seq);
        if !self.tickets.contains(&ticket.grant) {
            self.tickets.push(ticket.grant);
        }
        if let Some(held) = ticket.held() {
            self.hold(held);
        }
    }

    /// Keeps an agreement; a countersignature under the same terms is not lost.
    fn hold(&mut self, held: HeldAgreement) {
        match self
            .agreements
            .iter_mut()
            .find(|known| known.grant == held.grant)
        {
            Some(known) if known.offer == held.offer => {
                known.acceptance = known.acceptance.take().or(held.acceptance);
            }
            Some(known) => *known = held,
            None => self.agreements.push(held),
        }
    }

    /// Notes how far an agent's log has come.
    pub(super) fn see_log(&mut self, log: SeenLog) {
        match self.agents.iter_mut().find(|known| known.log == log.log) {
            Some(known) if known.size >= log.size => {}
            Some(known) => *known = log,
            None => self.agents.push(log),
        }
    }

    /// The newest signed checkpoint of the vault's log that was seen.
    pub(super) fn seen(&self) -> Option<Vec<u8>> {
        let in_head = || self.current().map(|head| head.body.checkpoint);
        self.seen.clone().or_else(in_head)
    }

    /// The newest signed checkpoint that was seen of a log: the vault's own, or an agent's.
    pub(super) fn seen_of(&self, log: &VaultId) -> Option<Vec<u8>> {
        if *log == self.vault {
            return self.seen();
        }
        let seen = self.agents.iter().find(|known| known.log == *log);
        seen.map(|seen| seen.checkpoint.clone())
    }

    /// Notes a checkpoint that came with keys. It has been proven to contain the one seen before.
    pub(super) fn see(&mut self, checkpoint: &SignedCheckpoint) {
        let Checkpoint { size, root, .. } = checkpoint.unverified();
        if *size > self.size {
            self.size = *size;
            self.root = *root;
            self.seen = Some(checkpoint.as_bytes().to_vec());
        }
    }

    /// Takes over what another process has noted meanwhile.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.floor > self.floor {
            self.relation = other.relation.clone();
            self.node = other.node.clone();
            self.floor = other.floor;
            self.ipns = other.ipns.or(self.ipns);
            self.inbox = other.inbox.clone().or(self.inbox.take());
        }
        self.serial = self.serial.max(other.serial);
        if other.size > self.size {
            self.size = other.size;
            self.root = other.root;
            self.seen.clone_from(&other.seen);
        }
        for held in &other.agreements {
            self.hold(held.clone());
        }
        for log in &other.agents {
            self.see_log(log.clone());
        }
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

    /// Where deposits to this vault go; `None` when no ticket gave its inbox key.
    pub fn deposit_target(&self) -> Option<DepositTarget> {
        let key = self.inbox.clone()?;
        let vault = self.vault;
        Some(DepositTarget { vault, key })
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
        if self.seen.is_some() && head.checkpoint().size < self.size {
            return Err(FollowError::Behind {
                offered: head.checkpoint().size,
                seen: self.size,
            });
        }
        continues((self.size, &self.root), &head, source)?;
        let checkpoint = head.checkpoint();
        self.seen = None;
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

impl Ticket {
    /// The agreement in a ticket, if the grant is on request.
    fn held(&self) -> Option<HeldAgreement> {
        Some(HeldAgreement {
            grant: self.grant,
            offer: self.offer.clone()?,
            acceptance: None,
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
