//! Reading and checking the audit log and the blocks.

use super::{OpenRecord, Vault, VaultError};
use crate::audit::{AuditEntry, LogBlocks, leaf};
use crate::block::{Cid, Codec};
use crate::ids::RecordId;
use crate::log::{Appender, TreeHash, root};
use crate::pins;

/// The first entry that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadEntry {
    /// Its position in the log.
    pub index: u64,
    /// What is wrong with it.
    pub what: String,
}

/// What checking the audit log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// Entries that the signed checkpoint covers.
    pub size: u64,
    /// The signed root.
    pub root: TreeHash,
    /// The first entry that does not hold, if any.
    pub bad: Option<BadEntry>,
}

/// What checking the blocks found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockReport {
    /// Blocks that were checked.
    pub blocks: usize,
    /// Their length, in bytes.
    pub bytes: u64,
    /// Blocks that are missing or damaged.
    pub missing: Vec<Cid>,
    /// Versions whose bodies were opened and checked.
    pub opened: usize,
    /// Records with a version that does not open.
    pub unreadable: Vec<RecordId>,
}

impl Vault {
    /// Every entry of the audit log, oldest first.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn audit_log(&mut self) -> Result<Vec<AuditEntry>, VaultError> {
        self.reading(|vault| Ok(vault.state.audit.load(&*vault.storage.blocks())?))?;
        self.state
            .audit
            .items()
            .map(|entry| Ok(AuditEntry::from_bytes(&entry.0)?))
            .collect()
    }

    /// Recomputes the log from the blocks: every entry's commitment, every hash, the signed root.
    ///
    /// # Errors
    /// [`VaultError`] when something cannot be read at all; what reads but does not hold is in the
    /// report.
    pub fn verify_audit(&mut self) -> Result<AuditReport, VaultError> {
        let store = self.storage.blocks();
        let checkpoint = self.head.checkpoint().clone();
        let mut report = AuditReport {
            size: checkpoint.size,
            root: checkpoint.root,
            bad: None,
        };
        let bad = |index, what: &str| {
            Some(BadEntry {
                index,
                what: what.to_owned(),
            })
        };
        self.state.audit.load(&*store)?;
        let blocks = LogBlocks::new(&*store, &self.head.body.log);
        let leaves = blocks.leaves(checkpoint.size)?;
        let mut appender = Appender::new();
        let mut time = 0;
        for (index, entry) in (0..).zip(self.state.audit.items()) {
            let found = leaf(&self.state.secrets.log, index, &entry.0);
            if leaves.get(index as usize) != Some(&found) {
                report.bad = bad(index, "the entry is not the one that was committed to");
                return Ok(report);
            }
            appender.append(found)?;
            match AuditEntry::from_bytes(&entry.0) {
                Ok(entry) if entry.index == index && entry.time >= time => time = entry.time,
                Ok(_) => report.bad = bad(index, "the entry is out of order"),
                Err(_) => report.bad = bad(index, "the entry is malformed"),
            }
            if report.bad.is_some() {
                return Ok(report);
            }
        }
        if appender.size() != checkpoint.size {
            report.bad = bad(appender.size(), "the entry is missing");
        } else if appender.root() != checkpoint.root
            || root(&blocks, checkpoint.size)? != checkpoint.root
        {
            report.bad = bad(checkpoint.size, "the hashes do not give the signed root");
        }
        Ok(report)
    }

    /// Checks that every block of the pin set is there and whole, and with `deep` that every
    /// version's body opens.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn verify_blocks(&mut self, deep: bool) -> Result<BlockReport, VaultError> {
        let store = self.storage.blocks();
        let pins = pins::read(&*store, &self.head.pins())?;
        let mut report = BlockReport::default();
        let nodes = pins.nodes.iter().copied().chain([self.head.block().cid()]);
        for cid in pins
            .live
            .iter()
            .map(|digest| Cid::new(Codec::Raw, *digest))
            .chain(nodes)
        {
            report.blocks += 1;
            match store.get(&cid)? {
                Some(block) => report.bytes += block.data().len() as u64,
                None => report.missing.push(cid),
            }
        }
        if deep {
            self.state.records.load(&*store)?;
            for entry in self.state.records.items() {
                let opened = OpenRecord::open(self.head.signers(), entry, store.clone());
                match opened.and_then(|record| record.copy_to(&mut std::io::sink())) {
                    Ok(()) => report.opened += 1,
                    Err(_) => report.unreadable.push(entry.record),
                }
            }
        }
        Ok(report)
    }
}
