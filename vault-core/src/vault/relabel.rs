//! The patient's own labels.
//!
//! Labels stand in the signed header, so a record that gets others gets a new version: the same
//! content under a new header that names the old one. What was signed stays as it is, and so does
//! what readers of the earlier version may read.

use std::io::{Error, ErrorKind, Read};

use sha2::{Digest as _, Sha256};

use super::add::{Adder, Content, NewRecord};
use super::state::{GrantStatus, grant_list};
use super::transaction::Transaction;
use super::{Added, OpenRecord, Vault, VaultError};
use crate::grant::Terms;
use crate::ids::{GrantId, RecordId, VersionId};
use crate::index::{IndexEntry, PageList};
use crate::record::Label;

/// How much of a content is read at a time, in bytes.
const STRIDE: usize = 1 << 20;

/// What a change of labels did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relabelled {
    /// The new version; `None` when the record had just these labels.
    pub version: Option<VersionId>,
    /// Grants in force through which an earlier version of the record, without the change, can
    /// still be read. Only a revocation ends that.
    pub still_readable: Vec<GrantId>,
}

impl Vault {
    /// Gives a record the labels `add` and takes away `remove`; a label in both is added. The content
    /// stays, whatever its length, in bounded memory. Standing grants take in the new version when
    /// it is in their scope, as they do with any.
    ///
    /// # Errors
    /// [`VaultError::NoRecord`].
    pub fn relabel(
        &mut self,
        record: &RecordId,
        add: &[Label],
        remove: &[Label],
    ) -> Result<Relabelled, VaultError> {
        self.transact(|tx| tx.relabel(record, add, remove))
    }
}

impl Transaction<'_> {
    fn relabel(
        &mut self,
        record: &RecordId,
        add: &[Label],
        remove: &[Label],
    ) -> Result<Relabelled, VaultError> {
        let store = self.store.clone();
        self.vault.state.records.load(&*store)?;
        let entries = self.vault.state.records.items();
        let newest = entries.rev().find(|entry| entry.record == *record);
        let newest = newest.cloned().ok_or(VaultError::NoRecord(*record))?;
        let open = self.vault.open_record(&newest)?;
        // the index has the summary in short
        let header = open.header().clone();
        let mut meta = header.meta;
        // what came as a deposit may have more labels here than its author signed
        meta.labels.extend(newest.meta.labels.iter().cloned());
        let before = meta.labels.clone();
        meta.labels.retain(|label| !remove.contains(label));
        meta.labels.extend(add.iter().cloned());
        if meta.labels == before {
            return Ok(Relabelled::default());
        }
        let still_readable = self.grants_that_open(record)?;
        let mut content = ContentReader::new(open);
        let mut adder = Adder::new(self)?;
        let added = adder.add_anyway(NewRecord {
            meta,
            source: header.source,
            content: Content::Stream(&mut content),
            replaces: Some(*record),
        })?;
        adder.finish();
        Ok(Relabelled {
            version: match added {
                Added::New(_, version) | Added::Updated(_, version) => Some(version),
                Added::Known(_) => None,
            },
            still_readable,
        })
    }

    /// The grants in force that hold any version of a record.
    fn grants_that_open(&mut self, record: &RecordId) -> Result<Vec<GrantId>, VaultError> {
        let vault = self.vault.id();
        let mut open = Vec::new();
        for grant in self.grants()? {
            if grant.status != GrantStatus::Active {
                continue;
            }
            let terms = Terms::from_bytes(&grant.terms, self.vault.device.signers())?;
            if terms.has_expired(self.now) {
                continue;
            }
            let mut pages: PageList<IndexEntry> =
                PageList::stored(&vault, &grant_list(&grant.id), grant.pages);
            pages.load(&*self.store)?;
            if pages.items().any(|entry| entry.record == *record) {
                open.push(grant.id);
            }
        }
        Ok(open)
    }
}

/// The content of a version, from its beginning to its end, which is an error unless it has the
/// digest that was signed.
struct ContentReader {
    record: OpenRecord,
    /// Where the next part begins.
    at: u64,
    part: zeroize::Zeroizing<Vec<u8>>,
    /// How much of the part has been given.
    given: usize,
    digest: Sha256,
}

impl ContentReader {
    fn new(record: OpenRecord) -> Self {
        Self {
            record,
            at: 0,
            part: zeroize::Zeroizing::new(Vec::new()),
            given: 0,
            digest: Sha256::new(),
        }
    }

    /// Reads the next part; there is none at the end.
    fn next(&mut self) -> std::io::Result<()> {
        let header = self.record.header();
        let part = self.record.read_range(self.at, STRIDE);
        let part = part.map_err(Error::other)?;
        self.digest.update(&*part);
        self.at += part.len() as u64;
        if part.is_empty() {
            let digest: [u8; 32] = self.digest.clone().finalize().into();
            if self.at != header.len || digest != *header.digest.as_bytes() {
                return Err(ErrorKind::InvalidData.into());
            }
        }
        self.part = part;
        self.given = 0;
        Ok(())
    }
}

impl Read for ContentReader {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.given == self.part.len() {
            self.next()?;
        }
        let rest = self.part.get(self.given..).unwrap_or_default();
        let len = rest.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..len), rest.get(..len)) {
            to.copy_from_slice(from);
        }
        self.given += len;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::{Extent, Scope};
    use crate::record::Category;
    use crate::vault::tests::{node, record, world};
    use crate::vault::{RevokeTarget, ShareRequest};
    use crate::{Following, RevokeLevel, Ticket};

    fn label(code: &str) -> Label {
        code.parse().unwrap()
    }

    fn content(vault: &Vault, entry: &IndexEntry) -> Vec<u8> {
        let mut out = Vec::new();
        vault.open_record(entry).unwrap().copy_to(&mut out).unwrap();
        out
    }

    #[test]
    fn the_content_stays_and_the_header_names_the_version_before() {
        let mut w = world("Pat");
        let long: Vec<u8> = (0..3_000_000u32).map(|i| (i / 5) as u8).collect();
        w.vault
            .add_all([record("a", b"aaa"), record("b", &long), record("c", b"")])
            .unwrap();
        for (n, entry) in w.vault.records().unwrap().iter().enumerate() {
            let out = w
                .vault
                .relabel(&entry.record, &[label("PSY")], &[label("X")]);
            let out = out.unwrap();
            assert!(out.still_readable.is_empty());
            let versions = w.vault.versions(&entry.record).unwrap();
            assert_eq!(versions.len(), 2);
            let (old, new) = (&versions[0], &versions[1]);
            assert_eq!(Some(new.version), out.version);
            assert_eq!(new.meta.labels, [label("PSY")].into());
            assert!(content(&w.vault, new) == content(&w.vault, old));
            assert_eq!(
                (new.len, &new.source, new.name),
                (old.len, &old.source, old.name)
            );
            let (before, after) = (
                w.vault.open_record(old).unwrap(),
                w.vault.open_record(new).unwrap(),
            );
            assert!(before.header().meta.labels.is_empty());
            assert!(after.header().prev.is_some());
            assert_eq!(after.header().digest, before.header().digest);
            // the header keeps the time of day, which the index has not
            assert_eq!(after.header().meta.date, before.header().meta.date);
            // the same again changes nothing
            let size = w.vault.stats().log_entries;
            let again = w
                .vault
                .relabel(&entry.record, &[label("PSY")], &[label("X")]);
            assert_eq!(again.unwrap(), Relabelled::default());
            assert_eq!(w.vault.stats().log_entries, size);
            assert_eq!(w.vault.stats().versions, 4 + n);
        }
        let gone = RecordId::random();
        let missing = w.vault.relabel(&gone, &[label("R")], &[]);
        assert!(matches!(missing, Err(VaultError::NoRecord(id)) if id == gone));
        let report = w.vault.verify_blocks(true).unwrap();
        assert_eq!((report.missing, report.unreadable), (vec![], vec![]));
    }

    #[test]
    fn standing_grants_follow_their_scope_and_earlier_versions_are_told() {
        let (mut w, clinic) = (world("Pat"), world("Clinic"));
        w.vault.add_all([record("a", b"aaa")]).unwrap();
        let card = clinic.vault.device().card("Clinic").unwrap();
        w.vault.add_contact("clinic", &card).unwrap();
        let id = w.vault.records().unwrap()[0].record;
        let mut share = |labels: &[&str], extent| {
            let request = ShareRequest {
                readers: vec!["clinic".into()],
                scope: Scope {
                    categories: [Category::Lab].into(),
                    with_labels: labels.iter().map(|code| label(code)).collect(),
                    ..Scope::default()
                },
                extent,
                purpose: None,
                expires: None,
            };
            w.vault.share(request, &node()).unwrap()
        };
        let plain = share(&[], Extent::Standing);
        let psychiatry = share(&["PSY"], Extent::Standing);
        let snapshot = share(&[], Extent::Snapshot);
        let out = w.vault.relabel(&id, &[label("PSY")], &[]).unwrap();
        let all = vec![plain.grant.id, psychiatry.grant.id, snapshot.grant.id];
        assert_eq!(out.still_readable, all);
        let count = |vault: &mut Vault, grant: &GrantId| vault.grant_entries(grant).unwrap().len();
        assert_eq!(count(&mut w.vault, &plain.grant.id), 1);
        assert_eq!(count(&mut w.vault, &psychiatry.grant.id), 2);
        assert_eq!(count(&mut w.vault, &snapshot.grant.id), 1);
        // back again: it joins what it now fits
        w.vault
            .revoke(&RevokeTarget::Grant(snapshot.grant.id), RevokeLevel::Stop)
            .unwrap();
        let out = w.vault.relabel(&id, &[], &[label("PSY")]).unwrap();
        assert_eq!(out.still_readable, all[..2]);
        assert_eq!(count(&mut w.vault, &plain.grant.id), 2);
        let time = w.vault.now();
        let ticket = Ticket::open(&plain.tickets[0].1, clinic.vault.device(), time).unwrap();
        let mut following = Following::accept(&ticket, "pat", time);
        let blocks = w.vault.storage().blocks();
        let head = w.vault.head().block().data().to_vec();
        following.advance(&head, &*blocks, time).unwrap();
        let views = following
            .grants(clinic.vault.device(), &*blocks, time)
            .unwrap();
        let records = Following::records(&views);
        assert_eq!(Some(records[0].version), out.version);
    }
}
