//! The patient's decision about deposits: look, take, decline.

use std::collections::HashSet;
use std::io::{Read, Seek};

use crate::audit::Act;
use crate::block::Cid;
use crate::deposit::{Checked, DepositError, Depth, Parcel, WaitingDeposits, check};
use crate::ids::DepositId;
use crate::index::IndexEntry;
use crate::keys::PublicKey;
use crate::record::Sensitivity;
use crate::store::BlockSource as _;
use crate::vault::add::Adder;
use crate::vault::transaction::Transaction;
use crate::vault::{ContactInfo, Vault, VaultError};

/// One record of a deposit, as it would be taken.
#[derive(Debug, Clone)]
pub struct DepositedRecord {
    /// As the vault would list it, with the labels that it would get. The title, the author and the
    /// file name are the sender's words.
    pub entry: IndexEntry,
    /// Labels that the sender did not give it.
    pub added_labels: bool,
}

/// What a deposit holds. Everything in it was checked.
#[derive(Debug, Clone)]
pub struct DepositView {
    /// The deposit.
    pub deposit: DepositId,
    /// The contact who signed it.
    pub contact: ContactInfo,
    /// One line to the patient.
    pub message: Option<String>,
    /// When it was made, by the sender's clock, in seconds since 1970-01-01 UTC.
    pub created: u64,
    /// Its records, in the sender's order.
    pub records: Vec<DepositedRecord>,
}

/// What became of a deposit that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepositAccepted {
    /// How many records it brought.
    pub records: u64,
    /// How many of their contents were in the vault before.
    pub known: u64,
}

impl Vault {
    /// What the note of a deposit that waits says of the whole: how many records it holds, and the
    /// line to the patient. Reads the note alone and checks nothing else.
    ///
    /// # Errors
    /// [`DepositError`].
    pub fn glance_at_deposit(
        &mut self,
        deposit: &DepositId,
        waiting: &WaitingDeposits,
    ) -> Result<(usize, Option<String>), DepositError> {
        let (note, _) = self.open_note(&waiting.note(deposit)?)?;
        Ok((note.entries.len(), note.message))
    }

    /// Opens a deposit and checks all of it but the contents of long bodies, which are checked when
    /// it is taken. Nothing is changed. `sensitivity` gives its records further labels.
    ///
    /// # Errors
    /// [`DepositError`].
    pub fn open_deposit<R: Read + Seek + Send>(
        &mut self,
        parcel: &Parcel<R>,
        sensitivity: &Sensitivity,
    ) -> Result<DepositView, DepositError> {
        let (note, contact) = self.open_note(parcel.note())?;
        let checked = check(parcel, &note, sensitivity, Depth::Headers)?;
        let records = checked.into_iter().map(|record| DepositedRecord {
            added_labels: record.entry.meta.labels != record.header.meta.labels,
            entry: record.entry,
        });
        Ok(DepositView {
            deposit: note.deposit,
            contact: ContactInfo::from_record(&contact)?,
            message: note.message,
            created: note.created,
            records: records.collect(),
        })
    }

    /// Takes a deposit into the vault, in one commit: its blocks as they are, its records as new
    /// ones. Standing grants take in what is in their scope. Contents that the vault holds already
    /// are taken all the same, for they carry their author's signature.
    ///
    /// # Errors
    /// [`DepositError::Known`] when it was taken before.
    pub fn accept_deposit<R: Read + Seek + Send>(
        &mut self,
        parcel: &Parcel<R>,
        sensitivity: &Sensitivity,
    ) -> Result<DepositAccepted, DepositError> {
        let (note, contact) = self.open_note(parcel.note())?;
        let checked = check(parcel, &note, sensitivity, Depth::Contents)?;
        let owner = *note.signers.owner();
        let taken = self.transact(|tx| {
            tx.contact(&contact.id.to_string())?;
            tx.adopt(parcel, checked, owner, note.deposit)
        });
        taken.map_err(|error| match error {
            VaultError::DepositKnown(deposit) => DepositError::Known(deposit),
            VaultError::DepositShares(_) => {
                DepositError::NotAParcel("a block of it is in the vault already")
            }
            other => other.into(),
        })
    }

    /// Takes a deposit that waits, and forgets its parcel.
    ///
    /// # Errors
    /// As [`Vault::accept_deposit`]; one that was taken before waits no longer then.
    pub fn accept_waiting(
        &mut self,
        deposit: &DepositId,
        waiting: &WaitingDeposits,
        sensitivity: &Sensitivity,
    ) -> Result<DepositAccepted, DepositError> {
        let found = waiting.find(deposit)?;
        let parcel = waiting.parcel(deposit)?;
        // what was announced says nothing about what came
        if *self.open_note(parcel.note())?.0.signers.owner() != found.owner {
            return Err(DepositError::NotAParcel("somebody else has sent it"));
        }
        let taken = self.accept_deposit(&parcel, sensitivity);
        // a kill may have come between the commit and this
        if matches!(taken, Ok(_) | Err(DepositError::Known(_))) {
            waiting.settle(deposit)?;
        }
        taken
    }

    /// Notes that the patient does not want a deposit, and deletes it.
    ///
    /// # Errors
    /// [`DepositError::Waiting`] when it does not wait.
    pub fn decline_deposit(
        &mut self,
        deposit: &DepositId,
        waiting: &WaitingDeposits,
    ) -> Result<(), DepositError> {
        let found = waiting.find(deposit)?;
        let act = Act::DepositDeclined {
            contact: found.owner,
            deposit: *deposit,
        };
        self.transact(|tx| {
            tx.act(act);
            Ok(())
        })?;
        waiting.settle(deposit).map_err(DepositError::Waiting)
    }

    /// A deposit whose records are in the vault is not taken in once more.
    pub(super) fn refuse_known(&mut self, view: &DepositView) -> Result<(), DepositError> {
        let records = self.records()?;
        let known = |e: &IndexEntry| view.records.iter().any(|r| r.entry.record == e.record);
        match records.iter().any(known) {
            true => Err(DepositError::Known(view.deposit)),
            false => Ok(()),
        }
    }
}

impl Transaction<'_> {
    fn adopt<R: Read + Seek + Send>(
        &mut self,
        parcel: &Parcel<R>,
        checked: Vec<Checked>,
        owner: PublicKey,
        deposit: DepositId,
    ) -> Result<DepositAccepted, VaultError> {
        let store = self.store.clone();
        self.vault.state.records.load(&*store)?;
        let ids: HashSet<_> = checked
            .iter()
            .flat_map(|c| [*c.entry.record.as_bytes(), *c.entry.version.as_bytes()])
            .collect();
        let taken = |e: &IndexEntry| {
            ids.contains(e.record.as_bytes()) || ids.contains(e.version.as_bytes())
        };
        if self.vault.state.records.items().any(taken) {
            return Err(VaultError::DepositKnown(deposit));
        }
        // a block of two records would be deleted with the first one of them
        if parcel.digests().any(|digest| self.holds(digest)) {
            return Err(VaultError::DepositShares(deposit));
        }
        for digest in parcel.digests() {
            for block in parcel.fetch(&[Cid::raw(*digest)])? {
                self.put(block)?;
            }
        }
        let (now, seq) = (self.now, self.seq());
        let mut done = DepositAccepted {
            records: checked.len() as u64,
            known: 0,
        };
        let mut adder = Adder::new(self)?;
        for Checked {
            mut entry,
            same,
            header,
        } in checked
        {
            entry.added = now;
            entry.sealed = seq;
            let same = same.unwrap_or(header.digest);
            done.known += u64::from(adder.known(&same).is_some());
            adder.adopt(entry, &same);
        }
        adder.finish();
        self.act(Act::DepositAccepted {
            contact: owner,
            deposit,
            count: done.records,
        });
        Ok(done)
    }
}
