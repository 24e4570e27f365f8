//! Deposits: sending records into somebody else's vault, and deciding about those that came.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use vault_app::adding::{self, From, Input, Watch as _};
use vault_app::{Error, Exit, Intake, Recipient, Result};
use vault_core::{CarStore, DepositMaker, Outgoing, Parcel, WaitingDeposits};

use super::session::Session;
use super::{Vault, online};
use crate::adding::{Watched, file_name};
use crate::error::MedVaultError;
use crate::types::{self, AddReport, DepositDetail, DepositItem, DepositSent, DepositSummary};
use crate::work::{Control, handle};

handle! {
    /// A deposit on its way.
    DepositWork: [DepositSent]
}

#[uniffi::export]
impl Vault {
    /// Sends records to somebody who shares with you, or to a contact: sealed to their vault, signed by
    /// yours. Their node must be online; it confirms with a receipt. They decide what becomes of it. A
    /// contact whose fingerprint nobody has compared is `Refused` with the code `unverified`.
    pub fn deposit(
        &self,
        to: String,
        items: Vec<DepositItem>,
        message: Option<String>,
    ) -> Result<Arc<DepositWork>, MedVaultError> {
        let job = self.begin(None, move |session, control| {
            make(session, control, &to, items, message.as_deref(), |made| {
                let delivered = online::deliver(session, made, control)?;
                Ok(Some(delivered))
            })
        })?;
        Ok(DepositWork::of(job))
    }

    /// The same into a new file, to be handed over by other means.
    pub fn deposit_to_file(
        &self,
        to: String,
        items: Vec<DepositItem>,
        message: Option<String>,
        path: String,
    ) -> Result<Arc<DepositWork>, MedVaultError> {
        let job = self.begin(None, move |session, control| {
            make(session, control, &to, items, message.as_deref(), |made| {
                let path = PathBuf::from(path);
                vault_app::write_new(&path, false, |file| {
                    made.outgoing.write(made.store, &mut *file)?;
                    control.check()
                })?;
                Ok(None)
            })
        })?;
        Ok(DepositWork::of(job))
    }

    /// Deposits that wait for a decision.
    pub async fn deposits(&self) -> Result<Vec<DepositSummary>, MedVaultError> {
        self.write(|session, vault| {
            let waiting = waiting(session, vault)?;
            let mut all = Vec::new();
            for deposit in waiting.list()? {
                all.push(DepositSummary {
                    id: deposit.deposit.to_string(),
                    sender: vault.depositor_name(&deposit.owner)?,
                    arrived: deposit.time,
                    bytes: deposit.bytes,
                });
            }
            Ok(all)
        })
        .await
    }

    /// Looks into a deposit. Everything in it is checked; nothing is taken.
    pub async fn deposit_detail(&self, id: String) -> Result<DepositDetail, MedVaultError> {
        self.write(move |session, vault| {
            let waiting = waiting(session, vault)?;
            let parcel = waiting.parcel(&types::id(&id, "deposit")?)?;
            let view = vault.open_deposit(&parcel, &session.app.sensitivity())?;
            Ok((&view).into())
        })
        .await
    }

    /// Takes the records of a deposit into the vault as their sender signed them. Standing grants that
    /// fit then hold for them.
    pub async fn accept_deposit(&self, id: String) -> Result<AddReport, MedVaultError> {
        self.write(move |session, vault| {
            let waiting = waiting(session, vault)?;
            let id = types::id(&id, "deposit")?;
            let before: std::collections::HashSet<_> =
                vault.records()?.iter().map(|entry| entry.record).collect();
            let taken = vault.accept_waiting(&id, &waiting, &session.app.sensitivity())?;
            let after = vault.records()?;
            let new = after.iter().filter(|entry| !before.contains(&entry.record));
            Ok(AddReport {
                added: taken.records,
                known: taken.known,
                records: new.map(|entry| entry.record.to_string()).collect(),
                ..AddReport::default()
            })
        })
        .await
    }

    /// Declines a deposit: it is deleted, and the log keeps that it came.
    pub async fn decline_deposit(&self, id: String) -> Result<(), MedVaultError> {
        self.write(move |session, vault| {
            let waiting = waiting(session, vault)?;
            Ok(vault.decline_deposit(&types::id(&id, "deposit")?, &waiting)?)
        })
        .await
    }

    /// Takes a deposit that came as a file into the waiting room, and returns its id.
    pub async fn add_deposit_file(&self, path: String) -> Result<String, MedVaultError> {
        self.write(move |session, vault| {
            let path = PathBuf::from(path);
            let file = File::open(&path).map_err(|error| Error::file(&path, &error))?;
            let waiting = waiting(session, vault)?;
            let added = vault.add_deposit(Parcel::open(file)?, &waiting)?;
            Ok(added.deposit.to_string())
        })
        .await
    }
}

/// The waiting room, with everything in the log that arrived.
fn waiting(session: &Session, vault: &mut vault_core::Vault) -> Result<WaitingDeposits> {
    let waiting = WaitingDeposits::open(session.app.home().clone(), &session.device)?;
    vault.note_arrivals(&waiting)?;
    Ok(waiting)
}

/// A deposit that is ready to go.
pub(super) struct Made<'a> {
    #[cfg_attr(not(feature = "network"), allow(dead_code))] // who is to be reached
    pub(super) to: &'a Recipient,
    pub(super) outgoing: &'a Outgoing,
    pub(super) store: &'a CarStore,
}

/// Makes a deposit and has `send` take it away. Returns when it was delivered, if it was.
fn make(
    session: &Session,
    control: &Arc<Control>,
    to: &str,
    items: Vec<DepositItem>,
    message: Option<&str>,
    send: impl FnOnce(&Made<'_>) -> Result<Option<u64>>,
) -> Result<DepositSent> {
    let mut vault = session.own_vault()?;
    let to = Recipient::find(session.app.home(), &mut vault, to)?;
    if to.unverified {
        vault_app::refuse_unverified(std::slice::from_ref(&to.name))?;
    }
    let folder = tempfile::tempdir_in(session.app.home().root())?;
    let store = CarStore::open(folder.path())?;
    let mut maker = DepositMaker::new(&session.device, to.target.clone(), &store, vault_app::now());
    let intake = Intake::for_other(&session.app, &[], &to.person)?;
    let inputs = items.iter().map(|item| match item {
        DepositItem::File { path } => Ok(Input::file(&PathBuf::from(path))),
        DepositItem::Bytes { content, name } => Ok(Input {
            from: From::Bytes(content),
            name: file_name(name)?,
        }),
    });
    let mut inputs = inputs.collect::<Result<Vec<_>>>()?;
    let watch = Watched {
        control,
        total: inputs.iter().map(Input::len).sum(),
    };
    let mut shelf = vault_app::DepositShelf::new(&mut maker, vault.name());
    let report = adding::feed(intake.door(), &mut shelf, &mut inputs, &watch)?;
    if report.total().added == 0 {
        let what = "there is nothing to deposit";
        return Err(Error::new(Exit::Failure, "nothing-to-deposit", what));
    }
    let outgoing = maker.finish(message)?;
    watch.check()?;
    let delivered = send(&Made {
        to: &to,
        outgoing: &outgoing,
        store: &store,
    })?;
    let refused = report.refused.iter();
    Ok(DepositSent {
        deposit: outgoing.deposit.to_string(),
        records: outgoing.records as u64,
        bytes: outgoing.bytes,
        delivered,
        refused: refused
            .map(|remark| format!("{}: {}", remark.file, remark.what))
            .collect(),
    })
}
