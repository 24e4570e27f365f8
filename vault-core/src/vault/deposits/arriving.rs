//! Deposits on their way in: from the network, from a file, from a depositor's node.

use std::io::{self, Read, Seek, Write as _};

use crate::audit::{Act, AuditEntry};
use crate::deposit::{
    Announcement, DepositError, DepositRefusal, DepositTicket, Incoming, Parcel, Receipt,
    WaitingDeposit, WaitingDeposits, WaitingError, answer_refused, answer_taken, gather,
    may_deposit,
};
use crate::grant::Ends;
use crate::ids::DepositId;
use crate::record::Sensitivity;
use crate::store::{BlockSource, BlockStore, SourceError};
use crate::vault::Vault;

/// What a node does about an announcement.
#[derive(Debug)]
pub enum Admission {
    /// It reads the announced bytes into this and then asks [`Vault::finish_deposit`].
    Take(Box<Incoming>),
    /// It reads nothing and sends this answer.
    Answer(Vec<u8>),
}

impl Vault {
    /// Decides about an announcement, before a byte of the parcel is read. `ends` are those of the
    /// connection; none for the announcement in a ticket.
    ///
    /// # Errors
    /// [`WaitingError::Refused`].
    pub fn judge_deposit(
        &mut self,
        announced: &Announcement,
        waiting: &WaitingDeposits,
    ) -> Result<(), WaitingError> {
        let refused = WaitingError::Refused;
        let contact = self.depositor(&announced.signers).map_err(|error| {
            refused(match error {
                DepositError::Stranger | DepositError::Replaced => DepositRefusal::Stranger,
                _ => DepositRefusal::Busy,
            })
        })?;
        let limit = self.deposit_limit(&contact.id.to_string());
        let limit = limit.map_err(|_| refused(DepositRefusal::Busy))?;
        let earlier = waiting.earlier(announced.signers.owner(), self.now())?;
        may_deposit(limit.as_ref(), earlier, announced.bytes).map_err(refused)
    }

    /// Answers an announcement that came over the connection between `ends`, or lets the parcel
    /// come. A deposit that was delivered before gets its receipt again.
    pub fn admit_deposit(
        &mut self,
        announcement: &[u8],
        ends: &Ends,
        waiting: &WaitingDeposits,
    ) -> Admission {
        match self.admit(announcement, ends, waiting) {
            Ok(admission) => admission,
            Err(WaitingError::Refused(refusal)) => Admission::Answer(answer_refused(refusal)),
            Err(_) => Admission::Answer(answer_refused(DepositRefusal::Busy)),
        }
    }

    fn admit(
        &mut self,
        announcement: &[u8],
        ends: &Ends,
        waiting: &WaitingDeposits,
    ) -> Result<Admission, WaitingError> {
        let busy = |_: crate::VaultError| WaitingError::Refused(DepositRefusal::Busy);
        self.refresh().map_err(busy)?;
        let announced = Announcement::read(announcement, &self.id(), Some(ends), self.now())
            .map_err(WaitingError::Refused)?;
        let (owner, deposit) = (*announced.signers.owner(), announced.deposit);
        // nothing is read on behalf of strangers
        if self.depositor_name(&owner).map_err(busy)?.is_none() {
            return Err(WaitingError::Refused(DepositRefusal::Stranger));
        }
        if let Some(known) = waiting.known(&deposit)? {
            if (known.owner, known.digest) != (owner, announced.digest) {
                return Err(WaitingError::Refused(DepositRefusal::Already));
            }
            self.note_deposit(&known, waiting)?;
            return Ok(Admission::Answer(self.receipt(&known)));
        }
        if waiting.is_arriving(&deposit) {
            return Err(WaitingError::Refused(DepositRefusal::Busy));
        }
        self.judge_deposit(&announced, waiting)?;
        let incoming = waiting.begin(owner, deposit, announced.bytes, Some(announced.digest))?;
        Ok(Admission::Take(Box::new(incoming)))
    }

    /// Keeps a parcel that has come in full, enters it in the log, and gives the answer to send.
    pub fn finish_deposit(&mut self, incoming: Incoming, waiting: &WaitingDeposits) -> Vec<u8> {
        match self.keep_deposit(incoming, waiting) {
            Ok(kept) => self.receipt(&kept),
            Err(WaitingError::Refused(refusal)) => answer_refused(refusal),
            Err(_) => answer_refused(DepositRefusal::Busy),
        }
    }

    fn keep_deposit(
        &mut self,
        incoming: Incoming,
        waiting: &WaitingDeposits,
    ) -> Result<WaitingDeposit, WaitingError> {
        let busy = |_| WaitingError::Refused(DepositRefusal::Busy);
        self.refresh().map_err(busy)?;
        self.contacts().map_err(busy)?;
        // the leave may have been taken away while the bytes came
        let name = self.contact_name(incoming.owner()).map(str::to_owned);
        let name = name.ok_or(WaitingError::Refused(DepositRefusal::Stranger))?;
        let limit = self.deposit_limit(&name).map_err(busy)?;
        let limit = limit.ok_or(WaitingError::Refused(DepositRefusal::NotAllowed))?;
        let now = self.now();
        let kept = waiting.keep(incoming, Some(&limit), now)?;
        self.note_deposit(&kept, waiting)?;
        Ok(kept)
    }

    /// Enters a deposit that is durable in the log, once.
    fn note_deposit(
        &mut self,
        deposit: &WaitingDeposit,
        waiting: &WaitingDeposits,
    ) -> Result<(), WaitingError> {
        if !deposit.is_unlogged() {
            return Ok(());
        }
        let busy = |_| WaitingError::Refused(DepositRefusal::Busy);
        let act = Act::Deposited {
            contact: deposit.owner,
            deposit: deposit.deposit,
            bytes: deposit.bytes,
        };
        self.transact(|tx| {
            tx.act(act);
            Ok(())
        })
        .map_err(busy)?;
        waiting.noted(&deposit.deposit)
    }

    /// Enters deposits in the log that arrived just before a kill. Returns how many.
    ///
    /// # Errors
    /// [`WaitingError`].
    pub fn note_arrivals(&mut self, waiting: &WaitingDeposits) -> Result<usize, WaitingError> {
        let mut arrived = waiting.list()?;
        arrived.retain(WaitingDeposit::is_unlogged);
        if arrived.is_empty() {
            return Ok(0);
        }
        let busy = |_| WaitingError::Refused(DepositRefusal::Busy);
        let log: Vec<AuditEntry> = self.audit_log().map_err(busy)?;
        let is_logged = |id: &DepositId| {
            let hit =
                |e: &AuditEntry| matches!(&e.act, Act::Deposited { deposit, .. } if deposit == id);
            log.iter().rev().any(hit)
        };
        for deposit in &arrived {
            match is_logged(&deposit.deposit) {
                true => waiting.noted(&deposit.deposit)?,
                false => self.note_deposit(deposit, waiting)?,
            }
        }
        Ok(arrived.len())
    }

    fn receipt(&self, deposit: &WaitingDeposit) -> Vec<u8> {
        let receipt = Receipt {
            vault: self.id(),
            deposit: deposit.deposit,
            digest: deposit.digest,
            time: deposit.time,
        };
        answer_taken(receipt.sign(self.device.signers(), self.device.signing()))
    }

    /// Takes a parcel that the patient has as a file into the waiting room. It must be a contact's;
    /// the limits guard against what comes by itself and do not count here.
    ///
    /// # Errors
    /// [`DepositError`].
    pub fn add_deposit<R: Read + Seek + Send>(
        &mut self,
        parcel: Parcel<R>,
        waiting: &WaitingDeposits,
    ) -> Result<WaitingDeposit, DepositError> {
        let view = self.open_deposit(&parcel, &Sensitivity::default())?;
        let owner = *view.contact.card.owner();
        self.refuse_known(&view)?;
        if let Some(known) = waiting.known(&parcel.deposit())?
            && !known.is_settled()
        {
            return Ok(known);
        }
        let (deposit, bytes) = (parcel.deposit(), parcel.bytes());
        let mut incoming = waiting.begin(owner, deposit, bytes, None)?;
        io::copy(&mut parcel.into_file()?.take(bytes), &mut incoming)?;
        self.keep_by_hand(incoming, waiting)
    }

    /// Fetches the deposit of a ticket from the provider's node into the waiting room, if its sender
    /// may deposit that much. Blocks pass through `scratch`.
    ///
    /// # Errors
    /// [`DepositError`]; [`WaitingError::Refused`] within, before anything is fetched.
    pub fn fetch_deposit(
        &mut self,
        ticket: &DepositTicket,
        source: &dyn BlockSource,
        scratch: &dyn BlockStore,
        waiting: &WaitingDeposits,
    ) -> Result<WaitingDeposit, DepositError> {
        let announced = &ticket.announced;
        let owner = *announced.signers.owner();
        if let Some(known) = waiting.known(&announced.deposit)?
            && !known.is_settled()
        {
            return Ok(known);
        }
        self.judge_deposit(announced, waiting)?;
        let root = source.fetch(&[ticket.root])?.pop();
        let root = root.ok_or(SourceError::Missing(ticket.root))?;
        let (note, _) = self.open_note(&root)?;
        if note.deposit != announced.deposit || *note.signers.owner() != owner {
            return Err(DepositError::NotAParcel(
                "it is not what its ticket announces",
            ));
        }
        let begun = waiting.begin(
            owner,
            announced.deposit,
            announced.bytes,
            Some(announced.digest),
        );
        let mut incoming = begun?;
        gather(
            &root,
            &note,
            source,
            scratch,
            announced.bytes,
            &mut incoming,
        )?;
        incoming.flush()?;
        self.keep_by_hand(incoming, waiting)
    }

    fn keep_by_hand(
        &mut self,
        incoming: Incoming,
        waiting: &WaitingDeposits,
    ) -> Result<WaitingDeposit, DepositError> {
        let now = self.now();
        let kept = waiting.keep(incoming, None, now);
        let kept = kept?;
        self.note_deposit(&kept, waiting)?;
        Ok(kept)
    }
}
